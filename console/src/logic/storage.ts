/** Plain words for how the encrypted data was opened and what opens it. */

import { ApiError } from "../api/client";
import type { KeyKind, StorageKey, StorageReport } from "../api/types";
import type { Tone } from "./words";

const KEY_NAMES: Record<KeyKind, string> = {
  tpm: "Security chip (TPM)",
  boot_key: "Key on the boot partition",
  passphrase: "Passphrase",
  recovery: "Recovery key",
};

const KEY_WORDS: Record<KeyKind, string> = {
  tpm: "Opens the data by itself, in this box only and only for a genuine system.",
  boot_key: "Opens the data by itself. It lies unprotected on the same disk.",
  passphrase: "Somebody types it at each start.",
  recovery: "On paper. It opens the data when nothing else does.",
};

export interface Opening {
  word: string;
  tone: Tone;
  detail: string;
}

/** How the data was opened at this start. */
export function opening({ unlock }: StorageReport): Opening {
  switch (unlock.state) {
    case "opened":
      return OPENINGS[unlock.by] ?? { word: "Open", tone: "good", detail: "In a way that this page does not know yet. Reload it." };
    case "locked":
      return { word: "Locked", tone: "bad", detail: "Nothing that the box has opened the data." };
    case "failed":
      return { word: "Cannot be opened", tone: "bad", detail: unlock.reason };
  }
}

const OPENINGS: Record<KeyKind, Opening> = {
  tpm: {
    word: "Opened by the security chip",
    tone: "good",
    detail: "Your data is encrypted, and this box opens it by itself. Whoever takes the disk out of it can read nothing.",
  },
  boot_key: {
    word: "Opened by a key on the same disk",
    tone: "bad",
    detail:
      "Your data is encrypted, but the key lies beside it, because this box could not use a security chip (TPM). Whoever has the disk or card can read everything on it. Keep the box where nobody can take it.",
  },
  passphrase: {
    word: "Opened by a passphrase",
    tone: "good",
    detail: "Your data is encrypted. After every start somebody types the passphrase; until then nobody can read anything.",
  },
  recovery: {
    word: "Opened by the recovery key",
    tone: "busy",
    detail: "Nothing else opened the data at this start. Let the box seal it anew, or it will be locked again after the next start.",
  },
};

export function keyName(kind: KeyKind): string {
  return KEY_NAMES[kind] ?? kind;
}

/** What a key is for, and what is the matter with it. */
export function keyWords(key: StorageKey): string {
  const words = KEY_WORDS[key.kind] ?? "This page does not know what it is for. Reload it.";
  return key.is_confirmed ? words : `${words} Nobody has shown yet that it is written down.`;
}

/** Whether somebody has shown to have the recovery key on paper. */
export function hasRecoveryKey({ keys }: StorageReport): boolean {
  return keys.some(({ kind, is_confirmed }) => kind === "recovery" && is_confirmed);
}

/** Whether the next start needs somebody again unless the data is sealed anew. */
export function needsSeal({ unlock }: StorageReport): boolean {
  return unlock.state === "opened" && unlock.by === "recovery";
}

/** What the field on the locked page is called; nothing where no key that is typed opens the data. */
export function typedKeyName(takes: KeyKind[]): string | undefined {
  const passphrase = takes.includes("passphrase");
  if (takes.includes("recovery")) return passphrase ? "Passphrase or recovery key" : "Recovery key";
  return passphrase ? "Passphrase" : undefined;
}

/** What to tell of a key that did not open the data; nothing when it is open meanwhile. */
export function unlockTrouble(error: unknown, takesPassphrase = false): string | undefined {
  if (!(error instanceof ApiError)) return "The box did not answer, so this key was perhaps not tried. Try again in a moment.";
  switch (error.code) {
    case "not_locked":
      return undefined;
    case "wrong_key":
      if (takesPassphrase) return "That does not open this box. Check capital letters of the passphrase; compare a recovery key with the paper. Nothing was changed.";
      return "That is not a key of this box. Compare it with the paper, letter by letter, and try again. Nothing was changed.";
    case "too_many_tries":
      return "Too many wrong keys, so the box makes everybody wait for a moment. Then try again.";
    default:
      return error.message;
  }
}
