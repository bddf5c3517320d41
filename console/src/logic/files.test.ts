import { describe, expect, it } from "vitest";
import { ApiError, Unreachable } from "../api/client";
import { fileProblem, fileTrouble, replaced, shownName } from "./files";

const MAX = 16 * 1024 * 1024;

describe("a file", () => {
  it.each(["notes.txt", "Fotos von Oma (2).jpg", "ü".repeat(100), "a b  c", "家族.pdf", "👩‍🚒.png"])("called %j is taken", (name) => {
    expect(fileProblem({ name, size: MAX })).toBeUndefined();
  });

  it.each([
    ["big.iso", MAX + 1, /larger than 16 MiB/],
    ["ü".repeat(101), 1, /too long/],
    ["a/b", 1, /slash/],
    ["a\\b", 1, /backslash/],
    ["a\u0007b", 1, /cannot be seen/],
    [".profile", 1, /full stop/],
    ["a ", 1, /space/],
    ["", 1, /space/],
  ])("called %j of %d bytes is not sent", (name, size, why) => {
    expect(fileProblem({ name, size })).toMatch(why);
  });

  it("does not look like another one", () => {
    expect(shownName("photo\u202Egpj.exe")).toBe("photo\uFFFDgpj.exe");
    expect(shownName("a   b c")).toBe("a\u00A0\u00A0 b c");
    expect(shownName("👩‍🚒 ümlaut.png")).toBe("👩‍🚒 ümlaut.png");
  });

  it("takes the place only of one with the very same name", () => {
    expect(replaced(["a", "B", "c"], [{ name: "a" }, { name: "b" }])).toEqual(["a"]);
  });
});

it.each([
  [new ApiError(507, "disk_full", "x"), /disk of the box is full/, true],
  [new ApiError(507, "storage_full", "x"), /disk of the box is full/, true],
  [new ApiError(409, "vault_locked", "x"), /locked meanwhile/, true],
  [new ApiError(409, "too_many_files", "x"), /1,000/, true],
  [new ApiError(413, "too_large", "x"), /16 MiB/, false],
  [new ApiError(422, "invalid_field", "what the box says", "name"), /what the box says/, false],
  [new ApiError(404, "no_such_file", "x"), /any more/, false],
  [new ApiError(500, "internal", "what the box says"), /what the box says/, true],
  [new Unreachable(), /did not answer/, true],
])("%s is told, and stops the rest or not", (error, words, stopsAll) => {
  expect(fileTrouble(error).message).toMatch(words);
  expect(fileTrouble(error).stopsAll).toBe(stopsAll);
});
