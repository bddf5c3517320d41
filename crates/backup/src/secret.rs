//! Text that must not be seen: passwords and private keys of backup targets.

use serde::Deserialize;
use serde::Serialize;
use std::fmt;
use zeroize::Zeroize;
use zeroize::ZeroizeOnDrop;

/// A secret of a target. Never printed; wiped from memory when dropped.
///
/// It is written out by serialization, for that is how settings are kept; see [`crate::Target::redacted`].
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes a secret.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "Secret(none)" } else { "Secret(…)" })
    }
}
