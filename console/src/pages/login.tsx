import { useRef, useState } from "preact/hooks";
import { api, ApiError } from "../api/client";
import type { User } from "../api/types";
import { formatDuration } from "../logic/format";
import { useCountdown } from "../ui/countdown";
import { Field, PasswordField } from "../ui/field";
import { CardPage, Heading } from "../ui/page";
import { Notice, Progress } from "../ui/status";
import { ForgotPage } from "./forgot";

interface Props {
  hostname: string;
  loggedOut?: "by-you" | "by-box";
  onLogin: (user: User) => void;
}

const GREETING = {
  "by-you": "You are logged out.",
  "by-box": "You were logged out, because you were away for a while or logged out elsewhere. Please log in again.",
};

export function LoginPage({ hostname, loggedOut, onLogin }: Props) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [trouble, setTrouble] = useState<string>();
  const [busy, setBusy] = useState(false);
  const [reset, setReset] = useState<"asked" | "done">();
  const [wait, setWait] = useCountdown();
  const form = useRef<HTMLFormElement>(null);

  async function login() {
    setTrouble(undefined);
    setBusy(true);
    try {
      onLogin((await api.login(name.trim(), password)).user);
    } catch (error) {
      setBusy(false);
      if (error instanceof ApiError && error.retryAfter !== undefined) setWait(error.retryAfter);
      setTrouble(explain(error));
      form.current?.querySelector<HTMLElement>("input[autocomplete=current-password]")?.focus();
    }
  }

  if (reset === "asked") {
    const onReset = (forName: string) => {
      setName(forName);
      setPassword("");
      setTrouble(undefined);
      setReset("done");
    };
    return <ForgotPage name={name} onBack={() => setReset(undefined)} onReset={onReset} />;
  }
  const missing = name.trim() === "" || password === "";
  return (
    <CardPage title="Log in">
      <Heading>Log in</Heading>
      <p class="lead">
        Welcome back to <strong>{hostname.replace(/\.local$/, "")}</strong>.
      </p>
      {reset === "done" && !trouble && !busy ? (
        <Notice kind="info" urgent>
          <p>You have a new password, and your private files open with it. Log in with it now.</p>
        </Notice>
      ) : null}
      {loggedOut && reset === undefined && !trouble && !busy ? (
        <Notice kind="info">
          <p>{GREETING[loggedOut]}</p>
        </Notice>
      ) : null}
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
          if (busy || wait > 0) return;
          if (missing) setTrouble("Type your name and your password, then log in.");
          else void login();
        }}
      >
        <Field label="Name" value={name} onValue={setName} input={{ autocomplete: "username", autocapitalize: "none", spellcheck: false }} />
        <PasswordField label="Password" autocomplete="current-password" value={password} onValue={setPassword} />
        {busy ? <Progress reason="Checking the password. The box takes its time for it, so that guessing is slow." /> : null}
        <div class="actions">
          <button type="submit" class="button button-wide" aria-disabled={busy || wait > 0}>
            {wait > 0 ? `Wait ${formatDuration(wait)}` : "Log in"}
          </button>
        </div>
      </form>
      <p class="beside-form">
        <button type="button" class="link" onClick={() => setReset("asked")}>
          Forgot your password?
        </button>
      </p>
    </CardPage>
  );
}

function explain(error: unknown): string {
  if (!(error instanceof ApiError)) return "The box does not answer. Check that it has power and that you are on its network, then try again.";
  if (error.code === "wrong_credentials") return "This name and password do not go together. Check both, also capital letters, and try again.";
  if (error.code === "too_many_tries") return "Too many wrong tries, so the box makes everybody wait for a moment. Then try again.";
  return error.message;
}
