//! Opening: from the files of a folder to a log that can be continued and values that can be read.

use std::error::Error;

use std::fs::DirBuilder;
use std::fs::File;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::FlockOperation;

use crate::Generation;
use crate::Limits;
use crate::StoreKey;
use crate::layout;
use crate::layout::Listing;
use crate::load;
use crate::load::Damage;
use crate::load::LoadError;
use crate::load::Loaded;
use crate::log::Log;
use crate::log::RotateError;
use crate::medium::Medium;
use crate::recovery::Finding;
use crate::recovery::Loss;
use crate::recovery::Recovery;
use crate::seal::Keys;
use crate::seal::StoreId;
use crate::sled_folder;
use crate::sled_folder::Claim;
use crate::sled_guard::SledFault;
use crate::sled_index::SledIndex;
use crate::snapshot::Note;
use crate::state::Index;
use crate::state::State;
use crate::values::Values;
use crate::wire::Kind;
use crate::wire::PREAMBLE_BYTES;
use crate::wire::Preamble;
use crate::wire::Reader;
use crate::wire::VERSION;

/// No recovery goes beyond this generation; a thousand commits a second take 100 million years to get there.
const GENERATION_MAX: u64 = 1 << 62;

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

/// What opening leads to.
pub(crate) struct Parts {
    pub(crate) keys: Keys,
    pub(crate) log: Log,
    pub(crate) index: Index,
    pub(crate) values: Values,
    pub(crate) recovered: Option<Recovery>,
}

/// Makes the folder where there is none, and locks it for as long as the file lives.
pub(crate) fn lock_folder(path: &Path) -> Result<File, OpenError> {
    let failed = |source| OpenError::Folder { path: path.to_owned(), source };
    if !path.is_dir() {
        DirBuilder::new().mode(0o700).create(path).map_err(failed)?;
        let parent =
            path.parent().filter(|parent| *parent != Path::new("")).unwrap_or_else(|| Path::new("."));
        File::open(parent).and_then(|parent| parent.sync_all()).map_err(failed)?;
    }
    let lock = path.join(layout::LOCK);
    let file =
        File::options().write(true).create(true).truncate(false).mode(0o600).open(lock).map_err(failed)?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(OpenError::InUse { path: path.to_owned() }),
        Err(error) => Err(failed(error.into())),
    }
}

/// Opens what is in a folder; `sled` is where sled's folder is, `None` to keep the values in memory.
pub(crate) fn open(
    medium: &Arc<dyn Medium>,
    sled: Option<&Path>,
    key: &StoreKey,
    limits: Limits,
) -> Result<Parts, OpenError> {
    let names = medium.names().map_err(|source| OpenError::Read { file: ".".to_owned(), source })?;
    let listing = Listing::new(names);
    let (keys, log, state, mut recovery, claim) = if listing.is_new() {
        let (keys, log) = create(medium, key, limits)?;
        (keys, log, State::default(), Recovery { findings: Vec::new(), loss: Loss::None }, None)
    } else {
        let keys = find_keys(&**medium, &listing, key, limits)?;
        let claim = check_sled(&**medium, &listing, &keys, sled);
        let (log, state, mut recovery) = recover(medium, sled, &keys, limits, &listing, claim.as_ref())?;
        let claim = match claim {
            Some(Ok(claim)) => Some(claim),
            Some(Err(fault)) => {
                recovery.findings.push(put_by(sled, &fault));
                None
            }
            None => None,
        };
        (keys, log, state, recovery, claim)
    };
    clear_aside(&**medium, &listing);
    let state = Arc::new(state);
    let values = match sled {
        Some(folder) => open_sled(&**medium, &listing, folder, claim, &state, &mut recovery),
        None => Values::Memory(state.values.clone()),
    };
    let recovered = (!recovery.findings.is_empty()).then_some(recovery);
    Ok(Parts { keys, log, index: state.index.clone(), values, recovered })
}

