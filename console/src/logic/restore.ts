/**
 * A household's backup on its way into a new box, as a pure state machine: no DOM, no network.
 *
 *   form ──▶ sending ──▶ running ──▶ done     the box starts anew and is set up
 *     ▲         │           │
 *     └─────────┴─ refused ─┘                 nothing was changed
 *
 * Everything is checked by the box before it changes anything, so a refusal always leads back to the form.
 */

import type { Restore, RestoreRequest } from "../api/backups";
import { ApiError } from "../api/client";
import type { Problems } from "./account";
import { backupField, placeDraft, placeProblems, placeTarget, type PlaceDraft } from "./backupform";
import { movingWords, type Moving } from "./backups";
import { claimCodeProblem, isRenewed, wrongCode } from "./claim";
import { kitProblem } from "./kit";

export interface RestoreDraft extends PlaceDraft {
  claimCode: string;
  kit: string;
  /** Whether the place is what the kit says, or the disk that is plugged in where it says none. */
  asInKit: boolean;
}

export type RestoreField = keyof RestoreDraft;

export interface Restoring {
  phase: "form" | "sending" | "running" | "done";
  draft: RestoreDraft;
  problems: Problems<RestoreField>;
  /** Why nothing was restored. */
  trouble?: string;
  moving: Moving;
  /** Seconds to wait before the next try. */
  wait: number;
  /** Counts refusals, so that focus moves to the fault even if it is the same one again. */
  attempt: number;
}

export type Event =
  | { kind: "edit"; change: Partial<RestoreDraft> }
  | { kind: "send" }
  | { kind: "looked"; restore: Restore }
  | { kind: "failed"; error: unknown };

export function startRestore(claimCode: string): Restoring {
  const draft = { ...placeDraft(null), claimCode, kit: "", asInKit: true };
  return { phase: "form", draft, problems: {}, moving: BEGINNING, wait: 0, attempt: 0 };
}

const BEGINNING: Moving = { text: "Reaching the place." };

/** The request; the kit says where the backup is unless somebody says so here. */
export function restoreRequest({ claimCode, kit, asInKit, ...place }: RestoreDraft): RestoreRequest {
  return { claim_code: claimCode, kit, ...(asInKit ? {} : { target: placeTarget(place) }) };
}

/** The restore after an event. */
export function advance(restoring: Restoring, event: Event): Restoring {
  switch (event.kind) {
    case "edit": {
      const problems = Object.fromEntries(Object.entries(restoring.problems).filter(([field]) => !(field in event.change)));
      return { ...restoring, draft: { ...restoring.draft, ...event.change }, problems };
    }
    case "send":
      return send(restoring);
    case "looked":
      return looked(restoring, event.restore);
    case "failed":
      return failed(restoring, event.error);
  }
}

function send(restoring: Restoring): Restoring {
  const { draft } = restoring;
  const problems: Problems<RestoreField> = draft.asInKit ? {} : placeProblems(draft, null);
  const [inCode, inKit] = [claimCodeProblem(draft.claimCode), kitProblem(draft.kit)];
  if (inCode) problems.claimCode = inCode;
  if (inKit) problems.kit = inKit;
  const next = { ...without(restoring), problems };
  if (Object.keys(problems).length > 0) return { ...next, attempt: restoring.attempt + 1 };
  return { ...next, phase: "sending", moving: BEGINNING, wait: 0 };
}

function looked(restoring: Restoring, { state, phase, bytes, bytes_total, problem }: Restore): Restoring {
  switch (state) {
    case "running":
      return { ...without(restoring), phase: "running", moving: movingWords({ phase, bytes, bytes_total }) };
    case "done":
      // The kit opens everything; nobody needs it here any more.
      return { ...without(restoring), phase: "done", draft: { ...restoring.draft, kit: "", secretKey: "" } };
    case "refused":
      return back(restoring, {}, problem ?? "The box did not say why. Look at its screen.");
    case "none":
      // The box forgets it when its service is started anew in the middle.
      return restoring.phase === "running" ? back(restoring, {}, "The box broke off and has changed nothing. Try again.") : restoring;
  }
}

const UNANSWERED =
  "The box did not answer, so perhaps nothing has begun. Check that it has power and that you are on its network, then try again.";

function failed(restoring: Restoring, error: unknown): Restoring {
  if (!(error instanceof ApiError)) {
    return back(restoring, {}, UNANSWERED);
  }
  if (error.code === "wrong_claim_code") {
    const draft = isRenewed(error.triesLeft) ? { ...restoring.draft, claimCode: "" } : restoring.draft;
    return back({ ...restoring, draft }, { claimCode: wrongCode(error.triesLeft) });
  }
  if (error.field === "kit") return back(restoring, { kit: error.message });
  if (error.field === "target") return back({ ...restoring, draft: { ...restoring.draft, asInKit: false, kind: "s3" } }, {}, error.message);
  const field = backupField(error.field);
  if (field !== undefined && field in restoring.draft) return back(restoring, { [field]: error.message });
  return { ...back(restoring, {}, error.message), wait: error.retryAfter ?? 0 };
}

function back(restoring: Restoring, problems: Problems<RestoreField>, trouble?: string): Restoring {
  const next: Restoring = { ...without(restoring), phase: "form", problems, attempt: restoring.attempt + 1 };
  return trouble === undefined ? next : { ...next, trouble };
}

function without(restoring: Restoring): Restoring {
  const { trouble: _old, ...rest } = restoring;
  return rest;
}
