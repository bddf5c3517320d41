//! What opens the data partition without anybody typing: seen from here, something that seals and unseals a key.

use crate::key::Key;
use serde_json::Value;

/// A TPM with a signed policy, or a fake of one.
pub trait Sealer {
    /// Seals a key to this box and to systems that the policy key signs.
    ///
    /// # Errors
    /// [`SealError::Absent`] where the box has no such thing.
    fn seal(&mut self, key: &Key) -> Result<Value, SealError>;

    /// Gives the key back.
    ///
    /// # Errors
    /// When it does not, with the reason for the owner.
    fn unseal(&mut self, sealed: &Value) -> Result<Key, SealError>;

    /// Nothing is unsealed after this until the next boot.
    ///
    /// # Errors
    /// When that cannot be made sure.
    fn close(&mut self) -> Result<(), SealError>;
}

/// Why nothing was sealed or unsealed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// There is no TPM, or the system came without a signed policy (it was not started by the loader).
    #[error("{0}")]
    Absent(String),
    /// There is, and it refuses.
    #[error("{0}")]
    Refused(String),
}
