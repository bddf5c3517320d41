/** Bodies of the backups' part of the HTTP API (docs/spec/api.md). Times are seconds since 1970 by the box's clock. */

/** A disk that is plugged in: by the name of its file system, or the first that can be pulled out. */
export interface UsbDisk {
  type: "usb_disk";
  label?: string | null;
}

/** A bucket of an object store. */
export interface S3Bucket {
  type: "s3";
  endpoint: string;
  bucket: string;
  region: string;
  access_key: string;
  /** Never told; left out in a change, the one from before stays for the same endpoint and access key. */
  secret_key?: string;
  path: string;
}

export type BackupTarget = UsbDisk | S3Bucket;

export interface BackupSettings {
  /** Nothing: no backups are made. */
  target: BackupTarget | null;
  schedule: {
    every_hours: number;
    /** After midnight, UTC. */
    at_minute: number;
    jitter_minutes: number;
  };
  keep: { last: number; daily: number; weekly: number; monthly: number };
}

export type BackupPhase = "reaching" | "counting" | "saving" | "pruning" | "verifying" | "restoring" | "comparing";

/** A backup, or a drill that proves one, under way; totals are 0 while they are not known. */
export interface BackupTask {
  work: "backup" | "drill";
  phase: BackupPhase;
  files: number;
  files_total: number;
  bytes: number;
  bytes_total: number;
}

/** How a backup or a drill ended; without a problem it went well. */
export interface BackupEnd {
  at: number;
  problem: string | null;
  shows_damage: boolean;
  files: number;
  bytes: number;
  written_bytes: number;
}

/** Somebody's private files in the backups: saved while they are open, sealed with a key that only their vault gives. */
export interface SavedFiles {
  user: string;
  /** Nothing while they never were. */
  at: number | null;
  files: number;
  bytes: number;
  /** Why they were not saved at the last attempt. */
  problem: string | null;
}

export interface Backups {
  settings: BackupSettings;
  running: BackupTask | null;
  last_success: number | null;
  last_backup: BackupEnd | null;
  last_drill: BackupEnd | null;
  next: number | null;
  kit_made: number | null;
  problems: string[];
  left_out: string[];
  /** Of everybody who had a vault at the last backup. */
  private_files: SavedFiles[];
}

/** A recovery kit: as text, as a page, and as what its QR code holds. */
export interface RecoveryKit {
  text: string;
  html: string;
  code: string;
}

export interface RestoreRequest {
  claim_code: string;
  kit: string;
  target?: BackupTarget;
}

export interface Restore {
  state: "none" | "running" | "refused" | "done";
  phase: BackupPhase | null;
  bytes: number;
  bytes_total: number;
  problem: string | null;
}
