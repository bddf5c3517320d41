//! What was found to be wrong with a store, in words for its owner.

use std::fmt;

use crate::Generation;
use crate::Rollback;

/// How a store was opened.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Generation of the state that was opened; 0 for a new store.
    pub generation: Generation,
    /// Says what was damaged, `None` where nothing was. A commit that was being written when the power went, and
    /// that nobody had been promised, is no damage.
    pub recovered: Option<Recovery>,
    /// Schema of the records, where the store was opened with [`crate::Migrations`].
    pub schema: Option<u32>,
    /// Which of the keys that were given fits.
    pub key: KeyUsed,
}

/// Which key a store was opened with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyUsed {
    /// The present one.
    Present,
    /// The one it was to get: the power went after the store changed its key and before that was noted elsewhere.
    Next,
}

/// What was damaged, and what became of it. Its `Display` is a text for the owner of the box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// What was found, in order.
    pub findings: Vec<Finding>,
    /// Whether acknowledged commits are gone.
    pub loss: Loss,
}

/// Whether acknowledged commits are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Everything is there.
    None,
    /// Commits after this generation may be gone; what is there is the state right after it, unchanged.
    After(Generation),
    /// Nobody can say: the anchor that would tell was cleared or replaced.
    Unknown,
}

/// One thing that was wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// A journal has unreadable bytes before its end.
    JournalDamaged {
        /// Its name in the store's folder.
        file: String,
    },
    /// A journal that must exist does not.
    JournalMissing {
        /// Its name in the store's folder.
        file: String,
    },
    /// A snapshot cannot be believed.
    SnapshotDamaged {
        /// Its name in the store's folder.
        file: String,
    },
    /// sled's files are not as they were left, or sled failed on them.
    SledDamaged {
        /// What happened.
        reason: String,
        /// Folder in which they were put by, where that was possible.
        kept_in: Option<String>,
    },
    /// sled could not be set up; the store works from memory until it is opened again.
    SledUnusable {
        /// What happened.
        reason: String,
    },
    /// The store had been recovered before, and the power went before that could be told.
    RecoveredBefore,
    /// An older copy was put in the place of the store, and a person has accepted that.
    RollbackAccepted {
        /// How old it is.
        rollback: Rollback,
    },
    /// The anchor was cleared or replaced.
    AnchorLost,
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            write!(f, "{finding} ")?;
        }
        match self.loss {
            Loss::None => f.write_str("Nothing was lost."),
            Loss::Unknown => f.write_str("Whether these are the newest records cannot be told this time."),
            Loss::After(generation) => {
                write!(
                    f,
                    "Changes made after change number {generation} may be lost; all earlier ones are there."
                )
            }
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::JournalDamaged { file } => write!(f, "The file {file} is damaged."),
            Self::JournalMissing { file } => write!(f, "The file {file} is missing."),
            Self::SnapshotDamaged { file } => write!(f, "The file {file} is damaged."),
            Self::SledDamaged { reason, kept_in: Some(folder) } => {
                write!(f, "The index was damaged ({reason}), was rebuilt and is kept in {folder}.")
            }
            Self::SledDamaged { reason, kept_in: None } => {
                write!(f, "The index was damaged ({reason}) and was rebuilt.")
            }
            Self::SledUnusable { reason } => {
                write!(f, "The index could not be set up ({reason}); the store works from memory.")
            }
            Self::RecoveredBefore => f.write_str("The store was damaged and had to be recovered."),
            Self::RollbackAccepted { rollback } => write!(f, "Accepted as confirmed: {rollback}."),
            Self::AnchorLost => f.write_str(
                "The counter that guards against older copies was cleared or replaced; it starts anew.",
            ),
        }
    }
}
