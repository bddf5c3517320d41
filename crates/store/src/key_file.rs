//! A store's key in a file, and beside it the next one while the store changes from one to the other.
//!
//! ```text
//! prepare_next (key.next on the disk)  →  SledStore::rotate_key  →  promote_next (key.next becomes key; the old one is gone)
//! ```
//!
//! After a power cut the store is opened with both keys, and [`crate::Opened::key`] says how to go on: the next one
//! is promoted where it fits; where it does not, it stays for the next try.

use std::fs;
use std::fs::File;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use crate::KeyError;
use crate::StoreKey;
use crate::medium::parent_of;

/// Ending of the file with the next key.
const NEXT: &str = ".next";

/// Where a store's key is.
#[derive(Clone, Debug)]
pub struct KeyFile {
    path: PathBuf,
}

impl KeyFile {
    /// Names the file of the present key.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Loads the present key, or makes one where there is no such file.
    pub fn load_or_create(&self) -> Result<StoreKey, KeyError> {
        StoreKey::load_or_create(&self.path)
    }

    /// Loads the next key, where there is one.
    pub fn next(&self) -> Result<Option<StoreKey>, KeyError> {
        StoreKey::load(&self.next_path())
    }

    /// Makes the next key, or takes the one that is there; it is on the disk when this returns.
    pub fn prepare_next(&self) -> Result<StoreKey, KeyError> {
        StoreKey::load_or_create(&self.next_path())
    }

    /// Lets the next key take the place of the present one, in one step. Nothing happens where there is none.
    ///
    /// The old key then has no name any more. A flash medium may keep its bytes; what encrypts the disk below protects them.
    pub fn promote_next(&self) -> Result<(), KeyError> {
        match fs::rename(self.next_path(), &self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other.and_then(|()| File::open(parent_of(&self.path))?.sync_all()),
        }
        .map_err(|source| KeyError::Write { path: self.path.clone(), source })
    }

    fn next_path(&self) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(NEXT);
        name.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_key_takes_the_place_of_the_present_one() {
        let dir = tempfile::tempdir().unwrap();
        let file = KeyFile::new(&dir.path().join("key"));
        let present = file.load_or_create().unwrap();
        assert!(file.next().unwrap().is_none());
        file.promote_next().unwrap();
        assert_eq!(file.load_or_create().unwrap().as_bytes(), present.as_bytes());
        let next = file.prepare_next().unwrap();
        assert_eq!(
            file.prepare_next().unwrap().as_bytes(),
            next.as_bytes(),
            "another try takes the same one"
        );
        assert_eq!(file.next().unwrap().unwrap().as_bytes(), next.as_bytes());
        assert_ne!(present.as_bytes(), next.as_bytes());
        file.promote_next().unwrap();
        assert_eq!(file.load_or_create().unwrap().as_bytes(), next.as_bytes());
        assert!(file.next().unwrap().is_none());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "the old key is gone");
    }
}
