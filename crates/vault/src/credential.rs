//! What a user proves, and the key that comes of it.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::names::NameError;
use crate::names::is_name;
use crate::secret::KEY_BYTES;
use crate::secret::RandomError;
use crate::secret::Secret;

/// Most parameters of one credential, and longest name and text of one, in bytes. A passkey's credential id has up to
/// 1,023 bytes (Web Authentication section 4), 1,364 letters.
const PARAMETERS_MAX: usize = 16;
const TEXT_MAX: usize = 2048;

/// What opens a vault: gives a key of 256 bits from what the user proves.
///
/// The proof itself is inside the implementing type: a password, a code, the output of a passkey's PRF extension, a
/// wallet's signature over a fixed text. What the proof needs to be made again (salt, costs, the passkey's id, the text
/// to sign) is kept with the wrap as [`Parameters`], in the open and authenticated.
pub trait Credential {
    /// The kind whose wraps this opens.
    fn kind(&self) -> CredentialKind;

    /// Makes the parameters of a new wrap.
    ///
    /// # Errors
    /// When the kernel gives no random bytes.
    fn new_parameters(&self) -> Result<Parameters, CredentialError>;

    /// Gives the key that encrypts a wrap with these parameters. A wrong proof gives a wrong key, which opens nothing.
    ///
    /// # Errors
    /// When the parameters are not of this kind, or ask for more memory or time than any box would.
    fn key_encryption_key(&self, parameters: &Parameters) -> Result<KeyEncryptionKey, CredentialError>;
}

/// Why a credential gave no key.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// What is stored with the wrap is not what this kind of credential stores.
    #[error("the parameters of the {kind} are damaged or out of bounds")]
    Parameters {
        /// The credential.
        kind: CredentialKind,
    },
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The password could not be turned into a key.
    #[error("could not compute a key from the password")]
    Argon {
        /// Why.
        #[source]
        source: argon2::Error,
    },
}

/// The key that a proof gives; wraps nothing but what one credential of one user opens.
#[derive(Clone)]
pub struct KeyEncryptionKey(Secret);

impl KeyEncryptionKey {
    /// Takes what a proof gave.
    #[must_use]
    pub fn from_bytes(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        Self(bytes)
    }

    pub(crate) fn expose(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl fmt::Debug for KeyEncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyEncryptionKey(…)")
    }
}

/// The kinds of credentials.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum CredentialKind {
    /// [`Password`](crate::Password).
    Password,
    /// [`RecoveryCode`](crate::RecoveryCode).
    RecoveryCode,
    /// A passkey with the PRF extension; reserved.
    PasskeyPrf,
    /// A wallet's signature; reserved.
    Wallet,
    /// Made by a later version: kept, of no use here.
    Unknown(UnknownKind),
}

/// A name that is none of the known kinds'.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UnknownKind(String);

impl CredentialKind {
    /// Says whether this version opens vaults with it, so that one of it is enough to keep.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        match self {
            Self::Password | Self::RecoveryCode => true,
            Self::PasskeyPrf | Self::Wallet | Self::Unknown(_) => false,
        }
    }

    /// Says whether a vault has at most one of it: what a person types is tried against all there are, and each try costs.
    pub(crate) fn is_single(&self) -> bool {
        match self {
            Self::Password | Self::RecoveryCode => true,
            Self::PasskeyPrf | Self::Wallet | Self::Unknown(_) => false,
        }
    }

    /// The name in documents.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Password => "password",
            Self::RecoveryCode => "recovery-code",
            Self::PasskeyPrf => "passkey-prf",
            Self::Wallet => "wallet",
            Self::Unknown(UnknownKind(name)) => name,
        }
    }
}

impl TryFrom<String> for CredentialKind {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        let known = [Self::Password, Self::RecoveryCode, Self::PasskeyPrf, Self::Wallet];
        match known.into_iter().find(|kind| kind.as_str() == text) {
            Some(kind) => Ok(kind),
            None if is_name(&text) => Ok(Self::Unknown(UnknownKind(text))),
            None => Err(NameError),
        }
    }
}

impl From<CredentialKind> for String {
    fn from(kind: CredentialKind) -> Self {
        kind.as_str().to_owned()
    }
}

impl fmt::Display for CredentialKind {
    /// In words for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password => "password",
            Self::RecoveryCode => "recovery code",
            Self::PasskeyPrf => "passkey",
            Self::Wallet => "wallet",
            Self::Unknown(UnknownKind(name)) => name,
        })
    }
}

/// What a kind of credential stores with its wrap: a flat list for every kind, also for those to come, so that it is read,
/// authenticated and written back the same by a version that does not know the kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Parameters(BTreeMap<String, Parameter>);

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Parameter {
    /// A whole number.
    Number(u64),
    /// A text; bytes are written as base64.
    Text(String),
}

impl Parameters {
    /// Looks one up.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Parameter> {
        self.0.get(name)
    }

    /// Says how many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Says whether number, names and texts are short enough for a document.
    pub(crate) fn are_bounded(&self) -> bool {
        self.0.len() <= PARAMETERS_MAX
            && self.0.iter().all(|(name, value)| {
                is_name(name)
                    && match value {
                        Parameter::Number(_) => true,
                        Parameter::Text(text) => text.len() <= TEXT_MAX,
                    }
            })
    }

    /// Returns bytes that no other parameters give.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut add = |part: &[u8]| {
            bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
            bytes.extend_from_slice(part);
        };
        for (name, value) in &self.0 {
            add(name.as_bytes());
            match value {
                Parameter::Number(number) => add(&[&b"n"[..], &number.to_le_bytes()].concat()),
                Parameter::Text(text) => add(&[b"t", text.as_bytes()].concat()),
            }
        }
        bytes
    }
}

impl<const N: usize> From<[(&str, Parameter); N]> for Parameters {
    fn from(parameters: [(&str, Parameter); N]) -> Self {
        Self(parameters.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_read_as_written_also_unknown_ones() {
        for name in ["password", "recovery-code", "passkey-prf", "wallet", "smile-2030"] {
            let kind = CredentialKind::try_from(name.to_owned()).unwrap();
            assert_eq!(String::from(kind.clone()), name);
            assert_eq!(matches!(kind, CredentialKind::Unknown(_)), name == "smile-2030");
        }
        assert_eq!(CredentialKind::try_from("a kind".to_owned()).unwrap_err(), NameError);
    }

    #[test]
    fn parameters_that_differ_give_different_bytes() {
        let text = |text: &str| Parameter::Text(text.to_owned());
        let all = [
            Parameters::default(),
            Parameters::from([("a", Parameter::Number(0x31))]),
            Parameters::from([("a", text("1"))]),
            Parameters::from([("a", text("1")), ("b", text(""))]),
            Parameters::from([("a", text("")), ("b", text("1"))]),
        ];
        for (index, one) in all.iter().enumerate() {
            assert!(all[..index].iter().all(|other| other.to_bytes() != one.to_bytes()), "{one:?}");
        }
    }

    #[test]
    fn parameters_are_numbers_and_texts_only_and_few() {
        for refused in [r#"{"a":1.5}"#, r#"{"a":[]}"#, r#"{"a":null}"#, r#"{"a":-1}"#] {
            serde_json::from_str::<Parameters>(refused).unwrap_err();
        }
        let long = Parameters::from([("a", Parameter::Text("x".repeat(TEXT_MAX + 1)))]);
        assert!(!long.are_bounded());
        let many = (0..=PARAMETERS_MAX).map(|n| (format!("p{n}"), Parameter::Number(0))).collect();
        assert!(!Parameters(many).are_bounded());
    }
}
