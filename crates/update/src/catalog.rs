//! What a repository offers this box, once its metadata was accepted.

use crate::check::Check;
use crate::check::Refused;
use crate::check::Wanted;
use crate::clock::Asker;
use crate::clock::Clock;
use crate::clock::Permit;
use crate::custom::Chunks;
use crate::custom::Custom;
use crate::custom::CustomError;
use crate::custom::Notes;
use crate::custom::Remakes;
use crate::digest::Hasher;
use crate::digest::Sha256;
use crate::name::Label;
use crate::name::Name;
use crate::name::target;
use crate::source::MAX_ROOT;
use crate::source::MAX_SLOT;
use crate::source::MAX_SNAPSHOT;
use crate::source::MAX_TIMESTAMP;
use crate::source::Source;
use crate::source::SourceError;
use crate::source::read_all;
use crate::store::Store;
use crate::store::StoreError;
use slots::Version;
use slots::Words;
use std::cmp::Ordering;
use tuf::crypto::HashAlgorithm;
use tuf::metadata::TargetDescription;

/// How many targets a repository may have; what comes after them is not looked at, and a list that long is refused.
pub const MAX_TARGETS: usize = 4096;

/// The part of a repository that is for one box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its board.
    pub board: Label,
    /// The channel that its owner chose.
    pub channel: Label,
}

/// A slot file, as it was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// For which board and of which channel.
    pub place: Place,
    /// Its version.
    pub version: Version,
    /// The lowest version of systemd-boot that it needs.
    pub loader: Version,
    /// Its length in bytes.
    pub length: u64,
    /// Its hash.
    pub sha256: Sha256,
    /// How many boxes of a hundred take it by themselves.
    pub rollout: u8,
    /// Why nobody shall take it.
    pub paused: Option<Words>,
    /// What is new.
    pub notes: Notes,
    /// The same in chunks.
    pub chunks: Option<Chunks>,
    /// How its programs are made from those of earlier releases.
    pub remakes: Vec<Remakes>,
}

/// Whether it is this box's turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is.
    Now,
    /// Other boxes come first; an owner may take it.
    Later,
    /// Nobody shall take it.
    Paused(Words),
}

/// A release above what runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The slot file.
    pub release: Release,
    /// Whether it is this box's turn.
    pub turn: Turn,
}

/// What there is for a box, the highest version first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    offers: Vec<Offer>,
}

/// A version is not for this box.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// Not in the repository at all.
    #[error("the repository has no version {version}")]
    Unknown {
        /// The version.
        version: Version,
    },
    /// There, but for other boards.
    #[error("version {version} is for {found}, this box is {board}")]
    OtherBoard {
        /// The version.
        version: Version,
        /// This box.
        board: Label,
        /// One that it is for.
        found: Label,
    },
    /// There, but in another channel.
    #[error("version {version} is in the channel {found}, this box follows {channel}")]
    OtherChannel {
        /// The version.
        version: Version,
        /// What this box follows.
        channel: Label,
        /// Where it is.
        found: Label,
    },
    /// Not above what runs.
    #[error("version {version} is not newer than {above}")]
    NotNewer {
        /// The version.
        version: Version,
        /// What runs.
        above: Version,
    },
    /// What is said of it cannot be read.
    #[error("version {version} cannot be used by this system")]
    Unreadable {
        /// The version.
        version: Version,
        /// Cause.
        #[source]
        source: CustomError,
    },
    /// It is paused.
    #[error("version {version} is held back: {why}")]
    Paused {
        /// The version.
        version: Version,
        /// As its makers say.
        why: Words,
    },
    /// The loader of this box is too old for it.
    #[error("version {version} needs boot loader {needed}, this box has {found}")]
    Loader {
        /// The version.
        version: Version,
        /// What it needs.
        needed: Version,
        /// What the box has.
        found: Version,
    },
    /// A file is not the one that was signed.
    #[error("the file is not version {version} as it was signed")]
    OtherFile {
        /// The version.
        version: Version,
    },
}

/// A repository cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file cannot be had.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Metadata was refused.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// What was accepted before cannot be read, or what is accepted now not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// More targets than anybody needs.
    #[error("the repository has more than {MAX_TARGETS} files")]
    TooManyTargets,
}

/// What a repository offers, all of it signed.
#[derive(Debug, Default)]
pub struct Catalog {
    releases: Vec<Release>,
    unreadable: Vec<(String, CustomError)>,
    /// When the first of its files expires, in seconds since 1970.
    pub expires: u64,
}

