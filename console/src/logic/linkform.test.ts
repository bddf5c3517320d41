import { describe, expect, it } from "vitest";
import type { Link, LinkSettings, NetworkSettings } from "../api/types";
import { consoleAfter, linkDraft, linkFault, linkProblems, withLink, type LinkDraft } from "./linkform";

const LINK: Link = { name: "eth0", kind: "ethernet", mac: "52:54:00:12:34:56", state: "up", addresses: ["192.168.1.5/24"], gateway: null, lease_expires_unix: null, report: null };
const OTHER: LinkSettings = { matching: { name: "eth1" }, ipv4: "off", ipv6: "automatic" };
const FIXED: LinkSettings = {
  matching: { mac: "52:54:00:12:34:56" },
  ipv4: { static: { addresses: ["192.168.1.20/24", "10.0.0.2/8"], gateway: "192.168.1.1" } },
  ipv6: "off",
  mtu: 1400,
  metric: 50,
};
const AUTOMATIC = { way: "automatic" as const, addresses: "", gateway: "" };
const USUAL: LinkDraft = { ipv4: AUTOMATIC, ipv6: AUTOMATIC, mtu: "", metric: "" };
const TYPED: LinkDraft = { ...USUAL, ipv4: { way: "static", addresses: " 192.168.1.20/24 ", gateway: "" } };

function settings(...links: LinkSettings[]): NetworkSettings {
  return { version: 1, links, resolver: { upstreams: [], serve_lan: false, private_names: [] }, time: { servers: [] } };
}

it("settings come out of the form as they went in", () => {
  for (const links of [[OTHER, FIXED], [FIXED], [OTHER]]) {
    expect(withLink(settings(...links), LINK, linkDraft(settings(...links), LINK)).settings).toEqual(settings(...links));
  }
  expect(linkDraft(settings(OTHER), LINK)).toEqual(USUAL);
});

it("a link is named by its hardware, and needs no settings when all is automatic", () => {
  expect(withLink(settings(OTHER), LINK, TYPED)).toEqual({
    settings: settings(OTHER, { matching: { mac: "52:54:00:12:34:56" }, ipv4: { static: { addresses: ["192.168.1.20/24"] } }, ipv6: "automatic" }),
    at: 1,
  });
  expect(withLink(settings(), { ...LINK, mac: null }, TYPED).settings.links[0]?.matching).toEqual({ name: "eth0" });
  expect(withLink(settings(FIXED, OTHER), LINK, USUAL)).toEqual({ settings: settings(OTHER), at: 0 });
  const byName: LinkSettings = { matching: { name: "eth0" }, mtu: 1300 };
  expect(linkDraft(settings(byName), LINK).mtu).toBe("1300");
  expect(linkDraft(settings(byName, FIXED), LINK).mtu).toBe("1400");
});

it("of several settings for one link none is left to take over", () => {
  const byName: LinkSettings = { matching: { name: "eth0" }, ipv4: "off" };
  const sameMac: LinkSettings = { matching: { mac: "52:54:00:12:34:56" }, ipv4: "off" };
  const many = settings(byName, OTHER, FIXED, sameMac);
  expect(linkDraft(many, LINK).mtu).toBe("1400");
  expect(withLink(many, LINK, USUAL)).toEqual({ settings: settings(OTHER), at: 1 });
  expect(withLink(many, LINK, linkDraft(many, LINK))).toEqual({ settings: settings(OTHER, FIXED), at: 1 });
});

describe("what cannot be sent", () => {
  it.each([
    [{}, []],
    [{ ipv4: { way: "static" as const, addresses: " ,", gateway: "" } }, ["ipv4.addresses"]],
    [{ ipv6: { way: "static" as const, addresses: "", gateway: "" } }, ["ipv6.addresses"]],
    [{ ipv6: { way: "off" as const, addresses: "", gateway: "" } }, []],
    [{ mtu: "575" }, ["mtu"]],
    [{ mtu: "1500" }, []],
    [{ mtu: "99999999" }, ["mtu"]],
    [{ metric: "low" }, ["metric"]],
  ])("%j: %j", (change, members) => {
    expect(Object.keys(linkProblems({ ...USUAL, ...change }))).toEqual(members);
  });
});

it.each([
  ["links[1].ipv4.static.addresses[0]", "links[1].ipv4.static.addresses[0] cannot be used: the prefix length is out of range.", { "ipv4.addresses": "The prefix length is out of range." }],
  ["links[1].ipv6.static.gateway", "links[1].ipv6.static.gateway cannot be used: invalid IPv6 address syntax.", { "ipv6.gateway": "Invalid IPv6 address syntax." }],
  ["links[1]", "links[1] cannot be used: the gateway 10.0.0.1 is in the network of none of the addresses.", { "ipv4.gateway": "The gateway 10.0.0.1 is in the network of none of the addresses." }],
  ["links[1]", "links[1] cannot be used: the address 2001:db8::5 is given twice.", { "ipv6.addresses": "The address 2001:db8::5 is given twice." }],
  ["links[1]", "links[1] cannot be used: IPv6 needs an MTU of at least 1280.", { mtu: "IPv6 needs an MTU of at least 1280." }],
  ["links[1].ipv4", "links[1].ipv4 cannot be used: strange.", { "ipv4.addresses": "Strange." }],
  ["links[1]", "links[1] cannot be used: strange.", undefined],
  ["links[10].mtu", "links[10].mtu cannot be used: strange.", undefined],
  ["version", "version cannot be used: strange.", undefined],
  [undefined, "Strange.", undefined],
])("the box's fault at %s is found in the form: %s", (field, message, found) => {
  expect(linkFault(field, message, 1)).toEqual(found);
});

it("the console moves with the address", () => {
  const here = { protocol: "https:", port: "" };
  const at = (addresses: string) => consoleAfter({ ...USUAL, ipv4: { way: "static", addresses, gateway: "" } }, LINK, here);
  expect(at("192.168.1.20/24")).toBe("https://192.168.1.20");
  expect(at("192.168.1.5/24")).toBeUndefined();
  expect(at("192.168.1.20/24, 192.168.1.5/24")).toBeUndefined();
  for (const half of ["", "192.168.1", "192.168.1.", "192.168.1.300/24"]) expect(at(half)).toBeUndefined();
  const ipv6 = { ...USUAL, ipv6: { way: "static" as const, addresses: "2001:db8::5/64", gateway: "" } };
  expect(consoleAfter(ipv6, LINK, { protocol: "https:", port: "8443" })).toBe("https://[2001:db8::5]:8443");
  expect(consoleAfter(USUAL, LINK, here)).toBeUndefined();
});
