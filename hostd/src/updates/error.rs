//! Why something about updates was refused or failed.

use super::settings::BadSetting;
use super::trust::TrustError;
use crate::backups::error::chain;
use crate::records::KeepError;
use crate::storaged::KeysError;
use std::io;
use std::path::PathBuf;
use tokio::task::JoinError;
use update::BundleError;
use update::DownloadError;
use update::LoadError;
use update::SettingsError;
use update::StoreError;
use update::Unfit;

/// Why a request was refused.
#[derive(Debug, thiserror::Error)]
pub enum UpdatesError {
    /// A setting cannot work.
    #[error("use these settings")]
    Setting(#[from] BadSetting),
    /// Something is under way already.
    #[error("another step of an update is under way")]
    Busy,
    /// The running system is on trial.
    #[error("the running system is on trial")]
    OnTrial,
    /// This image has no keys for updates.
    #[error("updates are not set up in this image")]
    NotSetUp,
    /// Updates cannot come at all.
    #[error("{reason}")]
    Unable {
        /// Why, in plain words.
        reason: String,
    },
    /// Nobody offers that version.
    #[error("version {version} is not offered to this box")]
    NotOffered {
        /// As it was asked for.
        version: String,
    },
    /// Its makers hold it back.
    #[error("version {version} is held back: {why}")]
    HeldBack {
        /// The version.
        version: String,
        /// As its makers say.
        why: String,
    },
    /// Nothing is armed.
    #[error("there is no update to restart into")]
    NothingReady,
    /// There is no store.
    #[error("storage is unavailable: {reason}")]
    NoStore {
        /// Why.
        reason: String,
    },
    /// The store did not take it.
    #[error("keep what is known of updates")]
    Keep(#[source] KeepError),
    /// A step failed.
    #[error(transparent)]
    Step(#[from] StepError),
}

/// Why a step of an update failed.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// What the image says of updates is of no use.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// Updates are not set up in this image.
    #[error("updates are not set up in this image")]
    NotSetUp,
    /// Nobody has said where updates come from.
    #[error("nobody has said where updates come from: give an address in the settings")]
    NoSource,
    /// What init says of this box cannot be used.
    #[error("the box does not know its own {what}")]
    Unknown {
        /// What.
        what: &'static str,
    },
    /// Settings name no server.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A folder for updates.
    #[error("cannot {doing} {}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// Accepted metadata cannot be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The repository cannot be used.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The version is not for this box.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The download failed.
    #[error(transparent)]
    Download(#[from] DownloadError),
    /// A file that was brought is refused.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// There is no stick, or it cannot be read.
    #[error("the stick cannot be read")]
    Stick(#[source] KeysError),
    /// A file or folder of the stick.
    #[error("cannot {doing} {} of the stick", path.display())]
    StickFile {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// A backup is at work on a disk.
    #[error("a backup or a restore is using the disk that is plugged in; try again when it is done")]
    DiskInUse,
    /// None of its files is an update for this board.
    #[error("there is no update on the stick: hearth_{board}_….bundle has to lie at its top, in no folder")]
    NotOnStick {
        /// Which board this is.
        board: String,
    },
    /// There is no room.
    #[error("the disk is full: the new system needs {} MB more, and {} MB are free for it", needed / 1_000_000, free / 1_000_000)]
    NoRoom {
        /// Bytes that are still needed.
        needed: u64,
        /// Bytes that may be used.
        free: u64,
    },
    /// init did not take the order.
    #[error("the box did not {what}: {reason}")]
    Refused {
        /// What it was to do.
        what: &'static str,
        /// Why not, in plain words.
        reason: String,
    },
    /// The installer failed.
    #[error("the new system was not written: {problem}")]
    Install {
        /// Why, in plain words.
        problem: String,
    },
    /// The installer said nothing.
    #[error("nothing was heard of the new system for {minutes} minutes while it was written")]
    Silent {
        /// How long.
        minutes: u64,
    },
    /// The thread ended early.
    #[error("the work broke off")]
    Thread(#[source] JoinError),
}

impl StepError {
    /// Why, for its owner.
    #[must_use]
    pub fn words(&self) -> String {
        chain(self)
    }
}
