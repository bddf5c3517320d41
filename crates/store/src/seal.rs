//! Cryptography of a store: sealed records, authenticated files, and the digest of a whole state.
//!
//! From the [`StoreKey`] one key a purpose is derived (HMAC-SHA256 over a label, the store's identity and, for
//! records, the table). A record is sealed with XChaCha20-Poly1305 under its table's key and a random nonce; its
//! name and generation are associated data, so that a record moved to another name, brought back from an earlier
//! generation or taken from another store does not open.

use chacha20poly1305::AeadInPlace;
use chacha20poly1305::KeyInit;
use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::XNonce;
use hmac::Hmac;
use hmac::Mac;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::StoreKey;
use crate::name::RecordName;

/// Random identity of a store, part of everything it seals.
pub(crate) type StoreId = [u8; 16];
/// Output of HMAC-SHA256.
pub(crate) type Tag = [u8; 32];
/// Says which key of the right store this is, without telling anything about it.
pub(crate) type KeyCheck = [u8; 16];

const GENERATION_BYTES: usize = 8;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
/// What sealing adds to a value.
pub(crate) const SEAL_BYTES: usize = GENERATION_BYTES + NONCE_BYTES + TAG_BYTES;

/// What a file's authentication tag is for; tags of one purpose never pass for another.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    JournalHeader,
    Frame,
    Snapshot,
    Export,
    SledFolder,
    StateDigest,
    KeyCheck,
    Record,
}

impl Purpose {
    fn label(self) -> &'static [u8] {
        match self {
            Self::JournalHeader => b"hearth store journal header 1",
            Self::Frame => b"hearth store frame 1",
            Self::Snapshot => b"hearth store snapshot 1",
            Self::Export => b"hearth store export 1",
            Self::SledFolder => b"hearth store sled folder 1",
            Self::StateDigest => b"hearth store state digest 1",
            Self::KeyCheck => b"hearth store key check 1",
            Self::Record => b"hearth store record 1",
        }
    }
}

/// A record that does not open under its name.
#[derive(Debug, thiserror::Error)]
#[error("record is damaged or out of place")]
pub(crate) struct Forged;

/// Keys of one store, derived when used.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    root: StoreKey,
    store: StoreId,
}

impl Keys {
    pub(crate) fn new(root: &StoreKey, store: StoreId) -> Self {
        Self { root: root.clone(), store }
    }

    /// Gives a new store its identity.
    pub(crate) fn generate(root: &StoreKey) -> Result<Self, getrandom::Error> {
        let mut store = StoreId::default();
        getrandom::fill(&mut store)?;
        Ok(Self::new(root, store))
    }

    pub(crate) fn store(&self) -> StoreId {
        self.store
    }

    /// Returns what the files carry so that a wrong key is told from a damaged file.
    pub(crate) fn check(&self) -> KeyCheck {
        let mut check = KeyCheck::default();
        let length = check.len();
        check.copy_from_slice(&self.derive(Purpose::KeyCheck, b"")[..length]);
        check
    }

    /// Begins the authentication tag of a file or frame.
    pub(crate) fn mac(&self, purpose: Purpose) -> FileMac {
        FileMac(keyed(self.derive(purpose, b"").as_slice()))
    }

    /// Seals a value as `generation ‖ nonce ‖ ciphertext ‖ tag`.
    pub(crate) fn seal(
        &self,
        name: &RecordName,
        generation: u64,
        value: &[u8],
    ) -> Result<Vec<u8>, getrandom::Error> {
        let mut nonce = XNonce::default();
        getrandom::fill(&mut nonce)?;
        let mut sealed = Vec::with_capacity(SEAL_BYTES + value.len());
        sealed.extend_from_slice(&generation.to_le_bytes());
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(value);
        let text = &mut sealed[GENERATION_BYTES + NONCE_BYTES..];
        let tag = self
            .cipher(name.table())
            .encrypt_in_place_detached(&nonce, &self.associated(name, generation), text)
            .map_err(|chacha20poly1305::Error| getrandom::Error::UNEXPECTED)?;
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }

    /// Opens a sealed value, which must be of this generation.
    pub(crate) fn open(&self, name: &RecordName, generation: u64, sealed: &[u8]) -> Result<Vec<u8>, Forged> {
        if sealed_generation(sealed) != Some(generation) {
            return Err(Forged);
        }
        let body = sealed.get(GENERATION_BYTES..).ok_or(Forged)?;
        let (nonce, text) = body.split_at_checked(NONCE_BYTES).ok_or(Forged)?;
        let (text, tag) =
            text.split_at_checked(text.len().checked_sub(TAG_BYTES).ok_or(Forged)?).ok_or(Forged)?;
        let mut value = text.to_vec();
        self.cipher(name.table())
            .decrypt_in_place_detached(
                XNonce::from_slice(nonce),
                &self.associated(name, generation),
                &mut value,
                tag.into(),
            )
            .map_err(|chacha20poly1305::Error| Forged)?;
        Ok(value)
    }

