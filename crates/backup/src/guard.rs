//! What stands between rustic and a place: stops cancelled tasks, checks names against content, reads ahead, counts,
//! and lets no snapshot be written that would be incomplete.

use crate::control::Cancel;
use crate::key::sha256_hex;
use crate::place::Place;
use crate::place::PlaceError;
use bytes::Bytes;
use rustic_core::BytesList;
use rustic_core::ErrorKind;
use rustic_core::FileType;
use rustic_core::Id;
use rustic_core::ReadBackend;
use rustic_core::RusticError;
use rustic_core::RusticResult;
use rustic_core::WriteBackend;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Longest file of the repository that is read at once; packs and index files are far below.
const MAX_FILE: u64 = 256 * 1024 * 1024;
/// Blobs lie in packs in the order files were saved, so what lies behind one is wanted next.
const WINDOW: usize = 2 * 1024 * 1024;
const WINDOWS: usize = 6;
/// Tries of one call, and the pause before each further one.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(2);

/// State shared with the task that uses the repository.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    pub(crate) cancel: Cancel,
    /// Set by a backup once everything was saved; nothing else makes snapshots.
    pub(crate) snapshot_allowed: AtomicBool,
    write_failed: AtomicBool,
    pub(crate) written: AtomicU64,
    first_error: Mutex<Option<PlaceError>>,
}

impl Watch {
    pub(crate) fn new(cancel: Cancel) -> Self {
        Self { cancel, ..Self::default() }
    }

    /// The error of the place behind a failure of rustic, if there was one.
    pub(crate) fn take_error(&self) -> Option<PlaceError> {
        lock(&self.first_error).take()
    }
}

pub(crate) struct Guard {
    place: Arc<dyn Place>,
    watch: Arc<Watch>,
    windows: Mutex<VecDeque<Window>>,
}

struct Window {
    name: String,
    offset: u64,
    content: Bytes,
}

/// A thread that panicked with the lock has left whole values behind: all changes are single assignments.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn name(kind: FileType, id: &Id) -> String {
    match kind {
        FileType::Config => "config".to_owned(),
        FileType::Index | FileType::Key | FileType::Snapshot | FileType::Pack => {
            format!("{}/{}", kind.dirname(), id.to_hex().as_str())
        }
    }
}

impl Guard {
    pub(crate) fn new(place: Arc<dyn Place>, watch: Arc<Watch>) -> Self {
        Self { place, watch, windows: Mutex::default() }
    }

    fn call<T>(&self, call: impl Fn() -> Result<T, PlaceError>) -> RusticResult<T> {
        let mut tries = 1;
        loop {
            let result = if self.watch.cancel.is_cancelled() { Err(PlaceError::Cancelled) } else { call() };
            match result {
                Ok(value) => return Ok(value),
                Err(PlaceError::Unreachable { .. }) if tries < TRIES => std::thread::sleep(PAUSE * tries),
                Err(error) => return Err(self.refuse(error)),
            }
            tries += 1;
        }
    }

    fn refuse(&self, error: PlaceError) -> Box<RusticError> {
        let shown = error.to_string();
        lock(&self.watch.first_error).get_or_insert(error);
        RusticError::new(ErrorKind::Backend, shown)
    }

    fn read_window(&self, name: &str, offset: u64, length: usize) -> RusticResult<Bytes> {
        if !self.place.is_remote() {
            return self.call(|| self.place.read_part(name, offset, length)).map(Bytes::from);
        }
        let inside = |window: &Window| {
            let start = usize::try_from(offset.checked_sub(window.offset)?).ok()?;
            let end = start.checked_add(length)?;
            (window.name == name && end <= window.content.len()).then(|| window.content.slice(start..end))
        };
        if let Some(found) = lock(&self.windows).iter().find_map(inside) {
            return Ok(found);
        }
        let content = Bytes::from(self.call(|| self.place.read_part(name, offset, length.max(WINDOW)))?);
        let wanted = content.slice(..length.min(content.len()));
        let mut windows = lock(&self.windows);
        windows.push_back(Window { name: name.to_owned(), offset, content });
        if windows.len() > WINDOWS {
            windows.pop_front();
        }
        Ok(wanted)
    }
}

impl ReadBackend for Guard {
    fn location(&self) -> String {
        self.place.describe()
    }

    fn list_with_size(&self, kind: FileType) -> RusticResult<Vec<(Id, u32)>> {
        if kind == FileType::Config {
            return match self.place.read("config", MAX_FILE) {
                Ok(config) => Ok(vec![(Id::default(), u32::try_from(config.len()).unwrap_or(u32::MAX))]),
                Err(PlaceError::Missing { .. }) => Ok(Vec::new()),
                Err(error) => Err(self.refuse(error)),
            };
        }
        let files = self.call(|| self.place.list(kind.dirname()))?;
        // What is not named by a hash is not of the repository: leftovers of an interrupted write.
        let named = |(name, size): (String, u64)| Some((name.parse::<Id>().ok()?, u32::try_from(size).ok()?));
        Ok(files.into_iter().filter(|(name, _)| name.len() == 64).filter_map(named).collect())
    }

    fn read_full(&self, kind: FileType, id: &Id) -> RusticResult<Bytes> {
        let name = name(kind, id);
        let content = self.call(|| self.place.read(&name, MAX_FILE))?;
        // rustic checks that the content is authentic, not that it is the one of this name.
        if kind != FileType::Config && sha256_hex(&content) != id.to_hex().as_str() {
            return Err(self.refuse(PlaceError::Damaged { name }));
        }
        Ok(content.into())
    }

    fn read_partial(
        &self,
        kind: FileType,
        id: &Id,
        _: bool,
        offset: u32,
        length: u32,
    ) -> RusticResult<Bytes> {
        let name = name(kind, id);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length as u64 > MAX_FILE {
            return Err(self.refuse(PlaceError::TooLarge { name }));
        }
        let content = self.read_window(&name, offset.into(), length)?;
        if content.len() < length {
            return Err(self.refuse(PlaceError::Damaged { name }));
        }
        Ok(content)
    }

    fn warmup_path(&self, kind: FileType, id: &Id) -> String {
        name(kind, id)
    }
}

impl WriteBackend for Guard {
    fn create(&self) -> RusticResult<()> {
        self.call(|| self.place.create())
    }

    fn write_bytes(&self, kind: FileType, id: &Id, _: bool, content: BytesList) -> RusticResult<()> {
        if kind == FileType::Snapshot {
            let whole = !self.watch.write_failed.load(Ordering::SeqCst);
            if !(whole && self.watch.snapshot_allowed.load(Ordering::SeqCst)) {
                return Err(RusticError::new(ErrorKind::Backend, "not everything was saved"));
            }
        }
        let size = content.size() as u64;
        let name = name(kind, id);
        let written = self.call(|| self.place.write(&name, content.slice()));
        match &written {
            Ok(()) => self.watch.written.fetch_add(size, Ordering::Relaxed),
            Err(_) => {
                self.watch.write_failed.store(true, Ordering::SeqCst);
                0
            }
        };
        written
    }

    fn remove(&self, kind: FileType, id: &Id, _: bool) -> RusticResult<()> {
        let name = name(kind, id);
        self.call(|| self.place.remove(&name))
    }
}
