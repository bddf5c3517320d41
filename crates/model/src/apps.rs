//! What people call an app. What the box calls it is [`AppKey`](crate::network::names::AppKey), which never changes.

use serde::Deserialize;
use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// Longest ID: it is a label of a name (RFC 1035 section 2.3.4).
pub const MAX_APP_ID: usize = 63;

/// IDs that mean the box itself, or that other computers look for by themselves.
///
/// `wpad` and `isatap` would have every computer at home ask an app for its proxy or its tunnel.
pub const RESERVED_APP_IDS: [&str; 22] = [
    "admin",
    "api",
    "apps",
    "auth",
    "box",
    "broadcasthost",
    "console",
    "core",
    "gateway",
    "hearth",
    "home",
    "host",
    "isatap",
    "local",
    "localhost",
    "login",
    "mesh",
    "netd",
    "system",
    "updates",
    "wpad",
    "www",
];

/// The friendly name of an installed app, by which its page is opened (`https://<id>.<box>.local`); the owner may change it.
///
/// Only ASCII: nothing that looks like another ID without being it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AppId(String);

/// Why a text is no ID of an app.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAppId {
    /// Its characters or its length.
    #[error(
        "an app's ID has 1 to 63 of the characters a-z, 0-9 and -, a letter first and no - at the end; {0:?} is none"
    )]
    Shape(String),
    /// The box's own.
    #[error("{0:?} is a name of the box itself; choose another ID")]
    Reserved(String),
    /// The prefix by which names in other alphabets are written (RFC 5890 section 2.3.1): a browser might show a look-alike.
    #[error("{0:?} has -- as its third and fourth characters, as only names in other alphabets have")]
    Encoded(String),
}

impl AppId {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AppId {
    type Err = InvalidAppId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_label = (1..=MAX_APP_ID).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && !text.ends_with('-');
        if !is_label {
            return Err(InvalidAppId::Shape(text.chars().take(MAX_APP_ID + 1).collect()));
        }
        if RESERVED_APP_IDS.contains(&text) || text.starts_with("core-") {
            return Err(InvalidAppId::Reserved(text.to_owned()));
        }
        if text.get(2..4) == Some("--") {
            return Err(InvalidAppId::Encoded(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for AppId {
    type Error = InvalidAppId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<AppId> for String {
    fn from(id: AppId) -> Self {
        id.0
    }
}

impl fmt::Display for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> InvalidAppId {
        text.parse::<AppId>().unwrap_err()
    }

    #[test]
    fn an_id_is_a_label_that_begins_with_a_letter() {
        for good in ["a", "notes", "n0tes-2", "a--b", "corel", "systems", &"a".repeat(63)] {
            assert_eq!(good.parse::<AppId>().unwrap().as_str(), good);
        }
        let bad = [
            "",
            "A",
            "1a",
            "-a",
            "a-",
            "a.b",
            "a_b",
            "core.x",
            "a b",
            "not\u{435}s",
            "\u{e9}",
            &"a".repeat(64),
        ];
        for bad in bad {
            assert!(matches!(refused(bad), InvalidAppId::Shape(_)), "{bad}");
        }
    }

    #[test]
    fn names_of_the_box_and_encoded_ones_are_refused() {
        for bad in RESERVED_APP_IDS.into_iter().chain(["core-net"]) {
            assert_eq!(refused(bad), InvalidAppId::Reserved(bad.to_owned()));
        }
        assert_eq!(refused("xn--nots-e4a"), InvalidAppId::Encoded("xn--nots-e4a".to_owned()));
    }

    #[test]
    fn a_document_holds_no_other() {
        assert_eq!(serde_json::from_str::<AppId>("\"notes\"").unwrap().to_string(), "notes");
        let error = serde_json::from_str::<AppId>("\"system\"").unwrap_err().to_string();
        assert!(error.contains("name of the box"), "{error}");
    }
}
