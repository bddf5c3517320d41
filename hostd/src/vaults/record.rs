//! A user's vault as it is kept, and its changes that need nothing but the document.

use crate::accounts::credentials::Password;
use serde::Deserialize;
use serde::Serialize;
use vault::ChangeError;
use vault::Credential;
use vault::CredentialKind;
use vault::DecodeError;
use vault::NameError;
use vault::OpenVault;
use vault::UserId;
use vault::VaultDocument;
use zeroize::Zeroizing;

/// Random bytes of a vault's id.
const ID_BYTES: usize = 16;

/// What is kept of a vault. Nothing in it is secret by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultRecord {
    /// The document as the crate `vault` writes it.
    document: String,
    /// Whether somebody has shown to have the recovery code on paper.
    pub is_code_confirmed: bool,
}

/// Why there is no record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The kernel gave no random bytes.
    #[error("make an id for a vault")]
    Random {
        /// What it said.
        #[source]
        source: getrandom::Error,
    },
    /// The id is none.
    #[error("name a vault")]
    Name {
        /// Why.
        #[source]
        source: NameError,
    },
    /// The crate refused.
    #[error("make or change the document of a vault")]
    Change {
        /// Why.
        #[source]
        source: ChangeError,
    },
    /// It is not readable.
    #[error("understand the document of a vault")]
    Decode {
        /// Why.
        #[source]
        source: DecodeError,
    },
}

impl VaultRecord {
    /// A record of this document.
    #[must_use]
    pub fn of(document: &VaultDocument, is_code_confirmed: bool) -> Self {
        Self { document: String::from_utf8_lossy(&document.encode()).into_owned(), is_code_confirmed }
    }

    /// The document.
    ///
    /// # Errors
    ///
    /// When it is damaged or of a later version.
    pub fn document(&self) -> Result<VaultDocument, RecordError> {
        VaultDocument::decode(self.document.as_bytes()).map_err(|source| RecordError::Decode { source })
    }
}

/// Makes a vault that the password opens; costs an Argon2 computation.
///
/// The id is the vault's, not the user's: a user whose old vault nobody can open gets another one beside it.
///
/// # Errors
///
/// When there are no random bytes.
pub fn make(password: &Password) -> Result<VaultRecord, RecordError> {
    let (document, _open) = VaultDocument::create(random_id()?, &credential(password))
        .map_err(|source| RecordError::Change { source })?;
    Ok(VaultRecord::of(&document, false))
}

/// A password as what opens a vault.
#[must_use]
pub fn credential(password: &Password) -> vault::Password {
    // Whoever chose it typed it as UTF-8.
    let text = Zeroizing::new(String::from_utf8_lossy(password.as_bytes()).into_owned());
    vault::Password::new(&text)
}

/// Puts a credential in the place of the one of its kind, or beside the others where there is none; costs an Argon2 computation
/// for a password.
///
/// # Errors
///
/// When the vault was opened from another document.
pub fn set_credential(
    document: &VaultDocument,
    vault: &OpenVault,
    credential: &dyn Credential,
) -> Result<VaultDocument, RecordError> {
    let kind = credential.kind();
    let old = document.credentials().find(|known| known.kind == kind).map(|known| known.id);
    let changed = match old {
        Some(old) => document.replace(vault, old, credential),
        None => document.add(vault, credential),
    };
    changed.map(|(next, _id)| next).map_err(|source| RecordError::Change { source })
}

/// Puts another vault key in the place of the current one, for all credentials, at once: nothing will lie under the old one.
///
/// # Errors
///
/// When the vault was opened from another document, or there are no random bytes.
pub fn rotate(
    document: &VaultDocument,
    vault: &OpenVault,
) -> Result<(VaultDocument, OpenVault), RecordError> {
    let rotated = document.begin_rotation(vault).and_then(|(next, vault)| next.finish_rotation(&vault));
    rotated.map_err(|source| RecordError::Change { source })
}

/// Whether a recovery code opens it.
#[must_use]
pub fn has_code(document: &VaultDocument) -> bool {
    document.credentials().any(|known| known.kind == CredentialKind::RecoveryCode)
}

fn random_id() -> Result<UserId, RecordError> {
    let mut bytes = [0; ID_BYTES];
    getrandom::fill(&mut bytes).map_err(|source| RecordError::Random { source })?;
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    text.parse().map_err(|source| RecordError::Name { source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error as _;

    fn password(text: &str) -> Password {
        Password::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn a_record_reads_as_written_and_only_its_password_opens_it() {
        let record = make(&password("correct horse")).unwrap();
        let json = serde_json::to_string(&record).unwrap();
        let read: VaultRecord = serde_json::from_str(&json).unwrap();
        assert_eq!(read, record);
        let document = read.document().unwrap();
        assert!(!has_code(&document) && !json.contains("horse"));
        document.open(&credential(&password("correct horse"))).unwrap();
        document.open(&credential(&password("correct horsf"))).unwrap_err();
        let other = make(&password("correct horse")).unwrap().document().unwrap();
        assert_ne!(other.user(), document.user());
    }

    #[test]
    fn a_credential_takes_the_place_of_its_kind() {
        let document = make(&password("correct horse")).unwrap().document().unwrap();
        let open = document.open(&credential(&password("correct horse"))).unwrap();
        let code = vault::RecoveryCode::random().unwrap();
        let with_code = set_credential(&document, &open, &code).unwrap();
        let changed = set_credential(&with_code, &open, &credential(&password("better horse"))).unwrap();
        assert_eq!(changed.credentials().count(), 2);
        changed.open(&credential(&password("correct horse"))).unwrap_err();
        changed.open(&credential(&password("better horse"))).unwrap();
        changed.open(&code).unwrap();
    }

    #[test]
    fn another_vault_key_opens_with_the_same_credentials_and_is_alone() {
        let password = credential(&password("correct horse"));
        let document = VaultDocument::create(random_id().unwrap(), &password).unwrap().0;
        let open = document.open(&password).unwrap();
        let code = vault::RecoveryCode::random().unwrap();
        let document = set_credential(&document, &open, &code).unwrap();
        let (next, rotated) = rotate(&document, &open).unwrap();
        assert_eq!((next.key_number(), next.is_rotating()), (2, false));
        for opened in [next.open(&password).unwrap(), next.open(&code).unwrap(), rotated] {
            assert!(opened.previous().is_none());
            next.add(&opened, &code).unwrap_err();
            assert!(document.add(&opened, &code).unwrap_err().to_string().contains("has changed"));
        }
        assert!(rotate(&next, &open).unwrap_err().source().unwrap().to_string().contains("has changed"));
    }
}
