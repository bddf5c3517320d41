// The home network of the mock box: what its network service would report, and settings that are on trial until confirmed.

import { invalid, Refusal } from "./contract.mjs";
import { checkLinks, linksWith, lively } from "./links.mjs";
import { Radio } from "./wifi.mjs";

/** What netd would say, with something of everything. */
const RULES = [
  ["box to anywhere", "the box may connect to the home network and the Internet", 90412],
  ["lan to box console", "the home network may open the console of the box", 318],
  ["lan to box local name", "the home network may ask for the name of the box", 5120],
  ["app notes to box names", "notes may ask the box for names", 77],
  ["box to app db tcp/8080", "the box may reach db at tcp/8080", 9],
  ["app notes to *.example.org", "notes may reach *.example.org in the Internet", 41],
  ["lan to app notes tcp/8022 as 22", "the home network may reach notes (its port 22) at tcp/8022 of the box", 0],
  ["app notes to app db tcp/5432", "notes may reach db at tcp/5432", 12],
  ["refused: app out", "apps reach nothing but what was granted", 5],
  ["refused: app in", "apps are reached by nothing but what was granted", 0],
  ["refused: box closed", "the box answers only what it serves, and only the home network", 1733],
].map(([name, words, packets]) => ({ name, words, allows: !name.startsWith("refused"), packets, bytes: packets * 60 }));

const ENDS = /^(box|lan|internet|mesh|internet:[a-z0-9.-]+\.[a-z0-9-]+|app:[a-z0-9-]+)( (tcp|udp)\/\d+)?$/;

export class HomeNetwork {
  /** While true every question is answered with 503. */
  away = false;
  rival = null;
  reasons = [];
  apps = ["db", "notes"];
  /** Seconds a trial lasts here, whatever was asked for; tests do not wait a minute. */
  trialSeconds = undefined;
  links = lively();
  radio = new Radio();
  upstreams = [
    { server_name: "dns.example.org", addresses: ["192.0.2.1", "2001:db8::1"], transport: { by: "tls" } },
    { server_name: "doh.example.net", addresses: ["192.0.2.2"], transport: { by: "https", port: 8443, path: "/q" } },
  ];
  problems = new Map();
  time = { synchronised: true, authenticated: true, offset_us: -812, age_seconds: 94, sources: [{ name: "time.example.org", authenticated: true, state: "in use" }], reason: null };

  #kept;
  #trial;

  constructor() {
    this.settings = { version: 1, links: [], resolver: { upstreams: this.upstreams, serve_lan: false, private_names: ["*.home.example"] }, time: { servers: [] } };
  }

  report(hostname, query) {
    const whole = this.#report(hostname);
    if (!query.has("part")) return whole;
    if (query.get("part") !== "links") throw invalid("part", "can only be links");
    return { ...whole, resolver: null, time: null, firewall: null, apps: [] };
  }

  #report(hostname) {
    this.#require();
    const announced = this.rival ? `${hostname}-2` : hostname;
    return {
      hostname: announced,
      links: linksWith(this.settings.links, this.links),
      reasons: this.radio.problem === null ? this.reasons : [...this.reasons, this.radio.problem],
      name: { wanted: hostname, announced, rival: this.rival },
      resolver: { upstreams: this.settings.resolver.upstreams.map((server, index) => this.#server(server, index)), serves_lan: this.settings.resolver.serve_lan, queries: 4210, cache_hits: 2368, refused: 3, rebinding_blocked: 1, bogus: 0, failed: 0 },
      time: this.time,
      firewall: { in_force: true, problem: null, loads: 7, rules: RULES },
      apps: this.apps.map((app, index) => ({ app, workspace: "robin", ipv4: `198.18.0.${index + 2}`, ipv6: `fd5a::${index + 2}`, link: `ha0-${index + 2}` })),
      wifi: this.radio.report(),
      trial_seconds_left: this.#trial ? Math.max(0, Math.ceil((this.#trial.until - Date.now()) / 1000)) : null,
    };
  }

  show() {
    this.#require();
    return this.settings;
  }

  /** Takes settings on trial. */
  change(settings, query) {
    this.#require();
    check(settings);
    const seconds = this.trialSeconds ?? Number(query.get("trial_seconds") ?? 60);
    this.#kept ??= this.settings;
    clearTimeout(this.#trial?.timer);
    this.settings = settings;
    const timer = setTimeout(() => this.#end(this.#kept), seconds * 1000);
    this.#trial = { until: Date.now() + seconds * 1000, timer };
    return { trial_seconds_left: seconds };
  }

  confirm() {
    this.#require();
    if (!this.#trial) throw new Refusal(409, "nothing_on_trial", "There is no change to confirm.");
    clearTimeout(this.#trial.timer);
    this.#end(this.settings);
  }

  /** What the owner wants of Wi-Fi; what comes of it is in the report. */
  wish(wish) {
    this.#require();
    this.radio.wish(wish);
  }

  explain(query) {
    this.#require();
    for (const end of ["from", "to"]) if (!ENDS.test(query.get(end) ?? "")) throw invalid(end, `cannot be ${query.get(end)}`);
    const [from, to] = [query.get("from"), query.get("to")];
    const find = (name) => RULES.filter((rule) => rule.name === name);
    const [otherwise] = find(to.startsWith("app:") ? "refused: app in" : "refused: app out");
    if (from === "app:notes" && to.startsWith("app:db")) return { from, to, answer: "yes", words: "yes: notes may reach db at tcp/5432", rules: find("app notes to app db tcp/5432"), otherwise };
    if (from === "app:notes" && to === "internet") {
      return { from, to, answer: "partly", words: `only this: notes may reach *.example.org in the Internet; anything else is refused: ${otherwise.words}`, rules: find("app notes to *.example.org"), otherwise };
    }
    return { from, to, answer: "no", words: `no: nothing allows ${from} to reach ${to}, and ${otherwise.words}`, rules: [], otherwise };
  }

  #server(server, index) {
    const problem = this.problems.get(server.server_name) ?? null;
    return { name: server.server_name, transport: server.transport.by, problem, queries: index === 0 ? 1830 : 0, failures: index === 0 ? 2 : 0 };
  }

  #end(settings) {
    this.settings = settings;
    this.#kept = undefined;
    this.#trial = undefined;
  }

  #require() {
    if (this.away) throw new Refusal(503, "network_unavailable", "The box's network service does not answer just now. It is started again by itself; try again in a moment.");
  }
}

/** As strict as the box where the console could be wrong. */
function check(settings) {
  const known = (value, names, at) => {
    for (const name of Object.keys(value)) if (!names.includes(name)) throw invalid(`${at}${name}`, "is not known here. Leave it out");
  };
  known(settings, ["version", "links", "resolver", "time"], "");
  if (settings.version !== 1) throw invalid("version", "is none that is understood");
  checkLinks(settings.links);
  known(settings.resolver, ["upstreams", "serve_lan", "private_names"], "resolver.");
  settings.resolver.upstreams.forEach((server, index) => {
    const at = `resolver.upstreams[${index}].`;
    known(server, ["server_name", "addresses", "transport"], at);
    if (!/^[a-z0-9_.-]+\.[a-z0-9-]+$/.test(server.server_name)) throw invalid(`${at}server_name`, "is no domain");
    if (server.addresses.length === 0) throw invalid(`${at}addresses`, "has none");
    if (server.addresses.includes("0.0.0.0")) throw invalid(`${at}addresses`, "cannot have the address 0.0.0.0");
    known(server.transport, server.transport.by === "https" ? ["by", "port", "path"] : ["by", "port"], `${at}transport.`);
  });
}
