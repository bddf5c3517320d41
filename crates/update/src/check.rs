//! Metadata, step by step: the trusted root, roots after it, timestamp, snapshot, targets. Bytes in, no I/O.
//!
//! Signatures, thresholds and the chain of roots are checked by the crate `tuf`. What its database leaves to its client is done here:
//! lengths and hashes of what one file says of the next (TUF 5.5.2, 5.6.2), that nothing is older than what was accepted before (5.4.3,
//! 5.5.5), and that all four files have not expired.

use crate::clock::Clock;
use crate::clock::Origin;
use crate::clock::Permit;
use crate::clock::Trust;
use crate::digest::Sha256;
use crate::name::Name;
use crate::source::MAX_ROOT;
use crate::source::MAX_SNAPSHOT;
use crate::source::MAX_TARGETS_FILE;
use crate::source::MAX_TIMESTAMP;
use chrono::DateTime;
use chrono::Utc;
use std::fmt;
use tuf::Database;
use tuf::crypto::HashAlgorithm;
use tuf::crypto::PublicKey;
use tuf::metadata::Metadata;
use tuf::metadata::MetadataDescription;
use tuf::metadata::MetadataPath;
use tuf::metadata::RawSignedMetadata;
use tuf::metadata::SnapshotMetadata;
use tuf::metadata::TargetsMetadata;
use tuf::metadata::TimestampMetadata;
use tuf::pouf::Pouf1;
use tuf::verify::Verified;
use tuf::verify::verify_signatures;

/// How many roots may follow the one that the running system trusts: an honest repository rotates keys once or twice a year.
pub(crate) const MAX_ROOTS: u32 = 128;

/// A file's part in a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Keys.
    Root,
    /// The newest snapshot.
    Timestamp,
    /// What belongs together.
    Snapshot,
    /// What there is.
    Targets,
}

/// A file that is to come next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Which one.
    pub name: Name,
    /// How long it is.
    pub length: u64,
    /// Its hash.
    pub sha256: Sha256,
}

/// Metadata is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The root in the running system is broken.
    #[error("the keys for updates in this system cannot be read")]
    TrustedRoot(#[source] tuf::Error),
    /// A file cannot be read, or is longer than allowed.
    #[error("{role} of the repository cannot be read")]
    Malformed {
        /// Which one.
        role: Role,
        /// Cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Too few of the keys that are trusted signed it.
    #[error("{role} of the repository is signed by {valid} of the {threshold} keys that are needed")]
    Signatures {
        /// Which one.
        role: Role,
        /// Right signatures.
        valid: u32,
        /// What is needed.
        threshold: u32,
    },
    /// It is longer than a file of its kind may be.
    #[error("{role} of the repository is longer than {limit} bytes")]
    TooLong {
        /// Which one.
        role: Role,
        /// What is allowed.
        limit: u64,
    },
    /// This box accepted a newer one before.
    #[error("{role} of the repository is version {offered}, but this box has seen version {known}")]
    Older {
        /// Which one.
        role: Role,
        /// Accepted before.
        known: u32,
        /// What came now.
        offered: u32,
    },
    /// It is not the file that the one before it names.
    #[error("{role} of the repository does not belong to the files before it")]
    Mixed {
        /// Which one.
        role: Role,
    },
    /// Its time is over.
    #[error(
        "{role} of the repository has expired: the repository is not kept up, or somebody shows an old one"
    )]
    Expired {
        /// Which one.
        role: Role,
        /// When, in seconds since 1970.
        expired: u64,
        /// What time it is.
        now: u64,
    },
    /// A chain of roots that is longer than an honest one.
    #[error("the repository changed its keys more than {MAX_ROOTS} times since this system was built")]
    TooManyRoots,
    /// Whether it has expired cannot be told.
    #[error("the clock of this box is not set, so nobody can tell whether the update has expired")]
    ClockUnsure,
    /// Steps were left out.
    #[error("{role} of the repository was not given")]
    Incomplete {
        /// The one that is missing.
        role: Role,
    },
}

