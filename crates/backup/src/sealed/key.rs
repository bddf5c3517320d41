//! The key that seals files, and the form in which it is kept.

use crate::key::NoRandomness;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chacha20poly1305::AeadInPlace;
use chacha20poly1305::KeyInit;
use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::XNonce;
use hmac::Hmac;
use hmac::Mac;
use serde::Deserialize;
use serde::Serialize;
use sha2::Sha256;
use std::fmt;
use zeroize::Zeroize;
use zeroize::ZeroizeOnDrop;
use zeroize::Zeroizing;

const KEY: usize = 32;
const NONCE: usize = 24;
const TAG: usize = 16;
const WRAPPED: usize = NONCE + KEY + TAG;
const WRAP_LABEL: &[u8] = b"hearth archive key, wrapped, 1: ";

/// Seals the files of one archive: 32 random bytes that never change and lie nowhere unwrapped.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct ArchiveKey([u8; KEY]);

/// An archive key under another key: nonce, ciphertext and tag of XChaCha20-Poly1305.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WrappedArchiveKey([u8; WRAPPED]);

/// A text that is no wrapped key.
#[derive(Debug, thiserror::Error)]
#[error("a wrapped archive key has {WRAPPED} bytes in base64")]
pub struct NotAWrappedKey;

impl ArchiveKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn generate() -> Result<Self, NoRandomness> {
        let mut bytes = [0; KEY];
        getrandom::fill(&mut bytes).map_err(|source| NoRandomness { source })?;
        Ok(Self(bytes))
    }

    /// Wraps it under a key, for something that is told again when it is opened.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn wrapped(&self, under: &[u8; KEY], bound_to: &str) -> Result<WrappedArchiveKey, NoRandomness> {
        let mut wrapped = [0; WRAPPED];
        let (nonce, rest) = wrapped.split_at_mut(NONCE);
        getrandom::fill(nonce).map_err(|source| NoRandomness { source })?;
        let (text, tag) = rest.split_at_mut(KEY);
        text.copy_from_slice(&self.0);
        let sealed = XChaCha20Poly1305::new(under.into())
            .encrypt_in_place_detached(XNonce::from_slice(nonce), &place(bound_to), text)
            .map_err(|_too_long| NoRandomness { source: getrandom::Error::UNEXPECTED })?;
        tag.copy_from_slice(&sealed);
        Ok(WrappedArchiveKey(wrapped))
    }

    /// Derives the secret of the apps of whoever the archive belongs to. It stays as long as the archive's key does.
    #[must_use]
    pub fn secret_of_apps(&self) -> Zeroizing<[u8; KEY]> {
        self.derive("hearth apps 1", &[])
    }

    /// HMAC-SHA256 over a label and parts, each with its length before it.
    pub(super) fn mac(&self, label: &str, parts: &[&[u8]]) -> Hmac<Sha256> {
        #[expect(
            clippy::expect_used,
            reason = "HMAC takes keys of every length (RFC 2104), the error cannot occur"
        )]
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&self.0).expect("HMAC takes any key");
        for part in std::iter::once(label.as_bytes()).chain(parts.iter().copied()) {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        mac
    }

    /// What [`Self::mac`] comes to.
    pub(super) fn derive(&self, label: &str, parts: &[&[u8]]) -> Zeroizing<[u8; KEY]> {
        Zeroizing::new(self.mac(label, parts).finalize().into_bytes().into())
    }
}

impl WrappedArchiveKey {
    /// The key, for who has what it was wrapped under; nothing else can be said.
    #[must_use]
    pub fn open(&self, under: &[u8; KEY], bound_to: &str) -> Option<ArchiveKey> {
        let (nonce, rest) = self.0.split_at_checked(NONCE)?;
        let (text, tag) = rest.split_at_checked(KEY)?;
        let mut key = ArchiveKey([0; KEY]);
        key.0.copy_from_slice(text);
        XChaCha20Poly1305::new(under.into())
            .decrypt_in_place_detached(XNonce::from_slice(nonce), &place(bound_to), &mut key.0, tag.into())
            .ok()?;
        Some(key)
    }
}

fn place(bound_to: &str) -> Vec<u8> {
    [WRAP_LABEL, bound_to.as_bytes()].concat()
}

impl fmt::Debug for ArchiveKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ArchiveKey(…)")
    }
}

impl TryFrom<String> for WrappedArchiveKey {
    type Error = NotAWrappedKey;

    fn try_from(text: String) -> Result<Self, NotAWrappedKey> {
        let bytes = STANDARD_NO_PAD.decode(text).map_err(|_syntax| NotAWrappedKey)?;
        bytes.try_into().map(Self).map_err(|_length| NotAWrappedKey)
    }
}

impl From<WrappedArchiveKey> for String {
    fn from(key: WrappedArchiveKey) -> Self {
        STANDARD_NO_PAD.encode(key.0)
    }
}

#[cfg(test)]
impl ArchiveKey {
    pub(super) const fn of_bytes(bytes: [u8; KEY]) -> Self {
        Self(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrap_opens_with_its_key_and_place_and_with_nothing_else() {
        let key = ArchiveKey::generate().unwrap();
        let wrapped = key.wrapped(&[7; KEY], "anna").unwrap();
        let text = serde_json::to_string(&wrapped).unwrap();
        let read: WrappedArchiveKey = serde_json::from_str(&text).unwrap();
        assert_eq!(read.open(&[7; KEY], "anna"), Some(key.clone()));
        assert_eq!(read.open(&[8; KEY], "anna"), None);
        assert_eq!(read.open(&[7; KEY], "ben"), None);
        for at in 0..WRAPPED {
            let mut bad = wrapped.clone();
            bad.0[at] ^= 1;
            assert_eq!(bad.open(&[7; KEY], "anna"), None, "{at}");
        }
        assert_eq!(format!("{key:?}"), "ArchiveKey(…)");
        for bad in ["", "AAAA", &"A".repeat(200)] {
            serde_json::from_value::<WrappedArchiveKey>(bad.into()).unwrap_err();
        }
    }
}
