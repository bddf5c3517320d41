import { CERTIFICATE_PATH } from "../api/client";
import { fingerprintGroups } from "../logic/fingerprint";

const STEPS: [string, string][] = [
  ["iPhone, iPad", "Open the downloaded file, then Settings → Profile downloaded → Install. After that Settings → General → About → Certificate trust settings: switch it on."],
  ["Android", "Settings → Security → More security settings → Install a certificate → CA certificate, then choose the file."],
  ["Windows", "Open the file → Install certificate → Local machine → Place in the following store → Trusted root certification authorities."],
  ["macOS", "Open the file with Keychain Access, open the entry, and under Trust choose Always trust."],
  ["Linux, Firefox", "Firefox: Settings → Privacy & security → View certificates → Authorities → Import. Chromium: Settings → Privacy and security → Security → Manage certificates."],
];

/** The household's certificate: what it is for, its fingerprint to compare, and how to install it. */
export function Certificate({ fingerprint }: { fingerprint: string | Error | undefined }) {
  return (
    <section class="aside" aria-labelledby="certificate-title">
      <h2 id="certificate-title">No more warnings from the browser</h2>
      <p>
        Your box vouches for itself with its own certificate. Install it on each of your devices, and the warning is gone for good. It is valid only
        for names at home, so it cannot be misused for other sites.
      </p>
      <p class="label">Fingerprint (SHA-256)</p>
      <p class="fingerprint">
        {fingerprint instanceof Error ? (
          "The box did not hand out its certificate. Reload this page to try again."
        ) : fingerprint === undefined ? (
          "Asking the box…"
        ) : (
          fingerprintGroups(fingerprint).map((group) => <span key={group}>{group} </span>)
        )}
      </p>
      <p>
        <a class="link" href={CERTIFICATE_PATH} download="hearth-ca.crt">
          Download the certificate
        </a>
      </p>
      <details>
        <summary>How to install it</summary>
        <dl class="howto">
          {STEPS.map(([system, how]) => (
            <div key={system}>
              <dt>{system}</dt>
              <dd>{how}</dd>
            </div>
          ))}
        </dl>
      </details>
    </section>
  );
}
