//! The key of a household's backups, and the household's name.

use base64::Engine;
use hmac::Hmac;
use hmac::Mac;
use rustic_core::repofile::MasterKey;
use serde::Deserialize;
use serde::Serialize;
use sha2::Sha256;
use std::fmt;
use zeroize::Zeroize;
use zeroize::ZeroizeOnDrop;
use zeroize::Zeroizing;

const PASSWORD_LABEL: &[u8] = b"hearth backup: password of the repository, 1";
const CIPHER_LABEL: &[u8] = b"hearth backup: key of the cipher, 1";
const AUTHENTICATOR_LABEL: &[u8] = b"hearth backup: key of the authenticator, 1";
const EXPORT_LABEL: &[u8] = b"hearth backup: key of exported stores, 1";
const FINGERPRINT_LABEL: &[u8] = b"hearth backup: fingerprint of the key, 1";

/// The household's backup key: 32 random bytes.
///
/// Whoever has it and the repository can read every backup. It is kept by the system key and printed in the
/// [`crate::RecoveryKit`].
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct BackupKey([u8; Self::LENGTH]);

/// The operating system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("cannot make a backup key: the system gives no random bytes")]
pub struct NoRandomness {
    #[source]
    pub(crate) source: getrandom::Error,
}

impl BackupKey {
    /// Bytes in a key.
    pub const LENGTH: usize = 32;

    /// Makes a new key.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn generate() -> Result<Self, NoRandomness> {
        let mut bytes = [0; Self::LENGTH];
        getrandom::fill(&mut bytes).map_err(|source| NoRandomness { source })?;
        Ok(Self(bytes))
    }

    /// Takes a key that was kept.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// The key itself.
    #[must_use]
    pub const fn expose(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// Which key this is, for messages: reveals nothing of the key.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        hex(&self.derive(FINGERPRINT_LABEL)[..8])
    }

    /// The password of the repository, usable with restic and rustic too.
    #[must_use]
    pub fn password(&self) -> Zeroizing<String> {
        Zeroizing::new(hex(&*self.derive(PASSWORD_LABEL)))
    }

    /// The key that exports of stores are sealed with: beside the repository's own encryption, so that an export is checked as a
    /// whole before it is imported, and is of use to nobody who finds one lying about.
    #[must_use]
    pub fn export_key(&self) -> Zeroizing<[u8; Self::LENGTH]> {
        self.derive(EXPORT_LABEL)
    }

    /// The repository's master key. Opening with it needs no scrypt, which adds nothing to a password of 256 random
    /// bits and takes 128 MiB (N = 2^17, r = 8; RFC 7914).
    pub(crate) fn master_key(&self) -> MasterKey {
        let text = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
        let authenticator = self.derive(AUTHENTICATOR_LABEL);
        let (k, r) = authenticator.split_at(16);
        // Its parts have no public names; as a document it has, and one of this form is always read.
        let document = serde_json::json!({
            "mac": { "k": text(k), "r": text(r) },
            "encrypt": text(&*self.derive(CIPHER_LABEL)),
        });
        serde_json::from_value(document).unwrap_or_default()
    }

    fn derive(&self, label: &[u8]) -> Zeroizing<[u8; 32]> {
        // HMAC takes keys of any length, so this cannot fail (RFC 2104).
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return Zeroizing::new([0; 32]) };
        mac.update(label);
        Zeroizing::new(mac.finalize().into_bytes().into())
    }
}

impl fmt::Debug for BackupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BackupKey({})", self.fingerprint())
    }
}

/// Names a household: 1 to 64 of `a-z`, `0-9` and `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HouseholdId(String);

/// That is no name of a household.
#[derive(Debug, thiserror::Error)]
#[error("a household's id has 1 to 64 characters of a-z, 0-9 and -")]
pub struct NotAHouseholdId;

impl HouseholdId {
    /// Takes an id.
    ///
    /// # Errors
    /// When it is empty, too long, or has other characters.
    pub fn new(id: impl Into<String>) -> Result<Self, NotAHouseholdId> {
        let id = id.into();
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if (1..=64).contains(&id.len()) && id.bytes().all(fits) { Ok(Self(id)) } else { Err(NotAHouseholdId) }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for HouseholdId {
    type Error = NotAHouseholdId;

    fn try_from(id: String) -> Result<Self, NotAHouseholdId> {
        Self::new(id)
    }
}

impl From<HouseholdId> for String {
    fn from(id: HouseholdId) -> Self {
        id.0
    }
}

impl fmt::Display for HouseholdId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

/// SHA-256 as hexadecimal digits, the form restic names its files by.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    hex(&Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_stays_what_it_is() {
        let key = BackupKey::from_bytes([7; 32]);
        // A change here would lock every household out of its backups.
        assert_eq!(key.password().as_str(), EXPECTED_PASSWORD);
        assert_eq!(key.fingerprint(), EXPECTED_FINGERPRINT);
        assert_eq!(hex(&*key.export_key()), EXPECTED_EXPORT_KEY);
    }

    // HMAC-SHA256 with Python's hmac module: hmac.new(b"\x07" * 32, label, "sha256").hexdigest()
    const EXPECTED_PASSWORD: &str = "c92e2b120b2868b1860772ea7e1189e5c9c85467ee0fed545a37cc54177418e3";
    const EXPECTED_EXPORT_KEY: &str = "eae97ca667ae909fc405f1dd7db1a47b761a8bbfd513e49d1817db56802dd97c";
    const EXPECTED_FINGERPRINT: &str = "1c5dadbb683973a2";

    #[test]
    fn the_master_key_is_derived_and_not_made_up() {
        let document = |byte| serde_json::to_string(&BackupKey::from_bytes([byte; 32]).master_key()).unwrap();
        assert_eq!(document(7), document(7));
        assert_ne!(document(7), document(8));
    }

    #[test]
    fn neither_key_nor_password_is_printed() {
        let key = BackupKey::from_bytes([7; 32]);
        let shown = format!("{key:?}");
        assert!(
            !shown.contains("0707") && !shown.contains("7, 7") && !shown.contains(key.password().as_str())
        );
    }

    #[test]
    fn keys_differ() {
        assert_ne!(BackupKey::generate().unwrap(), BackupKey::generate().unwrap());
    }

    #[test]
    fn household_ids_are_plain() {
        assert_eq!(HouseholdId::new("maple-7").unwrap().as_str(), "maple-7");
        for bad in ["", "A", "a b", "a/b", &"a".repeat(65)] {
            HouseholdId::new(bad).unwrap_err();
        }
    }
}
