//! A claim code that was decided beforehand.

use serde::Deserialize;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use zeroize::Zeroizing;

/// Symbols in a code, dashes not counted: 12 × 5 bits.
const SYMBOLS: usize = 12;
/// Crockford's base 32: no I, L, O (they look like digits) and no U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Of twelve random symbols fewer are different once in some million codes; of those that people think up, often.
const DIFFERENT: usize = 6;

/// A claim code. Its `Debug` shows nothing; [`ClaimCode::shown`] is for its owner.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClaimCode(Zeroizing<[u8; SYMBOLS]>);

/// Why a text is no claim code; never with the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidClaimCode {
    /// Not twelve symbols.
    #[error("a claim code has 12 characters, in groups as you like")]
    Length,
    /// A character that no code has.
    #[error("a claim code has digits and letters, but no U")]
    Symbol,
    /// It can be guessed.
    #[error("a claim code needs at least {DIFFERENT} different characters")]
    Plain,
}

impl ClaimCode {
    /// Makes a code of random bytes; `None` when by rare chance too few of its symbols are different: take other bytes then.
    #[must_use]
    pub fn from_random(bytes: [u8; SYMBOLS]) -> Option<Self> {
        // 256 is a multiple of 32, so every symbol is equally likely.
        let symbol = |byte: u8| ALPHABET.get(usize::from(byte % 32)).copied().unwrap_or(b'0');
        Self::of(Zeroizing::new(bytes.map(symbol))).ok()
    }

    fn of(symbols: Zeroizing<[u8; SYMBOLS]>) -> Result<Self, InvalidClaimCode> {
        if !symbols.iter().all(|symbol| ALPHABET.contains(symbol)) {
            return Err(InvalidClaimCode::Symbol);
        }
        if symbols.iter().collect::<BTreeSet<_>>().len() < DIFFERENT {
            return Err(InvalidClaimCode::Plain);
        }
        Ok(Self(symbols))
    }

    /// The symbols without dashes.
    #[must_use]
    pub fn symbols(&self) -> &[u8; SYMBOLS] {
        &self.0
    }

    /// As people read it: `XXXX-XXXX-XXXX`.
    #[must_use]
    pub fn shown(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(SYMBOLS + 2));
        for (at, symbol) in self.0.iter().enumerate() {
            if at > 0 && at.is_multiple_of(4) {
                text.push('-');
            }
            text.push(char::from(*symbol));
        }
        text
    }
}

impl FromStr for ClaimCode {
    type Err = InvalidClaimCode;

    /// Case, spaces and dashes do not count; letters that the alphabet leaves out become the digits they look like.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let symbols = text.bytes().filter(|byte| !matches!(byte, b'-' | b' ')).map(|byte| {
            match byte.to_ascii_uppercase() {
                b'O' => b'0',
                b'I' | b'L' => b'1',
                other => other,
            }
        });
        let symbols = Zeroizing::new(symbols.take(SYMBOLS + 1).collect::<Vec<u8>>());
        let exact =
            <[u8; SYMBOLS]>::try_from(symbols.as_slice()).map_err(|_many| InvalidClaimCode::Length)?;
        Self::of(Zeroizing::new(exact))
    }
}

impl TryFrom<String> for ClaimCode {
    type Error = InvalidClaimCode;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Zeroizing::new(text).parse()
    }
}

impl From<ClaimCode> for String {
    fn from(code: ClaimCode) -> Self {
        code.shown().to_string()
    }
}

impl fmt::Debug for ClaimCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClaimCode(…)")
    }
}
