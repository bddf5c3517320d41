//! The document that holds a sealed secret.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pcr::Digest;
use serde::Deserialize;
use serde::Serialize;

use crate::seal;

/// A document that is longer is not looked at; one has about 700 bytes.
pub const MAX_DOCUMENT: usize = 16 * 1024;
/// Larger areas are refused; those of a sealed secret have less than 300 bytes.
const MAX_AREA: usize = 2048;
const VERSION: u32 = 1;

/// A secret that one TPM opens under one policy. Nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "Document", into = "Document")]
pub struct Sealed {
    pub(crate) storage: Digest,
    pub(crate) key: Digest,
    pub(crate) registers: Vec<(u32, Digest)>,
    pub(crate) public: Vec<u8>,
    pub(crate) private: Vec<u8>,
}

/// A document that holds no sealed secret.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// Longer than [`MAX_DOCUMENT`].
    #[error("the sealed key's document has {0} bytes, more than can be right")]
    TooLong(usize),
    /// Not of its form.
    #[error("the sealed key's document is not readable")]
    Form(#[source] serde_json::Error),
}

/// What is wrong inside of a document that has the right form.
#[derive(Debug, thiserror::Error)]
enum ContentError {
    #[error("version {0} is not known")]
    Version(u32),
    #[error("an area is no base64 of 1 to {MAX_AREA} bytes")]
    Area,
    #[error("registers have to be a choice of 0 to 23 without 11")]
    Registers,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    /// Digest in the Name of the storage primary.
    storage: Digest,
    /// Fingerprint of the policy key.
    policy_key: Digest,
    /// Registers and their values at sealing.
    pcrs: BTreeMap<u32, Digest>,
    /// TPMT_PUBLIC.
    public: String,
    /// Content of TPM2B_PRIVATE, encrypted by the TPM.
    private: String,
}

impl Sealed {
    /// Reads the document.
    ///
    /// # Errors
    /// When it is too long or not of the right form.
    pub fn from_json(document: &[u8]) -> Result<Self, DocumentError> {
        if document.len() > MAX_DOCUMENT {
            return Err(DocumentError::TooLong(document.len()));
        }
        serde_json::from_slice(document).map_err(DocumentError::Form)
    }

    /// Writes the document.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Numbers and strings only: there is nothing that serde_json could refuse.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Fingerprint of the policy key that has to approve a slot.
    #[must_use]
    pub fn policy_key(&self) -> Digest {
        self.key
    }

    /// Registers that have to be as they were at sealing, with their values then, in ascending order.
    #[must_use]
    pub fn registers(&self) -> &[(u32, Digest)] {
        &self.registers
    }

    /// What tells the TPM that sealed it apart from any other: the digest in the Name of its storage primary.
    #[must_use]
    pub fn storage(&self) -> Digest {
        self.storage
    }
}

impl From<Sealed> for Document {
    fn from(sealed: Sealed) -> Self {
        Self {
            version: VERSION,
            storage: sealed.storage,
            policy_key: sealed.key,
            pcrs: sealed.registers.into_iter().collect(),
            public: STANDARD.encode(sealed.public),
            private: STANDARD.encode(sealed.private),
        }
    }
}

impl TryFrom<Document> for Sealed {
    type Error = ContentError;

    fn try_from(document: Document) -> Result<Self, ContentError> {
        if document.version != VERSION {
            return Err(ContentError::Version(document.version));
        }
        let registers: Vec<u32> = document.pcrs.keys().copied().collect();
        if seal::check(&registers).is_err() {
            return Err(ContentError::Registers);
        }
        Ok(Self {
            storage: document.storage,
            key: document.policy_key,
            registers: document.pcrs.into_iter().collect(),
            public: area(&document.public)?,
            private: area(&document.private)?,
        })
    }
}

fn area(text: &str) -> Result<Vec<u8>, ContentError> {
    let bytes = STANDARD.decode(text).ok().filter(|bytes| (1..=MAX_AREA).contains(&bytes.len()));
    bytes.ok_or(ContentError::Area)
}

#[cfg(test)]
mod tests;
