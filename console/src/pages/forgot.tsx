import { useState } from "preact/hooks";
import { api, ApiError } from "../api/client";
import { resetProblems, resetTrouble, type PasswordReset, type Problems } from "../logic/account";
import { formatDuration } from "../logic/format";
import { useCountdown } from "../ui/countdown";
import { useFaults } from "../ui/faults";
import { Field } from "../ui/field";
import { NewPassword } from "../ui/newpassword";
import { CardPage, Heading } from "../ui/page";
import { Notice, Progress } from "../ui/status";

interface Props {
  /** As far as it was typed at the login. */
  name: string;
  onBack: () => void;
  onReset: (name: string) => void;
}

/** A new password for somebody who has the recovery code on paper. */
export function ForgotPage({ name, onBack, onReset }: Props) {
  const [reset, setReset] = useState<PasswordReset>({ name, code: "", fresh: "", again: "" });
  const [problems, setProblems] = useState<Problems<keyof PasswordReset>>({});
  const [trouble, setTrouble] = useState<string>();
  const [busy, setBusy] = useState(false);
  const [attempt, setAttempt] = useState(0);
  const [wait, setWait] = useCountdown();
  const form = useFaults(attempt);

  function edit(field: keyof PasswordReset, value: string) {
    setReset((old) => ({ ...old, [field]: value }));
    setProblems(({ [field]: _mended, ...rest }) => rest);
  }

  function refuse(found: Problems<keyof PasswordReset>) {
    setProblems(found);
    setAttempt((before) => before + 1);
  }

  async function send() {
    setTrouble(undefined);
    const found = resetProblems(reset);
    if (Object.keys(found).length > 0) return refuse(found);
    setBusy(true);
    try {
      await api.resetPassword(reset.name.trim(), reset.code, reset.fresh);
      onReset(reset.name.trim());
    } catch (error) {
      setBusy(false);
      if (error instanceof ApiError && error.retryAfter !== undefined) setWait(error.retryAfter);
      const { field, message } = resetTrouble(error);
      if (field) refuse({ [field]: message });
      else setTrouble(message);
    }
  }

  return (
    <CardPage title="New password">
      <Heading>Choose a new password</Heading>
      <p class="lead">For this you need the recovery code of your private files. It opens them, and they open with the new password from then on.</p>
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
          if (!busy && wait === 0) void send();
        }}
      >
        <Field
          label="Name"
          value={reset.name}
          onValue={(value) => edit("name", value)}
          error={problems.name}
          hint="The one you log in with."
          input={{ autocomplete: "username", autocapitalize: "none", spellcheck: false }}
        />
        <Field
          label="Recovery code"
          value={reset.code}
          onValue={(value) => edit("code", value)}
          error={problems.code}
          hint="All nine groups from the paper, in capital or small letters, with or without dashes. Not the recovery key of the disk."
          rows={3}
          input={{ class: "code code-long", autocomplete: "off", autocapitalize: "none", spellcheck: false }}
        />
        <NewPassword
          fresh={reset.fresh}
          again={reset.again}
          problems={problems}
          onFresh={(value) => edit("fresh", value)}
          onAgain={(value) => edit("again", value)}
        />
        {busy ? <Progress reason="Trying the code. The box takes its time for it, so that guessing is slow." /> : null}
        <div class="actions">
          <button type="button" class="button button-quiet" onClick={onBack}>
            Back to login
          </button>
          <button type="submit" class="button" aria-disabled={busy || wait > 0}>
            {wait > 0 ? `Wait ${formatDuration(wait)}` : "Set the new password"}
          </button>
        </div>
        <div class="aside">
          <h2>No recovery code?</h2>
          <p>
            Then nobody can open your private files: not the box, and not whoever made it. Look for the paper, and try passwords you may have used,
            before you give up. Another owner of the box can let you in again; the files stay closed.
          </p>
        </div>
      </form>
    </CardPage>
  );
}
