import type { BackupTarget } from "../../api/backups";
import type { KitSheet } from "../../logic/kit";

const NAMES: Record<string, string> = { Made: "Made on", Backup: "Where the backup is", "Its access": "Keys of the store" };

/** The kit on paper, with everything that somebody needs to know who finds it in ten years. */
export function KitPaper({ sheet: { facts, lines, picture }, target }: { sheet: KitSheet; target: BackupTarget | null }) {
  const isDisk = target?.type === "usb_disk";
  // Of a disk the kit says neither: it is where somebody put it.
  const shown = facts.filter(([name]) => !(isDisk && (name === "Backup" || name === "Its access")));
  return (
    <div class="sheet kit">
      <p class="lead screen-only">Print it, or write the numbered lines down. This page forgets it as soon as you leave it.</p>
      <dl class="facts sheet-facts">
        {shown.map(([name, value]) => (
          <div key={name}>
            <dt>{NAMES[name] ?? name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
        {isDisk ? (
          <div>
            <dt>Where the backup is</dt>
            <dd>{target.label ? `on the disk called “${target.label}”` : "on the USB disk"}</dd>
          </div>
        ) : null}
      </dl>
      <div class="kit-ways">
        {picture ? (
          <figure class="kit-code">
            <svg viewBox={`0 0 ${picture.side} ${picture.side}`} role="img" aria-label="QR code that holds the whole kit">
              <path d={picture.path} />
            </svg>
            <figcaption class="quiet">To scan: all of this sheet is in it.</figcaption>
          </figure>
        ) : null}
        <div>
          <p class="quiet">To type, with the numbers:</p>
          <ul class="kit-lines" aria-label="Lines of the kit">
            {lines.map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ul>
        </div>
      </div>
      <div class="aside">
        <h2>What it is for</h2>
        <p>The backups of this household are encrypted. This kit opens them: a new box then has its accounts and its certificate.</p>
        <p>Private files are in them too, sealed. This kit does not open those: each owner’s own password or recovery code does.</p>
        <h2>How to use it</h2>
        <ol>
          <li>Start a new Hearth box, and open https://hearth.local in a browser at home.</li>
          <li>
            Choose “This household had a box before”. Type the claim code from the new box’s screen and the lines above, or scan the code with a phone
            and paste what it reads.
          </li>
          <li>{isDisk ? "Plug the disk with the backup into the box." : "Say where the backup is, if the kit does not."}</li>
        </ol>
        <h2>Where to keep it</h2>
        <p>Where you keep your passport, not beside the box. Whoever has it and reaches the backup can read all but the private files in it.</p>
      </div>
    </div>
  );
}
