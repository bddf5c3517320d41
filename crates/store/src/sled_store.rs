//! The real store: journal and snapshots for the promise, sled for reading.

use std::error::Error;
use std::fmt;
use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::RwLockReadGuard;
use std::sync::RwLockWriteGuard;

use crate::Batch;
use crate::CommitError;
use crate::Generation;
use crate::KeyValue;
use crate::Limits;
use crate::OpenOptions;
use crate::ReadError;
use crate::Store;
use crate::StoreKey;
use crate::batch::CheckedBatch;
use crate::log::Log;
use crate::log::RotateError;
use crate::medium::Medium;
use crate::name::RecordName;
use crate::open;
use crate::open::OpenError;
use crate::open::Parts;
use crate::recovery::Loss;
use crate::recovery::Opened;
use crate::recovery::Recovery;
use crate::seal::Forged;
use crate::seal::Keys;
use crate::sled_folder;
use crate::sled_folder::Claim;
use crate::sled_guard::SledFault;
use crate::state::Change;
use crate::state::Index;
use crate::values::Values;

/// What a store may hold beyond its limits, for the records that it keeps about itself.
const OWN_BYTES: u64 = 4 << 10;

/// A store in a folder of its own.
///
/// Dropping it closes sled in order, which makes the next opening quicker; nothing is lost without that.
///
/// Locks are taken in the order `log`, `lock`, `view`, `recovery`.
pub struct SledStore {
    pub(crate) medium: Arc<dyn Medium>,
    /// sled's folder, `None` where the values are in memory from the start (tests of the journal).
    pub(crate) folder: Option<PathBuf>,
    pub(crate) limits: Limits,
    log: Mutex<Log>,
    view: RwLock<View>,
    recovery: Mutex<Option<Recovery>>,
    /// Held, not used.
    lock: Mutex<Option<File>>,
}

pub(crate) struct View {
    pub(crate) keys: Keys,
    pub(crate) index: Index,
    pub(crate) values: Values,
}

impl SledStore {
    /// Opens the store in a folder, or makes one there, as [`OpenOptions`] does with this key and these limits alone.
    pub fn open(path: &Path, key: &StoreKey, limits: Limits) -> Result<(Self, Opened), OpenError> {
        OpenOptions::new(key).limits(limits).open(path)
    }

    /// Returns everything that had to be recovered, at opening and since.
    pub fn recovered(&self) -> Option<Recovery> {
        self.recovery().clone()
    }

    pub(crate) fn from_parts(
        medium: Arc<dyn Medium>,
        folder: Option<PathBuf>,
        limits: Limits,
        lock: Option<File>,
        parts: Parts,
    ) -> Self {
        let Parts { keys, log, index, values, recovered, .. } = parts;
        Self {
            medium,
            folder,
            limits,
            log: Mutex::new(log),
            view: RwLock::new(View { keys, index, values }),
            recovery: Mutex::new(recovered),
            lock: Mutex::new(lock),
        }
    }

    pub(crate) fn generation(&self) -> Generation {
        Generation(self.view().index.generation)
    }

    /// Adds to what the owner is told.
    pub(crate) fn add_recovery(&self, add: impl FnOnce(&mut Recovery)) {
        let mut recovery = self.recovery();
        add(recovery.get_or_insert_with(|| Recovery { findings: Vec::new(), loss: Loss::None }));
    }

