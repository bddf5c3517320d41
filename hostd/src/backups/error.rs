//! Why something about backups was refused or failed.

use super::settings::BadSetting;
use crate::records::ExportError;
use crate::records::KeepError;
use crate::records::LoadError;
use crate::storaged::KeysError;
use crate::vaults::VaultError;
use backup::DrillError;
use std::error::Error;
use std::io;
use std::path::PathBuf;
use tokio::task::JoinError;

/// Why a request was refused.
#[derive(Debug, thiserror::Error)]
pub enum BackupsError {
    /// A setting cannot work.
    #[error("use these settings")]
    Setting(#[from] BadSetting),
    /// A task runs already.
    #[error("another backup task runs")]
    Busy,
    /// Nobody has said where backups go.
    #[error("nobody has said where backups go")]
    NoTarget,
    /// There is no store.
    #[error("storage is unavailable: {reason}")]
    NoStore {
        /// Why.
        reason: String,
    },
    /// The store did not take it.
    #[error("keep what is known of backups")]
    Keep(#[source] KeepError),
    /// There is no key.
    #[error("get the key of backups")]
    Key(#[source] TaskError),
    /// The kit cannot be made.
    #[error("make the recovery kit")]
    Kit(#[source] backup::KitError),
}

/// Why a task failed.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// There is no store to save.
    #[error("there is nothing to save")]
    NoStore,
    /// The key cannot be read.
    #[error("the key of backups cannot be read")]
    LoadKey(#[source] LoadError),
    /// The system gives no random bytes.
    #[error("a key cannot be made")]
    MakeKey(#[source] backup::NoRandomness),
    /// The key cannot be kept.
    #[error("the key of backups cannot be kept")]
    KeepKey(#[source] KeepError),
    /// The disk is not there.
    #[error("the backup disk cannot be used")]
    Disk(#[source] KeysError),
    /// A private folder fails.
    #[error("cannot {doing} {}", path.display())]
    Folder {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The private folder of the crate fails.
    #[error("the private folder of backups cannot be used")]
    Scratch(#[source] backup::ScratchError),
    /// The store was not exported.
    #[error("what is to be saved cannot be read")]
    Export(#[source] ExportError),
    /// No backup was made.
    #[error(transparent)]
    BackUp(backup::BackUpError),
    /// It was made and could not be read again.
    #[error("the backup was made and cannot be checked")]
    Verify(#[source] backup::VerifyError),
    /// It was made and is damaged.
    #[error("the backup place has {count} damaged things, such as: {first}")]
    Unsound {
        /// How many.
        count: u64,
        /// The first of them.
        first: String,
    },
    /// A drill failed.
    #[error(transparent)]
    Drill(DrillError),
    /// A drill of private files failed.
    #[error("the private files of {user}")]
    PrivateDrill {
        /// Whose.
        user: String,
        /// Why.
        #[source]
        source: Box<DrillError>,
    },
    /// A vault cannot be listed.
    #[error(transparent)]
    Vault(Box<VaultError>),
    /// A vault was locked before its files were saved.
    #[error("the vault was locked before all of its files were saved")]
    LockedMeanwhile,
    /// The thread ended early.
    #[error("the task broke off")]
    Thread(#[source] JoinError),
}

impl TaskError {
    /// Whether it says that what was saved is damaged, and not just out of reach.
    #[must_use]
    pub fn shows_damage(&self) -> bool {
        match self {
            Self::Unsound { .. } => true,
            Self::Drill(source) => {
                // That there is no snapshot at all is told as such.
                !matches!(source, DrillError::Restore(backup::RestoreError::NoSnapshot { .. }))
                    && is_damage(source)
            }
            Self::PrivateDrill { source, .. } => is_damage(source),
            Self::NoStore
            | Self::LoadKey(_)
            | Self::MakeKey(_)
            | Self::KeepKey(_)
            | Self::Disk(_)
            | Self::Folder { .. }
            | Self::Scratch(_)
            | Self::Export(_)
            | Self::BackUp(_)
            | Self::Verify(_)
            | Self::Vault(_)
            | Self::LockedMeanwhile
            | Self::Thread(_) => false,
        }
    }
}

const fn is_damage(error: &DrillError) -> bool {
    matches!(
        error,
        DrillError::Differs { .. }
            | DrillError::Manifest(_)
            | DrillError::Sealed(_)
            | DrillError::Unseal(_)
            | DrillError::Restore(
                backup::RestoreError::Snapshot { .. } | backup::RestoreError::NoSnapshot { .. }
            )
    )
}

/// The whole chain in one line, for people.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
