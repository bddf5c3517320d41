import { useEffect, useRef, useState } from "preact/hooks";
import { api, ApiError } from "../../api/client";
import type { User, Vault } from "../../api/types";
import { formatDuration } from "../../logic/format";
import { codeProblem, openTrouble, vaultWords } from "../../logic/vault";
import { useCountdown } from "../../ui/countdown";
import { useFaults } from "../../ui/faults";
import { Field, PasswordField } from "../../ui/field";
import { Notice, Progress, StatusWord } from "../../ui/status";

type By = "password" | "code";

/** Opens the locked files: with the password, or with the recovery code where the password does not. */
export function OpenCard({ vault, user, onOpened }: { vault: Vault; user: User; onOpened: (opened: Vault) => void }) {
  const [by, setBy] = useState<By>("password");
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const [problem, setProblem] = useState<string>();
  const [trouble, setTrouble] = useState<string>();
  const [busy, setBusy] = useState(false);
  const [attempt, setAttempt] = useState(0);
  const [wait, setWait] = useCountdown();
  const form = useFaults(attempt);
  const { word, tone, detail } = vaultWords(vault);

  // Who chooses the other way has the focus on what to type; who just came has it on the heading.
  const shown = useRef(by);
  useEffect(() => {
    if (shown.current !== by) form.current?.querySelector<HTMLElement>("textarea, input:not([hidden])")?.focus();
    shown.current = by;
  }, [by, form]);

  function turn(to: By) {
    setBy(to);
    setPassword("");
    setCode("");
    setProblem(undefined);
    setTrouble(undefined);
  }

  async function open() {
    setTrouble(undefined);
    const found = by === "code" ? codeProblem(code) : password === "" ? "Type your password." : undefined;
    setProblem(found);
    if (found !== undefined) return setAttempt((before) => before + 1);
    setBusy(true);
    try {
      onOpened(await api.unlockVault({ ...(password === "" ? {} : { password }), ...(by === "code" ? { recovery_code: code } : {}) }));
    } catch (error) {
      if (error instanceof ApiError && error.retryAfter !== undefined) setWait(error.retryAfter);
      if (error instanceof ApiError && error.field === "recovery_code") {
        setProblem(error.message);
        setAttempt((before) => before + 1);
      } else {
        setTrouble(openTrouble(error, by));
        form.current?.querySelector<HTMLElement>("textarea, input:not([hidden])")?.focus();
      }
    }
    setBusy(false);
  }

  return (
    <section class="card" aria-labelledby="open-title">
      <div class="card-head">
        <h2 id="open-title">Open your files</h2>
        <StatusWord tone={tone}>{word}</StatusWord>
      </div>
      <p>{detail}</p>
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
          if (!busy && wait === 0) void open();
        }}
      >
        <input type="text" autocomplete="username" value={user.name} hidden readOnly />
        {by === "code" ? (
          <Field
            label="Recovery code"
            value={code}
            onValue={(value) => {
              setCode(value);
              setProblem(undefined);
            }}
            error={problem}
            hint="All nine groups from the paper, in capital or small letters, with or without dashes."
            rows={3}
            input={{ class: "code code-long", autocomplete: "off", autocapitalize: "none", spellcheck: false }}
          />
        ) : null}
        <PasswordField
          label={by === "code" ? "Password you log in with, if you know it" : "Your password"}
          autocomplete="current-password"
          value={password}
          onValue={(value) => {
            setPassword(value);
            if (by === "password") setProblem(undefined);
          }}
          error={by === "password" ? problem : undefined}
          hint={by === "code" ? "From now on your files open with it again. Without it they open only this once." : undefined}
        />
        {busy ? <Progress reason="Opening your files. The box takes its time for it, so that guessing is slow." /> : null}
        <div class="actions">
          <button type="submit" class="button" aria-disabled={busy || wait > 0}>
            {wait > 0 ? `Wait ${formatDuration(wait)}` : "Open"}
          </button>
        </div>
      </form>
      <p class="beside-form">
        <button type="button" class="link" onClick={() => turn(by === "code" ? "password" : "code")}>
          {by === "code" ? "Use your password instead" : "Use the recovery code instead"}
        </button>
      </p>
    </section>
  );
}
