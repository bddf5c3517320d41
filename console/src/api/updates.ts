/** Bodies of the updates' part of the HTTP API (docs/spec/api.md). Times are seconds since 1970 by the box's clock. */

export type UpdatePhase =
  | "idle"
  | "checking"
  | "up_to_date"
  | "available"
  | "downloading"
  | "verifying"
  | "writing"
  | "reading_back"
  | "ready"
  | "restarting"
  | "trying"
  | "failed";

export interface UpdateProgress {
  phase: UpdatePhase;
  version: string | null;
  done_bytes: number;
  /** 0 in phases without. */
  total_bytes: number;
  /** Over the net; the rest was on the box already. */
  fetched_bytes: number;
  /** What a system on trial waits for. */
  waiting: string[];
  seconds_left: number | null;
  reason: string | null;
}

export interface UpdateOffer {
  version: string;
  notes: string;
  size_bytes: number;
  turn: "now" | "later" | "failed" | "held_back";
  reason: string | null;
}

export interface UpdateSettings {
  mode: "install" | "ask" | "off";
  window: { from_minute: number; to_minute: number; zone: string | null };
  /** Bytes a second; 0 for no limit. */
  rate: number;
  url: string | null;
  channel: string | null;
  proxy: string | null;
}

export interface PastUpdate {
  number: number;
  at: number;
  from: string;
  to: string;
  outcome: "installed" | "fell_back";
  reason: string | null;
  has_log: boolean;
}

export interface Updates {
  version: string;
  board: string;
  /** Why updates cannot come at all. */
  problem: string | null;
  progress: UpdateProgress;
  offers: UpdateOffer[];
  slots: { version: string; state: "good" | "trying" | "bad"; is_running: boolean; reason: string | null }[];
  settings: UpdateSettings;
  history: PastUpdate[];
  checked: number | null;
  next_check: number | null;
  restart_at: number | null;
}
