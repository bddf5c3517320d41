//! Names that the kernel and nft(8) take.

use std::fmt;

/// A text that is no name of that sort.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {rule}")]
pub struct InvalidName {
    /// What was given.
    pub text: String,
    /// What it should have been.
    pub rule: &'static str,
}

macro_rules! checked_text {
    ($(#[$meta:meta])* $name:ident, $rule:literal, $is_valid:expr) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// Checks it.
            ///
            /// # Errors
            /// When the text does not follow the rule of the type.
            pub fn new(text: &str) -> Result<Self, InvalidName> {
                let is_valid: fn(&str) -> bool = $is_valid;
                if is_valid(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(InvalidName { text: text.chars().take(300).collect(), rule: $rule })
                }
            }

            /// The plain text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, formatter)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                Self::new(text)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = InvalidName;

            fn try_from(text: &str) -> Result<Self, InvalidName> {
                Self::new(text)
            }
        }
    };
}

checked_text!(
    /// Name of a table, chain or set: a letter or underscore, then letters, digits, `_`, `-`, `.` and `/`; at most 255 bytes
    /// (`NFT_NAME_MAXLEN`; the alphabet is that of nft(8)). A word of its language (`drop`, `counter`) is a good name here
    /// but cannot be read back from the text.
    Name,
    "a name of at most 255 letters, digits and _-./ that starts with a letter or _",
    |text| text.len() <= 255
        && text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-./".contains(letter))
);

checked_text!(
    /// What stands beside a rule: 1 to 127 printable ASCII characters without `"` and `\` (`NFTNL_UDATA_COMMENT_MAXLEN`).
    Comment,
    "a comment of at most 127 printable ASCII characters without quotes and backslashes",
    |text| (1..=127).contains(&text.len())
        && text.chars().all(|letter| (' '..='~').contains(&letter) && letter != '"' && letter != '\\')
);

checked_text!(
    /// What a log line starts with: as [`Comment`].
    LogPrefix,
    "a prefix of at most 127 printable ASCII characters without quotes and backslashes",
    |text| (1..=127).contains(&text.len())
        && text.chars().all(|letter| (' '..='~').contains(&letter) && letter != '"' && letter != '\\')
);

checked_text!(
    /// Name of a network interface: 1 to 15 visible ASCII characters (`IFNAMSIZ`) without `/`, `:`, `*`, `"` and `\`; nft(8)
    /// reads a final `*` as "starts with".
    InterfaceName,
    "an interface name of at most 15 visible characters without / : * \" and \\",
    |text| (1..=15).contains(&text.len())
        && text != "."
        && text != ".."
        && text.chars().all(|letter| letter.is_ascii_graphic() && !"/:*\"\\".contains(letter))
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_limits() {
        Name::new("host-input.v4/x_1").unwrap();
        for wrong in ["", "1a", "a b", "a;b", "a{", &"x".repeat(256)] {
            assert!(Name::new(wrong).is_err(), "{wrong}");
        }
        Comment::new("may reach: 192.0.2.1").unwrap();
        for wrong in ["", "a\"b", "a\\b", "a\nb", "ä", &"x".repeat(128)] {
            assert!(Comment::new(wrong).is_err(), "{wrong}");
            assert!(LogPrefix::new(wrong).is_err(), "{wrong}");
        }
        InterfaceName::new("wlan0.7").unwrap();
        for wrong in ["", "..", "a/b", "eth*", "a b", "sixteencharacter"] {
            assert!(InterfaceName::new(wrong).is_err(), "{wrong}");
        }
    }
}
