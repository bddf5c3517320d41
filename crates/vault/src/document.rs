//! The document of one vault: who opens it, and the wraps. Nothing in it is secret by itself.

use serde::Deserialize;
use serde::Serialize;

use crate::credential::CredentialKind;
use crate::credential::Parameters;
use crate::encoding::Base64;
use crate::names::CredentialId;
use crate::names::UserId;
use crate::seal::Wrap;
use crate::seal::WrapFor;
use crate::secret::KEY_BYTES;
use crate::secret::VaultKey;
use crate::secret::derive;
use crate::secret::is_derived;
use crate::secret::joined;

/// Longest document, in bytes.
pub(crate) const DOCUMENT_MAX: usize = 64 * 1024;
/// Most credentials of a vault.
pub(crate) const CREDENTIALS_MAX: usize = 32;
/// Numbers are whole in every JSON reader up to here.
const NUMBER_MAX: u64 = (1 << 53) - 1;
const VERSION: u32 = 1;
const SEAL_LABEL: &str = "hearth vault document 1";

/// A vault's document; changes are in [`OpenVault`](crate::OpenVault)'s hands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VaultDocument {
    kind: Kind,
    version: u32,
    pub(crate) user: UserId,
    /// Grows with every change.
    pub(crate) generation: u64,
    /// Which vault key `current` is: 1, then one more with every rotation.
    pub(crate) key_number: u64,
    /// While a rotation lasts: the vault key before, wrapped under the current one.
    pub(crate) previous: Option<Wrap>,
    pub(crate) credentials: Vec<Entry>,
    /// Tag over all the rest under the current vault key.
    seal: Base64<32>,
}

/// One credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    pub(crate) id: CredentialId,
    pub(crate) kind: CredentialKind,
    pub(crate) parameters: Parameters,
    /// Public half of the key pair that comes of the credential.
    pub(crate) public: Base64<KEY_BYTES>,
    /// The vault's anchor, wrapped under the credential's key.
    pub(crate) anchor: Wrap,
    /// The current vault key, wrapped for the key pair.
    pub(crate) current: WrapFor,
}

/// What anybody may know of a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialSummary {
    /// Its name in the document.
    pub id: CredentialId,
    /// What it is.
    pub kind: CredentialKind,
    /// What has to be known to prove it (a passkey's id, the text that a wallet signs).
    pub parameters: Parameters,
}

/// Why bytes are no document.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Too long to look at.
    #[error("the document has {bytes} bytes, more than a document can have")]
    TooLong {
        /// How many.
        bytes: usize,
    },
    /// Not JSON, or not of a document's shape.
    #[error("the document is damaged or of another kind")]
    Shape {
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// Made by a later version.
    #[error("the document is of version {version}, which this version does not know")]
    Version {
        /// Its version.
        version: u32,
    },
    /// Of the right shape, with contents that no document has.
    #[error("the document has {what}")]
    Content {
        /// What it has.
        what: &'static str,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    #[serde(rename = "hearth-vault")]
    Vault,
}

/// What all versions of all documents have.
#[derive(Deserialize)]
struct Head {
    version: u32,
}

/// Reads a document of this module's or another's kind: bounded, and a later version is told from damage.
pub(crate) fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8], known: u32) -> Result<T, DecodeError> {
    if bytes.len() > DOCUMENT_MAX {
        return Err(DecodeError::TooLong { bytes: bytes.len() });
    }
    let shape = |source| DecodeError::Shape { source };
    let head: Head = serde_json::from_slice(bytes).map_err(shape)?;
    if head.version != known {
        return Err(DecodeError::Version { version: head.version });
    }
    serde_json::from_slice(bytes).map_err(shape)
}

/// Writes a document. The structures hold nothing that JSON cannot.
#[expect(clippy::expect_used, reason = "numbers, texts, lists and maps by text are all writable")]
pub(crate) fn encode<T: Serialize>(document: &T) -> Vec<u8> {
    serde_json::to_vec(document).expect("a document can be written")
}

