import { keyGroups } from "../logic/recovery";

/** What is written down or printed: the key with everything that somebody needs to know who finds the paper in ten years. */
export function RecoverySheet({ recoveryKey, recoveryCode, hostname }: { recoveryKey: string; recoveryCode?: string; hostname: string }) {
  const today = new Date().toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric" });
  return (
    <div class="sheet">
      <p class="lead screen-only">Write it down or print it now. The box shows it only this once, and nobody can tell it to you later.</p>
      <ol class="recovery-key" aria-label="Recovery key, in groups">
        {keyGroups(recoveryKey).map((group, index) => (
          <li key={`${index}`}>{group}</li>
        ))}
      </ol>
      {recoveryCode === undefined ? null : (
        <>
          <p>The key above opens the disk. The code below opens your private files when you have forgotten your password.</p>
          <ol class="recovery-key" aria-label="Recovery code, in groups">
            {keyGroups(recoveryCode).map((group, index) => (
              <li key={`${index}`}>{group}</li>
            ))}
          </ol>
        </>
      )}
      <dl class="facts sheet-facts">
        <div>
          <dt>Opens the data of</dt>
          <dd>{hostname}</dd>
        </div>
        <div>
          <dt>Made on</dt>
          <dd>{today}</dd>
        </div>
      </dl>
      <div class="aside">
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
      </div>
    </div>
  );
}
