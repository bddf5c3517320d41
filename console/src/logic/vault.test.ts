import { describe, expect, it } from "vitest";
import { ApiError, Unreachable } from "../api/client";
import type { Vault } from "../api/types";
import { codeProblem, GIVE_UP, meansToGiveUp, openedWords, openProblem, openTrouble, vaultWords, vaultWork } from "./vault";

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

  it("that gets another key says how far that is", () => {
    const vault: Vault = { ...VAULT, state: "busy", rotation: { percent: 40 }, opening: null };
    expect(vaultWords(vault).word).toBe("Getting another key");
    expect(vaultWork(vault)).toMatchObject({ text: "40 % of your files have the new key.", percent: 40 });
    expect(vaultWords({ ...vault, rotation: null }).word).toBe("Locking");
    expect(vaultWork({ ...vault, rotation: null })).toBeUndefined();
  });

  it("that is restored says how many files are opened", () => {
    const opening = (files: number, files_total: number, bytes: number, bytes_total: number): Vault => ({
      ...VAULT,
      state: "busy",
      opening: { files, files_total, bytes, bytes_total },
    });
    expect(vaultWords(opening(0, 0, 0, 0)).word).toBe("Coming from the backup");
    expect(vaultWork(opening(0, 0, 0, 0))?.percent).toBeUndefined();
    expect(vaultWork(opening(2, 9, 500, 1000))).toMatchObject({ text: "2 of 9 files opened.", percent: 50 });
    expect(vaultWork(opening(1, 4, 0, 0))?.percent).toBe(25);
    expect(vaultWork(opening(0, 1, 2000, 1000))).toMatchObject({ text: "0 of 1 file opened.", percent: 100 });
  });

  it("names files from the backup that did not open, as names are shown", () => {
    const problem = "private files from the backup could not be opened: holiday\u202Egpj.exe (it was changed)";
    expect(openProblem({ ...VAULT, problem })).toBe("Private files from the backup could not be opened: holiday\uFFFDgpj.exe (it was changed).");
    expect(openProblem(VAULT)).toBeUndefined();
    expect(openProblem({ ...VAULT, state: "locked", problem })).toBeUndefined();
    expect([VAULT, { ...VAULT, problem }, { ...VAULT, state: "busy" } as Vault].map(openedWords)).toEqual([
      "Your files are open.",
      "Your files are open, but not all of them.",
      "That was right. Your files come from the backup now.",
    ]);
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
