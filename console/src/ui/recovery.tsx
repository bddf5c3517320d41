import type { ComponentChildren, Ref } from "preact";
import { useCallback, useEffect, useReducer, useRef, useState } from "preact/hooks";
import { api, ApiError } from "../api/client";
import { advance, endProblem, formatEnd, startRecovery, type Recovery } from "../logic/recovery";
import { Field, PasswordField } from "./field";
import { CardPage, Heading } from "./page";
import { RecoverySheet } from "./recoverysheet";
import { Notice, Progress } from "./status";

interface Props {
  hostname: string;
  start: "password" | "making" | "typing";
  /** The owner's, where it is known from a moment ago. */
  password?: string;
  /** What leaving without a key on paper is called. */
  later: string;
  onLater: () => void;
  onDone: () => void;
}

/** Makes a recovery key, shows it once, and lets its end be typed back. */
export function RecoveryFlow({ hostname, start, password: known = "", later, onLater, onDone }: Props) {
  const [recovery, send] = useReducer(advance, start, startRecovery);
  const [password, setPassword] = useState(known);
  const [end, setEnd] = useState("");
  const [problem, setProblem] = useState<string>();
  const [codeEnd, setCodeEnd] = useState("");
  const [codeProblem, setCodeProblem] = useState<string>();
  const form = useRef<HTMLFormElement>(null);

  const make = useCallback(async (withPassword: string) => {
    send({ kind: "make" });
    try {
      const { recovery_key: recoveryKey } = await api.newRecoveryKey(withPassword);
      const code = await vaultCode(withPassword);
      send({ kind: "made", recoveryKey, ...(code ? { recoveryCode: code } : {}) });
      setPassword("");
    } catch (error) {
      send({ kind: "failed", error });
    }
  }, []);

  // Only at first: a key that was made by itself once is not made again.
  const begun = useRef(false);
  useEffect(() => {
    if (start !== "making" || begun.current) return;
    begun.current = true;
    void make(known);
  }, [start, known, make]);

  useEffect(() => {
    if (recovery.attempt > 0) form.current?.querySelector("input")?.focus();
  }, [recovery.attempt]);

  useEffect(() => {
    if (recovery.phase === "done") onDone();
  }, [recovery.phase, onDone]);

  async function check() {
    const found = endProblem(end);
    const foundInCode = recovery.recoveryCode === undefined ? undefined : endProblem(codeEnd);
    setProblem(found);
    setCodeProblem(foundInCode);
    if (found !== undefined || foundInCode !== undefined) {
      form.current?.querySelectorAll("input")[found === undefined ? 1 : 0]?.focus();
      return;
    }
    send({ kind: "check" });
    try {
      await confirmOnce(() => api.confirmRecoveryKey(formatEnd(end)));
      if (recovery.recoveryCode !== undefined) await confirmOnce(() => api.confirmRecoveryCode(formatEnd(codeEnd)));
      send({ kind: "confirmed" });
    } catch (error) {
      send({ kind: "failed", error });
    }
  }

  const trouble = recovery.trouble ? (
    <Notice kind="bad" urgent>
      <p>{recovery.trouble}</p>
    </Notice>
  ) : null;
  const putOff = (
    <button type="button" class="button button-quiet" onClick={onLater}>
      {later}
    </button>
  );

  switch (recovery.phase) {
    case "password":
    case "making":
      return (
        <PasswordStep {...{ recovery, password, setPassword, trouble, putOff, form }} alone={start === "making"} onMake={() => void make(password)} />
      );
    case "shown":
      return (
        <CardPage title="Recovery key">
          <Heading turn="shown">Your recovery key</Heading>
          <RecoverySheet
            recoveryKey={recovery.recoveryKey ?? ""}
            {...(recovery.recoveryCode ? { recoveryCode: recovery.recoveryCode } : {})}
            hostname={hostname}
          />
          <div class="actions screen-only">
            {putOff}
            <button type="button" class="button button-quiet" onClick={() => print()}>
              Print
            </button>
            <button type="button" class="button" onClick={() => send({ kind: "written" })}>
              I have it on paper
            </button>
          </div>
        </CardPage>
      );
    case "typing":
    case "checking":
    case "done": {
      const checking = recovery.phase !== "typing";
      return (
        <CardPage title="Recovery key">
          <Heading turn="typing">Do you have it on paper?</Heading>
          <p class="lead">Type the last two groups from your paper, so that you know it is the right key before you need it.</p>
          {trouble}
          <form
            ref={form}
            noValidate
            onSubmit={(event) => {
              event.preventDefault();
              if (!checking) void check();
            }}
          >
            <Field
              label="Last two groups of the key"
              value={end}
              onValue={(value, input) => {
                const text = formatEnd(value);
                // What formatting drops leaves the state as it was, and then nothing would repaint the box.
                input.value = text;
                setEnd(text);
                setProblem(undefined);
              }}
              error={problem}
              hint="Capital or small letters, with or without dashes: all the same."
              input={{ class: "code", placeholder: "XXXX-XXXX", autocomplete: "off", autocapitalize: "characters", spellcheck: false }}
            />
            {recovery.recoveryCode === undefined ? null : (
              <Field
                label="Last two groups of the code"
                value={codeEnd}
                onValue={(value, input) => {
                  const text = formatEnd(value);
                  input.value = text;
                  setCodeEnd(text);
                  setCodeProblem(undefined);
                }}
                error={codeProblem}
                hint="The second one on the paper, for your private files."
                input={{ class: "code", placeholder: "XXXX-XXXX", autocomplete: "off", autocapitalize: "characters", spellcheck: false }}
              />
            )}
            {checking ? <Progress reason="Comparing it with the key." /> : null}
            <div class="actions">
              {putOff}
              {recovery.recoveryKey === undefined ? null : (
                <button type="button" class="button button-quiet" onClick={() => send({ kind: "show-again" })}>
                  Show it again
                </button>
              )}
              <button type="submit" class="button" aria-disabled={checking}>
                Check
              </button>
            </div>
          </form>
        </CardPage>
      );
    }
  }
}

