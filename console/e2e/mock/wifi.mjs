// The mock box's radio: it looks, joins, refuses and forgets as the box's network service does, in less time.

import { invalid, Refusal } from "./contract.mjs";

const LOOK_MS = 1200;
const JOIN_MS = 2000;
const LEAVE_MS = 300;

export class Radio {
  /** Whether there is one. */
  isThere = false;
  hasCable = true;
  country = null;
  state = "idle";
  network = null;
  problem = null;
  /** What is in the air: name, password (none for an open one), strength, and whether the box speaks its protection. */
  air = [];
  known = new Map();
  /** While true it goes on joining. */
  holds = false;
  /** Called when the box's own network begins (true) and ends (false). */
  onOwn = () => undefined;
  #seen = [];
  #joined = null;
  #timer;

  report() {
    if (!this.isThere) return { state: "absent", network: null, link: null, country: null, problem: null, access_point: null, networks: [] };
    return { state: this.state, network: this.network, link: "wlan0", country: this.country, problem: this.problem, access_point: null, networks: this.#networks() };
  }

  /** There is one, and it has looked around. */
  begin(air) {
    this.isThere = true;
    this.air = air;
    this.#seen = air.map(({ ssid }) => ssid);
  }

  /** In a network that it knows. */
  joins(ssid) {
    this.known.set(ssid, this.#near(ssid)?.password);
    this.#enter(ssid);
  }

  /** A network itself, because no cable is in; what was in reach is no longer known then. */
  beOwn() {
    this.isThere = true;
    this.hasCable = false;
    this.#seen = [];
    this.#become("access-point", null);
  }

  wish(wish) {
    check(wish);
    if (!this.isThere) throw refused("this box has no wireless device");
    const { want, ssid } = wish;
    if (want === "country") this.country = wish.country;
    if (want === "look" && this.state !== "access-point") setTimeout(() => (this.#seen = this.air.map((each) => each.ssid)), LOOK_MS);
    if (want === "forget") this.#forget(ssid);
    if (want === "join") this.#join(ssid, wish.passphrase);
  }

  #join(ssid, password) {
    clearTimeout(this.#timer);
    this.problem = null;
    // After the answer.
    if (this.state === "access-point") setTimeout(() => this.onOwn(false), LEAVE_MS);
    this.#become("looking", ssid);
    this.#timer = setTimeout(() => {
      this.#seen = this.air.map((each) => each.ssid);
      const near = this.#near(ssid);
      if (!near) {
        this.problem = `the network ${JSON.stringify(ssid)} is not in reach`;
        // It stays wanted.
        this.#timer = setTimeout(() => this.#become(this.hasCable ? "idle" : "access-point", ssid), LOOK_MS);
        return;
      }
      this.#become("joining", ssid);
      const decide = () => {
        if (this.holds) this.#timer = setTimeout(decide, JOIN_MS);
        else this.#decide(near, password);
      };
      this.#timer = setTimeout(decide, JOIN_MS);
    }, LOOK_MS);
  }

  #decide({ ssid, password: right }, given) {
    const password = given ?? this.known.get(ssid);
    if (right !== undefined && password === undefined) return this.#refuse(`the network ${JSON.stringify(ssid)} needs a password`);
    if (right !== undefined && password !== right) {
      // The box forgets what it knew before it tries another password.
      if (given !== undefined) this.known.delete(ssid);
      return this.#refuse(`the network ${JSON.stringify(ssid)} did not accept the password`);
    }
    this.known.set(ssid, password);
    this.problem = null;
    this.#enter(ssid);
  }

  #refuse(problem) {
    this.problem = problem;
    const back = [...this.known.keys()].find((ssid) => this.#near(ssid));
    if (back === undefined) return this.#rest();
    this.#become("looking", null);
    this.#timer = setTimeout(() => {
      // Of that which failed it says nothing any more.
      this.problem = null;
      this.#enter(back);
    }, LOOK_MS);
  }

  #rest() {
    if (this.hasCable) this.#become("idle", null);
    else {
      this.#seen = [];
      this.#become("access-point", null);
      this.onOwn(true);
    }
  }

  #enter(ssid) {
    this.#become("joined", ssid);
    this.#joined = ssid;
  }

  #become(state, network) {
    this.#joined = null;
    this.state = state;
    this.network = network;
  }

  #forget(ssid) {
    if (!this.known.delete(ssid) && this.network !== ssid) throw refused(`no network ${JSON.stringify(ssid)} is known`);
    if (this.network !== ssid) return;
    clearTimeout(this.#timer);
    this.#rest();
  }

  #near(ssid) {
    return this.air.find((each) => each.ssid === ssid);
  }

  #networks() {
    const near = this.air.filter(({ ssid }) => this.#seen.includes(ssid));
    const shown = near.map(({ ssid, password, signal, isForeign }) => this.#shown(ssid, isForeign ? "unsupported" : password === undefined ? "open" : "password", signal));
    const far = [...this.known].filter(([ssid]) => !near.some((each) => each.ssid === ssid));
    shown.push(...far.map(([ssid, password]) => this.#shown(ssid, password === undefined ? "open" : "password", null)));
    return shown.sort((one, other) => other.is_joined - one.is_joined || (other.signal ?? -1) - (one.signal ?? -1));
  }

  #shown(ssid, security, signal) {
    return { ssid, security, signal, is_known: this.known.has(ssid), is_joined: this.#joined === ssid };
  }
}

function refused(why) {
  return new Refusal(409, "network_refused", `The box did not take it: ${why}. Nothing was changed.`);
}

/** As strict as the box: each wish has its members and no others. */
function check(wish) {
  const members = { look: [], join: ["ssid", "passphrase?"], forget: ["ssid"], country: ["country"] }[wish.want];
  if (!members) throw invalid("want", "is no wish");
  for (const name of Object.keys(wish)) if (name !== "want" && !members.some((each) => each.replace("?", "") === name)) throw invalid(name, "is not known here");
  for (const name of members) if (!name.endsWith("?") && !(name in wish)) throw invalid(name, "is missing");
  if ("ssid" in wish && !(Buffer.byteLength(wish.ssid) >= 1 && Buffer.byteLength(wish.ssid) <= 32)) throw invalid("ssid", "has 1 to 32 bytes");
  if ("passphrase" in wish && !/^[ -~]{8,63}$/.test(wish.passphrase)) throw invalid("passphrase", "has 8 to 63 characters of ASCII");
  if ("country" in wish && !/^[A-Z]{2}$/.test(wish.country)) throw invalid("country", "is two capital letters");
}
