import { describe, expect, it } from "vitest";
import { ApiError, Unreachable } from "../api/client";
import type { Vault } from "../api/types";
import { codeProblem, GIVE_UP, meansToGiveUp, openTrouble, vaultWords } from "./vault";

const VAULT: Vault = { state: "open", has_recovery_code: true, is_waiting_for_confirmation: false, problem: null, idle_seconds: 43_200 };
const CODE = "0H8K-2QWM-5T9X-ZJ3N-P7VD-R4CF-6YAB-E1GS-WX20";

describe("a vault", () => {
  it("says when it locks by itself", () => {
    expect(vaultWords(VAULT).detail).toMatch(/after 12 hours/);
  });

  it("that a right key did not show says so, and why", () => {
    const { word, detail } = vaultWords({ ...VAULT, state: "locked", problem: "the directory is busy" });
    expect(word).toBe("Cannot be shown");
    expect(detail).toMatch(/the directory is busy\.$/);
  });

  it("has its own word for each state", () => {
    const words = (["open", "locked", "busy", "none"] as const).map((state) => vaultWords({ ...VAULT, state }).word);
    expect(new Set(words).size).toBe(4);
  });
});

it.each([
  ["", /nine groups/],
  [CODE.slice(0, -1), /1 more to go/],
  [`${CODE}-AB`, /2 too many/],
  [CODE, undefined],
  [CODE.toLowerCase().replaceAll("-", " "), undefined],
])("the code %j: %s", (typed, problem) => {
  if (problem === undefined) expect(codeProblem(typed)).toBeUndefined();
  else expect(codeProblem(typed)).toMatch(problem);
});

it.each([
  [new ApiError(403, "wrong_key", "x"), "password", /only the recovery code/],
  [new ApiError(403, "wrong_key", "x"), "code", /not the recovery code/],
  [new ApiError(403, "wrong_password", "x"), "code", /log in with/],
  [new ApiError(429, "too_many_tries", "x"), "password", /wait/],
  [new ApiError(503, "vault_unavailable", "what the box says"), "password", /what the box says/],
  [new Unreachable(), "code", /did not answer/],
] as const)("%s by %s is told", (error, by, words) => {
  expect(openTrouble(error, by)).toMatch(words);
});

it("gives files up only for the words asked for", () => {
  expect(["Begin  Anew ", GIVE_UP].map(meansToGiveUp)).toEqual([true, true]);
  expect(["", "begin", "begin anew!", "yes"].map(meansToGiveUp)).toEqual([false, false, false, false]);
});
