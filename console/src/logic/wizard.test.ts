import { describe, expect, it } from "vitest";
import { ApiError } from "../api/client";
import { advance, setupRequest, startWizard, type Event, type Wizard } from "./wizard";

const GOOD: Event[] = [
  { kind: "edit", field: "claimCode", value: "K7QM-2XVD-9FTH" },
  { kind: "next" },
  { kind: "edit", field: "hostname", value: "cottage" },
  { kind: "next" },
  { kind: "edit", field: "ownerName", value: " Robin " },
  { kind: "edit", field: "password", value: "correct horse" },
  { kind: "edit", field: "confirm", value: "correct horse" },
  { kind: "next" },
];

function run(events: Event[], from: Wizard = startWizard("hearth")): Wizard {
  return events.reduce(advance, from);
}

function refusal(code: string, more: { field?: string; tries?: number } = {}): Event {
  return { kind: "refused", error: new ApiError(422, code, `refused: ${code}`, more.field, more.tries) };
}

describe("the way through", () => {
  it("goes step by step to the review and sends what was typed", () => {
    const wizard = run(GOOD);
    expect(wizard.step).toBe("review");
    expect(setupRequest(wizard.draft)).toEqual({
      claim_code: "K7QM-2XVD-9FTH",
      hostname: "cottage",
      owner: { name: "Robin", password: "correct horse" },
    });
  });

  it("stays on a step that has something wrong and names only its own fields", () => {
    const wizard = run([{ kind: "next" }]);
    expect(wizard.step).toBe("claim");
    expect(Object.keys(wizard.errors)).toEqual(["claimCode"]);
    expect(wizard.attempt).toBe(1);
    expect(run([{ kind: "next" }], wizard).attempt).toBe(2);
  });

  it("forgets an error as soon as its field is edited", () => {
    const wizard = run([{ kind: "next" }, { kind: "edit", field: "claimCode", value: "K" }]);
    expect(wizard.errors).toEqual({});
  });

  it("goes back without asking and without losing anything", () => {
    const wizard = run([...GOOD, { kind: "back" }, { kind: "back" }, { kind: "back" }, { kind: "back" }]);
    expect(wizard.step).toBe("claim");
    expect(wizard.draft.password).toBe("correct horse");
  });
});

describe("a household that had a box before", () => {
  it("leaves the steps, and comes back to the first one", () => {
    const restore = run([{ kind: "edit", field: "claimCode", value: "K7QM" }, { kind: "restore" }]);
    expect(restore.phase).toBe("restore");
    const anew = run([{ kind: "anew" }], restore);
    expect([anew.phase, anew.step, anew.draft.claimCode]).toEqual(["editing", "claim", "K7QM"]);
  });
});

describe("the end", () => {
  it("comes after the recovery key, which needs the password once more", () => {
    const result = { user: { name: "Robin", role: "owner" }, hostname: "cottage", url: "https://cottage.local" };
    const accepted = run([...GOOD, { kind: "send" }, { kind: "accepted", result }]);
    expect([accepted.phase, accepted.draft.password]).toEqual(["recovery", "correct horse"]);
    const opening = run([{ kind: "recovery-over" }], accepted);
    expect([opening.phase, opening.draft.password]).toEqual(["opening", "correct horse"]);
    expect(run([{ kind: "recovery-again" }], opening).phase).toBe("recovery");
    const wifi = run([{ kind: "opening-over" }], opening);
    expect([wifi.phase, wifi.draft.password, wifi.draft.confirm]).toEqual(["wifi", "", ""]);
    const done = run([{ kind: "wifi-over" }], wifi);
    expect(done.phase).toBe("done");
    expect(done.result).toEqual(result);
  });
});

describe("a refusal", () => {
  const sending = run([...GOOD, { kind: "send" }]);

  it("leads from a wrong code to the code, and from there straight back to the review", () => {
    const wrong = run([refusal("wrong_claim_code", { tries: 3 })], sending);
    expect(wrong.step).toBe("claim");
    expect(wrong.phase).toBe("editing");
    expect(wrong.errors.claimCode).toMatch(/3 tries left/);
    expect(wrong.draft.claimCode).toBe("K7QM-2XVD-9FTH");
    const mended = run([{ kind: "edit", field: "claimCode", value: "AAAA-BBBB-CCCC" }, { kind: "next" }], wrong);
    expect(mended.step).toBe("review");
  });

  it.each([0, 5])("asks for the new code after the fifth wrong one (tries_left %d)", (tries) => {
    const wrong = run([refusal("wrong_claim_code", { tries })], sending);
    expect(wrong.errors.claimCode).toMatch(/made a new one/);
    expect(wrong.draft.claimCode).toBe("");
  });

  it("says 1 try, not 1 tries", () => {
    expect(run([refusal("wrong_claim_code", { tries: 1 })], sending).errors.claimCode).toMatch(/1 try left/);
  });

  it.each([
    ["claim_code", "claim", "claimCode"],
    ["hostname", "name", "hostname"],
    ["owner.name", "account", "ownerName"],
    ["owner.password", "account", "password"],
  ] as const)("at %s leads to step %s", (field, step, own) => {
    const wizard = run([refusal("invalid_field", { field })], sending);
    expect(wizard.step).toBe(step);
    expect(wizard.errors[own]).toBe("refused: invalid_field");
  });

  it("of another kind is shown on the review", () => {
    const wizard = run([refusal("busy")], sending);
    expect(wizard.step).toBe("review");
    expect(wizard.notice).toBe("refused: busy");
    expect(run([{ kind: "send" }], wizard).notice).toBeUndefined();
  });

  it("because someone else was first ends the wizard", () => {
    expect(run([refusal("already_set_up")], sending).phase).toBe("taken");
  });
});

describe("no answer", () => {
  const sending = run([...GOOD, { kind: "send" }]);

  it("is not taken for a failure when the box turns out to be set up", () => {
    expect(run([{ kind: "unanswered", setUpMeanwhile: true }], sending).phase).toBe("taken");
  });

  it("keeps everything for another try", () => {
    const wizard = run([{ kind: "unanswered", setUpMeanwhile: false }], sending);
    expect(wizard.step).toBe("review");
    expect(wizard.notice).toMatch(/try again/);
    expect(wizard.draft).toEqual(sending.draft);
  });
});
