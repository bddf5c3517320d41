//! Names of the parts of an app.

use serde::Deserialize;
use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// Longest name: it becomes a part of a path and of a control group's.
const MAX: usize = 63;

/// The name of a container or a volume among an app's: 1 to 63 of `a-z`, `0-9`, `-`, `_` and `.`, a letter or digit first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PartName(String);

/// Why a text is no name of a part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to 63 of the characters a-z, 0-9, -, _ and ., a letter or digit first; {0:?} is none")]
pub struct InvalidPartName(pub(super) String);

impl PartName {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PartName {
    type Err = InvalidPartName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let is_name = (1..=MAX).contains(&text.len())
            && text.bytes().next().is_some_and(is_plain)
            && text.bytes().all(|byte| is_plain(byte) || b"-_.".contains(&byte));
        if is_name {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidPartName(text.chars().take(80).collect()))
        }
    }
}

impl TryFrom<String> for PartName {
    type Error = InvalidPartName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<PartName> for String {
    fn from(name: PartName) -> Self {
        name.0
    }
}

impl fmt::Display for PartName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
