/** Plain words for what the box reports of a link. Pure. */

import type { AddressReport, Link, LinkReport } from "../api/types";
import { formatDuration } from "./format";

const ORIGINS: Record<string, string> = {
  dhcp: "from the router (DHCP)",
  static: "fixed",
  slaac: "made from router announcements",
  dhcpv6: "from DHCPv6",
  unknown: "not known from where",
};

/** Where an address comes from, and for how long it is lent. `now` is the box's own time in Unix seconds. */
export function originWords({ address, origin, valid_until_unix: until }: AddressReport, now: number): string {
  if (origin === "link-local") {
    return address.includes(":") ? "made up by the box, for this cable only" : "made up by the box: no DHCP server answers";
  }
  const left = (until ?? 0) - now;
  // The router prolongs those of IPv6 all the time; their end says nothing.
  const lent = origin === "dhcp" && left > 0 ? `, for another ${formatDuration(left)}` : "";
  return (ORIGINS[origin] ?? origin) + lent;
}

/** What else there is to say of a link, a sentence each. */
export function linkFacts(link: Link, report: LinkReport): string[] {
  const facts = report.gateways.map(({ address, answers }) => `Router ${address} ${answers ? "answers" : "does not answer"}.`);
  if (report.dns.length > 0) {
    const servers = report.dns.length === 1 ? "Name server" : "Name servers";
    facts.push(`${servers} ${report.dns.join(", ")}: offered, not used: the box asks encrypted servers.`);
  }
  const speed = link.state === "up" && report.speed_mbit ? speedWords(report.speed_mbit) : "";
  const device = [speed, report.mtu === 1500 ? "" : `MTU ${report.mtu}`, link.mac ? `hardware address ${link.mac}` : ""].filter(Boolean).join(" · ");
  if (device) facts.push(`${device.charAt(0).toUpperCase()}${device.slice(1)}.`);
  return facts;
}

function speedWords(mbit: number): string {
  return mbit >= 1000 ? `${mbit / 1000} Gbit/s` : `${mbit} Mbit/s`;
}
