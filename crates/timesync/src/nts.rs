//! Network Time Security for NTP (RFC 8915): the server proves who it is.
//!
//! ```text
//! exchange   TLS 1.3 to port 4460: agree on AES-SIV, export two keys, receive eight cookies      (exchange, records)
//! fields     each question carries a cookie, an identifier and a tag; each answer a new cookie    (fields)
//! certificate  whose dates count when the clock is the thing in doubt                             (certificate)
//! ```

pub mod certificate;
pub mod exchange;
pub mod fields;
pub mod records;

use std::collections::VecDeque;
use std::fmt;

use zeroize::Zeroizing;

use crate::nts::certificate::Validity;

/// Cookies kept (RFC 8915 section 4.1.6 recommends that servers send eight).
pub const COOKIES: usize = 8;
/// Longest cookie kept; servers' are about 100 bytes. With it a question stays below every link's packet size.
pub const LONGEST_COOKIE: usize = 512;

/// A key for one direction, for AEAD_AES_SIV_CMAC_256.
#[derive(Clone)]
pub struct Key(pub Zeroizing<[u8; 32]>);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// What one exchange gave.
#[derive(Clone, Debug)]
pub struct Session {
    /// For questions.
    pub client_key: Key,
    /// For answers.
    pub server_key: Key,
    /// Not used yet; each is used once (RFC 8915 section 5.7), so that nobody can follow the box by them.
    pub cookies: VecDeque<Vec<u8>>,
    /// When the certificate counts that stands behind the keys.
    pub validity: Validity,
}

impl Session {
    /// Takes a cookie for later.
    pub fn keep(&mut self, cookie: Vec<u8>) {
        if self.cookies.len() < COOKIES && (1..=LONGEST_COOKIE).contains(&cookie.len()) {
            self.cookies.push_back(cookie);
        }
    }
}
