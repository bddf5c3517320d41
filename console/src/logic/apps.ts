/** Apps in plain words, and how news changes what is known of them. Pure. */

import { ApiError } from "../api/client";
import type {
  AppEnding,
  AppEvent,
  AppList,
  AppOperation,
  AppScope,
  AppStatus,
  AppStep,
  AppSummary,
  ContainerStatus,
  AppContainer,
} from "../api/apps";
import { formatBytes, formatDuration } from "./format";
import type { Tone } from "./words";

export interface Verdict {
  word: string;
  tone: Tone;
}

const STATES: Record<AppStatus, Verdict> = {
  installing: { word: "Being installed", tone: "busy" },
  updating: { word: "Being updated", tone: "busy" },
  removing: { word: "Being removed", tone: "busy" },
  removed: { word: "Removed, data kept", tone: "off" },
  stopped: { word: "Stopped", tone: "off" },
  starting: { word: "Starting", tone: "busy" },
  running: { word: "Running", tone: "good" },
  unhealthy: { word: "Not well", tone: "bad" },
  failed: { word: "Does not run", tone: "bad" },
  stopping: { word: "Stopping", tone: "busy" },
  locked: { word: "Locked", tone: "off" },
  unknown: { word: "Not known just now", tone: "off" },
  missing: { word: "Not on this box yet", tone: "bad" },
};

export function appState(state: AppStatus): Verdict {
  return STATES[state] ?? { word: state, tone: "off" };
}

/** What a state means and what to do about it, where its word alone does not say that. */
export function stateAdvice(state: AppStatus): string | undefined {
  switch (state) {
    case "unhealthy":
      return "It runs, and something about it does not work. The box keeps trying; what it says of itself below may tell why.";
    case "failed":
      return "The box has given up starting it. Look at what it says of itself below, then start it again or update it.";
    case "locked":
      return "It is yours alone, and so is its data: both wait until you open your private files with your password. Then it starts by itself.";
    case "unknown":
      return "The part of the box that runs apps does not answer. It is started again by itself; apps that run go on.";
    case "missing":
      return "It came back from a backup, which has no data of apps. Update it, and it is fetched and started with nothing in it.";
    case "removed":
      return "It is gone, and what it had saved is still on the box. Install it again to use that, or delete it.";
    default:
      return undefined;
  }
}

export function scopeWords(scope: AppScope): string {
  return scope === "system" ? "For everybody at home" : "For you alone";
}

/** What that means for when it runs. */
export function scopeAdvice(scope: AppScope): string {
  return scope === "system"
    ? "It runs from each start of the box, and everybody at home sees that it is there."
    : "Its data opens with your password alone. After a restart of the box it waits until you log in.";
}

const STEPS: Record<AppStep, string> = {
  pulling: "Fetching it from the Internet",
  saving: "Stopping it and saving its data",
  placing: "Putting it in its place",
  starting: "Starting it, and watching whether it works",
  undoing: "It did not work. Bringing back what was before",
  removing: "Taking it away",
};

export interface Moving {
  text: string;
  /** Nothing while that is not known. */
  percent?: number;
}

/** How far something is that is being done to an app. */
export function operationWords({ step, done_bytes: bytes, total_bytes: total, blocked }: AppOperation): Moving {
  const doing = STEPS[step] ?? "Working";
  if (blocked !== null) return { text: `Waiting: ${ended(blocked)}` };
  if (step !== "pulling" || !(total > 0)) return { text: `${doing}.` };
  const done = Math.min(bytes, total);
  return { text: `${doing}: ${formatBytes(done)} of ${formatBytes(total)}`, percent: Math.floor((done / total) * 100) };
}

/** What can be done to an app as it is. */
export function runs(state: AppStatus): ("start" | "stop" | "restart")[] {
  switch (state) {
    case "stopped":
    case "stopping":
      return ["start"];
    case "failed":
      return ["start", "stop"];
    case "starting":
    case "locked":
      return ["stop"];
    case "running":
    case "unhealthy":
      return ["restart", "stop"];
    default:
      return [];
  }
}

/** Whether it is installed, and nothing is being done to it: then it can be updated and its permissions changed. */
export function isSettled({ state, operation }: AppSummary): boolean {
  return operation === null && state !== "removed";
}

/** What to tell when something has just ended that was being done to an app; nothing where its own words say it. */
export function endWords(before: AppSummary, now: AppSummary): string | undefined {
  if (before.operation === null || now.operation !== null || now.problem !== null) return undefined;
  switch (before.operation.what) {
    case "install":
      return `${now.title} is installed.`;
    case "update":
      return `${now.title} is updated: version ${now.version}.`;
    case "remove":
      return now.state === "removed" ? `${now.title} is removed. Its data is kept.` : undefined;
  }
}

/** Said above the reason for which the last thing came to nothing. */
export function problemTitle({ state, version }: AppSummary): string {
  return state === "running" ? `The last change came to nothing. Version ${version} runs as before.` : "The last change came to nothing.";
}

/** What came of an app that is no more. */
export function goneWords({ title, problem }: Pick<AppEnding, "title" | "problem">): { title: string; words: string } {
  return problem === null
    ? { title: `${title} is removed`, words: "Nothing of it is left on this box." }
    : { title: `${title} was not installed`, words: "Nothing of it is left on this box, and nothing else has changed. This is why:" };
}

