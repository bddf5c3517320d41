import { useState } from "preact/hooks";
import { api } from "../../api/client";
import type { User } from "../../api/types";
import type { Problems } from "../../logic/account";
import { personProblems, personTrouble, type PersonDraft } from "../../logic/people";
import { AskForm } from "../../ui/askform";
import { Field, PasswordField } from "../../ui/field";
import { NewPassword } from "../../ui/newpassword";

const ADVICE = "Tell them the password; they choose one that only they know on the page of their account, and make a recovery code.";
const EMPTY: PersonDraft = { name: "", fresh: "", again: "", password: "" };

/** An account for somebody else of the household. */
export function AddCard({ user, tell }: { user: User; tell: (words: string) => Promise<void> }) {
  const [draft, setDraft] = useState(EMPTY);
  const [problems, setProblems] = useState<Problems<keyof PersonDraft>>({});
  const name = draft.name.trim();

  function edit(field: keyof PersonDraft, value: string) {
    setDraft((old) => ({ ...old, [field]: value }));
    setProblems(({ [field]: _mended, ...rest }) => rest);
  }

  return (
    <section class="card" aria-labelledby="add-title">
      <h2 id="add-title">Add somebody</h2>
      <p>They get a place for private files that nobody else opens, not even you. They see how the box is, and change nothing of it.</p>
      <AskForm
        action="Add"
        progress="Making the account. The box takes its time for it, so that guessing is slow."
        userName={user.name}
        problems={() => personProblems(draft)}
        onProblems={setProblems}
        send={() => api.addUser(name, draft.fresh, draft.password)}
        explain={personTrouble}
        onDone={() => void tell(`${name} can log in now. ${ADVICE}`)}
      >
        <Field
          label="Name"
          value={draft.name}
          onValue={(value) => edit("name", value)}
          error={problems.name}
          hint="They log in with it."
          input={{ autocomplete: "off", autocapitalize: "none", spellcheck: false }}
        />
        <NewPassword
          label="Their first password"
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
    </section>
  );
}
