//! Why nothing came of a request for a vault.

use super::archive::ArchiveError;
use super::files::FileError;
use super::record::RecordError;
use super::restored::RestoredError;
use crate::accounts::Refusal;
use crate::accounts::password::HashError;
use crate::records::KeepError;
use crate::records::LoadError;
use std::error::Error;
use vault::CredentialKind;
use vault::OpenError;
use vault::directory::DirectoryError;

/// Why a vault was not opened, locked or changed; it is as it was.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The user has none yet.
    #[error("the user has no vault yet")]
    None,
    /// It is locked.
    #[error("the vault is locked")]
    Locked,
    /// It opens with another.
    #[error("the vault does not open with this {kind}")]
    WrongKey {
        /// What was typed.
        kind: CredentialKind,
    },
    /// Its key is being changed.
    #[error("the key of the vault is being changed")]
    Rotating,
    /// Files are being sent or received.
    #[error("files of the vault are in use")]
    InUse,
    /// Its key was not changed: it was to be locked meanwhile.
    #[error("the vault was locked meanwhile")]
    BrokenOff,
    /// Something else changed it meanwhile.
    #[error("the vault was changed meanwhile")]
    Changed,
    /// No code was shown that could be confirmed.
    #[error("there is no recovery code to confirm")]
    NothingToConfirm,
    /// The end of another code.
    #[error("this is not the end of the recovery code")]
    NotItsEnd,
    /// There is no storage.
    #[error("storage is unavailable: {reason}")]
    StorageUnavailable {
        /// Why, in plain words.
        reason: String,
    },
    /// The credential is right and the document is not.
    #[error("open the vault")]
    Open {
        /// Why.
        #[source]
        source: OpenError,
    },
    /// The kernel gave no random bytes.
    #[error("make a recovery code")]
    Random {
        /// Why.
        #[source]
        source: vault::RandomError,
    },
    /// The account does not allow it.
    #[error(transparent)]
    Account(#[from] Refusal),
    /// The key of its archive was not made or opened.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The document was not made or changed.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The store did not keep it.
    #[error(transparent)]
    Keep(#[from] KeepError),
    /// The store did not tell it.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The password was not computed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// The directory was not shown or hidden.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// A file was not read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Files from a backup were not removed.
    #[error(transparent)]
    Restored(#[from] RestoredError),
    /// The work panicked.
    #[error("wait for the disk")]
    Thread(#[from] tokio::task::JoinError),
}

impl From<OpenError> for VaultError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::WrongCredential { kind } | OpenError::NoneOfKind { kind } => Self::WrongKey { kind },
            source @ (OpenError::Altered | OpenError::Credential { .. }) => Self::Open { source },
        }
    }
}

/// The whole chain in one line, for the user.
pub(super) fn chain(error: &VaultError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
