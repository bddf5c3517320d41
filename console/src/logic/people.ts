/** The people of the household: who they are, what is wrong with a form about them, what to tell of refusals. Pure. */

import { ApiError } from "../api/client";
import type { User } from "../api/types";
import { confirmProblem, ownerNameProblem, passwordProblem } from "./fields";
import type { Problems, Trouble } from "./account";
import { askTrouble, TYPE_PASSWORD } from "./ask";

/** Whether somebody may change more of the box than what is their own. */
export function isOwner({ role }: User): boolean {
  return role === "owner";
}

export function roleWords(role: string): { word: string; detail: string } {
  switch (role) {
    case "owner":
      return { word: "Owner", detail: "Looks after the box, and has private files of their own." };
    case "member":
      return { word: "Member", detail: "Logs in, and has private files of their own." };
    default:
      return { word: role, detail: "This page does not know what they may do. Reload it." };
  }
}

export interface PersonDraft {
  name: string;
  fresh: string;
  again: string;
  password: string;
}

/** What is wrong with a new account, or with a new password for one that there is (whose name is given). */
export function personProblems({ name, fresh, again, password }: PersonDraft): Problems<keyof PersonDraft> {
  const problems: Problems<keyof PersonDraft> = {};
  const inName = name.trim() === "" ? "Type a name; it is what they log in with." : ownerNameProblem(name);
  if (inName) problems.name = inName;
  const inFresh = passwordProblem(fresh);
  if (inFresh) problems.fresh = inFresh;
  else {
    const inAgain = confirmProblem(fresh, again);
    if (inAgain) problems.again = inAgain;
  }
  if (password === "") problems.password = TYPE_PASSWORD;
  return problems;
}

export function personTrouble(error: unknown): Trouble<keyof PersonDraft> {
  if (error instanceof ApiError && error.code === "user_exists") {
    return { field: "name", message: "Somebody with this name logs in already. Choose another one." };
  }
  if (error instanceof ApiError && error.code === "last_owner") {
    return { message: "That is the owner of the box, whose account nobody else takes away or changes. The owner’s own password is changed on the page of their account." };
  }
  return askTrouble(error, (field) => (field === "name" ? "name" : field === "new" ? "fresh" : undefined));
}
