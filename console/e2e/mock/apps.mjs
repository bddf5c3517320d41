// The apps of a box, in memory: who sees which, what is done to them step by step, and what is told of it.

import { createHash, randomBytes } from "node:crypto";
import { readJson, Refusal } from "./contract.mjs";
import { readSource, remark } from "./sources.mjs";

const MAX_APPS_BODY = 256 * 1024;
const MEMBERS = {
  inspect: ["source", "update", "data_of", "id", "scope"],
  install: ["source", "data_of", "id", "scope", "shown", "granted"],
  update: ["source", "shown"],
};

export class Apps {
  records = [];
  ended = [];
  problem = null;
  /** How long each step takes. */
  stepMs = 150;
  /** Steps wait for it: name of the step to a promise. */
  held = {};
  /** Why the next start of something new fails. */
  failure = undefined;
  #streams = new Set();

  /** One that is there already. */
  add(manifest, change = {}) {
    const { made } = readSource({ manifest: JSON.stringify(manifest) });
    const record = this.#record(made, { owner: made.scope === "system" ? undefined : "Robin", id: made.id });
    record.granted = granted(made.asks);
    Object.assign(record, { state: "running" }, change);
    record.containers = partsOf(made, record.state);
    this.records.push(record);
    return record;
  }

  #record(made, { owner, id, key = randomBytes(16).toString("hex") }) {
    return {
      key,
      id,
      owner,
      made,
      state: "installing",
      reasons: [],
      operation: null,
      problem: null,
      granted: [],
      containers: [],
      startedAt: Date.now(),
      log: [],
    };
  }

  seenBy({ name }) {
    const seen = this.records.filter(({ owner }) => owner === undefined || owner === name);
    return seen.sort((one, other) => (one.id < other.id ? -1 : 1));
  }

  one(user, key) {
    const record = this.seenBy(user).find((each) => each.key === key);
    if (!record) throw new Refusal(404, "no_such_app", "There is no such app. Load the list again.");
    return record;
  }

  managed(user, key) {
    const record = this.one(user, key);
    if (manages(user, record)) return record;
    throw new Refusal(403, "owner_only", "This app is the household's, and only the owner of the box may do that.");
  }

  installed(user, key) {
    const record = this.managed(user, key);
    if (record.operation) throw new Refusal(409, "app_busy", "Something is being done to this app already. Wait until it has ended.");
    if (record.state === "removed")
      throw new Refusal(409, "app_removed", "This app was removed, and only its data is left. Install it again to use that.");
    return record;
  }

  list(user) {
    const seen = ({ owner }) => owner === undefined || owner === user.name;
    return {
      problem: this.problem,
      apps: this.seenBy(user).map(summary),
      ended: this.ended.filter(seen).map(({ owner: _owner, ...ending }) => ending),
    };
  }

  whole(user, record) {
    const { description, author, license, asks } = record.made;
    const containers = record.containers.map((container) => ({ ...container, ...using(container, record) }));
    return { ...summary(record), description, author, license, may_manage: manages(user, record), asks, granted: record.granted, traffic: trafficOf(record), storage: storageOf(record), containers };
  }

  inspect(user, wish) {
    const before = wish.update === undefined ? undefined : this.installed(user, wish.update);
    if (wish.source === undefined && !before) throw refused(422, [remark("", "nothing was said of what to install")]);
    const read = wish.source === undefined ? { made: before.made, notes: [] } : readSource(wish.source);
    if (read.refusals) throw refused(422, read.refusals);
    const { notes } = read;
    const saysItself = wish.source === undefined || "manifest" in wish.source;
    const made = saysItself ? read.made : { ...read.made, scope: before?.made.scope ?? wish.scope ?? "user" };
    const refusals = [];
    if (made.scope === "system" && user.role !== "owner")
      refusals.push(remark("", "it is for the whole household, and only the owner of the box installs such apps"));
    if (wish.data_of !== undefined && this.managed(user, wish.data_of).state !== "removed")
      throw new Refusal(404, "no_such_app", "There is no such app. Load the list again.");
    const id = before?.id ?? this.#freeId(wish, made.id);
    const had = new Set(before?.made.asks.map(({ words }) => words));
    const asks = before ? made.asks.filter(({ words }) => !had.has(words)) : made.asks;
    const body = {
      title: made.title,
      description: made.description,
      author: made.author,
      license: made.license,
      version: made.version,
      id,
      scope: made.scope,
      images: made.images,
      asks,
      notes,
      refusals,
    };
    const shown = createHash("sha256")
      .update(JSON.stringify([body, wish.source, wish.update, wish.data_of, wish.id, wish.scope]))
      .digest("hex");
    return { made, before, body: { ...body, shown } };
  }

  #freeId({ id, data_of: own }, wished) {
    const isTaken = (text) => this.records.some((each) => each.id === text && each.key !== own);
    if (id !== undefined) {
      this.checkId(id, own);
      return id;
    }
    let free = wished;
    for (let number = 2; isTaken(free); number += 1) free = `${wished}-${number}`;
    return free;
  }

  checkId(id, key) {
    if (!/^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/.test(id))
      throw new Refusal(422, "invalid_field", "An ID has 1 to 63 of a-z, 0-9 and -, a letter first.", { field: "id" });
    if (this.records.some((each) => each.id === id && each.key !== key))
      throw new Refusal(409, "id_taken", "Another app of this box has that ID. Choose another one.");
  }

  agreed(user, wish, shown) {
    const inspected = this.inspect(user, wish);
    if (inspected.body.shown !== shown)
      throw new Refusal(
        409,
        "not_what_was_shown",
        "This is not what was shown: the app or your other apps have changed since. Look at it once more.",
      );
    if (inspected.body.refusals.length > 0) throw refused(409, inspected.body.refusals);
    return inspected;
  }

  install(user, { shown, granted: wished, ...wish }) {
    const { made, body } = this.agreed(user, wish, shown);
    const asked = granted(made.asks);
    const strange = wished?.find((name) => !asked.includes(name));
    if (strange) throw new Refusal(422, "invalid_field", `The app does not ask for ${strange}.`, { field: "granted" });
    const old = this.records.find(({ key }) => key === wish.data_of);
    const record = this.#record(made, { owner: made.scope === "system" ? undefined : user.name, id: body.id, ...(old ? { key: old.key } : {}) });
    record.granted = wished ?? asked;
    this.records = [...this.records.filter((each) => each !== old), record];
    void this.#carryOut(record, "install", ["pulling", "placing", "starting"]);
    return summary(record);
  }

  update(user, key, { source, shown }) {
    const { made, before: record } = this.agreed(user, source === undefined ? { update: key } : { source, update: key }, shown);
    const asked = granted(record.made.asks);
    const next = granted(made.asks).filter((name) => !asked.includes(name) || record.granted.includes(name));
    const old = { made: record.made, granted: record.granted };
    record.state = "updating";
    void this.#carryOut(record, "update", ["pulling", "saving", "placing", "starting"], old, { made, granted: next });
    return summary(record);
  }

  remove(user, key, data) {
    const record = this.managed(user, key);
    if (record.operation) {
      record.calledOff = true;
      return;
    }
    record.state = "removing";
    void this.#carryOut(record, "remove", ["removing"], undefined, { data });
  }

  async #carryOut(record, what, steps, old, next) {
    record.problem = null;
    for (const step of steps) {
      const total = step === "pulling" ? 84_000_000 : 0;
      record.operation = { what, step, done_bytes: 0, total_bytes: total, blocked: null };
      this.tell("app", record);
      await sleep(this.stepMs);
      if (total) {
        record.operation.done_bytes = 0.62 * total;
        this.tell("app", record);
      }
      await this.held[step];
      if (record.calledOff) return this.#callOff(record, what);
      if (step === "starting" && this.failure !== undefined) return this.#undo(record, what, old);
    }
    record.operation = null;
    if (what === "remove") return this.#removed(record, next.data);
    if (next) Object.assign(record, next);
    this.run(record, "running");
  }

  #callOff(record, what) {
    record.calledOff = false;
    record.operation = null;
    if (what === "update") {
      record.problem = "it was called off";
      return this.run(record, "running");
    }
    return this.#gone(record, "it was called off");
  }

  async #undo(record, what, old) {
    const problem = this.failure;
    this.failure = undefined;
    record.operation = { what, step: "undoing", done_bytes: 0, total_bytes: 0, blocked: null };
    this.tell("app", record);
    await sleep(this.stepMs);
    record.operation = null;
    if (what === "install") return this.#gone(record, problem);
    Object.assign(record, old, { problem });
    this.run(record, "running");
  }

  #removed(record, data) {
    if (data === "delete") return this.#gone(record, null);
    Object.assign(record, { state: "removed", containers: [] });
    this.tell("app", record);
  }

  #gone(record, problem) {
    this.records = this.records.filter((each) => each !== record);
    const { key, id, owner, made } = record;
    this.ended.unshift({ key, id, title: made.title, problem, owner });
    this.tell("gone", record);
  }

  /** It runs, stops, or does something else from now on. */
  run(record, state, reasons = []) {
    if (state === "running") record.startedAt = Date.now();
    Object.assign(record, { state, reasons, containers: partsOf(record.made, state) });
    this.say(record, state === "running" ? "started" : "stopped", "box");
    if (state === "running") this.say(record, "listening on port 8080");
    this.tell("app", record);
  }

  say(record, text, stream = "stdout") {
    record.log.push({ number: record.log.length, unix_ms: Date.now(), stream, text });
  }

  setProblem(problem) {
    this.problem = problem;
    for (const { write } of this.#streams) write("service", { problem });
  }

  tell(event, record) {
    for (const { user, write } of this.#streams) {
      if (record.owner !== undefined && record.owner !== user.name) continue;
      write(event, event === "app" ? summary(record) : this.ended.find(({ key }) => key === record.key));
    }
  }

  /** How many watch. */
  get watchers() {
    return this.#streams.size;
  }

  watch(user, response) {
    const write = (event, data) => response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    const stream = { user, write };
    this.#streams.add(stream);
    response.on("close", () => this.#streams.delete(stream));
    write("service", { problem: this.problem });
    for (const record of this.seenBy(user)) write("app", summary(record));
  }
}

/** The part of the API that is about apps. */
export function appHandlers(box) {
  const { apps } = box;
  const read = async (request, members) => {
    const body = await readJson(request, MAX_APPS_BODY);
    const strange = Object.keys(body).find((name) => !members.includes(name));
    if (strange) throw new Refusal(400, "malformed_json", `The body has no member ${strange}.`);
    return body;
  };
  const run = (state) => (request, _query, key) => {
    const record = apps.installed(box.user(request), key);
    apps.run(record, state);
    return { status: 202 };
  };
  return {
    "GET /apps": (request) => ok(apps.list(box.user(request))),
    "GET /apps/events": (request) => {
      const user = box.user(request);
      return { status: 200, headers: { "Content-Type": "text/event-stream" }, stream: (response) => apps.watch(user, response) };
    },
    "POST /apps/inspect": async (request) => {
      const user = box.user(request);
      return ok(apps.inspect(user, await read(request, MEMBERS.inspect)).body);
    },
    "POST /apps": async (request) => {
      const user = box.user(request);
      return { status: 202, body: apps.install(user, await read(request, MEMBERS.install)) };
    },
    "GET /apps/{name}": (request, _query, key) => {
      const user = box.user(request);
      return ok(apps.whole(user, apps.one(user, key)));
    },
    "DELETE /apps/{name}": (request, query, key) => {
      const data = query.get("data");
      if (data !== "keep" && data !== "delete") throw new Refusal(422, "invalid_field", "data is keep or delete.", { field: "data" });
      apps.remove(box.user(request), key, data);
      return { status: 202 };
    },
    "POST /apps/{name}/start": run("running"),
    "POST /apps/{name}/stop": run("stopped"),
    "POST /apps/{name}/restart": run("running"),
    "POST /apps/{name}/update": async (request, _query, key) => {
      const user = box.user(request);
      return { status: 202, body: apps.update(user, key, await read(request, MEMBERS.update)) };
    },
    "PUT /apps/{name}/id": async (request, _query, key) => {
      const record = apps.managed(box.user(request), key);
      const { id } = await read(request, ["id"]);
      apps.checkId(id, key);
      record.id = id;
      apps.tell("app", record);
      return ok(summary(record));
    },
    "PUT /apps/{name}/permissions": async (request, _query, key) => {
      const user = box.user(request);
      const record = apps.installed(user, key);
      const { granted: wished } = await read(request, ["granted"]);
      if (!wished.every((name) => granted(record.made.asks).includes(name)))
        throw new Refusal(422, "invalid_field", "The app does not ask for that.", { field: "granted" });
      record.granted = wished;
      return ok(apps.whole(user, record));
    },
    "GET /apps/{name}/logs": (request, query, key) => {
      const record = apps.managed(box.user(request), key);
      const name = query.get("container");
      if (!record.containers.some((container) => container.name === name))
        throw new Refusal(404, "no_such_container", "This app has no such container.");
      const from = Number(query.get("from") ?? 0);
      return ok({ lines: record.log.filter(({ number }) => number >= from), next: record.log.length });
    },
  };
}

function summary({ key, id, made, state, reasons, operation, problem, granted }) {
  return { key, id, title: made.title, version: made.version, scope: made.scope, state, reasons, operation, problem, page: pageOf(granted) };
}

/** As if the first way in led to its page. */
function pageOf(granted) {
  const way = granted.map((name) => /^inbound:tcp\/(\d+):/.exec(name)).find(Boolean);
  return way ? { port: Number(way[1]), path: "/" } : null;
}

function manages({ name, role }, { owner }) {
  return owner === undefined ? role === "owner" : owner === name;
}

function granted(asks) {
  return asks.flatMap(({ permissions }) => permissions);
}

function partsOf({ parts }, state) {
  const each = state === "locked" ? "stopped" : state;
  return parts.map((name) => ({ name, state: each, reason: null, restarts: 0, last_end: null, seconds_up: null, usage: null }));
}

/** Grows with time, as it does on a box. */
function using({ state }, { startedAt }) {
  if (state !== "running" && state !== "unhealthy") return {};
  const seconds = (Date.now() - startedAt) / 1000;
  const usage = {
    cpu_us: Math.round(seconds * 34_000),
    memory_bytes: 96_400_000,
    memory_peak_bytes: 131_000_000,
    throttled_us: 0,
    tasks: 14,
    tasks_refused: 0,
    read_bytes: 48_200_000,
    written_bytes: 2_310_000,
  };
  return { seconds_up: Math.floor(seconds), usage };
}

/** What has gone over its network, while it runs. */
function trafficOf({ state, startedAt }) {
  const seconds = (Date.now() - startedAt) / 1000;
  return state === "running" ? { received_bytes: 4_600_000 + Math.floor(seconds * 900), sent_bytes: 812_000 } : null;
}

/** What its data takes, as long as there is any. */
function storageOf({ state }) {
  return ["installing", "removed"].includes(state) ? null : { used_bytes: 1_412_000_000, most_bytes: 28_800_000_000 };
}

function refused(status, refusals) {
  const message = refusals.length === 1 ? `${refusals[0].words}.` : `The app cannot be taken as it is, for ${refusals.length} reasons.`;
  return new Refusal(status, "app_refused", message, { extra: { refusals } });
}

function ok(body) {
  return { status: 200, body };
}

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
