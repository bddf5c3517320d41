import { useState } from "preact/hooks";
import { api, ApiError } from "../../api/client";
import type { PastUpdate } from "../../api/updates";
import { ago, capital } from "../../logic/backups";
import { pastWords, reasonWords } from "../../logic/updates";
import { Progress, StatusWord } from "../../ui/status";

/** What became of updates: which check failed, and what the failed system logged last. */
export function HistoryCard({ history, now }: { history: PastUpdate[]; now: number }) {
  return (
    <section class="card" aria-labelledby="history-title">
      <h2 id="history-title">Updates until now</h2>
      {history.length === 0 ? <p class="quiet">This box was not updated yet.</p> : null}
      <ul class="past">
        {history.map((past) => (
          <li key={past.number}>
            <StatusWord tone={past.outcome === "installed" ? "good" : "bad"}>{pastWords(past)}</StatusWord>
            <p class="quiet">
              {capital(ago(past.at, now))}. {reasonWords(past)}
            </p>
            {past.has_log ? <Log past={past} /> : null}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Log({ past }: { past: PastUpdate }) {
  const [text, setText] = useState<string>();

  async function load() {
    try {
      setText((await api.updateLog(past.number)).text);
    } catch (error) {
      setText(error instanceof ApiError ? error.message : "The box did not answer. Close this and open it again.");
    }
  }

  return (
    <details class="group" onToggle={(event) => (event.currentTarget.open ? void load() : setText(undefined))}>
      <summary>
        <span class="group-title">What {past.to} logged last</span>
      </summary>
      {text === undefined ? (
        <Progress reason="Asking the box for the log." />
      ) : (
        <pre class="log" tabIndex={0}>
          {text}
        </pre>
      )}
    </details>
  );
}
