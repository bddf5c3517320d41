/** Plain words for the vault of whoever is logged in, and for keys that do not open it. */

import { ApiError } from "../api/client";
import type { Vault } from "../api/types";
import { shownName } from "./files";
import { formatCount, formatDuration } from "./format";
import { reasonSentence, type Tone } from "./words";

/** Letters and digits of a recovery code, without what stands between its groups. */
const CODE_LETTERS = 36;

export interface VaultWords {
  word: string;
  tone: Tone;
  detail: string;
}

/** How the vault stands. */
export function vaultWords({ state, problem, idle_seconds: idle, rotation, opening }: Vault): VaultWords {
  switch (state) {
    case "open":
      return {
        word: "Open",
        tone: "good",
        detail: `The box shows your files to you alone. It locks them when you log out, and after ${formatDuration(idle)} without you.`,
      };
    case "locked":
      return problem
        ? { word: "Cannot be shown", tone: "bad", detail: `The key was right, but the box could not show your files: ${problem}.` }
        : { word: "Locked", tone: "off", detail: "Your files are encrypted, and the box has forgotten their key. Nobody can read them until you open them." };
    case "busy":
      if (rotation) {
        return { word: "Getting another key", tone: "busy", detail: "Your files are being encrypted with a new key. Until that is through, they cannot be used; then they are open again." };
      }
      if (opening) {
        return { word: "Coming from the backup", tone: "busy", detail: "This box was restored, and puts your files from the backup back: they were sealed until you came. You may leave this page, but stay logged in." };
      }
      return {
        word: "Locking",
        tone: "busy",
        detail: "A file was still being sent when they were locked. As soon as that ends the box locks the rest; it tries again every minute. Until then they cannot be opened anew.",
      };
    case "none":
      return { word: "Not there yet", tone: "off", detail: "Log out and in again: then the box makes the place for your files." };
  }
}

export interface VaultWork {
  label: string;
  text: string;
  /** Nothing while that is not known. */
  percent?: number;
}

/** What the box does with the files meanwhile, and how far it is; nothing while they are at rest. */
export function vaultWork({ rotation, opening }: Vault): VaultWork | undefined {
  if (rotation) return { label: "The new key of your files", text: `${rotation.percent} % of your files have the new key.`, percent: rotation.percent };
  if (!opening) return undefined;
  const { files, files_total: total, bytes, bytes_total: size } = opening;
  const label = "Your files from the backup";
  if (!(total > 0)) return { label, text: "Looking what there is of yours in the backup." };
  const percent = size > 0 ? Math.floor((Math.min(bytes, size) / size) * 100) : Math.floor((Math.min(files, total) / total) * 100);
  return { label, text: `${formatCount(files)} of ${total === 1 ? "1 file" : `${formatCount(total)} files`} opened.`, percent };
}

/** What is not well with an open vault; names of files in it are shown as elsewhere. */
export function openProblem({ state, problem }: Vault): string | undefined {
  return state === "open" && problem !== null ? reasonSentence(shownName(problem)) : undefined;
}

/** What has become of the files that were to be opened. */
export function openedWords(vault: Vault): string {
  if (vault.state === "busy") return "That was right. Your files come from the backup now.";
  return openProblem(vault) === undefined ? "Your files are open." : "Your files are open, but not all of them.";
}

/** What is wrong with a code as typed, or nothing; whether it is the right one only the box knows. */
export function codeProblem(typed: string): string | undefined {
  const letters = typed.replace(/[\s-]/g, "").length;
  if (letters === 0) return "Type the recovery code from your paper: nine groups of four.";
  if (letters < CODE_LETTERS) return `A recovery code has ${CODE_LETTERS} letters and digits; ${CODE_LETTERS - letters} more to go.`;
  if (letters > CODE_LETTERS) return `A recovery code has ${CODE_LETTERS} letters and digits; these are ${letters - CODE_LETTERS} too many.`;
  return undefined;
}

/** What to tell of a password or code that did not open the vault. */
export function openTrouble(error: unknown, by: "password" | "code"): string {
  if (!(error instanceof ApiError)) return "The box did not answer. Try again in a moment.";
  switch (error.code) {
    case "wrong_key":
      return by === "password"
        ? "This password does not open your files. Check it, also capital letters. If it is surely the one you log in with, only the recovery code opens them."
        : "This is not the recovery code of your files. An earlier paper no longer counts. Nothing was changed.";
    case "wrong_password":
      return "That is not the password you log in with, so nothing was opened. Type it again, or leave it out.";
    case "too_many_tries":
      return "Too many wrong tries, so the box makes you wait for a moment. Then try again.";
    default:
      return error.message;
  }
}

/** What is typed to give the old files up: nobody types it by mistake. */
export const GIVE_UP = "begin anew";

export function meansToGiveUp(typed: string): boolean {
  return typed.trim().toLowerCase().replace(/\s+/g, " ") === GIVE_UP;
}
