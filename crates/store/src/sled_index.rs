//! Sealed records in sled: the index that reads go to.
//!
//! sled holds one tree from record names to sealed values and is never asked to be durable. Faults come back as
//! [`SledFault`]; after one the index must be given up by dropping it, which runs none of sled's code.

use std::mem::ManuallyDrop;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use crate::name::RecordName;
use crate::seal::Digest;
use crate::seal::Keys;
use crate::seal::sealed_generation;
use crate::sled_guard::PATIENCE;
use crate::sled_guard::SledFault;
use crate::sled_guard::survive;
use crate::sled_guard::survive_apart;
use crate::sled_guard::survive_detached;
use crate::state::Change;
use crate::state::State;

/// Memory for pages that sled has read, in bytes.
const CACHE_BYTES: u64 = 8 << 20;
/// How many records are put in one step while the index is filled.
const FILL_RECORDS: usize = 256;

/// sled, opened.
///
/// Dropping it leaks the handle on purpose: the destructor of a sled that has failed would write, panic or hang.
/// [`SledIndex::close`] is the orderly way.
#[derive(Debug)]
pub(crate) struct SledIndex {
    db: ManuallyDrop<sled::Db>,
}

impl SledIndex {
    /// Makes a new index of all records of a state, in a folder that does not exist yet.
    pub(crate) fn create(path: &Path, state: &Arc<State>) -> Result<Self, SledFault> {
        let (path, state) = (path.to_owned(), Arc::clone(state));
        survive_apart(PATIENCE, move || {
            let index = Self::open_here(path)?;
            let records: Vec<_> = state.values.iter().collect();
            for some in records.chunks(FILL_RECORDS) {
                let mut batch = sled::Batch::default();
                some.iter().for_each(|(name, sealed)| batch.insert(name.as_bytes(), sealed.as_slice()));
                index.db.apply_batch(batch)?;
            }
            index.db.flush()?;
            Ok(index)
        })
    }

    /// Opens an index whose files are known to be as they were closed, and compares it with a state.
    pub(crate) fn open(path: &Path, state: &Arc<State>) -> Result<Self, SledFault> {
        let (path, state) = (path.to_owned(), Arc::clone(state));
        survive_apart(PATIENCE, move || {
            let index = Self::open_here(path)?;
            let mut expected = state.values.iter();
            for record in &**index.db {
                let (name, sealed) = record?;
                let same = |(known, value): (&RecordName, &Vec<u8>)| {
                    known.as_bytes() == name.as_ref() && value.as_slice() == sealed.as_ref()
                };
                if !expected.next().is_some_and(same) {
                    return Err(SledFault::Differs);
                }
            }
            if expected.next().is_some() {
                return Err(SledFault::Differs);
            }
            Ok(index)
        })
    }

    /// Reads a whole state out of an index that is known to hold the state of this generation and digest.
    pub(crate) fn rescue(
        path: &Path,
        keys: &Keys,
        generation: u64,
        digest: Digest,
    ) -> Result<State, SledFault> {
        let (path, keys) = (path.to_owned(), keys.clone());
        survive_apart(PATIENCE, move || {
            let index = Self::open_here(path)?;
            let mut state = State::default();
            for record in &**index.db {
                let (name, sealed) = record?;
                let name = RecordName::parse(&name).ok_or(SledFault::Differs)?;
                let written = sealed_generation(&sealed).ok_or(SledFault::Differs)?;
                state.add(&keys, name, written, sealed.to_vec());
            }
            index.close_here()?;
            state.index.generation = generation;
            if state.index.digest == digest { Ok(state) } else { Err(SledFault::Differs) }
        })
    }

    /// Returns the sealed value of a record.
    pub(crate) fn get(&self, name: &RecordName) -> Result<Option<Vec<u8>>, SledFault> {
        survive(|| Ok(self.db.get(name.as_bytes())?.map(|sealed| sealed.to_vec())))
    }

    /// Makes changes in one step.
    pub(crate) fn apply(&self, changes: &[Change]) -> Result<(), SledFault> {
        survive(|| {
            let mut batch = sled::Batch::default();
            for (name, sealed) in changes {
                match sealed {
                    Some(sealed) => batch.insert(name.as_bytes(), sealed.as_slice()),
                    None => batch.remove(name.as_bytes()),
                }
            }
            Ok(self.db.apply_batch(batch)?)
        })
    }

    /// Hands everything to the kernel and closes sled.
    pub(crate) fn close(self) -> Result<(), SledFault> {
        survive_apart(PATIENCE, move || self.close_here())
    }

    /// Lets go of a sled to which the disk said no, so that its space is free again. It then writes nothing more;
    /// after a panic its destructor could end the process, so that one stays leaked.
    pub(crate) fn let_go(self) {
        survive_detached(move || drop(ManuallyDrop::into_inner(self.db)));
    }

    fn open_here(path: PathBuf) -> Result<Self, SledFault> {
        let config = sled::Config::new()
            .path(path)
            .cache_capacity(CACHE_BYTES)
            .mode(sled::Mode::LowSpace)
            // No thread of its own that writes now and then: cards wear, and the journal is what is durable.
            .flush_every_ms(None);
        Ok(Self { db: ManuallyDrop::new(config.open()?) })
    }

    fn close_here(self) -> Result<(), SledFault> {
        self.db.flush()?;
        drop(ManuallyDrop::into_inner(self.db));
        Ok(())
    }
}
