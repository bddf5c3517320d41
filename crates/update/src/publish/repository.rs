//! A repository's folder, as any web server can host it: `metadata/` and `targets/`.
//!
//! Files get names that nothing had before, apart from the timestamp, which comes last and by rename. Whoever fetches meanwhile sees the
//! old or the new list, never a mixture.

use super::draft::Draft;
use super::draft::DraftError;
use super::keys::Key;
use super::keys::Public;
use super::pack::Archive;
use crate::catalog::Catalog;
use crate::catalog::LoadError;
use crate::catalog::Place;
use crate::catalog::Release;
use crate::check::Check;
use crate::check::Refused;
use crate::clock::Asker;
use crate::clock::Clock;
use crate::clock::Origin;
use crate::clock::Permit;
use crate::clock::Trust;
use crate::custom::Custom;
use crate::custom::CustomError;
use crate::custom::FORMAT;
use crate::custom::Notes;
use crate::digest::Sha256;
use crate::name::Name;
use crate::name::target;
use crate::source::Folder;
use crate::source::MAX_ROOT;
use crate::source::MAX_SLOT;
use crate::source::MAX_TARGETS_FILE;
use crate::source::MAX_TIMESTAMP;
use crate::source::SourceError;
use crate::source::read_all;
use crate::store::Store;
use crate::store::StoreError;
use chrono::DateTime;
use chrono::Duration;
use chrono::Utc;
use serde_json::Value;
use slots::Version;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::io::Write;
use std::path::PathBuf;
use tuf::crypto::HashAlgorithm;
use tuf::crypto::HashValue;
use tuf::metadata::Delegations;
use tuf::metadata::Metadata;
use tuf::metadata::MetadataDescription;
use tuf::metadata::MetadataPath;
use tuf::metadata::RootMetadata;
use tuf::metadata::RootMetadataBuilder;
use tuf::metadata::SnapshotMetadata;
use tuf::metadata::TargetDescription;
use tuf::metadata::TargetPath;
use tuf::metadata::TargetsMetadata;
use tuf::metadata::TimestampMetadata;

/// How long files are good for, in days.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// Keys.
    pub root: u32,
    /// The list.
    pub targets: u32,
    /// What belongs together.
    pub snapshot: u32,
    /// For so long somebody on the way can hide a release; so long a bundle can be used.
    pub timestamp: u32,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self { root: 730, targets: 365, snapshot: 90, timestamp: 30 }
    }
}

/// Keys of a role.
#[derive(Clone, Debug)]
pub struct RolePlan {
    /// Who may sign.
    pub keys: Vec<Public>,
    /// How many of them must.
    pub threshold: u32,
}

/// Keys of all roles.
#[derive(Clone, Debug)]
pub struct RootPlan {
    /// Who may change keys.
    pub root: RolePlan,
    /// Who may release.
    pub targets: RolePlan,
    /// Who keeps the repository together.
    pub snapshot: RolePlan,
    /// Who says that it is fresh.
    pub timestamp: RolePlan,
}

/// What is signed where the repository is made.
#[derive(Debug)]
pub struct Online<'a> {
    /// Keys of the snapshot.
    pub snapshot: &'a [Key],
    /// Keys of the timestamp.
    pub timestamp: &'a [Key],
}

/// A slot file that is added.
#[derive(Clone, Debug)]
pub struct Addition<'a> {
    /// The file.
    pub slot: &'a [u8],
    /// Its chunks.
    pub archive: Option<&'a Archive>,
    /// For which board and in which channel.
    pub place: Place,
    /// Its version.
    pub version: Version,
    /// The lowest version of systemd-boot that it needs.
    pub loader: Version,
    /// The version of systemd-boot that boxes have when they run it.
    pub ships: Version,
    /// How many boxes of a hundred take it by themselves.
    pub rollout: u8,
    /// What is new.
    pub notes: Notes,
}

