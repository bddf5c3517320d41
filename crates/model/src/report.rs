//! What init reports to the other daemons.

use crate::storage::KeyKind;
use serde::Deserialize;
use serde::Serialize;

/// How this boot went, as far as it does not change any more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootReport {
    /// Version of the running slot, from the measured command line.
    pub version: String,
    /// Board the image was made for.
    pub board: String,
    /// Name of the running slot: the loader entry without counters and suffix.
    pub slot: String,
    /// The data partition.
    pub data: DataReport,
    /// What went wrong without stopping the boot, in plain words.
    pub reasons: Vec<String>,
}

/// State of the data partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum DataReport {
    /// Mounted on `/data`.
    Ready {
        /// Device node, such as `/dev/vda2`.
        device: String,
        /// Whether this boot made the file system.
        created: bool,
    },
    /// Encrypted, and waiting for a key that is typed.
    Locked {
        /// Device node of the partition.
        device: String,
        /// Why it did not open by itself, in plain words.
        reasons: Vec<String>,
        /// What can be typed.
        takes: Vec<KeyKind>,
    },
    /// Not mounted.
    Failed {
        /// Why, in plain words.
        reason: String,
    },
}

impl Default for DataReport {
    fn default() -> Self {
        Self::Failed { reason: "the data partition was not looked for".to_owned() }
    }
}

/// State of all services.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServicesReport {
    /// One entry per row of init's service table, in its order.
    pub services: Vec<ServiceReport>,
}

/// State of one service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceReport {
    /// Name in the service table.
    pub name: String,
    /// Where it stands.
    pub state: ServiceState,
    /// Its process, while there is one.
    pub pid: Option<u32>,
    /// How often it was started again since boot.
    pub restarts: u32,
    /// Why it is not ready, in plain words.
    pub reason: Option<String>,
    /// Last `STATUS=` it sent.
    pub status: Option<String>,
}

/// Where a service stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceState {
    /// Waits for a service or mount it needs.
    Waiting,
    /// Started, has not said it is ready.
    Starting,
    /// Ready.
    Ready,
    /// Failed; will be started again soon.
    Backoff,
    /// Keeps failing; started again once a minute.
    Degraded,
    /// Asked to stop and on its way.
    Stopping,
    /// Stopped.
    Stopped,
}
