import { describe, expect, it } from "vitest";
import { observe, powerWords, startPower, type Observation, type Power } from "./power";

function run(kind: Power["kind"], seen: Observation[]): Power {
  return seen.reduce(observe, startPower(kind));
}

describe("a restart", () => {
  it("is over when the box went away and came back", () => {
    expect(run("reboot", [{ elapsed: 2, reachable: true, uptime: 500 }]).phase).toBe("stopping");
    expect(run("reboot", [{ elapsed: 4, reachable: false }]).phase).toBe("away");
    const back = run("reboot", [
      { elapsed: 4, reachable: false },
      { elapsed: 30, reachable: true },
    ]);
    expect(back.phase).toBe("back");
    expect(observe(back, { elapsed: 40, reachable: false }).phase).toBe("back");
  });

  it("is noticed by the uptime when it happened between two looks", () => {
    expect(run("reboot", [{ elapsed: 60, reachable: true, uptime: 5 }]).phase).toBe("back");
  });

  it("does not take a box that started just before for one that came back", () => {
    expect(run("reboot", [{ elapsed: 3, reachable: true, uptime: 20 }]).phase).toBe("stopping");
  });

  it("says what to do when it takes too long", () => {
    expect(powerWords(run("reboot", [{ elapsed: 90, reachable: true }]))).toMatchObject({ slow: true, waiting: false });
    expect(powerWords(run("reboot", [{ elapsed: 100, reachable: false }]))).toMatchObject({ slow: false, waiting: true });
    expect(powerWords(run("reboot", [{ elapsed: 200, reachable: false }]))).toMatchObject({ slow: true, waiting: true });
  });
});

it("a switched-off box is said to be off", () => {
  expect(powerWords(run("poweroff", [{ elapsed: 9, reachable: false }]))).toMatchObject({ title: "The box is off", waiting: false });
});
