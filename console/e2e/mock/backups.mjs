// The box's backups in memory: settings, a task that runs, the recovery kit.

import { plainCode, readJson, Refusal } from "./contract.mjs";

const HOUR = 3600;
const PHASES = { backup: ["reaching", "counting", "saving", "verifying", "pruning"], drill: ["reaching", "restoring", "comparing"] };
const TOTAL = 184_320;
const LINES = [
  "1: 06Q4Y-7ZK2M-XVD9F-TH3WP-4J",
  "2: Z80RC-N5JEB-6YAT4-GK1VS-XA",
  "3: 2D8QH-NY7CF-0W3HX-5TPZ7-KM",
  "4: EV1QA-62MR8-YGBJS-4FKTW-9Q",
  "5: HD0X2-ZC",
];

export class Backups {
  settings = {
    target: null,
    schedule: { every_hours: 24, at_minute: 120, jitter_minutes: 60 },
    keep: { last: 3, daily: 7, weekly: 5, monthly: 12 },
  };
  running = null;
  lastSuccess = null;
  lastBackup = null;
  lastDrill = null;
  kitMade = null;
  problems = [];
  /** Somebody's private files, as `private_files` has them; what the last backup knew. */
  privateFiles = [];
  /** Whose vault is open, with what is in it; saved with the next backup. */
  vaults = () => [];
  /** Why the next task fails; nothing while it goes well. */
  failure = undefined;
  /** How long each phase of a task takes. */
  phaseMs = 300;
  /** The phase named here does not end before `held` does; tests look at the page meanwhile. */
  heldIn = "saving";
  held = Promise.resolve();

  #secret = undefined;

  report() {
    const next = this.settings.target === null ? null : now() + 7 * HOUR;
    const isWhole = this.privateFiles.length > 0 && this.privateFiles.every(({ at }) => at !== null);
    return {
      settings: this.settings,
      running: this.running,
      last_success: this.lastSuccess,
      last_backup: this.lastBackup,
      last_drill: this.lastDrill,
      next,
      kit_made: this.kitMade,
      problems: this.problems,
      left_out: [...(isWhole ? [] : ["private_files"]), "network_settings"],
      private_files: this.privateFiles,
    };
  }

  choose({ target, schedule, keep, ...more }) {
    for (const name of Object.keys(more)) throw wrong(name, "is not a member this request has");
    if (!(schedule.every_hours >= 1 && schedule.every_hours <= 744)) throw wrong("schedule.every_hours", "That must be 1 to 744 hours.");
    if (!(schedule.at_minute >= 0 && schedule.at_minute < 1440)) throw wrong("schedule.at_minute", "A day has 1440 minutes.");
    if (!(keep.last >= 1)) throw wrong("keep.last", "At least the newest one has to stay.");
    if (target?.type === "s3") this.#checkStore(target);
    const shown = target === null ? null : { ...target };
    delete shown?.secret_key;
    const isElsewhere = JSON.stringify(shown) !== JSON.stringify(this.settings.target);
    if (isElsewhere) Object.assign(this, { lastSuccess: null, lastBackup: null, lastDrill: null, problems: [] });
    this.settings = { target: shown, schedule, keep };
    return this.report();
  }

  /** Takes seconds, as `running` tells. */
  begin(work) {
    if (this.running) throw new Refusal(409, "backup_running", "A backup or a drill runs already. Wait until it has ended.");
    if (this.settings.target === null) throw new Refusal(409, "no_backup_target", "Choose first where backups are to go.");
    this.running = { work, phase: "reaching", files: 0, files_total: 0, bytes: 0, bytes_total: 0 };
    void this.#carryOut(work);
  }

  kit(withAccess) {
    this.kitMade = now();
    const s3 = this.settings.target?.type === "s3" ? this.settings.target : undefined;
    const place = s3 ? `${s3.bucket} at ${s3.endpoint}` : "not in this kit";
    const access = s3 && withAccess ? "in this kit" : "not in this kit";
    const code = `hearth-kit:1:0123456789abcdef:${JSON.stringify({ household: "5f1c9a02b7d4e688", box: "hearth", made: this.kitMade })}`;
    const facts = [["Household", "5f1c9a02b7d4e688"], ["Box", "hearth"], ["Made", "2026-11-21"], ["Backup", place], ["Its access", access]];
    const advice = "Keep this page where you keep your papers.";
    const table = facts.map(([name, value]) => `${name.padEnd(11)}${value}`).join("\n");
    const lines = LINES.join("\n");
    const text = `HEARTH RECOVERY KIT (version 1)\n\n${table}\n\n${advice}\n\nTo type:\n\n${lines}\n\nTo paste:\n\n${code}\n`;
    const html = `<!doctype html><html><body><h1>Hearth recovery kit</h1>${picture()}<pre>${LINES.join("\n")}</pre></body></html>`;
    return { text, html, code };
  }

