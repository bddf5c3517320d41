//! Answers of the box, as far as they are shown. Members that are not known here are left alone: the box may be newer.

mod apps;
mod updates;
mod wifi;

pub use apps::*;
pub use updates::*;
pub use wifi::*;

use model::network::app_policy::Grant;
use model::network::report::AppReport;
use model::network::report::FirewallReport;
use model::network::report::NameReport;
use model::network::report::ResolverReport;
use model::network::report::TimeReport;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::IpAddr;
use zeroize::Zeroize;
use zeroize::ZeroizeOnDrop;

/// `GET /status`.
#[derive(Clone, Debug, Deserialize)]
pub struct Status {
    /// `setup`, `locked`, `ready` or `degraded`.
    pub state: String,
    /// Of the running slot.
    pub version: String,
    /// The image was made for it.
    pub board: String,
    /// The running slot.
    pub slot: String,
    /// Without `.local`.
    pub hostname: String,
    /// What does not work.
    pub reasons: Vec<String>,
}

/// `GET /system`.
#[derive(Clone, Debug, Deserialize)]
pub struct System {
    /// Since the kernel started.
    pub uptime_seconds: u64,
    /// Of the machine.
    pub memory: Amount,
    /// Of the data partition.
    pub disk: Amount,
    /// All services.
    pub services: Vec<Service>,
}

/// How much there is.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Amount {
    /// All of it.
    pub total_bytes: u64,
    /// Free for use.
    pub available_bytes: u64,
}

/// A service.
#[derive(Clone, Debug, Deserialize)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// `ready`, `backoff`, …
    pub state: String,
    /// Why it is not ready.
    pub reason: Option<String>,
}

/// `GET /network`.
#[derive(Clone, Debug, Deserialize)]
pub struct Network {
    /// Name under which the box is found, without `.local`.
    pub hostname: String,
    /// All links.
    pub links: Vec<Link>,
    /// What does not work.
    pub reasons: Vec<String>,
    /// The name on the home network.
    pub name: Option<NameReport>,
    /// Name service.
    pub resolver: Option<ResolverReport>,
    /// The clock.
    pub time: Option<TimeReport>,
    /// Packet filter.
    pub firewall: Option<FirewallReport>,
    /// Apps with a network.
    pub apps: Vec<AppReport>,
    /// Until settings on trial are taken back.
    pub trial_seconds_left: Option<u32>,
}

/// A link.
#[derive(Clone, Debug, Deserialize)]
pub struct Link {
    /// Kernel name.
    pub name: String,
    /// `ethernet`, `wifi` or `other`.
    #[serde(default)]
    pub kind: String,
    /// `up`, `down` or `no-carrier`.
    pub state: String,
    /// With prefix length.
    pub addresses: Vec<String>,
    /// Default gateway.
    pub gateway: Option<String>,
    /// Everything that is known of it, where the box says.
    #[serde(default)]
    pub report: Option<LinkReport>,
}

/// What is shown of the report on a link.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct LinkReport {
    /// In millions of bits a second.
    pub speed_mbit: Option<u32>,
    /// Its addresses.
    pub addresses: Vec<LinkAddress>,
    /// Ways to everywhere else, best first.
    pub gateways: Vec<Gateway>,
    /// Name servers that the network offers.
    pub dns: Vec<IpAddr>,
    /// What does not work.
    pub problems: Vec<String>,
}

/// An address of a link.
#[derive(Clone, Debug, Deserialize)]
pub struct LinkAddress {
    /// The address.
    pub address: IpAddr,
    /// Prefix length of its network.
    pub prefix: u8,
    /// `dhcp`, `static`, `slaac`, `dhcpv6`, `link-local`, …
    pub origin: String,
}

/// A way to everywhere else.
#[derive(Clone, Debug, Deserialize)]
pub struct Gateway {
    /// The router's address.
    pub address: IpAddr,
    /// Whether it answers.
    pub answers: bool,
}

/// `GET /network/policy`.
#[derive(Clone, Debug, Deserialize)]
pub struct Policy {
    /// By key.
    pub workspaces: BTreeMap<String, Workspace>,
}

/// The apps of one user.
#[derive(Clone, Debug, Deserialize)]
pub struct Workspace {
    /// By key.
    pub apps: BTreeMap<String, Access>,
}

/// What one app may reach and what of it may be reached.
#[derive(Clone, Debug, Deserialize)]
pub struct Access {
    /// What the owner granted.
    #[serde(default)]
    pub grants: Vec<Granted>,
    /// Ports that the box itself may connect to.
    #[serde(default)]
    pub serves: Vec<String>,
}

