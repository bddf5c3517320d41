//! Names in network documents, checked once at the edge.

use serde::Deserialize;
use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// Longest key of an app or a workspace: it is a label of a name (RFC 1035 section 2.3.4).
const MAX_KEY: usize = 63;
/// Longest domain name in text form (RFC 1035 section 2.3.4: 255 octets on the wire).
const MAX_DOMAIN: usize = 253;

/// Why a text is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key has 1 to 63 of the characters a-z, 0-9 and -, and no - at an end; {0:?} is none")]
pub struct InvalidKey(String);

/// Makes a text type whose every value was checked.
macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $error:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = $error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let check: fn(&str) -> Result<(), $error> = $check;
                check(text).map(|()| Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = $error;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
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

checked_text!(
    /// The opaque key of an installed app; never changes.
    AppKey,
    InvalidKey,
    check_key
);
checked_text!(
    /// The key of a workspace: the apps of one user.
    WorkspaceKey,
    InvalidKey,
    check_key
);
checked_text!(
    /// A domain name in lower case without a dot at the end: at least two labels (RFC 1123 section 2.1, with `_`).
    Domain,
    InvalidDomain,
    check_domain
);
checked_text!(
    /// A domain (`example.com`: exactly this name) or everything below one (`*.example.com`: not `example.com` itself).
    DomainPattern,
    InvalidDomain,
    |text| check_domain(text.strip_prefix("*.").unwrap_or(text))
);

/// Why a text is no domain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDomain {
    /// Empty or too long.
    #[error("a domain has 1 to 253 characters")]
    Length,
    /// Only one label.
    #[error("{0:?} is one label; a domain has at least two, such as example.com")]
    OneLabel(String),
    /// Labels.
    #[error(
        "{0:?} has a label that is empty, longer than 63 characters, or has others than a-z, 0-9, - and _"
    )]
    Label(String),
    /// An address.
    #[error("{0:?} is an address, not a domain")]
    Address(String),
    /// A number at the end, as only addresses have (RFC 3696 section 2).
    #[error("{0:?} ends in a number, as no domain does")]
    Number(String),
}

fn check_key(text: &str) -> Result<(), InvalidKey> {
    let is_fine = (1..=MAX_KEY).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-');
    if is_fine { Ok(()) } else { Err(InvalidKey(text.chars().take(MAX_KEY + 1).collect())) }
}

fn check_domain(text: &str) -> Result<(), InvalidDomain> {
    if text.is_empty() || text.len() > MAX_DOMAIN {
        return Err(InvalidDomain::Length);
    }
    if text.parse::<std::net::IpAddr>().is_ok() {
        return Err(InvalidDomain::Address(text.to_owned()));
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if !text.split('.').all(is_label) {
        return Err(InvalidDomain::Label(text.to_owned()));
    }
    if !text.contains('.') {
        return Err(InvalidDomain::OneLabel(text.to_owned()));
    }
    if text.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit())) {
        return Err(InvalidDomain::Number(text.to_owned()));
    }
    Ok(())
}

impl DomainPattern {
    /// Whether a name in lower case, without a dot at the end, is meant.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        match self.0.strip_prefix("*.") {
            Some(parent) => {
                name.strip_suffix(parent).is_some_and(|below| below.len() > 1 && below.ends_with('.'))
            }
            None => self.0 == name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_dns_labels() {
        for good in ["a", "notes", "0b5c-1", &"a".repeat(63)] {
            assert_eq!(good.parse::<AppKey>().unwrap().as_str(), good);
        }
        for bad in ["", "A", "a.b", "-a", "a-", "a b", &"a".repeat(64), "\u{e9}"] {
            assert!(bad.parse::<WorkspaceKey>().is_err(), "{bad}");
        }
    }

    #[test]
    fn domains_have_two_labels_and_are_no_addresses() {
        for good in ["example.com", "_dmarc.example.com", "a.b.c.d.e", "xn--bcher-kva.example", "1.2.3.a4"] {
            assert!(good.parse::<Domain>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "com",
            "Example.com",
            "a..b",
            ".a.b",
            "a.b.",
            "192.0.2.1",
            "::1",
            "-a.b",
            "*.a.b",
            "a.1",
            "1.2.3.4.5",
        ] {
            assert!(bad.parse::<Domain>().is_err(), "{bad}");
        }
        for bad in ["*", "*.", "*.com", "a.*.b", "**.a.b", "*.a.1"] {
            assert!(bad.parse::<DomainPattern>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_pattern_matches_its_name_or_what_is_below() {
        let exact: DomainPattern = "example.com".parse().unwrap();
        let below: DomainPattern = "*.example.com".parse().unwrap();
        for (name, is_exact, is_below) in [
            ("example.com", true, false),
            ("www.example.com", false, true),
            ("a.b.example.com", false, true),
            (".example.com", false, false),
            ("badexample.com", false, false),
            ("example.com.evil.org", false, false),
            ("com", false, false),
        ] {
            assert_eq!((exact.matches(name), below.matches(name)), (is_exact, is_below), "{name}");
        }
    }
}