/// A repository cannot be made so.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// A file cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A file cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// A document cannot be made.
    #[error("cannot make the document")]
    Make(#[source] tuf::Error),
    /// A draft cannot be used.
    #[error(transparent)]
    Draft(#[from] DraftError),
    /// A box would refuse it.
    #[error("a box would refuse this")]
    Refused(#[from] Refused),
    /// A box would refuse it.
    #[error("a box would refuse this")]
    Load(#[from] LoadError),
    /// The description is wrong.
    #[error(transparent)]
    Custom(#[from] CustomError),
    /// It needs a loader that it does not bring.
    #[error("version {version} needs boot loader {needed}, and boxes that run it have {ships}")]
    Loader {
        /// The version.
        version: Version,
        /// What it needs.
        needed: Version,
        /// What there is.
        ships: Version,
    },
    /// Too large for boxes.
    #[error("the slot file has {0} bytes, boxes take {MAX_SLOT}")]
    TooLarge(u64),
    /// There already, with other content.
    #[error("version {0} is there already")]
    There(Version),
    /// Not there.
    #[error("there is no version {0} for this board and channel")]
    NotThere(Version),
    /// A clock beyond all calendars.
    #[error("the time cannot be right")]
    Time,
}

/// The folder.
#[derive(Clone, Debug)]
pub struct Repository {
    folder: PathBuf,
    metadata: Store,
    lifetimes: Lifetimes,
    now: u64,
}

impl Repository {
    /// Opens it; what is missing is made. `now` is in seconds since 1970.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn open(folder: PathBuf, lifetimes: Lifetimes, now: u64) -> Result<Self, PublishError> {
        fs::create_dir_all(&folder).map_err(|source| PublishError::Write { path: folder.clone(), source })?;
        let metadata = Store::open(folder.join("metadata"))?;
        Ok(Self { folder, metadata, lifetimes, now })
    }

    /// A list of keys: the first one, or the one after those that are there.
    ///
    /// # Errors
    /// A threshold that cannot be met.
    pub fn draft_root(&self, plan: &RootPlan) -> Result<Draft<RootMetadata>, PublishError> {
        let version = self.newest_root()?.map_or(1, |(version, _bytes)| version + 1);
        let expires = self.expires(self.lifetimes.root)?;
        let mut builder = RootMetadataBuilder::new()
            .version(version)
            .expires(expires)
            .root_threshold(plan.root.threshold)
            .targets_threshold(plan.targets.threshold)
            .snapshot_threshold(plan.snapshot.threshold)
            .timestamp_threshold(plan.timestamp.threshold);
        for key in &plan.root.keys {
            builder = builder.root_key(key.key.clone());
        }
        for key in &plan.targets.keys {
            builder = builder.targets_key(key.key.clone());
        }
        for key in &plan.snapshot.keys {
            builder = builder.snapshot_key(key.key.clone());
        }
        for key in &plan.timestamp.keys {
            builder = builder.timestamp_key(key.key.clone());
        }
        Ok(Draft::new(&builder.build().map_err(PublishError::Make)?)?)
    }

    /// Puts a list of keys in. Signatures of both thresholds must be there: of the list before and of its own. What the new keys have to sign
    /// anew comes after it, by [`Repository::commit`].
    ///
    /// # Errors
    /// A box would refuse it.
    pub fn commit_root(&self, root: &Draft<RootMetadata>) -> Result<(), PublishError> {
        let bytes = root.encode()?;
        let version = root.document()?.version();
        match self.newest_root()? {
            None => {
                Check::begin(&bytes, &self.clock(), PERMIT)?;
            }
            Some((_version, before)) => Check::begin(&before, &self.clock(), PERMIT)?.root(&bytes)?,
        }
        self.metadata.keep(&Name::Root(version), &bytes)?;
        Ok(())
    }

    /// The list as it is, with one version more.
    ///
    /// # Errors
    /// What is there cannot be read.
    pub fn draft_targets(&self) -> Result<Draft<TargetsMetadata>, PublishError> {
        self.draft(|_targets| Ok(()))
    }

    /// The list with a slot file more, whose files are put in place already: nobody looks for them yet.
    ///
    /// # Errors
    /// It does not fit.
    pub fn add(&self, addition: &Addition<'_>) -> Result<Draft<TargetsMetadata>, PublishError> {
        let length = u64::try_from(addition.slot.len()).unwrap_or(u64::MAX);
        if length > MAX_SLOT {
            return Err(PublishError::TooLarge(length));
        }
        if addition.ships < addition.loader {
            let (version, needed, ships) =
                (addition.version.clone(), addition.loader.clone(), addition.ships.clone());
            return Err(PublishError::Loader { version, needed, ships });
        }
        let remakes = addition.archive.map_or(&[][..], |archive| &archive.remakes);
        let custom = Custom {
            format: FORMAT,
            board: addition.place.board.clone(),
            channel: addition.place.channel.clone(),
            version: addition.version.clone(),
            loader: addition.loader.clone(),
            rollout: addition.rollout,
            paused: None,
            notes: addition.notes.clone(),
            chunks: addition.archive.map(|archive| archive.chunks),
            remakes: remakes.iter().map(|file| file.remakes.clone()).collect(),
        }
        .checked()?;
        let sha256 = Sha256::of(addition.slot);
        let path = path(&addition.place, &addition.version)?;
        let draft = self.draft(|targets| {
            if targets.contains_key(&path) {
                return Err(PublishError::There(addition.version.clone()));
            }
            targets.insert(path.clone(), describe(length, sha256, &custom)?);
            Ok(())
        })?;
        let Place { board, channel } = addition.place.clone();
        let version = addition.version.clone();
        if let Some(archive) = addition.archive {
            let (board, channel, version) = (board.clone(), channel.clone(), version.clone());
            let header = archive.chunks.header_sha256;
            self.put(&Name::Chunks { board, channel, version, header }, &archive.bytes)?;
        }
        for file in remakes {
            let (board, channel, version) = (board.clone(), channel.clone(), version.clone());
            let header = file.remakes.header_sha256;
            self.put(&Name::Remakes { board, channel, version, header }, &file.bytes)?;
        }
        self.put(&Name::Slot { board, channel, version, sha256 }, addition.slot)?;
        Ok(draft)
    }

    /// The list with something said otherwise of a release: how many boxes take it, or that none does.
    ///
    /// # Errors
    /// There is no such release.
    pub fn edit(
        &self,
        place: &Place,
        version: &Version,
        edit: &mut dyn FnMut(&mut Custom),
    ) -> Result<Draft<TargetsMetadata>, PublishError> {
        let path = path(place, version)?;
        self.draft(|targets| {
            let old = targets.get(&path).ok_or_else(|| PublishError::NotThere(version.clone()))?;
            let fields = old.custom().iter().map(|(key, value)| (key.clone(), value.clone()));
            let mut custom = Custom::decode(fields)?;
            edit(&mut custom);
            let custom = custom.checked()?;
            let sha256 =
                old.hashes().get(&HashAlgorithm::Sha256).map(|hash| Sha256::from_bytes(hash.value()));
            let sha256 = sha256.and_then(Result::ok).ok_or(CustomError::File)?;
            let new = describe(old.length(), sha256, &custom)?;
            targets.insert(path.clone(), new);
            Ok(())
        })
    }

    /// Puts a list in, or keeps the one that is there, and signs snapshot and timestamp.
    ///
    /// # Errors
    /// A box would refuse it: too few signatures, or something has expired.
    pub fn commit(
        &self,
        targets: Option<&Draft<TargetsMetadata>>,
        online: &Online<'_>,
    ) -> Result<(), PublishError> {
        let (_version, root) = self.newest_root()?.ok_or(Refused::Incomplete { role: crate::Role::Root })?;
        let before = self.newest()?;
        let (targets_version, targets) = match (targets, &before) {
            (Some(draft), _) => (draft.document()?.version(), draft.encode()?),
            (None, Some(newest)) => (newest.targets_version, newest.targets.clone()),
            (None, None) => return Err(Refused::Incomplete { role: crate::Role::Targets }.into()),
        };
        let snapshot_version = before.as_ref().map_or(1, |newest| newest.snapshot_version + 1);
        let timestamp_version = before.as_ref().map_or(1, |newest| newest.timestamp_version + 1);
        let about = describe_file(&targets, targets_version)?;
        let expires = self.expires(self.lifetimes.snapshot)?;
        let meta = HashMap::from([(MetadataPath::targets(), about)]);
        let snapshot = SnapshotMetadata::new(snapshot_version, expires, meta, HashMap::new());
        let snapshot = sign(&snapshot.map_err(PublishError::Make)?, online.snapshot)?;
        let about = describe_file(&snapshot, snapshot_version)?;
        let expires = self.expires(self.lifetimes.timestamp)?;
        let timestamp = TimestampMetadata::new(timestamp_version, expires, about, HashMap::new());
        let timestamp = sign(&timestamp.map_err(PublishError::Make)?, online.timestamp)?;

        let mut check = Check::begin(&root, &self.clock(), PERMIT)?;
        check.timestamp(&timestamp)?;
        check.snapshot(&snapshot)?;
        check.targets(&targets)?;
        Catalog::of(&check)?;
        self.metadata.keep(&Name::Targets(targets_version), &targets)?;
        self.metadata.keep(&Name::Snapshot(snapshot_version), &snapshot)?;
        self.metadata.keep(&Name::Timestamp, &timestamp)?;
        Ok(())
    }

    /// What it offers now, as a box with its first root sees it.
    ///
    /// # Errors
    /// A box would refuse it.
    pub fn catalog(&self) -> Result<Catalog, PublishError> {
        let (_version, root) = self.newest_root()?.ok_or(Refused::Incomplete { role: crate::Role::Root })?;
        let mut check = Check::begin(&root, &self.clock(), PERMIT)?;
        let newest = self.newest()?.ok_or(Refused::Incomplete { role: crate::Role::Timestamp })?;
        check.timestamp(&newest.timestamp)?;
        check.snapshot(&newest.snapshot)?;
        check.targets(&newest.targets)?;
        Ok(Catalog::of(&check)?)
    }

    /// Writes the bundle of a release.
    ///
    /// # Errors
    /// There is no such release, or its file is gone.
    pub fn bundle(&self, release: &Release, output: &mut dyn Write) -> Result<(), PublishError> {
        let newest = self.newest()?.ok_or(Refused::Incomplete { role: crate::Role::Timestamp })?;
        let mut files = Vec::new();
        let roots = self.newest_root()?.map_or(0, |(version, _bytes)| version);
        for version in 2..=roots {
            let name = Name::Root(version);
            files.push((name.clone(), read_all(&self.source(), &name, MAX_ROOT)?));
        }
        files.push((Name::Timestamp, newest.timestamp));
        files.push((Name::Snapshot(newest.snapshot_version), newest.snapshot));
        files.push((Name::Targets(newest.targets_version), newest.targets));
        files.push((release.slot(), read_all(&self.source(), &release.slot(), MAX_SLOT)?));
        let fail = |source| PublishError::Write { path: self.folder.join("bundle"), source };
        let mut tar = tar::Builder::new(output);
        for (name, bytes) in files {
            let mut header = tar::Header::new_ustar();
            header.set_size(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
            header.set_mode(0o644);
            header.set_mtime(0);
            header.set_path(name.path()).map_err(fail)?;
            header.set_cksum();
            tar.append(&header, bytes.as_slice()).map_err(fail)?;
        }
        tar.finish().map_err(fail)
    }

    /// The newest root: what is put into images.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn newest_root(&self) -> Result<Option<(u32, Vec<u8>)>, PublishError> {
        let mut newest = None;
        for version in 1.. {
            match self.metadata.read(&Name::Root(version), MAX_ROOT)? {
                Some(bytes) => newest = Some((version, bytes)),
                None => break,
            }
        }
        Ok(newest)
    }

    fn draft(
        &self,
        edit: impl FnOnce(&mut HashMap<TargetPath, TargetDescription>) -> Result<(), PublishError>,
    ) -> Result<Draft<TargetsMetadata>, PublishError> {
        let before = match self.newest()? {
            Some(newest) => Some(Draft::<TargetsMetadata>::decode(&newest.targets)?.document()?),
            None => None,
        };
        let version = before.as_ref().map_or(1, |before| before.version() + 1);
        let mut targets = before.map_or_else(HashMap::new, |before| before.targets().clone());
        edit(&mut targets)?;
        let expires = self.expires(self.lifetimes.targets)?;
        let list = TargetsMetadata::new(version, expires, targets, Delegations::default(), HashMap::new());
        Ok(Draft::new(&list.map_err(PublishError::Make)?)?)
    }

    fn newest(&self) -> Result<Option<Newest>, PublishError> {
        let Some(timestamp) = self.metadata.read(&Name::Timestamp, MAX_TIMESTAMP)? else { return Ok(None) };
        let stamp = Draft::<TimestampMetadata>::decode(&timestamp)?.document()?;
        let snapshot_version = stamp.snapshot().version();
        let snapshot = read_all(&self.source(), &Name::Snapshot(snapshot_version), crate::MAX_SNAPSHOT)?;
        let meta = Draft::<SnapshotMetadata>::decode(&snapshot)?.document()?;
        let targets_version =
            meta.meta().get(&MetadataPath::targets()).map_or(0, MetadataDescription::version);
        let targets = read_all(&self.source(), &Name::Targets(targets_version), MAX_TARGETS_FILE)?;
        let timestamp_version = stamp.version();
        Ok(Some(Newest {
            timestamp_version,
            snapshot_version,
            targets_version,
            timestamp,
            snapshot,
            targets,
        }))
    }

    fn put(&self, name: &Name, bytes: &[u8]) -> Result<(), PublishError> {
        let path = self.folder.join(name.path());
        let aside = path.with_extension("new");
        let write = || {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            let mut file = fs::File::create(&aside)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&aside, &path)
        };
        write().map_err(|source| PublishError::Write { path: path.clone(), source })
    }

    fn source(&self) -> Folder {
        Folder::new(self.folder.clone())
    }

    fn clock(&self) -> Clock {
        Clock { system: self.now, at_least: 0, trust: Trust::Sure }
    }

    fn expires(&self, days: u32) -> Result<DateTime<Utc>, PublishError> {
        let now = i64::try_from(self.now).ok().and_then(|now| DateTime::from_timestamp(now, 0));
        now.and_then(|now| now.checked_add_signed(Duration::days(i64::from(days)))).ok_or(PublishError::Time)
    }
}

/// The strictest one.
const PERMIT: Permit = Permit { asker: Asker::Box, origin: Origin::Network };

struct Newest {
    timestamp_version: u32,
    snapshot_version: u32,
    targets_version: u32,
    timestamp: Vec<u8>,
    snapshot: Vec<u8>,
    targets: Vec<u8>,
}

fn path(place: &Place, version: &Version) -> Result<TargetPath, PublishError> {
    TargetPath::new(target(&place.board, &place.channel, version)).map_err(PublishError::Make)
}

fn describe(length: u64, sha256: Sha256, custom: &Custom) -> Result<TargetDescription, PublishError> {
    let hashes = HashMap::from([(HashAlgorithm::Sha256, HashValue::new(sha256.0.to_vec()))]);
    let fields = match serde_json::to_value(custom).map_err(CustomError::Read)? {
        Value::Object(fields) => fields.into_iter().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            HashMap::new()
        }
    };
    TargetDescription::new(length, hashes, fields).map_err(PublishError::Make)
}

fn describe_file<M: Metadata>(bytes: &[u8], version: u32) -> Result<MetadataDescription<M>, PublishError> {
    MetadataDescription::from_slice(bytes, version, &[HashAlgorithm::Sha256]).map_err(PublishError::Make)
}

fn sign<M: Metadata>(document: &M, keys: &[Key]) -> Result<Vec<u8>, PublishError> {
    let mut draft = Draft::new(document)?;
    for key in keys {
        draft.sign(key)?;
    }
    Ok(draft.encode()?)
}
