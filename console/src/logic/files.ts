/** Names and sizes of private files: the limits of docs/spec/api.md, and what of a name is safe to show. */

import { ApiError } from "../api/client";

/** What the box takes. */
const MAX_BYTES = 16 * 1024 * 1024;
const MAX_NAME_BYTES = 200;

/** Why the box would refuse a file, so that nobody waits for it first. */
export function fileProblem({ name, size }: { name: string; size: number }): string | undefined {
  if (size > MAX_BYTES) return "It is larger than 16 MiB, the most a private file can have.";
  if (new TextEncoder().encode(name).length > MAX_NAME_BYTES) return "Its name is too long. Give it a shorter one on this device, then add it again.";
  if (/[/\\\p{Cc}]/u.test(name)) return "Its name has a slash, a backslash or a sign that cannot be seen. Give it another one, then add it again.";
  if (name.startsWith(".")) return "Its name starts with a full stop, so many programs would hide it. Give it another one, then add it again.";
  if (name.trim() !== name || name === "") return "Its name starts or ends with a space. Give it another one, then add it again.";
  return undefined;
}

/** Signs that turn the order of letters round: behind one, "gpj.exe" reads as the end of a picture (Unicode TR 36, 3.1). */
const TURNING = /[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/g;

/** A name as it is shown: what would make it look like another one is seen, and so is every space of several. */
export function shownName(name: string): string {
  return name.replace(TURNING, "\uFFFD").replace(/ (?= )/g, "\u00A0");
}

/** The names that would take the place of files that are there. */
export function replaced(names: string[], there: { name: string }[]): string[] {
  const known = new Set(there.map(({ name }) => name));
  return names.filter((name) => known.has(name));
}

export interface FileTrouble {
  message: string;
  /** Whether the next file can do no better. */
  stopsAll: boolean;
}

/** What to tell of a file that was not sent, removed or read. */
export function fileTrouble(error: unknown): FileTrouble {
  if (!(error instanceof ApiError)) return { message: "The box did not answer. Look whether it is in the list before you try again.", stopsAll: true };
  switch (error.code) {
    case "vault_locked":
      return { message: "Your private files were locked meanwhile. Open them, then add what is missing once more.", stopsAll: true };
    case "disk_full":
    case "storage_full":
      return { message: "The disk of the box is full. Remove something that is not needed, then try again. Nothing that was there was changed.", stopsAll: true };
    case "too_many_files":
      return { message: "You have 1,000 private files, the most there can be. Remove one first.", stopsAll: true };
    case "too_large":
      return { message: "It is larger than 16 MiB, the most a private file can have.", stopsAll: false };
    case "no_such_file":
      return { message: "It is not on the box any more.", stopsAll: false };
    default:
      return { message: error.message, stopsAll: error.code !== "invalid_field" };
  }
}
