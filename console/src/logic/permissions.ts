/** What apps may: what is switched on, and what a switch stands for. Pure. */

import type { AppAsk, AppPage } from "../api/apps";
import { ended } from "./apps";

/** One switch, for one permission. */
export interface Part {
  /** The permission's name. */
  name: string;
  words: string;
}

/** What an app asks for, as it is shown. */
export interface Shown {
  words: string;
  /** The app's own reason, as a sentence. */
  reason?: string;
  weight: AppAsk["weight"];
  /** Switches; none where it is how the app is made. One stands beside the words themselves. */
  parts: Part[];
}

export function shownAsk({ words, reason, weight, permissions }: AppAsk): Shown {
  const parts =
    permissions.length === 1 ? permissions.map((name) => ({ name, words })) : permissions.map((name) => ({ name, words: partWords(name) }));
  return { words, weight, parts, ...(reason === null ? {} : { reason: ended(reason) }) };
}

/** One of several permissions that come of one thing that is asked for. */
function partWords(name: string): string {
  const [, kind = "", rest = ""] = /^([a-z]+):(.*)$/s.exec(name) ?? [];
  if (kind !== "domain") return name;
  return rest.startsWith("*.") ? `Everything below ${rest.slice(2)}` : rest;
}

/** Those that can be switched, and those that cannot. */
export function splitAsks(asks: AppAsk[]): { choices: Shown[]; facts: Shown[] } {
  const shown = asks.map(shownAsk);
  return { choices: shown.filter(({ parts }) => parts.length > 0), facts: shown.filter(({ parts }) => parts.length === 0) };
}

/** Names of all that can be given, each once. */
export function askedNames(asks: AppAsk[]): string[] {
  return [...new Set(asks.flatMap(({ permissions }) => permissions))];
}

/** What it gets when these are withheld. */
export function grantedNames(asks: AppAsk[], withheld: ReadonlySet<string>): string[] {
  return askedNames(asks).filter((name) => !withheld.has(name));
}

/** All that it has once one was switched. */
export function switched(granted: string[], name: string): string[] {
  return granted.includes(name) ? granted.filter((each) => each !== name) : [...granted, name];
}

const WEIGHTS: Record<AppAsk["weight"], string | undefined> = {
  high: "Think about this one",
  medium: undefined,
  low: undefined,
};

/** Said beside what matters most. */
export function weightWord(weight: AppAsk["weight"]): string | undefined {
  return WEIGHTS[weight];
}

/** Address of an app's page, by the name or address under which this page was opened. */
export function pageAddress({ port, path }: AppPage, box: string): string {
  return `http://${box}:${port}${path}`;
}

/** Where devices at home reach an app, by the name or address under which they reach the box. */
export function reachedAt(granted: string[], box: string): { address: string; protocol: string }[] {
  return granted.flatMap((name) => {
    const [, protocol, port] = /^inbound:(tcp|udp)\/(\d+):\d+$/.exec(name) ?? [];
    return protocol && port ? [{ address: `${box}:${port}`, protocol: protocol.toUpperCase() }] : [];
  });
}
