import { useEffect, useState } from "preact/hooks";
import { api, ApiError } from "../../api/client";
import type { User } from "../../api/types";
import { formatDuration } from "../../logic/format";
import { GIVE_UP, meansToGiveUp } from "../../logic/vault";
import { useCountdown } from "../../ui/countdown";
import { useEditing } from "../../ui/editing";
import { useFaults } from "../../ui/faults";
import { Field, PasswordField } from "../../ui/field";
import { Notice, Progress } from "../../ui/status";

/** A new, empty vault for somebody who can open the old one no more: after a warning and two things that nobody types by mistake. */
export function AnewCard({ user, onBegun }: { user: User; onBegun: () => void }) {
  const { isOpen, open, close, opener } = useEditing();
  return (
    <section class="card" aria-labelledby="anew-title">
      <h2 id="anew-title">Lost both?</h2>
      <p>Without your password and without your recovery code nobody can open these files. You can give them up and begin with an empty place.</p>
      {isOpen ? (
        <AnewForm user={user} onBegun={onBegun} onLeave={close} />
      ) : (
        <div class="actions actions-start">
          <button ref={opener} type="button" class="button button-quiet" onClick={open}>
            Give them up…
          </button>
        </div>
      )}
    </section>
  );
}

function AnewForm({ user, onBegun, onLeave }: { user: User; onBegun: () => void; onLeave: () => void }) {
  const [words, setWords] = useState("");
  const [password, setPassword] = useState("");
  const [problems, setProblems] = useState<{ words?: string; password?: string }>({});
  const [trouble, setTrouble] = useState<string>();
  const [busy, setBusy] = useState(false);
  const [attempt, setAttempt] = useState(0);
  const [wait, setWait] = useCountdown();
  const form = useFaults(attempt);
  useEffect(() => form.current?.querySelector<HTMLElement>("input:not([hidden])")?.focus(), [form]);

  async function begin() {
    setTrouble(undefined);
    const found = {
      ...(meansToGiveUp(words) ? {} : { words: `Type ${GIVE_UP}, if that is what you want.` }),
      ...(password === "" ? { password: "Type the password you log in with." } : {}),
    };
    setProblems(found);
    if (Object.keys(found).length > 0) return setAttempt((before) => before + 1);
    setBusy(true);
    try {
      await api.newVault(password);
      onBegun();
    } catch (error) {
      setBusy(false);
      if (error instanceof ApiError && error.retryAfter !== undefined) setWait(error.retryAfter);
      if (error instanceof ApiError && (error.code === "wrong_password" || error.field === "password")) {
        setProblems({ password: error.message });
        setAttempt((before) => before + 1);
      } else {
        setTrouble(error instanceof ApiError ? error.message : "The box did not answer. Load this page again to see whether the files were given up.");
      }
    }
  }

  return (
    <>
      <Notice kind="bad">
        <p>
          <strong>The box will not show the old files any more.</strong> They stay on its disk, locked, and there is no way back on this page, even if the
          password or the paper turns up later. New backups are without them.
        </p>
      </Notice>
      {trouble ? (
        <Notice kind="bad" urgent>
          <p>{trouble}</p>
        </Notice>
      ) : null}
      <form
        ref={form}
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          if (!busy && wait === 0) void begin();
        }}
      >
        <input type="text" autocomplete="username" value={user.name} hidden readOnly />
        <Field
          label="Are you sure?"
          value={words}
          onValue={(value) => {
            setWords(value);
            setProblems(({ words: _mended, ...rest }) => rest);
          }}
          error={problems.words}
          hint={
            <>
              Type <strong>{GIVE_UP}</strong> to show that you mean it.
            </>
          }
          input={{ autocomplete: "off", autocapitalize: "none", spellcheck: false }}
        />
        <PasswordField
          label="Password you log in with"
          autocomplete="current-password"
          value={password}
          onValue={(value) => {
            setPassword(value);
            setProblems(({ password: _mended, ...rest }) => rest);
          }}
          error={problems.password}
        />
        {busy ? <Progress reason="Making a new place for your files." /> : null}
        <div class="actions">
          <button type="button" class="button button-quiet" onClick={onLeave}>
            Keep them
          </button>
          <button type="submit" class="button" aria-disabled={busy || wait > 0}>
            {wait > 0 ? `Wait ${formatDuration(wait)}` : "Give the old files up"}
          </button>
        </div>
      </form>
    </>
  );
}