/// What was accepted before; 0 where nothing is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Floor {
    timestamp: u32,
    snapshot: u32,
    targets: u32,
}

/// A repository's metadata, as far as it was looked at.
#[derive(Debug)]
pub struct Check {
    database: Database<Pouf1>,
    now: DateTime<Utc>,
    permit: Permit,
    first_root: u32,
    floor: Floor,
    snapshot: Option<Wanted>,
    targets: Option<Wanted>,
}

impl Check {
    /// Begins with the root that the running system has.
    ///
    /// # Errors
    /// It is broken, or nobody knows the time and the permit does not bear that.
    pub fn begin(trusted_root: &[u8], clock: &Clock, permit: Permit) -> Result<Self, Refused> {
        if clock.trust == Trust::Unsure && !permit.bears_doubt() {
            return Err(Refused::ClockUnsure);
        }
        // A time that no calendar has is far in the future: then all has expired.
        let seconds = i64::try_from(clock.now()).unwrap_or(i64::MAX);
        let now = DateTime::from_timestamp(seconds, 0).unwrap_or(DateTime::<Utc>::MAX_UTC);
        let database =
            Database::from_trusted_root(&raw(Role::Root, trusted_root)?).map_err(Refused::TrustedRoot)?;
        let first_root = database.trusted_root().version();
        Ok(Self { database, now, permit, first_root, floor: Floor::default(), snapshot: None, targets: None })
    }

    /// The root that comes after the newest one, if there is one.
    ///
    /// # Errors
    /// [`Refused::TooManyRoots`].
    pub fn next_root(&self) -> Result<Name, Refused> {
        let version = self.database.trusted_root().version();
        if version.saturating_sub(self.first_root) >= MAX_ROOTS {
            return Err(Refused::TooManyRoots);
        }
        version.checked_add(1).map(Name::Root).ok_or(Refused::TooManyRoots)
    }

    /// Goes on with the next root: signed by the keys of the one before it, and by its own.
    ///
    /// # Errors
    /// It is not.
    pub fn root(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        let raw = raw(Role::Root, bytes)?;
        self.database.update_root(&raw).map_err(|error| refused(Role::Root, error))
    }

    /// Which snapshot belongs to a timestamp that this box accepted before.
    #[must_use]
    pub fn remembered_snapshot(&self, timestamp: &[u8]) -> Option<u32> {
        self.accepted(timestamp).map(|before| before.snapshot().version())
    }

    /// Tells what this box accepted before. What is not signed by the keys of the newest root does not count: after a theft of keys,
    /// new ones let boxes forget what the thief told them (TUF 5.3.11). Call it when there is no further root.
    pub fn remember(&mut self, timestamp: &[u8], snapshot: Option<&[u8]>) {
        let Some(before) = self.accepted(timestamp) else { return };
        let root = self.database.trusted_root();
        let (timestamp, snapshot_version) = (before.version(), before.snapshot().version());
        let before: Option<Verified<SnapshotMetadata>> = snapshot.and_then(|bytes| {
            verify(Role::Snapshot, bytes, root.snapshot().threshold(), root.snapshot_keys())
        });
        let targets = before
            .and_then(|before| before.meta().get(&MetadataPath::targets()).map(MetadataDescription::version));
        self.floor = Floor { timestamp, snapshot: snapshot_version, targets: targets.unwrap_or(0) };
    }

    /// Whether what was looked at is at least as new as what the box remembers.
    #[must_use]
    pub fn is_newest(&self) -> bool {
        self.database.trusted_timestamp().is_some_and(|new| new.version() >= self.floor.timestamp)
    }

