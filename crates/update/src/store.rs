//! The newest metadata that was accepted, in a folder: so that nobody can go back behind it.
//!
//! Files are written aside, synced and renamed; the timestamp comes last, and what it does not need goes after it. After a cut the folder
//! has the old or the new metadata. A file that is torn all the same counts as not there: the box then knows less, and is not stuck.
//! The folder's parent is a repository without targets, see [`crate::Folder`].

use crate::name::Name;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use std::fs;
use std::fs::DirBuilder;
use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::path::PathBuf;

/// The folder.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

/// The folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be made.
    #[error("cannot make the folder {folder}")]
    Make {
        /// The folder.
        folder: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
}

impl Store {
    /// Opens the folder, which is made if its parent is there.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn open(folder: PathBuf) -> Result<Self, StoreError> {
        match DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => Ok(Self { folder }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Self { folder }),
            Err(source) => Err(StoreError::Make { folder, source }),
        }
    }

    /// A file; `None` when there is none, or it is longer than it may be.
    ///
    /// # Errors
    /// The disk does not give it.
    pub fn read(&self, name: &Name, limit: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.folder.join(name.file());
        read(&path, limit).map_err(|source| StoreError::Read { path, source })
    }

    /// Keeps a file, unless it is there already.
    ///
    /// # Errors
    /// The disk does not take it; what was there before still is.
    pub fn keep(&self, name: &Name, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.folder.join(name.file());
        let limit = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if read(&path, limit).is_ok_and(|there| there.as_deref() == Some(bytes)) {
            return Ok(());
        }
        let aside = self.folder.join(format!(".{}.new", name.file()));
        write(&aside, bytes)
            .and_then(|()| fs::rename(&aside, &path))
            .and_then(|()| sync(&self.folder))
            .map_err(|source| StoreError::Write { path, source })
    }

    /// Removes snapshots and lists of targets but these versions.
    ///
    /// # Errors
    /// The folder cannot be read, or a file not be removed.
    pub fn keep_only(&self, snapshot: &Name, targets: &Name) -> Result<(), StoreError> {
        let fail = |source| StoreError::Write { path: self.folder.clone(), source };
        for entry in fs::read_dir(&self.folder).map_err(fail)? {
            let file = entry.map_err(fail)?.file_name();
            let Some(name) = file.to_str().and_then(Name::metadata) else { continue };
            if matches!(name, Name::Snapshot(_) | Name::Targets(_)) && name != *snapshot && name != *targets {
                fs::remove_file(self.folder.join(&file)).map_err(fail)?;
            }
        }
        Ok(())
    }
}

fn read(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(u64::try_from(bytes.len()).is_ok_and(|length| length <= limit).then_some(bytes))
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::open(path, flags, Mode::from_raw_mode(0o600))?);
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().join("metadata")).unwrap();
        (folder, store)
    }

    #[test]
    fn what_is_kept_is_there_and_nothing_else() {
        let (folder, store) = store();
        assert_eq!(store.read(&Name::Timestamp, 10).unwrap(), None);
        for name in [Name::Root(2), Name::Snapshot(1), Name::Snapshot(2), Name::Targets(1), Name::Timestamp] {
            store.keep(&name, b"first").unwrap();
            store.keep(&name, b"second").unwrap();
            assert_eq!(store.read(&name, 10).unwrap().as_deref(), Some(&b"second"[..]));
        }
        store.keep_only(&Name::Snapshot(2), &Name::Targets(1)).unwrap();
        let mut files: Vec<_> = fs::read_dir(folder.path().join("metadata"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        assert_eq!(files, ["1.targets.json", "2.root.json", "2.snapshot.json", "timestamp.json"]);
    }

    #[test]
    fn what_is_too_long_counts_as_not_there() {
        let (_folder, store) = store();
        store.keep(&Name::Timestamp, b"12345").unwrap();
        assert_eq!(store.read(&Name::Timestamp, 4).unwrap(), None);
    }

    #[test]
    fn what_is_there_already_is_not_written_again() {
        let (folder, store) = store();
        store.keep(&Name::Timestamp, b"same").unwrap();
        let path = folder.path().join("metadata/timestamp.json");
        let inode = |path: &Path| std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).unwrap());
        let before = inode(&path);
        store.keep(&Name::Timestamp, b"same").unwrap();
        assert_eq!(inode(&path), before);
    }
}
