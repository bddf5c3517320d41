import { describe, expect, it } from "vitest";
import { ApiError, Unreachable } from "../api/client";
import type { KeyKind, StorageReport } from "../api/types";
import { hasNoChip, hasPassphrase, passphraseProblems, passphraseTrouble, rotationWords, volumeProblems, volumeTrouble } from "./volume";

function report(kinds: KeyKind[], rotation: StorageReport["rotation"] = null): StorageReport {
  const keys = kinds.map((kind) => ({ kind, is_confirmed: true }));
  return { unlock: { state: "opened", by: "recovery", reasons: [] }, keys, is_waiting_for_confirmation: false, rotation };
}

describe("a box without security chip", () => {
  it.each([
    [["boot_key", "recovery"], true, false],
    [["passphrase", "recovery"], true, true],
    [["tpm", "boot_key"], false, false],
    [["recovery"], false, false],
    [[], false, false],
  ] as [KeyKind[], boolean, boolean][])("with %j", (kinds, none, typed) => {
    expect([hasNoChip(report(kinds)), hasPassphrase(report(kinds))]).toEqual([none, typed]);
  });

  it("takes a passphrase that is long enough, twice", () => {
    const problems = (passphrase: string, again: string, password = "x") => passphraseProblems({ passphrase, again, password }, true);
    expect(problems("", "").passphrase).toMatch(/Choose/);
    expect(problems("short", "").passphrase).toMatch(/7 more/);
    expect(problems("x".repeat(512), "x".repeat(512))).toEqual({});
    expect(problems("x".repeat(513), "").passphrase).toMatch(/shorter/);
    // Two bytes each.
    expect(problems("ö".repeat(256), "ö".repeat(256))).toEqual({});
    expect(problems("ö".repeat(257), "").passphrase).toMatch(/shorter/);
    expect(problems("ö".repeat(11), "").passphrase).toMatch(/1 more/);
    expect(problems("six geese on\ta wall", "").passphrase).toMatch(/cannot be typed/);
    expect(problems("long enough now", "").again).toMatch(/once more/);
    expect(problems("long enough now", "long enough not").again).toMatch(/differ/);
    expect(problems("long enough now", "long enough now")).toEqual({});
    expect(Object.keys(problems("long enough now", "long enough now", ""))).toEqual(["password"]);
    expect(passphraseProblems({ passphrase: "long enough now", again: "long enough now", password: "" }, false)).toEqual({});
  });

  it("says what the box refuses", () => {
    expect(passphraseTrouble(new ApiError(409, "keys_refused", "no recovery key")).message).toBe("no recovery key");
    expect(passphraseTrouble(new ApiError(403, "wrong_password", "x")).field).toBe("password");
    expect(passphraseTrouble(new ApiError(422, "invalid_field", "x", "passphrase")).field).toBe("passphrase");
  });
});

describe("the volume key", () => {
  it("tells how far it is", () => {
    expect(rotationWords(report([]))).toBeUndefined();
    expect(rotationWords(report([], { percent: 40, problem: null }))).toEqual({ percent: 40, text: "40 % of the disk has the new key." });
    expect(rotationWords(report([], { percent: null, problem: null }))?.percent).toBeUndefined();
    expect(rotationWords(report([], { percent: 40, problem: "no room" }))?.text).toMatch(/no room.*goes on/);
  });

  it("needs both the password and the key on paper", () => {
    expect(Object.keys(volumeProblems({ password: "", recoveryKey: " " }))).toEqual(["recoveryKey", "password"]);
    expect(volumeProblems({ password: "x", recoveryKey: "x" })).toEqual({});
    expect(volumeTrouble(new ApiError(403, "wrong_key", "x")).field).toBe("recoveryKey");
    expect(volumeTrouble(new ApiError(403, "wrong_password", "x")).field).toBe("password");
    expect(volumeTrouble(new Unreachable()).field).toBeUndefined();
  });
});