    /// Returns what one record adds to the digest of the state that holds it.
    pub(crate) fn trace(&self, name: &RecordName, generation: u64) -> Digest {
        let mut mac = self.mac(Purpose::StateDigest);
        mac.add(&generation.to_le_bytes());
        mac.add(name.as_bytes());
        Digest(mac.finish())
    }

    fn cipher(&self, table: &str) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.derive(Purpose::Record, table.as_bytes()).as_slice().into())
    }

    fn associated(&self, name: &RecordName, generation: u64) -> Vec<u8> {
        [&self.store[..], &generation.to_le_bytes(), name.as_bytes()].concat()
    }

    fn derive(&self, purpose: Purpose, table: &[u8]) -> Zeroizing<Tag> {
        let mut mac = keyed(self.root.as_bytes());
        for part in [purpose.label(), &self.store, table] {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        Zeroizing::new(mac.finalize().into_bytes().into())
    }
}

/// Reads the generation that a sealed value claims to be of.
pub(crate) fn sealed_generation(sealed: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(*sealed.first_chunk()?))
}

/// Order-free fingerprint of which records a state holds, at which generations: the exclusive or of their
/// [traces](Keys::trace). Each trace is the output of a keyed function, so nobody without the key can make two
/// states agree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Digest(pub(crate) Tag);

impl Digest {
    /// Adds a record, or removes one that was added.
    pub(crate) fn toggle(&mut self, trace: Self) {
        for (byte, other) in self.0.iter_mut().zip(trace.0) {
            *byte ^= other;
        }
    }
}

/// An authentication tag in the making.
pub(crate) struct FileMac(Hmac<Sha256>);

impl FileMac {
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> Tag {
        self.0.finalize().into_bytes().into()
    }

    /// Says, in constant time, whether the tag is this.
    pub(crate) fn matches(self, tag: &[u8]) -> bool {
        self.0.verify_slice(tag).is_ok()
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of every length, the error cannot occur")]
fn keyed(key: &[u8]) -> Hmac<Sha256> {
    <Hmac<Sha256> as Mac>::new_from_slice(key).expect("HMAC takes any key")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(root: u8, store: u8) -> Keys {
        Keys::new(&StoreKey::from_bytes([root; 32]), [store; 16])
    }

    fn name(table: &str, key: &str) -> RecordName {
        RecordName::new(table, key.as_bytes()).unwrap()
    }

    #[test]
    fn opens_only_in_its_own_place() {
        let sealed = keys(1, 1).seal(&name("t", "k"), 7, b"value").unwrap();
        assert_eq!(sealed.len(), SEAL_BYTES + 5);
        assert_eq!(keys(1, 1).open(&name("t", "k"), 7, &sealed).unwrap(), b"value");
        let elsewhere = [
            (keys(2, 1), name("t", "k"), 7u64),
            (keys(1, 2), name("t", "k"), 7),
            (keys(1, 1), name("u", "k"), 7),
            (keys(1, 1), name("t", "l"), 7),
            (keys(1, 1), name("t", "k"), 8),
        ];
        for (keys, name, generation) in elsewhere {
            let mut sealed = sealed.clone();
            sealed[..8].copy_from_slice(&generation.to_le_bytes());
            assert!(keys.open(&name, generation, &sealed).is_err(), "{name:?} {generation}");
        }
    }

    #[test]
    fn notices_every_flipped_bit_and_every_length() {
        let sealed = keys(1, 1).seal(&name("t", "k"), 7, b"value").unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(keys(1, 1).open(&name("t", "k"), 7, &flipped).is_err(), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert!(keys(1, 1).open(&name("t", "k"), 7, &sealed[..length]).is_err(), "length {length}");
        }
    }

    #[test]
    fn digest_is_of_the_set_of_records() {
        let (a, b) = (keys(1, 1).trace(&name("t", "a"), 1), keys(1, 1).trace(&name("t", "b"), 1));
        let mut one = Digest::default();
        one.toggle(a);
        one.toggle(b);
        one.toggle(a);
        assert_eq!(one, b);
        assert_ne!(keys(1, 1).trace(&name("t", "a"), 2), a);
        assert_ne!(keys(2, 1).trace(&name("t", "a"), 1), a);
    }

    /// Computed apart from this code, with Python's hmac, so that a change of the derivation cannot go unnoticed.
    #[test]
    fn derives_the_same_keys_as_ever() {
        let hex: String = keys(3, 4).check().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "67e52374f392956b10a6d0bb6b56afc0");
    }
}
