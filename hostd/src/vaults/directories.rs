//! The directories of vaults: shown while their vault is open, nothing but noise to everybody else, root included.
//!
//! A vault's files lie in `<state>/users/<vault>/<number of the vault key>`. hostd has no capability: it gives the kernel a key
//! that only it holds, and takes back what it gave (fscrypt, policies of version 2).

#[cfg(any(test, feature = "testing"))]
pub mod fake;
#[cfg(test)]
#[cfg(feature = "rooted")]
mod rooted;

use super::files::FileError;
use super::files::PrivateFile;
use super::files::copying;
use super::files::copying::Copied;
use std::fs;
use std::fs::DirBuilder;
use std::fs::File;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use vault::VaultKey;
use vault::directory;
use vault::directory::DirectoryError;
use vault::directory::DirectoryKey;
use vault::directory::Locking;
use vault::directory::Outcome;

/// What the key of a vault's directory is derived for; never changes.
const NAME: &str = "files";

/// Shows, hides, fills and destroys directories; all calls block.
pub trait Directories: std::fmt::Debug + Send + Sync {
    /// Shows a directory, which is made first where there is none.
    ///
    /// # Errors
    ///
    /// When the key is not the directory's, or the file system encrypts nothing.
    fn open(&self, path: &Path, key: &VaultKey) -> Result<Outcome, DirectoryError>;

    /// Hides a directory again.
    ///
    /// # Errors
    ///
    /// When there is none, or it is not encrypted.
    fn close(&self, path: &Path) -> Result<Locking, DirectoryError>;

    /// Copies a file from one directory that is shown to another; asked after each piece of so many bytes whether to go on.
    ///
    /// # Errors
    ///
    /// When there is no room, and what the file system says.
    fn copy(
        &self,
        from: &Path,
        to: &Path,
        file: &PrivateFile,
        goes_on: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Copied, FileError>;

    /// Has all that was copied to a directory on the disk when it returns.
    ///
    /// # Errors
    ///
    /// What the file system says.
    fn settle(&self, path: &Path) -> Result<(), FileError>;

    /// Destroys a directory with all that is in it, shown or hidden; nothing changes where there is none.
    ///
    /// # Errors
    ///
    /// What the file system says.
    fn destroy(&self, path: &Path) -> Result<(), DirectoryError>;

    /// Bytes that may still be written beside a directory.
    ///
    /// # Errors
    ///
    /// What the file system says.
    fn room(&self, path: &Path) -> Result<u64, DirectoryError>;
}

/// By the kernel.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fscrypt;

impl Directories for Fscrypt {
    fn open(&self, path: &Path, key: &VaultKey) -> Result<Outcome, DirectoryError> {
        make_folder(path).map_err(|source| DirectoryError::Open { path: path.to_owned(), source })?;
        directory::protect(path, &DirectoryKey::derive(key, NAME))
    }

    fn close(&self, path: &Path) -> Result<Locking, DirectoryError> {
        directory::lock_own(path)
    }

    fn copy(
        &self,
        from: &Path,
        to: &Path,
        file: &PrivateFile,
        goes_on: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Copied, FileError> {
        copying::copy(from, to, file, goes_on)
    }

    fn settle(&self, path: &Path) -> Result<(), FileError> {
        copying::settle(path)
    }

    fn destroy(&self, path: &Path) -> Result<(), DirectoryError> {
        if !path.is_dir() {
            return Ok(());
        }
        // The key first: without the directory nobody could name it to the kernel. What is hidden can be removed as well.
        match directory::lock_own(path) {
            Ok(_locking) => {}
            Err(DirectoryError::Plain { .. } | DirectoryError::Unsupported { .. }) => {}
            Err(error) => return Err(error),
        }
        remove(path)
    }

    fn room(&self, path: &Path) -> Result<u64, DirectoryError> {
        let room = rustix::fs::statvfs(path)
            .map_err(|errno| kernel("tell the room", path, io::Error::from(errno)))?;
        // What is set aside for accounts and sessions stays that.
        Ok(room.f_bavail.saturating_mul(room.f_frsize))
    }
}

/// Removes a directory with all that is in it; gone from the disk when this returns.
fn remove(path: &Path) -> Result<(), DirectoryError> {
    let parent = path.parent().unwrap_or(path);
    fs::remove_dir_all(path)
        .and_then(|()| File::open(parent)?.sync_all())
        .map_err(|source| kernel("remove the contents", path, source))
}

fn kernel(action: &'static str, path: &Path, source: io::Error) -> DirectoryError {
    DirectoryError::Kernel { action, path: path.to_owned(), source }
}

/// Makes a folder and those above it; on the disk when this returns.
fn make_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let Some(parent) = path.parent() else { return Err(io::ErrorKind::NotFound.into()) };
    make_folder(parent)?;
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    File::open(parent)?.sync_all()
}
