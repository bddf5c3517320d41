// A box in memory: what the API answers and what a test may do to it.

import { randomBytes } from "node:crypto";
import { appHandlers, Apps } from "./apps.mjs";
import { SystemUpdates, updateHandlers } from "./updates.mjs";
import { Backups, backupHandlers, restoreHandlers, Restoring } from "./backups.mjs";
import { checkPassword, checkSetup, plainCode, readBody, readJson, Refusal } from "./contract.mjs";
import { HomeNetwork } from "./network.mjs";
import { peopleHandlers } from "./people.mjs";
import { EncryptedData } from "./storage.mjs";
import { Vault } from "./vault.mjs";

const TRIES = 5;
const CODES = ["K7QM-2XVD-9FTH", "3WPZ-80RC-N5JE", "B6YA-T4GK-1VSX"];
const GIGA = 1000 ** 3;
const NO_RECOVERY_KEY = "nobody has a recovery key for the data yet: make one on the page Encrypted data, or nobody can read the disk when this box breaks";

export class Box {
  hostname = "hearth";
  owner = undefined;
  sessions = new Set();
  /** Whose a session is, where it is not the owner's. */
  #whose = new Map();
  /** Who logs in beside the owner. */
  members = [];
  reasons = [];
  /** While true no request gets an answer at all. */
  unreachable = false;
  /** How long a restart takes, and how slow set-up and login are. */
  rebootMs = 5000;
  hashingMs = 400;
  /** How long each answer to a path takes, from when it is made until it is sent; by path. */
  slow = {};
  /** Requests answered, by "METHOD path"; tests look at it. */
  seen = [];
  wrongLogins = 0;
  lockedOutUntil = 0;

  #codes = [...CODES];
  #triesLeft = TRIES;
  #started = Date.now() - 93_000;

  services = [
    { name: "netd", state: "ready", restarts: 0, reason: null, status: "lease from 10.0.2.2 on eth0" },
    { name: "hostd", state: "ready", restarts: 0, reason: null, status: "serving https://hearth.local" },
  ];
  diskUsed = 0.07;
  network = new HomeNetwork();
  data = new EncryptedData();
  vault = new Vault();
  backups = new Backups();
  updates = new SystemUpdates();
  apps = new Apps();
  restoring = new Restoring();
  /** Whom a restored backup knows. */
  restoredOwner = undefined;

  constructor(ca) {
    this.ca = ca;
    this.backups.vaults = () => [[this.owner.name, this.vault], ...this.members.map(({ name, vault }) => [name, vault])];
  }

  get claimCode() {
    return this.#codes[0];
  }

  get state() {
    if (this.data.isLocked) return "locked";
    if (!this.owner) return "setup";
    return this.reasons.length > 0 ? "degraded" : "ready";
  }

