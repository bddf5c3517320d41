//! The key file on the boot partition, for boxes without a TPM whose owner wants them to start by themselves.
//!
//! Whoever has the disk has the key: it protects a disk that is thrown away after the file was destroyed, and nothing else.

use crate::key;
use crate::key::Key;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::mount::MountFlags;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// Where it lies, from the root of the boot partition.
const FILE: &str = "hearth/data.key";

/// What went wrong with the key file.
#[derive(Debug, thiserror::Error)]
pub enum BootKeyError {
    /// There is none.
    #[error("there is no key on the boot partition ({})", .0.display())]
    Missing(PathBuf),
    /// It is not as long as a key.
    #[error("the key on the boot partition ({}) has {length} bytes instead of {}", path.display(), key::LENGTH)]
    Length {
        /// The file.
        path: PathBuf,
        /// Its length.
        length: u64,
    },
    /// A file operation.
    #[error("{doing} {}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

/// The key file of a boot partition that is mounted read-only.
#[derive(Clone, Debug)]
pub struct BootKey {
    boot: PathBuf,
}

impl BootKey {
    /// On the partition that is mounted there.
    #[must_use]
    pub fn on(boot: &Path) -> Self {
        Self { boot: boot.to_owned() }
    }

    fn path(&self) -> PathBuf {
        self.boot.join(FILE)
    }

    /// Reads it.
    ///
    /// # Errors
    /// When it is missing or of another length.
    pub fn read(&self) -> Result<Key, BootKeyError> {
        let path = self.path();
        let failed = |source| BootKeyError::Io { doing: "read", path: path.clone(), source };
        let length = match fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(BootKeyError::Missing(path)),
            Err(error) => return Err(failed(error)),
        };
        if usize::try_from(length) != Ok(key::LENGTH) {
            return Err(BootKeyError::Length { path, length });
        }
        Ok(Key::from_bytes(fs::read(&path).map_err(failed)?))
    }

    /// Writes it; it is on the disk when this returns. A cut leaves the one before or this one.
    ///
    /// # Errors
    /// When the boot partition is not there or cannot be written.
    pub fn write(&self, key: &Key) -> Result<(), BootKeyError> {
        self.writable(|| {
            let path = self.path();
            let aside = path.with_extension("new");
            let folder = path.parent().unwrap_or(&self.boot);
            let failed = |source| BootKeyError::Io { doing: "write", path: path.clone(), source };
            fs::create_dir_all(folder).map_err(failed)?;
            let mut file = File::create(&aside).map_err(failed)?;
            file.write_all(key.bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
            fs::rename(&aside, &path).map_err(failed)?;
            sync_file_system(folder).map_err(failed)
        })
    }

    /// Destroys it: overwritten where it lies, then removed. A flash disk may keep a copy where nobody but its maker reads it; the
    /// slot that it opens is taken away before, which makes any copy worthless.
    ///
    /// # Errors
    /// When the boot partition cannot be written. That there is none is fine.
    pub fn destroy(&self) -> Result<(), BootKeyError> {
        let path = self.path();
        if !path.exists() {
            return Ok(());
        }
        self.writable(|| {
            let failed = |source| BootKeyError::Io { doing: "destroy", path: path.clone(), source };
            let zeros = Zeroizing::new([0; key::LENGTH]);
            let mut file = File::options().write(true).open(&path).map_err(failed)?;
            file.write_all(&*zeros).and_then(|()| file.sync_all()).map_err(failed)?;
            fs::remove_file(&path).map_err(failed)?;
            sync_file_system(path.parent().unwrap_or(&self.boot)).map_err(failed)
        })
    }

    /// Does something while the boot partition may be written to.
    fn writable(&self, act: impl FnOnce() -> Result<(), BootKeyError>) -> Result<(), BootKeyError> {
        const KEPT: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV).union(MountFlags::NOEXEC);
        let mount = |flags: MountFlags| {
            rustix::mount::mount_remount(&self.boot, flags, "").map_err(|error| BootKeyError::Io {
                doing: "make writable",
                path: self.boot.clone(),
                source: error.into(),
            })
        };
        let is_read_only = rustix::fs::statvfs(&self.boot)
            .is_ok_and(|facts| facts.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY));
        if !is_read_only {
            return act();
        }
        mount(KEPT)?;
        let done = act();
        // When this fails the partition stays writable until the next boot; what was asked for is done all the same.
        if let Err(error) = mount(KEPT | MountFlags::RDONLY) {
            tracing::warn!(error = &error as &dyn std::error::Error, "the boot partition stays writable");
        }
        done
    }
}

/// FAT has no journal: the folder's entries are where they belong when everything is.
fn sync_file_system(folder: &Path) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::open(folder, flags, Mode::empty())?;
    Ok(rustix::fs::syncfs(folder)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_until_it_is_destroyed() {
        let folder = tempfile::tempdir().unwrap();
        let file = BootKey::on(folder.path());
        assert!(matches!(file.read(), Err(BootKeyError::Missing(_))));
        let (first, second) = (Key::random().unwrap(), Key::random().unwrap());
        file.write(&first).unwrap();
        file.write(&second).unwrap();
        assert_eq!(file.read().unwrap().bytes(), second.bytes());
        assert_eq!(fs::read_dir(folder.path().join("hearth")).unwrap().count(), 1);
        file.destroy().unwrap();
        assert!(matches!(file.read(), Err(BootKeyError::Missing(_))));
        file.destroy().unwrap();
    }

    #[test]
    fn a_file_of_another_length_is_no_key() {
        let folder = tempfile::tempdir().unwrap();
        let file = BootKey::on(folder.path());
        fs::create_dir(folder.path().join("hearth")).unwrap();
        for length in [0, 31, 33, 5000] {
            fs::write(file.path(), vec![7; length]).unwrap();
            assert!(matches!(file.read(), Err(BootKeyError::Length { .. })), "{length}");
        }
    }
}
