/** The disk and the room on it, in the words and rows of a page. Pure. */

import type { DiskHealth, HealthReport } from "../api/types";
import { formatBytes, formatCount, formatDuration } from "./format";
import type { Tone } from "./words";

export interface Verdict {
  word: string;
  tone: Tone;
}

/** The disk in one word; what is the matter stands below it. */
export function verdict({ disk, findings }: HealthReport): Verdict {
  if (findings.some(({ is_grave }) => is_grave)) return { word: "Needs you now", tone: "bad" };
  if (findings.length > 0) return { word: "Keep an eye on it", tone: "busy" };
  if (!disk || disk.silent !== null) return { word: "Nothing wrong is known", tone: "good" };
  return { word: "Works as it should", tone: "good" };
}

/** What the disk says of itself, as far as it does. */
export function diskRows(disk: DiskHealth): [string, string][] {
  const rows: [string, string | undefined][] = [
    ["Disk", `${disk.model === "" ? disk.name : disk.model}, ${formatBytes(disk.size_bytes)}`],
    ["Life used", percent(disk.life_used_percent)],
    ["Spare blocks left", percent(disk.spare_percent)],
    ["Temperature", disk.temperature_celsius === null ? undefined : `${disk.temperature_celsius} °C`],
    ["Switched on", disk.power_on_hours === null ? undefined : `${formatCount(disk.power_on_hours)} hours`],
    ["Sectors replaced", count(disk.replaced_sectors)],
    ["Could not be read", count(disk.unreadable)],
    ["Written", written(disk)],
  ];
  return rows.filter((row): row is [string, string] => row[1] !== undefined);
}

function written({ written }: DiskHealth): string {
  const words = [`${formatBytes(written.since_boot_bytes)} since the start`];
  if (written.per_day_bytes !== null) {
    words.push(`${formatBytes(written.per_day_bytes)} a day of ${formatBytes(written.budget_per_day_bytes)} that it bears`);
  }
  if (written.ever_bytes !== null) words.push(`${formatBytes(written.ever_bytes)} in its life`);
  return words.join(", ");
}

/** When free blocks were given back to the disk; nothing before the first time. */
export function trimWords({ trim }: HealthReport): string | undefined {
  if (trim.problem !== null) return `${trim.problem.charAt(0).toUpperCase()}${trim.problem.slice(1)}.`;
  if (trim.last === null) return undefined;
  return `Free blocks were given back to the disk ${formatDuration(trim.last.seconds_ago)} ago (${formatBytes(trim.last.bytes)}).`;
}

function percent(number: number | null): string | undefined {
  return number === null ? undefined : `${number} %`;
}

function count(number: number | null): string | undefined {
  return number === null ? undefined : formatCount(number);
}
