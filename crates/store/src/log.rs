//! Appends commits to the journal, and replaces it by a snapshot when it has become long.
//!
//! ```text
//! rotation at G:  journal-G (empty, aside, sync, rename, sync)  →  snapshot-G (same)  →  read back and compared
//!                 →  commits go to journal-G  →  everything older than the previous snapshot is removed
//! ```
//!
//! The journal comes first so that a snapshot never exists without the journal that continues it: one that does was
//! lost. A step that fails is undone, and where that fails too the log stops: going on in the old journal while the
//! new one may exist would fork history.

use std::error::Error;
use std::io;
use std::sync::Arc;

use crate::CommitError;
use crate::Limits;
use crate::journal;
use crate::journal::Base;
use crate::layout;
use crate::layout::Listing;
use crate::limits::JOURNAL_STRETCH;
use crate::load;
use crate::load::Damage;
use crate::load::LoadError;
use crate::load::Loaded;
use crate::load::Tail;
use crate::medium::Medium;
use crate::medium::MediumFile;
use crate::medium::publish;
use crate::seal::Keys;
use crate::seal::Tag;
use crate::snapshot;
use crate::snapshot::Form;
use crate::snapshot::Note;
use crate::state::Change;
use crate::state::Index;
use crate::state::State;
use crate::state::Summary;

/// The journal that is being written.
pub(crate) struct Log {
    medium: Arc<dyn Medium>,
    keys: Keys,
    limits: Limits,
    file: Box<dyn MediumFile>,
    base: u64,
    length: u64,
    chain: Tag,
    /// Length beyond which a snapshot is due.
    due: u64,
    is_stopped: bool,
}

/// Why a snapshot was not written; the journal goes on as before unless the log has stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RotateError {
    #[error("could not list the files")]
    List {
        #[source]
        source: io::Error,
    },
    #[error("could not read back the present state")]
    Load {
        #[source]
        source: LoadError,
    },
    #[error("files do not hold the present state")]
    Differs,
    #[error("could not write {file}")]
    Write {
        file: String,
        #[source]
        source: io::Error,
    },
    #[error("{file} does not read back as it was written")]
    NotVerified { file: String },
}

impl Log {
    /// Begins the first journal of a new store.
    pub(crate) fn create(medium: Arc<dyn Medium>, keys: Keys, limits: Limits) -> io::Result<Self> {
        let (header, chain) =
            journal::encode_header(&keys, Base { generation: 0, digest: Default::default() });
        let file = publish(&*medium, &layout::journal(0), |write| write(&header))?;
        Ok(Self::at(medium, keys, limits, file, (0, header.len() as u64, chain)))
    }

    /// Continues a journal, after cutting off what was never acknowledged.
    pub(crate) fn resume(
        medium: Arc<dyn Medium>,
        keys: Keys,
        limits: Limits,
        tail: &Tail,
    ) -> io::Result<Self> {
        let file = medium.open(&layout::journal(tail.base))?;
        if tail.is_torn {
            file.set_length(tail.length)?;
            file.sync()?;
        }
        // The bytes that were read may be in the page cache only: what is built on must be on the disk.
        file.sync()?;
        Ok(Self::at(medium, keys, limits, file, (tail.base, tail.length, tail.chain)))
    }

    /// Begins anew from a state that was recovered, and puts damaged files by.
    pub(crate) fn renew(
        medium: Arc<dyn Medium>,
        keys: Keys,
        limits: Limits,
        state: &State,
        note: Note,
        damage: &Damage,
    ) -> Result<Self, RotateError> {
        let generation = state.index.generation;
        // The snapshot first: until it is there, the damaged files still tell what happened.
        write_snapshot(&*medium, &keys, state, note)?;
        let (file, length, chain) = begin_journal(&*medium, &keys, &state.index)?;
        put_by(&*medium, damage);
        remove_older(&*medium, generation);
        Ok(Self::at(medium, keys, limits, file, (generation, length, chain)))
    }

