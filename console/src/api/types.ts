/** Bodies of the HTTP API, as docs/spec/api.md fixes them. Sizes are bytes, times are seconds. */

export type BoxState = "setup" | "locked" | "ready" | "degraded";

export interface Status {
  state: BoxState;
  version: string;
  board: string;
  slot: string;
  hostname: string;
  reasons: string[];
}

export interface User {
  name: string;
  role: string;
}

export interface SetupRequest {
  claim_code: string;
  hostname: string;
  owner: { name: string; password: string };
}

export interface SetupResult {
  user: User;
  hostname: string;
  url: string;
}

export interface Amount {
  total_bytes: number;
  available_bytes: number;
}

export type ServiceState = "waiting" | "starting" | "ready" | "backoff" | "degraded" | "stopping" | "stopped";

export interface Service {
  name: string;
  state: ServiceState;
  restarts: number;
  reason: string | null;
  status: string | null;
}

export interface System {
  version: string;
  board: string;
  slot: string;
  uptime_seconds: number;
  memory: Amount;
  disk: Amount;
  services: Service[];
  time_unix: number;
}

/** The last three members may be empty, 0 or null: no address, no router, no lease. */
export interface Link {
  name: string;
  mac: string;
  /** `up`, `down` or `no-carrier`. */
  state: string;
  addresses: string[];
  gateway: string | null;
  lease_expires_unix: number | null;
}

export interface Network {
  hostname: string;
  links: Link[];
}