    /// Holds another lock from now on.
    pub(crate) fn set_lock(&self, lock: Option<File>) {
        *self.lock.lock().unwrap_or_else(PoisonError::into_inner) = lock;
    }

    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn view(&self) -> RwLockReadGuard<'_, View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn view_mut(&self) -> RwLockWriteGuard<'_, View> {
        self.view.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn recovery(&self) -> MutexGuard<'_, Option<Recovery>> {
        self.recovery.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads; when sled fails, once more from what the journal and snapshots hold.
    fn read<T>(&self, table: &str, read: impl Fn(&View) -> Result<T, ViewError>) -> Result<T, ReadError> {
        let first = read(&self.view());
        match first {
            Ok(value) => Ok(value),
            Err(ViewError::Forged) => Err(damaged(table, Forged)),
            Err(ViewError::Sled(fault)) => self.read_again(&mut self.log(), table, &fault, read),
        }
    }

    fn read_again<T>(
        &self,
        log: &mut Log,
        table: &str,
        fault: &SledFault,
        read: impl Fn(&View) -> Result<T, ViewError>,
    ) -> Result<T, ReadError> {
        self.give_up_sled(log, fault).map_err(|error| damaged(table, error))?;
        read(&self.view()).map_err(|error| match error {
            ViewError::Forged => damaged(table, Forged),
            ViewError::Sled(fault) => damaged(table, fault),
        })
    }

    /// Replaces sled by what the journal and snapshots hold, in memory.
    fn give_up_sled(&self, log: &mut Log, fault: &SledFault) -> Result<(), RotateError> {
        let mut view = self.view_mut();
        if !matches!(view.values, Values::Sled(_)) {
            return Ok(());
        }
        // Dropping the old values runs none of sled's code.
        if let Values::Sled(index) = std::mem::replace(&mut view.values, Values::Gone)
            && fault.is_of_the_disk()
        {
            index.let_go();
        }
        let finding = open::put_by(self.folder.as_deref(), fault);
        tracing::warn!(fault = fault as &dyn Error, "gave up sled");
        self.add_recovery(|recovery| recovery.findings.push(finding));
        let loaded = log.read_back().and_then(|loaded| {
            let same = loaded.state.index.summary() == view.index.summary();
            if same { Ok(loaded) } else { Err(RotateError::Differs) }
        });
        match loaded {
            Ok(loaded) => {
                view.values = Values::Memory(loaded.state.values);
                Ok(())
            }
            Err(error) => {
                log.stop();
                tracing::error!(error = &error as &dyn Error, "journal and snapshots do not help out either");
                Err(error)
            }
        }
    }

    fn check_requirements(&self, log: &mut Log, batch: &CheckedBatch) -> Result<(), CommitError> {
        for (name, required) in &batch.requirements {
            let look = |view: &View| view.get(name);
            let first = look(&self.view());
            let found = match first {
                Ok(found) => found,
                Err(ViewError::Forged) => {
                    return Err(CommitError::Read { source: damaged(name.table(), Forged) });
                }
                Err(ViewError::Sled(fault)) => self
                    .read_again(log, name.table(), &fault, look)
                    .map_err(|source| CommitError::Read { source })?,
            };
            if found != *required {
                return Err(CommitError::Precondition {
                    table: name.table().to_owned(),
                    key: name.key().to_vec(),
                });
            }
        }
        Ok(())
    }

    /// Commits changes that are not of the store's users, for which there is always a little room.
    pub(crate) fn commit_own(&self, batch: CheckedBatch) -> Result<Generation, CommitError> {
        self.commit_within(batch, self.limits.total_bytes.saturating_add(OWN_BYTES))
    }

    fn commit_within(&self, batch: CheckedBatch, total_bytes: u64) -> Result<Generation, CommitError> {
        let mut log = self.log();
        self.check_requirements(&mut log, &batch)?;
        // Only the holder of the log changes the view.
        let (changes, after, now) = {
            let view = self.view();
            let changes = Self::seal(&view, batch)?;
            let after = view.index.foresee(&view.keys, &changes);
            (changes, after, view.index.summary())
        };
        if changes.is_empty() {
            return Ok(Generation(now.generation));
        }
        if after.bytes > total_bytes && after.bytes > now.bytes {
            return Err(CommitError::StoreFull { bytes: after.bytes, limit: total_bytes });
        }
        log.append(&after, &changes)?;
        let applied = {
            let mut view = self.view_mut();
            let View { keys, index, .. } = &mut *view;
            index.apply(keys, &changes);
            view.values.apply(changes)
        };
        if let Err(fault) = applied
            && let Err(error) = self.give_up_sled(&mut log, &fault)
        {
            // The commit is on the disk all the same.
            tracing::warn!(
                error = &error as &dyn Error,
                "values cannot be read until the store is opened again"
            );
        }
        self.rotate_when_due(&mut log);
        Ok(Generation(after.generation))
    }

    fn seal(view: &View, batch: CheckedBatch) -> Result<Vec<Change>, CommitError> {
        let mut changes = Vec::with_capacity(batch.changes.len());
        for (name, value) in batch.changes {
            let sealed = match value {
                Some(value) => Some(
                    view.keys
                        .seal(&name, view.index.generation + 1, &value)
                        .map_err(|source| CommitError::Random { source })?,
                ),
                None if view.index.records.contains_key(&name) => None,
                None => continue,
            };
            changes.push((name, sealed));
        }
        Ok(changes)
    }

    fn rotate_when_due(&self, log: &mut Log) {
        let present = self.view().index.summary();
        if !log.is_long(&present) {
            return;
        }
        if let Err(error) = log.rotate(&present) {
            tracing::warn!(error = &error as &dyn Error, "journal stays long, no snapshot was written");
        }
    }
}

impl Store for SledStore {
    fn get(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        let name =
            RecordName::new(table, key).ok_or_else(|| ReadError::InvalidTable { table: table.to_owned() })?;
        self.read(table, |view| view.get(&name))
    }