    /// Writes a state into an empty folder, which is to take the place of the one of `medium`, and continues it there.
    pub(crate) fn begin_aside(
        aside: &dyn Medium,
        medium: Arc<dyn Medium>,
        keys: Keys,
        limits: Limits,
        state: &State,
    ) -> Result<Self, RotateError> {
        write_snapshot(aside, &keys, state, Note::Routine)?;
        let (file, length, chain) = begin_journal(aside, &keys, &state.index)?;
        Ok(Self::at(medium, keys, limits, file, (state.index.generation, length, chain)))
    }

    fn at(
        medium: Arc<dyn Medium>,
        keys: Keys,
        limits: Limits,
        file: Box<dyn MediumFile>,
        (base, length, chain): (u64, u64, Tag),
    ) -> Self {
        let due = limits.journal_bytes;
        Self { medium, keys, limits, file, base, length, chain, due, is_stopped: false }
    }

    /// Puts a commit on the disk.
    pub(crate) fn append(&mut self, after: &Summary, changes: &[Change]) -> Result<(), CommitError> {
        if self.is_stopped {
            return Err(CommitError::Stopped);
        }
        let (frame, tag) = journal::encode_commit(&self.keys, &self.chain, after, changes);
        if self.length > JOURNAL_STRETCH * self.limits.journal_bytes.max(after.bytes) {
            return Err(CommitError::Write { file: self.name(), source: io::ErrorKind::FileTooLarge.into() });
        }
        if let Err(source) = self.file.write_at(self.length, &frame) {
            self.is_stopped = self.file.set_length(self.length).is_err();
            return Err(CommitError::Write { file: self.name(), source });
        }
        if let Err(source) = self.file.sync() {
            // The kernel may have dropped the pages and would call the next fdatasync a success.
            self.is_stopped = true;
            return Err(CommitError::Unconfirmed { file: self.name(), source });
        }
        self.length += frame.len() as u64;
        self.chain = tag;
        let acknowledgement = journal::encode_acknowledgement(&self.keys, &self.chain, after);
        if let Err(error) = self.file.write_at(self.length, &acknowledgement) {
            // It only sharpens the judgement of later damage.
            tracing::debug!(file = self.name(), error = &error as &dyn Error, "acknowledgement not written");
        }
        Ok(())
    }

    /// Says whether a snapshot is due; never for a journal that is shorter than what it would be replaced by.
    pub(crate) fn is_long(&self, present: &Summary) -> bool {
        !self.is_stopped && self.length > self.due.max(present.bytes)
    }

    /// Replaces the journal by a snapshot.
    pub(crate) fn rotate(&mut self, present: &Summary) -> Result<(), RotateError> {
        // Should it fail, the next try is a while off: it reads and writes the whole state.
        self.due = self.length.saturating_add(self.limits.journal_bytes);
        let loaded = self.read_present(present)?;
        let begun = begin_journal(&*self.medium, &self.keys, &loaded.state.index).and_then(|journal| {
            write_snapshot(&*self.medium, &self.keys, &loaded.state, Note::Routine)?;
            Ok(journal)
        });
        if begun.is_err() {
            self.is_stopped = !withdraw(&*self.medium, present.generation);
        }
        let (file, length, chain) = begun?;
        remove_older(&*self.medium, loaded.base);
        let (medium, keys) = (Arc::clone(&self.medium), self.keys.clone());
        *self = Self::at(medium, keys, self.limits, file, (present.generation, length, chain));
        Ok(())
    }

    /// Reads the state back from the files, which must be intact and hold this one.
    pub(crate) fn read_whole(&self, present: &Summary) -> Result<State, RotateError> {
        self.read_present(present).map(|loaded| loaded.state)
    }

