import { useState } from "preact/hooks";
import { api } from "../../api/client";
import type { User } from "../../api/types";
import type { Problems } from "../../logic/account";
import { personProblems, personTrouble, type PersonDraft } from "../../logic/people";
import { AskForm } from "../../ui/askform";
import { PasswordField } from "../../ui/field";
import { NewPassword } from "../../ui/newpassword";
import { Notice } from "../../ui/status";

interface Props {
  person: User;
  user: User;
  tell: (words: string) => Promise<void>;
  leave: () => void;
}

/** A new password for somebody who forgot theirs. It lets them in, and opens nothing of theirs. */
export function ResetForm({ person, user, tell, leave }: Props) {
  const [draft, setDraft] = useState<PersonDraft>({ name: person.name, fresh: "", again: "", password: "" });
  const [problems, setProblems] = useState<Problems<keyof PersonDraft>>({});

  function edit(field: keyof PersonDraft, value: string) {
    setDraft((old) => ({ ...old, [field]: value }));
    setProblems(({ [field]: _mended, ...rest }) => rest);
  }

  const words = `${person.name} has a new password. Their private files stay closed until they enter their recovery code, or the password from before.`;
  return (
    <>
      <Notice kind="warn">
        <p>
          It lets {person.name} log in again. <strong>Their private files stay closed</strong> until they enter their recovery code, or the password
          from before: you cannot open them, and neither can the box. Until then the backups keep what was saved of them last.
        </p>
      </Notice>
      <AskForm
        action="Set the new password"
        progress="Setting the password. The box takes its time for it, so that guessing is slow."
        leave="Cancel"
        onLeave={leave}
        takesFocus
        userName={user.name}
        problems={() => personProblems(draft)}
        onProblems={setProblems}
        send={() => api.resetUser(person.name, draft.fresh, draft.password)}
        explain={personTrouble}
        onDone={() => void tell(words).then(leave)}
      >
        <NewPassword
          label="Their new password"
          fresh={draft.fresh}
          again={draft.again}
          problems={problems}
          onFresh={(value) => edit("fresh", value)}
          onAgain={(value) => edit("again", value)}
        />
        <PasswordField
          label="Your own password"
          autocomplete="current-password"
          value={draft.password}
          onValue={(value) => edit("password", value)}
          error={problems.password}
        />
      </AskForm>
    </>
  );
}
