//! The document with which a slot file proves that its measurements are approved.
//!
//! `{"sha256":[{"pcrs":[11],"pkfp":"<hex>","pol":"<hex>","sig":"<base64>"}]}`, the form that systemd-measure(1) gives
//! for `.pcrsig`, with one difference: a signature is ECDSA on P-256, written as the two numbers r and s of 32 bytes each.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::Serialize;

use crate::Digest;
use crate::PolicyKey;

/// A document that is longer is not looked at. One entry has about 300 bytes.
pub const MAX_DOCUMENT: usize = 64 * 1024;

/// Signatures of one slot file: one for each value that PCR 11 may have, by each key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signatures {
    /// In the order of the document.
    pub entries: Vec<Signature>,
}

/// An approved policy.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// Registers that the policy is about.
    pub pcrs: Vec<u32>,
    /// Fingerprint of the key that signed.
    #[serde(rename = "pkfp")]
    pub key: Digest,
    /// The policy: [`policy_pcr`](crate::policy_pcr) of those registers.
    #[serde(rename = "pol")]
    pub policy: Digest,
    /// r and s over [`to_be_signed`](crate::to_be_signed) of the policy.
    #[serde(rename = "sig", with = "in_base64")]
    pub signature: [u8; 64],
}

/// What the signatures have for a key and a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice<'a> {
    /// A signature by that key for that policy.
    Found(&'a Signature),
    /// Signatures by that key, all for other policies.
    OtherPolicy,
    /// No signature by that key.
    OtherKey,
}

/// A document that is no document of signatures.
#[derive(Debug, thiserror::Error)]
pub enum SignaturesError {
    /// Longer than [`MAX_DOCUMENT`].
    #[error("the signatures have {0} bytes, more than can be right")]
    TooLong(usize),
    /// Not of that form.
    #[error("the signatures are not readable")]
    Form(#[source] serde_json::Error),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    sha256: Vec<Signature>,
}

#[derive(Serialize)]
struct DocumentRef<'a> {
    sha256: &'a [Signature],
}

impl Signatures {
    /// Reads the document. Bytes of zero at its end, which a section of a PE file may bring, are ignored.
    ///
    /// # Errors
    /// When it is too long or not of the right form.
    pub fn from_json(document: &[u8]) -> Result<Self, SignaturesError> {
        if document.len() > MAX_DOCUMENT {
            return Err(SignaturesError::TooLong(document.len()));
        }
        let end = document.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let text = document.get(..end).unwrap_or_default();
        let Document { sha256: entries } = serde_json::from_slice(text).map_err(SignaturesError::Form)?;
        Ok(Self { entries })
    }

    /// Writes the document; the same entries give the same bytes.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Numbers and strings only: there is nothing that serde_json could refuse.
        serde_json::to_string(&DocumentRef { sha256: &self.entries }).unwrap_or_default()
    }

    /// Looks for the signature by `key` that approves `policy`, which is over `pcrs`.
    #[must_use]
    pub fn choose(&self, key: &PolicyKey, pcrs: &[u32], policy: &Digest) -> Choice<'_> {
        let fingerprint = key.fingerprint();
        let mut by_key = self.entries.iter().filter(|entry| entry.key == fingerprint).peekable();
        if by_key.peek().is_none() {
            return Choice::OtherKey;
        }
        by_key
            .find(|entry| entry.policy == *policy && entry.pcrs == pcrs)
            .map_or(Choice::OtherPolicy, Choice::Found)
    }
}

mod in_base64 {
    use serde::Deserializer;
    use serde::Serializer;
    use serde::de::Error;

    use super::Deserialize;
    use super::Engine;
    use super::STANDARD;

    pub(super) fn serialize<S: Serializer>(signature: &[u8; 64], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(signature))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 64], D::Error> {
        let bytes = STANDARD.decode(String::deserialize(deserializer)?).map_err(D::Error::custom)?;
        bytes.try_into().map_err(|other: Vec<u8>| D::Error::invalid_length(other.len(), &"64 bytes"))
    }
}

#[cfg(test)]
mod tests;
