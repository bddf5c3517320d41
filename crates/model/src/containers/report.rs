//! How apps do. Sizes are in bytes, times in the unit that their name says.

use super::PartName;
use crate::network::names::AppKey;
use serde::Deserialize;
use serde::Serialize;
use std::collections::BTreeMap;

/// Most lines in one answer.
pub const MAX_LOG_LINES: usize = 1_000;
/// Longest line of a log that is kept, in bytes; longer ones are cut.
pub const MAX_LOG_LINE: usize = 4 << 10;

/// What is wanted of an app.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// It is to run, also after a reboot.
    Running,
    /// It is not.
    #[default]
    Stopped,
}

/// How an app is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppReport {
    /// Which.
    pub app: AppKey,
    /// What is wanted of it.
    pub wanted: Wanted,
    /// All of it in one word.
    pub state: AppState,
    /// Whether its data is shown.
    pub data: DataState,
    /// Why, in plain words; empty when all is well.
    pub reasons: Vec<String>,
    /// What went over its network since that was made, while it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Traffic>,
    /// What its data takes of the disk, with copies and logs, where the disk counts that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Storage>,
    /// Each container.
    pub containers: BTreeMap<PartName, ContainerReport>,
}

/// What an app sent and received, with all headers; what its containers say to each other does not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// In bytes.
    pub received_bytes: u64,
    /// In bytes.
    pub sent_bytes: u64,
}

/// What the data of an app takes of the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Storage {
    /// Takes now, in bytes.
    pub used_bytes: u64,
    /// May take at most, in bytes; the kernel refuses more.
    pub most_bytes: u64,
}

impl Storage {
    /// Whether there is next to nothing left of what it may take: less than a hundredth, or than a mebibyte.
    #[must_use]
    pub const fn is_used_up(self) -> bool {
        let least = if self.most_bytes / 100 > 1 << 20 { self.most_bytes / 100 } else { 1 << 20 };
        self.most_bytes.saturating_sub(self.used_bytes) < least
    }
}

/// Whether the data of an app is shown: to the app, and to who administers the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataState {
    /// It is.
    Open,
    /// It will not be when the last process of the app has ended.
    Locking,
    /// It is noise to everybody, until somebody gives its key.
    Locked,
}

/// How an app is, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppState {
    /// Nothing of it runs, as wanted.
    Stopped,
    /// On its way up.
    Starting,
    /// Every container runs and is healthy, or has completed.
    Running,
    /// Some container is unhealthy, or is started again and again.
    Unhealthy,
    /// It cannot run, or it ended and is not to be started again.
    Failed,
    /// On its way down.
    Stopping,
    /// To run, as soon as its data is shown.
    Locked,
}

/// How a container is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerReport {
    /// In one word.
    pub state: ContainerState,
    /// Why, in plain words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How often it was started anew since somebody started the app.
    pub restarts: u32,
    /// How it ended last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_end: Option<End>,
    /// Seconds since it was started, while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds_up: Option<u64>,
    /// What it uses, while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

/// How a container is, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContainerState {
    /// Not running, as wanted.
    Stopped,
    /// For another one, or for the network.
    Waiting,
    /// It runs, and was not found healthy yet.
    Starting,
    /// It runs and is healthy.
    Running,
    /// It runs, and its check fails.
    Unhealthy,
    /// It ended, and is started again after a while.
    BackingOff,
    /// It was told to stop.
    Stopping,
    /// It ended with code 0 and is not to be started again.
    Completed,
    /// It ended otherwise, or could not be started, and is not tried again by itself.
    Failed,
}

/// How a container ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// With this code.
    Code(u8),
    /// By this signal.
    Signal(u8),
    /// It wanted more memory than it may have.
    OutOfMemory,
    /// Nobody saw how.
    Unknown,
}

/// What a container uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Processor time since its start, in microseconds.
    pub cpu_us: u64,
    /// Microseconds in which it was held back by its limit.
    pub throttled_us: u64,
    /// Memory now.
    pub memory_bytes: u64,
    /// Most memory since its start.
    pub memory_peak_bytes: u64,
    /// Processes and threads.
    pub tasks: u64,
    /// How often it was refused another one since its start.
    pub tasks_refused: u64,
    /// Read from disks since its start.
    pub read_bytes: u64,
    /// Written to disks since its start.
    pub written_bytes: u64,
    /// Share of the last ten seconds in which some task of it waited for a processor, in hundredths of a percent (PSI).
    pub cpu_pressure: u32,
    /// The same for memory.
    pub memory_pressure: u32,
    /// The same for disks.
    pub io_pressure: u32,
}

/// Where a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// containerd-lite itself: starts, ends, lines left out.
    Box,
}

/// A line of a container's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Counts up by one for each line of the container, for ever.
    pub number: u64,
    /// When it was read, in milliseconds since 1970 by the box's clock.
    pub unix_ms: u64,
    /// From where.
    pub stream: LogStream,
    /// The line, without its end; what is no UTF-8 is replaced.
    pub text: String,
}

/// Lines of a container's log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPage {
    /// In order.
    pub lines: Vec<LogLine>,
    /// The number that the next line will have.
    pub next: u64,
}

/// A pull of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullReport {
    /// The image's name.
    pub name: String,
    /// How far it is.
    pub state: PullState,
}

/// How far a pull is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PullState {
    /// On its way.
    Running {
        /// Bytes received or found to be there.
        done_bytes: u64,
        /// Bytes of all layers; 0 until it is known.
        total_bytes: u64,
    },
    /// The image is in the store.
    Done {
        /// Digest of its manifest, `sha256:…`.
        manifest: String,
    },
    /// It is not.
    Failed {
        /// Name of the reason for programs (docs/spec/images.md), or `registry` or `disk`.
        reason: String,
        /// For people.
        words: String,
    },
}

/// An image in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageReport {
    /// Its name.
    pub name: String,
    /// Digest of its manifest.
    pub manifest: String,
    /// TCP and UDP ports that its maker says it serves, such as `tcp/80`.
    pub ports: Vec<String>,
    /// Folders that its maker says should last.
    pub volumes: Vec<String>,
}
