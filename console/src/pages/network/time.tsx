import type { Time } from "../../api/types";
import { timeState } from "../../logic/network";
import { StatusWord } from "../../ui/status";

/** Whether the clock is right, and who says so. */
export function TimeCard({ time }: { time: Time }) {
  const { word, tone, detail } = timeState(time);
  return (
    <section class="card" aria-labelledby="time-title">
      <div class="card-head">
        <h2 id="time-title">Time</h2>
        <StatusWord tone={tone}>{word}</StatusWord>
      </div>
      <p>{detail}</p>
      {time.sources.length > 0 ? (
        <ul class="rows">
          {time.sources.map((source) => (
            <li class="row" key={source.name}>
              <div class="row-main">
                <span class="row-name">{source.name}</span>
                <p class="row-detail">
                  {source.authenticated ? "Proves who it is" : "Cannot prove who it is"} · {source.state}
                </p>
              </div>
            </li>
          ))}
        </ul>
      ) : null}
    </section>
  );
}
