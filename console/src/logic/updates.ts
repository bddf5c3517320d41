/** Updates of the system in plain words. Pure; times are seconds since 1970 by the box's clock. */

import type { PastUpdate, UpdateOffer, UpdateProgress, Updates, UpdateSettings } from "../api/updates";
import { ago, capital, clockWords } from "./backups";
import { formatBytes, formatDuration } from "./format";
import type { Tone } from "./words";

/** How updates stand, in one line. */
export function updateVerdict({ problem, progress, history }: Updates): { word: string; tone: Tone } {
  switch (progress.phase) {
    case "checking":
      return { word: "Looking for updates", tone: "busy" };
    case "downloading":
    case "verifying":
    case "writing":
    case "reading_back":
      return { word: "An update is on its way", tone: "busy" };
    case "available":
      return { word: "There is an update", tone: "busy" };
    case "ready":
      return { word: "Ready to restart", tone: "busy" };
    case "restarting":
      return { word: "The box restarts", tone: "busy" };
    case "trying":
      return { word: "A new system proves itself", tone: "busy" };
    case "failed":
      return { word: "The last try failed", tone: "bad" };
    case "idle":
    case "up_to_date":
      if (problem !== null) return { word: "No updates", tone: "off" };
      if (history[0]?.outcome === "fell_back") return { word: "The last update was taken back", tone: "bad" };
      return progress.phase === "idle" ? { word: "Not looked yet", tone: "off" } : { word: "Up to date", tone: "good" };
  }
}

/** What is being done, for a bar; nothing where nothing is. */
export function movingWords(progress: UpdateProgress): { label: string; text: string; percent?: number } | undefined {
  const { phase, version, done_bytes: done, total_bytes: total, fetched_bytes: fetched } = progress;
  const name = version ?? "the new system";
  const part = (label: string, text: string) => (total > 0 ? { label, text, percent: Math.floor((done / total) * 100) } : { label, text });
  const far = `${formatBytes(done)} of ${formatBytes(total)}`;
  switch (phase) {
    case "checking":
      return { label: "The check", text: "Asking for updates." };
    case "downloading":
      return part("The download", `Getting ${name}: ${far} are there, ${formatBytes(fetched)} of that came over the internet.`);
    case "verifying":
      return part("The check", `Checking ${name} before anything is written: ${far}.`);
    case "writing":
      return part("The writing", `Writing ${name} beside the running system: ${far}.`);
    case "reading_back":
      return part("The reading back", `Reading ${name} back from the disk: ${far}.`);
    case "restarting":
      return { label: "The restart", text: `The box restarts into ${name}. This page comes back by itself.` };
    case "trying":
      return { label: "The proof", text: tryingWords(progress) };
    default:
      return undefined;
  }
}

function tryingWords({ version, seconds_left: left }: UpdateProgress): string {
  const name = version ?? "the new system";
  if (left === null) return `${capital(name)} runs on trial. It proves itself as soon as the data is unlocked.`;
  return `${capital(name)} runs on trial. It has ${formatDuration(left)} to prove itself, else the box goes back to the system from before.`;
}

/** When the box restarts, as whoever reads it sees the clock. */
export function restartWords({ restart_at: at, settings }: Updates, now: number, offset: number): string {
  if (at !== null) {
    const minute = Math.floor(at / 60 + offset) % 1440;
    return `The box restarts by itself in ${formatDuration(Math.max(60, at - now))}, at ${clockWords(minute)}. That takes about a minute.`;
  }
  return settings.mode === "install"
    ? "The box restarts by itself as soon as its clock is set and it is time. You can also restart it now."
    : "The box waits for you to restart it. That takes about a minute.";
}

export function checkedWords({ checked, next_check: next }: Updates, now: number): string {
  const last = checked === null ? "Not looked for yet." : `Looked for ${ago(checked, now)}.`;
  return next === null ? last : `${last} Next time in ${formatDuration(Math.max(60, next - now))}.`;
}

/** The one to offer: the newest that may be taken. */
export function offered({ offers }: Updates): UpdateOffer | undefined {
  return offers.find(({ turn }) => turn !== "held_back");
}

export function pastWords({ from, to, outcome }: PastUpdate): string {
  return outcome === "installed" ? `${from} → ${to}` : `${from} → ${to}, taken back`;
}

export function reasonWords({ outcome, reason }: PastUpdate): string {
  if (outcome === "installed") return "It proved healthy and was kept.";
  return reason === null ? "It was not healthy." : `${capital(reason)}.`;
}

/** Settings as a form has them: hours of the reader's own clock. */
export interface UpdateDraft {
  mode: UpdateSettings["mode"];
  fromHour: number;
  toHour: number;
}

export function updateDraft({ mode, window }: UpdateSettings, zone: string, now: number): UpdateDraft {
  const shift = minutesAhead(zone, now) - minutesAhead(window.zone, now);
  const hour = (minute: number) => Math.floor(((((minute + shift) % 1440) + 1440) % 1440) / 60);
  return { mode, fromHour: hour(window.from_minute), toHour: hour(window.to_minute) };
}

/** The box learns with the hours in which time zone they are meant. */
export function updateSettings({ mode, fromHour, toHour }: UpdateDraft, before: UpdateSettings, zone: string): UpdateSettings {
  return { ...before, mode, window: { from_minute: fromHour * 60, to_minute: toHour * 60, zone } };
}

/** The settings of a box that nobody told its time zone, told; nothing where it knows one. */
export function inZone(settings: UpdateSettings, zone: string): UpdateSettings | undefined {
  return settings.window.zone === null ? { ...settings, window: { ...settings.window, zone } } : undefined;
}

/** By how many minutes the clocks of a zone are ahead of UTC then; 0 where nobody said or this browser does not know it. */
export function minutesAhead(zone: string | null, now: number): number {
  const minute = Math.floor(now / 60_000);
  try {
    const numbers = { year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric" } as const;
    const parts = new Intl.DateTimeFormat("en-US", { timeZone: zone ?? "UTC", hourCycle: "h23", ...numbers }).formatToParts(minute * 60_000);
    const of = (type: string) => Number(parts.find((part) => part.type === type)?.value);
    return Date.UTC(of("year"), of("month") - 1, of("day"), of("hour"), of("minute")) / 60_000 - minute;
  } catch {
    return 0;
  }
}
