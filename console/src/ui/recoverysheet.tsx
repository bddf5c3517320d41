import { keyGroups } from "../logic/recovery";

interface Props {
  recoveryKey?: string;
  recoveryCode?: string;
  /** Whose files a code alone opens. */
  userName?: string;
  hostname: string;
}

/** What is written down or printed: the key or code with everything that somebody needs to know who finds the paper in ten years. */
export function RecoverySheet({ recoveryKey, recoveryCode, userName, hostname }: Props) {
  const today = new Date().toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric" });
  return (
    <div class="sheet">
      <p class="lead screen-only">Write it down or print it now. The box shows it only this once, and nobody can tell it to you later.</p>
      {recoveryKey ? <Groups label="Recovery key, in groups" text={recoveryKey} /> : null}
      {recoveryKey && recoveryCode ? (
        <p>The key above opens the disk. The code below opens your private files when you have forgotten your password.</p>
      ) : null}
      {recoveryCode ? <Groups label="Recovery code, in groups" text={recoveryCode} /> : null}
      <dl class="facts sheet-facts">
        <div>
          <dt>{recoveryKey ? "Opens the data of" : "Opens the private files of"}</dt>
          <dd>{userName ? `${userName}, on ${hostname}` : hostname}</dd>
        </div>
        <div>
          <dt>Made on</dt>
          <dd>{today}</dd>
        </div>
      </dl>
      <div class="aside">{recoveryKey ? <AboutKey /> : <AboutCode hostname={hostname} />}</div>
    </div>
  );
}

function Groups({ label, text }: { label: string; text: string }) {
  return (
    <ol class="recovery-key" aria-label={label}>
      {keyGroups(text).map((group, index) => (
        <li key={`${index}`}>{group}</li>
      ))}
    </ol>
  );
}

function AboutKey() {
  return (
    <>
      <h2>What it is for</h2>
      <p>
        The disk of this box is encrypted. The box opens it by itself, until its hardware or firmware changes or the disk is put into another
        machine. Then this key opens it. An earlier recovery key no longer does once this one was checked.
      </p>
      <h2>How to use it</h2>
      <ol>
        <li>Start the box with the disk in it, and open https://hearth.local in a browser at home, or the address on the box’s own screen.</li>
        <li>The page says that the box is locked. Type all groups of this key there; dashes and capitals do not matter.</li>
      </ol>
      <h2>Where to keep it</h2>
      <p>On paper, away from the box, where you keep your passport. Whoever has this key and the disk can read everything on it.</p>
    </>
  );
}

function AboutCode({ hostname }: { hostname: string }) {
  return (
    <>
      <h2>What it is for</h2>
      <p>
        Your private files are encrypted with your password. If you forget it, this code opens them and lets you choose a new one. An earlier
        recovery code no longer does once this one was checked.
      </p>
      <h2>How to use it</h2>
      <ol>
        <li>Open https://{hostname}.local in a browser at home, and choose “Forgot your password?” below the login.</li>
        <li>Type your name, all groups of this code, and a new password; dashes and capitals do not matter.</li>
      </ol>
      <h2>Where to keep it</h2>
      <p>On paper, where you keep your passport. Whoever has it can log in as you and read your private files.</p>
    </>
  );
}
