//! What hides the folders of apps from whoever has no key.

use super::VolumeError;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use vault::directory;
use vault::directory::DirectoryError;
use vault::directory::DirectoryKey;
use vault::directory::Locking;
use vault::directory::State;

/// What hides them.
#[derive(Debug)]
pub(super) enum Cover {
    /// The kernel: names and contents are encrypted (fscrypt).
    Kernel,
    /// Nothing; what is said to be hidden is noted. For tests without rights.
    Nothing(Mutex<BTreeSet<PathBuf>>),
}

impl Cover {
    /// Whether a folder shows what is in it. One that is not there, or was never encrypted, shows nothing that counts.
    pub(super) fn is_open(&self, folder: &Path) -> Result<bool, VolumeError> {
        match self {
            Self::Kernel => match directory::state(folder) {
                Ok(state) => Ok(state == State::Unlocked),
                Err(DirectoryError::Open { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                    Ok(false)
                }
                Err(error) => Err(error.into()),
            },
            Self::Nothing(hidden) => Ok(!lock(hidden).contains(folder)),
        }
    }

    /// Shows a folder; an empty one that was never hidden is encrypted first.
    pub(super) fn open(&self, folder: &Path, key: &DirectoryKey) -> Result<(), VolumeError> {
        match self {
            Self::Kernel => directory::protect(folder, key).map(drop)?,
            Self::Nothing(hidden) => drop(lock(hidden).remove(folder)),
        }
        Ok(())
    }

    /// Hides a folder; fine where it is hidden, or shows nothing that counts.
    pub(super) fn close(&self, folder: &Path) -> Result<(), VolumeError> {
        match self {
            Self::Kernel if !folder.is_dir() => Ok(()),
            Self::Kernel => match directory::lock_own(folder) {
                Ok(Locking::Locked) | Err(DirectoryError::Plain { .. }) => Ok(()),
                Ok(Locking::Busy) => Err(VolumeError::InUse(folder.to_owned())),
                Err(error) => Err(error.into()),
            },
            Self::Nothing(hidden) => {
                lock(hidden).insert(folder.to_owned());
                Ok(())
            }
        }
    }

    /// Hides it for good; what is encrypted by nobody needs not be.
    pub(super) fn give_up(&self, folder: &Path) -> Result<(), VolumeError> {
        match self.close(folder) {
            Err(VolumeError::Cover(DirectoryError::Unsupported { .. })) => Ok(()),
            closed => closed,
        }
    }
}

/// A set is whole at every moment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
