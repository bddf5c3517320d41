import { useState } from "preact/hooks";
import { api, ApiError } from "../api/client";
import type { User, Vault } from "../api/types";
import { changedWords, changeProblems, changeTrouble, type PasswordChange, type Problems } from "../logic/account";
import { formatDuration } from "../logic/format";
import { useCountdown } from "../ui/countdown";
import { PasswordField } from "../ui/field";
import { useFaults } from "../ui/faults";
import { isOwner } from "../logic/people";
import { Brand } from "../ui/mark";
import { NewPassword } from "../ui/newpassword";
import { Heading, useTitle } from "../ui/page";
import { Notice, Progress } from "../ui/status";
import { VaultKeyCard } from "./account/vaultkey";

interface Props {
  user: User;
  onHome: () => void;
  onFiles: () => void;
  onLoggedOut: () => void;
}

/** The account of whoever is logged in. */
export function AccountPage({ user, onHome, onFiles, onLoggedOut }: Props) {
  useTitle("Your account");
  return (
    <div class="page">
      <header class="page-head">
        <Brand />
        <button type="button" class="button button-quiet button-small" onClick={onHome}>
          Back to home
        </button>
      </header>
      <main>
        <Heading>Your account</Heading>
        <p class="lead">
          You log in as <strong class="account-name">{user.name}</strong>.
        </p>
        <div class="cards">
          <div class="column">
            <PasswordCard user={user} onLoggedOut={onLoggedOut} />
          </div>
          <div class="column">
            <section class="card" aria-labelledby="forgotten-title">
              <h2 id="forgotten-title">If you forget it</h2>
              <p>
                {isOwner(user)
                  ? "Nobody can look your password up. The recovery code of your private files lets you in again, and opens them."
                  : "Nobody can look your password up. An owner of the box can set a new one for you, but your private files then stay closed: only their recovery code opens them, and it lets you in without an owner too."}
              </p>
              <div class="actions actions-start">
                <button type="button" class="button button-quiet" onClick={onFiles}>
                  Go to the recovery code
                </button>
              </div>
            </section>
            <VaultKeyCard />
          </div>
        </div>
      </main>
    </div>
  );
}

const EMPTY: PasswordChange = { old: "", fresh: "", again: "" };

function PasswordCard({ user, onLoggedOut }: { user: User; onLoggedOut: () => void }) {
  const [change, setChange] = useState(EMPTY);
  const [problems, setProblems] = useState<Problems<keyof PasswordChange>>({});
  const [trouble, setTrouble] = useState<string>();
  const [done, setDone] = useState<string>();
  const [busy, setBusy] = useState(false);
  const [attempt, setAttempt] = useState(0);
  const [wait, setWait] = useCountdown();
  const form = useFaults(attempt);

  function edit(field: keyof PasswordChange, value: string) {
    setChange((old) => ({ ...old, [field]: value }));
    setProblems(({ [field]: _mended, ...rest }) => rest);
    setDone(undefined);
  }

  function refuse(found: Problems<keyof PasswordChange>) {
    setProblems(found);
    setAttempt((before) => before + 1);
  }

  async function send() {
    setTrouble(undefined);
    setDone(undefined);
    const found = changeProblems(change);
    if (Object.keys(found).length > 0) return refuse(found);
    setBusy(true);
    try {
      await api.changePassword(change.old, change.fresh);
      setChange(EMPTY);
      setDone(changedWords(await vaultState()));
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return onLoggedOut();
      if (error instanceof ApiError && error.retryAfter !== undefined) setWait(error.retryAfter);
      const { field, message } = changeTrouble(error);
      if (field) refuse({ [field]: message });
      else setTrouble(message);
    }
    setBusy(false);
  }

  return (
    <section class="card" aria-labelledby="password-title">
      <h2 id="password-title">Change your password</h2>
      <p>It also opens your private files: it changes nothing in them, they stay open, and the new password opens them from now on. Other devices are logged out.</p>
      {trouble ? (
        <Notice kind="bad" urgent>
          <p>{trouble}</p>
        </Notice>
      ) : null}
      {done ? (
        <Notice kind="info" urgent>
          <p>{done}</p>
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
        {/* Password managers ask whose password they are to save. */}
        <input type="text" autocomplete="username" value={user.name} hidden readOnly />
        <PasswordField
          label="Password you have now"
          autocomplete="current-password"
          value={change.old}
          onValue={(value) => edit("old", value)}
          error={problems.old}
        />
        <NewPassword
          fresh={change.fresh}
          again={change.again}
          problems={problems}
          onFresh={(value) => edit("fresh", value)}
          onAgain={(value) => edit("again", value)}
        />
        {busy ? <Progress reason="Changing the password. The box takes its time for it, so that guessing is slow." /> : null}
        <div class="actions">
          <button type="submit" class="button" aria-disabled={busy || wait > 0}>
            {wait > 0 ? `Wait ${formatDuration(wait)}` : "Change password"}
          </button>
        </div>
      </form>
    </section>
  );
}

/** Only for what is told; the password is changed whatever the answer. */
async function vaultState(): Promise<Vault["state"] | undefined> {
  try {
    return (await api.vault()).state;
  } catch {
    return undefined;
  }
}