/** Whether it can be called off. */
export function canCallOff(operation: AppOperation | null): boolean {
  return operation?.what === "install" || (operation?.what === "update" && operation.step === "pulling");
}

const CONTAINERS: Record<ContainerStatus, Verdict> = {
  stopped: { word: "Stopped", tone: "off" },
  waiting: { word: "Waiting", tone: "busy" },
  starting: { word: "Starting", tone: "busy" },
  running: { word: "Running", tone: "good" },
  unhealthy: { word: "Not well", tone: "bad" },
  backing_off: { word: "Ended, starting again soon", tone: "bad" },
  stopping: { word: "Stopping", tone: "busy" },
  completed: { word: "Done", tone: "good" },
  failed: { word: "Failed", tone: "bad" },
};

export function containerState(state: ContainerStatus): Verdict {
  return CONTAINERS[state] ?? { word: state, tone: "off" };
}

/** Why a part of an app is as it is, and for how long. */
export function containerDetail({ state, reason, restarts, last_end: end, seconds_up: up }: AppContainer): string {
  const again = restarts === 1 ? "started again once" : `started again ${restarts} times`;
  const parts = [
    reason ?? "",
    up === null ? "" : `up for ${formatDuration(up)}`,
    restarts > 0 ? again : "",
    // Of one that was stopped as wished, the end says nothing.
    end !== null && (restarts > 0 || state === "failed") ? `last time it ${end}` : "",
  ];
  return capital(parts.filter((part) => part !== "").join(" · "));
}

/** A clause as a sentence. */
export function ended(words: string): string {
  const text = words.trim();
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}

export function sentence(words: string): string {
  return capital(ended(words));
}

function capital(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** What is known of the apps after something was told. Telling the same twice changes nothing. */
export function afterEvent(list: AppList, event: AppEvent): AppList {
  switch (event.kind) {
    case "service":
      return { ...list, problem: event.problem };
    case "app": {
      const others = list.apps.filter(({ key }) => key !== event.app.key);
      const apps = [...others, event.app].sort((one, other) => (one.id < other.id ? -1 : 1));
      // Of an app that was installed again over its data, an earlier end is no news.
      return { ...list, apps, ended: list.ended.filter(({ key }) => key !== event.app.key) };
    }
    case "gone":
      return {
        ...list,
        apps: list.apps.filter(({ key }) => key !== event.ending.key),
        ended: [event.ending, ...list.ended.filter(({ key }) => key !== event.ending.key)],
      };
  }
}

/** What is known of one app after something was told. */
export function appAfter<App extends AppSummary>(app: App, event: AppEvent): App {
  return event.kind === "app" && event.app.key === app.key ? { ...app, ...event.app } : app;
}

/** Apps that are there, and those of which only data is left. */
export function sorted(apps: AppSummary[]): { there: AppSummary[]; left: AppSummary[] } {
  return { there: apps.filter(({ state }) => state !== "removed"), left: apps.filter(({ state }) => state === "removed") };
}

/** The apps in one line and one sentence, for the home page. */
export function appsSummary({ problem, apps }: AppList): Verdict & { sentence: string } {
  const { there } = sorted(apps);
  const count = counted(there.length);
  if (problem !== null) return { word: "Not known just now", tone: "off", sentence: sentence(problem) };
  if (there.length === 0) {
    return {
      word: "None yet",
      tone: "off",
      sentence: "Calendars, photos, notes and more can run here, on your own box. Each app gets only what you allow.",
    };
  }
  const named = (states: AppStatus[]) => there.filter(({ state }) => states.includes(state)).map(({ title }) => title);
  const unwell = named(["unhealthy", "failed", "missing"]);
  if (unwell.length > 0)
    return { word: "Look at them", tone: "bad", sentence: `${listed(unwell)} ${unwell.length === 1 ? "does" : "do"} not work as it should.` };
  const busy = there.filter(({ operation }) => operation !== null).map(({ title }) => title);
  if (busy.length > 0) return { word: "Something is being done", tone: "busy", sentence: `${listed(busy)}: on the way.` };
  const running = named(["running"]).length;
  if (running === there.length)
    return { word: "All running", tone: "good", sentence: `${count}, and ${there.length === 1 ? "it runs" : "all of them run"}.` };
  return {
    word: `${running} running`,
    tone: running > 0 ? "good" : "off",
    sentence: `${count}, of which ${running === 0 ? "none runs" : running === 1 ? "one runs" : `${running} run`} just now.`,
  };
}

function counted(count: number): string {
  return count === 1 ? "1 app" : `${count} apps`;
}

/** At most three by name. */
function listed(names: string[]): string {
  const shown = names.length > 3 ? [...names.slice(0, 2), `${names.length - 2} more`] : names;
  return shown.length === 1 ? `${shown[0]}` : `${shown.slice(0, -1).join(", ")} and ${shown.at(-1)}`;
}

/** What to tell when something was asked for an app and the answer was no, or none. */
export function appTrouble(error: unknown): string {
  if (!(error instanceof ApiError)) return "The box did not answer, so perhaps it is done and perhaps not. Look at this page again in a moment.";
  if (error.refusals.length > 1) return `${error.message} ${error.refusals.map(({ words }) => sentence(words)).join(" ")}`;
  return error.message;
}
