// The encrypted data of the box in memory: what opens it, and what storaged would say.

import { plainCode, Refusal } from "./contract.mjs";

const KEYS = ["7Q2M-XVD9-FTHK-3WPZ-80RC-N5JE-B6YA-T4GK-1VSX", "C9KD-0W3H-XN5T-PZ7E-V1QA-62MR-8YGB-JS4F-HKTW"];
const FREE_TRIES = 5;

export class EncryptedData {
  /** As `StorageReport` of docs/spec/api.md has it. */
  unlock = { state: "opened", by: "tpm", reasons: [] };
  /** What an owner has to know of the disk. */
  findings = [];
  /** The recovery key that is in use. */
  recoveryKey = undefined;
  /** How long everybody waits after too many wrong keys. */
  waitSeconds = 30;

  /** What somebody types at each start, on a box without chip. */
  passphrase = undefined;
  /** A change of the volume key, as `StorageReport` has it. */
  rotation = null;

  #made = undefined;
  #next = 0;
  #wrong = 0;
  #waitUntil = 0;

  get isLocked() {
    return this.unlock.state === "locked";
  }

  get takes() {
    return this.isLocked ? this.unlock.takes : [];
  }

  get hasRecoveryKey() {
    return this.recoveryKey !== undefined;
  }

  /** From now on it does not open by itself. */
  lock(reasons, recoveryKey = KEYS[0]) {
    this.recoveryKey = recoveryKey;
    const takes = [...(this.passphrase ? ["passphrase"] : []), ...(recoveryKey ? ["recovery"] : [])];
    this.unlock = { state: "locked", reasons, takes };
  }

  /** As `HealthReport` of docs/spec/api.md has it. */
  health(uptime) {
    const written = { since_boot_bytes: 4.2e9, uptime_seconds: Math.floor(uptime), per_day_bytes: 4.2e9, budget_per_day_bytes: 12.8e9, ever_bytes: 1.9e13 };
    const disk = {
      name: "nvme0n1",
      model: "Example 980",
      kind: "nvme",
      size_bytes: 128e9,
      is_failing: false,
      life_used_percent: 7,
      spare_percent: 100,
      temperature_celsius: 42,
      power_on_hours: 17_288,
      replaced_sectors: null,
      unreadable: 0,
      written,
      silent: null,
    };
    const file_system = { total_bytes: 126e9, available_bytes: 15e9, used_percent: 88, is_read_only: false, errors: 0 };
    const trim = { last: { seconds_ago: 7200, bytes: 12e9 }, problem: null };
    return { disk, file_system, trim, findings: this.findings };
  }

  report() {
    const own = this.passphrase ? "passphrase" : this.hasChip ? "tpm" : "boot_key";
    const keys = [{ kind: own, is_confirmed: true }];
    if (this.recoveryKey) keys.push({ kind: "recovery", is_confirmed: true });
    if (this.#made) keys.push({ kind: "recovery", is_confirmed: false });
    return { unlock: this.unlock, keys, is_waiting_for_confirmation: this.#made !== undefined, rotation: this.rotation };
  }

  get hasChip() {
    return !this.passphrase && this.unlock.by !== "boot_key";
  }

  setPassphrase(passphrase) {
    if (/\p{Cc}/u.test(passphrase)) throw refused("a passphrase has no control characters");
    if (Buffer.byteLength(passphrase) > 512) throw refused("a passphrase has at most 512 bytes");
    if ([...passphrase].length < 12) throw refused("a passphrase has at least 12 letters");
    if (this.hasChip) throw refused("this box has a security chip, which keeps its key");
    if (!this.hasRecoveryKey) {
      throw refused("make and confirm a recovery key first: nothing else opens the data when the passphrase is forgotten");
    }
    this.passphrase = passphrase;
  }

  beginRotation(recoveryKey) {
    if (!this.hasRecoveryKey || this.rotation) throw new Refusal(409, "keys_refused", "The volume key cannot be changed now.");
    if (!this.isRecoveryKey(recoveryKey)) throw new Refusal(403, "wrong_key", "That is not a key of this box. Nothing was changed.");
    this.rotation = { percent: 0, problem: null };
  }

  tryToUnlock(key) {
    if (!this.isLocked) throw new Refusal(409, "not_locked", "The data is not locked.");
    const wait = Math.ceil((this.#waitUntil - Date.now()) / 1000);
    if (wait > 0) throw new Refusal(429, "too_many_tries", `Too many wrong tries. Wait ${wait} seconds.`, { headers: { "Retry-After": String(wait) } });
    if (key === this.passphrase) return (this.openedBy = "passphrase");
    this.openedBy = "recovery";
    if (plainCode(key) === plainCode(this.recoveryKey ?? "-")) return;
    this.#wrong += 1;
    if (this.#wrong >= FREE_TRIES) this.#waitUntil = Date.now() + this.waitSeconds * 1000;
    throw new Refusal(403, "wrong_key", "That is not a key of this box. Nothing was changed.");
  }

  isRecoveryKey(key) {
    return plainCode(key) === plainCode(this.recoveryKey ?? "-");
  }

  open() {
    this.unlock = { state: "opened", by: this.openedBy ?? "recovery", reasons: [] };
  }

  newKey() {
    this.#made = KEYS[this.#next % KEYS.length];
    this.#next += 1;
    return this.#made;
  }

  confirm(end) {
    if (!this.#made) throw new Refusal(409, "nothing_to_confirm", "There is no new recovery key to confirm.");
    if (plainCode(end) !== plainCode(this.#made).slice(-8)) throw new Refusal(403, "not_its_end", "That is not the end of the new recovery key.");
    this.recoveryKey = this.#made;
    this.#made = undefined;
  }

  seal() {
    this.unlock = { ...this.unlock, by: "tpm" };
  }
}

/** What storaged does not do. */
function refused(why) {
  return new Refusal(409, "keys_refused", `The box did not do it: ${why}. Nothing was changed.`);
}
