//! Files that wait for signatures, which may come from other machines.

use super::keys::Key;
use super::keys::Public;
use crate::check::Role;
use serde_json::Value;
use serde_json::json;
use tuf::metadata::Metadata;
use tuf::metadata::SignedMetadata;
use tuf::metadata::SignedMetadataBuilder;
use tuf::pouf::Pouf;
use tuf::pouf::Pouf1;

/// A file and the signatures that it has so far. As a file it is what will lie in the repository.
#[derive(Debug)]
pub struct Draft<M: Metadata> {
    signed: SignedMetadata<Pouf1, M>,
}

/// A draft cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// It is no draft of its kind.
    #[error("this is no draft of {0}")]
    Read(Role, #[source] Box<dyn std::error::Error + Send + Sync>),
    /// It cannot be signed.
    #[error("cannot sign")]
    Sign(#[source] tuf::Error),
    /// A signature that came from elsewhere is of another key or another draft.
    #[error("the signature is not of this key over this draft")]
    Foreign,
}

impl<M: Metadata> Draft<M> {
    /// Of a document, with no signatures.
    pub(crate) fn new(document: &M) -> Result<Self, DraftError> {
        let builder = SignedMetadataBuilder::from_metadata(document).map_err(DraftError::Sign)?;
        Ok(Self { signed: builder.build() })
    }

    /// Reads it.
    ///
    /// # Errors
    /// It is another file.
    pub fn decode(bytes: &[u8]) -> Result<Self, DraftError> {
        let signed =
            serde_json::from_slice(bytes).map_err(|error| DraftError::Read(role::<M>(), Box::new(error)))?;
        let draft = Self { signed };
        draft.document()?;
        Ok(draft)
    }

    /// Writes it.
    ///
    /// # Errors
    /// It is broken.
    pub fn encode(&self) -> Result<Vec<u8>, DraftError> {
        self.signed.to_raw().map(|raw| raw.as_bytes().to_vec()).map_err(DraftError::Sign)
    }

    /// What a signature is of: for tools that hold keys in hardware (`docs/releasing.md`).
    ///
    /// # Errors
    /// It is broken.
    pub fn payload(&self) -> Result<Vec<u8>, DraftError> {
        let value: Value = serde_json::from_slice(&self.encode()?)
            .map_err(|error| DraftError::Read(role::<M>(), Box::new(error)))?;
        Pouf1::canonicalize(&value["signed"]).map_err(DraftError::Sign)
    }

    /// Signs it.
    ///
    /// # Errors
    /// It is broken.
    pub fn sign(&mut self, key: &Key) -> Result<(), DraftError> {
        self.signed.add_signature(key.signer()).map_err(DraftError::Sign)
    }

    /// Takes a signature that was made elsewhere.
    ///
    /// # Errors
    /// It is not of that key over this draft.
    pub fn add_signature(&mut self, key: &Public, signature: &[u8]) -> Result<(), DraftError> {
        let digits: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
        let one = json!([{ "keyid": key.id(), "sig": digits }]);
        let mut value: Value = serde_json::from_slice(&self.encode()?)
            .map_err(|error| DraftError::Read(role::<M>(), Box::new(error)))?;
        if let Some(fields) = value.as_object_mut() {
            fields.insert("signatures".to_owned(), one);
        }
        let other: SignedMetadata<Pouf1, M> =
            serde_json::from_value(value).map_err(|error| DraftError::Read(role::<M>(), Box::new(error)))?;
        let raw = other.to_raw().map_err(DraftError::Sign)?;
        tuf::verify::verify_signatures(&role::<M>().path(), &raw, 1, [&key.key])
            .map_err(|_error| DraftError::Foreign)?;
        self.signed.merge_signatures(&other).map_err(DraftError::Sign)
    }

    pub(crate) fn document(&self) -> Result<M, DraftError> {
        self.signed.assume_valid().map_err(|error| DraftError::Read(role::<M>(), Box::new(error)))
    }
}

fn role<M: Metadata>() -> Role {
    match M::ROLE {
        tuf::metadata::Role::Root => Role::Root,
        tuf::metadata::Role::Snapshot => Role::Snapshot,
        tuf::metadata::Role::Targets => Role::Targets,
        tuf::metadata::Role::Timestamp => Role::Timestamp,
    }
}