/// A permission.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Granted {
    /// One that is understood to its last member: another could make it a narrower one.
    Known(Grant),
    /// One of a newer box.
    Unknown(Value),
}

/// `PUT /network/settings`.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct SettingsChanged {
    /// Until they are taken back.
    pub trial_seconds_left: Option<u32>,
}

/// `GET /storage`.
#[derive(Clone, Debug, Deserialize)]
pub struct Storage {
    /// How the data was opened at this start.
    pub unlock: Unlocked,
    /// Everything that opens it.
    pub keys: Vec<Key>,
    /// A recovery key was made whose end nobody has typed back yet.
    pub is_waiting_for_confirmation: bool,
    /// Whether data that was put back to an older copy is noticed.
    #[serde(default)]
    pub older_copies: Option<OlderCopies>,
    /// How far a change of the volume key is.
    #[serde(default)]
    pub rotation: Option<Rotation>,
}

/// A change of the volume key that is under way.
#[derive(Clone, Debug, Deserialize)]
pub struct Rotation {
    /// How much is done; nothing while it rests.
    pub percent: Option<u8>,
    /// Why it rests.
    pub problem: Option<String>,
}

/// Whether data that was put back to an older copy is noticed.
#[derive(Clone, Debug, Deserialize)]
pub struct OlderCopies {
    /// `noticed` or `unnoticed`.
    pub state: String,
    /// Why it is not.
    pub reason: Option<String>,
}

/// How the data was opened.
#[derive(Clone, Debug, Deserialize)]
pub struct Unlocked {
    /// `opened`, `locked` or `failed`.
    pub state: String,
    /// `tpm`, `boot_key`, `passphrase` or `recovery`, where it was opened.
    pub by: Option<String>,
    /// What did not go as it should.
    #[serde(default)]
    pub reasons: Vec<String>,
    /// Why it cannot be opened.
    pub reason: Option<String>,
}

/// What opens the data.
#[derive(Clone, Debug, Deserialize)]
pub struct Key {
    /// As in [`Unlocked::by`].
    pub kind: String,
    /// Whether it is known to work.
    pub is_confirmed: bool,
}

/// `GET /storage/health`.
#[derive(Clone, Debug, Deserialize)]
pub struct Health {
    /// The disk.
    pub disk: Option<Disk>,
    /// The file system of the data.
    pub file_system: Option<FileSystem>,
    /// Giving free blocks back to the disk.
    #[serde(default)]
    pub trim: Trim,
    /// What matters of it.
    pub findings: Vec<Finding>,
}

/// A disk; what it does not tell is absent.
#[derive(Clone, Debug, Deserialize)]
pub struct Disk {
    /// Kernel name.
    pub name: String,
    /// What its maker calls it.
    pub model: String,
    /// Its size.
    pub size_bytes: u64,
    /// Whether it says that it is failing.
    pub is_failing: Option<bool>,
    /// Of the life that its maker expects.
    pub life_used_percent: Option<u8>,
    /// How warm it is.
    pub temperature_celsius: Option<i16>,
    /// How long it was switched on.
    pub power_on_hours: Option<u64>,
    /// Sectors that went bad.
    pub replaced_sectors: Option<u64>,
    /// What it could not read.
    pub unreadable: Option<u64>,
    /// What was written to it.
    pub written: Written,
    /// Why it does not say more.
    pub silent: Option<String>,
}

/// What was written to a disk.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Written {
    /// Since the box was started.
    pub since_boot_bytes: u64,
    /// Scaled to a day.
    pub per_day_bytes: Option<u64>,
    /// What it bears.
    pub budget_per_day_bytes: u64,
    /// In its life.
    pub ever_bytes: Option<u64>,
}

/// The file system of the data.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct FileSystem {
    /// Room in all.
    pub total_bytes: u64,
    /// Room that is left.
    pub available_bytes: u64,
    /// How full it is.
    pub used_percent: u8,
}

/// Giving free blocks back to the disk.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Trim {
    /// The last time.
    pub last: Option<Trimmed>,
    /// Why not.
    pub problem: Option<String>,
}

/// One time.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Trimmed {
    /// How long ago.
    pub seconds_ago: u64,
    /// How much.
    pub bytes: u64,
}

/// Something that an owner has to know.
#[derive(Clone, Debug, Deserialize)]
pub struct Finding {
    /// What is the matter, and what to do.
    pub words: String,
}