    /// Takes the timestamp; gives the snapshot that belongs to it.
    ///
    /// # Errors
    /// Not signed, expired, older than what was accepted before.
    pub fn timestamp(&mut self, bytes: &[u8]) -> Result<Wanted, Refused> {
        let role = Role::Timestamp;
        self.unexpired(Role::Root, *self.database.trusted_root().expires())?;
        let raw = raw(role, bytes)?;
        let new = self.database.update_timestamp(&self.now, &raw).map_err(|error| refused(role, error))?;
        let new = new.ok_or(Refused::Incomplete { role })?;
        let (version, snapshot) = (new.version(), new.snapshot().clone());
        if !self.permit_is_bundle() {
            not_older(role, self.floor.timestamp, version)?;
            not_older(Role::Snapshot, self.floor.snapshot, snapshot.version())?;
        }
        let wanted = wanted(Role::Snapshot, Name::Snapshot(snapshot.version()), MAX_SNAPSHOT, &snapshot)?;
        self.snapshot = Some(wanted.clone());
        Ok(wanted)
    }

    /// Takes the snapshot; gives the targets that belong to it.
    ///
    /// # Errors
    /// Another file than the timestamp names, not signed, targets older than what was accepted before.
    pub fn snapshot(&mut self, bytes: &[u8]) -> Result<Wanted, Refused> {
        let role = Role::Snapshot;
        named(role, self.snapshot.as_ref(), bytes)?;
        let raw = raw(role, bytes)?;
        self.database.update_snapshot(&self.now, &raw).map_err(|error| refused(role, error))?;
        let new = self.database.trusted_snapshot().ok_or(Refused::Incomplete { role })?;
        self.unexpired(role, *new.expires())?;
        let targets =
            new.meta().get(&MetadataPath::targets()).ok_or(Refused::Incomplete { role: Role::Targets })?;
        not_older(Role::Targets, self.floor.targets, targets.version())?;
        let wanted = wanted(Role::Targets, Name::Targets(targets.version()), MAX_TARGETS_FILE, targets)?;
        self.targets = Some(wanted.clone());
        Ok(wanted)
    }

    /// Takes the targets: then all is known.
    ///
    /// # Errors
    /// Another file than the snapshot names, not signed, expired.
    pub fn targets(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        let role = Role::Targets;
        named(role, self.targets.as_ref(), bytes)?;
        let raw = raw(role, bytes)?;
        self.database.update_targets(&self.now, &raw).map_err(|error| refused(role, error))?;
        let new = self.database.trusted_targets().ok_or(Refused::Incomplete { role })?;
        self.unexpired(role, *new.expires())
    }

    /// The list of targets, and when the first of the files expires (seconds since 1970).
    ///
    /// # Errors
    /// A step was left out.
    pub(crate) fn finish(&self) -> Result<(&TargetsMetadata, u64), Refused> {
        let root = self.database.trusted_root();
        let timestamp =
            self.database.trusted_timestamp().ok_or(Refused::Incomplete { role: Role::Timestamp })?;
        let snapshot =
            self.database.trusted_snapshot().ok_or(Refused::Incomplete { role: Role::Snapshot })?;
        let targets = self.database.trusted_targets().ok_or(Refused::Incomplete { role: Role::Targets })?;
        let expires = [root.expires(), timestamp.expires(), snapshot.expires(), targets.expires()];
        Ok((targets, expires.into_iter().map(seconds).min().unwrap_or(0)))
    }

    fn accepted(&self, timestamp: &[u8]) -> Option<Verified<TimestampMetadata>> {
        let root = self.database.trusted_root();
        verify(Role::Timestamp, timestamp, root.timestamp().threshold(), root.timestamp_keys())
    }

    /// A bundle is as old as the day it was made: it must not be older in what it offers, but may be in its timestamp.
    fn permit_is_bundle(&self) -> bool {
        self.permit.origin == Origin::Bundle
    }

    fn unexpired(&self, role: Role, expires: DateTime<Utc>) -> Result<(), Refused> {
        if expires <= self.now {
            return Err(Refused::Expired { role, expired: seconds(&expires), now: seconds(&self.now) });
        }
        Ok(())
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Root => "the list of keys",
            Self::Timestamp => "the timestamp",
            Self::Snapshot => "the snapshot",
            Self::Targets => "the list of systems",
        })
    }
}

