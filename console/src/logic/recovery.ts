/**
 * The recovery key on its way from the box to a sheet of paper, as a pure state machine: no DOM, no network.
 *
 *   password ──▶ making ──▶ shown ──▶ typing ──▶ checking ──▶ done
 *      ▲           │          ▲         │ ▲          │
 *      └─ refused ─┘          └─ again ─┘ └─ refused ┘
 *
 * The box tells the key once. It is kept here only until its end was typed back, or the page is left.
 */

import { ApiError } from "../api/client";

/** Letters of the key that are typed back: its last two groups. */
const END_LENGTH = 8;
const GROUP_LENGTH = 4;

export interface Recovery {
  phase: "password" | "making" | "shown" | "typing" | "checking" | "done";
  /** As the box wrote it; missing where it was told at another time, or only a code is made. */
  recoveryKey?: string;
  /** Of a user's vault; with a key where both are made in the same breath for the same sheet. */
  recoveryCode?: string;
  trouble?: string;
  /** Counts refusals, so that focus moves to the field even if it is the same one again. */
  attempt: number;
}

export type Event =
  | { kind: "make" }
  | { kind: "made"; recoveryKey?: string; recoveryCode?: string }
  | { kind: "written" }
  | { kind: "show-again" }
  | { kind: "check" }
  | { kind: "confirmed" }
  | { kind: "failed"; error: unknown; part?: Part };

/** The key opens the disk, the code a user's private files. */
export type Part = "key" | "code";

/** Begins by asking for the password, by making a key, or with the end of a key that is on paper already. */
export function startRecovery(phase: "password" | "making" | "typing"): Recovery {
  return { phase, attempt: 0 };
}

/** The flow after an event. */
export function advance(recovery: Recovery, event: Event): Recovery {
  const { trouble: _old, ...rest } = recovery;
  switch (event.kind) {
    case "make":
      return { ...rest, phase: "making" };
    case "made":
      return {
        ...rest,
        phase: "shown",
        ...(event.recoveryKey ? { recoveryKey: event.recoveryKey } : {}),
        ...(event.recoveryCode ? { recoveryCode: event.recoveryCode } : {}),
      };
    case "written":
      return { ...rest, phase: "typing" };
    case "show-again":
      return isKnown(rest) ? { ...rest, phase: "shown" } : rest;
    case "check":
      return { ...rest, phase: "checking" };
    case "confirmed":
      return { phase: "done", attempt: rest.attempt };
    case "failed":
      return {
        ...rest,
        phase: recovery.phase === "making" ? "password" : "typing",
        trouble: explain(event.error, event.part ?? "key"),
        attempt: rest.attempt + 1,
      };
  }
}

/** Whether there is something to show. */
export function isKnown({ recoveryKey, recoveryCode }: Recovery): boolean {
  return recoveryKey !== undefined || recoveryCode !== undefined;
}

/** The groups of a key, whatever stands between them. */
export function keyGroups(recoveryKey: string): string[] {
  return recoveryKey.split(/[^0-9A-Za-z]+/).filter((group) => group !== "");
}

/** What is wrong with an end as typed, or nothing; whether it is the right one only the box knows. */
export function endProblem(typed: string, part: Part): string | undefined {
  const letters = significant(typed).length;
  if (letters === 0) return `Type the last two groups of the ${part}: ${END_LENGTH} letters and digits.`;
  if (letters < END_LENGTH) return `The last two groups have ${END_LENGTH} letters and digits; ${END_LENGTH - letters} more to go.`;
  if (letters > END_LENGTH) return `Only the last two groups of the ${part} are asked for, not all of it.`;
  return undefined;
}

/** The same in groups, as it stands on the paper. */
export function formatEnd(typed: string): string {
  return significant(typed).match(new RegExp(`.{1,${GROUP_LENGTH}}`, "g"))?.join("-") ?? "";
}

function significant(typed: string): string {
  return typed.toUpperCase().replace(/[^0-9A-Z]/g, "");
}

function explain(error: unknown, part: Part): string {
  if (!(error instanceof ApiError)) return "The box did not answer. Check that it has power and that you are on its network, then try again.";
  if (error.code === "wrong_key") return "This password does not open your private files, so no code was made. Check it, also capital letters.";
  if (error.code === "not_its_end") {
    return `That is not the end of the new ${part}. Compare it with the paper, letter by letter, and type it again.`;
  }
  return error.message;
}
