//! A store and an anchor that live as long as the process: for the tests of those who use them.

use std::collections::BTreeMap;
use std::io;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use crate::Anchor;
use crate::AnchorAction;
use crate::AnchorError;
use crate::Batch;
use crate::CommitError;
use crate::Generation;
use crate::KeyValue;
use crate::Limits;
use crate::ReadError;
use crate::Store;
use crate::name::RecordName;

/// Keeps records in memory, with the same rules as the real store and with faults on demand.
#[derive(Debug, Default)]
pub struct MemoryStore {
    limits: Limits,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    records: BTreeMap<RecordName, Vec<u8>>,
    generation: u64,
    disk_full: bool,
}

impl MemoryStore {
    /// Returns an empty store with the usual limits.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns an empty store with other limits.
    #[must_use]
    pub fn with_limits(limits: Limits) -> Self {
        Self { limits, inner: Mutex::default() }
    }

    /// From now on, lets every commit that would change something fail for want of room, or no longer.
    pub fn set_disk_full(&self, full: bool) {
        self.inner().disk_full = full;
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn get(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        let name =
            RecordName::new(table, key).ok_or_else(|| ReadError::InvalidTable { table: table.to_owned() })?;
        Ok(self.inner().records.get(&name).cloned())
    }

    fn scan(&self, table: &str) -> Result<Vec<KeyValue>, ReadError> {
        let range =
            RecordName::range_of(table).ok_or_else(|| ReadError::InvalidTable { table: table.to_owned() })?;
        Ok(self
            .inner()
            .records
            .range(range)
            .map(|(name, value)| (name.key().to_vec(), value.clone()))
            .collect())
    }

    fn commit(&self, batch: Batch) -> Result<Generation, CommitError> {
        let batch = batch.check(&self.limits)?;
        let mut inner = self.inner();
        for (name, required) in &batch.requirements {
            if inner.records.get(name) != required.as_ref() {
                return Err(CommitError::Precondition {
                    table: name.table().to_owned(),
                    key: name.key().to_vec(),
                });
            }
        }
        let mut records = inner.records.clone();
        let mut changed = false;
        for (name, value) in batch.changes {
            changed |= match value {
                Some(value) => {
                    records.insert(name, value);
                    true
                }
                None => records.remove(&name).is_some(),
            };
        }
        if !changed {
            return Ok(Generation(inner.generation));
        }
        if inner.disk_full {
            let source = io::Error::from(io::ErrorKind::StorageFull);
            return Err(CommitError::Write { file: "memory".to_owned(), source });
        }
        let bytes =
            records.iter().map(|(name, value)| name.as_bytes().len() + value.len()).sum::<usize>() as u64;
        if bytes > self.limits.total_bytes {
            return Err(CommitError::StoreFull { bytes, limit: self.limits.total_bytes });
        }
        inner.records = records;
        inner.generation += 1;
        Ok(Generation(inner.generation))
    }
}

/// A number in memory that can only be raised, with faults on demand.
#[derive(Debug)]
pub struct MemoryAnchor {
    inner: Mutex<AnchorInner>,
}

#[derive(Debug)]
struct AnchorInner {
    number: Option<u64>,
    begins_at: u64,
    raised: u64,
    is_unreachable: bool,
}

impl MemoryAnchor {
    /// Returns an anchor that was never set and will begin at this number, as a TPM's counter begins where it likes.
    #[must_use]
    pub fn new(begins_at: u64) -> Self {
        let inner = AnchorInner { number: None, begins_at, raised: 0, is_unreachable: false };
        Self { inner: Mutex::new(inner) }
    }

    /// Returns an anchor that stands at this number.
    #[must_use]
    pub fn at(number: u64) -> Self {
        let anchor = Self::new(1);
        anchor.inner().number = Some(number);
        anchor
    }

    /// Returns how often it was raised by one.
    pub fn raised(&self) -> u64 {
        self.inner().raised
    }

    /// Forgets the number, as a cleared TPM does.
    pub fn clear(&self) {
        self.inner().number = None;
    }

    /// From now on, lets everything fail, or no longer.
    pub fn set_unreachable(&self, unreachable: bool) {
        self.inner().is_unreachable = unreachable;
    }

    fn inner(&self) -> MutexGuard<'_, AnchorInner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AnchorInner {
    fn reach(&self, action: AnchorAction) -> Result<(), AnchorError> {
        let refused = AnchorError { action, source: io::Error::from(io::ErrorKind::NotConnected).into() };
        if self.is_unreachable { Err(refused) } else { Ok(()) }
    }
}

impl Anchor for MemoryAnchor {
    fn read(&self) -> Result<Option<u64>, AnchorError> {
        let inner = self.inner();
        inner.reach(AnchorAction::Read)?;
        Ok(inner.number)
    }

    fn advance_to(&self, number: u64) -> Result<(), AnchorError> {
        let mut inner = self.inner();
        inner.reach(AnchorAction::Raise)?;
        while inner.number.is_none_or(|present| present < number) {
            inner.number = Some(inner.number.map_or(inner.begins_at, |present| present + 1));
            inner.raised += 1;
        }
        Ok(())
    }
}
