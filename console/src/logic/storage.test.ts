import { describe, expect, it } from "vitest";
import { ApiError, Unreachable } from "../api/client";
import type { KeyKind, StorageReport } from "../api/types";
import { hasRecoveryKey, keyName, keyWords, needsSeal, opening, typedKeyName, unlockTrouble } from "./storage";

function opened(by: KeyKind): StorageReport {
  return { unlock: { state: "opened", by, reasons: [] }, keys: [], is_waiting_for_confirmation: false };
}

describe("how the data was opened", () => {
  it("is told plainly, also when it protects little", () => {
    expect(opening(opened("tpm")).tone).toBe("good");
    expect(opening(opened("boot_key")).detail).toMatch(/can read everything/);
    expect(opening(opened("recovery")).detail).toMatch(/locked again/);
    expect(opening({ ...opened("tpm"), unlock: { state: "failed", reason: "no header" } }).detail).toBe("no header");
  });

  it("asks for a new seal only after the recovery key", () => {
    expect((["tpm", "boot_key", "passphrase", "recovery"] as const).map((by) => needsSeal(opened(by)))).toEqual([false, false, false, true]);
  });
});

describe("keys", () => {
  it("have names, also those of a newer box", () => {
    expect(keyName("tpm")).toBe("Security chip (TPM)");
    expect(keyName("fob" as KeyKind)).toBe("fob");
    expect(keyWords({ kind: "fob" as KeyKind, is_confirmed: true })).toMatch(/Reload/);
  });

  it("on paper count only when somebody has shown to have them", () => {
    const with_key = (is_confirmed: boolean): StorageReport => ({ ...opened("tpm"), keys: [{ kind: "recovery", is_confirmed }] });
    expect([hasRecoveryKey(opened("tpm")), hasRecoveryKey(with_key(false)), hasRecoveryKey(with_key(true))]).toEqual([false, false, true]);
    expect(keyWords({ kind: "recovery", is_confirmed: false })).toMatch(/Nobody has shown/);
  });

  it.each([
    [["recovery"], "Recovery key"],
    [["passphrase", "recovery"], "Passphrase or recovery key"],
    [["passphrase"], "Passphrase"],
    [[], undefined],
  ] as [KeyKind[], string | undefined][])("typed are %j: %s", (takes, name) => {
    expect(typedKeyName(takes)).toBe(name);
  });
});

it("a wrong passphrase is told in other words than a wrong key on paper", () => {
  expect(unlockTrouble(new ApiError(403, "wrong_key", "x"), true)).toMatch(/capital letters of the passphrase/);
});

it.each([
  [new ApiError(409, "not_locked", "x"), undefined],
  [new ApiError(403, "wrong_key", "x"), /letter by letter/],
  [new ApiError(429, "too_many_tries", "x", undefined, undefined, 30), /wait/],
  [new ApiError(503, "keys_unavailable", "what the box says"), /what the box says/],
  [new Unreachable(), /did not answer/],
])("%s is told", (error, words) => {
  if (words === undefined) expect(unlockTrouble(error)).toBeUndefined();
  else expect(unlockTrouble(error)).toMatch(words);
});
