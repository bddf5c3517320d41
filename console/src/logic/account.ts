/** Another password: what is wrong with it before the box is asked, and what to tell of the answer. */

import { ApiError } from "../api/client";
import type { Vault } from "../api/types";
import { confirmProblem, passwordProblem } from "./fields";
import { codeProblem } from "./vault";

/** What is wrong, by the name of the field; nothing where all is well. */
export type Problems<Field extends string> = Partial<Record<Field, string>>;

export interface PasswordChange {
  old: string;
  fresh: string;
  again: string;
}

export function changeProblems({ old, fresh, again }: PasswordChange): Problems<keyof PasswordChange> {
  const problems: Problems<keyof PasswordChange> = {};
  if (old === "") problems.old = "Type the password you have now.";
  Object.assign(problems, newPasswordProblems(fresh, again));
  if (!problems.fresh && fresh === old) problems.fresh = "That is the password you have now. Choose another one.";
  return problems;
}

export interface PasswordReset {
  name: string;
  code: string;
  fresh: string;
  again: string;
}

export function resetProblems({ name, code, fresh, again }: PasswordReset): Problems<keyof PasswordReset> {
  const problems: Problems<keyof PasswordReset> = {};
  if (name.trim() === "") problems.name = "Type the name you log in with.";
  const inCode = codeProblem(code);
  if (inCode) problems.code = inCode;
  return Object.assign(problems, newPasswordProblems(fresh, again));
}

function newPasswordProblems(fresh: string, again: string): Problems<"fresh" | "again"> {
  const problems: Problems<"fresh" | "again"> = {};
  const inPassword = passwordProblem(fresh);
  if (inPassword) problems.fresh = inPassword;
  // Whoever still has to change the first one types the second anew anyway.
  const inRepeated = inPassword ? undefined : confirmProblem(fresh, again);
  if (inRepeated) problems.again = inRepeated;
  return problems;
}

export interface Trouble<Field extends string> {
  field?: Field;
  message: string;
}

export function changeTrouble(error: unknown): Trouble<keyof PasswordChange> {
  if (!(error instanceof ApiError)) return { message: UNANSWERED };
  if (error.code === "wrong_password") return { field: "old", message: "That is not the password you have now. Nothing was changed." };
  if (error.field === "new") return { field: "fresh", message: error.message };
  return { message: told(error) };
}

export function resetTrouble(error: unknown): Trouble<keyof PasswordReset> {
  if (!(error instanceof ApiError)) return { message: UNANSWERED };
  if (error.code === "wrong_key") {
    return { message: "This name and this recovery code do not go together. Check the name, and that the paper is the newest one. Nothing was changed." };
  }
  if (error.field === "new") return { field: "fresh", message: error.message };
  if (error.field === "recovery_code") return { field: "code", message: error.message };
  if (error.field === "name") return { field: "name", message: error.message };
  return { message: told(error) };
}

/** A request may have been carried out although its answer was lost. */
const UNANSWERED = "The box did not answer, so perhaps the new password counts already, and perhaps the old one. Try again in a moment; if the old one is refused, log in with the new one.";

function told(error: ApiError): string {
  return error.code === "too_many_tries" ? "Too many wrong tries, so the box makes everybody wait for a moment. Then try again." : error.message;
}

/** What has become of everything that the old password opened. */
export function changedWords(vault: Vault["state"] | undefined): string {
  const words = "You have a new password. Everything else that was logged in with your name is logged out.";
  switch (vault) {
    case "open":
      return `${words} Your private files stay open, and open with the new one from now on.`;
    case "locked":
      return `${words} Your private files are locked. They open with the new one; if they do not, they had another password before, and the recovery code opens them.`;
    case "busy":
    case "none":
    case undefined:
      return words;
  }
}
