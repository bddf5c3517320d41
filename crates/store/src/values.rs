//! Where the sealed values of an open store are.

use std::collections::BTreeMap;

use crate::name::RecordName;
use crate::sled_guard::SledFault;
use crate::sled_index::SledIndex;
use crate::state::Change;
use crate::state::change_values;

/// The sealed values of an open store.
#[derive(Debug)]
pub(crate) enum Values {
    /// In sled, as always while it works.
    Sled(SledIndex),
    /// In memory, after sled failed and until the store is opened again.
    Memory(BTreeMap<RecordName, Vec<u8>>),
    /// Nowhere: sled failed, and then the journal or snapshot did.
    Gone,
}

impl Values {
    /// Returns the sealed value of a record.
    pub(crate) fn get(&self, name: &RecordName) -> Result<Option<Vec<u8>>, SledFault> {
        match self {
            Self::Sled(index) => index.get(name),
            Self::Memory(values) => Ok(values.get(name).cloned()),
            Self::Gone => Err(SledFault::Differs),
        }
    }

    /// Makes changes.
    pub(crate) fn apply(&mut self, changes: Vec<Change>) -> Result<(), SledFault> {
        match self {
            Self::Sled(index) => index.apply(&changes),
            Self::Memory(values) => {
                change_values(values, changes);
                Ok(())
            }
            Self::Gone => Err(SledFault::Differs),
        }
    }
}
