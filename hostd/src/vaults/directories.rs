//! The directories of vaults: shown while their vault is open, nothing but noise to everybody else, root included.
//!
//! A vault's files lie in `<state>/users/<vault>/<number of the vault key>`. hostd has no capability: it gives the kernel a key
//! that only it holds, and takes back what it gave (fscrypt, policies of version 2).

#[cfg(any(test, feature = "testing"))]
pub mod fake;
#[cfg(test)]
#[cfg(feature = "rooted")]
mod rooted;

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

/// What the key of a vault's directory is derived for; never changes.
const NAME: &str = "files";

/// Shows and hides directories; all calls block.
pub trait Directories: std::fmt::Debug + Send + Sync {
    /// Shows a directory, which is made first where there is none.
    ///
    /// # Errors
    ///
    /// When the key is not the directory's, or the file system encrypts nothing.
    fn open(&self, path: &Path, key: &VaultKey) -> Result<(), DirectoryError>;

    /// Hides a directory again.
    ///
    /// # Errors
    ///
    /// When there is none, or it is not encrypted.
    fn close(&self, path: &Path) -> Result<Locking, DirectoryError>;
}

/// By the kernel.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fscrypt;

impl Directories for Fscrypt {
    fn open(&self, path: &Path, key: &VaultKey) -> Result<(), DirectoryError> {
        make_folder(path).map_err(|source| DirectoryError::Open { path: path.to_owned(), source })?;
        directory::protect(path, &DirectoryKey::derive(key, NAME)).map(|_outcome| ())
    }

    fn close(&self, path: &Path) -> Result<Locking, DirectoryError> {
        directory::lock_own(path)
    }
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
