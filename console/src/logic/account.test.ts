import { describe, expect, it } from "vitest";
import { ApiError, Unreachable } from "../api/client";
import { changeProblems, changeTrouble, changedWords, resetProblems, resetTrouble } from "./account";

const OLD = "warm stones keep the night";
const NEW = "cold rivers carry the day";
const CODE = "0H8K-2QWM-5T9X-ZJ3N-P7VD-R4CF-6YAB-E1GS-WX20";

describe("another password", () => {
  it("is taken with the old one and typed twice", () => {
    expect(changeProblems({ old: OLD, fresh: NEW, again: NEW })).toEqual({});
  });

  it.each([
    [{ old: "", fresh: NEW, again: NEW }, ["old"]],
    [{ old: OLD, fresh: "short", again: "short" }, ["fresh"]],
    [{ old: OLD, fresh: OLD, again: OLD }, ["fresh"]],
    [{ old: OLD, fresh: NEW, again: OLD }, ["again"]],
    [{ old: "", fresh: "", again: "" }, ["old", "fresh"]],
  ])("of %j has something wrong with %j", (change, fields) => {
    expect(Object.keys(changeProblems(change))).toEqual(fields);
  });

  it.each([
    [new ApiError(403, "wrong_password", "x"), "old", /not the password you have now/],
    [new ApiError(422, "invalid_field", "what the box says", "new"), "fresh", /what the box says/],
    [new ApiError(429, "too_many_tries", "x", undefined, undefined, 30), undefined, /wait/],
    [new ApiError(503, "busy", "what the box says"), undefined, /what the box says/],
    [new Unreachable(), undefined, /perhaps/],
  ])("that is refused with %s tells it at %s", (error, field, words) => {
    expect(changeTrouble(error).field).toBe(field);
    expect(changeTrouble(error).message).toMatch(words);
  });

  it("says what became of the vault, and claims nothing of one it does not know", () => {
    expect(changedWords("open")).toMatch(/stay open/);
    expect(changedWords("locked")).toMatch(/recovery code opens them/);
    expect(changedWords(undefined)).not.toMatch(/private files/);
  });
});

describe("a password in the place of a forgotten one", () => {
  it("needs name, code and the new one twice", () => {
    expect(resetProblems({ name: "Robin", code: CODE, fresh: NEW, again: NEW })).toEqual({});
    expect(Object.keys(resetProblems({ name: " ", code: "0H8K", fresh: "", again: "" }))).toEqual(["name", "code", "fresh"]);
  });

  it.each([
    [new ApiError(403, "wrong_key", "x"), undefined, /do not go together/],
    [new ApiError(422, "invalid_field", "a letter is mistyped", "recovery_code"), "code", /mistyped/],
    [new ApiError(422, "invalid_field", "too short", "new"), "fresh", /short/],
    [new ApiError(422, "invalid_field", "too long", "name"), "name", /long/],
    [new Unreachable(), undefined, /perhaps/],
  ])("that is refused with %s tells it at %s", (error, field, words) => {
    expect(resetTrouble(error).field).toBe(field);
    expect(resetTrouble(error).message).toMatch(words);
  });
});
