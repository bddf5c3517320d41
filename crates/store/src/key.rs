//! The secret under which a store is sealed, and the file it is kept in until the TPM wraps it.

use std::fmt;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

use rustix::fs::CWD;
use rustix::fs::OFlags;
use rustix::fs::RenameFlags;
use zeroize::Zeroizing;

use crate::medium::parent_of;

/// Length of a key in bytes.
const KEY_BYTES: usize = 32;

/// A secret of 256 bits; overwritten in memory when dropped, never shown.
#[derive(Clone)]
pub struct StoreKey(Zeroizing<[u8; KEY_BYTES]>);

/// Why a key could not be loaded or created.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file exists and could not be read.
    #[error("could not read the store's key from {}", path.display())]
    Read {
        /// The key file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is no key.
    #[error("{} is no key: it has {bytes} bytes instead of 32", path.display())]
    Malformed {
        /// The key file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
    },
    /// Others than the owner may read or change the file.
    #[error("{} is open to others (mode {mode:o})", path.display())]
    Exposed {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file could not be written.
    #[error("could not write a new key to {}", path.display())]
    Write {
        /// The file that was being written.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The kernel gave no random bytes.
    #[error("could not get random bytes for a new key")]
    Random {
        /// Why.
        #[source]
        source: getrandom::Error,
    },
}

impl StoreKey {
    /// Takes a key that is kept elsewhere.
    #[must_use]
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Makes a new key.
    pub fn generate() -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(bytes.as_mut_slice()).map_err(|source| KeyError::Random { source })?;
        Ok(Self(bytes))
    }

    /// Loads the key, or makes one where there is no such file; the new one is on the disk when this returns.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyError> {
        match load(path) {
            Err(KeyError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => create(path),
            other => other,
        }
    }

    /// Loads the key; none where there is no such file.
    pub fn load(path: &Path) -> Result<Option<Self>, KeyError> {
        match load(path) {
            Ok(key) => Ok(Some(key)),
            Err(KeyError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Shows the key to what keeps it from now on.
    #[must_use]
    pub fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    pub(crate) fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreKey(…)")
    }
}

fn load(path: &Path) -> Result<StoreKey, KeyError> {
    let failed = |source| KeyError::Read { path: path.to_owned(), source };
    let mut file = File::options()
        .read(true)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)
        .map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Exposed { path: path.to_owned(), mode });
    }
    if metadata.len() != KEY_BYTES as u64 {
        return Err(KeyError::Malformed { path: path.to_owned(), bytes: metadata.len() });
    }
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    file.read_exact(bytes.as_mut_slice()).map_err(failed)?;
    Ok(StoreKey(bytes))
}

/// Writes a key aside and moves it into place, so that a file of that name is always a whole key.
fn create(path: &Path) -> Result<StoreKey, KeyError> {
    let key = StoreKey::generate()?;
    let mut suffix = [0; 8];
    getrandom::fill(&mut suffix).map_err(|source| KeyError::Random { source })?;
    let aside = path.with_added_extension(format!("{:016x}.aside", u64::from_le_bytes(suffix)));
    let placed = write_aside(&aside, key.as_bytes())
        .and_then(|()| Ok(rustix::fs::renameat_with(CWD, &aside, CWD, path, RenameFlags::NOREPLACE)?))
        .and_then(|()| File::open(parent_of(path))?.sync_all());
    match placed {
        Ok(()) => Ok(key),
        Err(source) => {
            if let Err(error) = fs::remove_file(&aside) {
                tracing::debug!(path = %aside.display(), error = &error as &dyn std::error::Error, "left aside");
            }
            // Somebody else was quicker: theirs is the key.
            if source.kind() == io::ErrorKind::AlreadyExists && path.exists() {
                return load(path);
            }
            Err(KeyError::Write { path: path.to_owned(), source })
        }
    }
}

fn write_aside(aside: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(aside)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn creates_once_and_loads_the_same_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let first = StoreKey::load_or_create(&path).unwrap();
        let second = StoreKey::load_or_create(&path).unwrap();
        assert_eq!(first.as_bytes(), second.as_bytes());
        assert_ne!(first.as_bytes(), &[0; KEY_BYTES]);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left aside");
    }

    #[test]
    fn racing_creators_end_with_one_key() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let keys: Vec<_> = std::thread::scope(|scope| {
            let racers: Vec<_> =
                (0..8).map(|_| scope.spawn(|| StoreKey::load_or_create(&path).unwrap())).collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| key.as_bytes() == keys[0].as_bytes()));
    }

    #[test]
    fn refuses_short_exposed_and_linked_files() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        write_aside(&path, &[7; 31]).unwrap();
        assert!(matches!(StoreKey::load_or_create(&path), Err(KeyError::Malformed { bytes: 31, .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(StoreKey::load_or_create(&path), Err(KeyError::Exposed { mode: 0o640, .. })));
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(matches!(StoreKey::load_or_create(&link), Err(KeyError::Read { .. })));
        assert!(matches!(StoreKey::load_or_create(&dir.path().join("no/key")), Err(KeyError::Write { .. })));
    }

    #[test]
    fn is_not_shown() {
        assert_eq!(format!("{:?}", StoreKey::from_bytes([0x41; KEY_BYTES])), "StoreKey(…)");
    }
}
