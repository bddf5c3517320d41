import { useState } from "preact/hooks";
import { api } from "../api/client";
import type { Problems } from "../logic/account";
import { PASSPHRASE_MIN, passphraseProblems, passphraseTrouble, type PassphraseDraft } from "../logic/volume";
import { AskForm } from "./askform";
import { PasswordField } from "./field";

interface Props {
  action: string;
  userName: string;
  /** Where it is known from a moment ago; asked for otherwise. */
  password?: string;
  leave: string;
  onLeave: () => void;
  onDone: () => void;
}

/** A passphrase, twice, that opens the data at each start from now on. */
export function PassphraseForm({ action, userName, password: known, leave, onLeave, onDone }: Props) {
  const [draft, setDraft] = useState<PassphraseDraft>({ passphrase: "", again: "", password: known ?? "" });
  const [problems, setProblems] = useState<Problems<keyof PassphraseDraft>>({});

  function edit(field: keyof PassphraseDraft, value: string) {
    setDraft((old) => ({ ...old, [field]: value }));
    setProblems(({ [field]: _mended, ...rest }) => rest);
  }

  return (
    <AskForm
      {...{ action, leave, onLeave, onDone, userName }}
      progress="Writing it into the disk’s header. This takes a moment, so that guessing is slow."
      takesFocus
      problems={() => passphraseProblems(draft, known === undefined)}
      onProblems={setProblems}
      send={() => api.setPassphrase(draft.passphrase, draft.password)}
      explain={passphraseTrouble}
    >
      <PasswordField
        label="Passphrase"
        autocomplete="new-password"
        value={draft.passphrase}
        onValue={(value) => edit("passphrase", value)}
        error={problems.passphrase}
        hint={`At least ${PASSPHRASE_MIN} characters: five or six unrelated words. Not the password you log in with.`}
      />
      <PasswordField
        label="Passphrase once more"
        autocomplete="new-password"
        value={draft.again}
        onValue={(value) => edit("again", value)}
        error={problems.again}
      />
      {known === undefined || problems.password ? (
        <PasswordField
          label="Your password"
          autocomplete="current-password"
          value={draft.password}
          onValue={(value) => edit("password", value)}
          error={problems.password}
        />
      ) : null}
    </AskForm>
  );
}
