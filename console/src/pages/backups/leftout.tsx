import type { Backups } from "../../api/backups";
import { leftOutWords } from "../../logic/backups";

/** Said plainly, so that nobody relies on a backup for what is not in it. */
export function LeftOutCard({ backups: { left_out: leftOut, private_files: saved } }: { backups: Backups }) {
  if (leftOut.length === 0) return null;
  return (
    <section class="card" aria-labelledby="left-out-title">
      <h2 id="left-out-title">What is not in them</h2>
      <dl class="left-out">
        {leftOut.map((what) => {
          const { name, why } = leftOutWords(what, saved);
          return (
            <div key={what}>
              <dt>{name}</dt>
              <dd>{why}</dd>
            </div>
          );
        })}
      </dl>
    </section>
  );
}
