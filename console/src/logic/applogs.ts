/** What an app says of itself, as it comes. Pure. */

import type { AppLog, AppLogLine } from "../api/apps";

/** Enough to scroll through; a page with more would become slow on a phone. */
export const MAX_LINES = 1000;

/** What is known after an answer to the question for lines from `next` on; nothing was known before the first. */
export function moreLines(known: AppLog | undefined, came: AppLog): AppLog {
  // The log was begun anew, such as after a deletion of the app's data.
  if (known === undefined || came.next < known.next) return { lines: came.lines.slice(-MAX_LINES), next: came.next };
  const fresh = came.lines.filter(({ number }) => number >= known.next);
  // What has not changed stays the same thing, so that nothing is painted again.
  if (fresh.length === 0) return known.next === came.next ? known : { ...known, next: came.next };
  return { lines: [...known.lines, ...fresh].slice(-MAX_LINES), next: came.next };
}

/** When a line came, by this device's clock: the day only where it was not today. */
export function lineTime(unixMs: number, now: Date): string {
  const at = new Date(unixMs);
  const time = at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  if (at.toDateString() === now.toDateString()) return time;
  return `${at.toLocaleDateString("en-GB", { day: "numeric", month: "short" })} ${time}`;
}

/** Said before a line that the app did not write to its ordinary output. */
export function streamWord(stream: AppLogLine["stream"]): string | undefined {
  switch (stream) {
    case "stderr":
      return "error output";
    case "box":
      return "the box";
    default:
      return undefined;
  }
}
