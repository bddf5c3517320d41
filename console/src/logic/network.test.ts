import { expect, it } from "vitest";
import type { NameServer, Resolver, Rule, Time } from "../api/types";
import { answerWords, firewallState, groupRules, nameConflict, resolverFacts, serverDetail, serverState, timeState } from "./network";

const SERVER: NameServer = { name: "dns.example.org", transport: "tls", problem: null, queries: 0, failures: 0 };
const RESOLVER: Resolver = { upstreams: [], serves_lan: false, queries: 0, cache_hits: 0, refused: 0, rebinding_blocked: 0, bogus: 0, failed: 0 };
const TIME: Time = { synchronised: true, authenticated: true, offset_us: -812, age_seconds: 94, sources: [], reason: null };

function rule(name: string, packets = 0, allows = !name.startsWith("refused")): Rule {
  return { name, words: name, allows, packets, bytes: packets * 60 };
}

it("a name that another device has is told with its address", () => {
  expect(nameConflict({ wanted: "hearth", announced: "hearth-2", rival: "192.168.1.7" })).toBe(
    "Another device (192.168.1.7) is called hearth; this box is hearth-2.local.",
  );
  expect(nameConflict({ wanted: "hearth", announced: "hearth-2", rival: null })).toMatch(/^Another device is called hearth;/);
  expect(nameConflict({ wanted: "hearth", announced: "hearth", rival: null })).toBeUndefined();
  expect(nameConflict(null)).toBeUndefined();
});

it("a name server works, waits, or has a problem", () => {
  expect(serverState(SERVER).word).toBe("In reserve");
  expect(serverState({ ...SERVER, queries: 3 }).tone).toBe("good");
  expect(serverState({ ...SERVER, queries: 3, problem: "it did not answer" }).tone).toBe("bad");
  expect(serverDetail({ ...SERVER, queries: 1830, failures: 2 })).toBe("Encrypted over TLS · asked 1,830 times · 2 without an answer.");
  expect(serverDetail({ ...SERVER, transport: "https", queries: 1, problem: "it did not answer" })).toBe("It did not answer · encrypted over HTTPS · asked once.");
});

it("of the questions only what happened is told", () => {
  expect(resolverFacts(RESOLVER)).toEqual(["Nobody has asked for a name yet."]);
  expect(resolverFacts({ ...RESOLVER, queries: 4210, cache_hits: 2368, rebinding_blocked: 1, failed: 1, bogus: 2 })).toEqual([
    "4,210 questions so far, 2,368 answered from memory.",
    "1 question had no answer, because no name server gave one.",
    "1 answer blocked: a public name claimed an address in your home.",
    "2 answers thrown away: the signature was wrong.",
  ]);
});

it("the time is right or has a reason", () => {
  expect(timeState(TIME).detail).toBe("The source proved who it is · off by less than a millisecond · looked 1 minute ago.");
  expect(timeState({ ...TIME, offset_us: 12_400, age_seconds: null }).detail).toMatch(/off by 12 ms\.$/);
  expect(timeState({ ...TIME, synchronised: false, reason: "no server can be reached" })).toEqual({
    word: "Not set",
    tone: "bad",
    detail: "No server can be reached.",
  });
});

it("rules are grouped by whose they are", () => {
  const rules = [
    rule("refused: app out", 5),
    rule("app notes to lan", 1),
    rule("box to anywhere", 7),
    rule("lan to app notes tcp/8022 as 22", 2),
    rule("lan to box console"),
    rule("box to app db tcp/8080"),
    rule("app notes to app db tcp/5432", 4),
  ];
  expect(groupRules(rules).map(({ title, rules, packets }) => [title, rules.length, packets])).toEqual([
    ["The box", 2, 7],
    ["App db", 1, 0],
    ["App notes", 3, 7],
    ["Refused", 1, 5],
  ]);
  const firewall = { in_force: true, problem: null, loads: 1, rules };
  expect(firewallState(firewall).detail).toBe("7 rules. 5 packets refused since the box started.");
  expect(firewallState({ ...firewall, in_force: false, problem: "the kernel refused them" }).tone).toBe("bad");
});

it("an answer stands once", () => {
  const explanation = { from: "lan", to: "app:db", answer: "no" as const, words: "no: nothing allows it", rules: [], otherwise: rule("refused: app in") };
  expect(answerWords(explanation)).toEqual({ word: "No", tone: "bad", text: "Nothing allows it." });
});
