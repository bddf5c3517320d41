//! Versions of slots, in the order in which the loader sorts them.
//!
//! Source: the Version Format Specification (UAPI.10), and systemd's `strverscmp_improved` where the two differ: an empty number is
//! lower than `0` there and equal to it in the specification's text. The loader decides what boots, so its reading counts.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::Serialize;

/// How long a version may be, in bytes: with prefix, counters and suffix a file name stays far below FAT's 255.
pub const MAX_VERSION: usize = 48;

/// The version of a system, as it stands in the name of its slot.
///
/// Lower case only: the loader lowers the names of entries before it tells them, and FAT does not tell cases apart. No `+`, which begins
/// the counters, and no `_`, which ends the prefix.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version(String);

/// Why a text is no version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// Empty, or longer than [`MAX_VERSION`].
    #[error("a version has 1 to {MAX_VERSION} characters")]
    Length,
    /// Something else than `a-z 0-9 . - ~ ^`.
    #[error("a version is made of a to z, 0 to 9, dot, minus, tilde and caret")]
    Character,
    /// Begins or ends with a separator.
    #[error("a version begins and ends with a letter or digit")]
    Ends,
}

impl Version {
    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How the loader sorts the two. Texts that differ only by zeros before a number are equal here.
    #[must_use]
    pub fn order(&self, other: &Self) -> Ordering {
        compare(&self.0, &other.0)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        if text.is_empty() || text.len() > MAX_VERSION {
            return Err(VersionError::Length);
        }
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if !text.bytes().all(|byte| plain(byte) || matches!(byte, b'.' | b'-' | b'~' | b'^')) {
            return Err(VersionError::Character);
        }
        let ends = [text.bytes().next(), text.bytes().next_back()];
        if !ends.into_iter().flatten().all(plain) {
            return Err(VersionError::Ends);
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for Version {
    type Error = VersionError;

    fn try_from(text: String) -> Result<Self, VersionError> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.0
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The loader's order; what is equal there is told apart by its text, so that this agrees with `==`.
impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order(other).then_with(|| self.0.cmp(&other.0))
    }
}

/// Compares two texts as versions: `Less` is the older one. Any text may be given.
#[must_use]
pub fn compare(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left.as_bytes(), right.as_bytes());
    loop {
        left = skip(left, |byte| !has_meaning(byte));
        right = skip(right, |byte| !has_meaning(byte));
        // A tilde is lower than even the end, so it comes before the end is looked at; the other marks are not.
        if let Some(order) = pass(&mut left, &mut right, b'~') {
            return order;
        }
        if left.is_empty() || right.is_empty() {
            return left.len().cmp(&right.len());
        }
        for mark in [b'-', b'^', b'.'] {
            if let Some(order) = pass(&mut left, &mut right, mark) {
                return order;
            }
        }
        let starts_with_digit = |text: &[u8]| text.first().is_some_and(u8::is_ascii_digit);
        let order = if starts_with_digit(left) || starts_with_digit(right) {
            numbers(
                take(&mut left, |byte| byte.is_ascii_digit()),
                take(&mut right, |byte| byte.is_ascii_digit()),
            )
        } else {
            let letters = |byte: u8| byte.is_ascii_alphabetic();
            take(&mut left, letters).cmp(take(&mut right, letters))
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

fn has_meaning(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'~' | b'^')
}

/// Whoever has the mark is lower; if both do, both lose it and nothing is decided.
fn pass(left: &mut &[u8], right: &mut &[u8], mark: u8) -> Option<Ordering> {
    match (left.strip_prefix(&[mark]), right.strip_prefix(&[mark])) {
        (None, None) => None,
        (Some(_), None) => Some(Ordering::Less),
        (None, Some(_)) => Some(Ordering::Greater),
        (Some(rest_left), Some(rest_right)) => {
            (*left, *right) = (rest_left, rest_right);
            None
        }
    }
}

/// Runs of digits of any length: no number is too large. None at all is lower than any.
fn numbers(left: &[u8], right: &[u8]) -> Ordering {
    let is_there = (!left.is_empty()).cmp(&!right.is_empty());
    let (left, right) = (skip(left, |byte| byte == b'0'), skip(right, |byte| byte == b'0'));
    is_there.then_with(|| left.len().cmp(&right.len())).then_with(|| left.cmp(right))
}

fn skip(text: &[u8], unwanted: impl Fn(u8) -> bool) -> &[u8] {
    let count = text.iter().take_while(|&&byte| unwanted(byte)).count();
    text.get(count..).unwrap_or_default()
}

fn take<'a>(text: &mut &'a [u8], wanted: impl Fn(u8) -> bool) -> &'a [u8] {
    let count = text.iter().take_while(|&&byte| wanted(byte)).count();
    let (run, rest) = text.split_at(count);
    *text = rest;
    run
}

#[cfg(test)]
mod tests;
