//! The private folder that tasks work in, one at a time.

use rustix::fs::FlockOperation;
use std::fs;
use std::fs::File;
use std::io;
use std::path::Path;
use std::path::PathBuf;

const LOCK: &str = "lock";

/// A folder on the data partition for temporary files. Who has it open is the only backup task of the box; the kernel
/// gives it free when its process ends, however it ends.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    _locked: File,
}

/// Why the scratch folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScratchError {
    /// Another task has it.
    #[error("another backup task is running")]
    Busy,
    /// The folder fails.
    #[error("cannot {doing} the scratch folder {path}")]
    Folder {
        /// What was being done.
        doing: &'static str,
        /// Which folder.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

impl Scratch {
    /// Takes the folder, makes it when it is missing, and empties it of what an interrupted task left.
    ///
    /// # Errors
    /// When another task has it, or the folder fails.
    pub fn open(path: &Path) -> Result<Self, ScratchError> {
        let failed = |doing| move |source| ScratchError::Folder { doing, path: path.to_owned(), source };
        fs::create_dir_all(path).map_err(failed("make"))?;
        let lock = File::create(path.join(LOCK)).map_err(failed("lock"))?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(ScratchError::Busy),
            Err(error) => return Err(failed("lock")(error.into())),
        }
        for entry in fs::read_dir(path).map_err(failed("list"))? {
            let entry = entry.map_err(failed("list"))?;
            if entry.file_name() != LOCK {
                let folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                let removed =
                    if folder { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) };
                removed.map_err(failed("empty"))?;
            }
        }
        Ok(Self { path: path.to_owned(), _locked: lock })
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_task_at_a_time_and_leftovers_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scratch");
        let first = Scratch::open(&path).unwrap();
        fs::create_dir_all(first.at("drill/a")).unwrap();
        fs::write(first.at("spool"), "x").unwrap();
        assert!(matches!(Scratch::open(&path).unwrap_err(), ScratchError::Busy));
        drop(first);
        let second = Scratch::open(&path).unwrap();
        assert!(!second.at("drill").exists() && !second.at("spool").exists());
    }
}