fn create(medium: &Arc<dyn Medium>, key: &StoreKey, limits: Limits) -> Result<(Keys, Log), OpenError> {
    let mut id = StoreId::default();
    getrandom::fill(&mut id).map_err(|source| OpenError::Random { source })?;
    let keys = Keys::new(key, id);
    let log = Log::create(Arc::clone(medium), keys.clone(), limits)
        .map_err(|source| OpenError::Write { file: layout::journal(0), source })?;
    Ok((keys, log))
}

/// Learns the store's identity from the first file that fits the key.
fn find_keys(
    medium: &dyn Medium,
    listing: &Listing,
    key: &StoreKey,
    limits: Limits,
) -> Result<Keys, OpenError> {
    let journals = listing.journals.iter().rev().map(|base| (Kind::Journal, layout::journal(*base)));
    let snapshots = listing.snapshots.iter().rev().map(|number| (Kind::Snapshot, layout::snapshot(*number)));
    let seal = listing.has_sled_seal.then(|| (Kind::SledSeal, layout::SLED_SEAL.to_owned()));
    let mut refused = OpenError::Damaged;
    for (kind, file) in journals.chain(snapshots).chain(seal) {
        let bytes = match medium.read(&file, limits.file_bytes()) {
            Ok(bytes) => bytes,
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => continue,
            Err(source) => return Err(OpenError::Read { file, source }),
        };
        let mut reader = Reader::new(bytes.get(..PREAMBLE_BYTES).unwrap_or_default());
        let Some(preamble) = Preamble::read(kind, &mut reader) else { continue };
        let keys = Keys::new(key, preamble.store);
        if preamble.version > VERSION {
            refused = OpenError::Version { version: preamble.version };
        } else if preamble == Preamble::of(&keys) {
            return Ok(keys);
        } else if matches!(refused, OpenError::Damaged) {
            refused = OpenError::WrongKey;
        }
    }
    Err(refused)
}

/// Returns what sled's folder holds, where it was closed in order.
fn check_sled(
    medium: &dyn Medium,
    listing: &Listing,
    keys: &Keys,
    sled: Option<&Path>,
) -> Option<Result<Claim, SledFault>> {
    listing.has_sled_seal.then_some(())?;
    Some(sled_folder::check(medium, keys, sled?))
}

/// Reads the state back, from sled where it holds more than the damaged files do, and prepares the log.
fn recover(
    medium: &Arc<dyn Medium>,
    sled: Option<&Path>,
    keys: &Keys,
    limits: Limits,
    listing: &Listing,
    claim: Option<&Result<Claim, SledFault>>,
) -> Result<(Log, State, Recovery), OpenError> {
    let claim = claim.and_then(|claim| claim.as_ref().ok().copied());
    let (mut state, tail, mut damage) = match load::load(&**medium, keys, listing, limits.file_bytes()) {
        Ok(Loaded { state, tail, damage, .. }) => (Some(state), tail, damage),
        Err(LoadError::NoBase { damage }) => (None, None, damage),
        Err(LoadError::Read { file, source }) => return Err(OpenError::Read { file, source }),
    };
    let head = state.as_ref().map(|state| state.index.generation);
    if let (Some(folder), Some(claim)) = (sled, claim)
        && head.is_none_or(|head| claim.generation > head)
    {
        damage.reaches = damage.reaches.max(claim.generation);
        if damage.findings.is_empty() {
            damage.of_journal(listing.journals.last().copied().unwrap_or_default());
        }
        match SledIndex::rescue(folder, keys, claim.generation, claim.digest) {
            Ok(rescued) => state = Some(rescued),
            Err(fault) => damage.findings.push(Finding::SledUnusable { reason: fault.in_words() }),
        }
    }
    let mut state = state.ok_or(OpenError::Damaged)?;
    // sled's folder is sealed at the very last commit: what it agrees with is complete.
    damage.is_open_ended &= claim.is_none_or(|claim| claim.generation != state.index.generation);
    let loss = loss_of(&state, &damage);
    let log = match tail.filter(|_| damage.findings.is_empty()) {
        Some(tail) => Log::resume(Arc::clone(medium), keys.clone(), limits, &tail)
            .map_err(|source| OpenError::Write { file: layout::journal(tail.base), source })?,
        None => renew(medium, keys, limits, &mut state, &damage, loss)?,
    };
    Ok((log, state, Recovery { findings: damage.findings, loss }))
}

