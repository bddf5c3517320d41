//! Bytes of a fixed number as base64 in documents.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde::de::Error;

/// `N` bytes; nothing in a document that is written so is secret by itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Base64<const N: usize>(pub(crate) [u8; N]);

impl<const N: usize> Base64<N> {
    /// Reads the text that [`Self::to_text`] makes.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        // Decoding would take memory for any length.
        if text.len() != N.div_ceil(3) * 4 - padding(N) {
            return None;
        }
        Some(Self(STANDARD_NO_PAD.decode(text).ok()?.try_into().ok()?))
    }

    pub(crate) fn to_text(self) -> String {
        STANDARD_NO_PAD.encode(self.0)
    }
}

/// How many letters are left off at the end.
const fn padding(bytes: usize) -> usize {
    (3 - bytes % 3) % 3
}

impl<const N: usize> fmt::Debug for Base64<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

impl<const N: usize> Serialize for Base64<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_text())
    }
}

impl<'de, const N: usize> Deserialize<'de> for Base64<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_text(&text).ok_or_else(|| D::Error::custom(format_args!("not {N} bytes in base64")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_and_no_other_length() {
        fn reads_back<const N: usize>() {
            let bytes = Base64([0xa5; N]);
            assert_eq!(Base64::from_text(&bytes.to_text()), Some(bytes));
            assert_eq!(Base64::<N>::from_text(&Base64([0xa5; 33]).to_text()), None);
        }
        reads_back::<16>();
        reads_back::<17>();
        reads_back::<18>();
        assert_eq!(Base64::<16>::from_text("$$$$$$$$$$$$$$$$$$$$$$"), None);
    }
}
