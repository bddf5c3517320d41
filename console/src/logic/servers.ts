/**
 * The form of name servers: what is typed, what is wrong with it, and the settings that come of it. Pure; the box checks again.
 */

import type { NetworkSettings, Upstream } from "../api/types";

export interface Draft {
  /** Tells the rows apart while they are moved. */
  id: number;
  name: string;
  /** Separated by spaces or commas. */
  addresses: string;
  by: "tls" | "https";
  port: string;
  path: string;
}

export type Member = "name" | "addresses" | "port" | "path";

/** As the box bounds them (docs/spec/api.md). */
export const MAX_SERVERS = 8;
export const MAX_ADDRESSES = 16;
const MAX_PATH = 128;

let lastId = 0;

export function emptyDraft(): Draft {
  lastId += 1;
  return { id: lastId, name: "", addresses: "", by: "tls", port: "", path: "" };
}

export function draftsOf(settings: NetworkSettings): Draft[] {
  return settings.resolver.upstreams.map(({ server_name: name, addresses, transport }) => ({
    ...emptyDraft(),
    name,
    addresses: addresses.join(", "),
    by: transport.by,
    port: transport.port === undefined ? "" : String(transport.port),
    path: transport.by === "https" ? (transport.path ?? "") : "",
  }));
}

export function problemsOf(draft: Draft): Partial<Record<Member, string>> {
  const found: [Member, string | undefined][] = [
    ["name", nameProblem(draft.name.trim())],
    ["addresses", addressesProblem(addressesOf(draft))],
    ["port", portProblem(draft.port.trim())],
    ["path", draft.by === "https" ? pathProblem(draft.path.trim()) : undefined],
  ];
  return Object.fromEntries(found.filter(([, problem]) => problem !== undefined));
}

/** The settings with these name servers; everything else as it is. */
export function withServers(settings: NetworkSettings, drafts: Draft[]): NetworkSettings {
  return { ...settings, resolver: { ...settings.resolver, upstreams: drafts.map(upstreamOf) } };
}

export function withHomeAsking(settings: NetworkSettings, allowed: boolean): NetworkSettings {
  return { ...settings, resolver: { ...settings.resolver, serve_lan: allowed } };
}

/** Which row and member the box means by `resolver.upstreams[1].addresses[0]`. */
export function faultAt(field: string | undefined): { row: number; member: Member } | undefined {
  const [, row, member = ""] = /^resolver\.upstreams\[(\d+)\](?:\.([\w.]+))?/.exec(field ?? "") ?? [];
  if (row === undefined) return undefined;
  if (member.startsWith("addresses")) return { row: Number(row), member: "addresses" };
  if (member.endsWith("path")) return { row: Number(row), member: "path" };
  return { row: Number(row), member: member.endsWith("port") ? "port" : "name" };
}

function upstreamOf(draft: Draft): Upstream {
  const port = draft.port.trim() === "" ? {} : { port: Number(draft.port) };
  const path = draft.path.trim() === "" ? {} : { path: draft.path.trim() };
  const transport = draft.by === "tls" ? { by: draft.by, ...port } : { by: draft.by, ...port, ...path };
  return { server_name: draft.name.trim().toLowerCase(), addresses: addressesOf(draft), transport };
}

function addressesOf({ addresses }: Draft): string[] {
  return addresses.split(/[\s,;]+/).filter((address) => address !== "");
}

function nameProblem(name: string): string | undefined {
  if (name === "") return "Type the name in the server's certificate, such as dns.example.org.";
  const labels = name.toLowerCase().split(".");
  const fits = labels.every((label) => /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/.test(label));
  if (labels.length < 2 || !fits || name.length > 253) return "This is not a name such as dns.example.org.";
  if (/^[\d.]+$/.test(name)) return "This is an address. Type the server's name here, and its address below.";
  return /^\d+$/.test(labels.at(-1) ?? "") ? "A name does not end in a number." : undefined;
}

function addressesProblem(addresses: string[]): string | undefined {
  if (addresses.length === 0) return "Type at least one address: without a name server, no name can be looked up.";
  if (addresses.length > MAX_ADDRESSES) return `At most ${MAX_ADDRESSES} addresses are possible.`;
  const wrong = addresses.find((address) => !isAddress(address));
  return wrong === undefined ? undefined : `${wrong} is not an address such as 192.0.2.1 or 2001:db8::1.`;
}

function isAddress(text: string): boolean {
  const bytes = text.split(".");
  if (bytes.length === 4 && bytes.every((byte) => /^(0|[1-9]\d{0,2})$/.test(byte) && Number(byte) < 256)) return true;
  // The browser knows every way to write an IPv6 address.
  return text.includes(":") && URL.canParse(`http://[${text}]/`);
}

function portProblem(port: string): string | undefined {
  if (port === "") return undefined;
  const number = /^\d{1,5}$/.test(port) ? Number(port) : 0;
  if (number === 53) return "Port 53 is not encrypted. Leave this empty for the usual port.";
  return number >= 1 && number <= 65_535 ? undefined : "A port is a number from 1 to 65535.";
}

function pathProblem(path: string): string | undefined {
  if (path === "") return undefined;
  return /^\/[\x21-\x7e]*$/.test(path) && path.length <= MAX_PATH ? undefined : "A path starts with / and has no spaces, such as /dns-query.";
}
