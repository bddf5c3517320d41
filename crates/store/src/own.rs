//! The records that a store keeps about itself, in a table that its users cannot name.
//!
//! They are records like all others: sealed, chained, in every snapshot, committed whole or not at all.
//!
//! | key | value |
//! |---|---|
//! | `epoch` | kind (1), number (8): see [`crate::anchor`] |
//! | `schema` | number (4), oldest program that may still use it (4): see [`crate::schema`] |

use std::collections::BTreeMap;

use crate::batch::CheckedBatch;
use crate::name::RecordName;
use crate::seal::Keys;
use crate::seal::sealed_generation;
use crate::state::State;

/// One of the store's own records.
pub(crate) trait OwnRecord: Sized {
    /// Its key.
    const KEY: &'static [u8];

    /// Writes the value.
    fn encode(&self) -> Vec<u8>;

    /// Reads a value; `None` where it is none that this program knows.
    fn decode(bytes: &[u8]) -> Option<Self>;
}

/// A record of the store's own that is authentic and not understood: only a newer program can have written it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("store has a record of its own that this program does not know")]
pub(crate) struct Unknown;

/// Reads one out of a state.
pub(crate) fn read<R: OwnRecord>(keys: &Keys, state: &State) -> Result<Option<R>, Unknown> {
    let name = RecordName::own(R::KEY);
    let Some(sealed) = state.values.get(&name) else { return Ok(None) };
    let generation = sealed_generation(sealed).ok_or(Unknown)?;
    let value = keys.open(&name, generation, sealed).map_err(|_forged| Unknown)?;
    R::decode(&value).map(Some).ok_or(Unknown)
}

/// Returns the change that writes one.
pub(crate) fn write<R: OwnRecord>(record: &R) -> CheckedBatch {
    let changes = BTreeMap::from([(RecordName::own(R::KEY), Some(record.encode()))]);
    CheckedBatch { changes, requirements: Vec::new() }
}
