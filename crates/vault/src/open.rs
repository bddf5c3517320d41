//! Opening a vault, and what is in hand afterwards.

use std::fmt;

use crate::credential::Credential;
use crate::credential::CredentialError;
use crate::credential::CredentialKind;
use crate::credential::KeyEncryptionKey;
use crate::document::Entry;
use crate::document::VaultDocument;
use crate::names::CredentialId;
use crate::names::UserId;
use crate::seal::unwrap;
use crate::seal::unwrap_with;
use crate::secret::Secret;
use crate::secret::VaultKey;
use crate::secret::derive;

/// Why a vault did not open. Nothing changes when it does not.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It is not the user's.
    #[error("this {kind} does not open the vault")]
    WrongCredential {
        /// What was shown.
        kind: CredentialKind,
    },
    /// The vault has no credential of this kind.
    #[error("the vault has no {kind}")]
    NoneOfKind {
        /// What was shown.
        kind: CredentialKind,
    },
    /// The credential is right, but what it opens is not what was left there.
    #[error("the vault's document is damaged or was changed by somebody who cannot open it")]
    Altered,
    /// The credential gave no key.
    #[error("could not make a key of what was shown")]
    Credential {
        /// Why.
        #[source]
        source: CredentialError,
    },
}

/// An open vault: its keys, and the right to change its document. Dropping it closes it.
#[derive(Clone)]
pub struct OpenVault {
    pub(crate) user: UserId,
    pub(crate) credential: CredentialId,
    pub(crate) anchor: Secret,
    pub(crate) current: VaultKey,
    pub(crate) previous: Option<VaultKey>,
}

impl fmt::Debug for OpenVault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenVault")
            .field("user", &self.user)
            .field("credential", &self.credential)
            .finish_non_exhaustive()
    }
}

impl OpenVault {
    /// Whose it is.
    #[must_use]
    pub fn user(&self) -> &UserId {
        &self.user
    }

    /// What opened it.
    #[must_use]
    pub fn credential(&self) -> CredentialId {
        self.credential
    }

    /// The key under which everything new is written.
    #[must_use]
    pub fn current(&self) -> &VaultKey {
        &self.current
    }

    /// While a rotation lasts: the key under which older data may still lie.
    #[must_use]
    pub fn previous(&self) -> Option<&VaultKey> {
        self.previous.as_ref()
    }
}

/// What comes of the key that a credential gives.
pub(crate) struct CredentialKeys {
    /// Wraps the anchor.
    pub(crate) anchor_key: Secret,
    /// Opens what is wrapped for the credential.
    pub(crate) private: Secret,
}

impl CredentialKeys {
    pub(crate) fn of(key: &KeyEncryptionKey) -> Self {
        Self {
            anchor_key: derive(key.expose(), "hearth vault anchor key 1", &[]),
            private: derive(key.expose(), "hearth vault exchange key 1", &[]),
        }
    }
}

/// Returns what wraps the vault key before the current one.
pub(crate) fn key_of_previous(current: &VaultKey) -> Secret {
    derive(current.expose(), "hearth vault key of previous 1", &[])
}

impl VaultDocument {
    /// Opens the vault.
    ///
    /// # Errors
    /// [`OpenError::WrongCredential`] when it is another's or mistyped; the rest says what else is wrong.
    pub fn open(&self, credential: &dyn Credential) -> Result<OpenVault, OpenError> {
        let kind = credential.kind();
        let mut entries = self.credentials.iter().filter(|entry| entry.kind == kind).peekable();
        if entries.peek().is_none() {
            return Err(OpenError::NoneOfKind { kind });
        }
        // One entry whose parameters are not this credential's (another passkey's) must not hide the next.
        let mut failed = None;
        for entry in entries {
            match credential.key_encryption_key(&entry.parameters) {
                Ok(key) => {
                    let keys = CredentialKeys::of(&key);
                    if let Some(anchor) =
                        unwrap(&keys.anchor_key, &entry.place(&self.user).of_anchor(), &entry.anchor)
                    {
                        return self.open_entry(entry, &keys, anchor).ok_or(OpenError::Altered);
                    }
                }
                Err(source) => failed = Some(source),
            }
        }
        Err(failed.map_or(OpenError::WrongCredential { kind }, |source| OpenError::Credential { source }))
    }

    fn open_entry(&self, entry: &Entry, keys: &CredentialKeys, anchor: Secret) -> Option<OpenVault> {
        let associated = entry.place(&self.user).of_current(self.key_number);
        let current = VaultKey::from_bytes(unwrap_with(&keys.private, &anchor, &associated, &entry.current)?);
        if !self.is_sealed_by(&current) {
            return None;
        }
        let previous = match &self.previous {
            Some(wrapped) => Some(VaultKey::from_bytes(unwrap(
                &key_of_previous(&current),
                &self.place_of_previous(),
                wrapped,
            )?)),
            None => None,
        };
        Some(OpenVault { user: self.user.clone(), credential: entry.id, anchor, current, previous })
    }
}