  #checkStore(target) {
    if (!/^https:\/\//.test(target.endpoint)) throw wrong("target.endpoint", "The endpoint does not begin with https://.");
    const before = this.settings.target;
    const stays = before?.type === "s3" && before.endpoint === target.endpoint && before.access_key === target.access_key;
    this.#secret = target.secret_key ?? (stays ? this.#secret : undefined);
    if (!this.#secret) throw wrong("target.secret_key", "The secret key is empty.");
  }

  async #carryOut(work) {
    for (const phase of PHASES[work]) {
      const counted = ["reaching", "counting"].includes(phase) ? 0 : TOTAL;
      this.running = { work, phase, files: counted ? 1 : 0, files_total: counted ? 1 : 0, bytes: Math.floor(counted * 0.4), bytes_total: counted };
      await new Promise((resolve) => setTimeout(resolve, this.phaseMs));
      if (phase === this.heldIn) await this.held;
    }
    const problem = this.failure ?? null;
    const ended = { at: now(), problem, shows_damage: false, files: problem ? 0 : 1, bytes: problem ? 0 : TOTAL, written_bytes: problem ? 0 : TOTAL };
    if (work === "backup") this.lastBackup = ended;
    else this.lastDrill = ended;
    if (work === "backup" && !problem) {
      this.lastSuccess = ended.at;
      this.privateFiles = this.vaults().map(([user, vault]) => this.#save(user, vault, ended.at));
    }
    const kind = work === "backup" ? "the last backup" : "the last backup drill";
    const noKit = this.kitMade === null && this.lastSuccess !== null;
    const notYet = this.privateFiles.filter(({ at }) => at === null);
    this.problems = [
      ...(problem ? [`${kind} failed: ${problem}`] : []),
      ...notYet.map(({ user }) => `the private files of ${user} are in no backup yet; they are saved while ${user} is logged in`),
      ...(noKit ? ["nobody has a recovery kit: without it, nobody can restore the backups when this box breaks"] : []),
    ];
    this.running = null;
  }

  /** What is locked keeps what was saved last. */
  #save(user, vault, at) {
    const before = this.privateFiles.find((each) => each.user === user) ?? { user, at: null, files: 0, bytes: 0, problem: null };
    if (vault.state !== "open") return before;
    return { user, at, files: vault.files.length, bytes: vault.files.reduce((sum, { bytes }) => sum + bytes, 0), problem: null };
  }
}

/** A restore into a box that is new. */
export class Restoring {
  view = { state: "none", phase: null, bytes: 0, bytes_total: 0, problem: null };
  /** Why it is refused; nothing while it goes well. */
  failure = undefined;
  /** What the kit lacks. */
  kitLacksAccess = false;
  /** It does not end before this does. */
  held = Promise.resolve();

  begin({ kit, target }, onDone) {
    if (!/^hearth-kit:|^\s*1:/m.test(kit)) throw wrong("kit", "This is no recovery kit: there are neither numbered lines nor the text of the code.");
    if (this.kitLacksAccess && !target) throw wrong("target", "The kit does not have the access to the place of the backup. Type it.");
    if (target?.type === "s3" && !target.secret_key) throw wrong("target.secret_key", "The secret key is empty.");
    this.taken = { kit, target };
    this.#show({ state: "running", phase: "restoring", bytes: 52_000, bytes_total: TOTAL });
    void this.held.then(() => {
      if (this.failure) return this.#show({ state: "refused", problem: this.failure });
      this.#show({ state: "done" });
      onDone();
    });
    return this.view;
  }

  #show(view) {
    this.view = { state: "none", phase: null, bytes: 0, bytes_total: 0, problem: null, ...view };
  }
}

/** The part of the API that is about restoring, before there is an owner. */
export function restoreHandlers(box) {
  const mustBeNew = () => {
    if (box.owner) throw new Refusal(409, "already_set_up", "This box has an owner already. Log in instead.");
  };
  return {
    "POST /setup/restore": async (request) => {
      mustBeNew();
      const body = await readJson(request);
      const more = Object.keys(body).find((name) => !["claim_code", "kit", "target"].includes(name));
      if (more) throw wrong(more, "is not a member this request has");
      if (plainCode(body.claim_code) !== plainCode(box.claimCode)) throw box.wrongCode();
      return { status: 202, body: box.restoring.begin(body, () => box.becomeRestored()) };
    },
    "GET /setup/restore": () => (mustBeNew(), { status: 200, body: box.restoring.view }),
  };
}

/** The part of the API that is about backups. */
export function backupHandlers(box) {
  const accepted = { status: 202 };
  return {
    "GET /backups": (request) => box.owns(request) && { status: 200, body: box.backups.report() },
    "PUT /backups/settings": async (request) => box.owns(request) && { status: 200, body: box.backups.choose(await readJson(request)) },
    "POST /backups/run": (request) => box.owns(request) && (box.backups.begin("backup"), accepted),
    "POST /backups/drill": (request) => box.owns(request) && (box.backups.begin("drill"), accepted),
    "POST /backups/kit": async (request) => {
      box.owns(request);
      const { with_access: withAccess } = await box.ownPassword(request, { with_access: "boolean" });
      return { status: 200, body: box.backups.kit(withAccess) };
    },
  };
}

function now() {
  return Math.floor(Date.now() / 1000);
}

function wrong(field, message) {
  return new Refusal(422, "invalid_field", message, { field });
}

/** Looks like the code of a kit, and holds nothing. */
function picture() {
  const side = 61;
  let path = "";
  for (let y = 4; y < side - 4; y += 1) {
    for (let x = 4; x < side - 4; x += 1) if ((x * x * 7 + y * y * 13 + x * y * 5) % 11 < 5) path += `M${x} ${y}h1v1h-1z`;
  }
  const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${side} ${side}" shape-rendering="crispEdges">`;
  return `${head}<rect width="100%" height="100%" fill="#fff"/><path d="${path}"/></svg>`;
}