/// `GET /backups`.
#[derive(Clone, Debug, Deserialize)]
pub struct Backups {
    /// What was chosen.
    pub settings: BackupSettings,
    /// The task that runs.
    pub running: Option<BackupTask>,
    /// When the newest one was made, in seconds since 1970.
    pub last_success: Option<u64>,
    /// How the last one ended.
    pub last_backup: Option<BackupEnd>,
    /// How the last drill ended.
    pub last_drill: Option<BackupEnd>,
    /// When the next one begins.
    pub next: Option<u64>,
    /// What the owner has to know.
    pub problems: Vec<String>,
    /// Each user's private files.
    pub private_files: Vec<SavedPrivateFiles>,
}

/// A user's private files in the backups.
#[derive(Clone, Debug, Deserialize)]
pub struct SavedPrivateFiles {
    /// Whose.
    pub user: String,
    /// When they were saved, in seconds since 1970.
    pub at: Option<u64>,
    /// How many they were.
    pub files: u64,
    /// How long they were together.
    pub bytes: u64,
}

/// What was chosen for backups, as far as it is shown.
#[derive(Clone, Debug, Deserialize)]
pub struct BackupSettings {
    /// Where they go.
    pub target: Option<Value>,
}

/// A task that runs.
#[derive(Clone, Debug, Deserialize)]
pub struct BackupTask {
    /// `backup` or `drill`.
    pub work: String,
    /// What it is doing.
    pub phase: String,
}

/// How a backup or a drill ended.
#[derive(Clone, Debug, Deserialize)]
pub struct BackupEnd {
    /// When, in seconds since 1970.
    pub at: u64,
    /// Why it failed.
    pub problem: Option<String>,
    /// Files in it.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
}

/// `POST /backups/kit`.
#[derive(Clone, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct Kit {
    /// To read and to type.
    pub text: String,
    /// To print.
    pub html: String,
}

impl std::fmt::Debug for Kit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kit(…)")
    }
}

/// `GET /vault`.
#[derive(Clone, Debug, Deserialize)]
pub struct Vault {
    /// `open`, `locked`, `busy` or `none`.
    pub state: String,
    /// Whether somebody has shown to have the recovery code on paper.
    pub has_recovery_code: bool,
    /// Why its files cannot be shown, or its key was not changed, or which from a backup could not be opened.
    pub problem: Option<String>,
    /// How far the opening of files from a backup is.
    pub opening: Option<Opening>,
    /// The change of its key that is under way.
    pub rotation: Option<VaultRotation>,
}

/// How far a change of a vault's key is.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct VaultRotation {
    /// From 0 to 100.
    pub percent: u8,
}

/// `GET /users`.
#[derive(Clone, Debug, Deserialize)]
pub struct Users {
    /// The owner first.
    pub users: Vec<User>,
}

/// Somebody who may log in.
#[derive(Clone, Debug, Deserialize)]
pub struct User {
    /// Name to log in with.
    pub name: String,
    /// `owner` or `member`.
    pub role: String,
}

/// `GET /registries`.
#[derive(Clone, Debug, Deserialize)]
pub struct Registries {
    /// By their names.
    pub registries: Vec<Registry>,
}

/// What was said of a registry.
#[derive(Clone, Debug, Deserialize)]
pub struct Registry {
    /// The host, with a port perhaps.
    pub name: String,
    /// It is spoken to without encryption.
    pub plain_http: bool,
    /// The user that the box logs in as.
    pub user: Option<String>,
    /// Who is asked before it.
    pub mirrors: Vec<RegistryMirror>,
}

/// Who is asked before a registry.
#[derive(Clone, Debug, Deserialize)]
pub struct RegistryMirror {
    /// The host, with a port perhaps.
    pub host: String,
    /// It is spoken to without encryption.
    pub plain_http: bool,
}

/// How far the opening of files from a backup is.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Opening {
    /// Files done.
    pub files: u64,
    /// Files in all.
    pub files_total: u64,
}

/// `GET /vault/files`.
#[derive(Clone, Debug, Deserialize)]
pub struct Files {
    /// By name.
    pub files: Vec<PrivateFile>,
}

/// A file in the vault.
#[derive(Clone, Debug, Deserialize)]
pub struct PrivateFile {
    /// Its name.
    pub name: String,
    /// Its length.
    pub bytes: u64,
}

/// `POST /storage/recovery-key`.
#[derive(Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct RecoveryKey {
    /// In groups, with dashes between.
    pub recovery_key: String,
}

impl std::fmt::Debug for RecoveryKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecoveryKey(…)")
    }
}