/** The code of the owner's vault; an owner without a vault gets the key alone. */
async function vaultCode(password: string): Promise<string | undefined> {
  try {
    return (await api.newRecoveryCode(password)).recovery_code;
  } catch (error) {
    if (error instanceof ApiError && error.code === "no_vault") return undefined;
    throw error;
  }
}

/** Of two ends the first may be right and the second not: when both are sent again, the first is confirmed already. */
async function confirmOnce(confirm: () => Promise<void>): Promise<void> {
  try {
    await confirm();
  } catch (error) {
    if (!(error instanceof ApiError && error.code === "nothing_to_confirm")) throw error;
  }
}

interface PasswordStepProps {
  recovery: Recovery;
  password: string;
  setPassword: (password: string) => void;
  trouble: ComponentChildren;
  putOff: ComponentChildren;
  form: Ref<HTMLFormElement>;
  /** Whether the password was known when the flow began, so that there is nothing to type while all goes well. */
  alone: boolean;
  onMake: () => void;
}

function PasswordStep({ recovery, password, setPassword, trouble, putOff, form, alone, onMake }: PasswordStepProps) {
  const making = recovery.phase === "making";
  return (
    <CardPage title="Recovery key">
      <Heading turn="password">A recovery key</Heading>
      <p class="lead">
        Your data is encrypted, and this box opens it by itself. If the box breaks, only the recovery key opens the disk: a long word for a sheet of paper.
      </p>
      {trouble}
      <form
        ref={form}
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          if (!making && password !== "") onMake();
        }}
      >
        {alone && making ? null : (
          <PasswordField
            label="Your password"
            autocomplete="current-password"
            value={password}
            onValue={setPassword}
            hint="So that nobody else makes one while you are away from your screen."
          />
        )}
        {making ? <Progress reason="Making a new key. This takes a moment, because keys are protected with a deliberately slow calculation." /> : null}
        <div class="actions">
          {putOff}
          <button type="submit" class="button" aria-disabled={making || password === ""}>
            Make the key
          </button>
        </div>
      </form>
    </CardPage>
  );
}
