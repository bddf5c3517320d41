// The owner's vault in memory: whether it is open, its files, its recovery code.

import { plainCode, Refusal } from "./contract.mjs";

const CODE = "0H8K-2QWM-5T9X-ZJ3N-P7VD-R4CF-6YAB-E1GS-WX20";

export class Vault {
  files = [];
  state = "open";

  #made = undefined;
  #confirmed = false;

  report() {
    return {
      state: this.state,
      has_recovery_code: this.#confirmed,
      is_waiting_for_confirmation: this.#made !== undefined,
      problem: null,
      idle_seconds: 43_200,
    };
  }

  lock() {
    this.state = "locked";
    return this.report();
  }

  open() {
    this.state = "open";
    return this.report();
  }

  list() {
    if (this.state !== "open") throw new Refusal(409, "vault_locked", "Your vault is locked. Open it with your password.");
    return this.files;
  }

  newCode() {
    this.#made = CODE;
    return CODE;
  }

  confirm(end) {
    if (!this.#made) throw new Refusal(409, "nothing_to_confirm", "There is no new recovery code to confirm.");
    if (plainCode(end) !== plainCode(this.#made).slice(-8)) throw new Refusal(403, "not_its_end", "That is not the end of the new recovery code.");
    this.#confirmed = true;
    this.#made = undefined;
  }
}
