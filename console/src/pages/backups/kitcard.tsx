import type { Backups } from "../../api/backups";
import { ago } from "../../logic/backups";
import { Notice } from "../../ui/status";

/** Whether somebody has the recovery kit, and printing it. */
export function KitCard({ backups, now, onKit }: { backups: Backups; now: number; onKit: () => void }) {
  const made = backups.kit_made;
  return (
    <section class="card" aria-labelledby="kit-title">
      <h2 id="kit-title">Recovery kit</h2>
      {made === null ? (
        <Notice kind="warn">
          <p>Nobody has it yet. Without this sheet of paper nobody can open the backups when this box breaks, and neither can you.</p>
        </Notice>
      ) : (
        <p>A sheet of paper that opens the backups. It was printed or shown {ago(made, now)}; it is always the same key, so older ones stay good.</p>
      )}
      <div class="actions actions-start">
        <button type="button" class={made === null ? "button" : "button button-quiet"} onClick={onKit}>
          {made === null ? "Make the recovery kit" : "Show it again"}
        </button>
      </div>
    </section>
  );
}
