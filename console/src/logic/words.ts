/** Plain words for what the box reports in its own terms. */

import type { Link, Service, ServiceState } from "../api/types";

export type Tone = "good" | "busy" | "bad" | "off";

const SERVICE_NAMES: Record<string, string> = {
  hostd: "Console and accounts",
  netd: "Network",
  storaged: "Encrypted data",
  "containerd-lite": "Apps",
  agent: "Test agent",
};

const STATES: Record<ServiceState, { word: string; tone: Tone }> = {
  waiting: { word: "Waiting", tone: "busy" },
  starting: { word: "Starting", tone: "busy" },
  ready: { word: "Running", tone: "good" },
  backoff: { word: "Failed, starting again soon", tone: "bad" },
  degraded: { word: "Keeps failing", tone: "bad" },
  stopping: { word: "Stopping", tone: "busy" },
  stopped: { word: "Stopped", tone: "off" },
};

export function serviceName(service: string): string {
  return SERVICE_NAMES[service] ?? service;
}

export function serviceState(state: ServiceState): { word: string; tone: Tone } {
  return STATES[state] ?? { word: state, tone: "off" };
}

/** Why the service is as it is, and how often it was started again. */
export function serviceDetail(service: Service): string {
  const said = service.state === "ready" ? (service.status ?? service.reason) : (service.reason ?? service.status);
  const again = service.restarts === 1 ? "started again once" : `started again ${service.restarts} times`;
  const parts = [said ?? "", service.restarts > 0 ? again : ""].filter((part) => part !== "");
  const text = parts.join(" · ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export function linkState(link: Link): { word: string; tone: Tone } {
  // An address that the box made up itself leads nowhere but along the cable.
  const found = link.report ? link.report.addresses.filter(({ origin }) => origin !== "link-local") : link.addresses;
  if (link.state === "up" && found.length > 0) return { word: "Connected", tone: "good" };
  if (link.state === "up") return { word: "Waiting for an address", tone: "busy" };
  if (link.state === "down") return { word: "Switched off", tone: "off" };
  return { word: link.kind === "wifi" ? "Not connected" : "No cable", tone: "off" };
}

export function linkName({ kind, name }: Pick<Link, "kind" | "name">): string {
  if (kind === "wifi") return "Wi-Fi";
  return kind === "ethernet" ? "Network cable" : name;
}

/** Reasons come as clauses, often led by a service: "netd: exited with code 1" → "Network: exited with code 1." */
export function reasonSentence(reason: string): string {
  const [, unit = "", rest = ""] = /^([\w-]+): (.+)$/s.exec(reason) ?? [];
  const text = unit in SERVICE_NAMES ? `${serviceName(unit)}: ${rest}` : reason.charAt(0).toUpperCase() + reason.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

export interface LogLine {
  /** Seconds since the box started, as printed. */
  at: string;
  text: string;
}

/** init writes `<uptime seconds> <unit>: <text>`; anything else is shown as it came. */
export function parseLogLine(line: string, unit: string): LogLine {
  const match = /^\[?\s*(\d+(?:\.\d+)?)\]?\s+([\w.@-]+): ?(.*)$/s.exec(line);
  if (!match || match[2] !== unit) return { at: "", text: line };
  return { at: Number(match[1]).toFixed(1), text: match[3] ?? "" };
}
