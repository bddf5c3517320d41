/**
 * The form of one link: what is typed, and the settings that come of it. Pure. The box checks addresses, and its words are shown;
 * here is checked only what could not even be sent.
 */

import type { FixedAddresses, Link, LinkSettings, NetworkSettings } from "../api/types";
import { reasonSentence } from "./words";

export type Way = "automatic" | "static" | "off";

export interface FamilyDraft {
  way: Way;
  /** With prefix lengths, separated by spaces or commas. */
  addresses: string;
  gateway: string;
}

export interface LinkDraft {
  ipv4: FamilyDraft;
  ipv6: FamilyDraft;
  mtu: string;
  metric: string;
}

export type Family = "ipv4" | "ipv6";
export type LinkMember = `${Family}.addresses` | `${Family}.gateway` | "mtu" | "metric";
export type LinkProblems = Partial<Record<LinkMember, string>>;

function fits({ matching }: LinkSettings, link: Link): boolean {
  return "mac" in matching ? matching.mac.toLowerCase() === link.mac?.toLowerCase() : matching.name === link.name;
}

/** The settings of this link: those that name its hardware count before those that name it, as on the box. */
function chosenFor(settings: NetworkSettings, link: Link): LinkSettings | undefined {
  const fitting = settings.links.filter((each) => fits(each, link));
  return fitting.find(({ matching }) => "mac" in matching) ?? fitting[0];
}

export function linkDraft(settings: NetworkSettings, link: Link): LinkDraft {
  const chosen = chosenFor(settings, link);
  return {
    ipv4: familyDraft(chosen?.ipv4),
    ipv6: familyDraft(chosen?.ipv6),
    mtu: chosen?.mtu === undefined ? "" : String(chosen.mtu),
    metric: chosen?.metric === undefined ? "" : String(chosen.metric),
  };
}

function familyDraft(chosen: LinkSettings["ipv4"] | LinkSettings["ipv6"]): FamilyDraft {
  if (typeof chosen === "object") {
    return { way: "static", addresses: chosen.static.addresses.join(", "), gateway: chosen.static.gateway ?? "" };
  }
  return { way: chosen === "off" ? "off" : "automatic", addresses: "", gateway: "" };
}

/**
 * The settings with this for the link, and where in `links` it is; a link that is all automatic needs none. Others that fit the link
 * go: without the first one they would count.
 */
export function withLink(settings: NetworkSettings, link: Link, draft: LinkDraft): { settings: NetworkSettings; at: number } {
  const chosen = chosenFor(settings, link);
  const matching = chosen?.matching ?? (link.mac ? { mac: link.mac } : { name: link.name });
  const isUsual = draft.ipv4.way === "automatic" && draft.ipv6.way === "automatic" && draft.mtu.trim() === "" && draft.metric.trim() === "";
  const wanted: LinkSettings = {
    matching,
    ipv4: familySettings(draft.ipv4, "dhcp"),
    ipv6: familySettings(draft.ipv6, "automatic"),
    ...(draft.mtu.trim() === "" ? {} : { mtu: Number(draft.mtu) }),
    ...(draft.metric.trim() === "" ? {} : { metric: Number(draft.metric) }),
  };
  const links = settings.links.filter((each) => each === chosen || !fits(each, link));
  const at = chosen ? links.indexOf(chosen) : links.length;
  links.splice(at, chosen ? 1 : 0, ...(isUsual ? [] : [wanted]));
  return { settings: { ...settings, links }, at };
}

function familySettings<T extends string>(draft: FamilyDraft, automatic: T): T | "off" | FixedAddresses {
  if (draft.way !== "static") return draft.way === "off" ? "off" : automatic;
  const gateway = draft.gateway.trim();
  return { static: { addresses: listOf(draft.addresses), ...(gateway === "" ? {} : { gateway }) } };
}

function listOf(text: string): string[] {
  return text.split(/[\s,;]+/).filter((part) => part !== "");
}

export function linkProblems(draft: LinkDraft): LinkProblems {
  const missing = ({ way, addresses }: FamilyDraft) =>
    way === "static" && listOf(addresses).length === 0 ? "A fixed address is chosen but none is given." : undefined;
  const found: [LinkMember, string | undefined][] = [
    ["ipv4.addresses", missing(draft.ipv4)],
    ["ipv6.addresses", missing(draft.ipv6)],
    ["mtu", isNumber(draft.mtu, 576, 9000) ? undefined : "An MTU is from 576 to 9000."],
    ["metric", isNumber(draft.metric, 1, 9999) ? undefined : "A metric is from 1 to 9999."],
  ];
  return Object.fromEntries(found.filter(([, problem]) => problem !== undefined));
}

function isNumber(text: string, least: number, most: number): boolean {
  const plain = text.trim();
  return plain === "" || (/^\d{1,5}$/.test(plain) && Number(plain) >= least && Number(plain) <= most);
}

/** What the box finds wrong with the link at this place of the list, at its field of the form; nothing when it is elsewhere. */
export function linkFault(field: string | undefined, message: string, at: number): LinkProblems | undefined {
  const prefix = `links[${at}]`;
  if (field !== prefix && !field?.startsWith(`${prefix}.`)) return undefined;
  // The member's name stands beside the words anyway.
  const words = reasonSentence(message.replace(`${field} cannot be used: `, ""));
  const member = memberOf(field.slice(prefix.length + 1)) ?? memberMeant(words);
  return member ? { [member]: words } : undefined;
}

function memberOf(path: string): LinkMember | undefined {
  if (path === "mtu" || path === "metric") return path;
  const [, family, member] = /^(ipv4|ipv6)(?:\.static\.(gateway))?/.exec(path) ?? [];
  return family ? (`${family}.${member ?? "addresses"}` as LinkMember) : undefined;
}

/** Where two members do not fit together, the box names the link, and the words name one of the two. */
function memberMeant(words: string): LinkMember | undefined {
  const [, what, value = ""] = /^The (gateway|address) (\S+) is /.exec(words) ?? [];
  const family = value.includes(":") ? "ipv6" : "ipv4";
  if (what) return what === "gateway" ? `${family}.gateway` : `${family}.addresses`;
  return words.includes(" MTU ") ? "mtu" : undefined;
}

/** Where the console is after the change, when that is another place than before and known. `here` is the page's address. */
export function consoleAfter(draft: LinkDraft, link: Link, here: { protocol: string; port: string }): string | undefined {
  const families = [draft.ipv4, draft.ipv6].filter(({ way }) => way === "static");
  const fixed = families.flatMap(({ addresses }) => listOf(addresses)).map((text) => text.replace(/\/.*$/, ""));
  const now = new Set(link.addresses.map((text) => text.replace(/\/.*$/, "")));
  const [address] = fixed;
  if (address === undefined || fixed.some((each) => now.has(each))) return undefined;
  const host = address.includes(":") ? `[${address}]` : address;
  const port = here.port === "" ? "" : `:${here.port}`;
  const url = `${here.protocol}//${host}${port}`;
  // Half-typed addresses lead nowhere, and a browser reads "192.168.1" as an address too.
  return URL.canParse(url) && (address.includes(":") || address.split(".").filter(Boolean).length === 4) ? url : undefined;
}
