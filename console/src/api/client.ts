/**
 * The only place that talks to the box.
 *
 * Every call ends: with its answer, with an `ApiError` (the box said no and why), or with `Unreachable` (no answer
 * arrived in time). Callers show both kinds and never see a raw `fetch` failure.
 */

import type { AppList, AppLog, AppSource, AppSummary, AppView, InspectRequest, Inspection, InstallRequest, Remark } from "./apps";
import type { Backups, BackupSettings, RecoveryKit, Restore, RestoreRequest } from "./backups";
import type { Updates, UpdateSettings } from "./updates";
import type { Explanation, HealthReport, Network, NetworkSettings, OlderCopy, PrivateFile, SetupRequest, SetupResult, Status, StorageReport, System, User, Vault, WifiWish } from "./types";

/** The box answered and refused. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    /** Member of the request that is at fault, such as `owner.password`. */
    readonly field?: string,
    /** Tries left with this claim code. */
    readonly triesLeft?: number,
    /** Seconds to wait before the next try. */
    readonly retryAfter?: number,
    /** Everything for which an app is refused. */
    readonly refusals: Remark[] = [],
  ) {
    super(message);
  }
}

/** No answer came. Whether the request was carried out is not known. */
export class Unreachable extends Error {
  constructor() {
    super("The box does not answer.");
  }
}

/** An idle box answers in milliseconds; this is long enough for one that is busy starting up. */
const ANSWER_MS = 10_000;
/** Hashing a password is slow on purpose, and a small board needs a while for it. */
const HASHING_MS = 60_000;

/** 16 MiB over a slow radio link. */
const UPLOAD_MS = 600_000;

/** A change of keys is several slow calculations and commands of the security chip; the box itself waits for two minutes. */
const KEYS_MS = 130_000;

/** A disk that sleeps, or fails, takes its time to say how it is. */
const DISK_MS = 40_000;

/** Other services are asked in turn, and may be busy with a large app. */
const APPS_MS = 40_000;

/** What is done to an app as it is. */
export type AppRun = "start" | "stop" | "restart";

