//! Every change of the disk that the store makes, one by one.

use crate::image::store::StoreError;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Asked before each change; an error stands for the power going away. Nothing is changed after one.
type Gate = Box<dyn Fn(&'static str) -> io::Result<()> + Send + Sync>;

/// The disk, watched perhaps.
#[derive(Default)]
pub struct Disk {
    gate: Option<Gate>,
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disk").finish_non_exhaustive()
    }
}

impl Disk {
    /// A disk whose every change is asked about before.
    #[must_use]
    pub fn watched(gate: impl Fn(&'static str) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self { gate: Some(Box::new(gate)) }
    }

    pub(crate) fn create_folder(&self, path: &Path) -> Result<(), StoreError> {
        if path.is_dir() {
            return Ok(());
        }
        self.change("make", path, || fs::DirBuilder::new().recursive(true).mode(0o700).create(path))
    }

    /// Writes a file and waits until its bytes are on the disk.
    pub(crate) fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        self.change("write", path, || {
            let mut file =
                fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
            file.write_all(bytes)?;
            file.sync_all()
        })
    }

    /// Opens a file to add to it.
    pub(crate) fn open_part(&self, path: &Path) -> Result<File, StoreError> {
        self.change("open", path, || {
            fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
        })
    }

    pub(crate) fn rename(&self, from: &Path, to: &Path) -> Result<(), StoreError> {
        self.change("put in its place", to, || fs::rename(from, to))
    }

    /// Waits until all that was written beneath a folder is on the disk.
    pub(crate) fn sync_tree(&self, path: &Path) -> Result<(), StoreError> {
        self.change("write out", path, || Ok(rustix::fs::syncfs(File::open(path)?)?))
    }

    /// Waits until the names in a folder are on the disk.
    pub(crate) fn sync_folder(&self, path: &Path) -> Result<(), StoreError> {
        self.change("write out", path, || File::open(path)?.sync_all())
    }

    pub(crate) fn remove_file(&self, path: &Path) -> Result<(), StoreError> {
        self.change("remove", path, || fs::remove_file(path))
    }

    /// Removes a file, or a folder with all in it, without following a link.
    pub(crate) fn remove_all(&self, path: &Path) -> Result<(), StoreError> {
        self.change("remove", path, || match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
            Ok(_file) => fs::remove_file(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        })
    }

    fn change<T>(
        &self,
        doing: &'static str,
        path: &Path,
        change: impl FnOnce() -> io::Result<T>,
    ) -> Result<T, StoreError> {
        self.gate
            .as_ref()
            .map_or(Ok(()), |gate| gate(doing))
            .and_then(|()| change())
            .map_err(|source| StoreError::Disk { doing, path: path.to_owned(), source })
    }
}
