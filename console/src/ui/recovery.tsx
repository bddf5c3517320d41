import { useCallback, useEffect, useReducer, useRef, useState } from "preact/hooks";
import { api, ApiError } from "../api/client";
import { advance, endProblem, formatEnd, startRecovery, type Part } from "../logic/recovery";
import { CardPage, Heading } from "./page";
import { EndStep } from "./recoveryend";
import { PasswordStep } from "./recoverypassword";
import { RecoverySheet } from "./recoverysheet";
import { Notice } from "./status";

interface Props {
  /** What is made: the key of the disk, together with the code of the owner's vault; or the code of a vault alone. */
  makes: Part;
  hostname: string;
  /** Whose files a code alone opens. */
  userName?: string;
  start: "password" | "making" | "typing";
  /** The user's, where it is known from a moment ago. */
  password?: string;
  /** What leaving without a key on paper is called. */
  later: string;
  onLater: () => void;
  onDone: () => void;
}

const TITLES: Record<Part, string> = { key: "Recovery key", code: "Recovery code" };

/** Makes a recovery key or code, shows it once, and lets its end be typed back. */
export function RecoveryFlow({ makes, hostname, userName, start, password: known = "", later, onLater, onDone }: Props) {
  const [recovery, send] = useReducer(advance, start, startRecovery);
  const [password, setPassword] = useState(known);
  const [ends, setEnds] = useState<Record<Part, string>>({ key: "", code: "" });
  const [problems, setProblems] = useState<Partial<Record<Part, string>>>({});
  const form = useRef<HTMLFormElement>(null);
  const title = TITLES[makes];
  // A key brings the owner's code along; nothing else is asked for that was not made.
  const parts: Part[] = makes === "code" ? ["code"] : recovery.recoveryCode === undefined ? ["key"] : ["key", "code"];

  const make = useCallback(
    async (withPassword: string) => {
      send({ kind: "make" });
      try {
        const made = makes === "code" ? await codeAlone(withPassword) : await keyAndCode(withPassword);
        send({ kind: "made", ...made });
        setPassword("");
      } catch (error) {
        send({ kind: "failed", error });
      }
    },
    [makes],
  );

  // Only at first: a key that was made by itself once is not made again.
  const begun = useRef(false);
  useEffect(() => {
    if (start !== "making" || begun.current) return;
    begun.current = true;
    void make(known);
  }, [start, known, make]);

  const refused = useRef<Part>(undefined);
  useEffect(() => {
    if (recovery.attempt > 0) focusOn(refused.current);
  }, [recovery.attempt]);

  useEffect(() => {
    if (recovery.phase === "done") onDone();
  }, [recovery.phase, onDone]);

  function focusOn(part: Part | undefined) {
    const index = part === undefined ? 0 : parts.indexOf(part);
    form.current?.querySelectorAll("input")[index]?.focus();
  }

  async function check() {
    const found: Partial<Record<Part, string>> = {};
    for (const part of parts) {
      const problem = endProblem(ends[part], part);
      if (problem !== undefined) found[part] = problem;
    }
    setProblems(found);
    const first = parts.find((part) => found[part] !== undefined);
    if (first) return focusOn(first);
    send({ kind: "check" });
    for (const part of parts) {
      try {
        await confirm(part, ends[part], parts.length > 1);
      } catch (error) {
        refused.current = part;
        return send({ kind: "failed", error, part });
      }
    }
    send({ kind: "confirmed" });
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
        <PasswordStep
          {...{ makes, title, recovery, password, setPassword, trouble, putOff, form }}
          alone={start === "making"}
          onMake={() => void make(password)}
        />
      );
    case "shown":
      return (
        <CardPage title={title}>
          <Heading turn="shown">Your {title.toLowerCase()}</Heading>
          <RecoverySheet
            {...(recovery.recoveryKey ? { recoveryKey: recovery.recoveryKey } : {})}
            {...(recovery.recoveryCode ? { recoveryCode: recovery.recoveryCode } : {})}
            {...(userName ? { userName } : {})}
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
    case "done":
      return (
        <EndStep
          {...{ title, recovery, parts, ends, problems, trouble, putOff, form }}
          onEnd={(part, end) => {
            setEnds((old) => ({ ...old, [part]: end }));
            setProblems(({ [part]: _mended, ...rest }) => rest);
          }}
          onShow={() => send({ kind: "show-again" })}
          onCheck={() => void check()}
        />
      );
  }
}

async function codeAlone(password: string): Promise<{ recoveryCode: string }> {
  return { recoveryCode: (await api.newRecoveryCode(password)).recovery_code };
}

/** An owner without a vault, or with one that this password does not open, gets the key alone. */
async function keyAndCode(password: string): Promise<{ recoveryKey: string; recoveryCode?: string }> {
  const { recovery_key: recoveryKey } = await api.newRecoveryKey(password);
  try {
    return { recoveryKey, ...(await codeAlone(password)) };
  } catch (error) {
    if (error instanceof ApiError && (error.code === "no_vault" || error.code === "wrong_key")) return { recoveryKey };
    throw error;
  }
}

/** Of two ends the first may be right and the second not: when both are sent again, the first is confirmed already. */
async function confirm(part: Part, end: string, isOneOfTwo: boolean): Promise<void> {
  try {
    await (part === "key" ? api.confirmRecoveryKey(formatEnd(end)) : api.confirmRecoveryCode(formatEnd(end)));
  } catch (error) {
    if (!(isOneOfTwo && error instanceof ApiError && error.code === "nothing_to_confirm")) throw error;
  }
}
