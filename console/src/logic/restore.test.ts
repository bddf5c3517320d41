import { describe, expect, it } from "vitest";
import type { Restore } from "../api/backups";
import { ApiError, Unreachable } from "../api/client";
import { advance, restoreRequest, startRestore, type Event, type Restoring } from "./restore";

const KIT = "1: 06Q4Y-7ZK2M-XVD9F-TH3WP-4J";
const NO: Restore = { state: "none", phase: null, bytes: 0, bytes_total: 0, problem: null };
const RUNNING: Event = { kind: "looked", restore: { ...NO, state: "running", phase: "restoring", bytes: 5, bytes_total: 10 } };

function run(events: Event[], from: Restoring = startRestore("K7QM-2XVD-9FTH")): Restoring {
  return events.reduce(advance, from);
}

const sent = run([{ kind: "edit", change: { kit: KIT } }, { kind: "send" }]);

describe("the form", () => {
  it("sends the code and the kit, which says where the backup is", () => {
    expect(sent.phase).toBe("sending");
    expect(restoreRequest(sent.draft)).toEqual({ claim_code: "K7QM-2XVD-9FTH", kit: KIT });
  });

  it("names what is missing", () => {
    const empty = run([{ kind: "edit", change: { claimCode: "", asInKit: false, kind: "s3" } }, { kind: "send" }]);
    expect([empty.phase, empty.attempt]).toEqual(["form", 1]);
    expect(Object.keys(empty.problems).sort()).toEqual(["accessKey", "bucket", "claimCode", "endpoint", "kit", "secretKey"]);
    expect(run([{ kind: "edit", change: { kit: "x" } }], empty).problems.kit).toBeUndefined();
  });

  it("says the place when somebody chose it", () => {
    const chosen = run([{ kind: "edit", change: { kit: KIT, asInKit: false, label: " KEEP " } }]);
    expect(restoreRequest(chosen.draft).target).toEqual({ type: "usb_disk", label: "KEEP" });
  });
});

describe("on its way", () => {
  it("tells how far it is, and forgets the kit when it is done", () => {
    expect(run([RUNNING], sent).moving.percent).toBe(50);
    const done = run([RUNNING, { kind: "looked", restore: { ...NO, state: "done" } }], sent);
    expect([done.phase, done.draft.kit]).toEqual(["done", ""]);
  });

  it("comes back to the form with the reason, and what was typed is still there", () => {
    const refused = run([RUNNING, { kind: "looked", restore: { ...NO, state: "refused", problem: "It is damaged." } }], sent);
    expect([refused.phase, refused.trouble, refused.draft.kit]).toEqual(["form", "It is damaged.", KIT]);
    expect(run([{ kind: "send" }], refused).trouble).toBeUndefined();
    expect(run([RUNNING, { kind: "looked", restore: NO }], sent).trouble).toMatch(/broke off/);
    expect(run([{ kind: "looked", restore: NO }], sent).phase).toBe("sending");
  });
});

describe("a refused request", () => {
  const refuse = (status: number, code: string, more: { field?: string; tries?: number; retry?: number } = {}): Restoring =>
    run([{ kind: "failed", error: new ApiError(status, code, `told: ${code}`, more.field, more.tries, more.retry) }], sent);

  it("is shown at its field", () => {
    expect(refuse(403, "wrong_claim_code", { tries: 3 }).problems.claimCode).toMatch(/3 tries left/);
    expect(refuse(403, "wrong_claim_code", { tries: 0 }).draft.claimCode).toBe("");
    expect(refuse(422, "invalid_field", { field: "kit" }).problems.kit).toMatch(/told/);
    expect(refuse(422, "invalid_field", { field: "target.bucket" }).problems.bucket).toMatch(/told/);
  });

  it("asks for the place when the kit does not have it", () => {
    const refused = refuse(422, "invalid_field", { field: "target" });
    expect([refused.draft.asInKit, refused.draft.kind, refused.trouble]).toEqual([false, "s3", "told: invalid_field"]);
  });

  it("waits when told to, and says when nobody answered", () => {
    expect(refuse(429, "too_many_tries", { retry: 30 }).wait).toBe(30);
    expect(run([{ kind: "failed", error: new Unreachable() }], sent).trouble).toMatch(/did not answer/);
  });
});
