/** What to tell of something that was asked for with the password typed once more. Pure. */

import { ApiError } from "../api/client";
import type { Trouble } from "./account";

export const WRONG_PASSWORD = "That is not your password. Check it, also capital letters. Nothing was changed.";
export const TYPE_PASSWORD = "Type your password, so that nobody does this while you are away from your screen.";
const WAIT = "Too many wrong tries, so the box makes everybody wait for a moment. Then try again.";
const UNANSWERED = "The box did not answer, so perhaps it is done and perhaps not. Look at this page again in a moment.";

/** `fieldOf` names the field of the form that a member of the request is typed in. */
export function askTrouble<Field extends string>(error: unknown, fieldOf: (apiField: string) => Field | undefined): Trouble<Field | "password"> {
  if (!(error instanceof ApiError)) return { message: UNANSWERED };
  if (error.code === "wrong_password") return { field: "password", message: WRONG_PASSWORD };
  if (error.code === "too_many_tries") return { message: WAIT };
  const field = error.field === undefined ? undefined : error.field === "password" ? "password" : fieldOf(error.field);
  return field === undefined ? { message: error.message } : { field, message: error.message };
}
