import { describe, expect, it } from "vitest";
import { ApiError, Unreachable } from "../api/client";
import type { Wifi, WifiNetwork } from "../api/types";
import { byReach, countries, draftProblems, farewell, forgetText, hasCable, isUnderWay, joinWish, networkDetail, networksFound, outcomeOf, passphraseProblem, ssidProblem, strength, wayText, wifiState, wishTrouble } from "./wifi";

const HOME: WifiNetwork = { ssid: "Home", security: "password", signal: 80, is_known: false, is_joined: false };
const WIFI: Wifi = { state: "idle", network: null, link: "wlan0", country: null, problem: null, networks: [] };
const WRONG = 'the network "Home" did not accept the password';

it("a signal has bars and a word, and the ends of each belong to it", () => {
  const shown = (signal: number | null) => `${strength(signal).bars} ${strength(signal).word}`;
  expect([100, 75, 74, 50, 49, 25, 24, 0, null].map(shown)).toEqual([
    "4 Strong",
    "4 Strong",
    "3 Good",
    "3 Good",
    "2 Weak",
    "2 Weak",
    "1 Very weak",
    "1 Very weak",
    "0 Out of reach",
  ]);
});

it("a network is told with strength, protection, and whether it is known", () => {
  expect(networkDetail(HOME)).toBe("Strong · protected");
  expect(networkDetail({ ...HOME, is_known: true, signal: null })).toBe("Out of reach · protected · known");
  expect(networkDetail({ ...HOME, is_known: true, is_joined: true })).toBe("Strong · protected");
  expect(networkDetail({ ...HOME, security: "open", signal: 30 })).toBe("Weak · open, without a password");
  expect(networkDetail({ ...HOME, security: "unsupported" })).toMatch(/does not speak$/);
});

it("each state has a word and a sentence, with the network where there is one", () => {
  const told = (wifi: Partial<Wifi>) => wifiState({ ...WIFI, ...wifi });
  expect(told({}).text).toBe("The box is in no Wi-Fi network.");
  expect(told({ network: "Home" }).text).toBe("The box looks for “Home” again in a few minutes.");
  expect(told({ state: "looking" }).text).toBe("The box looks for networks that it knows.");
  expect(told({ state: "looking", network: "Home" }).text).toBe("The box looks for “Home”.");
  expect(told({ state: "joining", network: "Home" })).toEqual({ word: "Joining", tone: "busy", text: "The box joins “Home”." });
  expect(told({ state: "joined", network: "Home", networks: [{ ...HOME, is_joined: true }] })).toEqual({
    word: "Connected",
    tone: "good",
    text: "The box is in “Home”. Strong signal.",
  });
  expect(told({ state: "joined", network: "Home", networks: [{ ...HOME, is_joined: true, signal: null }] }).text).toBe("The box is in “Home”.");
  expect(told({ state: "access-point" }).word).toBe("Own network is on");
  expect(told({ state: "absent" }).word).toBe("None");
});

it("the joined network is near even while its strength is not known", () => {
  const joined = { ...HOME, ssid: "Here", is_joined: true, signal: null };
  const far = { ...HOME, ssid: "Far", is_known: true, signal: null };
  expect(byReach([joined, HOME, far])).toEqual({ near: [joined, HOME], far: [far] });
});

it("only the way into a certain network counts as under way", () => {
  const is = (state: Wifi["state"], network: string | null) => isUnderWay({ ...WIFI, state, network });
  expect([is("joining", "Home"), is("looking", "Home"), is("looking", null), is("idle", "Home"), is("joined", "Home")]).toEqual([true, true, false, false, false]);
});

describe("what came of an attempt", () => {
  const attempt = { ssid: "Home", fromOwn: false };
  const come = (wifi: Partial<Wifi>) => outcomeOf(attempt, { ...WIFI, ...wifi });

  it("is not known while the box is on its way", () => {
    expect(come({ state: "looking", network: "Home" })).toBeUndefined();
    expect(come({ state: "joining", network: "Home" })).toBeUndefined();
    // Still in the network from before while it looks.
    expect(come({ state: "looking", network: "Home", networks: [{ ...HOME, ssid: "Old", is_joined: true }] })).toBeUndefined();
  });

  it("is joined only in the network that was wanted", () => {
    expect(come({ state: "joined", network: "Home" })).toEqual({ kind: "joined", words: "The box is in “Home”." });
    const elsewhere = come({ state: "joined", network: "Old" });
    expect(elsewhere).toEqual({
      kind: "refused",
      isPassword: false,
      words: "The box did not get into “Home”; it is back in “Old”. Check the password, and try again.",
    });
  });

  it("is a refusal in the words of the box, and only that of a password is one", () => {
    expect(come({ state: "access-point", problem: WRONG })).toEqual({
      kind: "refused",
      isPassword: true,
      words: 'The network "Home" did not accept the password. Check it, also capital letters.',
    });
    expect(come({ problem: 'the network "Home" needs a password' })).toMatchObject({ isPassword: true });
    expect(come({ state: "looking", network: "Home", problem: 'the network "Home" is not in reach' })).toEqual({
      kind: "refused",
      isPassword: false,
      words: 'The network "Home" is not in reach. The box goes on trying.',
    });
  });

  it("is a refusal without a reason when nothing is wanted any more", () => {
    expect(come({ state: "access-point" })).toMatchObject({ kind: "refused", words: "The box did not get into “Home”. Check the password, and try again." });
  });
});

