import { describe, expect, it } from "vitest";
import type { AppContainer } from "../api/apps";
import { cpuPercent, storageWords, totalWords, trafficWords, usageFacts, type Look } from "./appusage";

function part(name: string, cpu: number | undefined): AppContainer {
  const usage =
    cpu === undefined ? null : { cpu_us: cpu, memory_bytes: 50e6, memory_peak_bytes: 80e6, throttled_us: 0, tasks: 3, tasks_refused: 0, read_bytes: 1e6, written_bytes: 2e6 };
  return { name, state: "running", reason: null, restarts: 0, last_end: null, seconds_up: 1, usage };
}

const BEFORE: Look = { at: 1000, containers: [part("web", 100_000), part("db", 0), part("new", undefined)] };
const NOW: Look = { at: 3000, containers: [part("web", 600_000), part("db", 20_000), part("new", 5)] };

describe("the processor", () => {
  it("is what was used between two looks", () => {
    expect(cpuPercent("web", BEFORE, NOW)).toBe(25);
    expect(cpuPercent("db", BEFORE, NOW)).toBe(1);
  });

  it("is not told where that cannot be said", () => {
    expect(cpuPercent("web", undefined, NOW)).toBeUndefined();
    expect(cpuPercent("new", BEFORE, NOW)).toBeUndefined();
    expect(cpuPercent("web", NOW, { ...BEFORE, at: 5000 })).toBeUndefined();
    expect(cpuPercent("web", BEFORE, { ...NOW, at: 1100 })).toBeUndefined();
    expect(cpuPercent("gone", BEFORE, NOW)).toBeUndefined();
  });
});

it("a part that runs tells what it uses", () => {
  expect(usageFacts(part("web", 1), 25).map(({ value }) => value)).toEqual([
    "25 % of a core",
    "50 MB, most so far 80 MB",
    "3",
    "1.0 MB read, 2.0 MB written",
  ]);
  expect(usageFacts(part("web", 1), undefined)[0]?.value).toBe("Measuring…");
  expect(usageFacts(part("web", undefined), undefined)).toEqual([]);
});

it("all parts are told in one line", () => {
  const both = (look: Look) => ({ ...look, containers: look.containers.slice(0, 2) });
  expect(totalWords(both(BEFORE), both(NOW))).toBe("26 % of a core, 100 MB of memory");
  expect(totalWords(undefined, both(NOW))).toBe("100 MB of memory");
  expect(totalWords(undefined, { at: 0, containers: [part("web", undefined)] })).toBeUndefined();
});

it("tells what went over the network of an app while it runs", () => {
  expect(trafficWords({ traffic: { received_bytes: 3 << 20, sent_bytes: 512 } })).toBe("3.1 MB received, 512 bytes sent");
  expect(trafficWords({ traffic: null })).toBeUndefined();
});

it("what the data takes is said beside what it may", () => {
  expect(storageWords({ storage: { used_bytes: 1_400_000_000, most_bytes: 28_800_000_000 } })).toBe("1.4 GB of 29 GB at most");
  expect(storageWords({ storage: null })).toBeUndefined();
});
