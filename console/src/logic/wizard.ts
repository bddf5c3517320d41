/**
 * The set-up wizard as a pure state machine: no DOM, no network.
 *
 *   claim → name → account → review → (sending) → recovery key → opening → Wi-Fi → done
 *     ▲        ▲        ▲                 │
 *     └────────┴────────┴── refused ──────┘   the step that owns the field at fault
 *
 * Once the review has been reached, "next" returns to it as soon as nothing is wrong any more: someone who mistyped
 * the code does not walk through all steps again.
 */

import { ApiError } from "../api/client";
import type { SetupRequest, SetupResult } from "../api/types";
import { claimCodeProblem, isRenewed, wrongCode } from "./claim";
import { confirmProblem, hostnameProblem, ownerNameProblem, passwordProblem } from "./fields";

export const STEPS = ["claim", "name", "account", "review"] as const;
export type Step = (typeof STEPS)[number];

export interface Draft {
  claimCode: string;
  hostname: string;
  ownerName: string;
  password: string;
  confirm: string;
}

export type Field = keyof Draft;

export interface Wizard {
  step: Step;
  draft: Draft;
  errors: Partial<Record<Field, string>>;
  /** What went wrong as a whole, shown above the step. */
  notice?: string;
  phase: "editing" | "sending" | "recovery" | "opening" | "wifi" | "done" | "taken" | "restore";
  reviewed: boolean;
  /** Counts refusals, so that focus moves to the error even if it is the same one again. */
  attempt: number;
  result?: SetupResult;
}

export type Event =
  | { kind: "edit"; field: Field; value: string }
  | { kind: "next" }
  | { kind: "back" }
  | { kind: "go"; step: Step }
  | { kind: "send" }
  | { kind: "accepted"; result: SetupResult }
  /** The recovery key is on paper, or was put off. */
  | { kind: "recovery-over" }
  /** After all a recovery key. */
  | { kind: "recovery-again" }
  /** It is settled what opens the data at each start. */
  | { kind: "opening-over" }
  /** The box is in a network at home, or nobody wants that now. */
  | { kind: "wifi-over" }
  /** This household had a box before; and after all not. */
  | { kind: "restore" }
  | { kind: "anew" }
  | { kind: "refused"; error: ApiError }
  | { kind: "unanswered"; setUpMeanwhile: boolean };

const OWNER: Record<Field, Step> = {
  claimCode: "claim",
  hostname: "name",
  ownerName: "account",
  password: "account",
  confirm: "account",
};

/** Members of the request body, as the box names them in an error. */
const API_FIELD: Record<string, Field> = {
  claim_code: "claimCode",
  hostname: "hostname",
  owner: "ownerName",
  "owner.name": "ownerName",
  "owner.password": "password",
};

export function startWizard(hostname: string, claimCode = ""): Wizard {
  return {
    step: "claim",
    draft: { claimCode, hostname, ownerName: "", password: "", confirm: "" },
    errors: {},
    phase: "editing",
    reviewed: false,
    attempt: 0,
  };
}

export function setupRequest(draft: Draft): SetupRequest {
  return {
    claim_code: draft.claimCode,
    hostname: draft.hostname,
    owner: { name: draft.ownerName.trim(), password: draft.password },
  };
}

/** The wizard after an event. */
export function advance(wizard: Wizard, event: Event): Wizard {
  switch (event.kind) {
    case "edit": {
      const { [event.field]: _mended, ...errors } = wizard.errors;
      return { ...wizard, draft: { ...wizard.draft, [event.field]: event.value }, errors };
    }
    case "next":
      return next(wizard);
    case "back":
      return at(wizard, STEPS[Math.max(0, STEPS.indexOf(wizard.step) - 1)] ?? "claim");
    case "go":
      return at(wizard, event.step);
    case "send":
      return { ...without(wizard), phase: "sending" };
    case "accepted":
      return { ...without(wizard), phase: "recovery", result: event.result };
    case "recovery-over":
      return { ...wizard, phase: "opening" };
    case "recovery-again":
      return { ...wizard, phase: "recovery" };
    case "opening-over":
      // The password was needed until now.
      return { ...wizard, draft: { ...wizard.draft, password: "", confirm: "" }, phase: "wifi" };
    case "wifi-over":
      return { ...wizard, phase: "done" };
    case "restore":
      return { ...without(wizard), phase: "restore" };
    case "anew":
      return at(wizard, "claim");
    case "refused":
      return refused({ ...wizard, phase: "editing" }, event.error);
    case "unanswered":
      return event.setUpMeanwhile ? { ...wizard, phase: "taken" } : failed(wizard, "review", {}, UNANSWERED);
  }
}

const UNANSWERED =
  "The box did not answer, and nothing was set up. Check that it has power and that this device is on the same network, then try again.";

function next(wizard: Wizard): Wizard {
  const errors = problems(wizard.draft);
  const first = STEPS.find((step) => step === wizard.step && hasProblem(errors, step));
  if (first) return failed(wizard, first, only(errors, first));
  const following = STEPS[STEPS.indexOf(wizard.step) + 1] ?? "review";
  if (!wizard.reviewed) return at(wizard, following);
  return at(wizard, STEPS.find((step) => hasProblem(errors, step)) ?? "review");
}

function at(wizard: Wizard, step: Step): Wizard {
  return { ...without(wizard), step, errors: {}, phase: "editing", reviewed: wizard.reviewed || step === "review" };
}

function refused(wizard: Wizard, error: ApiError): Wizard {
  if (error.code === "already_set_up") return { ...wizard, phase: "taken" };
  if (error.code === "wrong_claim_code") {
    const renewed = isRenewed(error.triesLeft);
    const draft = renewed ? { ...wizard.draft, claimCode: "" } : wizard.draft;
    return failed({ ...wizard, draft }, "claim", { claimCode: wrongCode(error.triesLeft) });
  }
  const field = error.field === undefined ? undefined : API_FIELD[error.field];
  if (field) return failed(wizard, OWNER[field], { [field]: error.message });
  return failed(wizard, "review", {}, error.message);
}

function problems(draft: Draft): Partial<Record<Field, string>> {
  const found: [Field, string | undefined][] = [
    ["claimCode", claimCodeProblem(draft.claimCode)],
    ["hostname", hostnameProblem(draft.hostname)],
    ["ownerName", ownerNameProblem(draft.ownerName)],
    ["password", passwordProblem(draft.password)],
    ["confirm", confirmProblem(draft.password, draft.confirm)],
  ];
  return Object.fromEntries(found.filter(([, problem]) => problem !== undefined)) as Partial<Record<Field, string>>;
}

function only(errors: Partial<Record<Field, string>>, step: Step): Partial<Record<Field, string>> {
  return Object.fromEntries(Object.entries(errors).filter(([field]) => OWNER[field as Field] === step));
}

function hasProblem(errors: Partial<Record<Field, string>>, step: Step): boolean {
  return Object.keys(errors).some((field) => OWNER[field as Field] === step);
}

function failed(wizard: Wizard, step: Step, errors: Partial<Record<Field, string>>, notice?: string): Wizard {
  const next: Wizard = { ...without(wizard), step, errors, phase: "editing", attempt: wizard.attempt + 1 };
  return notice === undefined ? next : { ...next, notice };
}

function without(wizard: Wizard): Wizard {
  const { notice: _old, ...rest } = wizard;
  return rest;
}
