import { describe, expect, it } from "vitest";
import { ApiError, Unreachable } from "../api/client";
import type { AppContainer, AppList, AppOperation, AppStatus, AppSummary, ContainerStatus } from "../api/apps";
import {
  afterEvent,
  appAfter,
  appsSummary,
  appState,
  appTrouble,
  canCallOff,
  containerDetail,
  containerState,
  endWords,
  goneWords,
  isSettled,
  operationWords,
  problemTitle,
  runs,
  scopeWords,
  sentence,
  sorted,
  stateAdvice,
} from "./apps";

const APP: AppSummary = {
  key: "a",
  id: "notes",
  title: "Notes",
  version: "1.0.0",
  scope: "user",
  state: "running",
  reasons: [],
  operation: null,
  problem: null,
  page: null,
};
const PULLING: AppOperation = { what: "install", step: "pulling", done_bytes: 42_000_000, total_bytes: 84_000_000, blocked: null };
const LIST: AppList = { problem: null, apps: [APP], ended: [] };

const STATES: AppStatus[] = [
  "installing",
  "updating",
  "removing",
  "removed",
  "stopped",
  "starting",
  "running",
  "unhealthy",
  "failed",
  "stopping",
  "locked",
  "unknown",
  "missing",
];

describe("states", () => {
  it("have words, and only what runs well is good", () => {
    expect(STATES.filter((state) => appState(state).tone === "good")).toEqual(["running"]);
    expect(appState("asleep" as AppStatus)).toEqual({ word: "asleep", tone: "off" });
  });

  it("that need something done say what", () => {
    expect(STATES.filter((state) => stateAdvice(state) !== undefined)).toEqual(["removed", "unhealthy", "failed", "locked", "unknown", "missing"]);
  });

  it.each([
    ["running", ["restart", "stop"]],
    ["unhealthy", ["restart", "stop"]],
    ["stopped", ["start"]],
    ["failed", ["start", "stop"]],
    ["starting", ["stop"]],
    ["installing", []],
    ["missing", []],
    ["unknown", []],
    ["removed", []],
  ] as [AppStatus, string[]][])("%s lets people %j", (state, can) => {
    expect(runs(state)).toEqual(can);
  });

  it("are settled when nothing is being done", () => {
    expect(isSettled(APP)).toBe(true);
    expect(isSettled({ ...APP, operation: PULLING })).toBe(false);
    expect(isSettled({ ...APP, state: "removed" })).toBe(false);
  });
});

it("says whose an app is", () => {
  expect(scopeWords("user")).not.toBe(scopeWords("system"));
});

describe("what is being done", () => {
  it("tells how far a fetch is", () => {
    expect(operationWords(PULLING)).toEqual({ text: "Fetching it from the Internet: 42 MB of 84 MB", percent: 50 });
    expect(operationWords({ ...PULLING, total_bytes: 0 })).toEqual({ text: "Fetching it from the Internet." });
    expect(operationWords({ ...PULLING, done_bytes: 90_000_000 }).percent).toBe(100);
  });

  it("tells what it waits for", () => {
    expect(operationWords({ ...PULLING, blocked: "the network service is away" }).text).toBe("Waiting: the network service is away.");
  });

  it("has words for steps that this page does not know", () => {
    expect(operationWords({ ...PULLING, step: "polishing" as "placing" }).text).toBe("Working.");
  });

  it("can be called off before anything was changed", () => {
    expect(canCallOff(PULLING)).toBe(true);
    expect(canCallOff({ ...PULLING, step: "starting" })).toBe(true);
    expect(canCallOff({ ...PULLING, what: "update" })).toBe(true);
    expect(canCallOff({ ...PULLING, what: "update", step: "saving" })).toBe(false);
    expect(canCallOff({ ...PULLING, what: "remove", step: "removing" })).toBe(false);
    expect(canCallOff(null)).toBe(false);
  });

  it.each([
    [PULLING, APP, "Notes is installed."],
    [{ ...PULLING, what: "update" }, { ...APP, version: "1.1.0" }, "Notes is updated: version 1.1.0."],
    [{ ...PULLING, what: "update" }, { ...APP, problem: "it was not healthy" }, undefined],
    [{ ...PULLING, what: "remove" }, { ...APP, state: "removed" }, "Notes is removed. Its data is kept."],
    [PULLING, { ...APP, operation: PULLING }, undefined],
    [null, APP, undefined],
  ] as [AppOperation | null, AppSummary, string | undefined][])("once ended is told: %#", (operation, now, words) => {
    expect(endWords({ ...APP, operation }, now)).toBe(words);
  });

  it("that came to nothing says what runs instead", () => {
    expect(problemTitle(APP)).toBe("The last change came to nothing. Version 1.0.0 runs as before.");
    expect(problemTitle({ ...APP, state: "failed" })).toBe("The last change came to nothing.");
  });

  it("and left nothing says whether that was wished", () => {
    expect(goneWords({ title: "Notes", problem: null }).title).toBe("Notes is removed");
    expect(goneWords({ title: "Notes", problem: "x" }).title).toBe("Notes was not installed");
  });
});

