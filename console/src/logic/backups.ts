/** Backups in plain words. Pure; times are seconds since 1970 by the box's clock. */

import type { BackupEnd, BackupPhase, Backups, BackupSettings, BackupTarget, BackupTask, SavedFiles } from "../api/backups";
import { formatBytes, formatCount, formatDuration } from "./format";
import type { Tone } from "./words";

export interface Verdict {
  word: string;
  tone: Tone;
}

/** How backups stand, in one line. */
export function backupVerdict({ settings, running, last_success, last_backup, last_drill }: Backups): Verdict {
  if (running) return { word: running.work === "backup" ? "A backup is being made" : "A backup is being proved", tone: "busy" };
  if (settings.target === null) return { word: "No backups are made", tone: "off" };
  if (last_backup?.shows_damage || last_drill?.shows_damage) return { word: "A backup is damaged", tone: "bad" };
  if (last_backup?.problem) return { word: "The last one failed", tone: "bad" };
  if (last_drill?.problem) return { word: "The last proof failed", tone: "bad" };
  if (last_success === null) return { word: "None made yet", tone: "busy" };
  return { word: "Backed up", tone: "good" };
}

/** Where backups go. */
export function placeWords(target: BackupTarget): string {
  switch (target.type) {
    case "usb_disk":
      return target.label ? `The disk called “${target.label}”` : "The disk that is plugged in";
    case "s3":
      return `The bucket “${target.bucket}” at ${target.endpoint}`;
    default:
      return "A place that this page does not know";
  }
}

export const DAY_HOURS = 24;
const WEEK_HOURS = 168;

export function everyWords(hours: number): string {
  if (hours === DAY_HOURS) return "Every day";
  if (hours === WEEK_HOURS) return "Every week";
  return hours === 1 ? "Every hour" : `Every ${hours} hours`;
}

/** When they are made; `offset` is how many minutes this device's clock is ahead of UTC. */
export function scheduleWords({ every_hours: hours, at_minute: minute }: BackupSettings["schedule"], offset: number): string {
  // More often than once a day, an hour of the day says nothing.
  return hours < DAY_HOURS ? everyWords(hours) : `${everyWords(hours)}, from ${clockWords(localMinute(minute, offset))} on`;
}

const DAY_MINUTES = 1440;

export function localMinute(utc: number, offset: number): number {
  return (((utc + offset) % DAY_MINUTES) + DAY_MINUTES) % DAY_MINUTES;
}

export function clockWords(minute: number): string {
  return `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;
}

/** How many stay, as far as it says something. */
export function keepWords({ last, daily, weekly, monthly }: BackupSettings["keep"]): string {
  const kinds: [number, string][] = [
    [daily, "day"],
    [weekly, "week"],
    [monthly, "month"],
  ];
  const parts = kinds.filter(([count]) => count > 0).map(([count, name]) => (count === 1 ? `the last ${name}` : `the last ${count} ${name}s`));
  const newest = last === 1 ? "The newest one" : `The ${formatCount(last)} newest`;
  if (parts.length === 0) return newest;
  return `${newest}, and one of each of ${listed(parts)}`;
}

function listed(parts: string[]): string {
  return parts.length === 1 ? `${parts[0]}` : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`;
}

/** Clocks that differ a little make nothing come out of the future. */
export function ago(at: number, now: number): string {
  const passed = Math.max(0, now - at);
  return passed < 60 ? "just now" : `${formatDuration(passed)} ago`;
}

/** How one ended. */
export function endWords({ at, problem, files, bytes }: BackupEnd, now: number): string {
  const told = capital(ago(at, now));
  return problem === null ? `${told}, went well: ${amount(files, bytes)}` : `${told}, failed`;
}

export function capital(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function amount(files: number, bytes: number): string {
  return `${formatBytes(bytes)} in ${files === 1 ? "1 file" : `${formatCount(files)} files`}`;
}

export interface SavedWords {
  /** Only where something is to be known. */
  mark?: Verdict;
  saved: string;
  problem?: string;
}

/** How somebody's private files are saved. Whether that is too long ago is for the box to say. */
export function savedFilesWords({ at, files, bytes, problem }: SavedFiles, now: number): SavedWords {
  const saved = at === null ? "In no backup yet." : `${capital(ago(at, now))}: ${files === 0 ? "there were none" : amount(files, bytes)}.`;
  if (problem !== null) return { mark: { word: "Not saved", tone: "bad" }, saved, problem: `The last try failed: ${problem.replace(/[.]?$/, ".")}` };
  return at === null ? { mark: { word: "Not yet", tone: "off" }, saved } : { saved };
}

/** When the next one begins. */
export function nextWords({ settings, next }: Backups, now: number): string {
  if (settings.target === null) return "None";
  if (next === null) return "Not known before the box knows the time";
  return next - now < 60 ? "Any moment" : `In ${formatDuration(next - now)}`;
}

const PHASES: Record<BackupPhase, string> = {
  reaching: "Reaching the place",
  counting: "Counting what there is to save",
  saving: "Saving",
  pruning: "Removing what is no longer kept",
  verifying: "Reading a part of it again",
  restoring: "Restoring to a scratch place",
  comparing: "Comparing every byte",
};

export interface Moving {
  text: string;
  /** Nothing while that is not known. */
  percent?: number;
}

type Measured = Pick<BackupTask, "bytes" | "bytes_total"> & { phase: BackupPhase | null };

/** How far a task is. */
export function movingWords({ phase, bytes, bytes_total: total }: Measured): Moving {
  const doing = phase === null ? "Beginning" : (PHASES[phase] ?? "Working");
  if (!(total > 0)) return { text: `${doing}.` };
  const done = Math.min(bytes, total);
  return { text: `${doing}: ${formatBytes(done)} of ${formatBytes(total)}`, percent: Math.floor((done / total) * 100) };
}

/** What is not in the backups, each with what it means. */
export function leftOutWords(what: string, saved: SavedFiles[]): { name: string; why: string } {
  switch (what) {
    case "private_files": {
      const missing = saved.filter(({ at }) => at === null).map(({ user }) => user);
      return {
        name: missing.length === 0 ? "Private files, until their owner logs in" : `Private files of ${listed(missing)}`,
        why: "They are saved once their owner logs in and has them open. Before that, a restore brings none of them back.",
      };
    }
    case "network_settings":
      return { name: "Settings of the network", why: "A new box finds its addresses by itself. What you fixed by hand is to be chosen again." };
    default:
      return { name: what, why: "" };
  }
}

/** What to say on the home page. */
export function backupSummary({ settings, last_success, kit_made }: Backups, now: number): string {
  if (settings.target === null) return "If this box breaks, its accounts, settings and private files are gone with it.";
  const newest = last_success === null ? "None was made yet." : `The newest is from ${ago(last_success, now)}.`;
  return kit_made === null ? `${newest} Nobody has the recovery kit yet, without which they are worth nothing.` : newest;
}
