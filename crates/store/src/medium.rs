//! The few things the journal and the snapshots ask of a folder, so that tests can stand in for the disk.
//!
//! Nothing is promised to be on the disk before the matching `sync`: contents by [`MediumFile::sync`], names
//! (created, renamed, removed) by [`Medium::sync_names`].

use std::ffi::OsString;
use std::fs;
use std::fs::DirBuilder;
use std::fs::File;
use std::io;
use std::io::Read;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::CWD;
use rustix::fs::FlockOperation;
use rustix::fs::RenameFlags;

use crate::layout;

/// A folder of files.
pub(crate) trait Medium: Send + Sync {
    /// Returns the names in the folder.
    fn names(&self) -> io::Result<Vec<String>>;
    /// Reads a whole file; `FileTooLarge` where it is longer than `limit`.
    fn read(&self, name: &str, limit: u64) -> io::Result<Vec<u8>>;
    /// Opens an empty file; one of that name is emptied.
    fn create(&self, name: &str) -> io::Result<Box<dyn MediumFile>>;
    /// Opens an existing file for writing.
    fn open(&self, name: &str) -> io::Result<Box<dyn MediumFile>>;
    /// Renames a file, replacing what had the new name.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Waits until all names are on the disk.
    fn sync_names(&self) -> io::Result<()>;
    /// Makes an empty folder beside this one; what was in it is removed.
    fn make_aside(&self) -> io::Result<Aside>;
    /// Lets this folder and the one beside it change places, in one step.
    fn exchange_aside(&self) -> io::Result<()>;
    /// Removes the folder beside this one, where there is one.
    fn remove_aside(&self) -> io::Result<()>;
    /// Waits until it is on the disk which of the two folders is in which place.
    fn sync_beside(&self) -> io::Result<()>;
}

/// A folder beside another one, in which what is to replace that one is made.
pub(crate) struct Aside {
    pub(crate) medium: Arc<dyn Medium>,
    /// Locks the folder, before and after it takes its place.
    pub(crate) lock: Option<File>,
}

/// A file that is being written.
pub(crate) trait MediumFile: Send + Sync {
    /// Writes all bytes at an offset.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Cuts or extends the file.
    fn set_length(&self, length: u64) -> io::Result<()>;
    /// Waits until the contents are on the disk.
    fn sync(&self) -> io::Result<()>;
}

/// A real folder.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    fn aside(&self) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(ASIDE);
        name.into()
    }
}

impl Medium for Folder {
    fn names(&self) -> io::Result<Vec<String>> {
        let names = fs::read_dir(&self.path)?.map(|entry| Ok(entry?.file_name()));
        // Names that are no UTF-8 are none of ours.
        Ok(names
            .collect::<io::Result<Vec<_>>>()?
            .into_iter()
            .map(OsString::into_string)
            .filter_map(Result::ok)
            .collect())
    }

    fn read(&self, name: &str, limit: u64) -> io::Result<Vec<u8>> {
        let file = File::open(self.path.join(name))?;
        let mut bytes = Vec::new();
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes)
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn MediumFile>> {
        let file =
            File::options().write(true).create(true).truncate(true).mode(0o600).open(self.path.join(name))?;
        Ok(Box::new(file))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn MediumFile>> {
        Ok(Box::new(File::options().write(true).open(self.path.join(name))?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn sync_names(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    fn make_aside(&self) -> io::Result<Aside> {
        self.remove_aside()?;
        let path = self.aside();
        DirBuilder::new().mode(0o700).create(&path)?;
        let lock = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join(layout::LOCK))?;
        rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Aside { medium: Arc::new(Self::new(&path)), lock: Some(lock) })
    }

    fn exchange_aside(&self) -> io::Result<()> {
        Ok(rustix::fs::renameat_with(CWD, self.aside(), CWD, &self.path, RenameFlags::EXCHANGE)?)
    }

    fn remove_aside(&self) -> io::Result<()> {
        match fs::remove_dir_all(self.aside()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn sync_beside(&self) -> io::Result<()> {
        File::open(parent_of(&self.path))?.sync_all()
    }
}

/// Returns the folder that a path is in.
pub(crate) fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        Some(_) | None => Path::new("."),
    }
}

impl MediumFile for File {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        // fdatasync: contents and length, but not the times.
        self.sync_data()
    }
}

/// Writes a file aside, then gives it its name; it has that name only when it is whole and on the disk.
pub(crate) fn publish(
    medium: &dyn Medium,
    name: &str,
    write: impl FnOnce(&mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()>,
) -> io::Result<Box<dyn MediumFile>> {
    let aside = format!("{name}{ASIDE}");
    let written: io::Result<_> = (|| {
        let file = medium.create(&aside)?;
        let mut offset = 0;
        write(&mut |bytes| {
            file.write_at(offset, bytes)?;
            offset += bytes.len() as u64;
            Ok(())
        })?;
        file.sync()?;
        medium.rename(&aside, name)?;
        Ok(file)
    })();
    if written.is_err()
        && let Err(error) = medium.remove(&aside)
    {
        // Cleared away at the next open.
        tracing::debug!(file = aside, error = &error as &dyn std::error::Error, "left aside");
    }
    let file = written?;
    medium.sync_names()?;
    Ok(file)
}

/// Ending of files that are being written.
pub(crate) const ASIDE: &str = ".aside";
