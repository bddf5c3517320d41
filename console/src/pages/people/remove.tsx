import { useState } from "preact/hooks";
import { api } from "../../api/client";
import type { User } from "../../api/types";
import type { Problems } from "../../logic/account";
import { TYPE_PASSWORD } from "../../logic/ask";
import { personTrouble } from "../../logic/people";
import { AskForm } from "../../ui/askform";
import { PasswordField } from "../../ui/field";
import { Notice } from "../../ui/status";

interface Props {
  person: User;
  user: User;
  tell: (words: string) => Promise<void>;
  leave: () => void;
}

/** Takes somebody's account away, and all that only they could open. */
export function RemoveForm({ person, user, tell, leave }: Props) {
  const [password, setPassword] = useState("");
  const [problems, setProblems] = useState<Problems<"name" | "fresh" | "again" | "password">>({});
  return (
    <>
      <Notice kind="bad">
        <p>
          {person.name} cannot log in any more, and <strong>their private files are gone for good</strong>: nobody else could ever open them. Ask
          them first whether they have copies.
        </p>
        <p>Copies in backups stay sealed there, and once the next backup is made, no restore brings them back.</p>
      </Notice>
      <AskForm
        action="Remove for good"
        progress="Removing the account."
        leave="Keep"
        onLeave={leave}
        takesFocus
        userName={user.name}
        problems={() => (password === "" ? { password: TYPE_PASSWORD } : {})}
        onProblems={setProblems}
        send={() => api.removeUser(person.name, password)}
        explain={personTrouble}
        onDone={() => void tell(`${person.name} is removed, with their private files.`)}
      >
        <PasswordField
          label="Your own password"
          autocomplete="current-password"
          value={password}
          onValue={(value) => {
            setPassword(value);
            setProblems({});
          }}
          error={problems.password}
        />
      </AskForm>
    </>
  );
}
