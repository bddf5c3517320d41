import { describe, expect, it } from "vitest";
import type { AppLog, AppLogLine } from "../api/apps";
import { lineTime, MAX_LINES, moreLines, streamWord } from "./applogs";

function log(from: number, to: number): AppLog {
  const lines = Array.from({ length: to - from }, (_, index): AppLogLine => ({ number: from + index, unix_ms: 0, stream: "stdout", text: "x" }));
  return { lines, next: to };
}

const numbers = ({ lines }: AppLog) => lines.map(({ number }) => number);

describe("lines", () => {
  it("are added, each once", () => {
    const first = moreLines(undefined, log(3, 6));
    expect(numbers(moreLines(first, log(6, 8)))).toEqual([3, 4, 5, 6, 7]);
    expect(numbers(moreLines(first, log(4, 7)))).toEqual([3, 4, 5, 6]);
  });

  it("that bring nothing new leave all as it is", () => {
    const first = moreLines(undefined, log(0, 2));
    expect(moreLines(first, log(2, 2))).toBe(first);
    expect(moreLines(first, { lines: [], next: 5 })).toEqual({ lines: first.lines, next: 5 });
  });

  it("begin anew when the log did", () => {
    expect(numbers(moreLines(log(90, 95), log(0, 2)))).toEqual([0, 1]);
  });

  it("are no more than a page can show", () => {
    const many = moreLines(moreLines(undefined, log(0, MAX_LINES + 5)), log(MAX_LINES + 5, MAX_LINES + 10));
    expect(many.lines).toHaveLength(MAX_LINES);
    expect(many.lines.at(-1)?.number).toBe(MAX_LINES + 9);
  });

  it("tell the time, and the day where it was another", () => {
    const at = new Date(2026, 2, 5, 7, 8, 9);
    expect(lineTime(at.getTime(), new Date(2026, 2, 5, 23))).toBe("07:08:09");
    expect(lineTime(at.getTime(), new Date(2026, 2, 6))).toBe("5 Mar 07:08:09");
  });

  it("tell who said it, unless it is the ordinary", () => {
    expect([streamWord("stdout"), streamWord("stderr"), streamWord("box")]).toEqual([undefined, "error output", "the box"]);
  });
});
