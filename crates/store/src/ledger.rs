//! One counter for several stores.
//!
//! A box has few counters of its own and each write wears them, so only one store, the ledger's, has the
//! hardware counter for its [`Anchor`]. The others are anchored by records in it: an older copy of one of them is behind
//! its record, an older copy of the ledger's store is behind the counter, and so is an older copy of all together.
//!
//! ```text
//!  TPM counter ◄── epoch of the ledger's store ─ table `epochs`: vault-ada → 17, apps → 41
//!                                                                   ▲                ▲
//!                                                 epoch of the store vault-ada      of apps
//! ```
//!
//! The hardware counter is raised once at each opening of the ledger's store, however many others are opened.

use std::sync::Arc;

use crate::Anchor;
use crate::AnchorAction;
use crate::AnchorError;
use crate::Batch;
use crate::Store;

/// Table of the ledger's store in which the epochs of the others are kept.
const TABLE: &str = "epochs";

/// The numbers of several stores, kept in one that is anchored itself.
#[derive(Clone)]
pub struct Ledger {
    store: Arc<dyn Store>,
}

/// The [`Anchor`] of one store in a [`Ledger`].
#[derive(Clone)]
pub struct LedgerEntry {
    store: Arc<dyn Store>,
    name: String,
}

/// An entry of a ledger that is no number.
#[derive(Debug, thiserror::Error)]
#[error("entry of {name} in the ledger is no number")]
struct Malformed {
    name: String,
}

impl Ledger {
    /// Keeps the numbers in the table `epochs` of this store, which must have been opened with an anchor of its own.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// Returns the anchor of the store that is called `name`.
    #[must_use]
    pub fn entry(&self, name: &str) -> LedgerEntry {
        LedgerEntry { store: Arc::clone(&self.store), name: name.to_owned() }
    }
}

impl Anchor for LedgerEntry {
    fn read(&self) -> Result<Option<u64>, AnchorError> {
        let failed = |source| AnchorError { action: AnchorAction::Read, source };
        let value = self.store.get(TABLE, self.name.as_bytes()).map_err(|error| failed(error.into()))?;
        let Some(value) = value else { return Ok(None) };
        let number = <[u8; 8]>::try_from(value.as_slice())
            .map_err(|_length| failed(Malformed { name: self.name.clone() }.into()))?;
        Ok(Some(u64::from_le_bytes(number)))
    }

    fn advance_to(&self, number: u64) -> Result<(), AnchorError> {
        let present = self.read()?;
        if present.is_some_and(|present| present >= number) {
            return Ok(());
        }
        let key = self.name.as_bytes();
        let batch = match present {
            Some(present) => Batch::new().require_equals(TABLE, key, present.to_le_bytes()),
            None => Batch::new().require_absent(TABLE, key),
        };
        self.store
            .commit(batch.put(TABLE, key, number.to_le_bytes()))
            .map(drop)
            .map_err(|error| AnchorError { action: AnchorAction::Raise, source: error.into() })
    }
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ledger(…)")
    }
}

impl std::fmt::Debug for LedgerEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LedgerEntry").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryStore;

    #[test]
    fn entries_only_grow_and_do_not_touch_each_other() {
        let ledger = Ledger::new(Arc::new(MemoryStore::new()));
        let (ada, apps) = (ledger.entry("ada"), ledger.entry("apps"));
        assert_eq!(ada.read().unwrap(), None);
        for (to, expected) in [(3, 3), (2, 3), (4, 4), (4, 4)] {
            ada.advance_to(to).unwrap();
            assert_eq!(ledger.entry("ada").read().unwrap(), Some(expected));
        }
        assert_eq!(apps.read().unwrap(), None);
    }

    #[test]
    fn an_entry_that_cannot_be_written_or_read_is_an_error() {
        let store = Arc::new(MemoryStore::new());
        let entry = Ledger::new(Arc::clone(&store) as Arc<dyn Store>).entry("ada");
        store.set_disk_full(true);
        assert_eq!(entry.advance_to(1).unwrap_err().action, AnchorAction::Raise);
        store.set_disk_full(false);
        store.commit(Batch::new().put(TABLE, "ada", "one")).unwrap();
        assert_eq!(entry.read().unwrap_err().action, AnchorAction::Read);
    }
}
