//! Opening: from the files of a folder to a log that can be continued and values that can be read.

mod error;

pub use error::OpenError;

use std::error::Error;
use std::fs::DirBuilder;
use std::fs::File;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
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
use crate::load::Tail;
use crate::log::Log;
use crate::log::RotateError;
use crate::medium::Medium;
use crate::medium::parent_of;
use crate::recovery::Finding;
use crate::recovery::KeyUsed;
use crate::recovery::Loss;
use crate::recovery::Recovery;
use crate::seal::Keys;
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

/// What is to be opened.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    /// Where sled's folder is, `None` to keep the values in memory.
    pub(crate) sled: Option<&'a Path>,
    pub(crate) key: &'a StoreKey,
    /// The key that the store may have changed to.
    pub(crate) next_key: Option<&'a StoreKey>,
    pub(crate) limits: Limits,
}

/// Says, from the state that was read and before anything is changed in the folder, whether to go on.
pub(crate) type Gate<'a> = &'a mut dyn FnMut(&Keys, &State) -> Result<(), OpenError>;

/// What opening leads to.
pub(crate) struct Parts {
    pub(crate) keys: Keys,
    pub(crate) key_used: KeyUsed,
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
        File::open(parent_of(path)).and_then(|parent| parent.sync_all()).map_err(failed)?;
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

/// Opens what is in a folder.
pub(crate) fn open(
    medium: &Arc<dyn Medium>,
    request: Request<'_>,
    gate: Gate<'_>,
) -> Result<Parts, OpenError> {
    let names = medium.names().map_err(|source| OpenError::Read { file: ".".to_owned(), source })?;
    let listing = Listing::new(names);
    let Request { sled, limits, .. } = request;
    let (keys, key_used, log, state, mut recovery, claim) = if listing.is_new() {
        let (keys, log) = create(medium, request, gate)?;
        let nothing = Recovery { findings: Vec::new(), loss: Loss::None };
        (keys, KeyUsed::Present, log, State::default(), nothing, None)
    } else {
        let (keys, key_used) = find_keys(&**medium, &listing, request)?;
        let claim = check_sled(&**medium, &listing, &keys, sled);
        let found = find_state(&**medium, sled, &keys, limits, &listing, claim.as_ref())?;
        gate(&keys, &found.state)?;
        let (log, state, mut recovery) = resume(medium, &keys, limits, found)?;
        let claim = match claim {
            Some(Ok(claim)) => Some(claim),
            Some(Err(fault)) => {
                recovery.findings.push(put_by(sled, &fault));
                None
            }
            None => None,
        };
        (keys, key_used, log, state, recovery, claim)
    };
    clear_aside(&**medium, &listing);
    let state = Arc::new(state);
    let values = match sled {
        Some(folder) => open_sled(&**medium, &listing, folder, claim, &state, &mut recovery),
        None => Values::Memory(state.values.clone()),
    };
    let recovered = (!recovery.findings.is_empty()).then_some(recovery);
    Ok(Parts { keys, key_used, log, index: state.index.clone(), values, recovered })
}

fn create(medium: &Arc<dyn Medium>, request: Request<'_>, gate: Gate<'_>) -> Result<(Keys, Log), OpenError> {
    let keys = Keys::generate(request.key).map_err(|source| OpenError::Random { source })?;
    gate(&keys, &State::default())?;
    let log = Log::create(Arc::clone(medium), keys.clone(), request.limits)
        .map_err(|source| OpenError::Write { file: layout::journal(0), source })?;
    Ok((keys, log))
}

/// Learns the store's identity from the first file that fits a key.
fn find_keys(
    medium: &dyn Medium,
    listing: &Listing,
    request: Request<'_>,
) -> Result<(Keys, KeyUsed), OpenError> {
    let journals = listing.journals.iter().rev().map(|base| (Kind::Journal, layout::journal(*base)));
    let snapshots = listing.snapshots.iter().rev().map(|number| (Kind::Snapshot, layout::snapshot(*number)));
    let seal = listing.has_sled_seal.then(|| (Kind::SledSeal, layout::SLED_SEAL.to_owned()));
    let next = request.next_key.map(|next| (next, KeyUsed::Next));
    let candidates: Vec<_> = [(request.key, KeyUsed::Present)].into_iter().chain(next).collect();
    let mut refused = OpenError::Damaged;
    for (kind, file) in journals.chain(snapshots).chain(seal) {
        let bytes = match medium.read(&file, request.limits.file_bytes()) {
            Ok(bytes) => bytes,
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => continue,
            Err(source) => return Err(OpenError::Read { file, source }),
        };
        let mut reader = Reader::new(bytes.get(..PREAMBLE_BYTES).unwrap_or_default());
        let Some(preamble) = Preamble::read(kind, &mut reader) else { continue };
        if preamble.version > VERSION {
            refused = OpenError::Version { version: preamble.version };
            continue;
        }
        let mut with_keys = candidates.iter().map(|(key, used)| (Keys::new(key, preamble.store), *used));
        if let Some(found) = with_keys.find(|(keys, _)| preamble == Preamble::of(keys)) {
            return Ok(found);
        }
        if matches!(refused, OpenError::Damaged) {
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

/// What the files hold.
struct Found {
    state: State,
    tail: Option<Tail>,
    damage: Damage,
}

/// Reads the state back, from sled where it holds more than the damaged files do.
fn find_state(
    medium: &dyn Medium,
    sled: Option<&Path>,
    keys: &Keys,
    limits: Limits,
    listing: &Listing,
    claim: Option<&Result<Claim, SledFault>>,
) -> Result<Found, OpenError> {
    let claim = claim.and_then(|claim| claim.as_ref().ok().copied());
    let (mut state, tail, mut damage) = match load::load(medium, keys, listing, limits.file_bytes()) {
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
    let state = state.ok_or(OpenError::Damaged)?;
    // sled's folder is sealed at the very last commit: what it agrees with is complete.
    damage.is_open_ended &= claim.is_none_or(|claim| claim.generation != state.index.generation);
    Ok(Found { state, tail, damage })
}

/// Prepares the log: goes on where the files end, or begins anew where they were damaged.
fn resume(
    medium: &Arc<dyn Medium>,
    keys: &Keys,
    limits: Limits,
    found: Found,
) -> Result<(Log, State, Recovery), OpenError> {
    let Found { mut state, tail, damage } = found;
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
        Loss::None | Loss::Unknown => Note::Recovered,
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
    if let Err(error) = medium.remove_aside() {
        tracing::debug!(error = &error as &dyn Error, "unfinished folder could not be removed");
    }
    for file in &listing.aside {
        if let Err(error) = medium.remove(file) {
            tracing::debug!(file, error = &error as &dyn Error, "unfinished file could not be removed");
        }
    }
}