export const api = {
  status: () => call<Status>("GET", "/status"),
  setup: (request: SetupRequest) => call<SetupResult>("POST", "/setup", request, HASHING_MS),
  login: (name: string, password: string) => call<{ user: User }>("POST", "/session", { name, password }, HASHING_MS),
  session: () => call<{ user: User }>("GET", "/session"),
  logout: () => call<void>("DELETE", "/session"),
  system: () => call<System>("GET", "/system"),
  network: () => call<Network>("GET", "/network"),
  /** Links, reasons and a trial only: what a page that looks often needs. */
  networkLinks: () => call<Network>("GET", "/network?part=links"),
  networkSettings: () => call<NetworkSettings>("GET", "/network/settings"),
  /** The box takes the change back after a minute, unless it is confirmed. */
  tryNetworkSettings: (settings: NetworkSettings) =>
    call<{ trial_seconds_left: number | null }>("PUT", `/network/settings?trial_seconds=${TRIAL_SECONDS}`, settings),
  keepNetworkSettings: () => call<void>("POST", "/network/settings/confirm"),
  /** What comes of it is in `wifi` of the network. */
  wishWifi: (wish: WifiWish) => call<void>("POST", "/network/wifi", wish),
  explain: (from: string, to: string) =>
    call<Explanation>("GET", `/network/explain?from=${encodeURIComponent(from)}&to=${encodeURIComponent(to)}`),
  storage: () => call<StorageReport>("GET", "/storage"),
  storageHealth: () => call<HealthReport>("GET", "/storage/health", undefined, DISK_MS),
  unlock: (key: string) => call<void>("POST", "/storage/unlock", { key }, KEYS_MS),
  newRecoveryKey: (password: string) => call<{ recovery_key: string }>("POST", "/storage/recovery-key", { password }, KEYS_MS),
  /** `end`: the last two groups. */
  confirmRecoveryKey: (end: string) => call<void>("POST", "/storage/recovery-key/confirm", { end }, KEYS_MS),
  acceptOlderCopy: (key: string, rollback: OlderCopy) => call<void>("POST", "/storage/rollback/confirm", { key, rollback }, KEYS_MS),
  rotateSystemKey: (password: string) => call<void>("POST", "/storage/rotate", { what: "system", password }, KEYS_MS),
  /** Begins; `rotation` of the storage report tells how far it is. */
  rotateVolumeKey: (password: string, recoveryKey: string) =>
    call<void>("POST", "/storage/rotate", { what: "data", password, recovery_key: recoveryKey }, KEYS_MS),
  setPassphrase: (passphrase: string, password: string) => call<void>("POST", "/storage/passphrase", { passphrase, password }, KEYS_MS),
  seal: (password: string) => call<void>("POST", "/storage/seal", { password }, KEYS_MS),
  vault: () => call<Vault>("GET", "/vault"),
  /** `old` and `fresh`: the password until now and from now on. */
  changePassword: (old: string, fresh: string) => call<void>("POST", "/account/password", { old, new: fresh }, HASHING_MS),
  resetPassword: (name: string, code: string, fresh: string) =>
    call<void>("POST", "/account/reset", { name, recovery_code: code, new: fresh }, HASHING_MS),
  /** With a code and a password, the password becomes the vault's again. */
  unlockVault: (keys: { password?: string; recovery_code?: string }) => call<Vault>("POST", "/vault/unlock", keys, HASHING_MS),
  newVault: (password: string) => call<Vault>("POST", "/vault/new", { password, understood: true }, HASHING_MS),
  lockVault: () => call<Vault>("POST", "/vault/lock"),
  /** Begins; `rotation` of the vault tells how far it is. */
  rotateVault: (password: string) => call<void>("POST", "/vault/rotate", { password }, HASHING_MS),
  users: () => call<{ users: User[] }>("GET", "/users"),
  /** `fresh`: the newcomer's first password; `password`: that of whoever asks. */
  addUser: (name: string, fresh: string, password: string) => call<User>("POST", "/users", { name, new: fresh, password }, HASHING_MS),
  resetUser: (name: string, fresh: string, password: string) =>
    call<void>("POST", `${userPath(name)}/password`, { new: fresh, password }, HASHING_MS),
  removeUser: (name: string, password: string) => call<void>("POST", `${userPath(name)}/remove`, { password }, HASHING_MS),
  newRecoveryCode: (password: string) => call<{ recovery_code: string }>("POST", "/vault/recovery-code", { password }, HASHING_MS),
  confirmRecoveryCode: (end: string) => call<void>("POST", "/vault/recovery-code/confirm", { end }),
  updates: () => call<Updates>("GET", "/updates"),
  checkUpdates: () => call<void>("POST", "/updates/check"),
  applyUpdate: (version: string) => call<void>("POST", "/updates/apply", { version }),
  restartIntoUpdate: () => call<void>("POST", "/updates/restart"),
  changeUpdates: (settings: UpdateSettings) => call<Updates>("PUT", "/updates/settings", settings),
  bringUpdate: (file: File, onMoved: (bytes: number) => void) => upload("/updates/bundle", file, onMoved, new AbortController().signal, "POST"),
  takeUpdateFromStick: () => call<{ version: string }>("POST", "/updates/stick"),
  updateLog: (number: number) => call<{ text: string }>("GET", `/updates/log?number=${number}`),
  privateFiles: () => call<{ files: PrivateFile[] }>("GET", "/vault/files"),
  putPrivateFile: (file: File, onMoved: (bytes: number) => void, stop: AbortSignal) => upload(privateFilePath(file.name), file, onMoved, stop),
  removePrivateFile: (name: string) => call<void>("DELETE", privateFilePath(name)),
  backups: () => call<Backups>("GET", "/backups"),
  changeBackups: (settings: BackupSettings) => call<Backups>("PUT", "/backups/settings", settings),
  runBackup: () => call<void>("POST", "/backups/run"),
  drillBackup: () => call<void>("POST", "/backups/drill"),
  recoveryKit: (password: string, withAccess: boolean) =>
    call<RecoveryKit>("POST", "/backups/kit", { password, with_access: withAccess }, HASHING_MS),
  restore: (request: RestoreRequest) => call<Restore>("POST", "/setup/restore", request),
  restored: () => call<Restore>("GET", "/setup/restore"),
  apps: () => call<AppList>("GET", "/apps"),
  app: (key: string) => call<AppView>("GET", `/apps/${key}`),
  inspectApp: (request: InspectRequest) => call<Inspection>("POST", "/apps/inspect", request),
  installApp: (request: InstallRequest) => call<AppSummary>("POST", "/apps", request),
  runApp: (key: string, run: AppRun) => call<void>("POST", `/apps/${key}/${run}`, undefined, APPS_MS),
  /** Without a source: what it was made of before, with what its images are called now. */
  updateApp: (key: string, shown: string, source?: AppSource) =>
    call<AppSummary>("POST", `/apps/${key}/update`, { ...(source ? { source } : {}), shown }, APPS_MS),
  renameApp: (key: string, id: string) => call<AppSummary>("PUT", `/apps/${key}/id`, { id }),
  /** All that it has from now on. */
  permitApp: (key: string, granted: string[]) => call<AppView>("PUT", `/apps/${key}/permissions`, { granted }, APPS_MS),
  removeApp: (key: string, data: "keep" | "delete") => call<void>("DELETE", `/apps/${key}?data=${data}`),
  /** Without a number the last lines. */
  appLog: (key: string, container: string, from?: number) =>
    call<AppLog>("GET", `/apps/${key}/logs?container=${encodeURIComponent(container)}${from === undefined ? "" : `&from=${from}`}`),
  logs: (unit: string) => call<{ lines: string[] }>("GET", `/logs?unit=${encodeURIComponent(unit)}`),
  reboot: () => call<void>("POST", "/system/reboot"),
  factoryReset: (hostname: string, password: string) => call<void>("POST", "/system/factory-reset", { hostname, password }, HASHING_MS),
  powerOff: () => call<void>("POST", "/system/poweroff"),
  certificate: () => request("GET", "/ca.crt").then((answer) => answer.text()),
};

