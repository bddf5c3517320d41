import { describe, expect, it } from "vitest";
import { ApiError, Unreachable } from "../api/client";
import type { Remark } from "../api/apps";
import {
  draftProblems,
  EMPTY,
  idProblem,
  idTrouble,
  kindOfFile,
  lookTrouble,
  readVariables,
  remarkWords,
  sourceOf,
  withLines,
  type Draft,
} from "./install";

const COMPOSE: Draft = { ...EMPTY, kind: "compose", compose: "services: {}" };

function remark(words: string, place = "", line: number | null = null): Remark {
  return { place, line, words };
}

describe("what is typed", () => {
  it.each([
    [EMPTY, ["text"]],
    [{ ...EMPTY, manifest: "{}" }, []],
    [{ ...EMPTY, manifest: "x".repeat(65_537) }, ["text"]],
    [{ ...EMPTY, kind: "image" }, ["image"]],
    [{ ...EMPTY, kind: "image", image: "a b" }, ["image"]],
    [{ ...EMPTY, kind: "image", image: "a".repeat(256) }, ["image"]],
    [{ ...EMPTY, kind: "image", image: " redis:7 " }, []],
    [COMPOSE, []],
    [{ ...COMPOSE, compose: " " }, ["text"]],
    [{ ...COMPOSE, compose: "ä".repeat(70_000) }, ["text"]],
    [{ ...COMPOSE, title: "x".repeat(121) }, ["title"]],
    [{ ...COMPOSE, version: "1.4" }, ["version"]],
    [{ ...COMPOSE, version: "1.4.0-rc.1" }, []],
    [{ ...COMPOSE, variables: "A=1\nnonsense" }, ["variables"]],
  ] as [Draft, string[]][])("%#: lacks %j", (draft, fields) => {
    expect(Object.keys(draftProblems(draft))).toEqual(fields);
  });

  it("becomes what the box takes, without what was left empty", () => {
    expect(sourceOf({ ...EMPTY, manifest: "{}", image: "kept" })).toEqual({ manifest: "{}" });
    expect(sourceOf({ ...EMPTY, kind: "image", image: " redis:7 " })).toEqual({ image: "redis:7" });
    expect(sourceOf(COMPOSE)).toEqual({ compose: { text: "services: {}", variables: {} } });
    expect(sourceOf({ ...COMPOSE, title: " Wiki ", version: "1.0.0", variables: "A = 1=2\r\n# not this\n\nB=" })).toEqual({
      compose: { text: "services: {}", title: "Wiki", version: "1.0.0", variables: { A: "1=2", B: "" } },
    });
  });

  it("says which line of the settings is none", () => {
    expect(readVariables("A=1\n\n1B=2").problem).toMatch(/^Line 3 /);
  });

  it("is of the kind that the file's name says, or its beginning", () => {
    expect(kindOfFile("hearth.JSON", "services:")).toBe("manifest");
    expect(kindOfFile("docker-compose.yml", "{}")).toBe("compose");
    expect(kindOfFile("app.txt", '\n {"format":1}')).toBe("manifest");
    expect(kindOfFile("app.txt", "services:")).toBe("compose");
  });
});

describe("refusals", () => {
  const refused = (...refusals: Remark[]) => new ApiError(422, "app_refused", "x", undefined, undefined, undefined, refusals);

  it("are listed", () => {
    const { message, refusals, field } = lookTrouble(refused(remark("not known", "/a")), "");
    expect([message, refusals.length, field]).toEqual(["The box cannot take this as it is. Nothing was installed.", 1, undefined]);
  });

  it("for want of a value stand at the settings, once each", () => {
    const missing = ["DB", "SECRET", "DB"].map((name) => remark(`the variable ${name} has no value; give it one`));
    const trouble = lookTrouble(refused(...missing, remark("no")), "SECRET=x");
    expect([trouble.field, trouble.missing, trouble.refusals.length]).toEqual(["variables", ["DB"], 1]);
    expect(withLines("SECRET=x\n", trouble.missing)).toBe("SECRET=x\nDB=");
    expect(withLines("", ["A", "B"])).toBe("A=\nB=");
  });

  it("of other kinds are told as they are", () => {
    expect(lookTrouble(new ApiError(503, "storage_unavailable", "The disk is full."), "").message).toBe("The disk is full.");
    expect(lookTrouble(new Unreachable(), "").message).toMatch(/did not answer/);
  });

  it.each([
    [remark("it is left out", "services.web.x", 4), "Line 4, services.web.x", "It is left out."],
    [remark("not known.", "/containers/web/a~1b"), "containers › web › a/b", "Not known."],
    [{ place: "", words: "all of it" }, "", "All of it."],
  ] as [Remark, string, string][])("%#: has a place and words", (each, where, words) => {
    expect(remarkWords(each)).toEqual({ where, words });
  });
});

describe("short names", () => {
  it.each([
    ["notes", true],
    ["a-1", true],
    ["", false],
    ["1a", false],
    ["-a", false],
    ["a-", false],
    ["a_b", false],
    ["a".repeat(64), false],
  ])("%s: %s", (id, good) => {
    expect(idProblem(id) === undefined).toBe(good);
  });

  it.each([
    [new ApiError(409, "id_taken", "x"), "id", /another app/i],
    [new ApiError(422, "invalid_field", "no such name", "id"), "id", /no such name/],
    [new ApiError(403, "owner_only", "Not yours."), undefined, /Not yours/],
  ])("refused with %s", (error, field, words) => {
    const trouble = idTrouble(error);
    expect(trouble.field).toBe(field);
    expect(trouble.message).toMatch(words);
  });
});
