import { describe, expect, it } from "vitest";
import { confirmProblem, hostnameProblem, ownerNameProblem, passwordHint, passwordProblem, tidyHostname } from "./fields";

describe("host name", () => {
  it.each(["hearth", "h", "hearth-2", "1home", "a".repeat(63)])("accepts %j", (name) => {
    expect(hostnameProblem(name)).toBeUndefined();
  });

  it.each([
    ["", /Give the box a name/],
    ["a".repeat(64), /at most 63/],
    ["a.b", /“\.”/],
    ["hëarth", /“ë”/],
    ["😀", /“😀”/],
    ["-a", /dash/],
    ["a-", /dash/],
  ])("refuses %j", (name, why) => {
    expect(hostnameProblem(name)).toMatch(why);
  });

  it("tidies what has a clear meaning and nothing else", () => {
    expect(tidyHostname("My Box_2")).toBe("my-box-2");
    expect(tidyHostname("böx.")).toBe("böx.");
  });
});

describe("owner", () => {
  it("counts characters as people do", () => {
    expect(ownerNameProblem("😀".repeat(64))).toBeUndefined();
    expect(ownerNameProblem("😀".repeat(65))).toMatch(/at most 64/);
    expect(passwordProblem("😀".repeat(9))).toMatch(/1 more/);
    expect(passwordProblem("😀".repeat(10))).toBeUndefined();
  });

  it("refuses blank names and control characters", () => {
    expect(ownerNameProblem("  ")).toMatch(/Tell the box/);
    expect(ownerNameProblem("a\u0007b")).toMatch(/cannot be typed/);
  });

  it("holds the password to its limits", () => {
    expect(passwordProblem("")).toMatch(/Choose/);
    expect(passwordProblem("a".repeat(9))).toMatch(/1 more/);
    expect(passwordProblem("a".repeat(256))).toBeUndefined();
    expect(passwordProblem("a".repeat(257))).toMatch(/at most 256/);
    expect(passwordHint("abc")).toBe("3 of at least 10 characters.");
    expect(passwordHint("a".repeat(10))).toMatch(/long enough/);
  });

  it("compares the two passwords", () => {
    expect(confirmProblem("abc", "")).toMatch(/once more/);
    expect(confirmProblem("abc", "abd")).toMatch(/differ/);
    expect(confirmProblem("abc", "abc")).toBeUndefined();
  });
});
