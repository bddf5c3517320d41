/** Bodies of the apps' part of the HTTP API (docs/spec/api.md, docs/spec/apps.md). */

/** For one user, or one copy for the household. */
export type AppScope = "user" | "system";

export type AppStatus =
  | "installing"
  | "updating"
  | "removing"
  | "removed"
  | "stopped"
  | "starting"
  | "running"
  | "unhealthy"
  | "failed"
  | "stopping"
  | "locked"
  | "unknown"
  | "missing";

export type AppStep = "pulling" | "saving" | "placing" | "starting" | "undoing" | "removing";

/** What is being done to an app; totals are 0 while they are not known. */
export interface AppOperation {
  what: "install" | "update" | "remove";
  step: AppStep;
  done_bytes: number;
  total_bytes: number;
  /** What it waits for. */
  blocked: string | null;
}

/** An app at a glance. */
export interface AppSummary {
  /** Never changes. */
  key: string;
  /** By which people call it. */
  id: string;
  title: string;
  version: string;
  scope: AppScope;
  state: AppStatus;
  /** Why it is so; empty when all is well. */
  reasons: string[];
  operation: AppOperation | null;
  /** Why the last thing that was done to it came to nothing. */
  problem: string | null;
  /** Where devices at home open its page. */
  page: AppPage | null;
}

/** The web page of an app, over HTTP at the box's own name. */
export interface AppPage {
  port: number;
  path: string;
}

/** How an operation ended of whose app nothing is left; without a problem it was removed as wished. */
export interface AppEnding {
  key: string;
  id: string;
  title: string;
  problem: string | null;
}

export interface AppList {
  /** Why apps can be neither changed nor seen as they are now. */
  problem: string | null;
  /** Also those of which only data is left. */
  apps: AppSummary[];
  /** The newest first. */
  ended: AppEnding[];
}

/** One thing that an app asks for. */
export interface AppAsk {
  weight: "high" | "medium" | "low";
  /** One sentence without a full stop. */
  words: string;
  /** The app's own words. */
  reason: string | null;
  /** Names of what can be taken away of it; empty where it is how the app is made. */
  permissions: string[];
}

/** What a container uses; all but memory and tasks counted since its start. */
export interface AppUsage {
  /** Microseconds. */
  cpu_us: number;
  /** Microseconds in which it was held back by its limit. */
  throttled_us: number;
  memory_bytes: number;
  memory_peak_bytes: number;
  tasks: number;
  /** How often it was refused another one. */
  tasks_refused: number;
  read_bytes: number;
  written_bytes: number;
}

export type ContainerStatus = "stopped" | "waiting" | "starting" | "running" | "unhealthy" | "backing_off" | "stopping" | "completed" | "failed";

export interface AppContainer {
  name: string;
  state: ContainerStatus;
  reason: string | null;
  restarts: number;
  last_end: string | null;
  seconds_up: number | null;
  usage: AppUsage | null;
}

/** All about an app. */
export interface AppView extends AppSummary {
  description: string | null;
  author: string | null;
  license: string | null;
  /** Whether whoever asks may change it. */
  may_manage: boolean;
  /** The weightiest first. */
  asks: AppAsk[];
  /** Names of the permissions that it has. */
  granted: string[];
  /** What went over its network since it was started, while it runs. */
  traffic: { received_bytes: number; sent_bytes: number } | null;
  /** What its volumes take of the disk, and how much they may; where the disk counts that. */
  storage: { used_bytes: number; most_bytes: number } | null;
  /** Where the box's app service tells of them. */
  containers: AppContainer[];
}

/** Something about one place of what was sent. */
export interface Remark {
  /** Empty for all of it. */
  place: string;
  line?: number | null;
  /** A sentence without a full stop. */
  words: string;
}

/** What an app is made of. */
export type AppSource =
  { manifest: string } | { compose: { text: string; title?: string; version?: string; variables: Record<string, string> } } | { image: string };

export interface InspectRequest {
  source?: AppSource;
  /** Key of the app whose place it takes. */
  update?: string;
  /** Key of a removed app whose data it takes up. */
  data_of?: string;
  id?: string;
  /** For whom, where the source does not say: an image, or a Compose file. */
  scope?: AppScope;
}

export interface Inspection {
  title: string;
  description: string | null;
  author: string | null;
  license: string | null;
  version: string;
  id: string;
  scope: AppScope;
  images: string[];
  /** Of an update, what it asks for beyond what it has. */
  asks: AppAsk[];
  /** What is left out or done otherwise. */
  notes: Remark[];
  /** Why it cannot be installed; empty when it can be. */
  refusals: Remark[];
  /** To be sent when it is installed: stands for all that is above. */
  shown: string;
}

export interface InstallRequest {
  source: AppSource;
  data_of?: string;
  id?: string;
  scope?: AppScope;
  shown: string;
  granted: string[];
}

export interface AppLogLine {
  number: number;
  unix_ms: number;
  stream: "stdout" | "stderr" | "box";
  text: string;
}

export interface AppLog {
  lines: AppLogLine[];
  /** Number from which to ask on. */
  next: number;
}

/** What is told of apps while somebody watches. */
export type AppEvent = { kind: "app"; app: AppSummary } | { kind: "gone"; ending: AppEnding } | { kind: "service"; problem: string | null };
