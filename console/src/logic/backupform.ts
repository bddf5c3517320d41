/** The form of backups: where they go, how often, how many stay. Pure. */

import type { BackupSettings, BackupTarget, S3Bucket } from "../api/backups";
import type { Problems } from "./account";
import { localMinute } from "./backups";

export interface PlaceDraft {
  kind: "usb_disk" | "s3";
  label: string;
  endpoint: string;
  bucket: string;
  region: string;
  accessKey: string;
  secretKey: string;
  path: string;
}

export interface BackupDraft extends PlaceDraft {
  everyHours: number;
  /** Minutes after midnight, by the clock here. */
  atMinute: number;
  last: string;
  daily: string;
  weekly: string;
  monthly: string;
}

/** Stores that know no regions take this one. */
const ANY_REGION = "us-east-1";
/** hostd's limit of each number of backups that stay. */
const MOST_KEPT = 1000;

export function placeDraft(target: BackupTarget | null): PlaceDraft {
  const s3 = target?.type === "s3" ? target : undefined;
  return {
    kind: target?.type ?? "usb_disk",
    label: target?.type === "usb_disk" ? (target.label ?? "") : "",
    endpoint: s3?.endpoint ?? "",
    bucket: s3?.bucket ?? "",
    region: s3?.region ?? "",
    accessKey: s3?.access_key ?? "",
    secretKey: "",
    path: s3?.path ?? "",
  };
}

/** `offset` is how many minutes the clock here is ahead of UTC. */
export function backupDraft({ target, schedule, keep }: BackupSettings, offset: number): BackupDraft {
  return {
    ...placeDraft(target),
    everyHours: schedule.every_hours,
    atMinute: localMinute(schedule.at_minute, offset),
    last: String(keep.last),
    daily: String(keep.daily),
    weekly: String(keep.weekly),
    monthly: String(keep.monthly),
  };
}

export function placeTarget(draft: PlaceDraft): BackupTarget {
  if (draft.kind === "usb_disk") {
    const label = draft.label.trim();
    return label === "" ? { type: "usb_disk" } : { type: "usb_disk", label };
  }
  return {
    type: "s3",
    endpoint: endpointOf(draft.endpoint),
    bucket: draft.bucket.trim(),
    region: draft.region.trim() || ANY_REGION,
    access_key: draft.accessKey.trim(),
    ...(draft.secretKey.trim() === "" ? {} : { secret_key: draft.secretKey.trim() }),
    path: draft.path.trim(),
  };
}

/** What is sent: what the form does not know stays as it was. */
export function backupSettings(draft: BackupDraft, before: BackupSettings, offset: number): BackupSettings {
  return {
    target: placeTarget(draft),
    schedule: { ...before.schedule, every_hours: draft.everyHours, at_minute: localMinute(draft.atMinute, -offset) },
    keep: { last: Number(draft.last), daily: Number(draft.daily), weekly: Number(draft.weekly), monthly: Number(draft.monthly) },
  };
}

/** Whether the box keeps the secret that it has when none is typed. */
export function keepsSecret(draft: PlaceDraft, before: BackupTarget | null): boolean {
  return before?.type === "s3" && isSameAccess(draft, before);
}

function isSameAccess(draft: PlaceDraft, before: S3Bucket): boolean {
  return endpointOf(draft.endpoint) === before.endpoint && draft.accessKey.trim() === before.access_key;
}

/** People paste addresses with and without what a browser shows of them. */
function endpointOf(typed: string): string {
  const plain = typed.trim().replace(/\/+$/, "");
  return plain === "" || plain.includes("://") ? plain : `https://${plain}`;
}

export function placeProblems(draft: PlaceDraft, before: BackupTarget | null): Problems<keyof BackupDraft> {
  if (draft.kind === "usb_disk") return {};
  const problems: Problems<keyof BackupDraft> = {};
  if (draft.endpoint.trim() === "") problems.endpoint = "Type the address of the store, such as https://s3.example.net.";
  if (draft.bucket.trim() === "") problems.bucket = "Type the name of the bucket. It must exist already.";
  if (draft.accessKey.trim() === "") problems.accessKey = "Type the access key that the store gave you.";
  if (draft.secretKey.trim() === "" && !keepsSecret(draft, before)) problems.secretKey = "Type the secret key that belongs to the access key.";
  return problems;
}

export function backupProblems(draft: BackupDraft, before: BackupSettings): Problems<keyof BackupDraft> {
  const problems = placeProblems(draft, before.target);
  for (const field of ["last", "daily", "weekly", "monthly"] as const) {
    const least = field === "last" ? 1 : 0;
    const count = draft[field].trim();
    if (!/^\d{1,4}$/.test(count) || Number(count) < least || Number(count) > MOST_KEPT) {
      problems[field] = `A whole number from ${least} to ${formatMost()}.`;
    }
  }
  return problems;
}

function formatMost(): string {
  return MOST_KEPT.toLocaleString("en-GB");
}

const API_FIELDS: Record<string, keyof BackupDraft> = {
  "target.label": "label",
  "target.endpoint": "endpoint",
  "target.bucket": "bucket",
  "target.region": "region",
  "target.access_key": "accessKey",
  "target.secret_key": "secretKey",
  "target.path": "path",
  "keep.last": "last",
  keep: "last",
};

/** The field that the box means. */
export function backupField(apiField: string | undefined): keyof BackupDraft | undefined {
  return apiField === undefined ? undefined : API_FIELDS[apiField];
}
