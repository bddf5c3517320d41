//! The document of what the box itself may read: store keys and lookup keys, wrapped under the system key.
//!
//! They are random and wrapped, not derived, so that neither a store nor a tag changes when the system key does. That
//! key lies in a sealed file, the wraps in this document: two files, which no power cut changes together. So a rotation
//! has three steps, and whichever of the two keys the file holds opens the document at each of them:
//!
//! 1. [`begin_rotation`](SystemDocument::begin_rotation): every key is wrapped under both; commit.
//! 2. Put the new system key into the sealed file.
//! 3. [`finish_rotation`](SystemDocument::finish_rotation) with the key that the file holds; commit.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use crate::document::DecodeError;
use crate::document::decode;
use crate::document::encode;
use crate::encoding::Base64;
use crate::names::KeyName;
use crate::seal::Wrap;
use crate::seal::unwrap;
use crate::seal::wrap;
use crate::secret::LookupKey;
use crate::secret::RandomError;
use crate::secret::Secret;
use crate::secret::StoreKey;
use crate::secret::SystemKey;
use crate::secret::derive;
use crate::secret::joined;

const VERSION: u32 = 1;
/// Most keys of each kind; keeps a document within its bounds with room for two wraps of each.
const KEYS_MAX: usize = 64;

/// Wrapped store keys and lookup keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SystemDocument {
    kind: Kind,
    version: u32,
    /// One ring, or two while the system key is being changed.
    rings: Vec<Ring>,
}

/// All keys under one system key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ring {
    /// Tells which system key it is, and nothing about it.
    system_key: Base64<16>,
    stores: BTreeMap<KeyName, Wrap>,
    lookups: BTreeMap<KeyName, Wrap>,
}

/// Why a system document was not opened or changed; the document in hand is still good.
#[derive(Debug, thiserror::Error)]
pub enum SystemError {
    /// It is wrapped under another system key.
    #[error("the keys are under another system key")]
    WrongSystemKey,
    /// A wrap does not open.
    #[error("the wrap of key {name} is damaged")]
    Damaged {
        /// The key.
        name: KeyName,
    },
    /// There is no such key.
    #[error("there is no key {name}")]
    NoSuchKey {
        /// The key.
        name: KeyName,
    },
    /// There is one.
    #[error("there is a key {name} already")]
    Exists {
        /// The key.
        name: KeyName,
    },
    /// No more fit.
    #[error("there are {KEYS_MAX} keys, no more fit")]
    TooMany,
    /// New keys have to wait until the rotation is finished.
    #[error("the system key is being changed")]
    Rotating,
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    #[serde(rename = "hearth-system-keys")]
    SystemKeys,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Store,
    Lookup,
}

impl SystemDocument {
    /// Makes a document without keys.
    #[must_use]
    pub fn create(system: &SystemKey) -> Self {
        Self { kind: Kind::SystemKeys, version: VERSION, rings: vec![Ring::empty(system)] }
    }

