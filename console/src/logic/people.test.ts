import { describe, expect, it } from "vitest";
import { ApiError, Unreachable } from "../api/client";
import { isOwner, personProblems, personTrouble, roleWords } from "./people";

const GOOD = { name: "Kim", fresh: "long enough it is", again: "long enough it is", password: "mine" };

it("owners and members are told apart, and roles of a newer box are not taken for an owner's", () => {
  expect(["owner", "member", "guest"].map((role) => isOwner({ name: "x", role }))).toEqual([true, false, false]);
  expect(["owner", "member", "guest"].map((role) => roleWords(role).word)).toEqual(["Owner", "Member", "guest"]);
});

describe("an account", () => {
  it("is fine with a name, a password twice, and one's own", () => {
    expect(personProblems(GOOD)).toEqual({});
  });

  it.each([
    [{ name: " " }, ["name"]],
    [{ name: "x".repeat(65) }, ["name"]],
    [{ fresh: "short" }, ["fresh"]],
    [{ again: "long enough it isnt" }, ["again"]],
    [{ password: "" }, ["password"]],
  ])("with %j lacks %j", (change, fields) => {
    expect(Object.keys(personProblems({ ...GOOD, ...change }))).toEqual(fields);
  });

  it.each([
    [new ApiError(409, "user_exists", "x"), "name", /already/],
    [new ApiError(409, "last_owner", "x"), undefined, /nobody else takes away/],
    [new ApiError(403, "wrong_password", "x"), "password", /not your password/],
    [new ApiError(422, "invalid_field", "too well known", "new"), "fresh", /too well known/],
    [new ApiError(422, "invalid_field", "no such name", "name"), "name", /no such name/],
    [new Unreachable(), undefined, /perhaps/],
  ])("refused with %s", (error, field, words) => {
    const trouble = personTrouble(error);
    expect(trouble.field).toBe(field);
    expect(trouble.message).toMatch(words);
  });
});
