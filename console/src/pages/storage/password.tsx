import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "../../api/client";
import { formatDuration } from "../../logic/format";
import { useCountdown } from "../../ui/countdown";
import { useEditing } from "../../ui/editing";
import { PasswordField } from "../../ui/field";
import { Notice, Progress } from "../../ui/status";

interface Props {
  /** What the button says. */
  action: string;
  /** Why it takes a moment. */
  progress: string;
  /** What is told when it is done. */
  done: string;
  isUrgent?: boolean;
  act: (password: string) => Promise<void>;
  onDone: () => void;
}

/** Something that is done only with the password typed once more: a screen that was left alone must not do it. */
export function PasswordTask({ action, progress, done, isUrgent = false, act, onDone }: Props) {
  const { isOpen, open, close, opener } = useEditing();
  const [isDone, setDone] = useState(false);
  return isOpen ? (
    <PasswordForm
      {...{ action, progress, act }}
      onLeave={close}
      onDone={() => {
        close();
        setDone(true);
        onDone();
      }}
    />
  ) : (
    <>
      {isDone ? (
        <Notice kind="info" urgent>
          <p>{done}</p>
        </Notice>
      ) : null}
      <div class="actions actions-start">
        <button
          ref={opener}
          type="button"
          class={isUrgent ? "button" : "button button-quiet"}
          onClick={() => {
            setDone(false);
            open();
          }}
        >
          {action}…
        </button>
      </div>
    </>
  );
}

type FormProps = Pick<Props, "action" | "progress" | "act" | "onDone"> & { onLeave: () => void };

function PasswordForm({ action, progress, act, onDone, onLeave }: FormProps) {
  const [password, setPassword] = useState("");
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string>();
  const [wait, setWait] = useCountdown();
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);

  async function run() {
    setBusy(true);
    setTrouble(undefined);
    try {
      await act(password);
      onDone();
    } catch (error) {
      if (error instanceof ApiError && error.retryAfter !== undefined && error.status === 429) setWait(error.retryAfter);
      setTrouble(error instanceof ApiError ? error.message : "The box did not answer, so it is perhaps done already. Look at this page again in a moment.");
      setBusy(false);
      field.current?.focus();
    }
  }

  return (
    <form
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        if (busy || wait > 0) return;
        if (password === "") setTrouble("Type your password first.");
        else void run();
      }}
    >
      {trouble ? (
        <Notice kind="bad" urgent>
          <p>{trouble}</p>
        </Notice>
      ) : null}
      <PasswordField label="Your password" autocomplete="current-password" value={password} onValue={setPassword} inputRef={field} />
      {busy ? <Progress reason={progress} /> : null}
      <div class="actions">
        <button type="button" class="button button-quiet" onClick={onLeave}>
          Cancel
        </button>
        <button type="submit" class="button" aria-disabled={busy || wait > 0}>
          {wait > 0 ? `Wait ${formatDuration(wait)}` : action}
        </button>
      </div>
    </form>
  );
}
