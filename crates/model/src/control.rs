//! What a daemon may ask of init over the control socket: one JSON line each way, at most [`MAX_LINE`] bytes.

use crate::storage::backup_disk::DiskFileSystem;
use crate::update::UpdateOrder;
use crate::update::UpdateOrigin;
use serde::Deserialize;
use serde::Serialize;

/// Longest request or answer, in bytes, newline included.
pub const MAX_LINE: usize = 256 * 1024;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
pub enum ControlRequest {
    /// Orderly shutdown, then boot again.
    Reboot,
    /// Orderly shutdown, then power off.
    PowerOff,
    /// Orderly shutdown, then boot again; everything on the data partition is erased before it is mounted again, and the box is new.
    FactoryReset,
    /// Newest lines of the log ring.
    Logs {
        /// Only this service, else all.
        unit: Option<String>,
        /// At most this many lines.
        lines: u32,
    },
    /// Stop and start one service.
    Restart {
        /// Name in the service table.
        unit: String,
    },
    /// The data partition was locked and is open now: stop the services that keep state on it, mount it, start them again. For
    /// root alone.
    OpenData,
    /// The disk did not confirm what was written: no more changes reach the data partition until the next boot, so that what is on it can
    /// still be read.
    ProtectData,
    /// Mount a disk for backups, or what is mounted there is to go; how it ended is told in [`crate::paths::BACKUP_DISK_REPORT`]. For root
    /// alone.
    MountBackupDisk {
        /// Number of the order, for its report.
        order: u64,
        /// Name of the device in `/dev`.
        device: String,
        /// What is on it.
        file_system: DiskFileSystem,
    },
    /// Unmount it again, likewise.
    UnmountBackupDisk {
        /// Number of the order, for its report.
        order: u64,
    },
    /// Install what was downloaded, checked anew, and arm it; how it ended is told in [`crate::paths::SLOTS_REPORT`].
    InstallUpdate {
        /// Its version, at most [`crate::update::MAX_VERSION`] bytes.
        version: String,
        /// Who wants it.
        order: UpdateOrder,
        /// Where it came from.
        origin: UpdateOrigin,
    },
    /// Orderly shutdown, then boot into the update that is armed, if one is.
    RestartIntoUpdate,
    /// The system on trial is healthy: keep it.
    ConfirmUpdate,
    /// The system on trial is not healthy: back to the other one. Refused when it is not on trial.
    FailUpdate {
        /// Which check failed, at most [`crate::update::MAX_WHY`] bytes.
        why: String,
    },
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum ControlAnswer {
    /// The request is being carried out.
    Accepted,
    /// Lines, oldest first.
    Logs {
        /// `<uptime seconds> <unit>: <text>`
        lines: Vec<String>,
    },
    /// The request was not carried out.
    Refused {
        /// Why, in plain words.
        reason: String,
    },
}
