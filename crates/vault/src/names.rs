//! Names in documents: checked once, when they come in.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::Serialize;

use crate::encoding::Base64;
use crate::secret::RandomError;
use crate::secret::random;

/// Longest name, in bytes.
const NAME_MAX: usize = 64;

/// A text that is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to 64 letters of a-z, A-Z, 0-9, underscore, full stop and hyphen")]
pub struct NameError;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Returns the text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                if is_name(text) { Ok(Self(text.to_owned())) } else { Err(NameError) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                if is_name(&text) { Ok(Self(text)) } else { Err(NameError) }
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// Who a vault belongs to: the account's id, which never changes, not the name people see.
    UserId
}

name! {
    /// The name of a store key or lookup key.
    KeyName
}

/// Names one credential in one document; random, so that no two are ever mistaken for each other.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CredentialId(Base64<16>);

impl CredentialId {
    pub(crate) fn random() -> Result<Self, RandomError> {
        Ok(Self(Base64(*random::<16>()?)))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0.0
    }
}

impl fmt::Debug for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_text())
    }
}

impl FromStr for CredentialId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Base64::from_text(text).map(Self).ok_or(NameError)
    }
}

pub(crate) fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    (1..=NAME_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        assert_eq!("018f-aa.b_C".parse::<UserId>().unwrap().as_str(), "018f-aa.b_C");
        for text in ["", "a b", "ä", "a/b", &"a".repeat(65)] {
            assert_eq!(text.parse::<KeyName>().unwrap_err(), NameError, "{text}");
        }
    }

    #[test]
    fn credential_ids_read_as_written() {
        let id = CredentialId::random().unwrap();
        assert_eq!(id.to_string().parse::<CredentialId>().unwrap(), id);
        assert_ne!(CredentialId::random().unwrap(), id);
    }
}
