/** The key under which everything on the disk is encrypted, and a passphrase for a box without security chip. Pure. */

import { ApiError } from "../api/client";
import type { StorageReport } from "../api/types";
import type { Problems, Trouble } from "./account";
import { askTrouble, TYPE_PASSWORD } from "./ask";

/** Fewer are guessed by whoever has the disk and some computers. */
export const PASSPHRASE_MIN = 12;
/** What the box takes, in bytes: letters beyond ASCII have two to four. */
const PASSPHRASE_MAX_BYTES = 512;

/** Whether nothing but a key on the same disk, or somebody who types, opens the data: only then is there a choice. */
export function hasNoChip({ keys }: StorageReport): boolean {
  const has = (wanted: string) => keys.some(({ kind }) => kind === wanted);
  return !has("tpm") && (has("boot_key") || has("passphrase"));
}

export function hasPassphrase({ keys }: StorageReport): boolean {
  return keys.some(({ kind }) => kind === "passphrase");
}

export interface RotationWords {
  text: string;
  /** Nothing while it stands still. */
  percent?: number;
}

/** How far the change of the volume key is; nothing while there is none. */
export function rotationWords({ rotation }: StorageReport): RotationWords | undefined {
  if (!rotation) return undefined;
  const { percent, problem } = rotation;
  if (problem !== null) return { text: `It stopped: ${problem}. At its next start the box goes on with it; nothing is lost.` };
  return percent === null ? { text: "It has begun." } : { percent, text: `${percent} % of the disk has the new key.` };
}

export interface VolumeDraft {
  password: string;
  recoveryKey: string;
}

export function volumeProblems({ password, recoveryKey }: VolumeDraft): Problems<keyof VolumeDraft> {
  return {
    ...(recoveryKey.trim() === "" ? { recoveryKey: "Type the recovery key from your paper: nine groups of four." } : {}),
    ...(password === "" ? { password: TYPE_PASSWORD } : {}),
  };
}

const WRONG_KEY = "That is not the recovery key of this box. Compare it with the paper, letter by letter. Nothing was changed.";

export function volumeTrouble(error: unknown): Trouble<keyof VolumeDraft> {
  if (error instanceof ApiError && error.code === "wrong_key") return { field: "recoveryKey", message: WRONG_KEY };
  return askTrouble(error, (field) => (field === "recovery_key" ? "recoveryKey" : undefined));
}

export interface PassphraseDraft {
  passphrase: string;
  again: string;
  password: string;
}

/** `asksPassword`: not where it is known from a moment ago. */
export function passphraseProblems({ passphrase, again, password }: PassphraseDraft, asksPassword: boolean): Problems<keyof PassphraseDraft> {
  const problems: Problems<keyof PassphraseDraft> = {};
  const length = [...passphrase].length;
  if (length === 0) problems.passphrase = "Choose a passphrase.";
  else if (length < PASSPHRASE_MIN) {
    problems.passphrase = `The passphrase needs at least ${PASSPHRASE_MIN} characters; ${PASSPHRASE_MIN - length} more to go.`;
  } else if (/\p{Cc}/u.test(passphrase)) problems.passphrase = "There is a sign in it that cannot be typed, such as a tab. Type the passphrase, rather than paste it.";
  else if (new TextEncoder().encode(passphrase).length > PASSPHRASE_MAX_BYTES) problems.passphrase = "Nobody types that much without a slip. Choose a shorter one.";
  else if (again === "") problems.again = "Type the passphrase once more, so that a slip does not lock the box.";
  else if (again !== passphrase) problems.again = "The two differ. Show them to compare.";
  if (asksPassword && password === "") problems.password = TYPE_PASSWORD;
  return problems;
}

export function passphraseTrouble(error: unknown): Trouble<keyof PassphraseDraft> {
  return askTrouble(error, (field) => (field === "passphrase" ? "passphrase" : undefined));
}
