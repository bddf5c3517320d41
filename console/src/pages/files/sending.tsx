import { useEffect, useRef, useState } from "preact/hooks";
import { api } from "../../api/client";
import { fileProblem, shownName } from "../../logic/files";
import { advance, isOver, outcome, percent, sendingWords, startSending, type Event, type Sending } from "../../logic/sending";
import { Notice, ProgressBar } from "../../ui/status";

export interface Sender {
  sending: Sending | undefined;
  isBusy: boolean;
  send: (files: File[]) => Promise<void>;
  stop: () => void;
}

/** Sends files one after the other, and stops when the page is left. */
export function useSending(onOver: () => Promise<void>): Sender {
  const [sending, setSending] = useState<Sending>();
  const stopper = useRef<AbortController>(undefined);
  useEffect(() => () => stopper.current?.abort(), []);

  async function send(files: File[]) {
    const stop = new AbortController();
    stopper.current = stop;
    let state = startSending(files);
    const turn = (event: Event) => {
      state = advance(state, event);
      setSending(state);
    };
    setSending(state);
    while (!isOver(state)) {
      const file = files[state.at];
      if (!file) break;
      const why = fileProblem(file);
      if (why !== undefined) {
        turn({ kind: "unfit", why });
        continue;
      }
      try {
        await api.putPrivateFile(file, (bytes) => turn({ kind: "moved", bytes }), stop.signal);
        turn({ kind: "sent" });
      } catch (error) {
        turn(stop.signal.aborted ? { kind: "stopped" } : { kind: "failed", error });
      }
    }
    await onOver();
  }

  const isBusy = sending !== undefined && !isOver(sending);
  useEffect(() => {
    if (!isBusy) return undefined;
    // The browser asks before it closes the page.
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener("beforeunload", ask);
    return () => removeEventListener("beforeunload", ask);
  }, [isBusy]);

  return { sending, isBusy, send, stop: () => stopper.current?.abort() };
}

/** How far it is, and afterwards what came of it. */
export function SendingReport({ sender: { sending, isBusy, stop } }: { sender: Sender }) {
  if (!sending) return null;
  if (isBusy) {
    return (
      <div class="sending">
        <ProgressBar label="Sending to the box" percent={percent(sending)} text={sendingWords(sending)} />
        <p class="quiet">Stay on this page until everything is there.</p>
        <button type="button" class="button button-quiet button-small" onClick={stop}>
          Stop sending
        </button>
      </div>
    );
  }
  const words = outcome(sending);
  return (
    <>
      {sending.failures.length > 0 ? (
        <Notice kind="bad" urgent>
          <p>
            <strong>Not on the box:</strong>
          </p>
          <ul>
            {sending.failures.map(({ name, why }, index) => (
              <li key={`${index}`}>
                <span class="file-name">{shownName(name)}</span>: {why}
              </li>
            ))}
          </ul>
          {words ? <p>{words}</p> : null}
        </Notice>
      ) : words ? (
        <p class="quiet" role="status">
          {words}
        </p>
      ) : null}
    </>
  );
}
