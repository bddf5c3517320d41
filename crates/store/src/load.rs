//! Reads a store's state back from its snapshots and journals. Changes nothing.
//!
//! The newest snapshot that is intact is the base; a store without snapshots begins empty with journal 0. The
//! journals that begin at the base or later are replayed in order, each frame checked against the digest of the
//! state it must lead to. The two newest snapshots are kept with all journals since the older one, so that one damaged
//! snapshot costs nothing.

use std::io;

use crate::journal;
use crate::journal::End;
use crate::journal::Journal;
use crate::layout;
use crate::layout::Listing;
use crate::medium::Medium;
use crate::recovery::Finding;
use crate::seal::Keys;
use crate::seal::Tag;
use crate::snapshot;
use crate::snapshot::Form;
use crate::snapshot::Note;
use crate::state::State;

/// What the files hold.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) state: State,
    /// Generation of the snapshot that was used, 0 for none.
    pub(crate) base: u64,
    /// Where the next frame goes; `None` where the files must be renewed first.
    pub(crate) tail: Option<Tail>,
    pub(crate) damage: Damage,
}

/// The journal to continue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tail {
    pub(crate) base: u64,
    pub(crate) length: u64,
    pub(crate) chain: Tag,
    /// Whether something behind `length` must be cut off.
    pub(crate) is_torn: bool,
}

/// What is wrong with the files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Damage {
    pub(crate) findings: Vec<Finding>,
    /// Files to put by.
    pub(crate) files: Vec<String>,
    /// Highest generation that is known to have existed.
    pub(crate) reaches: u64,
    /// Whether there may have been commits of which nothing at all is left.
    pub(crate) is_open_ended: bool,
    /// Generation after which commits were lost in an earlier recovery that nobody has heard of yet.
    pub(crate) lost_before: Option<u64>,
}

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("could not read {file}")]
    Read {
        file: String,
        #[source]
        source: io::Error,
    },
    /// There is neither an intact snapshot nor the first journal.
    #[error("no snapshot is intact")]
    NoBase { damage: Damage },
}

/// Reads everything back; files longer than `limit` are refused.
pub(crate) fn load(
    medium: &dyn Medium,
    keys: &Keys,
    listing: &Listing,
    limit: u64,
) -> Result<Loaded, LoadError> {
    let mut damage = Damage::default();
    let Some((mut state, note)) = load_base(medium, keys, listing, limit, &mut damage)? else {
        return Err(LoadError::NoBase { damage });
    };
    let base = state.index.generation;
    note_earlier_recovery(listing, base, note, &mut damage);
    let tail = replay(medium, keys, listing, limit, &mut state, &mut damage)?;
    damage.reaches = damage.reaches.max(state.index.generation);
    let tail = tail.filter(|_| damage.findings.is_empty());
    Ok(Loaded { state, base, tail, damage })
}

impl Damage {
    pub(crate) fn of_journal(&mut self, base: u64) {
        let file = layout::journal(base);
        self.findings.push(Finding::JournalDamaged { file: file.clone() });
        self.files.push(file);
        self.is_open_ended = true;
    }
}

fn load_base(
    medium: &dyn Medium,
    keys: &Keys,
    listing: &Listing,
    limit: u64,
    damage: &mut Damage,
) -> Result<Option<(State, Note)>, LoadError> {
    for generation in listing.snapshots.iter().rev().copied() {
        let file = layout::snapshot(generation);
        if let Some(bytes) = read(medium, &file, limit)?
            && let Ok((state, note)) = snapshot::decode(keys, Form::Snapshot, &bytes)
            && state.index.generation == generation
        {
            return Ok(Some((state, note)));
        }
        damage.reaches = damage.reaches.max(generation);
        damage.findings.push(Finding::SnapshotDamaged { file: file.clone() });
        damage.files.push(file);
    }
    Ok(listing.journals.contains(&0).then(|| (State::default(), Note::Routine)))
}

/// A recovery ends by clearing away older files: where some are left, nobody may have heard of it.
fn note_earlier_recovery(listing: &Listing, base: u64, note: Note, damage: &mut Damage) {
    let is_cleared = !listing.journals.iter().chain(&listing.snapshots).any(|generation| *generation < base);
    if is_cleared || note == Note::Routine {
        return;
    }
    damage.findings.push(Finding::RecoveredBefore);
    if let Note::Lost { after } = note {
        damage.lost_before = Some(after);
    }
}

fn replay(
    medium: &dyn Medium,
    keys: &Keys,
    listing: &Listing,
    limit: u64,
    state: &mut State,
    damage: &mut Damage,
) -> Result<Option<Tail>, LoadError> {
    let start = state.index.generation;
    if !listing.journals.contains(&start) {
        // A recovery writes the snapshot first: cut short between the two, there were no commits yet.
        damage.is_open_ended |= !damage.findings.contains(&Finding::RecoveredBefore);
        damage.findings.push(Finding::JournalMissing { file: layout::journal(start) });
    }
    let mut tail = None;
    let mut previous = start;
    for base in listing.journals.iter().copied().filter(|base| *base >= start) {
        damage.reaches = damage.reaches.max(base);
        let bytes = read(medium, &layout::journal(base), limit)?.unwrap_or_default();
        let Some(journal) =
            journal::parse(keys, &bytes).ok().filter(|journal| journal.base.generation == base)
        else {
            damage.reaches = damage.reaches.max(journal::evidence(keys, &bytes).unwrap_or_default());
            damage.of_journal(base);
            continue;
        };
        if !connects(&journal, state) {
            // The end of the journal before is missing, cut so cleanly that it did not show there.
            if damage.findings.is_empty() {
                damage.of_journal(previous);
            }
            damage.reaches = damage.reaches.max(journal::evidence(keys, &bytes).unwrap_or_default());
            continue;
        }
        previous = base;
        tail = replay_one(keys, journal, state, damage);
    }
    Ok(tail)
}

fn connects(journal: &Journal, state: &State) -> bool {
    (journal.base.generation, journal.base.digest) == (state.index.generation, state.index.digest)
}

fn replay_one(keys: &Keys, journal: Journal, state: &mut State, damage: &mut Damage) -> Option<Tail> {
    let base = journal.base.generation;
    for frame in journal.frames {
        if state.index.foresee(keys, &frame.changes).digest != frame.digest {
            damage.reaches = damage.reaches.max(frame.generation);
            damage.of_journal(base);
            return None;
        }
        state.apply(keys, frame.changes);
    }
    if let End::Damaged { reaches } = journal.end {
        damage.reaches = damage.reaches.max(reaches);
        damage.of_journal(base);
    }
    let is_torn = journal.end == End::Torn;
    Some(Tail { base, length: journal.length, chain: journal.chain, is_torn })
}

/// Reads a file; `None` where the disk has lost its contents.
fn read(medium: &dyn Medium, file: &str, limit: u64) -> Result<Option<Vec<u8>>, LoadError> {
    match medium.read(file, limit) {
        Ok(bytes) => Ok(Some(bytes)),
        // A bad sector is damage like any other. Everything else (rights, memory, handles) says nothing about the
        // contents and must not lead to a file being given up.
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => Ok(None),
        Err(source) => Err(LoadError::Read { file: file.to_owned(), source }),
    }
}
