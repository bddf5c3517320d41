//! Encrypted, incremental, proven backups of a household.
//!
//! The repository has restic's format and is written by `rustic_core` (docs/adr/0018-backup.md). This crate adds what
//! makes it trustworthy for a box that nobody watches:
//!
//! * [`Target`]: folder, S3, each behind one small trait of files by name.
//! * [`back_up`], [`list`], [`verify`], [`restore`], [`drill`]: one task each, blocking; run them in a thread.
//! * a manifest in each snapshot with the SHA-256 of every file; a restore is compared with it before anyone sees it.
//! * [`Owner`]: a repository of another household, or with another key, is refused with the reason.
//! * [`Series`]: the household's snapshots, and those of private files, which are sealed with an [`ArchiveKey`] before they reach the repository.
//! * [`schedule`] decides when; [`RecoveryKit`] is what the owner prints.
//!
//! No locks are left behind: rustic works without any, and tasks of this box exclude each other by `flock`.

mod archive;
mod back_up;
mod control;
mod drill;
mod engine;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod guard;
mod heal;
mod key;
mod kit;
mod list;
mod manifest;
mod parent;
mod place;
mod repository;
mod restore;
mod retention;
pub mod schedule;
mod scratch;
mod sealed;
mod secret;
mod series;
mod snapshot;
mod source;
mod state;
mod tally;
mod targets;
mod tree;
mod verify;
mod walk;

pub use back_up::BackUpError;
pub use back_up::Report;
pub use back_up::Request;
pub use back_up::back_up;
pub use control::Cancel;
pub use control::Control;
pub use control::Observer;
pub use control::Phase;
pub use control::Progress;
pub use drill::DrillError;
pub use drill::DrillReport;
pub use drill::Drilling;
pub use drill::Pick;
pub use drill::drill;
pub use engine::EngineError;
pub use heal::Healed;
pub use heal::repair;
pub use key::BackupKey;
pub use key::HouseholdId;
pub use key::NoRandomness;
pub use key::NotAHouseholdId;
pub use kit::KitError;
pub use kit::RecoveryKit;
pub use list::list;
pub use place::PlaceError;
pub use repository::OpenError;
pub use repository::Owner;
pub use restore::RestoreError;
pub use restore::RestoreReport;
pub use restore::Restoring;
pub use restore::restore;
pub use retention::Keep;
pub use retention::Retention;
pub use retention::RetentionError;
pub use scratch::Scratch;
pub use scratch::ScratchError;
pub use sealed::ArchiveKey;
pub use sealed::SealedFile;
pub use sealed::SealedFolder;
pub use sealed::SealedFolderError;
pub use sealed::UnsealError;
pub use sealed::WrappedArchiveKey;
pub use secret::Secret;
pub use series::Series;
pub use snapshot::Listing;
pub use snapshot::Snapshot;
pub use source::Exclude;
pub use source::Source;
pub use source::SourceError;
pub use state::State;
pub use state::StateError;
pub use tally::LeftOut;
pub use targets::FolderTarget;
pub use targets::S3Target;
pub use targets::Target;
pub use targets::TargetError;
pub use tree::TreeError;
pub use verify::Depth;
pub use verify::Verification;
pub use verify::VerifyError;
pub use verify::verify;