    fn scan(&self, table: &str) -> Result<Vec<KeyValue>, ReadError> {
        let range =
            RecordName::range_of(table).ok_or_else(|| ReadError::InvalidTable { table: table.to_owned() })?;
        self.read(table, |view| {
            let names = view.index.records.range(range.clone()).map(|(name, _)| name);
            names.map(|name| Ok((name.key().to_vec(), view.get(name)?.ok_or(ViewError::Forged)?))).collect()
        })
    }

    fn commit(&self, batch: Batch) -> Result<Generation, CommitError> {
        let batch = batch.check(&self.limits)?;
        self.commit_within(batch, self.limits.total_bytes)
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        let log = self.log.get_mut().unwrap_or_else(PoisonError::into_inner);
        let view = self.view.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Values::Sled(index) = std::mem::replace(&mut view.values, Values::Gone) else { return };
        let closed = index.close();
        // After a write that was not confirmed, nobody knows yet which state the files hold.
        let Some(folder) = self.folder.as_deref().filter(|_| !log.is_stopped()) else { return };
        let claim = Claim { generation: view.index.generation, digest: view.index.digest };
        let sealed = closed.and_then(|()| {
            sled_folder::seal(&*self.medium, &view.keys, folder, claim)
                .map_err(|source| SledFault::Folder { source })
        });
        if let Err(fault) = sealed {
            tracing::info!(
                fault = &fault as &dyn Error,
                "sled was not closed in order and will be made anew"
            );
        }
    }
}

impl fmt::Debug for SledStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SledStore").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// Why a value did not come out of a view.
enum ViewError {
    /// sled failed; the files may still help.
    Sled(SledFault),
    /// A value from the files does not open.
    Forged,
}

impl View {
    fn get(&self, name: &RecordName) -> Result<Option<Vec<u8>>, ViewError> {
        let Some(written) = self.index.records.get(name) else { return Ok(None) };
        let sealed = self.values.get(name).map_err(ViewError::Sled)?;
        let value = sealed.and_then(|sealed| self.keys.open(name, written.generation, &sealed).ok());
        match (value, &self.values) {
            (Some(value), _) => Ok(Some(value)),
            (None, Values::Sled(_)) => Err(ViewError::Sled(SledFault::Differs)),
            (None, Values::Memory(_) | Values::Gone) => Err(ViewError::Forged),
        }
    }
}

fn damaged(table: &str, source: impl Error + Send + Sync + 'static) -> ReadError {
    ReadError::Damaged { table: table.to_owned(), source: Box::new(source) }
}

#[cfg(test)]
mod tests;
