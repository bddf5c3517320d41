//! The key of a vault's archive: what seals its files for the backups.
//!
//! It is random and stays for the life of the vault, so that a file that was saved once is not saved again when the vault key changes. It lies
//! in the store only wrapped under a key that comes of the vault key: whoever holds the recovery kit has the store and cannot unwrap it.

use backup::ArchiveKey;
use backup::WrappedArchiveKey;
use serde::Deserialize;
use serde::Serialize;
use vault::OpenVault;
use vault::VaultKey;

/// What the key that wraps it is derived for; never changes.
const NAME: &str = "private archive";

/// The key of an archive as it is kept. Nothing in it is secret by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveRecord {
    key: WrappedArchiveKey,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The kernel gave no random bytes.
    #[error("make a key for private files in backups")]
    Random(#[source] backup::NoRandomness),
    /// It is damaged, or of another vault.
    #[error("the key of private files in backups does not open with the vault")]
    NotOfVault,
}

/// Makes the key of a vault's archive.
///
/// # Errors
///
/// When there are no random bytes.
pub fn make(vault: &OpenVault) -> Result<(ArchiveKey, ArchiveRecord), ArchiveError> {
    let key = ArchiveKey::generate().map_err(ArchiveError::Random)?;
    let record = wrap(&key, vault)?;
    Ok((key, record))
}

impl ArchiveRecord {
    /// The key, for whoever has the vault open; while its key is changed also what lies under the one before.
    ///
    /// # Errors
    ///
    /// When it is not of this vault.
    pub fn open(&self, vault: &OpenVault) -> Result<ArchiveKey, ArchiveError> {
        let with = |key: &VaultKey| self.key.open(key.store_key(NAME).expose(), vault.user().as_str());
        let opened = with(vault.current()).or_else(|| vault.previous().and_then(with));
        opened.ok_or(ArchiveError::NotOfVault)
    }

    /// The same key under another vault key. Whoever changes a vault key keeps this before the old one goes.
    ///
    /// # Errors
    ///
    /// When it is not of the old one, or there are no random bytes.
    pub fn rewrap(&self, old: &OpenVault, new: &OpenVault) -> Result<Self, ArchiveError> {
        wrap(&self.open(old)?, new)
    }

    /// Whether it lies under the vault key of now.
    #[must_use]
    pub fn is_under_current(&self, vault: &OpenVault) -> bool {
        self.key.open(vault.current().store_key(NAME).expose(), vault.user().as_str()).is_some()
    }
}

fn wrap(key: &ArchiveKey, vault: &OpenVault) -> Result<ArchiveRecord, ArchiveError> {
    let under = vault.current().store_key(NAME);
    let key = key.wrapped(under.expose(), vault.user().as_str()).map_err(ArchiveError::Random)?;
    Ok(ArchiveRecord { key })
}

#[cfg(test)]
mod tests {
    use super::*;
    use vault::Password;
    use vault::PasswordCost;
    use vault::VaultDocument;

    fn password() -> Password {
        Password::with_cost("correct horse", PasswordCost::new(8, 1, 1).unwrap())
    }

    #[test]
    fn the_key_stays_through_a_change_of_the_vault_key_and_opens_with_no_other_vault() {
        let (document, old) = VaultDocument::create("anna".parse().unwrap(), &password()).unwrap();
        let (key, record) = make(&old).unwrap();
        assert_eq!(record.open(&old).unwrap(), key);
        let (_, stranger) = VaultDocument::create("anna".parse().unwrap(), &password()).unwrap();
        assert!(matches!(record.open(&stranger), Err(ArchiveError::NotOfVault)));

        let (begun, between) = document.begin_rotation(&old).unwrap();
        assert_eq!(record.open(&between).unwrap(), key, "the change is under way");
        assert!(!record.is_under_current(&between));
        let moved = record.rewrap(&old, &between).unwrap();
        let (_, new) = begun.finish_rotation(&between).unwrap();
        assert!(moved.is_under_current(&new));
        assert_eq!(moved.open(&new).unwrap(), key);
        assert!(matches!(record.open(&new), Err(ArchiveError::NotOfVault)));
        assert!(matches!(moved.open(&old), Err(ArchiveError::NotOfVault)));
    }
}
