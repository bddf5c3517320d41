/** What apps use. Pure. */

import type { AppContainer, AppView } from "../api/apps";
import { formatBytes } from "./format";

/** What was seen of an app's parts at a moment, in milliseconds of this device's clock. */
export interface Look {
  at: number;
  containers: AppContainer[];
}

/** Answers that came this close together would make a rate of mere chance. */
const LEAST_MS = 500;

/** Of one processor core, in percent, between two looks; nothing where that cannot be said. */
export function cpuPercent(name: string, before: Look | undefined, now: Look): number | undefined {
  const [was, is] = [usageOf(name, before), usageOf(name, now)];
  if (!was || !is || !before || now.at - before.at < LEAST_MS) return undefined;
  const used = is.cpu_us - was.cpu_us;
  // It was started anew in between.
  return used < 0 ? undefined : Math.round(used / 10 / (now.at - before.at));
}

function usageOf(name: string, look: Look | undefined) {
  return look?.containers.find((container) => container.name === name)?.usage;
}

export interface Fact {
  name: string;
  value: string;
}

/** What a part of an app uses; nothing while it does not run. */
export function usageFacts(container: AppContainer, percent: number | undefined): Fact[] {
  const { usage } = container;
  if (!usage) return [];
  return [
    { name: "Processor", value: percent === undefined ? "Measuring…" : `${percent} % of a core` },
    { name: "Memory", value: `${formatBytes(usage.memory_bytes)}, most so far ${formatBytes(usage.memory_peak_bytes)}` },
    { name: "Processes", value: usage.tasks_refused > 0 ? `${usage.tasks}, and more were refused: it is at its limit` : String(usage.tasks) },
    { name: "Disk", value: `${formatBytes(usage.read_bytes)} read, ${formatBytes(usage.written_bytes)} written` },
  ];
}

/** All parts together, in one line; nothing while none runs. */
export function totalWords(before: Look | undefined, now: Look): string | undefined {
  const using = now.containers.filter(({ usage }) => usage !== null);
  if (using.length === 0) return undefined;
  const memory = using.reduce((sum, { usage }) => sum + (usage?.memory_bytes ?? 0), 0);
  const percents = using.map(({ name }) => cpuPercent(name, before, now));
  const known = percents.filter((percent) => percent !== undefined);
  const cpu = known.length === using.length ? `${known.reduce((sum, percent) => sum + percent, 0)} % of a core, ` : "";
  return `${cpu}${formatBytes(memory)} of memory`;
}

/** What went over an app's network, in one line; nothing while it does not run. */
export function trafficWords({ traffic }: Pick<AppView, "traffic">): string | undefined {
  return traffic ? `${formatBytes(traffic.received_bytes)} received, ${formatBytes(traffic.sent_bytes)} sent` : undefined;
}

/** What an app's data takes of the disk, in one line; nothing where the disk does not count it. */
export function storageWords({ storage }: Pick<AppView, "storage">): string | undefined {
  return storage ? `${formatBytes(storage.used_bytes)} of ${formatBytes(storage.most_bytes)} at most` : undefined;
}
