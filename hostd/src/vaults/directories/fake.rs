//! Directories without a kernel that encrypts: a hidden one is moved out of sight.

use super::Directories;
use super::NAME;
use super::remove;
use crate::vaults::files::FileError;
use crate::vaults::files::PrivateFile;
use crate::vaults::files::copying;
use crate::vaults::files::copying::Copied;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use vault::VaultKey;
use vault::directory::DirectoryError;
use vault::directory::DirectoryKey;
use vault::directory::Locking;
use vault::directory::Outcome;

/// How long a slow copy takes: so many pauses of this length, unless it is made fast.
const SLOW_PAUSES: u32 = 12_000;
const SLOW_PAUSE: Duration = Duration::from_millis(10);

/// The power: it goes after so many changes, and then nothing changes any more.
#[derive(Debug)]
pub struct Power {
    left: AtomicU64,
}

/// Remembers whose key a directory has.
#[derive(Debug)]
pub struct FakeDirectories {
    keys: Mutex<HashMap<PathBuf, [u8; 16]>>,
    /// Whether files count as being in use, so that nothing can be hidden.
    pub is_busy: AtomicBool,
    /// Whether a file that is being copied waits.
    pub is_slow: AtomicBool,
    /// Whether files that are being copied meet a full disk.
    pub is_full: AtomicBool,
    /// Bytes that may still be written.
    pub room: AtomicU64,
    /// What every change needs.
    pub power: Arc<Power>,
}

impl Default for Power {
    fn default() -> Self {
        Self { left: AtomicU64::new(u64::MAX) }
    }
}

impl Power {
    /// From now on it lasts for so many changes.
    pub fn set(&self, changes: u64) {
        self.left.store(changes, Ordering::Relaxed);
    }

    /// Whether nothing changes any more.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }

    /// Uses it for one change.
    ///
    /// # Errors
    ///
    /// When it is gone.
    pub fn take(&self) -> io::Result<()> {
        let take = |left: u64| left.checked_sub(1);
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        taken.map(drop).map_err(|_none| io::Error::other("the power is gone"))
    }
}

impl Default for FakeDirectories {
    fn default() -> Self {
        Self::powered_by(Arc::default())
    }
}

impl FakeDirectories {
    /// Directories that change only while there is power.
    #[must_use]
    pub fn powered_by(power: Arc<Power>) -> Self {
        Self {
            keys: Mutex::default(),
            is_busy: AtomicBool::default(),
            is_slow: AtomicBool::default(),
            is_full: AtomicBool::default(),
            room: AtomicU64::new(u64::MAX),
            power,
        }
    }
}

impl Directories for FakeDirectories {
    fn open(&self, path: &Path, key: &VaultKey) -> Result<Outcome, DirectoryError> {
        let failed = |source| DirectoryError::Open { path: path.to_owned(), source };
        self.power.take().map_err(failed)?;
        let identifier = DirectoryKey::derive(key, NAME).identifier().0;
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = !keys.contains_key(path);
        if *keys.entry(path.to_owned()).or_insert(identifier) != identifier {
            return Err(DirectoryError::OtherKey { path: path.to_owned() });
        }
        if hidden(path).is_dir() {
            fs::rename(hidden(path), path).map_err(failed)?;
        }
        fs::create_dir_all(path).map_err(failed)?;
        Ok(if is_new { Outcome::Changed } else { Outcome::Unchanged })
    }

    fn close(&self, path: &Path) -> Result<Locking, DirectoryError> {
        let failed = |source| DirectoryError::Open { path: path.to_owned(), source };
        self.power.take().map_err(failed)?;
        if self.is_busy.load(Ordering::Relaxed) {
            return Ok(Locking::Busy);
        }
        if path.is_dir() {
            fs::rename(path, hidden(path)).map_err(failed)?;
        }
        Ok(Locking::Locked)
    }

    fn copy(
        &self,
        from: &Path,
        to: &Path,
        file: &PrivateFile,
        goes_on: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Copied, FileError> {
        let cut = |source| FileError::Io { action: "copy a private file", source };
        self.power.take().map_err(cut)?;
        if let Err(error) = self.power.take() {
            // The power goes while it is being written.
            fs::write(to.join(&file.name), b"half").map_err(cut)?;
            return Err(cut(error));
        }
        if self.is_full.load(Ordering::Relaxed) {
            return Err(FileError::Full);
        }
        // Bounded: a test that fails would wait for this thread.
        for _ in 0..SLOW_PAUSES {
            if !self.is_slow.load(Ordering::Relaxed) {
                break;
            }
            if !goes_on(0) {
                return Ok(Copied::BrokenOff);
            }
            std::thread::sleep(SLOW_PAUSE);
        }
        copying::copy(from, to, file, goes_on)
    }

    fn settle(&self, path: &Path) -> Result<(), FileError> {
        self.power.take().map_err(|source| FileError::Io { action: "copy private files", source })?;
        copying::settle(path)
    }

    fn destroy(&self, path: &Path) -> Result<(), DirectoryError> {
        let shown = path.with_extension("");
        for path in [&shown, &hidden(path)] {
            self.power.take().map_err(|source| DirectoryError::Open { path: path.clone(), source })?;
            if path.is_dir() {
                remove(path)?;
            }
        }
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.retain(|known, _key| !known.starts_with(&shown));
        Ok(())
    }

    fn room(&self, _path: &Path) -> Result<u64, DirectoryError> {
        Ok(self.room.load(Ordering::Relaxed))
    }
}

fn hidden(path: &Path) -> PathBuf {
    path.with_extension("hidden")
}
