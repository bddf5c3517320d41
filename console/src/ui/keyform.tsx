import { useRef, useState } from "preact/hooks";
import { ApiError } from "../api/client";
import { formatDuration } from "../logic/format";
import { unlockTrouble } from "../logic/storage";
import { useCountdown } from "./countdown";
import { Field, PasswordField } from "./field";
import { Notice, Progress } from "./status";

interface Props {
  label: string;
  hint?: string | undefined;
  /** The key may be a passphrase: words of one's own, not to be seen by others. */
  takesPassphrase?: boolean;
  /** Said when nothing was typed. */
  missing: string;
  /** What the button says. */
  verb: string;
  /** Said while the box tries the key. */
  trying: string;
  /** Said when the box gives no reason of its own. */
  refused: string;
  /** Sends the key; done when it does not throw. */
  send: (key: string) => Promise<void>;
  onDone: () => void;
}

/** Takes a key from paper. After a wrong one the focus is back in the field; after too many it waits as long as the box says. */
export function KeyForm({ label, hint, takesPassphrase = false, missing, verb, trying, refused, send, onDone }: Props) {
  const [key, setKey] = useState("");
  const [trouble, setTrouble] = useState<string>();
  const [busy, setBusy] = useState(false);
  const [wait, setWait] = useCountdown();
  const form = useRef<HTMLFormElement>(null);

  async function use() {
    setTrouble(undefined);
    setBusy(true);
    try {
      await send(key);
      onDone();
    } catch (error) {
      if (error instanceof ApiError && error.retryAfter !== undefined) setWait(error.retryAfter);
      setTrouble(unlockTrouble(error, takesPassphrase) ?? refused);
      form.current?.querySelector<HTMLElement>("textarea, input")?.focus();
    }
    setBusy(false);
  }

  return (
    <form
      ref={form}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        if (busy || wait > 0) return;
        if (key.trim() === "") setTrouble(missing);
        else void use();
      }}
    >
      {trouble ? (
        <Notice kind="bad" urgent>
          <p>{trouble}</p>
        </Notice>
      ) : null}
      {takesPassphrase ? (
        <PasswordField label={label} autocomplete="off" value={key} onValue={setKey} hint={hint} />
      ) : (
        <Field
          label={label}
          value={key}
          onValue={setKey}
          hint={hint}
          rows={3}
          input={{ class: "code code-long", autocomplete: "off", autocapitalize: "none", spellcheck: false }}
        />
      )}
      {busy ? <Progress reason={trying} /> : null}
      <div class="actions">
        <button type="submit" class="button button-wide" aria-disabled={busy || wait > 0}>
          {wait > 0 ? `Wait ${formatDuration(wait)}` : verb}
        </button>
      </div>
    </form>
  );
}
