import { expect, it } from "vitest";
import { Turns } from "./turns";

/** Turns whose tries end when the test says so. */
function held() {
  const ends: (() => void)[] = [];
  const turns = new Turns(() => new Promise((resolve) => ends.push(resolve)));
  const settle = () => new Promise((resolve) => setTimeout(resolve));
  return { turns, ends, settle };
}

it("who asks during a try gets one that begins after it, and only then an end", async () => {
  const { turns, ends, settle } = held();
  const first = turns.again();
  let isKnown = false;
  const second = turns.again().then(() => (isKnown = true));
  const third = turns.again();
  expect(ends.length).toBe(1);
  ends[0]?.();
  await first;
  await settle();
  expect([ends.length, isKnown]).toEqual([2, false]);
  ends[1]?.();
  await Promise.all([second, third]);
  expect([ends.length, isKnown]).toEqual([2, true]);
});

it("a try that fails does not keep the next one", async () => {
  let tries = 0;
  const turns = new Turns(async () => {
    tries += 1;
    if (tries === 1) throw new Error("the first one fails");
  });
  const failing = expect(turns.again()).rejects.toThrow("the first one fails");
  await turns.again();
  await failing;
  expect(tries).toBe(2);
});

it("one after the other each has its own try", async () => {
  const { turns, ends } = held();
  for (const at of [0, 1]) {
    const done = turns.again();
    ends[at]?.();
    await done;
  }
  expect(ends.length).toBe(2);
});
