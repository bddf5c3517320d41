import { useState } from "preact/hooks";
import { ApiError } from "../../api/client";
import { PasswordField } from "../../ui/field";
import { Notice, Progress } from "../../ui/status";

interface Props {
  /** What the button says. */
  action: string;
  /** Why it takes a moment. */
  progress: string;
  isUrgent?: boolean;
  act: (password: string) => Promise<void>;
  onDone: () => void;
}

/** Something that is done only with the password typed once more: a screen that was left alone must not do it. */
export function PasswordTask({ action, progress, isUrgent = false, act, onDone }: Props) {
  const [password, setPassword] = useState<string>();
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string>();

  async function run(withPassword: string) {
    setBusy(true);
    setTrouble(undefined);
    try {
      await act(withPassword);
      setPassword(undefined);
      onDone();
    } catch (error) {
      setTrouble(error instanceof ApiError ? error.message : "The box did not answer. Try again in a moment.");
    }
    setBusy(false);
  }

  return (
    <>
      {trouble ? (
        <Notice kind="bad" urgent>
          <p>{trouble}</p>
        </Notice>
      ) : null}
      {password === undefined ? (
        <div class="actions actions-start">
          <button type="button" class={isUrgent ? "button" : "button button-quiet"} onClick={() => setPassword("")}>
            {action}…
          </button>
        </div>
      ) : (
        <form
          noValidate
          onSubmit={(event) => {
            event.preventDefault();
            if (!busy && password !== "") void run(password);
          }}
        >
          <PasswordField label="Your password" autocomplete="current-password" value={password} onValue={setPassword} />
          {busy ? <Progress reason={progress} /> : null}
          <div class="actions">
            <button type="button" class="button button-quiet" onClick={() => setPassword(undefined)}>
              Cancel
            </button>
            <button type="submit" class="button" aria-disabled={busy || password === ""}>
              {action}
            </button>
          </div>
        </form>
      )}
    </>
  );
}
