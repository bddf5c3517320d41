/**
 * Files on their way to the box, one after the other, as a pure state machine: no DOM, no network.
 *
 *   file ── sent ──▶ next file … ──▶ over
 *    └── failed ──▶ next file, or over where the next one can do no better
 */

import { fileTrouble, shownName } from "./files";
import { formatBytes } from "./format";

export interface Outgoing {
  name: string;
  size: number;
}

export interface Failure {
  name: string;
  why: string;
}

export interface Sending {
  files: readonly Outgoing[];
  /** The one that is being sent; as many as there are when it is over. */
  at: number;
  /** What of it has left this device. */
  bytes: number;
  sent: number;
  failures: readonly Failure[];
}

export type Event = { kind: "moved"; bytes: number } | { kind: "sent" } | { kind: "failed"; error: unknown } | { kind: "unfit"; why: string } | { kind: "stopped" };

export function startSending(files: readonly Outgoing[]): Sending {
  return { files, at: 0, bytes: 0, sent: 0, failures: [] };
}

/** The state after an event. */
export function advance(sending: Sending, event: Event): Sending {
  const file = sending.files[sending.at];
  if (!file) return sending;
  const next = { ...sending, at: sending.at + 1, bytes: 0 };
  switch (event.kind) {
    case "moved":
      // The browser counts what it adds to a file too.
      return { ...sending, bytes: Math.min(event.bytes, file.size) };
    case "sent":
      return { ...next, sent: sending.sent + 1 };
    case "unfit":
      return { ...next, failures: [...sending.failures, { name: file.name, why: event.why }] };
    case "failed": {
      const { message, stopsAll } = fileTrouble(event.error);
      const failures = [...sending.failures, { name: file.name, why: message }];
      return { ...(stopsAll ? end(sending) : next), failures };
    }
    case "stopped":
      return end(sending);
  }
}

function end(sending: Sending): Sending {
  return { ...sending, at: sending.files.length, bytes: 0 };
}

export function isOver({ files, at }: Sending): boolean {
  return at >= files.length;
}

/** Of all bytes, 0 to 100. Files of no length count as arrived when it is over. */
export function percent(sending: Sending): number {
  const size = (files: readonly Outgoing[]) => files.reduce((sum, file) => sum + file.size, 0);
  const all = size(sending.files);
  if (all === 0 || isOver(sending)) return isOver(sending) ? 100 : 0;
  return Math.floor(((size(sending.files.slice(0, sending.at)) + sending.bytes) / all) * 100);
}

/** Which file, and how much of it. */
export function sendingWords({ files, at, bytes }: Sending): string {
  const file = files[at];
  if (!file) return "";
  const which = files.length > 1 ? `File ${at + 1} of ${files.length}: ` : "";
  const written = file.size > 0 && bytes >= file.size;
  const far = written ? "the box writes it to its disk" : `${formatBytes(bytes)} of ${formatBytes(file.size)}`;
  return `${which}${shownName(file.name)}, ${far}`;
}

/** What came of it, when it is over; what failed is told with its reason besides. */
export function outcome({ files, sent, failures }: Sending): string | undefined {
  const left = files.length - sent - failures.length;
  const parts = [];
  if (sent > 0) parts.push(`${sent === 1 ? "1 file is" : `${sent} files are`} on the box now.`);
  if (left > 0) parts.push(`${left}${sent + failures.length > 0 ? " more" : ""} ${left === 1 ? "was" : "were"} not sent.`);
  return parts.length > 0 ? parts.join(" ") : undefined;
}
