import { describe, expect, it } from "vitest";
import type { BackupEnd, Backups, BackupSettings, BackupTarget, SavedFiles } from "../api/backups";
import { ApiError, Unreachable } from "../api/client";
import { askTrouble } from "./ask";
import { backupDraft, backupField, backupProblems, backupSettings, keepsSecret, placeTarget } from "./backupform";
import { ago, backupSummary, backupVerdict, clockWords, endWords, keepWords, leftOutWords, movingWords, nextWords, placeWords, savedFilesWords, scheduleWords } from "./backups";

const NOW = 1_800_000_000;
const SETTINGS: BackupSettings = {
  target: { type: "usb_disk" },
  schedule: { every_hours: 24, at_minute: 120, jitter_minutes: 60 },
  keep: { last: 3, daily: 7, weekly: 5, monthly: 12 },
};
const WELL: BackupEnd = { at: NOW - 7200, problem: null, shows_damage: false, files: 1, bytes: 184_320, written_bytes: 0 };
const ALL: Backups = {
  settings: SETTINGS,
  running: null,
  last_success: NOW - 7200,
  last_backup: WELL,
  last_drill: WELL,
  next: NOW + 3600,
  kit_made: NOW,
  problems: [],
  left_out: [],
  private_files: [],
};
const KIM: SavedFiles = { user: "Kim", at: NOW - 7200, files: 3, bytes: 5_000_000, problem: null };
const STORE: BackupTarget = { type: "s3", endpoint: "https://s3.example.net", bucket: "ours", region: "eu", access_key: "AK", path: "" };

describe("how backups stand", () => {
  it.each([
    [{}, "Backed up"],
    [{ settings: { ...SETTINGS, target: null } }, "No backups are made"],
    [{ last_success: null, last_backup: null }, "None made yet"],
    [{ last_backup: { ...WELL, problem: "away" } }, "The last one failed"],
    [{ last_drill: { ...WELL, problem: "away" } }, "The last proof failed"],
    [{ last_drill: { ...WELL, problem: "flipped", shows_damage: true } }, "A backup is damaged"],
    [{ running: { work: "drill", phase: "comparing", files: 0, files_total: 0, bytes: 0, bytes_total: 0 } }, "A backup is being proved"],
  ] as [Partial<Backups>, string][])("%j is %s", (change, word) => {
    expect(backupVerdict({ ...ALL, ...change }).word).toBe(word);
  });

  it("is told on the home page, with the kit that is missing", () => {
    expect(backupSummary(ALL, NOW)).toBe("The newest is from 2 hours ago.");
    expect(backupSummary({ ...ALL, kit_made: null }, NOW)).toMatch(/Nobody has the recovery kit/);
    expect(backupSummary({ ...ALL, settings: { ...SETTINGS, target: null } }, NOW)).toMatch(/are gone/);
  });

  it("has its times in words, also where clocks differ", () => {
    expect([ago(NOW + 5, NOW), ago(NOW - 59, NOW), ago(NOW - 60, NOW)]).toEqual(["just now", "just now", "1 minute ago"]);
    expect(endWords(WELL, NOW)).toBe("2 hours ago, went well: 184 kB in 1 file");
    expect(endWords({ ...WELL, problem: "x" }, NOW)).toBe("2 hours ago, failed");
    expect([NOW + 3600, NOW + 10, null].map((next) => nextWords({ ...ALL, next }, NOW))).toEqual(["In 1 hour", "Any moment", "Not known before the box knows the time"]);
  });
});

describe("where, when and how many", () => {
  it("are told", () => {
    expect([{ type: "usb_disk" } as const, { type: "usb_disk", label: "KEEP" } as const, STORE].map(placeWords)).toEqual([
      "The disk that is plugged in",
      "The disk called “KEEP”",
      "The bucket “ours” at https://s3.example.net",
    ]);
    expect(scheduleWords(SETTINGS.schedule, 60)).toBe("Every day, from 03:00 on");
    expect(scheduleWords({ ...SETTINGS.schedule, every_hours: 168, at_minute: 30 }, -60)).toBe("Every week, from 23:30 on");
    expect(scheduleWords({ ...SETTINGS.schedule, every_hours: 6 }, 0)).toBe("Every 6 hours");
    expect(keepWords(SETTINGS.keep)).toBe("The 3 newest, and one of each of the last 7 days, the last 5 weeks and the last 12 months");
    expect(keepWords({ last: 1, daily: 0, weekly: 0, monthly: 0 })).toBe("The newest one");
    expect(clockWords(605)).toBe("10:05");
  });

  it("name what is left out, also of a newer box", () => {
    expect(leftOutWords("private_files", [KIM, { ...KIM, user: "Sam", at: null }, { ...KIM, user: "Lou", at: null }]).name).toBe("Private files of Sam and Lou");
    expect(leftOutWords("private_files", []).name).toMatch(/until their owner logs in/);
    expect(leftOutWords("films", []).name).toBe("films");
  });
});

