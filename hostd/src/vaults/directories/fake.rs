//! Directories without a kernel that encrypts: a hidden one is moved out of sight.

use super::Directories;
use super::NAME;
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use vault::VaultKey;
use vault::directory::DirectoryError;
use vault::directory::DirectoryKey;
use vault::directory::Locking;

/// Remembers whose key a directory has.
#[derive(Debug, Default)]
pub struct FakeDirectories {
    keys: Mutex<HashMap<PathBuf, [u8; 16]>>,
    /// Whether files count as being in use, so that nothing can be hidden.
    pub is_busy: AtomicBool,
}

impl Directories for FakeDirectories {
    fn open(&self, path: &Path, key: &VaultKey) -> Result<(), DirectoryError> {
        let failed = |source| DirectoryError::Open { path: path.to_owned(), source };
        let identifier = DirectoryKey::derive(key, NAME).identifier().0;
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if *keys.entry(path.to_owned()).or_insert(identifier) != identifier {
            return Err(DirectoryError::OtherKey { path: path.to_owned() });
        }
        if hidden(path).is_dir() {
            return fs::rename(hidden(path), path).map_err(failed);
        }
        fs::create_dir_all(path).map_err(failed)
    }

    fn close(&self, path: &Path) -> Result<Locking, DirectoryError> {
        if self.is_busy.load(Ordering::Relaxed) {
            return Ok(Locking::Busy);
        }
        if path.is_dir() {
            let moved = fs::rename(path, hidden(path));
            moved.map_err(|source| DirectoryError::Open { path: path.to_owned(), source })?;
        }
        Ok(Locking::Locked)
    }
}

fn hidden(path: &Path) -> PathBuf {
    path.with_extension("hidden")
}
