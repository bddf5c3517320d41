import { expect, it } from "vitest";
import type { Link, LinkReport } from "../api/types";
import { linkFacts, originWords } from "./link";

const LINK: Link = { name: "eth0", kind: "ethernet", mac: "52:54:00:12:34:56", state: "up", addresses: [], gateway: null, lease_expires_unix: null, report: null };
const REPORT: LinkReport = { speed_mbit: 1000, mtu: 1500, addresses: [], gateways: [], dns: [], problems: [] };

it.each([
  ["192.168.1.5", "dhcp", 4600, "from the router (DHCP), for another 1 hour"],
  ["192.168.1.5", "dhcp", 500, "from the router (DHCP)"],
  ["192.168.1.5", "static", null, "fixed"],
  ["2001:db8::5", "slaac", 4600, "made from router announcements"],
  ["2001:db8::5", "dhcpv6", null, "from DHCPv6"],
  ["169.254.7.9", "link-local", null, "made up by the box: no DHCP server answers"],
  ["fe80::5", "link-local", null, "made up by the box, for this cable only"],
  ["10.0.0.1", "mesh", null, "mesh"],
])("%s by %s until %j is %s", (address, origin, until, words) => {
  expect(originWords({ address, prefix: 24, origin, valid_until_unix: until }, 1000)).toBe(words);
});

it("of a link only what matters is told", () => {
  expect(linkFacts(LINK, REPORT)).toEqual(["1 Gbit/s · hardware address 52:54:00:12:34:56."]);
  const gateways = [
    { address: "192.168.1.1", metric: 1, answers: true },
    { address: "fe80::1", metric: 2, answers: false },
  ];
  expect(linkFacts({ ...LINK, mac: null, state: "down" }, { ...REPORT, gateways, mtu: 1400, dns: ["192.168.1.1"] })).toEqual([
    "Router 192.168.1.1 answers.",
    "Router fe80::1 does not answer.",
    "Name server 192.168.1.1: offered, not used: the box asks encrypted servers.",
    "MTU 1400.",
  ]);
});
