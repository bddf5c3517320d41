import { describe, expect, it } from "vitest";
import { ApiError, Unreachable } from "../api/client";
import { advance, endProblem, formatEnd, keyGroups, startRecovery, type Event, type Recovery } from "./recovery";

const KEY = "7Q2M-XVD9-FTHK-3WPZ-80RC-N5JE-B6YA-T4GK-1VSX";

function run(events: Event[], from: Recovery = startRecovery("password")): Recovery {
  return events.reduce(advance, from);
}

describe("the way to paper", () => {
  it("shows the key, asks for its end and forgets it", () => {
    const shown = run([{ kind: "make" }, { kind: "made", recoveryKey: KEY }]);
    expect(shown).toEqual({ phase: "shown", recoveryKey: KEY, attempt: 0 });
    const done = run([{ kind: "written" }, { kind: "check" }, { kind: "confirmed" }], shown);
    expect(done).toEqual({ phase: "done", attempt: 0 });
  });

  it("shows the key again while its end is typed", () => {
    const typing = run([{ kind: "make" }, { kind: "made", recoveryKey: KEY }, { kind: "written" }]);
    expect(run([{ kind: "show-again" }], typing).phase).toBe("shown");
  });

  it("shows a code that was made without a key", () => {
    const shown = run([{ kind: "make" }, { kind: "made", recoveryCode: KEY }]);
    expect(shown).toEqual({ phase: "shown", recoveryCode: KEY, attempt: 0 });
    expect(run([{ kind: "written" }, { kind: "show-again" }], shown).phase).toBe("shown");
  });

  it("shows nothing again where the key was told at another time", () => {
    expect(run([{ kind: "show-again" }], startRecovery("typing")).phase).toBe("typing");
  });
});

describe("what fails", () => {
  it("while the key is made leads to the password, with what the box says", () => {
    const wrong = run([{ kind: "make" }, { kind: "failed", error: new ApiError(403, "wrong_password", "That is not your password.") }]);
    expect(wrong).toEqual({ phase: "password", trouble: "That is not your password.", attempt: 1 });
    expect(run([{ kind: "make" }], wrong).trouble).toBeUndefined();
    expect(run([{ kind: "make" }, { kind: "failed", error: new ApiError(403, "wrong_key", "x") }]).trouble).toMatch(/no code was made/);
  });

  it("while its end is checked leads back to the end, and keeps the key", () => {
    const checking = run([{ kind: "make" }, { kind: "made", recoveryKey: KEY }, { kind: "written" }, { kind: "check" }]);
    const wrong = run([{ kind: "failed", error: new ApiError(403, "not_its_end", "no") }], checking);
    expect(wrong.phase).toBe("typing");
    expect(wrong.recoveryKey).toBe(KEY);
    expect(wrong.trouble).toMatch(/new key.*letter by letter/);
    const wrongCode = run([{ kind: "failed", error: new ApiError(403, "not_its_end", "no"), part: "code" }], checking);
    expect(wrongCode.trouble).toMatch(/new code.*letter by letter/);
    expect(run([{ kind: "failed", error: new Unreachable() }], checking).trouble).toMatch(/did not answer/);
  });
});

describe("the key", () => {
  it("comes in groups, whatever stands between them", () => {
    expect(keyGroups(KEY)).toHaveLength(9);
    expect(keyGroups("ABCD EFGH\nJKMN ")).toEqual(["ABCD", "EFGH", "JKMN"]);
  });

  it.each([
    ["", /Type the last two groups/],
    ["t4gk-1vs", /1 more to go/],
    [KEY, /not all of it/],
    [" t4gk 1vsx ", undefined],
  ])("ends with %j: %s", (typed, problem) => {
    if (problem === undefined) expect(endProblem(typed, "key")).toBeUndefined();
    else expect(endProblem(typed, "key")).toMatch(problem);
  });

  it("has its end grouped while it is typed", () => {
    expect(["", "t4", "t4gk", "t4gk1", "T4GK 1VSX"].map(formatEnd)).toEqual(["", "T4", "T4GK", "T4GK-1", "T4GK-1VSX"]);
  });
});