impl Catalog {
    /// Asks a source, checks every file, and remembers what was accepted. `root` is the root of the running system.
    ///
    /// # Errors
    /// Nothing is offered and nothing forgotten; the reason says whether it is worth asking again.
    pub fn load(
        source: &dyn Source,
        root: &[u8],
        store: &Store,
        clock: &Clock,
        permit: Permit,
    ) -> Result<Self, LoadError> {
        let mut check = Check::begin(root, clock, permit)?;
        follow_roots(&mut check, source, store)?;
        recall(&mut check, store)?;
        let timestamp = read_all(source, &Name::Timestamp, MAX_TIMESTAMP)?;
        let wanted_snapshot = check.timestamp(&timestamp)?;
        let snapshot = read_wanted(source, &wanted_snapshot)?;
        let wanted_targets = check.snapshot(&snapshot)?;
        let targets = read_wanted(source, &wanted_targets)?;
        check.targets(&targets)?;
        let catalog = Self::of(&check)?;
        // A bundle may have an older timestamp than the network showed: that one is still the newest.
        if check.is_newest() {
            store.keep(&wanted_targets.name, &targets)?;
            store.keep(&wanted_snapshot.name, &snapshot)?;
            store.keep(&Name::Timestamp, &timestamp)?;
            store.keep_only(&wanted_snapshot.name, &wanted_targets.name)?;
        }
        Ok(catalog)
    }

    /// What metadata says that was looked at step by step.
    ///
    /// # Errors
    /// A step was left out, or there are too many targets.
    pub fn of(check: &Check) -> Result<Self, LoadError> {
        let (targets, expires) = check.finish()?;
        if targets.targets().len() > MAX_TARGETS {
            return Err(LoadError::TooManyTargets);
        }
        let mut catalog = Self { expires, ..Self::default() };
        for (path, description) in targets.targets() {
            match Release::read(path.as_str(), description) {
                Ok(release) => catalog.releases.push(release),
                Err(error) => catalog.unreadable.push((path.as_str().to_owned(), error)),
            }
        }
        catalog.releases.sort_by(|left, right| right.version.cmp(&left.version));
        Ok(catalog)
    }

    /// All releases that this version can read, the highest version first.
    #[must_use]
    pub fn releases(&self) -> &[Release] {
        &self.releases
    }

    /// What there is for a box that runs `above`. `identity` is whatever stays the same for a box and differs between boxes.
    #[must_use]
    pub fn choose(&self, place: &Place, above: &Version, identity: &[u8]) -> Choice {
        let newer =
            |release: &&Release| release.place == *place && release.version.order(above) == Ordering::Greater;
        let offer = |release: &Release| Offer { turn: release.turn(identity), release: release.clone() };
        Choice { offers: self.releases.iter().filter(newer).map(offer).collect() }
    }

    /// One version, for a box that runs `above`; `None` where an owner asks for an older system.
    ///
    /// # Errors
    /// It is not for this box, and why.
    pub fn find(&self, place: &Place, version: &Version, above: Option<&Version>) -> Result<&Release, Unfit> {
        let mut others = self.releases.iter().filter(|release| release.version == *version);
        let Some(release) = others.clone().find(|release| release.place == *place) else {
            let version = version.clone();
            if let Some(other) = others.clone().find(|release| release.place.board == place.board) {
                let (channel, found) = (place.channel.clone(), other.place.channel.clone());
                return Err(Unfit::OtherChannel { version, channel, found });
            }
            if let Some(other) = others.next() {
                let (board, found) = (place.board.clone(), other.place.board.clone());
                return Err(Unfit::OtherBoard { version, board, found });
            }
            return Err(Unfit::Unknown { version });
        };
        if let Some(why) = &release.paused {
            return Err(Unfit::Paused { version: version.clone(), why: why.clone() });
        }
        match above {
            Some(above) if version.order(above) != Ordering::Greater => {
                Err(Unfit::NotNewer { version: version.clone(), above: above.clone() })
            }
            _newer => Ok(release),
        }
    }

    /// Targets that this version cannot read, such as those of a later format, and why.
    pub fn unreadable(&self) -> impl Iterator<Item = (&str, &CustomError)> {
        self.unreadable.iter().map(|(path, error)| (path.as_str(), error))
    }
}

impl Release {
    fn read(path: &str, description: &TargetDescription) -> Result<Self, CustomError> {
        let custom =
            Custom::decode(description.custom().iter().map(|(key, value)| (key.clone(), value.clone())))?;
        let sha256 = description.hashes().get(&HashAlgorithm::Sha256);
        let sha256 =
            sha256.and_then(|hash| Sha256::from_bytes(hash.value()).ok()).ok_or(CustomError::File)?;
        let length = description.length();
        let named = target(&custom.board, &custom.channel, &custom.version) == path;
        if !named || !(1..=MAX_SLOT).contains(&length) {
            return Err(CustomError::File);
        }
        Ok(Self {
            place: Place { board: custom.board, channel: custom.channel },
            version: custom.version,
            loader: custom.loader,
            length,
            sha256,
            rollout: custom.rollout,
            paused: custom.paused,
            notes: custom.notes,
            chunks: custom.chunks,
            remakes: custom.remakes,
        })
    }

