//! Directories that show nothing while their user's vault is closed, not even to root (fscrypt).
//!
//! The kernel encrypts names and contents; sizes, times, owners and the number of entries stay visible. A directory is tied to
//! its key for good: after a rotation of the vault key its data is moved into a new directory under the new one.
//!
//! Locking takes the key from the kernel. Files that a program still has open stay readable to it: stop the programs
//! first, and lock again when [`Locking::Busy`] says that one was forgotten.

use std::fmt;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use hmac::Hmac;
use hmac::Mac;
use ioctls::fscrypt;
use ioctls::fscrypt::KeyIdentifier;
use ioctls::fscrypt::KeyStatus;
use ioctls::fscrypt::Policy;
use ioctls::fscrypt::Removal;
use rustix::fd::OwnedFd;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::io::Errno;
use sha2::Sha512;
use zeroize::Zeroizing;

use crate::open::OpenVault;
use crate::secret::VaultKey;
use crate::secret::derive_long;

#[cfg(test)]
#[cfg(feature = "rooted")]
mod rooted;

/// Bytes of the key of a directory.
pub const KEY_BYTES: usize = fscrypt::KEY_BYTES;

/// The key of one directory.
#[derive(Clone)]
pub struct DirectoryKey(Zeroizing<[u8; KEY_BYTES]>);

/// What a directory shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Everything, always: it is not encrypted.
    Plain,
    /// Nothing.
    Locked,
    /// Everything.
    Unlocked,
    /// Only what programs had open when it was locked.
    Busy,
}

/// What came of locking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locking {
    /// Nothing can be read any more.
    Locked,
    /// Programs still have files open, and can read those.
    Busy,
}

/// What came of protecting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was encrypted with this key before.
    Unchanged,
    /// It is from now on.
    Changed,
}

/// Why a directory was not protected, locked or unlocked; it is as it was.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// There is no such directory, or it cannot be opened.
    #[error("could not open the directory {}", path.display())]
    Open {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file system was made without encryption, or the kernel has none.
    #[error("the file system of {} cannot encrypt directories", path.display())]
    Unsupported {
        /// The directory.
        path: PathBuf,
    },
    /// Only an empty directory can be encrypted.
    #[error("{} is not empty, so it cannot be encrypted any more", path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// It is encrypted with another key, or not by us.
    #[error("{} is encrypted with another key", path.display())]
    OtherKey {
        /// The directory.
        path: PathBuf,
    },
    /// There is nothing to unlock.
    #[error("{} is not encrypted", path.display())]
    Plain {
        /// The directory.
        path: PathBuf,
    },
    /// The kernel refused.
    #[error("the kernel could not {action} of {}", path.display())]
    Kernel {
        /// What was asked for.
        action: &'static str,
        /// The directory.
        path: PathBuf,
        /// What it said.
        #[source]
        source: io::Error,
    },
}

impl fmt::Debug for DirectoryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DirectoryKey(…)")
    }
}

impl DirectoryKey {
    /// Derives the key of a user's or an app's directory, by a name that never changes ("home", "app/" and the app's key).
    #[must_use]
    pub fn derive(vault: &VaultKey, name: &str) -> Self {
        Self(derive_long(vault.expose(), "hearth vault directory 1", &[name.as_bytes()]))
    }

    /// Derives the key of an app's directory from a secret of whoever the app belongs to, by the app's key, which never changes.
    #[must_use]
    pub fn of_app(secret: &[u8; 32], app: &str) -> Self {
        Self(derive_long(secret, "hearth app directory 1", &[app.as_bytes()]))
    }