describe("parts", () => {
  const PART: AppContainer = { name: "web", state: "running", reason: null, restarts: 0, last_end: null, seconds_up: 75, usage: null };

  it("have words for every state", () => {
    expect(containerState("backing_off").tone).toBe("bad");
    expect(containerState("odd" as ContainerStatus).word).toBe("odd");
  });

  it.each([
    [{}, "Up for 1 minute"],
    [{ restarts: 1, last_end: "ended with code 1" }, "Up for 1 minute · started again once · last time it ended with code 1"],
    [{ state: "stopped", seconds_up: null, last_end: "ended with code 0" }, ""],
    [{ state: "failed", seconds_up: null, reason: "no such file", last_end: "ended with code 2" }, "No such file · last time it ended with code 2"],
  ] as [Partial<AppContainer>, string][])("with %j: %s", (change, words) => {
    expect(containerDetail({ ...PART, ...change })).toBe(words);
  });
});

describe("news", () => {
  const OTHER = { ...APP, key: "b", id: "diary", title: "Diary" };

  it("of an app take its place, in order, and twice is as once", () => {
    const event = { kind: "app", app: OTHER } as const;
    const once = afterEvent(LIST, event);
    expect(once.apps.map(({ id }) => id)).toEqual(["diary", "notes"]);
    expect(afterEvent(once, event)).toEqual(once);
    expect(afterEvent(once, { kind: "app", app: { ...OTHER, state: "failed" } }).apps[0]?.state).toBe("failed");
  });

  it("of an end take the app away", () => {
    const event = { kind: "gone", ending: { key: "a", id: "notes", title: "Notes", problem: "x" } } as const;
    const once = afterEvent(LIST, event);
    expect(once).toEqual({ problem: null, apps: [], ended: [event.ending] });
    expect(afterEvent(once, event)).toEqual(once);
    expect(afterEvent(once, { kind: "app", app: APP })).toEqual(LIST);
  });

  it("of the service say why", () => {
    expect(afterEvent(LIST, { kind: "service", problem: "away" }).problem).toBe("away");
  });

  it("of another app leave one alone", () => {
    expect(appAfter(APP, { kind: "app", app: OTHER })).toBe(APP);
    expect(appAfter(APP, { kind: "service", problem: null })).toBe(APP);
    expect(appAfter({ ...APP, granted: ["lan"] }, { kind: "app", app: { ...APP, state: "failed" } })).toMatchObject({
      state: "failed",
      granted: ["lan"],
    });
  });
});

describe("the home page", () => {
  const of = (...states: AppStatus[]): AppList => ({
    ...LIST,
    apps: states.map((state, index) => ({ ...APP, key: `${index}`, title: `App ${index}`, state })),
  });

  it.each([
    [of(), "off", "None yet", /only what you allow/],
    [of("removed"), "off", "None yet", /only what you allow/],
    [of("running"), "good", "All running", /^1 app, and it runs\.$/],
    [of("running", "running"), "good", "All running", /^2 apps, and all of them run\.$/],
    [of("running", "stopped"), "good", "1 running", /^2 apps, of which one runs just now\.$/],
    [of("stopped"), "off", "0 running", /none runs/],
    [of("running", "failed"), "bad", "Look at them", /^App 1 does not work as it should\.$/],
    [of("failed", "missing"), "bad", "Look at them", /^App 0 and App 1 do not/],
    [of("failed", "failed", "failed", "failed"), "bad", "Look at them", /^App 0, App 1 and 2 more do not/],
    [{ ...LIST, problem: "it does not answer" }, "off", "Not known just now", /^It does not answer\.$/],
    [{ ...LIST, apps: [{ ...APP, state: "installing", operation: PULLING }] }, "busy", "Something is being done", /^Notes: on the way\.$/],
  ] as [AppList, string, string, RegExp][])("%#", (list, tone, word, words) => {
    const summary = appsSummary(list);
    expect([summary.tone, summary.word]).toEqual([tone, word]);
    expect(summary.sentence).toMatch(words);
  });

  it("tells apps from what is left of them", () => {
    const { there, left } = sorted(of("running", "removed").apps);
    expect([there.length, left.length]).toEqual([1, 1]);
  });
});

it("clauses become sentences, once", () => {
  expect([sentence("it is so"), sentence("It is so."), sentence("why? ")]).toEqual(["It is so.", "It is so.", "Why?"]);
});

describe("refusals", () => {
  it("are told in the box's words, with all its reasons", () => {
    const remarks = ["one thing", "another thing"].map((words) => ({ place: "", line: null, words }));
    expect(appTrouble(new ApiError(409, "app_busy", "Wait."))).toBe("Wait.");
    expect(appTrouble(new ApiError(409, "app_refused", "For 2 reasons.", undefined, undefined, undefined, remarks))).toBe(
      "For 2 reasons. One thing. Another thing.",
    );
    expect(appTrouble(new Unreachable())).toMatch(/perhaps/);
  });
});
