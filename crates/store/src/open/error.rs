//! Why a store is not opened.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use crate::AnchorError;
use crate::CommitError;
use crate::MigrateError;
use crate::NewerSchema;
use crate::Rollback;
use crate::own::Unknown;
use crate::wire::VERSION;

/// Why a store was not opened. Nothing has been changed in its folder, unless a recovery had begun ([`OpenError::Renew`]).
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The limits ask for more than the formats can hold.
    #[error("limits are beyond what the store's formats can hold")]
    Limits,
    /// The folder could not be made, locked or listed.
    #[error("could not use {} as a store's folder", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another process, or this one, has the store open.
    #[error("store in {} is already open", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The key is not the one the store was made with.
    #[error("key does not fit the store")]
    WrongKey,
    /// The store was written by a newer version.
    #[error("store has format version {version}, this program reads version {VERSION}")]
    Version {
        /// Version found.
        version: u8,
    },
    /// Nothing in the folder can be believed any more. It is left as it is; a backup must be restored.
    #[error("store is damaged beyond recovery")]
    Damaged,
    /// A file could not be read; that says nothing about its contents.
    #[error("could not read {file}")]
    Read {
        /// Its name in the store's folder.
        file: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The first journal could not be written, or the present one not prepared.
    #[error("could not write {file}")]
    Write {
        /// Its name in the store's folder.
        file: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The store is older than its anchor says. [`crate::OpenOptions::accept_rollback`] opens it all the same, when a
    /// person wants that.
    #[error("store is an older copy")]
    RolledBack {
        /// How old it is.
        #[source]
        rollback: Rollback,
    },
    /// The anchor did not answer, or could not be raised.
    #[error("could not tell whether the store is an older copy")]
    Anchor {
        /// Why.
        #[source]
        source: AnchorError,
    },
    /// Its records would become those of a schema that programs from before cannot use, and one of them may have to come back.
    #[error(
        "the records stay of schema {from}, because the program from before could not use them as schema {to}"
    )]
    NoWayBack {
        /// Schema of the store.
        from: u32,
        /// What it would become.
        to: u32,
    },
    /// The records are of a schema that this program does not know.
    #[error("store was written by a newer program")]
    NewerSchema {
        /// Which one.
        #[source]
        source: NewerSchema,
    },
    /// The records could not be brought to the present schema; they are as they were.
    #[error("could not bring the records to the present schema")]
    Migrate {
        /// Why.
        #[source]
        source: MigrateError,
    },
    /// The store has a record of its own that this program does not know.
    #[error("store has records of a newer program")]
    Unknown,
    /// The store was opened, and what the opening changes could not be written.
    #[error("could not write what opening the store changes")]
    Commit {
        /// Why.
        #[source]
        source: CommitError,
    },
    /// A recovered state could not be written.
    #[error("could not write the recovered state")]
    Renew {
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The kernel gave no random bytes.
    #[error("could not get random bytes for a new store")]
    Random {
        /// Why.
        #[source]
        source: getrandom::Error,
    },
}

impl From<AnchorError> for OpenError {
    fn from(source: AnchorError) -> Self {
        Self::Anchor { source }
    }
}

impl From<Unknown> for OpenError {
    fn from(_: Unknown) -> Self {
        Self::Unknown
    }
}
