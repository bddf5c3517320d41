import { describe, expect, it } from "vitest";
import type { UpdateProgress, Updates } from "../api/updates";
import { checkedWords, inZone, minutesAhead, movingWords, offered, pastWords, reasonWords, restartWords, updateDraft, updateSettings, updateVerdict } from "./updates";

const NOW = 1_800_000_000;
const progress: UpdateProgress = {
  phase: "idle",
  version: null,
  done_bytes: 0,
  total_bytes: 0,
  fetched_bytes: 0,
  waiting: [],
  seconds_left: null,
  reason: null,
};
const updates: Updates = {
  version: "1.2",
  board: "x86_64",
  problem: null,
  progress,
  offers: [],
  slots: [],
  settings: {
    mode: "install",
    window: { from_minute: 180, to_minute: 300, zone: null },
    rate: 4_000_000,
    url: null,
    channel: null,
    proxy: null,
  },
  history: [],
  checked: null,
  next_check: null,
  restart_at: null,
};
const fellBack = { number: 1, at: NOW, from: "1.2", to: "1.3", outcome: "fell_back" as const, reason: "eth0 has no router any more", has_log: true };

describe("updates", () => {
  it("says in one line how they stand", () => {
    const word = (more: Partial<Updates>) => updateVerdict({ ...updates, ...more }).word;
    expect(word({})).toBe("Not looked yet");
    expect(word({ problem: "not set up" })).toBe("No updates");
    expect(word({ progress: { ...progress, phase: "up_to_date" } })).toBe("Up to date");
    expect(word({ history: [fellBack] })).toBe("The last update was taken back");
    expect(updateVerdict({ ...updates, progress: { ...progress, phase: "failed" } }).tone).toBe("bad");
  });

  it("moves a bar with its reason", () => {
    const bar = (more: Partial<UpdateProgress>) => movingWords({ ...progress, version: "1.3", ...more });
    expect(bar({})).toBeUndefined();
    expect(bar({ phase: "downloading", done_bytes: 10_000_000, total_bytes: 40_000_000, fetched_bytes: 500_000 })).toEqual({
      label: "The download",
      text: "Getting 1.3: 10 MB of 40 MB are there, 500 kB of that came over the internet.",
      percent: 25,
    });
    expect(bar({ phase: "trying", seconds_left: 120 })?.text).toContain("2 minutes to prove itself");
    expect(bar({ phase: "trying" })?.text).toContain("as soon as the data is unlocked");
  });

  it("tells when the box restarts, on the reader's clock", () => {
    // 2027-01-15T08:00:00Z.
    const at = { ...updates, restart_at: NOW + 3600 };
    expect(restartWords(at, NOW, 120)).toContain("in 1 hour, at 11:00");
    expect(restartWords({ ...updates, settings: { ...updates.settings, mode: "ask" } }, NOW, 0)).toContain("waits for you");
    expect(checkedWords({ ...updates, checked: NOW - 3600, next_check: NOW + 7200 }, NOW)).toBe("Looked for 1 hour ago. Next time in 2 hours.");
  });

  it("offers the newest that may be taken", () => {
    const offer = (version: string, turn: "later" | "held_back") => ({ version, turn, notes: "", size_bytes: 1, reason: null });
    expect(offered({ ...updates, offers: [offer("3", "held_back"), offer("2", "later")] })?.version).toBe("2");
    expect(offered(updates)).toBeUndefined();
  });

  it("names the check that failed", () => {
    expect(pastWords(fellBack)).toBe("1.2 → 1.3, taken back");
    expect(reasonWords(fellBack)).toBe("Eth0 has no router any more.");
    expect(reasonWords({ ...fellBack, outcome: "installed" })).toContain("kept");
  });

  it("keeps the window in hours of the reader's clock", () => {
    const [winter, summer] = [Date.UTC(2026, 0, 15), Date.UTC(2026, 6, 15)];
    const draft = updateDraft(updates.settings, "Europe/Berlin", summer);
    expect(draft).toEqual({ mode: "install", fromHour: 5, toHour: 7 });
    const kept = updateSettings({ ...draft, mode: "ask" }, updates.settings, "Europe/Berlin");
    expect(kept.window).toEqual({ from_minute: 300, to_minute: 420, zone: "Europe/Berlin" });
    expect(updateDraft(kept, "Europe/Berlin", winter)).toEqual({ ...draft, mode: "ask" });
    expect(updateDraft(kept, "America/Lima", summer).fromHour).toBe(22);
    expect(updateDraft(kept, "Asia/Kolkata", winter).fromHour).toBe(9);
  });

  it("tells a box its time zone once", () => {
    const told = inZone(updates.settings, "Asia/Tokyo");
    expect(told?.window).toEqual({ ...updates.settings.window, zone: "Asia/Tokyo" });
    expect(told && inZone(told, "Europe/Berlin")).toBeUndefined();
  });

  it("knows how far clocks are ahead", () => {
    const [winter, summer] = [Date.UTC(2026, 0, 15), Date.UTC(2026, 6, 15)];
    expect([minutesAhead("Europe/Berlin", winter), minutesAhead("Europe/Berlin", summer)]).toEqual([60, 120]);
    expect([minutesAhead("America/Los_Angeles", winter), minutesAhead("Pacific/Kiritimati", winter)]).toEqual([-480, 840]);
    expect([minutesAhead(null, winter), minutesAhead("Europe/Atlantis", winter)]).toEqual([0, 0]);
  });
});