describe("private files", () => {
  it("are told with their time and their number", () => {
    expect(savedFilesWords(KIM, NOW)).toEqual({ saved: "2 hours ago: 5.0 MB in 3 files." });
    expect(savedFilesWords({ ...KIM, files: 0, bytes: 0 }, NOW).saved).toBe("2 hours ago: there were none.");
    expect(savedFilesWords({ ...KIM, at: null }, NOW)).toEqual({ mark: { word: "Not yet", tone: "off" }, saved: "In no backup yet." });
  });

  it("that were not saved say why, and what there is of them", () => {
    const { mark, saved, problem } = savedFilesWords({ ...KIM, problem: "the disk was pulled out" }, NOW);
    expect(mark?.tone).toBe("bad");
    expect(saved).toMatch(/^2 hours ago/);
    expect(problem).toBe("The last try failed: the disk was pulled out.");
    expect(savedFilesWords({ ...KIM, problem: "It was full." }, NOW).problem).toBe("The last try failed: It was full.");
  });
});

it("how far a task is, is told once it is known", () => {
  expect(movingWords({ phase: "counting", bytes: 0, bytes_total: 0 })).toEqual({ text: "Counting what there is to save." });
  expect(movingWords({ phase: "saving", bytes: 50_000, bytes_total: 100_000 })).toEqual({ text: "Saving: 50 kB of 100 kB", percent: 50 });
  expect(movingWords({ phase: null, bytes: 0, bytes_total: 0 }).text).toBe("Beginning.");
});

describe("the form", () => {
  it("sends what it got, with the hour of this device in that of the box", () => {
    const draft = backupDraft(SETTINGS, 60);
    expect(draft.atMinute).toBe(180);
    expect(backupSettings(draft, SETTINGS, 60)).toEqual(SETTINGS);
  });

  it("mends what people paste, and leaves the secret alone", () => {
    const draft = { ...backupDraft({ ...SETTINGS, target: STORE }, 0), endpoint: " s3.example.net/ ", region: "" };
    expect(placeTarget(draft)).toEqual({ ...STORE, region: "us-east-1" });
    expect([keepsSecret(draft, STORE), keepsSecret({ ...draft, accessKey: "other" }, STORE), keepsSecret(draft, null)]).toEqual([true, false, false]);
    expect(backupProblems(draft, { ...SETTINGS, target: STORE })).toEqual({});
    expect(Object.keys(backupProblems({ ...draft, accessKey: "other" }, { ...SETTINGS, target: STORE }))).toEqual(["secretKey"]);
  });

  it("asks for what is missing, and for whole numbers", () => {
    const empty = { ...backupDraft(SETTINGS, 0), kind: "s3" as const, last: "0", weekly: "two" };
    expect(Object.keys(backupProblems(empty, SETTINGS)).sort()).toEqual(["accessKey", "bucket", "endpoint", "last", "secretKey", "weekly"]);
    expect(backupProblems(backupDraft(SETTINGS, 0), SETTINGS)).toEqual({});
  });

  it("shows a refusal at its field", () => {
    expect(["target.access_key", "schedule.at_minute", undefined].map(backupField)).toEqual(["accessKey", undefined, undefined]);
  });
});

it.each([
  [new ApiError(403, "wrong_password", "x"), "password", /capital letters/],
  [new ApiError(422, "invalid_field", "too short", "password"), "password", /too short/],
  [new ApiError(422, "invalid_field", "no bucket", "target.bucket"), "bucket", /no bucket/],
  [new ApiError(429, "too_many_tries", "x", undefined, undefined, 30), undefined, /wait/],
  [new ApiError(409, "keys_refused", "what the box says"), undefined, /what the box says/],
  [new Unreachable(), undefined, /perhaps not/],
])("%s is told at the field %s", (error, field, words) => {
  const trouble = askTrouble(error, backupField);
  expect(trouble.field).toBe(field);
  expect(trouble.message).toMatch(words);
});
