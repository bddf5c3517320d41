//! Ed25519 keys in PEM files, as `openssl genpkey -algorithm ed25519` writes them.

use ring::rand::SystemRandom;
use ring::signature::Ed25519KeyPair;
use ring::signature::KeyPair as _;
use std::fmt;
use tuf::crypto::Ed25519PrivateKey;
use tuf::crypto::PrivateKey;
use tuf::crypto::PublicKey;

/// SubjectPublicKeyInfo of an Ed25519 key, before its 32 bytes (RFC 8410).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// A key that signs. Its secret half never shows.
pub struct Key {
    pair: Ed25519PrivateKey,
}

/// A key that is trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Public {
    pub(crate) key: PublicKey,
}

/// A file has no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It is no PEM file of its kind.
    #[error("this is no {0} file")]
    Pem(&'static str),
    /// There is another key in it.
    #[error("this is no Ed25519 key")]
    Kind,
    /// There is no key to be had.
    #[error("cannot make a key")]
    Make,
}

impl Key {
    /// Makes a key: its PEM file (PKCS#8), to be kept secret.
    ///
    /// # Errors
    /// No random numbers.
    pub fn generate() -> Result<(Self, String), KeyError> {
        let document =
            Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_error| KeyError::Make)?;
        Ok((Self::from_pkcs8(document.as_ref())?, pem("PRIVATE KEY", document.as_ref())))
    }

    /// Reads a PEM file.
    ///
    /// # Errors
    /// It has no Ed25519 key in PKCS#8.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        Self::from_pkcs8(&der("PRIVATE KEY", text)?)
    }

    fn from_pkcs8(document: &[u8]) -> Result<Self, KeyError> {
        // OpenSSL writes version 1, without the public half, which `tuf` does not read.
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(document).map_err(|_error| KeyError::Kind)?;
        let seed = document.windows(4).position(|window| window == [0x04, 0x22, 0x04, 0x20]);
        let seed = seed.and_then(|at| document.get(at + 4..at + 36)).ok_or(KeyError::Kind)?;
        let both = [seed, pair.public_key().as_ref()].concat();
        Ed25519PrivateKey::from_ed25519(&both).map(|pair| Self { pair }).map_err(|_error| KeyError::Kind)
    }

    /// Its public half.
    #[must_use]
    pub fn public(&self) -> Public {
        Public { key: self.pair.public().clone() }
    }

    pub(crate) fn signer(&self) -> &dyn PrivateKey {
        &self.pair
    }
}

impl Public {
    /// Reads a PEM file (`PUBLIC KEY`), as `openssl pkey -pubout` writes it.
    ///
    /// # Errors
    /// It has no Ed25519 key.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let document = der("PUBLIC KEY", text)?;
        let bytes =
            document.strip_prefix(&SPKI[..]).filter(|bytes| bytes.len() == 32).ok_or(KeyError::Kind)?;
        PublicKey::from_ed25519(bytes.to_vec()).map(|key| Self { key }).map_err(|_error| KeyError::Kind)
    }

    /// Its PEM file.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem("PUBLIC KEY", &[&SPKI[..], self.key.as_bytes()].concat())
    }

    /// How it is named in a repository: 64 hex digits.
    #[must_use]
    pub fn id(&self) -> String {
        serde_json::to_value(self.key.key_id())
            .ok()
            .and_then(|id| id.as_str().map(str::to_owned))
            .unwrap_or_default()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("id", &self.public().id()).finish_non_exhaustive()
    }
}

fn pem(label: &str, document: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(document);
    // No line is longer than 64: the documents here have two lines at most.
    let lines: Vec<String> =
        text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn der(label: &'static str, text: &str) -> Result<Vec<u8>, KeyError> {
    use base64::Engine as _;
    let begin = format!("-----BEGIN {label}-----");
    let end = format!("-----END {label}-----");
    let body = text
        .split_once(&begin)
        .and_then(|(_before, rest)| rest.split_once(&end))
        .ok_or(KeyError::Pem(label))?;
    let body: String = body.0.split_whitespace().collect();
    base64::engine::general_purpose::STANDARD.decode(body).map_err(|_error| KeyError::Pem(label))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8410, section 10.3 (version 1) and 10.1.
    const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

    #[test]
    fn a_known_pair() {
        assert_eq!(Key::from_pem(PRIVATE).unwrap().public().to_pem(), PUBLIC);
        assert_eq!(Public::from_pem(PUBLIC).unwrap(), Key::from_pem(PRIVATE).unwrap().public());
    }

    #[test]
    fn a_new_key_is_read_again() {
        let (key, text) = Key::generate().unwrap();
        assert_eq!(Key::from_pem(&text).unwrap().public(), key.public());
        assert_eq!(key.public().id().len(), 64);
    }

    #[test]
    fn other_files_are_refused() {
        assert!(matches!(Key::from_pem(PUBLIC), Err(KeyError::Pem(_))));
        assert!(matches!(Public::from_pem(PRIVATE), Err(KeyError::Pem(_))));
        Key::from_pem(&PRIVATE.replace("MC4C", "MC4D")).unwrap_err();
        Public::from_pem(&PUBLIC.replace("VwAyEA", "WwAyEA")).unwrap_err();
    }
}
