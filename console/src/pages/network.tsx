import { CERTIFICATE_PATH } from "../api/client";
import type { Link, Network } from "../api/types";
import { formatDuration } from "../logic/format";
import { linkName, linkState } from "../logic/words";
import { StatusWord } from "../ui/status";

/** Under which name and addresses the box is found. `now` is the box's own time in Unix seconds. */
export function NetworkCard({ network, now }: { network: Network; now: number }) {
  return (
    <section class="card" aria-labelledby="network-title">
      <h2 id="network-title">Network</h2>
      <p>
        Found at <strong class="address-inline">https://{network.hostname}.local</strong>
      </p>
      {network.links.length === 0 ? <p class="quiet">The box has no network device it knows. Is a cable or adapter missing?</p> : null}
      <ul class="rows">
        {network.links.map((link) => (
          <LinkRow key={link.name} link={link} now={now} />
        ))}
      </ul>
      <p class="quiet">
        Browser still warning?{" "}
        <a class="link" href={CERTIFICATE_PATH} download="hearth-ca.crt">
          Get the box's certificate
        </a>
      </p>
    </section>
  );
}

function LinkRow({ link, now }: { link: Link; now: number }) {
  const { word, tone } = linkState(link);
  return (
    <li class="row">
      <div class="row-main">
        <span class="row-name">
          {linkName(link.name)} <span class="code-name">{link.name}</span>
        </span>
        <StatusWord tone={tone}>{word}</StatusWord>
        {link.addresses.length > 0 ? (
          <ul class="addresses">
            {link.addresses.map((address) => (
              <li key={address}>{address}</li>
            ))}
          </ul>
        ) : null}
        <p class="row-detail">{linkDetail(link, now)}</p>
      </div>
    </li>
  );
}

function linkDetail(link: Link, now: number): string {
  const left = (link.lease_expires_unix ?? 0) - now;
  const parts = [
    link.gateway ? `Router ${link.gateway}` : "",
    left > 0 ? `address lent for another ${formatDuration(left)}` : "",
    link.mac ? `hardware address ${link.mac}` : "",
  ];
  const text = parts.filter(Boolean).join(" · ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}
