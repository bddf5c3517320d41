//! The box's own keys: the system key in one file, every store's key wrapped under it in another (docs/spec/storage.md, "Keys").
//!
//! No power cut changes two files together. So the system key is made before the document that needs it, and a rotation wraps
//! everything under both keys before the key's file changes ([`vault::SystemDocument`]). Whoever comes next finishes what was begun:
//! every operation reads both files anew, and nothing is remembered that the disk may not have.

mod folder;

pub use folder::Folder;

use std::io;
use vault::DecodeError;
use vault::KeyName;
use vault::RandomError;
use vault::StoreKey;
use vault::SystemDocument;
use vault::SystemError;
use vault::SystemKey;
use zeroize::Zeroizing;

/// Bytes of the system key.
const KEY_BYTES: usize = 32;

/// One of the two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The system key.
    SystemKey,
    /// What is wrapped under it.
    Document,
}

/// Where the two files are. Each is replaced as a whole: a cut leaves the old or the new one.
pub trait Files {
    /// A file's content; none where there is no such file.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read(&self, part: Part) -> io::Result<Option<Zeroizing<Vec<u8>>>>;

    /// Puts a new file in the place of the old one; it is on the disk when this returns.
    ///
    /// # Errors
    /// When that failed; then the old or the new one is there.
    fn replace(&mut self, part: Part, bytes: &[u8]) -> io::Result<()>;
}

/// Why the box's own keys cannot be used or changed.
#[derive(Debug, thiserror::Error)]
pub enum KeyTreeError {
    /// A file.
    #[error("{doing} the {}", part.words())]
    File {
        /// What was being done.
        doing: &'static str,
        /// To which.
        part: Part,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The system key's file is no key.
    #[error("the box's system key has {0} bytes instead of {KEY_BYTES}")]
    NoKey(usize),
    /// There are keys, and the one they are wrapped under is gone.
    #[error("the box's system key is gone")]
    KeyGone,
    /// The document is none.
    #[error("understand the box's list of keys")]
    Document(#[source] DecodeError),
    /// A key in it.
    #[error(transparent)]
    Keys(#[from] SystemError),
    /// No random numbers.
    #[error("make a system key")]
    Random(#[source] RandomError),
    /// A store brings a key of its own, and has another one here.
    #[error("the store {0} has another key already")]
    OtherKey(KeyName),
}

/// The two files, read and understood.
#[derive(Debug)]
pub struct KeyTree<F> {
    files: F,
    system: SystemKey,
    document: SystemDocument,
}

impl Part {
    const fn words(self) -> &'static str {
        match self {
            Self::SystemKey => "box's system key",
            Self::Document => "box's list of keys",
        }
    }
}

impl<F: Files> KeyTree<F> {
    /// Reads the files, makes what is not there yet, finishes what was begun.
    ///
    /// # Errors
    /// When a file is damaged, missing beside the other, or not taken by the disk.
    pub fn open(mut files: F) -> Result<Self, KeyTreeError> {
        let (key, document) = (read(&files, Part::SystemKey)?, read(&files, Part::Document)?);
        let system = match (key, &document) {
            (Some(bytes), _) => as_key(&bytes)?,
            (None, Some(_)) => return Err(KeyTreeError::KeyGone),
            (None, None) => {
                let system = SystemKey::random().map_err(KeyTreeError::Random)?;
                replace(&mut files, Part::SystemKey, system.expose())?;
                system
            }
        };
        let Some(document) = document else {
            // A document that was lost gives a store a key that does not fit, which the store notices and is left alone.
            let document = SystemDocument::create(&system);
            replace(&mut files, Part::Document, &document.encode())?;
            return Ok(Self { files, system, document });
        };
        let document = SystemDocument::decode(&document).map_err(KeyTreeError::Document)?;
        let mut tree = Self { files, system, document };
        if tree.document.is_rotating() {
            tree.finish()?;
        } else if !tree.document.is_opened_by(&tree.system) {
            return Err(SystemError::WrongSystemKey.into());
        }
        Ok(tree)
    }

    /// The key of a store; it is made when there is none, and on the disk before anybody has it.
    ///
    /// # Errors
    /// When it is damaged, or the disk does not take a new one.
    pub fn store_key(&mut self, name: &KeyName) -> Result<StoreKey, KeyTreeError> {
        match self.document.store_key(&self.system, name) {
            Err(SystemError::NoSuchKey { .. }) => {
                let (document, key) = self.document.new_store_key(&self.system, name)?;
                self.commit(document)?;
                Ok(key)
            }
            found => Ok(found?),
        }
    }

    /// Takes in the key of a store that kept it by itself until now. To do it once more changes nothing.
    ///
    /// # Errors
    /// [`KeyTreeError::OtherKey`], and when the disk does not take it.
    pub fn adopt_store_key(&mut self, name: &KeyName, key: &StoreKey) -> Result<(), KeyTreeError> {
        match self.document.store_key(&self.system, name) {
            Ok(known) if known.expose() == key.expose() => Ok(()),
            Ok(_other) => Err(KeyTreeError::OtherKey(name.clone())),
            Err(SystemError::NoSuchKey { .. }) => {
                self.commit(self.document.adopt_store_key(&self.system, name, key)?)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Gives the box another system key. The keys of the stores stay as they are, wrapped anew; the old system key opens nothing that
    /// is written from now on.
    ///
    /// # Errors
    /// When the disk does not take it. What was begun is finished or given up when the files are opened the next time.
    pub fn rotate(&mut self) -> Result<(), KeyTreeError> {
        let new = SystemKey::random().map_err(KeyTreeError::Random)?;
        self.commit(self.document.begin_rotation(&self.system, &new)?)?;
        replace(&mut self.files, Part::SystemKey, new.expose())?;
        self.system = new;
        self.finish()
    }

    fn finish(&mut self) -> Result<(), KeyTreeError> {
        self.commit(self.document.finish_rotation(&self.system)?)
    }

    fn commit(&mut self, document: SystemDocument) -> Result<(), KeyTreeError> {
        replace(&mut self.files, Part::Document, &document.encode())?;
        self.document = document;
        Ok(())
    }
}

fn read<F: Files>(files: &F, part: Part) -> Result<Option<Zeroizing<Vec<u8>>>, KeyTreeError> {
    files.read(part).map_err(|source| KeyTreeError::File { doing: "read", part, source })
}

fn replace<F: Files>(files: &mut F, part: Part, bytes: &[u8]) -> Result<(), KeyTreeError> {
    files.replace(part, bytes).map_err(|source| KeyTreeError::File { doing: "write", part, source })
}

fn as_key(bytes: &[u8]) -> Result<SystemKey, KeyTreeError> {
    let bytes: &[u8; KEY_BYTES] = bytes.try_into().map_err(|_length| KeyTreeError::NoKey(bytes.len()))?;
    Ok(SystemKey::from_bytes(Zeroizing::new(*bytes)))
}

#[cfg(test)]
mod tests;
