//! Bytes that open the data partition.

use std::fmt;
use zeroize::Zeroizing;

/// Bytes of a key that is made here.
pub const LENGTH: usize = 32;

/// A key; wiped from memory when dropped, and never shown.
#[derive(Clone)]
pub struct Key(Zeroizing<Vec<u8>>);

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Key(…)")
    }
}

impl Key {
    /// A new one that is a line: a ninth of all are not, which makes guessing one easier by a sixth of a bit.
    ///
    /// # Errors
    /// When the kernel gives no random bytes.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut key = Self(Zeroizing::new(vec![0; LENGTH]));
        loop {
            getrandom::fill(&mut key.0)?;
            if key.is_a_line() {
                return Ok(key);
            }
        }
    }

    /// Whether it can be told to `cryptsetup` on a line of its own, the only way for several at once.
    #[must_use]
    pub fn is_a_line(&self) -> bool {
        !self.0.contains(&b'\n')
    }

    /// One that exists already.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}