    fn read_present(&self, present: &Summary) -> Result<Loaded, RotateError> {
        let loaded = self.read_back()?;
        let is_whole = loaded.state.index.summary() == *present && loaded.damage.findings.is_empty();
        if is_whole { Ok(loaded) } else { Err(RotateError::Differs) }
    }

    /// Reads the state back from the files.
    pub(crate) fn read_back(&self) -> Result<Loaded, RotateError> {
        let names = self.medium.names().map_err(|source| RotateError::List { source })?;
        load::load(&*self.medium, &self.keys, &Listing::new(names), self.limits.file_bytes())
            .map_err(|source| RotateError::Load { source })
    }

    /// Takes no more commits until the store is opened again.
    pub(crate) fn stop(&mut self) {
        self.is_stopped = true;
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    fn name(&self) -> String {
        layout::journal(self.base)
    }
}

/// Writes an empty journal; returns it, its length and its tag.
fn begin_journal(
    medium: &dyn Medium,
    keys: &Keys,
    index: &Index,
) -> Result<(Box<dyn MediumFile>, u64, Tag), RotateError> {
    let file = layout::journal(index.generation);
    let base = Base { generation: index.generation, digest: index.digest };
    let (header, chain) = journal::encode_header(keys, base);
    match publish(medium, &file, |write| write(&header)) {
        Ok(opened) => Ok((opened, header.len() as u64, chain)),
        Err(source) => Err(RotateError::Write { file, source }),
    }
}

/// Writes a snapshot and reads it back.
fn write_snapshot(medium: &dyn Medium, keys: &Keys, state: &State, note: Note) -> Result<(), RotateError> {
    let file = layout::snapshot(state.index.generation);
    if let Err(source) =
        publish(medium, &file, |write| snapshot::encode(keys, Form::Snapshot, state, note, write))
    {
        return Err(RotateError::Write { file, source });
    }
    let read_back = medium
        .read(&file, u64::MAX)
        .ok()
        .and_then(|bytes| snapshot::decode(keys, Form::Snapshot, &bytes).ok());
    match read_back {
        Some((read, _)) if read == *state => Ok(()),
        Some(_) | None => Err(RotateError::NotVerified { file }),
    }
}

/// Undoes a beginning that failed, the snapshot first (see the page's head); says whether that is certain.
fn withdraw(medium: &dyn Medium, generation: u64) -> bool {
    [layout::snapshot(generation), layout::journal(generation)].iter().all(|name| {
        let removed = match medium.remove(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        };
        removed.and_then(|()| medium.sync_names()).is_ok()
    })
}

/// Keeps damaged files under another name, a few of them.
fn put_by(medium: &dyn Medium, damage: &Damage) {
    for file in &damage.files {
        let kept = format!("{file}{}", layout::DAMAGED);
        if let Err(error) = medium.rename(file, &kept) {
            tracing::warn!(file, error = &error as &dyn Error, "damaged file could not be put by");
        }
    }
    let Ok(names) = medium.names() else { return };
    let damaged = Listing::new(names).damaged;
    for file in damaged.iter().rev().skip(layout::DAMAGED_KEPT) {
        remove(medium, file);
    }
}

/// Removes journals and snapshots from before a generation.
fn remove_older(medium: &dyn Medium, generation: u64) {
    let Ok(names) = medium.names() else { return };
    let listing = Listing::new(names);
    for older in listing.journals.iter().filter(|base| **base < generation) {
        remove(medium, &layout::journal(*older));
    }
    for older in listing.snapshots.iter().filter(|older| **older < generation) {
        remove(medium, &layout::snapshot(*older));
    }
    if let Err(error) = medium.sync_names() {
        tracing::debug!(error = &error as &dyn Error, "removal of old files not confirmed");
    }
}

/// Removes a file that is no longer needed; one that stays is removed next time.
fn remove(medium: &dyn Medium, file: &str) {
    if let Err(error) = medium.remove(file) {
        tracing::debug!(file, error = &error as &dyn Error, "old file could not be removed");
    }
}