    /// Reads a document.
    ///
    /// # Errors
    /// When it is too long, damaged, of a later version, or has what no document has.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let document: Self = decode(bytes, VERSION)?;
        let content = |what| Err(DecodeError::Content { what });
        match document.rings.as_slice() {
            [_one] => {}
            [one, other] if one.system_key != other.system_key => {}
            _none_or_more => return content("no keys' ring, or too many"),
        }
        if document.rings.iter().any(|ring| ring.stores.len().max(ring.lookups.len()) > KEYS_MAX) {
            return content("too many keys");
        }
        Ok(document)
    }

    /// Writes the document, as it is to be committed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Says whether a rotation was begun and not finished.
    #[must_use]
    pub fn is_rotating(&self) -> bool {
        self.rings.len() > 1
    }

    /// Says whether this system key opens the document.
    #[must_use]
    pub fn is_opened_by(&self, system: &SystemKey) -> bool {
        self.ring(system).is_ok()
    }

    /// Makes a new key for a store.
    ///
    /// # Errors
    /// [`SystemError::Exists`], [`SystemError::Rotating`], [`SystemError::TooMany`], [`SystemError::WrongSystemKey`].
    pub fn new_store_key(&self, system: &SystemKey, name: &KeyName) -> Result<(Self, StoreKey), SystemError> {
        let key = StoreKey::random()?;
        Ok((self.adopt_store_key(system, name, &key)?, key))
    }

    /// Takes in a store key that was kept elsewhere until now.
    ///
    /// # Errors
    /// As [`Self::new_store_key`].
    pub fn adopt_store_key(
        &self,
        system: &SystemKey,
        name: &KeyName,
        key: &StoreKey,
    ) -> Result<Self, SystemError> {
        self.insert(system, Purpose::Store, name, key.expose())
    }

    /// Opens the key of a store.
    ///
    /// # Errors
    /// [`SystemError::NoSuchKey`], [`SystemError::WrongSystemKey`], [`SystemError::Damaged`].
    pub fn store_key(&self, system: &SystemKey, name: &KeyName) -> Result<StoreKey, SystemError> {
        self.ring(system)?.open(system, Purpose::Store, name).map(StoreKey::from_bytes)
    }

    /// Makes a new lookup key.
    ///
    /// # Errors
    /// As [`Self::new_store_key`].
    pub fn new_lookup_key(
        &self,
        system: &SystemKey,
        name: &KeyName,
    ) -> Result<(Self, LookupKey), SystemError> {
        let key = LookupKey::random()?;
        Ok((self.insert(system, Purpose::Lookup, name, key.expose())?, key))
    }

    /// Opens a lookup key.
    ///
    /// # Errors
    /// As [`Self::store_key`].
    pub fn lookup_key(&self, system: &SystemKey, name: &KeyName) -> Result<LookupKey, SystemError> {
        self.ring(system)?.open(system, Purpose::Lookup, name).map(LookupKey::from_bytes)
    }

    /// Wraps all keys under a new system key too. A rotation that was begun before and never reached the sealed file is
    /// given up.
    ///
    /// # Errors
    /// [`SystemError::WrongSystemKey`] for the old key, [`SystemError::Damaged`].
    pub fn begin_rotation(&self, old: &SystemKey, new: &SystemKey) -> Result<Self, SystemError> {
        let ring = self.ring(old)?;
        if ring.system_key == identity(new) {
            return Ok(self.clone());
        }
        let mut under_new = Ring::empty(new);
        for purpose in [Purpose::Store, Purpose::Lookup] {
            for name in ring.wraps(purpose).keys() {
                let key = ring.open(old, purpose, name)?;
                under_new.insert(new, purpose, name, &key)?;
            }
        }
        Ok(Self { rings: vec![ring.clone(), under_new], ..self.clone() })
    }

    /// Drops what is wrapped under any other system key; nothing changes when there is no other.
    ///
    /// # Errors
    /// [`SystemError::WrongSystemKey`].
    pub fn finish_rotation(&self, system: &SystemKey) -> Result<Self, SystemError> {
        Ok(Self { rings: vec![self.ring(system)?.clone()], ..self.clone() })
    }

    fn ring(&self, system: &SystemKey) -> Result<&Ring, SystemError> {
        let identity = identity(system);
        self.rings.iter().find(|ring| ring.system_key == identity).ok_or(SystemError::WrongSystemKey)
    }

    fn insert(
        &self,
        system: &SystemKey,
        purpose: Purpose,
        name: &KeyName,
        key: &[u8; 32],
    ) -> Result<Self, SystemError> {
        let ring = self.ring(system)?;
        if self.is_rotating() {
            return Err(SystemError::Rotating);
        }
        let wraps = ring.wraps(purpose);
        if wraps.contains_key(name) {
            return Err(SystemError::Exists { name: name.clone() });
        }
        if wraps.len() >= KEYS_MAX {
            return Err(SystemError::TooMany);
        }
        let mut ring = ring.clone();
        ring.insert(system, purpose, name, key)?;
        Ok(Self { rings: vec![ring], ..self.clone() })
    }
}

impl Ring {
    fn empty(system: &SystemKey) -> Self {
        Self { system_key: identity(system), stores: BTreeMap::new(), lookups: BTreeMap::new() }
    }

    fn wraps(&self, purpose: Purpose) -> &BTreeMap<KeyName, Wrap> {
        match purpose {
            Purpose::Store => &self.stores,
            Purpose::Lookup => &self.lookups,
        }
    }

    fn insert(
        &mut self,
        system: &SystemKey,
        purpose: Purpose,
        name: &KeyName,
        key: &[u8; 32],
    ) -> Result<(), RandomError> {
        let wrapped = wrap(&wrapping_key(system), &place(purpose, name), key)?;
        match purpose {
            Purpose::Store => self.stores.insert(name.clone(), wrapped),
            Purpose::Lookup => self.lookups.insert(name.clone(), wrapped),
        };
        Ok(())
    }

    fn open(&self, system: &SystemKey, purpose: Purpose, name: &KeyName) -> Result<Secret, SystemError> {
        let wrapped =
            self.wraps(purpose).get(name).ok_or_else(|| SystemError::NoSuchKey { name: name.clone() })?;
        unwrap(&wrapping_key(system), &place(purpose, name), wrapped)
            .ok_or_else(|| SystemError::Damaged { name: name.clone() })
    }
}

fn wrapping_key(system: &SystemKey) -> Secret {
    derive(system.expose(), "hearth system wraps 1", &[])
}

fn identity(system: &SystemKey) -> Base64<16> {
    let digest = derive(system.expose(), "hearth system key check 1", &[]);
    Base64(std::array::from_fn(|index| digest[index]))
}

/// Associated data of a wrap.
fn place(purpose: Purpose, name: &KeyName) -> Vec<u8> {
    let label = match purpose {
        Purpose::Store => "hearth store key 1",
        Purpose::Lookup => "hearth lookup key 1",
    };
    joined(label, &[name.as_str().as_bytes()])
}