function userPath(name: string): string {
  return `/users/${encodeURIComponent(name)}`;
}

/** Below the API's address. */
export function privateFilePath(name: string): string {
  return `/vault/files/${encodeURIComponent(name)}`;
}

export const CERTIFICATE_PATH = "/api/v1/ca.crt";
export const DNS_PROFILE_PATH = "/api/v1/network/dns.mobileconfig";
/** How long a change of the network's settings is on trial. */
export const TRIAL_SECONDS = 60;

async function call<T>(method: string, path: string, body?: unknown, withinMs = ANSWER_MS): Promise<T> {
  const answer = await request(method, path, body, withinMs);
  const text = await answer.text().catch(() => {
    throw new Unreachable();
  });
  return (text === "" ? undefined : readJson(text, answer.status)) as T;
}

async function request(method: string, path: string, body?: unknown, withinMs = ANSWER_MS): Promise<Response> {
  const init: RequestInit = { method, cache: "no-store", signal: AbortSignal.timeout(withinMs) };
  if (body !== undefined) {
    init.headers = { "Content-Type": "application/json" };
    init.body = JSON.stringify(body);
  }
  let answer: Response;
  try {
    answer = await fetch(`/api/v1${path}`, init);
  } catch {
    throw new Unreachable();
  }
  if (!answer.ok) throw await refusal(answer);
  return answer;
}

/** By the older interface, because `fetch` does not tell how much of a body is on its way. Ends with `Unreachable` when stopped. */
function upload(path: string, file: Blob, onMoved: (bytes: number) => void, stop: AbortSignal, method: "PUT" | "POST" = "PUT"): Promise<void> {
  return new Promise((resolve, reject) => {
    const sender = new XMLHttpRequest();
    const lost = () => reject(new Unreachable());
    sender.open(method, `/api/v1${path}`);
    sender.setRequestHeader("Content-Type", "application/octet-stream");
    sender.timeout = UPLOAD_MS;
    sender.upload.onprogress = ({ loaded }) => onMoved(loaded);
    sender.onload = () => {
      if (sender.status >= 200 && sender.status < 300) return resolve();
      const retryAfter = sender.getResponseHeader("Retry-After");
      const headers: HeadersInit = retryAfter === null ? {} : { "Retry-After": retryAfter };
      refusal(new Response(sender.responseText, { status: sender.status, headers })).then(reject, reject);
    };
    sender.onerror = sender.ontimeout = sender.onabort = lost;
    stop.addEventListener("abort", () => sender.abort());
    if (stop.aborted) return lost();
    sender.send(file);
  });
}

async function refusal(answer: Response): Promise<ApiError> {
  const retryAfter = Number(answer.headers.get("Retry-After") ?? NaN);
  const text = await answer.text().catch(() => "");
  const { error } = readJson(text, answer.status) as { error?: Record<string, unknown> };
  return new ApiError(
    answer.status,
    typeof error?.["code"] === "string" ? error["code"] : "unknown",
    typeof error?.["message"] === "string" ? error["message"] : unreadable(answer.status),
    typeof error?.["field"] === "string" ? error["field"] : undefined,
    typeof error?.["tries_left"] === "number" ? error["tries_left"] : undefined,
    Number.isFinite(retryAfter) ? retryAfter : undefined,
    Array.isArray(error?.["refusals"]) ? (error["refusals"] as Remark[]) : [],
  );
}

function readJson(text: string, status: number): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiError(status, "unreadable", unreadable(status));
  }
}

function unreadable(status: number): string {
  return `The box gave an answer this page cannot read (status ${status}). Reload the page; if it stays, restart the box.`;
}
