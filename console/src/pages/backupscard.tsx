import { ApiError } from "../api/client";
import type { Backups } from "../api/backups";
import { backupSummary, backupVerdict } from "../logic/backups";
import { StatusWord } from "../ui/status";

/** Whether there are backups, on the home page. `now`: the box's clock. */
export function BackupsCard({ backups, now, onBackups }: { backups: Backups | ApiError; now: number; onBackups: () => void }) {
  return (
    <section class="card" aria-labelledby="backups-title">
      <div class="card-head">
        <h2 id="backups-title">Backups</h2>
        <button type="button" class="link" onClick={onBackups}>
          Backups, recovery kit
        </button>
      </div>
      {backups instanceof ApiError ? <p class="quiet">{backups.message}</p> : <Known {...{ backups, now, onBackups }} />}
    </section>
  );
}

function Known({ backups, now, onBackups }: { backups: Backups; now: number; onBackups: () => void }) {
  const { word, tone } = backupVerdict(backups);
  const isNone = backups.settings.target === null;
  return (
    <>
      <p>
        <StatusWord tone={tone}>{word}</StatusWord>
      </p>
      <p class={isNone ? "" : "quiet"}>{backupSummary(backups, now)}</p>
      {isNone ? (
        <button type="button" class="button button-small" onClick={onBackups}>
          Set up backups
        </button>
      ) : null}
    </>
  );
}
