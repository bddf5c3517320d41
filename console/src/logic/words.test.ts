import { describe, expect, it } from "vitest";
import type { Service } from "../api/types";
import { linkName, linkState, parseLogLine, reasonSentence, serviceDetail, serviceName, serviceState } from "./words";

const SERVICE: Service = { name: "netd", state: "ready", restarts: 0, reason: null, status: null };
const LINK = { name: "eth0", kind: "ethernet", mac: "52:54:00:12:34:56", state: "up", addresses: ["10.0.2.15/24"], gateway: null, lease_expires_unix: null, report: null };

describe("services", () => {
  it("have a name and a state in plain words", () => {
    expect(serviceName("netd")).toBe("Network");
    expect(serviceName("new-thing")).toBe("new-thing");
    expect(serviceState("degraded")).toEqual({ word: "Keeps failing", tone: "bad" });
  });

  it("show the reason while something is wrong and the status while not", () => {
    expect(serviceDetail({ ...SERVICE, reason: "old", status: "lease from 10.0.2.2" })).toBe("Lease from 10.0.2.2");
    expect(serviceDetail({ ...SERVICE, state: "backoff", reason: "exited with code 1", status: "x", restarts: 2 })).toBe(
      "Exited with code 1 · started again 2 times",
    );
    expect(serviceDetail({ ...SERVICE, restarts: 1 })).toBe("Started again once");
    expect(serviceDetail(SERVICE)).toBe("");
  });
});

describe("links", () => {
  it("are connected only with an address", () => {
    expect(linkState(LINK).word).toBe("Connected");
    expect(linkState({ ...LINK, addresses: [] }).word).toBe("Waiting for an address");
    const own = { address: "169.254.7.9", prefix: 16, origin: "link-local", valid_until_unix: null };
    const report = { speed_mbit: null, mtu: 1500, addresses: [own], gateways: [], dns: [], problems: [] };
    expect(linkState({ ...LINK, report }).word).toBe("Waiting for an address");
    expect(linkState({ ...LINK, report: { ...report, addresses: [own, { ...own, origin: "static" }] } }).word).toBe("Connected");
    expect(linkState({ ...LINK, state: "no-carrier" }).word).toBe("No cable");
    expect(linkState({ ...LINK, kind: "wifi", state: "no-carrier" }).word).toBe("Not connected");
    expect(linkState({ ...LINK, state: "down" }).word).toBe("Switched off");
  });

  it("have names", () => {
    const name = (kind: string) => linkName({ kind, name: "x0" });
    expect(["ethernet", "wifi", "other"].map(name)).toEqual(["Network cable", "Wi-Fi", "x0"]);
  });
});

it.each([
  ["netd: exited with code 1", "Network: exited with code 1."],
  ["the disk is full!", "The disk is full!"],
  ["other: thing", "Other: thing."],
])("the reason %j reads %j", (reason, sentence) => {
  expect(reasonSentence(reason)).toBe(sentence);
});

describe("parseLogLine", () => {
  it("splits time and text", () => {
    expect(parseLogLine("12.3456 netd: link eth0: up", "netd")).toEqual({ at: "12.3", text: "link eth0: up" });
  });

  it("shows anything else as it came", () => {
    expect(parseLogLine("12.3 hostd: hello", "netd")).toEqual({ at: "", text: "12.3 hostd: hello" });
    expect(parseLogLine("", "netd")).toEqual({ at: "", text: "" });
  });
});
