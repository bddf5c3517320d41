import { describe, expect, it } from "vitest";
import { ApiError } from "../api/client";
import { advance, isOver, outcome, percent, sendingWords, startSending, type Event, type Sending } from "./sending";

const FILES = [
  { name: "a", size: 1000 },
  { name: "b", size: 3000 },
  { name: "c", size: 0 },
];

function run(events: Event[], from: Sending = startSending(FILES)): Sending {
  return events.reduce(advance, from);
}

describe("files on their way", () => {
  it("go one after the other", () => {
    const half = run([{ kind: "sent" }, { kind: "moved", bytes: 1500 }]);
    expect([half.at, percent(half), sendingWords(half)]).toEqual([1, 62, "File 2 of 3: b, 1.5 kB of 3.0 kB"]);
    const over = run([{ kind: "sent" }, { kind: "sent" }], half);
    expect([isOver(over), percent(over), outcome(over)]).toEqual([true, 100, "3 files are on the box now."]);
  });

  it("have arrived only when the box has written them", () => {
    const all = run([{ kind: "moved", bytes: 1200 }]);
    expect([all.bytes, all.sent]).toEqual([1000, 0]);
    expect(sendingWords(all)).toMatch(/writes it to its disk/);
  });

  it("of no length stand at nothing until they are there", () => {
    const empty = startSending([{ name: "c", size: 0 }]);
    expect(percent(empty)).toBe(0);
    expect(percent(advance(empty, { kind: "sent" }))).toBe(100);
  });

  it("let the next one go where only one did not fit", () => {
    const state = run([{ kind: "unfit", why: "too long a name" }, { kind: "failed", error: new ApiError(413, "too_large", "x") }, { kind: "sent" }]);
    expect(state.failures.map(({ name }) => name)).toEqual(["a", "b"]);
    expect(outcome(state)).toBe("1 file is on the box now.");
  });

  it("stop where the next one can do no better, and say what is missing", () => {
    const full = run([{ kind: "sent" }, { kind: "failed", error: new ApiError(507, "disk_full", "x") }]);
    expect([isOver(full), outcome(full)]).toEqual([true, "1 file is on the box now. 1 more was not sent."]);
    expect(full.failures).toHaveLength(1);
  });

  it("stop when somebody says so, and then nothing changes any more", () => {
    const stopped = run([{ kind: "sent" }, { kind: "stopped" }]);
    expect(outcome(stopped)).toBe("1 file is on the box now. 2 more were not sent.");
    expect(advance(stopped, { kind: "sent" })).toEqual(stopped);
  });
});
