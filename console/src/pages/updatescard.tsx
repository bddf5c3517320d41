import { ApiError } from "../api/client";
import type { Updates } from "../api/updates";
import { updateVerdict } from "../logic/updates";
import { StatusWord } from "../ui/status";

/** Whether there is an update, on the home page. */
export function UpdatesCard({ updates, onUpdates }: { updates: Updates | ApiError; onUpdates: () => void }) {
  return (
    <section class="card" aria-labelledby="updates-title">
      <div class="card-head">
        <h2 id="updates-title">Updates</h2>
        <button type="button" class="link" onClick={onUpdates}>
          Updates, history
        </button>
      </div>
      {updates instanceof ApiError ? <p class="quiet">{updates.message}</p> : <Known updates={updates} />}
    </section>
  );
}

function Known({ updates }: { updates: Updates }) {
  const { word, tone } = updateVerdict(updates);
  return (
    <>
      <p>
        <StatusWord tone={tone}>{word}</StatusWord>
      </p>
      <p class="quiet">Version {updates.version}</p>
    </>
  );
}
