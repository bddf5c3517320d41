/** Wi-Fi in plain words, and what came of an attempt to join a network. Pure. */

import type { Link, Wifi, WifiNetwork, WifiWish } from "../api/types";
import { ApiError } from "../api/client";
import { explainFailure } from "./failure";
import { reasonSentence, type Tone } from "./words";

const PASSWORD_MIN = 8;
const PASSWORD_MAX = 63;
const NAME_MAX_BYTES = 32;

/** How many of four bars, and the word for it. */
export function strength(signal: number | null): { bars: number; word: string } {
  if (signal === null) return { bars: 0, word: "Out of reach" };
  if (signal >= 75) return { bars: 4, word: "Strong" };
  if (signal >= 50) return { bars: 3, word: "Good" };
  if (signal >= 25) return { bars: 2, word: "Weak" };
  return { bars: 1, word: "Very weak" };
}

/** Strength, protection, and whether the box has the password. */
export function networkDetail(network: WifiNetwork): string {
  const parts = [
    strength(network.signal).word,
    PROTECTION[network.security],
    network.is_known && !network.is_joined ? "known" : "",
  ];
  return parts.filter((part) => part !== "").join(" · ");
}

const PROTECTION: Record<WifiNetwork["security"], string> = {
  open: "open, without a password",
  password: "protected",
  unsupported: "protected in a way that this box does not speak",
};

/** What the radio does, at a glance and as a sentence. */
export function wifiState(wifi: Wifi): { word: string; tone: Tone; text: string } {
  const name = wifi.network === null ? undefined : quoted(wifi.network);
  switch (wifi.state) {
    case "absent":
      return { word: "None", tone: "off", text: "This box has no Wi-Fi." };
    case "idle":
      return { word: "Not connected", tone: "off", text: name ? `The box looks for ${name} again in a few minutes.` : "The box is in no Wi-Fi network." };
    case "looking":
      return { word: "Looking", tone: "busy", text: name ? `The box looks for ${name}.` : "The box looks for networks that it knows." };
    case "joining":
      return { word: "Joining", tone: "busy", text: name ? `The box joins ${name}.` : "The box joins a network." };
    case "joined":
      return { word: "Connected", tone: "good", text: joinedText(wifi, name) };
    case "access-point":
      return { word: "Own network is on", tone: "busy", text: "The box is a Wi-Fi network itself now, so that it can be reached without a cable." };
  }
}

function joinedText(wifi: Wifi, name = "a network"): string {
  const signal = wifi.networks.find((network) => network.is_joined)?.signal ?? null;
  return signal === null ? `The box is in ${name}.` : `The box is in ${name}. ${strength(signal).word} signal.`;
}

/** Those that can be seen from the box, and those that it only remembers. */
export function byReach(networks: WifiNetwork[]): { near: WifiNetwork[]; far: WifiNetwork[] } {
  const isNear = ({ signal, is_joined }: WifiNetwork) => signal !== null || is_joined;
  return { near: networks.filter(isNear), far: networks.filter((network) => !isNear(network)) };
}

/** Whether the box is on its way into a network that somebody asked for, or into one that it knows. */
export function isUnderWay(wifi: Wifi): boolean {
  return wifi.state === "joining" || (wifi.state === "looking" && wifi.network !== null);
}

/** An attempt to join, from the moment on when the box has said that it will try. */
export interface Attempt {
  ssid: string;
  /** Whether the box was its own network before: then that ends, and whoever is in it loses the box. */
  fromOwn: boolean;
}

export type Outcome = { kind: "joined"; words: string } | { kind: "refused"; words: string; isPassword: boolean };

/** What came of an attempt, once that is known. `wifi` was asked for after the box said that it will try. */
export function outcomeOf({ ssid }: Attempt, wifi: Wifi): Outcome | undefined {
  const isWanted = wifi.network === ssid;
  if (wifi.state === "joined" && isWanted) return { kind: "joined", words: `The box is in ${quoted(ssid)}.` };
  if (wifi.problem !== null) return refusal(wifi.problem, isWanted);
  // It is over, and why was said while nobody asked: back in another network, the box says it no longer.
  return isWanted ? undefined : unsaid(ssid, wifi);
}

function refusal(problem: string, goesOn: boolean): Outcome {
  const isPassword = / did not accept the password$| needs a password$/.test(problem);
  const words = reasonSentence(problem);
  if (isPassword) return { kind: "refused", isPassword, words: `${words} Check it, also capital letters.` };
  return { kind: "refused", isPassword, words: goesOn ? `${words} The box goes on trying.` : words };
}

