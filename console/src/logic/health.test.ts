import { describe, expect, it } from "vitest";
import type { DiskHealth, HealthReport } from "../api/types";
import { diskRows, trimWords, verdict } from "./health";

const DISK: DiskHealth = {
  name: "nvme0n1",
  model: "Example 980",
  kind: "nvme",
  size_bytes: 1_000_204_886_016,
  is_failing: false,
  life_used_percent: 7,
  spare_percent: 100,
  temperature_celsius: 42,
  power_on_hours: 17_288,
  replaced_sectors: null,
  unreadable: 0,
  written: { since_boot_bytes: 4.2e9, uptime_seconds: 86_400, per_day_bytes: 4.2e9, budget_per_day_bytes: 1e11, ever_bytes: 1.9e13 },
  silent: null,
};

function report(changes: Partial<HealthReport>): HealthReport {
  return { disk: DISK, file_system: null, trim: { last: null, problem: null }, findings: [], ...changes };
}

describe("the disk", () => {
  it("is judged by its gravest matter", () => {
    const almost = { kind: "almost_full", is_grave: false, words: "nearly full" };
    const failing = { kind: "failing", is_grave: true, words: "failing" };
    const tone = (findings: HealthReport["findings"]) => verdict(report({ findings })).tone;
    expect([tone([]), tone([almost]), tone([failing, almost])]).toEqual(["good", "busy", "bad"]);
  });

  it("that says nothing is not called well", () => {
    expect(verdict(report({ disk: { ...DISK, silent: "cards do not tell" } })).word).toMatch(/known/);
    expect(verdict(report({ disk: null })).word).toMatch(/known/);
  });

  it("shows only what it tells", () => {
    expect(diskRows(DISK).map(([name]) => name)).toEqual([
      "Disk",
      "Life used",
      "Spare blocks left",
      "Temperature",
      "Switched on",
      "Could not be read",
      "Written",
    ]);
    expect(diskRows(DISK).at(-1)?.[1]).toBe("4.2 GB since the start, 4.2 GB a day of 100 GB that it bears, 19 TB in its life");
    const young = { ...DISK, model: "", written: { ...DISK.written, per_day_bytes: null, ever_bytes: null } };
    expect(diskRows(young)[0]?.[1]).toBe("nvme0n1, 1.0 TB");
    expect(diskRows(young).at(-1)?.[1]).toBe("4.2 GB since the start");
  });

  it("tells of trimming once there is something to tell", () => {
    expect(trimWords(report({}))).toBeUndefined();
    expect(trimWords(report({ trim: { last: { seconds_ago: 7200, bytes: 1.2e10 }, problem: null } }))).toMatch(/2 hours ago \(12 GB\)/);
    expect(trimWords(report({ trim: { last: null, problem: "the disk cannot" } }))).toBe("The disk cannot.");
  });
});