    /// Takes a key from whoever derived it.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; KEY_BYTES]) -> Self {
        Self(Zeroizing::new(*bytes))
    }

    /// Gives the key to whoever shows the directory.
    #[must_use]
    pub fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// Computes the kernel's name of the key, so that a wrong key never comes near the kernel: 16 bytes of HKDF-SHA512
    /// without salt, info "fscrypt", 0, 1 (`HKDF_CONTEXT_KEY_IDENTIFIER_FOR_RAW_KEY`, fs/crypto/fscrypt_private.h).
    #[must_use]
    pub fn identifier(&self) -> KeyIdentifier {
        let extracted = hmac_sha512(&[0; 64], self.0.as_slice());
        // One block is enough, its number is 1 (RFC 5869 section 2.3).
        let expanded = hmac_sha512(extracted.as_slice(), b"fscrypt\0\x01\x01");
        KeyIdentifier(std::array::from_fn(|index| expanded[index]))
    }
}

impl OpenVault {
    /// Finds the key of a directory, which during a rotation may still be that of the previous vault key; `None` when the
    /// directory is not encrypted.
    ///
    /// # Errors
    /// [`DirectoryError::OtherKey`] when neither fits, [`DirectoryError::Open`] and [`DirectoryError::Unsupported`].
    pub fn directory_key(&self, path: &Path, name: &str) -> Result<Option<DirectoryKey>, DirectoryError> {
        let Some(identifier) = identifier_of(&open(path)?, path)? else { return Ok(None) };
        std::iter::once(self.current())
            .chain(self.previous())
            .map(|vault| DirectoryKey::derive(vault, name))
            .find(|key| key.identifier() == identifier)
            .map(Some)
            .ok_or_else(|| DirectoryError::OtherKey { path: path.to_owned() })
    }
}

/// Says what a directory shows.
///
/// # Errors
/// [`DirectoryError::Open`], [`DirectoryError::OtherKey`] when it is encrypted otherwise than here.
pub fn state(path: &Path) -> Result<State, DirectoryError> {
    let directory = open(path)?;
    let identifier = match identifier_of(&directory, path) {
        Ok(Some(identifier)) => identifier,
        Ok(None) | Err(DirectoryError::Unsupported { .. }) => return Ok(State::Plain),
        Err(error) => return Err(error),
    };
    match fscrypt::key_status(&directory, identifier) {
        Ok(KeyStatus::Absent) => Ok(State::Locked),
        Ok(KeyStatus::Present) => Ok(State::Unlocked),
        Ok(KeyStatus::IncompletelyRemoved) => Ok(State::Busy),
        Err(errno) => Err(kernel("tell the state", path, errno)),
    }
}

/// Makes an empty directory encrypted with a key, and leaves it unlocked; on the disk when this returns.
///
/// # Errors
/// [`DirectoryError::NotEmpty`], [`DirectoryError::OtherKey`], [`DirectoryError::Unsupported`].
pub fn protect(path: &Path, key: &DirectoryKey) -> Result<Outcome, DirectoryError> {
    let directory = open(path)?;
    if identifier_of(&directory, path)?.is_some() {
        drop(directory);
        return unlock(path, key).map(|()| Outcome::Unchanged);
    }
    let was = fscrypt::key_status(&directory, key.identifier())
        .map_err(|errno| kernel("tell the state", path, errno))?;
    let identifier = add(&directory, key, path)?;
    let protected = fscrypt::set_policy(&directory, identifier).map_err(|errno| match errno {
        Errno::NOTEMPTY => DirectoryError::NotEmpty { path: path.to_owned() },
        Errno::EXIST => DirectoryError::OtherKey { path: path.to_owned() },
        other => kernel("set the encryption", path, other),
    });
    if let Err(error) = protected {
        if was == KeyStatus::Absent {
            fscrypt::remove_key(&directory, identifier)
                .map_err(|errno| kernel("take back the key", path, errno))?;
        }
        return Err(error);
    }
    rustix::fs::fsync(&directory).map_err(|errno| kernel("save the encryption", path, errno))?;
    Ok(Outcome::Changed)
}

