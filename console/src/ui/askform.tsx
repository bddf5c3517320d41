import { useEffect, useState } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { ApiError } from "../api/client";
import type { Problems, Trouble } from "../logic/account";
import { formatDuration } from "../logic/format";
import { useCountdown } from "./countdown";
import { useFaults } from "./faults";
import { Notice, Progress } from "./status";

interface Props<Field extends string> {
  /** What the button says. */
  action: string;
  /** Why it takes a moment. */
  progress: string;
  /** Whose password is typed, for password managers. */
  userName?: string;
  /** What leaving is called; without it there is nowhere to go. */
  leave?: string;
  /** What is wrong before the box is asked. */
  problems: () => Problems<Field>;
  onProblems: (found: Problems<Field>) => void;
  send: () => Promise<unknown>;
  /** What to tell of an answer that was no. */
  explain: (error: unknown) => Trouble<Field>;
  onDone: () => void;
  onLeave?: () => void;
  /** Whether the first field takes the focus: for a form that comes in place of its button. */
  takesFocus?: boolean;
  children: ComponentChildren;
}

/** A form that asks the box for one thing: shows why not, at the field where it can, waits when told to, and never sends twice. */
export function AskForm<Field extends string>(props: Props<Field>) {
  const { action, progress, userName, leave, problems, onProblems, send, explain, onDone, onLeave, takesFocus = false, children } = props;
  const [trouble, setTrouble] = useState<string>();
  const [busy, setBusy] = useState(false);
  const [attempt, setAttempt] = useState(0);
  const [wait, setWait] = useCountdown();
  const form = useFaults(attempt);
  useEffect(() => {
    if (takesFocus) form.current?.querySelector<HTMLElement>("input:not([hidden]), select, textarea")?.focus();
  }, [takesFocus, form]);

  function refuse(found: Problems<Field>) {
    onProblems(found);
    setAttempt((before) => before + 1);
  }

  async function ask() {
    setTrouble(undefined);
    const found = problems();
    if (Object.keys(found).length > 0) return refuse(found);
    onProblems({});
    setBusy(true);
    try {
      await send();
      setBusy(false);
      onDone();
    } catch (error) {
      setBusy(false);
      if (error instanceof ApiError && error.status === 429 && error.retryAfter !== undefined) setWait(error.retryAfter);
      const { field, message } = explain(error);
      if (field) refuse({ [field]: message } as Problems<Field>);
      else setTrouble(message);
    }
  }

  return (
    <form
      ref={form}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        if (!busy && wait === 0) void ask();
      }}
    >
      {trouble ? (
        <Notice kind="bad" urgent>
          <p>{trouble}</p>
        </Notice>
      ) : null}
      {userName === undefined ? null : <input type="text" autocomplete="username" value={userName} hidden readOnly />}
      {children}
      {busy ? <Progress reason={progress} /> : null}
      <div class="actions">
        {leave ? (
          <button type="button" class="button button-quiet" onClick={onLeave}>
            {leave}
          </button>
        ) : null}
        <button type="submit" class="button" aria-disabled={busy || wait > 0}>
          {wait > 0 ? `Wait ${formatDuration(wait)}` : action}
        </button>
      </div>
    </form>
  );
}
