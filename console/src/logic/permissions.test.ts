import { describe, expect, it } from "vitest";
import type { AppAsk } from "../api/apps";
import { askedNames, grantedNames, pageAddress, reachedAt, shownAsk, splitAsks, switched, weightWord } from "./permissions";

const LAN: AppAsk = { weight: "high", words: "May reach every device in your home network", reason: "To show photos", permissions: ["lan"] };
const DOMAINS: AppAsk = {
  weight: "medium",
  words: "May reach a.org, everything below b.org on the Internet",
  reason: null,
  permissions: ["domain:a.org", "domain:*.b.org"],
};
const MEMORY: AppAsk = { weight: "low", words: "May use up to 512 MiB of memory", reason: null, permissions: [] };

describe("what an app asks for", () => {
  it("has one switch beside its words", () => {
    expect(shownAsk(LAN)).toEqual({ words: LAN.words, reason: "To show photos.", weight: "high", parts: [{ name: "lan", words: LAN.words }] });
  });

  it("has a switch for each of several names", () => {
    expect(shownAsk(DOMAINS).parts.map(({ words }) => words)).toEqual(["a.org", "Everything below b.org"]);
    expect(shownAsk({ ...DOMAINS, permissions: ["odd", "new:thing"] }).parts.map(({ words }) => words)).toEqual(["odd", "new:thing"]);
  });

  it("is a choice, or how the app is made", () => {
    const { choices, facts } = splitAsks([LAN, DOMAINS, MEMORY]);
    expect([choices.length, facts.length]).toEqual([2, 1]);
  });

  it("is pointed out where it matters most", () => {
    expect([weightWord("high"), weightWord("medium"), weightWord("low")].filter(Boolean)).toHaveLength(1);
  });
});

describe("what it gets", () => {
  it("is all but what is withheld, each once", () => {
    expect(askedNames([LAN, DOMAINS, MEMORY, LAN])).toEqual(["lan", "domain:a.org", "domain:*.b.org"]);
    expect(grantedNames([LAN, DOMAINS], new Set(["lan", "gone"]))).toEqual(["domain:a.org", "domain:*.b.org"]);
    expect(grantedNames([MEMORY], new Set())).toEqual([]);
  });

  it("changes by one at a time", () => {
    expect(switched(["lan"], "lan")).toEqual([]);
    expect(switched(["lan"], "internet")).toEqual(["lan", "internet"]);
  });

  it("tells where devices at home find it", () => {
    expect(pageAddress({ port: 8480, path: "/start" }, "hearth.local")).toBe("http://hearth.local:8480/start");
    expect(reachedAt(["lan", "inbound:tcp/8480:80", "inbound:udp/53:5353", "inbound:odd"], "hearth.local")).toEqual([
      { address: "hearth.local:8480", protocol: "TCP" },
      { address: "hearth.local:53", protocol: "UDP" },
    ]);
  });
});
