import { useCallback, useLayoutEffect, useRef, useState } from "preact/hooks";
import { api } from "../../api/client";
import type { AppLog, AppLogLine } from "../../api/apps";
import { lineTime, moreLines, streamWord } from "../../logic/applogs";
import { Choice } from "../../ui/choice";
import { usePoll } from "../../ui/poll";
import { Notice, Progress } from "../../ui/status";

const REFRESH_MS = 2000;

/** What the app says of itself, as it says it. */
export function LogCard({ app, names }: { app: string; names: string[] }) {
  const [chosen, setChosen] = useState<string>();
  const name = chosen !== undefined && names.includes(chosen) ? chosen : (names[0] ?? "");
  return (
    <section class="card" aria-labelledby="log-title">
      <h2 id="log-title">What it says of itself</h2>
      {names.length > 1 ? (
        <Choice label="Part of the app" value={name} options={names.map((each) => [each, each] as const)} onValue={setChosen} />
      ) : null}
      <Log key={name} app={app} name={name} />
    </section>
  );
}

function Log({ app, name }: { app: string; name: string }) {
  const known = useRef<AppLog | undefined>(undefined);
  const ask = useCallback(async () => {
    const log = moreLines(known.current, await api.appLog(app, name, known.current?.next));
    known.current = log;
    return log;
  }, [app, name]);
  const { data, refusal } = usePoll(ask, REFRESH_MS);
  return (
    <>
      {refusal && refusal.status !== 401 ? (
        <Notice kind="bad">
          <p>{refusal.message}</p>
        </Notice>
      ) : null}
      {data ? <Lines lines={data.lines} /> : refusal ? null : <Progress reason="Fetching it from the box." />}
    </>
  );
}

/** Stays at the newest line unless the reader has scrolled up. */
function Lines({ lines }: { lines: AppLogLine[] }) {
  const place = useRef<HTMLDivElement>(null);
  const following = useRef(true);
  useLayoutEffect(() => {
    if (place.current && following.current) place.current.scrollTop = place.current.scrollHeight;
  }, [lines]);

  if (lines.length === 0) return <p>It has not said anything yet.</p>;
  const now = new Date();
  return (
    // Focusable, so that the keyboard can scroll it.
    <div
      ref={place}
      class="log log-app"
      role="region"
      aria-label="What the app says"
      tabIndex={0}
      onScroll={({ currentTarget: box }) => {
        following.current = box.scrollTop + box.clientHeight >= box.scrollHeight - 4;
      }}
    >
      <ol>
        {lines.map((line) => (
          <Line key={line.number} line={line} now={now} />
        ))}
      </ol>
    </div>
  );
}

function Line({ line: { unix_ms: at, stream, text }, now }: { line: AppLogLine; now: Date }) {
  const word = streamWord(stream);
  return (
    <li>
      <span class="log-at">{lineTime(at, now)}</span>
      <span class={`log-text log-${stream}`}>
        {word ? <span class="unseen">{word}: </span> : null}
        {text}
      </span>
    </li>
  );
}
