/** Plain words for what the box reports of its network. Pure. */

import type { Explanation, Firewall, NameServer, Network, Resolver, Rule, Time } from "../api/types";
import { formatCount, formatDuration } from "./format";
import type { Tone } from "./words";

/** Why the box is not found under the name wished for, or nothing while it is. */
export function nameConflict(name: Network["name"]): string | undefined {
  if (!name || name.announced === name.wanted || name.announced === "") return undefined;
  const who = name.rival ? `Another device (${name.rival})` : "Another device";
  return `${who} is called ${name.wanted}; this box is ${name.announced}.local.`;
}

export function serverState(server: NameServer): { word: string; tone: Tone } {
  if (server.problem) return { word: "Not used now", tone: "bad" };
  return server.queries === 0 ? { word: "In reserve", tone: "off" } : { word: "Works", tone: "good" };
}

export function serverDetail(server: NameServer): string {
  const way = /https/i.test(server.transport) ? "over HTTPS" : "over TLS";
  const asked = server.queries === 0 ? "" : `asked ${times(server.queries)}`;
  const failed = server.failures === 0 ? "" : `${formatCount(server.failures)} without an answer`;
  return sentence([server.problem ?? "", `encrypted ${way}`, asked, failed]);
}

/** What is worth knowing of the questions so far; the first line always, the others where something happened. */
export function resolverFacts(resolver: Resolver): string[] {
  const { queries, cache_hits: hits, rebinding_blocked: blocked, bogus, failed } = resolver;
  const facts = [
    queries === 0 ? "Nobody has asked for a name yet." : `${questions(queries)} so far, ${formatCount(hits)} answered from memory.`,
  ];
  if (failed > 0) facts.push(`${questions(failed)} had no answer, because no name server gave one.`);
  if (blocked > 0) facts.push(`${formatCount(blocked)} ${plural(blocked, "answer")} blocked: a public name claimed an address in your home.`);
  if (bogus > 0) facts.push(`${formatCount(bogus)} ${plural(bogus, "answer")} thrown away: the signature was wrong.`);
  return facts;
}

export function timeState(time: Time): { word: string; tone: Tone; detail: string } {
  if (!time.synchronised) {
    return { word: "Not set", tone: "bad", detail: sentence([time.reason ?? "no time server has answered yet"]) };
  }
  const detail = sentence([
    time.authenticated ? "the source proved who it is" : "the source cannot prove who it is",
    `off by ${offset(time.offset_us)}`,
    time.age_seconds === null ? "" : `looked ${formatDuration(time.age_seconds)} ago`,
  ]);
  return { word: "Right", tone: "good", detail };
}

function offset(microseconds: number): string {
  const off = Math.abs(microseconds);
  if (off < 1000) return "less than a millisecond";
  return off < 1_000_000 ? `${Math.round(off / 1000)} ms` : formatDuration(off / 1_000_000);
}

export function firewallState(firewall: Firewall): { word: string; tone: Tone; detail: string } {
  if (!firewall.in_force || firewall.problem) {
    return { word: "Not in force", tone: "bad", detail: sentence([firewall.problem ?? "the rules were not loaded yet"]) };
  }
  const refused = firewall.rules.filter((rule) => !rule.allows).reduce((sum, rule) => sum + rule.packets, 0);
  const detail = `${firewall.rules.length} rules. ${packets(refused)} refused since the box started.`;
  return { word: "In force", tone: "good", detail };
}

export interface RuleGroup {
  title: string;
  rules: Rule[];
  /** Packets that met any rule of the group. */
  packets: number;
}

/** The box first, then each app by name, then what is refused. */
export function groupRules(rules: Rule[]): RuleGroup[] {
  const groups = new Map<string, RuleGroup>();
  for (const rule of rules) {
    const [order, title] = ownerOf(rule);
    const key = `${order} ${title}`;
    const group = groups.get(key) ?? { title, rules: [], packets: 0 };
    groups.set(key, { ...group, rules: [...group.rules, rule], packets: group.packets + rule.packets });
  }
  return [...groups.entries()].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, group]) => group);
}

/** A permission is named after its ends: `app notes to lan`, `lan to app notes tcp/80 as 80`, `box to app db tcp/8080`. */
function ownerOf(rule: Rule): [number, string] {
  if (!rule.allows) return [2, "Refused"];
  const app = /^(?:app|\w+ to app) (\S+)/.exec(rule.name)?.[1];
  return app === undefined ? [0, "The box"] : [1, `App ${app}`];
}

const ANSWERS: Record<Explanation["answer"], { word: string; tone: Tone }> = {
  yes: { word: "Yes", tone: "good" },
  partly: { word: "Only some of it", tone: "busy" },
  no: { word: "No", tone: "bad" },
};

/** The box's sentence begins with its answer, which stands above it already. */
export function answerWords(explanation: Explanation): { word: string; tone: Tone; text: string } {
  return { ...ANSWERS[explanation.answer], text: sentence([explanation.words.replace(/^(yes|no|only this): /, "")]) };
}

export function packets(count: number): string {
  return `${formatCount(count)} ${plural(count, "packet")}`;
}

function questions(count: number): string {
  return `${formatCount(count)} ${plural(count, "question")}`;
}

function times(count: number): string {
  return count === 1 ? "once" : `${formatCount(count)} times`;
}

function plural(count: number, word: string): string {
  return count === 1 ? word : `${word}s`;
}

function sentence(parts: string[]): string {
  const text = parts.filter((part) => part !== "").join(" · ");
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}
