// The box's updates in memory: what is offered, a download that runs, what became of the last ones.

import { readJson, Refusal } from "./contract.mjs";

const TOTAL = 46_137_344;
const IDLE = { phase: "idle", version: null, done_bytes: 0, total_bytes: 0, fetched_bytes: 0, waiting: [], seconds_left: null, reason: null };

export class SystemUpdates {
  version = "0.1.0";
  problem = null;
  progress = IDLE;
  offers = [];
  history = [];
  logs = {};
  checked = null;
  settings = {
    mode: "install",
    window: { from_minute: 180, to_minute: 300, zone: null },
    rate: 4_000_000,
    url: null,
    channel: null,
    proxy: null,
  };
  /** What the repository has; offered after the next check. */
  published = [];
  /** Why the next step fails; nothing while it goes well. */
  failure = undefined;
  /** Why the next file is refused. */
  badFile = undefined;
  /** How long each phase takes. */
  phaseMs = 200;
  /** The phase named here does not end before `held` does. */
  heldIn = "downloading";
  held = Promise.resolve();

  report() {
    const isReady = this.progress.phase === "ready" && this.settings.mode === "install";
    return {
      version: this.version,
      board: "x86_64",
      problem: this.problem,
      progress: this.progress,
      offers: this.offers,
      slots: [{ version: this.version, state: "good", is_running: true, reason: null }],
      settings: this.settings,
      history: this.history,
      checked: this.checked,
      next_check: this.settings.mode === "off" || isReady ? null : now() + 5 * 3600,
      restart_at: isReady ? now() + 7 * 3600 : null,
    };
  }

  check() {
    this.#mayBegin();
    this.#show({ phase: "checking" });
    void this.#checking();
  }

  apply(version) {
    this.#mayBegin();
    if (!this.offers.some((offer) => offer.version === version)) {
      throw new Refusal(409, "update_not_offered", `Version ${version} is not offered to this box. Check for updates first.`);
    }
    void this.#install(version);
  }

  restart() {
    if (this.progress.phase !== "ready") throw new Refusal(409, "no_update_ready", "There is no update to restart into.");
    const { version } = this.progress;
    this.#show({ phase: "restarting", version });
    setTimeout(() => this.#show({ phase: "trying", version, seconds_left: 470, waiting: ["the app notes is not up yet"] }), this.phaseMs);
    setTimeout(() => void this.held.then(() => this.#keep(version)), 2 * this.phaseMs);
  }

  choose(settings) {
    if (settings.window.from_minute === settings.window.to_minute) {
      throw new Refusal(422, "invalid_field", "The box needs some minutes to restart in.", { field: "window.to_minute" });
    }
    this.settings = settings;
    return this.report();
  }

  bring() {
    this.#mayBegin();
    if (this.badFile) throw new Refusal(422, "update_refused", this.badFile);
    void this.#install("0.3.0");
    return { version: "0.3.0" };
  }

  async #checking() {
    await sleep(this.phaseMs);
    this.checked = now();
    if (this.failure) return this.#show({ phase: "failed", reason: this.failure });
    this.offers = this.published;
    const [newest] = this.offers;
    if (!newest) return this.#show({ phase: "up_to_date" });
    if (this.settings.mode === "install" && newest.turn === "now") return this.#install(newest.version);
    this.#show({ phase: "available", version: newest.version });
  }

  async #install(version) {
    for (const phase of ["downloading", "verifying", "writing", "reading_back"]) {
      const fetched = phase === "downloading" ? 612_000 : 0;
      this.#show({ phase, version, done_bytes: Math.floor(TOTAL * 0.6), total_bytes: TOTAL, fetched_bytes: fetched });
      await sleep(this.phaseMs);
      if (phase === this.heldIn) await this.held;
    }
    this.#show({ phase: "ready", version });
  }

  #keep(version) {
    this.history = [{ number: this.history.length + 1, at: now(), from: this.version, to: version, outcome: "installed", reason: null, has_log: false }, ...this.history];
    Object.assign(this, { version, offers: [] });
    this.#show({});
  }

  #mayBegin() {
    if (this.problem) throw new Refusal(409, "updates_not_set_up", "Updates are not set up in this image.");
    if (["downloading", "verifying", "writing", "reading_back", "checking"].includes(this.progress.phase)) {
      throw new Refusal(409, "update_running", "Another step of an update is under way. Wait until it has ended.");
    }
  }

  #show(progress) {
    this.progress = { ...IDLE, ...progress };
  }
}

/** The part of the API that is about updates. */
export function updateHandlers(box) {
  const accepted = { status: 202 };
  return {
    "GET /updates": (request) => box.owns(request) && { status: 200, body: box.updates.report() },
    "POST /updates/check": (request) => box.owns(request) && (box.updates.check(), accepted),
    "POST /updates/apply": async (request) => box.owns(request) && (box.updates.apply((await readJson(request)).version), accepted),
    "POST /updates/restart": (request) => box.owns(request) && (box.updates.restart(), accepted),
    "PUT /updates/settings": async (request) => box.owns(request) && { status: 200, body: box.updates.choose(await readJson(request)) },
    "POST /updates/bundle": async (request) => {
      box.owns(request);
      for await (const _piece of request) void _piece;
      return { status: 202, body: box.updates.bring() };
    },
    "POST /updates/stick": (request) => {
      box.owns(request);
      if (!box.updates.isStickIn) throw new Refusal(422, "update_refused", "The stick cannot be read: no disk is plugged in.");
      return { status: 202, body: box.updates.bring() };
    },
    "GET /updates/log": (request, query) => {
      box.owns(request);
      const text = box.updates.logs[query.get("number")];
      if (text === undefined) throw new Refusal(404, "not_found", "There is nothing at this address.");
      return { status: 200, body: { text } };
    },
  };
}

function now() {
  return Math.floor(Date.now() / 1000);
}

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