/// Shows a directory again; nothing changes if it is unlocked.
///
/// # Errors
/// [`DirectoryError::OtherKey`] for a wrong key, of which the kernel is not told, [`DirectoryError::Plain`].
pub fn unlock(path: &Path, key: &DirectoryKey) -> Result<(), DirectoryError> {
    let directory = open(path)?;
    match identifier_of(&directory, path)? {
        None => Err(DirectoryError::Plain { path: path.to_owned() }),
        Some(identifier) if identifier != key.identifier() => {
            Err(DirectoryError::OtherKey { path: path.to_owned() })
        }
        Some(_same) => add(&directory, key, path).map(|_identifier| ()),
    }
}

/// Locks a directory, and all others under the same key; nothing changes if it is locked. Written data is on the disk then
/// (the kernel syncs the file system first).
///
/// # Errors
/// [`DirectoryError::Plain`], [`DirectoryError::Kernel`] without `CAP_SYS_ADMIN`.
pub fn lock(path: &Path) -> Result<Locking, DirectoryError> {
    lock_claims(path, |parent, key| fscrypt::remove_key_of_all_users(parent, key))
}

/// As [`lock`] for a program without privileges: takes back the key that it gave itself. [`Locking::Busy`] also when another
/// user of the system gave the same key.
///
/// # Errors
/// As [`lock`].
pub fn lock_own(path: &Path) -> Result<Locking, DirectoryError> {
    lock_claims(path, |parent, key| fscrypt::remove_key(parent, key))
}

fn lock_claims(
    path: &Path,
    remove: impl FnOnce(&OwnedFd, KeyIdentifier) -> rustix::io::Result<Removal>,
) -> Result<Locking, DirectoryError> {
    let Some(identifier) = identifier_of(&open(path)?, path)? else {
        return Err(DirectoryError::Plain { path: path.to_owned() });
    };
    // The directory itself must be closed, or it counts as a file in use: the request goes to the folder it lies in.
    let parent =
        open(path.parent().filter(|parent| *parent != Path::new("")).unwrap_or_else(|| Path::new(".")))?;
    match remove(&parent, identifier) {
        Ok(Removal::Complete) | Err(Errno::NOKEY) => Ok(Locking::Locked),
        Ok(Removal::FilesBusy | Removal::OtherUsers) => Ok(Locking::Busy),
        Err(errno) => Err(kernel("take back the key", path, errno)),
    }
}

fn add(directory: &OwnedFd, key: &DirectoryKey, path: &Path) -> Result<KeyIdentifier, DirectoryError> {
    fscrypt::add_key(directory, &key.0).map_err(|errno| match errno {
        Errno::NOTTY | Errno::OPNOTSUPP => DirectoryError::Unsupported { path: path.to_owned() },
        other => kernel("take the key", path, other),
    })
}

/// Returns what a directory is encrypted with, if it is.
fn identifier_of(directory: &OwnedFd, path: &Path) -> Result<Option<KeyIdentifier>, DirectoryError> {
    match fscrypt::policy(directory) {
        Ok(None) => Ok(None),
        Ok(Some(Policy::Ours(identifier))) => Ok(Some(identifier)),
        Ok(Some(Policy::Other)) => Err(DirectoryError::OtherKey { path: path.to_owned() }),
        Err(Errno::NOTTY | Errno::OPNOTSUPP) => Err(DirectoryError::Unsupported { path: path.to_owned() }),
        Err(errno) => Err(kernel("tell the encryption", path, errno)),
    }
}

fn open(path: &Path) -> Result<OwnedFd, DirectoryError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
        .map_err(|errno| DirectoryError::Open { path: path.to_owned(), source: errno.into() })
}

fn kernel(action: &'static str, path: &Path, errno: Errno) -> DirectoryError {
    DirectoryError::Kernel { action, path: path.to_owned(), source: errno.into() }
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of every length, the error cannot occur")]
fn hmac_sha512(key: &[u8], message: &[u8]) -> Zeroizing<[u8; 64]> {
    let mut mac = <Hmac<Sha512> as Mac>::new_from_slice(key).expect("HMAC takes any key");
    mac.update(message);
    Zeroizing::new(mac.finalize().into_bytes().into())
}