it("silence on the way is expected, and said so", () => {
  expect(wayText("Home", false)).toBe("The box joins “Home”. That can take a minute or two.");
  expect(wayText("Home", true)).toBe("The box does not answer for now: it is on its way into “Home”.");
});

it("whoever may lose the box is told where to find it", () => {
  expect(farewell("Home", true)).toHaveLength(2);
  expect(farewell("Home", true)[0]).toContain("Join “Home” with this device too");
  expect(farewell(null, false)[0]).toContain("join that network with this device too");
});

describe("what is typed", () => {
  it("is a password of 8 to 63 characters of ASCII", () => {
    expect(passphraseProblem("")).toMatch(/under the router/);
    expect(passphraseProblem("1234567")).toBe("A Wi-Fi password has at least 8 characters; this has 7.");
    expect(passphraseProblem("x".repeat(64))).toBe("A Wi-Fi password has at most 63 characters; this has 64.");
    expect(passphraseProblem("straße 12")).toMatch(/^“ß” cannot/);
    expect(passphraseProblem("🔑🔑🔑🔑🔑🔑🔑🔑")).toMatch(/^“🔑” cannot/);
    expect([passphraseProblem("12345678"), passphraseProblem("x".repeat(63)), passphraseProblem(" ~ ~ ~ ~ ")]).toEqual([undefined, undefined, undefined]);
  });

  it("is a name of 1 to 32 bytes", () => {
    expect(ssidProblem("")).toMatch(/^Type the name/);
    expect(ssidProblem("ä".repeat(17))).toMatch(/at most 32/);
    expect(ssidProblem("a\tb")).toMatch(/cannot be typed/);
    expect([ssidProblem("ä".repeat(16)), ssidProblem(" Our home ")]).toEqual([undefined, undefined]);
  });

  it("needs a password only where the network has one", () => {
    const open = { ssid: "Cafe", passphrase: "", isProtected: false };
    expect(draftProblems(open)).toEqual({});
    expect(joinWish({ ...open, passphrase: "left over" })).toEqual({ want: "join", ssid: "Cafe" });
    expect(Object.keys(draftProblems({ ssid: "", passphrase: "", isProtected: true }))).toEqual(["ssid", "passphrase"]);
    expect(joinWish({ ssid: "Home", passphrase: "correct horse", isProtected: true })).toEqual({ want: "join", ssid: "Home", passphrase: "correct horse" });
  });
});

it("a wish without an answer may have been done", () => {
  expect(wishTrouble(new ApiError(409, "network_refused", "No."))).toBe("No.");
  expect(wishTrouble(new Unreachable())).toMatch(/perhaps/);
});

it("what forgetting means depends on the cable", () => {
  expect(hasCable([{ kind: "wifi", state: "up" }, { kind: "ethernet", state: "no-carrier" }])).toBe(false);
  expect(hasCable([{ kind: "ethernet", state: "up" }])).toBe(true);
  expect(forgetText({ is_joined: false }, false)).not.toContain("leaves");
  expect(forgetText({ is_joined: true }, true)).toContain("The cable stays");
  expect(forgetText({ is_joined: true }, false)).toContain("this page loses the box");
});

it("networks are counted", () => {
  expect([0, 1, 2].map(networksFound)).toEqual(["No network is in reach.", "One network is in reach.", "2 networks are in reach."]);
});

it("every country has a name, once, in order", () => {
  const all = countries("en");
  expect(all).toHaveLength(249);
  expect(new Set(all.map(([code]) => code)).size).toBe(249);
  expect(all.find(([code]) => code === "DE")?.[1]).toBe("Germany");
  expect(all.every(([code, name]) => name !== code)).toBe(true);
  expect(all[0]?.[1]).toBe("Afghanistan");
});