impl Role {
    /// How long its file may be, in bytes.
    #[must_use]
    pub fn limit(self) -> u64 {
        match self {
            Self::Root => MAX_ROOT,
            Self::Timestamp => MAX_TIMESTAMP,
            Self::Snapshot => MAX_SNAPSHOT,
            Self::Targets => MAX_TARGETS_FILE,
        }
    }

    pub(crate) fn path(self) -> MetadataPath {
        match self {
            Self::Root => MetadataPath::root(),
            Self::Timestamp => MetadataPath::timestamp(),
            Self::Snapshot => MetadataPath::snapshot(),
            Self::Targets => MetadataPath::targets(),
        }
    }
}

fn raw<M: Metadata>(role: Role, bytes: &[u8]) -> Result<RawSignedMetadata<Pouf1, M>, Refused> {
    if length(bytes) > role.limit() {
        return Err(Refused::TooLong { role, limit: role.limit() });
    }
    Ok(RawSignedMetadata::new(bytes.to_vec()))
}

fn verify<'a, M: Metadata>(
    role: Role,
    bytes: &[u8],
    threshold: u32,
    keys: impl Iterator<Item = &'a PublicKey>,
) -> Option<Verified<M>> {
    verify_signatures(&role.path(), &raw::<M>(role, bytes).ok()?, threshold, keys).ok()
}

fn not_older(role: Role, known: u32, offered: u32) -> Result<(), Refused> {
    if offered < known { Err(Refused::Older { role, known, offered }) } else { Ok(()) }
}

/// What is said of a file must name its length and its SHA-256.
fn wanted<M: Metadata>(
    role: Role,
    name: Name,
    limit: u64,
    description: &MetadataDescription<M>,
) -> Result<Wanted, Refused> {
    let sha256 = description.hashes().get(&HashAlgorithm::Sha256);
    let sha256 =
        sha256.and_then(|hash| Sha256::from_bytes(hash.value()).ok()).ok_or(Refused::Mixed { role })?;
    let length =
        description.length().and_then(|length| u64::try_from(length).ok()).ok_or(Refused::Mixed { role })?;
    if length > limit {
        return Err(Refused::TooLong { role, limit });
    }
    Ok(Wanted { name, length, sha256 })
}

fn named(role: Role, wanted: Option<&Wanted>, bytes: &[u8]) -> Result<(), Refused> {
    let wanted = wanted.ok_or(Refused::Incomplete { role })?;
    if wanted.length == length(bytes) && wanted.sha256 == Sha256::of(bytes) {
        Ok(())
    } else {
        Err(Refused::Mixed { role })
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn seconds(time: &DateTime<Utc>) -> u64 {
    u64::try_from(time.timestamp()).unwrap_or(0)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "of another crate, and it may grow")]
fn refused(role: Role, error: tuf::Error) -> Refused {
    match error {
        tuf::Error::MetadataMissingSignatures { number_of_valid_signatures: valid, threshold, .. } => {
            Refused::Signatures { role, valid, threshold }
        }
        tuf::Error::BadSignature(_) => Refused::Signatures { role, valid: 0, threshold: 1 },
        tuf::Error::ExpiredMetadata { path, expiration, now } => {
            let of = [Role::Root, Role::Timestamp, Role::Snapshot, Role::Targets]
                .into_iter()
                .find(|of| of.path() == path);
            Refused::Expired { role: of.unwrap_or(role), expired: seconds(&expiration), now: seconds(&now) }
        }
        tuf::Error::AttemptedMetadataRollBack { trusted_version: known, new_version: offered, .. } => {
            Refused::Older { role, known, offered }
        }
        tuf::Error::WrongMetadataVersion { .. } => Refused::Mixed { role },
        other => Refused::Malformed { role, source: Box::new(other) },
    }
}