    /// Where its slot file lies.
    #[must_use]
    pub fn slot(&self) -> Name {
        let Place { board, channel } = self.place.clone();
        Name::Slot { board, channel, version: self.version.clone(), sha256: self.sha256 }
    }

    /// Where its chunks lie, and what is signed of them.
    #[must_use]
    pub fn archive(&self) -> Option<(Name, Chunks)> {
        let Place { board, channel } = self.place.clone();
        let chunks = self.chunks?;
        Some((
            Name::Chunks { board, channel, version: self.version.clone(), header: chunks.header_sha256 },
            chunks,
        ))
    }

    /// Where what makes its programs from those of `running` lies, and what is signed of it.
    #[must_use]
    pub fn remakes_from(&self, running: &Version) -> Option<(Name, &Remakes)> {
        let Place { board, channel } = self.place.clone();
        let remakes = self.remakes.iter().find(|remakes| remakes.from == *running)?;
        let (version, header) = (self.version.clone(), remakes.header_sha256);
        Some((Name::Remakes { board, channel, version, header }, remakes))
    }

    /// Whether the boot loader that the box has is new enough, such as `257.13-1~deb13u1`.
    ///
    /// # Errors
    /// It is older than what is needed.
    pub fn starts_with(&self, loader: &Version) -> Result<(), Unfit> {
        if loader.order(&self.loader) == Ordering::Less {
            let (needed, found) = (self.loader.clone(), loader.clone());
            return Err(Unfit::Loader { version: self.version.clone(), needed, found });
        }
        Ok(())
    }

    /// Whether what passed by a hasher is this slot file.
    ///
    /// # Errors
    /// It is not.
    pub fn is_file(&self, file: Hasher) -> Result<(), Unfit> {
        if file.length() == self.length && file.finish() == self.sha256 {
            return Ok(());
        }
        Err(Unfit::OtherFile { version: self.version.clone() })
    }

    /// Whether it is a box's turn. Each version draws anew, so that nobody is always the first.
    #[must_use]
    pub fn turn(&self, identity: &[u8]) -> Turn {
        if let Some(why) = &self.paused {
            return Turn::Paused(why.clone());
        }
        let mut hasher = Hasher::default();
        hasher.update(identity);
        hasher.update(&[0]);
        hasher.update(self.version.as_str().as_bytes());
        let Sha256([a, b, c, d, e, f, g, h, ..]) = hasher.finish();
        let drawn = u64::from_be_bytes([a, b, c, d, e, f, g, h]) % 100;
        if drawn < u64::from(self.rollout) { Turn::Now } else { Turn::Later }
    }
}

impl Choice {
    /// All of them, also those that nobody may take now.
    #[must_use]
    pub fn offers(&self) -> &[Offer] {
        &self.offers
    }

    /// What may be taken: by the box when it is its turn, by an owner also before.
    #[must_use]
    pub fn take(&self, asker: Asker) -> Option<&Offer> {
        self.offers.iter().find(|offer| match (&offer.turn, asker) {
            (Turn::Now, _) | (Turn::Later, Asker::Owner) => true,
            (Turn::Later, Asker::Box) | (Turn::Paused(_), _) => false,
        })
    }
}

fn follow_roots(check: &mut Check, source: &dyn Source, store: &Store) -> Result<(), LoadError> {
    loop {
        let name = check.next_root()?;
        // One that was kept is the right one if it is signed rightly; if it is torn, the source has it too.
        if let Some(kept) = store.read(&name, MAX_ROOT)?
            && check.root(&kept).is_ok()
        {
            continue;
        }
        match read_all(source, &name, MAX_ROOT) {
            Ok(bytes) => {
                check.root(&bytes)?;
                store.keep(&name, &bytes)?;
            }
            Err(SourceError::Missing { .. }) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

fn recall(check: &mut Check, store: &Store) -> Result<(), LoadError> {
    let Some(timestamp) = store.read(&Name::Timestamp, MAX_TIMESTAMP)? else { return Ok(()) };
    let snapshot = match check.remembered_snapshot(&timestamp) {
        Some(version) => store.read(&Name::Snapshot(version), MAX_SNAPSHOT)?,
        None => None,
    };
    check.remember(&timestamp, snapshot.as_deref());
    Ok(())
}

fn read_wanted(source: &dyn Source, wanted: &Wanted) -> Result<Vec<u8>, SourceError> {
    read_all(source, &wanted.name, wanted.length)
}
