//! Names and passwords, checked once at the edge.

use serde::Deserialize;
use serde::Serialize;
use sha2::Digest;
use sha2::Sha256;
use std::fmt;
use zeroize::Zeroizing;

/// Name of a user: 1 to 64 characters, none of them a control character.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserName(String);

/// Why a text is no user name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUserName {
    /// Empty or too long.
    #[error("a name has 1 to 64 characters")]
    Length,
    /// A control character.
    #[error("a name has no control characters")]
    Control,
}

/// A new password: 10 to 256 characters. Wiped from memory when dropped, not shown by `Debug`.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Password(Zeroizing<String>);

/// Why a text is no password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a password has 10 to 256 characters")]
pub struct InvalidPassword;

impl UserName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for UserName {
    type Error = InvalidUserName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if !(1..=64).contains(&text.chars().count()) {
            return Err(InvalidUserName::Length);
        }
        if text.chars().any(char::is_control) {
            return Err(InvalidUserName::Control);
        }
        Ok(Self(text))
    }
}

impl From<UserName> for String {
    fn from(name: UserName) -> Self {
        name.0
    }
}

impl Password {
    /// The bytes that are hashed.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl TryFrom<String> for Password {
    type Error = InvalidPassword;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let text = Zeroizing::new(text);
        if (10..=256).contains(&text.chars().count()) { Ok(Self(text)) } else { Err(InvalidPassword) }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// A name and password somebody tries to log in with: any text up to the limits, else a wrong guess would be told apart from
/// an impossible one. Not shown by `Debug`.
#[derive(Clone)]
pub struct Attempt {
    /// Name as typed.
    pub name: String,
    /// Password as typed.
    pub password: Zeroizing<String>,
}

impl Attempt {
    /// Hash of the name, for tables that must not grow with it.
    #[must_use]
    pub fn account(&self) -> [u8; 32] {
        Sha256::digest(self.name.as_bytes()).into()
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Attempt(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_1_to_64_characters_without_control() {
        for good in ["a", "Anna", "Änna Müller", &"ä".repeat(64)] {
            assert_eq!(UserName::try_from(good.to_owned()).unwrap().as_str(), good);
        }
        for (bad, why) in [
            (String::new(), InvalidUserName::Length),
            ("a".repeat(65), InvalidUserName::Length),
            ("a\nb".to_owned(), InvalidUserName::Control),
            ("\u{7f}".to_owned(), InvalidUserName::Control),
        ] {
            assert_eq!(UserName::try_from(bad.clone()), Err(why), "{bad:?}");
        }
    }

    #[test]
    fn passwords_have_10_to_256_characters() {
        for (count, good) in [(0, false), (9, false), (10, true), (256, true), (257, false)] {
            assert_eq!(Password::try_from("ß".repeat(count)).is_ok(), good, "{count}");
        }
    }

    #[test]
    fn debug_output_does_not_tell_passwords() {
        let password = Password::try_from("correct horse".to_owned()).unwrap();
        let attempt = Attempt { name: "a".to_owned(), password: "correct horse".to_owned().into() };
        assert!(!format!("{password:?} {attempt:?}").contains("horse"));
    }
}
