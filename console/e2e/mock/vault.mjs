// The owner's vault in memory: what opens it, its files, its recovery code.

import { invalid, plainCode, Refusal } from "./contract.mjs";

const CODES = ["0H8K-2QWM-5T9X-ZJ3N-P7VD-R4CF-6YAB-E1GS-WX20", "8T3F-KX0D-V6PA-2ZNE-J9RW-7MCB-GQ5H-41YS-D2XK"];
const MAX_BYTES = 16 * 1024 * 1024;
const MAX_NAME_BYTES = 200;

export class Vault {
  files = [];
  state = "open";
  problem = null;
  /** Another one than the account's, after a reset; nothing while they are the same. */
  password = undefined;
  /** The recovery code that is in use. */
  code = undefined;
  /** What the box answers to a file instead of taking it, by name. */
  refusals = new Map();
  /** How many vaults were given up. */
  putBy = 0;
  /** Nobody reads what arrives before this is over; tests look at the page meanwhile. */
  held = Promise.resolve();

  /** A change of its key. */
  rotation = null;
  /** Files from a backup that are being opened. */
  opening = null;
  /** What of a restored box waits for its first opening: how far it is then, or nothing. */
  restored = undefined;

  #made = undefined;
  #next = 0;
  #confirmed = false;

  report() {
    return {
      state: this.state,
      has_recovery_code: this.#confirmed,
      is_waiting_for_confirmation: this.#made !== undefined,
      problem: this.problem,
      opening: this.opening,
      idle_seconds: 43_200,
      rotation: this.rotation,
    };
  }

  /** Nothing can be read meanwhile; a test ends it. */
  beginRotation(password, account) {
    if (password !== (this.password ?? account)) throw this.#wrongKey("password");
    this.#require();
    this.state = "busy";
    this.rotation = { percent: 0 };
  }

  endRotation() {
    this.state = "open";
    this.rotation = null;
  }

  endOpening(files, problem = null) {
    Object.assign(this, { state: "open", opening: null, restored: undefined, files, problem });
  }

  lock() {
    this.state = "locked";
    return this.report();
  }

  /** `account`: the password to log in with. */
  open(keys, account) {
    for (const name of Object.keys(keys)) if (!["password", "recovery_code"].includes(name)) throw invalid(name, "is not a member this request has");
    const { password, recovery_code: code } = keys;
    if (code === undefined) {
      if (password === undefined) throw new Refusal(422, "invalid_field", "Send the password or the recovery code.", { field: "password" });
      if (password !== (this.password ?? account)) throw this.#wrongKey("password");
    } else {
      this.read(code);
      if (password !== undefined && password !== account) throw new Refusal(403, "wrong_password", "That is not your password.");
      if (!this.isCode(code)) throw this.#wrongKey("recovery code");
      if (password !== undefined) this.password = undefined;
    }
    this.state = this.restored ? "busy" : "open";
    this.opening = this.restored ?? null;
    return this.report();
  }

  /** The account has another password; a vault that the old one opens has it too. */
  rewrap(old) {
    if (this.password === old) this.password = undefined;
    this.#made = undefined;
  }

  beginAnew() {
    Object.assign(this, { files: [], state: "open", problem: null, password: undefined, code: undefined, putBy: this.putBy + 1 });
    this.#made = undefined;
    this.#confirmed = false;
    return this.report();
  }

  list() {
    this.#require();
    return this.files;
  }

  async put(name, request) {
    this.#require();
    checkName(name);
    if (request.headers["content-type"] !== "application/octet-stream") throw new Refusal(415, "unsupported_media_type", "Send the file as application/octet-stream.");
    const bytes = await this.#receive(request);
    const refusal = this.refusals.get(name);
    if (refusal) throw refusal;
    if (bytes > MAX_BYTES) throw new Refusal(413, "too_large", "The file is larger than 16 MiB, the most a private file can have.");
    this.#require();
    const others = this.files.filter((file) => file.name !== name);
    this.files = [...others, { name, bytes, modified_unix: Math.floor(Date.now() / 1000) }].sort((one, other) => (one.name < other.name ? -1 : 1));
  }

  remove(name) {
    this.#require();
    if (!this.files.some((file) => file.name === name)) throw new Refusal(404, "no_such_file", "There is no such file.");
    this.files = this.files.filter((file) => file.name !== name);
  }

  newCode(password, account) {
    if (password !== (this.password ?? account)) throw this.#wrongKey("password");
    this.#made = CODES[this.#next % CODES.length];
    this.#next += 1;
    this.code ??= this.#made;
    return this.#made;
  }

  confirm(end) {
    if (!this.#made) throw new Refusal(409, "nothing_to_confirm", "There is no new recovery code to confirm.");
    if (plainCode(end) !== plainCode(this.#made).slice(-8)) throw new Refusal(403, "not_its_end", "That is not the end of the new recovery code.");
    this.#confirmed = true;
    this.code = this.#made;
    this.#made = undefined;
  }

  isCode(typed) {
    return this.code !== undefined && plainCode(typed) === plainCode(this.code);
  }

  /** A slip is told at once, and is no try. */
  read(typed) {
    const letters = plainCode(typed);
    if (letters.length !== 36) throw new Refusal(422, "invalid_field", `A recovery code has 36 letters, this has ${letters.length}.`, { field: "recovery_code" });
    const foreign = /[^0-9A-TV-Z]/.exec(letters);
    if (foreign) throw new Refusal(422, "invalid_field", `'${foreign[0]}', letter ${foreign.index + 1} of the recovery code, is in no code.`, { field: "recovery_code" });
  }

  async #receive(request) {
    let bytes = 0;
    await this.held;
    for await (const chunk of request) bytes += chunk.length;
    return bytes;
  }

  #wrongKey(kind) {
    return new Refusal(403, "wrong_key", `This ${kind} does not open the vault. Nothing was changed.`);
  }

  #require() {
    if (this.state !== "open") throw new Refusal(409, "vault_locked", "Your vault is locked. Open it with your password.");
  }
}

function checkName(name) {
  const isFit = Buffer.byteLength(name) <= MAX_NAME_BYTES && !/[/\\\p{Cc}]/u.test(name) && !name.startsWith(".") && name.trim() === name && name !== "";
  if (!isFit) throw invalid("name", "is no name of a file");
}
