/** Numbers in words. Pure; sizes in bytes, times in seconds. */

const UNITS = ["bytes", "kB", "MB", "GB", "TB", "PB"];

/** Decimal units, as on the box a disk is sold in. */
export function formatBytes(bytes: number): string {
  let value = Math.max(0, bytes);
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.5 ? 0 : value >= 9.95 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** The two largest units that say something: "3 days 4 hours", "12 minutes", "40 seconds". */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const parts: [number, string][] = [
    [Math.floor(whole / 86_400), "day"],
    [Math.floor(whole / 3600) % 24, "hour"],
    [Math.floor(whole / 60) % 60, "minute"],
    [whole % 60, "second"],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return "0 seconds";
  // Seconds beside minutes would only flicker at every refresh.
  const shown = parts.slice(first, first === 2 ? 3 : first + 2);
  return shown
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}${count === 1 ? "" : "s"}`)
    .join(" ");
}

export interface Used {
  /** 0 to 100, whole. */
  percent: number;
  text: string;
  level: "calm" | "high" | "full";
}

/** How full something is. `undefined` when the box does not know (no data partition). */
export function used(amount: { total_bytes: number; available_bytes: number }): Used | undefined {
  const { total_bytes: total, available_bytes: available } = amount;
  if (!(total > 0)) return undefined;
  const taken = Math.min(total, Math.max(0, total - available));
  const percent = Math.round((taken / total) * 100);
  const level = percent >= 95 ? "full" : percent >= 85 ? "high" : "calm";
  return { percent, text: `${formatBytes(taken)} of ${formatBytes(total)} used`, level };
}

/** Clocks that differ by less than this cause no trouble with certificates or logins. */
const CLOCK_SLACK_SECONDS = 300;

/** Says how far the box's clock is off, or nothing while it is close to this device's. */
export function clockProblem(boxUnix: number, hereUnix: number): string | undefined {
  const off = boxUnix - hereUnix;
  if (Math.abs(off) < CLOCK_SLACK_SECONDS) return undefined;
  return `The box's clock is ${formatDuration(Math.abs(off))} ${off < 0 ? "behind" : "ahead of"} this device's.`;
}

export function greeting(hour: number): string {
  if (hour >= 5 && hour < 12) return "Good morning";
  return hour >= 12 && hour < 18 ? "Good afternoon" : "Good evening";
}

/** With commas between thousands, as on a phone set to any language: the console speaks English. */
export function formatCount(count: number): string {
  return count.toLocaleString("en-GB");
}
