//! The key that approves policies: ECDSA on P-256 with SHA-256.

use std::fmt;

use der::pem;

use crate::Digest;
use crate::policy::SHA256;

/// Public half of the key that approves slots.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PolicyKey {
    x: [u8; 32],
    y: [u8; 32],
}

/// Text that is no policy key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// No PEM.
    #[error("the policy key is no PEM document ({0})")]
    Pem(pem::Error),
    /// PEM of something else.
    #[error("the policy key's document is of type {0:?}, not PUBLIC KEY")]
    Type(String),
    /// Another algorithm, curve or form of the point.
    #[error("the policy key is no uncompressed point on P-256 in a SubjectPublicKeyInfo")]
    Algorithm,
}

/// DER of a SubjectPublicKeyInfo (RFC 5480) up to the two coordinates: the only form that is taken, so that a key has
/// one fingerprint.
const SPKI_PREFIX: [u8; 27] = [
    0x30, 0x59, // SEQUENCE of 89 bytes
    0x30, 0x13, // SEQUENCE: AlgorithmIdentifier
    0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, // id-ecPublicKey
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, // secp256r1
    0x03, 0x42, 0x00, // BIT STRING of 66 bytes, no bits unused
    0x04, // uncompressed (SEC 1, 2.3.3)
];
const SPKI_LABEL: &str = "PUBLIC KEY";
/// A PEM document that is longer is not looked at; the right one has 178 bytes.
const MAX_PEM: usize = 4096;

impl PolicyKey {
    /// Reads a `PUBLIC KEY` PEM document. Whether the point is on the curve is for the TPM to judge.
    ///
    /// # Errors
    /// When it is not the SubjectPublicKeyInfo of an uncompressed point for P-256.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        if text.len() > MAX_PEM {
            return Err(KeyError::Pem(pem::Error::Length));
        }
        let (label, spki) = pem::decode_vec(text.as_bytes()).map_err(KeyError::Pem)?;
        if label != SPKI_LABEL {
            return Err(KeyError::Type(label.to_owned()));
        }
        Self::from_spki(&spki)
    }

    /// Reads a SubjectPublicKeyInfo in DER.
    ///
    /// # Errors
    /// When it is not that of an uncompressed point for P-256.
    pub fn from_spki(spki: &[u8]) -> Result<Self, KeyError> {
        let coordinates = spki.strip_prefix(&SPKI_PREFIX).ok_or(KeyError::Algorithm)?;
        let (x, y) = coordinates.split_at_checked(32).ok_or(KeyError::Algorithm)?;
        let coordinate = |bytes: &[u8]| <[u8; 32]>::try_from(bytes).ok();
        coordinate(x).zip(coordinate(y)).map(|(x, y)| Self { x, y }).ok_or(KeyError::Algorithm)
    }

    /// The SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn to_spki(&self) -> Vec<u8> {
        [SPKI_PREFIX.as_slice(), &self.x, &self.y].concat()
    }

    /// SHA-256 of the SubjectPublicKeyInfo in DER; called `pkfp` in the document of signatures.
    #[must_use]
    pub fn fingerprint(&self) -> Digest {
        Digest::of(&[&self.to_spki()])
    }

    /// The point's coordinates, big-endian.
    #[must_use]
    pub fn coordinates(&self) -> (&[u8; 32], &[u8; 32]) {
        (&self.x, &self.y)
    }

    /// The key as a TPM knows it: TPMT_PUBLIC (TPM 2.0 Library, part 2, 12.2.4) in the TPM's encoding.
    #[must_use]
    pub fn tpmt_public(&self) -> Vec<u8> {
        let head: [u16; 10] = [
            0x0023, // type: ECC
            SHA256, // nameAlg
            0x0004, 0x0040, // objectAttributes: sign, userWithAuth
            0x0000, // authPolicy: none
            0x0010, // symmetric: none
            0x0018, SHA256, // scheme: ECDSA with SHA-256
            0x0003, // curve: NIST P-256
            0x0010, // key derivation: none
        ];
        let mut public: Vec<u8> = head.iter().flat_map(|word| word.to_be_bytes()).collect();
        for coordinate in [&self.x, &self.y] {
            public.extend(32_u16.to_be_bytes());
            public.extend(coordinate);
        }
        public
    }

    /// The key's Name: hash algorithm and hash of [`PolicyKey::tpmt_public`] (part 1, 16).
    #[must_use]
    pub fn name(&self) -> [u8; 34] {
        let mut name = [0; 34];
        let (algorithm, digest) = name.split_at_mut(2);
        algorithm.copy_from_slice(&SHA256.to_be_bytes());
        digest.copy_from_slice(&Digest::of(&[&self.tpmt_public()]).0);
        name
    }
}

impl fmt::Debug for PolicyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PolicyKey({})", self.fingerprint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Made with `openssl ecparam -name prime256v1 -genkey -noout | openssl ec -pubout`.
    const PEM: &str = include_str!("../tests/data/policy-key.pem");
    /// Of the same key: `openssl pkey -pubin -outform DER | sha256sum`.
    const FINGERPRINT: &str = "70d5efb1292d058e90e48f549f242c0be88eee46c88450210c33747b9c1fedbe";

    #[test]
    fn a_key_made_by_openssl_is_read() {
        let key = PolicyKey::from_pem(PEM).unwrap();
        assert_eq!(key.fingerprint().to_string(), FINGERPRINT);
        assert_eq!(PolicyKey::from_spki(&key.to_spki()).unwrap(), key);
        assert_eq!(key.tpmt_public().len(), 88);
        assert_eq!(key.name()[..2], [0, 0x0b]);
    }

    #[test]
    fn other_documents_are_refused() {
        let certificate = PEM.replace("PUBLIC KEY", "CERTIFICATE");
        assert!(matches!(PolicyKey::from_pem(&certificate).unwrap_err(), KeyError::Type(_)));
        assert!(matches!(PolicyKey::from_pem("").unwrap_err(), KeyError::Pem(_)));
        assert!(matches!(PolicyKey::from_pem(&PEM.repeat(30)).unwrap_err(), KeyError::Pem(_)));
    }

    #[test]
    fn other_curves_and_forms_are_refused() {
        let good = PolicyKey::from_pem(PEM).unwrap().to_spki();
        let mut compressed = good.clone();
        compressed[26] = 2;
        let mut other_curve = good.clone();
        other_curve[22] = 6;
        let longer = [good.as_slice(), &[0]].concat();
        for bad in [&compressed, &other_curve, &longer, &good[..90].to_vec(), &vec![]] {
            assert!(matches!(PolicyKey::from_spki(bad).unwrap_err(), KeyError::Algorithm));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text: String) {
            prop_assert!(PolicyKey::from_pem(&text).is_err());
        }

        #[test]
        fn a_changed_document_never_panics(at in 0..178_usize, byte: u8) {
            let mut bytes = PEM.as_bytes().to_vec();
            bytes[at] = byte;
            if let Ok(key) = PolicyKey::from_pem(&String::from_utf8_lossy(&bytes)) {
                prop_assert_eq!(key.to_spki().len(), 91);
            }
        }
    }
}
