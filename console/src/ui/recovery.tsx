import type { ComponentChildren, Ref } from "preact";
import { useCallback, useEffect, useReducer, useRef, useState } from "preact/hooks";
import { api } from "../api/client";
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
  const form = useRef<HTMLFormElement>(null);

  const make = useCallback(async (withPassword: string) => {
    send({ kind: "make" });
    try {
      send({ kind: "made", recoveryKey: (await api.newRecoveryKey(withPassword)).recovery_key });
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
    setProblem(found);
    if (found !== undefined) {
      form.current?.querySelector("input")?.focus();
      return;
    }
    send({ kind: "check" });
    try {
      await api.confirmRecoveryKey(formatEnd(end));
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
          <RecoverySheet recoveryKey={recovery.recoveryKey ?? ""} hostname={hostname} />
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
