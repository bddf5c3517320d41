/** Bodies of the HTTP API, as docs/spec/api.md fixes them. Sizes are bytes, times are seconds. */

export type BoxState = "setup" | "locked" | "ready" | "degraded";

export interface Status {
  state: BoxState;
  version: string;
  board: string;
  slot: string;
  hostname: string;
  reasons: string[];
  /** What can be typed to open the data; nothing unless it is locked. */
  takes: KeyKind[];
  /** An older copy that stands in the place of what the box had saved. */
  rollback?: OlderCopy | null;
}

/** Numbers of starts: of the copy (none for an empty one), and of the last one. */
export interface OlderCopy {
  store: number | null;
  last: number;
}

/** What opens the data partition: `recovery` is the key on paper. */
export type KeyKind = "tpm" | "boot_key" | "passphrase" | "recovery";

export interface StorageKey {
  kind: KeyKind;
  /** Whether somebody has shown to have it; always so for keys that the box has itself. */
  is_confirmed: boolean;
}

/** How the data partition was opened, and what opens it. */
export interface StorageReport {
  unlock:
    | { state: "opened"; by: KeyKind; reasons: string[] }
    | { state: "locked"; reasons: string[]; takes: KeyKind[] }
    | { state: "failed"; reason: string };
  keys: StorageKey[];
  /** A recovery key was made whose end nobody has typed back yet. */
  is_waiting_for_confirmation: boolean;
  /** Whether a disk that was put back to an older copy is noticed; nothing until the security chip was asked. */
  older_copies?: { state: "noticed" } | { state: "unnoticed"; reason: string } | null;
  /** A change of the volume key that is under way. */
  rotation?: { percent: number | null; problem: string | null } | null;
}

/** What was written to a disk. */
export interface Written {
  since_boot_bytes: number;
  uptime_seconds: number;
  /** Nothing in the first hour. */
  per_day_bytes: number | null;
  budget_per_day_bytes: number;
  ever_bytes: number | null;
}

/** A disk; what it does not tell is null. */
export interface DiskHealth {
  name: string;
  model: string;
  kind: "emmc" | "sd_card" | "nvme" | "ata" | "other";
  size_bytes: number;
  is_failing: boolean | null;
  life_used_percent: number | null;
  spare_percent: number | null;
  temperature_celsius: number | null;
  power_on_hours: number | null;
  replaced_sectors: number | null;
  unreadable: number | null;
  written: Written;
  /** Why it does not say how it is. */
  silent: string | null;
}

/** The disk, the room on it, and what matters of them. */
export interface HealthReport {
  disk: DiskHealth | null;
  file_system: { total_bytes: number; available_bytes: number; used_percent: number; is_read_only: boolean; errors: number } | null;
  trim: { last: { seconds_ago: number; bytes: number } | null; problem: string | null };
  findings: { kind: string; is_grave: boolean; words: string }[];
}

/** What the vault of whoever is logged in shows. */
export interface Vault {
  state: "open" | "locked" | "busy" | "none";
  has_recovery_code: boolean;
  is_waiting_for_confirmation: boolean;
  /** Why it could not be shown; of an open one, which files from a backup did not open. */
  problem: string | null;
  /** Files from a backup that are being opened; totals are 0 while they are not known. */
  opening?: { files: number; files_total: number; bytes: number; bytes_total: number } | null;
  idle_seconds: number;
  /** A change of its key that is under way. */
  rotation?: { percent: number } | null;
}

export interface PrivateFile {
  name: string;
  bytes: number;
  modified_unix: number;
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

/** Members that the box cannot tell are null. */
export interface Link {
  name: string;
  /** `ethernet`, `wifi` or `other`. */
  kind: string;
  mac: string | null;
  /** `up`, `down` or `no-carrier`. */
  state: string;
  addresses: string[];
  gateway: string | null;
  lease_expires_unix: number | null;
  /** Everything that is known of it. */
  report: LinkReport | null;
}

export interface LinkReport {
  speed_mbit: number | null;
  mtu: number;
  addresses: AddressReport[];
  gateways: { address: string; metric: number; answers: boolean }[];
  dns: string[];
  problems: string[];
}

export interface AddressReport {
  address: string;
  prefix: number;
  /** `dhcp`, `static`, `slaac`, `dhcpv6`, `link-local` or `unknown`. */
  origin: string;
  valid_until_unix: number | null;
}

/** A rule of the firewall in plain words, with what it met since the box started. */
export interface Rule {
  name: string;
  words: string;
  allows: boolean;
  packets: number;
  bytes: number;
}

export interface NameServer {
  name: string;
  transport: string;
  problem: string | null;
  queries: number;
  failures: number;
}

export interface Resolver {
  upstreams: NameServer[];
  serves_lan: boolean;
  queries: number;
  cache_hits: number;
  refused: number;
  rebinding_blocked: number;
  bogus: number;
  failed: number;
}

export interface Time {
  synchronised: boolean;
  authenticated: boolean;
  offset_us: number;
  age_seconds: number | null;
  sources: { name: string; authenticated: boolean; state: string }[];
  reason: string | null;
}

export interface Firewall {
  in_force: boolean;
  problem: string | null;
  loads: number;
  rules: Rule[];
}

export interface Network {
  hostname: string;
  links: Link[];
  reasons: string[];
  name: { wanted: string; announced: string; rival: string | null } | null;
  resolver: Resolver | null;
  time: Time | null;
  firewall: Firewall | null;
  apps: { app: string; workspace: string; ipv4: string; ipv6: string; link: string }[];
  /** Nothing while the network service does not say. */
  wifi: Wifi | null;
  trial_seconds_left: number | null;
}

/** `absent` without a radio; `access-point` while the box is a network itself, for set-up. */
export type WifiState = "absent" | "idle" | "looking" | "joining" | "joined" | "access-point";

export interface WifiNetwork {
  ssid: string;
  security: "open" | "password" | "unsupported";
  /** From 0 to 100; nothing when it is out of reach. */
  signal: number | null;
  is_known: boolean;
  is_joined: boolean;
}

export interface Wifi {
  state: WifiState;
  /** The network that it is in, or wants to join. */
  network: string | null;
  link: string | null;
  /** Two capital letters. */
  country: string | null;
  /** Why the last attempt at joining a network failed. */
  problem: string | null;
  /** The joined one first, then the strongest, then those that are known and out of reach. */
  networks: WifiNetwork[];
}

export type WifiWish = { want: "look" } | { want: "join"; ssid: string; passphrase?: string } | { want: "forget"; ssid: string } | { want: "country"; country: string };

export interface Upstream {
  server_name: string;
  addresses: string[];
  transport: { by: "tls"; port?: number } | { by: "https"; port?: number; path?: string };
}

export interface FixedAddresses {
  static: { addresses: string[]; gateway?: string };
}

/** Without settings of its own, a link gets its addresses automatically. */
export interface LinkSettings {
  matching: { mac: string } | { name: string };
  ipv4?: "dhcp" | "off" | FixedAddresses;
  ipv6?: "automatic" | "off" | FixedAddresses;
  mtu?: number;
  metric?: number;
}

/** What the owner chose for the network; sent back whole, so what this page does not know stays as it is. */
export interface NetworkSettings {
  version: number;
  links: LinkSettings[];
  resolver: { upstreams: Upstream[]; serve_lan: boolean; private_names: string[] };
  time: { servers: { name: string; authenticated: boolean }[] };
}

export interface Explanation {
  from: string;
  to: string;
  answer: "yes" | "partly" | "no";
  words: string;
  rules: Rule[];
  otherwise: Rule;
}
