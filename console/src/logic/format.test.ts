import { describe, expect, it } from "vitest";
import { clockProblem, formatBytes, formatDuration, greeting, used } from "./format";

describe("formatBytes", () => {
  it.each([
    [0, "0 bytes"],
    [999, "999 bytes"],
    [1000, "1.0 kB"],
    [999_999, "1.0 MB"],
    [15_600_000, "16 MB"],
    [3_240_000_000, "3.2 GB"],
    [128_000_000_000, "128 GB"],
    [-5, "0 bytes"],
  ])("%d is %j", (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });
});

describe("formatDuration", () => {
  it.each([
    [0, "0 seconds"],
    [0.9, "0 seconds"],
    [1, "1 second"],
    [59, "59 seconds"],
    [61, "1 minute"],
    [3600, "1 hour"],
    [3660, "1 hour 1 minute"],
    [90_000, "1 day 1 hour"],
    [3 * 86_400 + 59, "3 days"],
  ])("%d s is %j", (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text);
  });
});

describe("used", () => {
  it("says how much and how urgent", () => {
    expect(used({ total_bytes: 1000, available_bytes: 750 })).toEqual({
      percent: 25,
      text: "250 bytes of 1.0 kB used",
      level: "calm",
    });
    expect(used({ total_bytes: 100, available_bytes: 15 })?.level).toBe("high");
    expect(used({ total_bytes: 100, available_bytes: 5 })?.level).toBe("full");
  });

  it("never leaves 0 to 100, whatever the box says", () => {
    expect(used({ total_bytes: 100, available_bytes: 200 })?.percent).toBe(0);
    expect(used({ total_bytes: 100, available_bytes: -1 })?.percent).toBe(100);
    expect(used({ total_bytes: 0, available_bytes: 0 })).toBeUndefined();
  });
});

it("notices a clock that stands at 1970, and only that", () => {
  expect(clockProblem(60, 1_790_000_000)).toMatch(/behind/);
  expect(clockProblem(1_790_000_400, 1_790_000_000)).toMatch(/6 minutes ahead of/);
  expect(clockProblem(1_790_000_010, 1_790_000_000)).toBeUndefined();
});

it("greets by the hour", () => {
  expect([3, 9, 13, 20].map(greeting)).toEqual(["Good evening", "Good morning", "Good afternoon", "Good evening"]);
});
