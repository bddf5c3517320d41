import { useState } from "preact/hooks";
import { api, ApiError } from "../../api/client";
import type { UpdateOffer, Updates } from "../../api/updates";
import { capital } from "../../logic/backups";
import { formatBytes } from "../../logic/format";
import { checkedWords, movingWords, offered, restartWords, updateVerdict } from "../../logic/updates";
import { Reasons } from "../../ui/reasons";
import { Notice, StatusWord, WorkBar } from "../../ui/status";

interface Props {
  updates: Updates;
  now: number;
  again: () => Promise<void>;
}

/** Which system runs, what is being done, and what can be done. */
export function StandingCard({ updates, now, again }: Props) {
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string>();
  const { word, tone } = updateVerdict(updates);
  const { progress, problem } = updates;
  const moving = movingWords(progress);
  const offer = offered(updates);
  const isReady = progress.phase === "ready";
  const cannot = busy || moving !== undefined || problem !== null;

  async function begin(ask: () => Promise<void>) {
    if (cannot) return;
    setBusy(true);
    setTrouble(undefined);
    try {
      await ask();
    } catch (error) {
      setTrouble(error instanceof ApiError ? error.message : "The box did not answer, so perhaps nothing has begun. Try again in a moment.");
    }
    await again();
    setBusy(false);
  }

  return (
    <section class="card" aria-labelledby="standing-title">
      <div class="card-head">
        <h2 id="standing-title">The system</h2>
        <StatusWord tone={tone}>{word}</StatusWord>
      </div>
      <dl class="rows ends">
        <div class="row">
          <dt>Running version</dt>
          <dd>{updates.version}</dd>
        </div>
      </dl>
      {problem ? <p class="quiet">{capital(problem)}.</p> : null}
      {progress.phase === "failed" && progress.reason ? (
        <Notice kind="bad">
          <p>
            {capital(progress.reason)}. The running system is as it was.
          </p>
        </Notice>
      ) : null}
      {moving ? <WorkBar {...moving} /> : null}
      <Reasons title="It waits for" reasons={progress.waiting} />
      {isReady ? (
        <Notice kind="info">
          <p>
            Version {progress.version} is written beside the running one. {restartWords(updates, now, -new Date().getTimezoneOffset())} If it is not
            healthy, the box comes back to this one by itself.
          </p>
        </Notice>
      ) : null}
      {updates.offers.map((each) => (
        <Offer key={each.version} offer={each} />
      ))}
      {trouble ? (
        <Notice kind="bad" urgent>
          <p>{trouble}</p>
        </Notice>
      ) : null}
      <div class="actions actions-start">
        {isReady ? (
          <button type="button" class="button" aria-disabled={cannot} onClick={() => void begin(api.restartIntoUpdate)}>
            Restart now
          </button>
        ) : offer ? (
          <button type="button" class="button" aria-disabled={cannot} onClick={() => void begin(() => api.applyUpdate(offer.version))}>
            Install {offer.version}
          </button>
        ) : null}
        <button type="button" class="button button-quiet" aria-disabled={cannot} onClick={() => void begin(api.checkUpdates)}>
          Look for updates
        </button>
      </div>
      <p class="quiet">{checkedWords(updates, now)}</p>
    </section>
  );
}

function Offer({ offer }: { offer: UpdateOffer }) {
  return (
    <div class="offer">
      <h3>
        Version {offer.version} <span class="quiet">{formatBytes(offer.size_bytes)}, most of it is on the box already</span>
      </h3>
      {offer.notes.split("\n").map((line) => (
        <p key={line}>{line}</p>
      ))}
      {offer.reason ? <p class="quiet">{capital(offer.reason)}.</p> : null}
    </div>
  );
}