impl VaultDocument {
    /// Reads a document.
    ///
    /// # Errors
    /// When it is too long, damaged, of a later version, or has what no document has. Whether anybody changed it shows when it
    /// is opened.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let document: Self = decode(bytes, VERSION)?;
        document.check()?;
        Ok(document)
    }

    /// Writes the document, as it is to be committed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Whose it is.
    #[must_use]
    pub fn user(&self) -> &UserId {
        &self.user
    }

    /// Grows with every change.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Says which vault key is the current one: 1, then one more with every rotation.
    #[must_use]
    pub fn key_number(&self) -> u64 {
        self.key_number
    }

    /// Says whether data may still lie under the vault key before the current one.
    #[must_use]
    pub fn is_rotating(&self) -> bool {
        self.previous.is_some()
    }

    /// Lists the credentials.
    pub fn credentials(&self) -> impl Iterator<Item = CredentialSummary> + '_ {
        self.credentials.iter().map(|entry| CredentialSummary {
            id: entry.id,
            kind: entry.kind.clone(),
            parameters: entry.parameters.clone(),
        })
    }

    /// A document without credentials and seal, which is none yet.
    pub(crate) fn blank(user: UserId) -> Self {
        Self {
            kind: Kind::Vault,
            version: VERSION,
            user,
            generation: 0,
            key_number: 1,
            previous: None,
            credentials: Vec::new(),
            seal: Base64([0; 32]),
        }
    }

    /// Counts the change, seals the document and checks that it can be read again.
    pub(crate) fn sealed(mut self, current: &VaultKey) -> Result<Self, DecodeError> {
        self.generation += 1;
        self.seal = Base64(*derive(current.expose(), SEAL_LABEL, &[&self.without_seal()]));
        self.check()?;
        match self.encode().len() {
            bytes if bytes > DOCUMENT_MAX => Err(DecodeError::TooLong { bytes }),
            _fits => Ok(self),
        }
    }

    /// Says whether the document is as somebody left it who had this vault key.
    pub(crate) fn is_sealed_by(&self, current: &VaultKey) -> bool {
        is_derived(current.expose(), SEAL_LABEL, &[&self.without_seal()], &self.seal.0)
    }

    /// Associated data of the wrap of the vault key before.
    pub(crate) fn place_of_previous(&self) -> Vec<u8> {
        joined(
            "hearth vault previous key 1",
            &[self.user.as_str().as_bytes(), &self.key_number.to_le_bytes()],
        )
    }

    fn without_seal(&self) -> Vec<u8> {
        encode(&Self { seal: Base64([0; 32]), ..self.clone() })
    }

    fn check(&self) -> Result<(), DecodeError> {
        let content = |what| Err(DecodeError::Content { what });
        if self.credentials.is_empty() || self.credentials.len() > CREDENTIALS_MAX {
            return content("no credential, or too many");
        }
        if !(1..=NUMBER_MAX).contains(&self.generation) || !(1..=NUMBER_MAX).contains(&self.key_number) {
            return content("a number out of bounds");
        }
        for (index, entry) in self.credentials.iter().enumerate() {
            if !entry.parameters.are_bounded() {
                return content("a credential with too many or too long parameters");
            }
            for other in &self.credentials[..index] {
                if other.id == entry.id || (other.kind == entry.kind && entry.kind.is_single()) {
                    return content("a credential twice");
                }
            }
        }
        Ok(())
    }
}

impl Entry {
    /// Where its wraps belong.
    pub(crate) fn place<'a>(&'a self, user: &'a UserId) -> Place<'a> {
        let Self { id, kind, parameters, public, anchor: _, current: _ } = self;
        Place { user, id: *id, kind, parameters, public }
    }
}

/// What a wrap is bound to: opened elsewhere it gives nothing.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) user: &'a UserId,
    pub(crate) id: CredentialId,
    pub(crate) kind: &'a CredentialKind,
    pub(crate) parameters: &'a Parameters,
    pub(crate) public: &'a Base64<KEY_BYTES>,
}

impl Place<'_> {
    /// Associated data of the anchor's wrap.
    pub(crate) fn of_anchor(&self) -> Vec<u8> {
        self.joined("hearth vault anchor 1", 0)
    }

    /// Associated data of the wrap of a vault key.
    pub(crate) fn of_current(&self, key_number: u64) -> Vec<u8> {
        self.joined("hearth vault current key 1", key_number)
    }

    fn joined(&self, label: &str, key_number: u64) -> Vec<u8> {
        let parts: [&[u8]; 6] = [
            self.user.as_str().as_bytes(),
            self.id.as_bytes(),
            self.kind.as_str().as_bytes(),
            &self.parameters.to_bytes(),
            &self.public.0,
            &key_number.to_le_bytes(),
        ];
        joined(label, &parts)
    }
}