fn loss_of(state: &State, damage: &Damage) -> Loss {
    let is_short = damage.is_open_ended || damage.reaches > state.index.generation;
    let now = is_short.then_some(state.index.generation);
    match [now, damage.lost_before].into_iter().flatten().min() {
        Some(after) => Loss::After(Generation(after)),
        None => Loss::None,
    }
}

fn renew(
    medium: &Arc<dyn Medium>,
    keys: &Keys,
    limits: Limits,
    state: &mut State,
    damage: &Damage,
    loss: Loss,
) -> Result<Log, OpenError> {
    let failed = |source: RotateError| OpenError::Renew { source: Box::new(source) };
    let note = match loss {
        Loss::None => Note::Recovered,
        Loss::After(Generation(after)) => Note::Lost { after },
    };
    // File names are not authenticated, and no store has seen that many commits.
    if damage.reaches >= GENERATION_MAX {
        return Err(OpenError::Damaged);
    }
    // Beyond everything that existed, so that no generation is ever used for two states.
    state.index.generation = damage.reaches.max(state.index.generation) + 1;
    Log::renew(Arc::clone(medium), keys.clone(), limits, state, note, damage).map_err(failed)
}

/// Opens sled where its folder holds this state, else makes a new one.
fn open_sled(
    medium: &dyn Medium,
    listing: &Listing,
    folder: &Path,
    claim: Option<Claim>,
    state: &Arc<State>,
    recovery: &mut Recovery,
) -> Values {
    let opened = (|| {
        if listing.has_sled_seal {
            sled_folder::unseal(medium).map_err(|source| SledFault::Folder { source })?;
        }
        if claim.is_some_and(|claim| claim.digest == state.index.digest) {
            match SledIndex::open(folder, state) {
                Ok(index) => return Ok(index),
                Err(fault) => recovery.findings.push(put_by(Some(folder), &fault)),
            }
        }
        sled_folder::remove(folder).map_err(|source| SledFault::Folder { source })?;
        SledIndex::create(folder, state)
    })();
    match opened {
        Ok(index) => Values::Sled(index),
        Err(fault) => {
            recovery.findings.push(Finding::SledUnusable { reason: fault.in_words() });
            Values::Memory(state.values.clone())
        }
    }
}

/// Puts sled's folder by, or removes it where only the disk failed it, and says so.
pub(crate) fn put_by(folder: Option<&Path>, fault: &SledFault) -> Finding {
    let reason = fault.in_words();
    let cleared = match folder {
        Some(folder) if fault.is_of_the_disk() => sled_folder::remove(folder).map(|()| None),
        Some(folder) => sled_folder::put_by(folder),
        None => Ok(None),
    };
    let kept_in = cleared.unwrap_or_else(|error| {
        tracing::warn!(error = &error as &dyn Error, "sled's folder could not be cleared away");
        None
    });
    if fault.is_of_the_disk() {
        Finding::SledUnusable { reason }
    } else {
        Finding::SledDamaged { reason, kept_in }
    }
}

/// Removes what was being written when the power went.
fn clear_aside(medium: &dyn Medium, listing: &Listing) {
    for file in &listing.aside {
        if let Err(error) = medium.remove(file) {
            tracing::debug!(file, error = &error as &dyn Error, "unfinished file could not be removed");
        }
    }
}