function unsaid(ssid: string, wifi: Wifi): Outcome {
  const now = wifi.state === "joined" && wifi.network !== null ? `; it is back in ${quoted(wifi.network)}` : "";
  return { kind: "refused", isPassword: false, words: `The box did not get into ${quoted(ssid)}${now}. Check the password, and try again.` };
}

/** What is said of the way into a network. `lost`: the box does not answer. */
export function wayText(ssid: string, lost: boolean): string {
  return lost ? `The box does not answer for now: it is on its way into ${quoted(ssid)}.` : `The box joins ${quoted(ssid)}. That can take a minute or two.`;
}

/** What to know while the box is on its way: whoever reads this may lose it. `address`: where it is at home. */
export function farewell(ssid: string | null, fromOwn: boolean): string[] {
  const name = ssid === null ? "that network" : quoted(ssid);
  if (fromOwn) {
    return [
      `The box’s own network ends now, so this device loses the box. Join ${name} with this device too, and open the address below.`,
      "Is the password wrong, the box’s own network comes back within some minutes: join that again, and this page says what was wrong.",
    ];
  }
  return [`This device may lose the box for a moment. If it does not come back by itself, join ${name} with this device too, and open the address below.`];
}

/** 8 to 63 printable characters of ASCII, as the box takes it (docs/spec/wifi.md). */
export function passphraseProblem(text: string): string | undefined {
  if (text === "") return "Type the password of the network. It is often on a label under the router.";
  const foreign = /[^ -~]/u.exec(text);
  if (foreign) return `“${foreign[0]}” cannot be part of a Wi-Fi password: it has only the letters a–z, digits and common signs.`;
  if (text.length < PASSWORD_MIN) return `A Wi-Fi password has at least ${PASSWORD_MIN} characters; this has ${text.length}.`;
  if (text.length > PASSWORD_MAX) return `A Wi-Fi password has at most ${PASSWORD_MAX} characters; this has ${text.length}.`;
  return undefined;
}

export function ssidProblem(name: string): string | undefined {
  if (name === "") return "Type the name of the network, exactly as it is written.";
  if (/\p{Cc}/u.test(name)) return "The name contains a character that cannot be typed. Please type it by hand.";
  if (new TextEncoder().encode(name).length > NAME_MAX_BYTES) return `The name of a network has at most ${NAME_MAX_BYTES} characters, fewer with accents.`;
  return undefined;
}

/** What is typed to join a network. */
export interface Draft {
  ssid: string;
  passphrase: string;
  /** Whether the network has a password. */
  isProtected: boolean;
}

export type DraftProblems = Partial<Record<"ssid" | "passphrase", string>>;

export function draftProblems({ ssid, passphrase, isProtected }: Draft): DraftProblems {
  const name = ssidProblem(ssid);
  const secret = isProtected ? passphraseProblem(passphrase) : undefined;
  return { ...(name ? { ssid: name } : {}), ...(secret ? { passphrase: secret } : {}) };
}

export function joinWish({ ssid, passphrase, isProtected }: Draft): WifiWish {
  return { want: "join", ssid, ...(isProtected ? { passphrase } : {}) };
}

/** What to tell of a wish that did not arrive. Nothing is tried for a minute and taken back here, as with other settings. */
export function wishTrouble(error: unknown): string {
  return error instanceof ApiError ? explainFailure(error) : "The box did not answer, so perhaps it does it and perhaps not. Look at this page again in a moment.";
}

/** Whether a cable is in, so that the box is reached without Wi-Fi. */
export function hasCable(links: Pick<Link, "kind" | "state">[]): boolean {
  return links.some(({ kind, state }) => kind !== "wifi" && state === "up");
}

/** What happens when a network is forgotten. */
export function forgetText(network: Pick<WifiNetwork, "is_joined">, cable: boolean): string {
  if (!network.is_joined) return "The box no longer has its password, and joins it only when you type it again.";
  if (cable) return "The box leaves it and no longer has its password. The cable stays as it is.";
  return "The box leaves it and no longer has its password. No cable is in, so this page loses the box: it then makes its own network, whose name and password are on its screen.";
}

export function networksFound(count: number): string {
  if (count === 0) return "No network is in reach.";
  return count === 1 ? "One network is in reach." : `${count} networks are in reach.`;
}

/** Countries as ISO 3166-1 has them, by name. */
export function countries(language: string): (readonly [string, string])[] {
  const names = new Intl.DisplayNames([language], { type: "region" });
  const all = COUNTRIES.split(" ").map((code) => [code, names.of(code) ?? code] as const);
  return all.sort(([, one], [, other]) => one.localeCompare(other, language));
}

const COUNTRIES =
  "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ " +
  "DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP " +
  "KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ " +
  "OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ " +
  "UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

function quoted(name: string): string {
  return `“${name}”`;
}
