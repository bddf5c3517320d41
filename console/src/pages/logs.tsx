import { useCallback, useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { api } from "../api/client";
import { parseLogLine, serviceName } from "../logic/words";
import { ConnectionNotice } from "../ui/lost";
import { Brand } from "../ui/mark";
import { Heading, useTitle } from "../ui/page";
import { usePoll } from "../ui/poll";
import { Notice, Progress } from "../ui/status";

interface Props {
  unit: string;
  onHome: () => void;
  onLoggedOut: () => void;
}

/** The newest log lines of one service. */
export function LogsPage({ unit, onHome, onLoggedOut }: Props) {
  const poll = usePoll(
    useCallback(() => api.logs(unit), [unit]),
    5000,
  );
  const loggedOut = poll.refusal?.status === 401;
  useEffect(() => {
    if (loggedOut) onLoggedOut();
  }, [loggedOut, onLoggedOut]);
  useTitle(`Log of ${serviceName(unit)}`);

  return (
    <div class="page">
      <header class="page-head">
        <Brand />
        <button type="button" class="button button-quiet button-small" onClick={onHome}>
          Back to home
        </button>
      </header>
      <main class="card">
        <Heading>
          Log: {serviceName(unit)} <span class="code-name">{unit}</span>
        </Heading>
        <p class="quiet">The newest lines, with the seconds since the box started. Refreshed every five seconds.</p>
        {poll.refusal && !loggedOut ? (
          <Notice kind="bad" urgent>
            <p>{poll.refusal.message}</p>
          </Notice>
        ) : null}
        {poll.data ? <Lines lines={poll.data.lines} unit={unit} /> : poll.refusal ? null : <Progress reason="Fetching the log from the box." />}
      </main>
      <ConnectionNotice lost={poll.lost} trying={poll.trying} again={poll.again} />
    </div>
  );
}

/** Stays at the newest line unless the reader has scrolled up. */
function Lines({ lines, unit }: { lines: string[]; unit: string }) {
  const place = useRef<HTMLDivElement>(null);
  const following = useRef(true);
  useLayoutEffect(() => {
    if (place.current && following.current) place.current.scrollTop = place.current.scrollHeight;
  }, [lines]);

  if (lines.length === 0) return <p>This service has not written anything since the box started.</p>;
  return (
    // Focusable, so that the keyboard can scroll it.
    <div
      ref={place}
      class="log"
      role="region"
      aria-label="Log lines"
      tabIndex={0}
      onScroll={({ currentTarget: box }) => {
        following.current = box.scrollTop + box.clientHeight >= box.scrollHeight - 4;
      }}
    >
      <ol>
        {lines.map((line, index) => {
          const { at, text } = parseLogLine(line, unit);
          return (
            <li key={`${index}:${line}`}>
              <span class="log-at">{at}</span>
              <span class="log-text">{text}</span>
            </li>
          );
        })}
      </ol>
    </div>
  );
}
