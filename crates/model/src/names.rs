//! Values checked once at the edge.

use serde::Deserialize;
use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// A host name: one DNS label in lower case (RFC 1123 section 2.1), 1 to 63 of `a-z`, `0-9`, `-`, no `-` at an end.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostName(String);

/// Why a text is no host name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHostName {
    /// Empty or longer than 63 bytes.
    #[error("a host name has 1 to 63 characters")]
    Length,
    /// A character that a DNS label must not have.
    #[error("a host name has only the characters a-z, 0-9 and -")]
    Character,
    /// A dash at an end.
    #[error("a host name does not start or end with -")]
    Dash,
}

impl HostName {
    /// The label.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name on the home network, by multicast DNS (RFC 6762 section 3).
    #[must_use]
    pub fn local(&self) -> String {
        format!("{}.local", self.0)
    }
}

impl Default for HostName {
    fn default() -> Self {
        Self("hearth".to_owned())
    }
}

impl FromStr for HostName {
    type Err = InvalidHostName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() || text.len() > 63 {
            return Err(InvalidHostName::Length);
        }
        if !text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
            return Err(InvalidHostName::Character);
        }
        if text.starts_with('-') || text.ends_with('-') {
            return Err(InvalidHostName::Dash);
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for HostName {
    type Error = InvalidHostName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<HostName> for String {
    fn from(name: HostName) -> Self {
        name.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_follow_the_dns_label_rule() {
        let long = "a".repeat(63);
        for good in ["hearth", "h", "hearth-2", "1home", long.as_str()] {
            assert_eq!(good.parse::<HostName>().unwrap().as_str(), good);
        }
        let too_long = "a".repeat(64);
        for (bad, why) in [
            ("", InvalidHostName::Length),
            (too_long.as_str(), InvalidHostName::Length),
            ("Hearth", InvalidHostName::Character),
            ("a.b", InvalidHostName::Character),
            ("h\u{e9}arth", InvalidHostName::Character),
            ("-a", InvalidHostName::Dash),
            ("a-", InvalidHostName::Dash),
        ] {
            assert_eq!(bad.parse::<HostName>(), Err(why), "{bad}");
        }
    }
}
