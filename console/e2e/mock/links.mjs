// The mock box's links: how they are, and what settings make of them, refused in the box's own words.

import { Refusal } from "./contract.mjs";

const EMPTY = { addresses: [], gateways: [], dns: [], ntp: [], domains: [], problems: [] };

/** A cable to the router, and one to something without a DHCP server. */
export function lively() {
  const until = Math.floor(Date.now() / 1000) + 86_000;
  return [
    link("eth0", "52:54:00:12:34:56", {
      speed_mbit: 1000,
      addresses: [
        { address: "192.168.1.5", prefix: 24, origin: "dhcp", valid_until_unix: until },
        { address: "2001:db8:7::5054:ff:fe12:3456", prefix: 64, origin: "slaac", valid_until_unix: until },
        { address: "fe80::5054:ff:fe12:3456", prefix: 64, origin: "link-local", valid_until_unix: null },
      ],
      gateways: [{ address: "192.168.1.1", metric: 1002, answers: true }, { address: "fe80::1", metric: 1026, answers: false }],
      dns: ["192.168.1.1"],
      domains: ["home.example"],
    }),
    link("eth1", "52:54:00:12:34:57", {
      speed_mbit: 100,
      addresses: [{ address: "169.254.7.9", prefix: 16, origin: "link-local", valid_until_unix: null }],
      problems: ["no DHCP server answers; only devices on the same cable can be reached"],
    }),
  ];
}

function link(name, mac, known) {
  const report = { name, kind: "ethernet", mac, state: "up", mtu: 1500, ...EMPTY, ...known };
  return { ...summary(report), report };
}

function summary(report) {
  const { name, kind, mac, state, addresses, gateways } = report;
  const lent = addresses.find(({ origin }) => origin === "dhcp");
  return { name, kind, mac, state, addresses: addresses.map(({ address, prefix }) => `${address}/${prefix}`), gateway: gateways[0]?.address ?? null, lease_expires_unix: lent?.valid_until_unix ?? null };
}

/** The links with fixed IPv4 addresses where the settings say so. */
export function linksWith(settings, links) {
  return links.map((each) => {
    const chosen = settings.find(({ matching }) => matching.mac === each.mac || matching.name === each.name);
    if (!each.report || typeof chosen?.ipv4 !== "object") return each;
    const { addresses, gateway } = chosen.ipv4.static;
    const fixed = addresses.map((text) => ({ address: text.split("/")[0], prefix: Number(text.split("/")[1]), origin: "static", valid_until_unix: null }));
    const others = each.report.addresses.filter(({ address }) => address.includes(":"));
    const gateways = gateway ? [{ address: gateway, metric: chosen.metric ?? 1002, answers: true }] : [];
    const report = { ...each.report, mtu: chosen.mtu ?? 1500, addresses: [...fixed, ...others], gateways, dns: [], domains: [], problems: [] };
    return { ...summary(report), report };
  });
}

export function checkLinks(links) {
  links.forEach(({ matching, ipv4, ipv6, mtu, metric, ...more }, index) => {
    const at = `links[${index}]`;
    const refuse = (member, why) => {
      throw new Refusal(422, "invalid_field", `${at}${member} cannot be used: ${why}.`, { field: `${at}${member}` });
    };
    if (Object.keys(more).length > 0) refuse(`.${Object.keys(more)[0]}`, "it is not known here");
    if (Object.keys(matching).join() !== "mac" && Object.keys(matching).join() !== "name") refuse(".matching", "it names no link");
    if (mtu !== undefined && !(mtu >= 576 && mtu <= 9000)) refuse(".mtu", "an MTU is from 576 to 9000");
    if (metric !== undefined && !(metric >= 1 && metric <= 9999)) refuse(".metric", "a metric is from 1 to 9999");
    for (const [family, chosen, words] of [["ipv4", ipv4, ["dhcp", "off"]], ["ipv6", ipv6, ["automatic", "off"]]]) {
      if (typeof chosen === "string" && !words.includes(chosen)) refuse(`.${family}`, `unknown variant \`${chosen}\``);
      if (typeof chosen !== "object") continue;
      const { addresses, gateway } = chosen.static;
      if (addresses.length === 0) refuse("", "a fixed address is chosen but none is given");
      addresses.forEach((text, row) => {
        const where = `.${family}.static.addresses[${row}]`;
        if (!/^[\d.]+\/\d+$|^[\da-f:]+\/\d+$/.test(text)) refuse(where, "an address is written with the length of its prefix, such as 192.168.1.5/24 or 2001:db8::5/64");
      });
      // Enough for networks of /24, which is what the situations have.
      const network = (text) => text.split(".").slice(0, 3).join(".");
      if (family === "ipv4" && gateway !== undefined && !addresses.some((own) => network(own) === network(gateway))) {
        refuse("", `the gateway ${gateway} is in the network of none of the addresses`);
      }
    }
  });
}
