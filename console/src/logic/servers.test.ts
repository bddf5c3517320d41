import { describe, expect, it } from "vitest";
import type { NetworkSettings } from "../api/types";
import { draftsOf, emptyDraft, faultAt, problemsOf, withHomeAsking, withServers } from "./servers";

const SETTINGS: NetworkSettings = {
  version: 1,
  links: [],
  resolver: {
    upstreams: [
      { server_name: "dns.example.org", addresses: ["192.0.2.1", "2001:db8::1"], transport: { by: "tls" } },
      { server_name: "doh.example.net", addresses: ["192.0.2.2"], transport: { by: "https", port: 8443, path: "/q" } },
    ],
    serve_lan: false,
    private_names: ["*.home.example"],
  },
  time: { servers: [] },
};

const GOOD = { ...emptyDraft(), name: "dns.example.org", addresses: "192.0.2.1" };

it("settings come out of the form as they went in", () => {
  expect(withServers(SETTINGS, draftsOf(SETTINGS))).toEqual(SETTINGS);
  expect(withServers(SETTINGS, []).resolver).toEqual({ ...SETTINGS.resolver, upstreams: [] });
  expect(withHomeAsking(SETTINGS, true).resolver).toEqual({ ...SETTINGS.resolver, serve_lan: true });
});

it("a path belongs to HTTPS only, and small things are forgiven", () => {
  const typed = { ...GOOD, name: " DNS.example.org ", addresses: "192.0.2.1,  2001:db8::1 ", path: "/q" };
  expect(withServers(SETTINGS, [typed]).resolver.upstreams).toEqual([
    { server_name: "dns.example.org", addresses: ["192.0.2.1", "2001:db8::1"], transport: { by: "tls" } },
  ]);
});

describe("what is wrong", () => {
  it.each([
    [{}, []],
    [{ name: "" }, ["name"]],
    [{ name: "example" }, ["name"]],
    [{ name: "192.0.2.1" }, ["name"]],
    [{ name: "-a.example" }, ["name"]],
    [{ addresses: "" }, ["addresses"]],
    [{ addresses: "192.0.2.1, 192.0.2.256" }, ["addresses"]],
    [{ addresses: "dns.example.org" }, ["addresses"]],
    [{ addresses: "fe80::1" }, []],
    [{ addresses: "fe80:::1" }, ["addresses"]],
    [{ port: "853" }, []],
    [{ port: "53" }, ["port"]],
    [{ name: "dns.example.1" }, ["name"]],
    [{ port: "0" }, ["port"]],
    [{ port: "65536" }, ["port"]],
    [{ path: "q" }, []],
    [{ by: "https" as const, path: "q" }, ["path"]],
    [{ by: "https" as const, path: "/dns query" }, ["path"]],
    [{ by: "https" as const, path: "/dns-query" }, []],
  ])("in %j is %j", (change, members) => {
    expect(Object.keys(problemsOf({ ...GOOD, ...change }))).toEqual(members);
  });
});

it("the box's fault is found in the form", () => {
  expect(faultAt("resolver.upstreams[1].addresses[0]")).toEqual({ row: 1, member: "addresses" });
  expect(faultAt("resolver.upstreams[0].transport.path")).toEqual({ row: 0, member: "path" });
  expect(faultAt("resolver.upstreams[0].transport.port")).toEqual({ row: 0, member: "port" });
  expect(faultAt("resolver.upstreams[0].server_name")).toEqual({ row: 0, member: "name" });
  expect(faultAt("version")).toBeUndefined();
  expect(faultAt(undefined)).toBeUndefined();
});