  get uptime() {
    return (Date.now() - this.#started) / 1000;
  }

  /** The answer to one request, as `{status, body, headers}`. */
  async answer(request, path, query) {
    const [, before, name, behind] = /^(\/vault\/files|\/users|\/apps(?=\/[0-9a-f]{32}))\/([^/]+)(\/[a-z]+)?$/.exec(path) ?? [];
    const key = `${request.method} ${name === undefined ? path : `${before}/{name}${behind ?? ""}`}`;
    this.seen.push(key);
    const handler = this.#handlers[key];
    if (!handler) throw new Refusal(404, "not_found", "There is nothing at this address.");
    const made = await handler(request, query, name === undefined ? undefined : decodeURIComponent(name));
    await sleep(this.slow[path] ?? 0);
    return made;
  }

  #handlers = {
    ...appHandlers(this),
    ...backupHandlers(this),
    ...updateHandlers(this),
    ...restoreHandlers(this),
    ...peopleHandlers(this),
    "GET /status": () => ok({ state: this.state, ...this.#identity(), hostname: this.hostname, reasons: this.#told(), takes: this.data.takes, rollback: this.rollback ?? null }),
    "POST /setup": (request) => this.#setup(request),
    "POST /session": (request) => this.#login(request),
    "GET /session": (request) => ok({ user: this.user(request) }),
    "DELETE /session": (request) => this.#logout(request),
    "GET /system": (request) => this.user(request) && ok(this.#system()),
    "GET /network": (request, query) => this.user(request) && ok(this.network.report(this.hostname, query)),
    "GET /network/settings": (request) => this.user(request) && ok(this.network.show()),
    "PUT /network/settings": async (request, query) => this.owns(request) && ok(this.network.change(await readJson(request), query)),
    "POST /network/settings/confirm": (request) => this.owns(request) && (this.network.confirm(), { status: 204 }),
    "POST /network/wifi": async (request) => this.owns(request) && (this.network.wish(await readJson(request)), { status: 204 }),
    "GET /network/explain": (request, query) => this.user(request) && ok(this.network.explain(query)),
    "GET /storage": (request) => this.user(request) && ok(this.data.report()),
    "GET /storage/health": (request) => this.user(request) && ok(this.data.health(this.uptime)),
    "POST /storage/unlock": async (request) => {
      const { key } = await readBody(request, { key: "string" });
      await sleep(this.hashingMs);
      this.data.tryToUnlock(key);
      // init stops everything, mounts the data and starts everything again.
      const answer = this.#leave(this.rebootMs);
      setTimeout(() => this.data.open(), this.rebootMs);
      return answer;
    },
    "POST /storage/recovery-key": async (request) => {
      this.owns(request);
      await this.ownPassword(request);
      return ok({ recovery_key: this.data.newKey() });
    },
    "POST /storage/recovery-key/confirm": async (request) => {
      this.owns(request);
      this.data.confirm((await readBody(request, { end: "string" })).end);
      return { status: 204 };
    },
    "POST /vault/recovery-code": async (request) => {
      this.user(request);
      // Beside the slow key of the disk it takes no time that counts.
      const { password } = await readBody(request, { password: "string" });
      return ok({ recovery_code: this.#vaultOf(request).newCode(password, this.#password(request)) });
    },
    "POST /vault/recovery-code/confirm": async (request) => {
      this.user(request);
      this.#vaultOf(request).confirm((await readBody(request, { end: "string" })).end);
      return { status: 204 };
    },
    "POST /account/password": async (request) => {
      this.user(request);
      const body = await readBody(request, { old: "string", new: "string" });
      await sleep(this.hashingMs);
      if (body.old !== this.#password(request)) throw this.#wrongTry(new Refusal(403, "wrong_password", "That is not your password."));
      checkPassword("new", body.new);
      this.#vaultOf(request).rewrap(body.old);
      const member = this.#member(request);
      if (member) member.password = body.new;
      else this.owner = { ...this.owner, password: body.new };
      this.sessions = new Set([tokenOf(request)]);
      return { status: 204 };
    },
    "POST /account/reset": async (request) => {
      const body = await readBody(request, { name: "string", recovery_code: "string", new: "string" });
      this.vault.read(body.recovery_code);
      checkPassword("new", body.new);
      await sleep(this.hashingMs);
      if (body.name !== this.owner.name || !this.vault.isCode(body.recovery_code)) {
        throw this.#wrongTry(new Refusal(403, "wrong_key", "This recovery code does not open the vault. Nothing was changed."));
      }
      this.vault.password = undefined;
      this.owner = { ...this.owner, password: body.new };
      this.sessions.clear();
      return { status: 204 };
    },
    "GET /vault": (request) => this.user(request) && ok(this.#vaultOf(request).report()),
    "POST /vault/lock": (request) => this.user(request) && ok(this.#vaultOf(request).lock()),
    "POST /vault/unlock": async (request) => {
      this.user(request);
      const keys = await readJson(request);
      await sleep(this.hashingMs);
      return ok(this.#vaultOf(request).open(keys, this.#password(request)));
    },
    "POST /vault/new": async (request) => {
      await this.ownPassword(request, { understood: "boolean" });
      return ok(this.#vaultOf(request).beginAnew());
    },
    "POST /vault/rotate": async (request) => {
      this.user(request);
      const { password } = await readBody(request, { password: "string" });
      await sleep(this.hashingMs);
      this.#vaultOf(request).beginRotation(password, this.#password(request));
      return { status: 202 };
    },
    "PUT /vault/files/{name}": async (request, _query, name) => this.user(request) && (await this.#vaultOf(request).put(name, request), { status: 204 }),
    "DELETE /vault/files/{name}": (request, _query, name) => this.user(request) && (this.#vaultOf(request).remove(name), { status: 204 }),
    "GET /vault/files": (request) => this.user(request) && ok({ files: this.#vaultOf(request).list() }),
    "POST /storage/seal": async (request) => {
      this.owns(request);
      await this.ownPassword(request);
      this.data.seal();
      return { status: 204 };
    },
    "POST /storage/rollback/confirm": async (request) => {
      const body = await readJson(request);
      if (JSON.stringify(body.rollback) !== JSON.stringify(this.rollback)) throw new Refusal(409, "no_such_rollback", "That is not what the box found.");
      if (!this.data.isRecoveryKey(body.key)) throw new Refusal(403, "wrong_key", "That is not a key of this box. Nothing was changed.");
      this.rollback = undefined;
      return { status: 202 };
    },
    "POST /storage/rotate": async (request) => {
      this.owns(request);
      const { what, recovery_key: key } = await this.ownPassword(request, { what: "string", recovery_key: "string?" });
      if (what === "system") return { status: 204 };
      this.data.beginRotation(key);
      return { status: 202 };
    },
    "POST /storage/passphrase": async (request) => {
      this.owns(request);
      const { passphrase } = await this.ownPassword(request, { passphrase: "string" });
      this.data.setPassphrase(passphrase);
      return { status: 204 };
    },
    "GET /logs": (request, query) => this.owns(request) && ok({ lines: this.#logs(query.get("unit")) }),
    "POST /system/reboot": (request) => this.owns(request) && this.#leave(this.rebootMs),
    "POST /system/factory-reset": async (request) => {
      this.owns(request);
      const { hostname, password } = await readBody(request, { hostname: "string", password: "string" });
      if (hostname.trim().toLowerCase() !== this.hostname) {
        throw new Refusal(422, "invalid_field", "That is not the name of this box.", { field: "hostname" });
      }
      if (password !== this.owner.password) throw new Refusal(403, "wrong_password", "That is not your password.");
      this.erased = true;
      return this.#leave(Infinity);
    },
    "POST /system/poweroff": (request) => this.owns(request) && this.#leave(Infinity),
    "GET /ca.crt": () => ({ status: 200, text: this.ca, headers: { "Content-Type": "application/x-pem-file" } }),
  };

  #identity() {
    return { version: "0.1.0", board: "x86_64", slot: "hearth_0.1.0" };
  }

  async #setup(request) {
    if (this.owner) throw new Refusal(409, "already_set_up", "This box has an owner already. Log in instead.");
    const body = await readBody(request, { claim_code: "string", hostname: "string", owner: { name: "string", password: "string" } });
    checkSetup(body);
    await sleep(this.hashingMs);
    if (plainCode(body.claim_code) !== plainCode(this.claimCode)) throw this.wrongCode();
    this.hostname = body.hostname;
    this.owner = body.owner;
    const user = { name: this.owner.name, role: "owner" };
    return { status: 201, body: { user, hostname: this.hostname, url: `https://${this.hostname}.local` }, headers: this.#cookie() };
  }

  /** Reasons that leave the state alone come last. */
  #told() {
    return this.owner && !this.data.isLocked && !this.data.hasRecoveryKey ? [...this.reasons, NO_RECOVERY_KEY] : this.reasons;
  }

  /** The body of a request that needs the password once more. */
  async ownPassword(request, besides = {}) {
    this.user(request);
    const body = await readBody(request, { ...besides, password: "string" });
    await sleep(this.hashingMs);
    if (body.password !== this.#password(request)) throw new Refusal(403, "wrong_password", "That is not your password.");
    return body;
  }

  /** Counts as at login. */
  #wrongTry(refusal) {
    this.wrongLogins += 1;
    return this.wrongLogins > TRIES ? new Refusal(429, "too_many_tries", "Too many wrong tries. Wait and try again.", { headers: { "Retry-After": "30" } }) : refusal;
  }

  wrongCode() {
    this.#triesLeft -= 1;
    const triesLeft = this.#triesLeft;
    if (triesLeft === 0) {
      this.#codes.push(this.#codes.shift());
      this.#triesLeft = TRIES;
    }
    return new Refusal(403, "wrong_claim_code", "This is not the claim code on the console.", {
      field: "claim_code",
      extra: { tries_left: triesLeft },
    });
  }

  async #login(request) {
    const wait = Math.ceil((this.lockedOutUntil - Date.now()) / 1000);
    if (wait > 0) {
      throw new Refusal(429, "too_many_tries", "Too many wrong tries. Wait and try again.", { headers: { "Retry-After": String(wait) } });
    }
    const { name, password } = await readBody(request, { name: "string", password: "string" });
    await sleep(this.hashingMs);
    const member = this.members.find((each) => each.name === name);
    const known = member ?? (name === this.owner?.name ? this.owner : undefined);
    if (password !== known?.password) {
      this.wrongLogins += 1;
      if (this.wrongLogins >= TRIES) this.lockedOutUntil = Date.now() + 30_000;
      throw new Refusal(401, "wrong_credentials", "This name and password do not go together.");
    }
    this.wrongLogins = 0;
    return { status: 200, body: { user: { name, role: member ? "member" : "owner" } }, headers: this.#cookie(member?.name) };
  }

  #logout(request) {
    this.sessions.delete(tokenOf(request));
    return { status: 204, headers: { "Set-Cookie": "__Host-hearth=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0" } };
  }

  #cookie(member) {
    const token = randomBytes(32).toString("base64url");
    this.sessions.add(token);
    if (member) this.#whose.set(token, member);
    return { "Set-Cookie": `__Host-hearth=${token}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=604800` };
  }

  /** Who asks; refused unless somebody is logged in. */
  user(request) {
    if (!this.sessions.has(tokenOf(request))) throw new Refusal(401, "not_logged_in", "Log in first.");
    const member = this.#member(request);
    return member ? { name: member.name, role: "member" } : { name: this.owner.name, role: "owner" };
  }

  /** Refused to members. */
  owns(request) {
    if (this.user(request).role !== "owner") throw new Refusal(403, "owner_only", "Only the owner of the box may do that.");
    return true;
  }

  #member(request) {
    const name = this.#whose.get(tokenOf(request));
    return this.members.find((each) => each.name === name);
  }

  #password(request) {
    return (this.#member(request) ?? this.owner).password;
  }

  #vaultOf(request) {
    return this.#member(request)?.vault ?? this.vault;
  }

  /** The service starts anew with the restored store. */
  becomeRestored() {
    setTimeout(() => (this.unreachable = true), 2000);
    setTimeout(() => {
      this.unreachable = false;
      this.owner = this.restoredOwner;
    }, this.rebootMs);
  }

  #system() {
    return {
      ...this.#identity(),
      uptime_seconds: Math.floor(this.uptime),
      memory: { total_bytes: 0.48 * GIGA, available_bytes: 0.39 * GIGA },
      disk: { total_bytes: 128 * GIGA, available_bytes: Math.round(128 * GIGA * (1 - this.diskUsed)) },
      services: this.services,
      time_unix: Math.floor(Date.now() / 1000),
    };
  }

  #logs(unit) {
    if (!this.services.some((service) => service.name === unit)) {
      throw new Refusal(404, "not_found", "There is no service of this name.");
    }
    const said = ["INFO starting", "INFO link eth0: up, 1000 Mbit/s", "INFO lease 10.0.2.15/24 from 10.0.2.2 for 86400 s", "INFO ready"];
    return Array.from({ length: 60 }, (_, index) => `${(3.1 + index * 1.37).toFixed(3)} ${unit}: ${said[index % said.length]}`);
  }

  #leave(ms) {
    setTimeout(() => (this.unreachable = true), 300);
    if (Number.isFinite(ms)) {
      setTimeout(() => {
        this.unreachable = false;
        this.#started = Date.now();
      }, ms);
    }
    return { status: 202 };
  }
}

function ok(body) {
  return { status: 200, body };
}

function tokenOf(request) {
  return /(?:^|;\s*)__Host-hearth=([^;]+)/.exec(request.headers.cookie ?? "")?.[1];
}

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
