//! The key that approves slots: its signature tells a TPM that a value of PCR 11 is one of ours.
//!
//! A box seals its data key to this key, not to a value, so that an update opens the data without sealing anew
//! (docs/spec/boot.md, "Measured boot"). Whoever holds the key can make a slot that opens the data of every such box.
//! Signatures are deterministic (RFC 6979), so that the same inputs give the same slot file.

use crate::measure;
use crate::progress::Progress;
use p256::SecretKey;
use p256::ecdsa::Signature;
use p256::ecdsa::SigningKey;
use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::pkcs8::DecodePrivateKey;
use p256::pkcs8::EncodePrivateKey;
use p256::pkcs8::EncodePublicKey;
use p256::pkcs8::LineEnding;
use pcr::Digest;
use pcr::KeyError;
use pcr::PolicyKey;
use pcr::Signatures;
use ring::rand::SystemRandom;
use ring::signature::ECDSA_P256_SHA256_FIXED_SIGNING;
use ring::signature::EcdsaKeyPair;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// File of the development key in the cache.
const DEVELOPMENT_KEY: &str = "policy-key-development.pem";

/// The private key and its public half.
pub struct PolicySigner {
    key: SigningKey,
    public: PolicyKey,
    pem: String,
}

/// A policy key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// A file cannot be read or written.
    #[error("cannot use {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// The file has no such key.
    #[error("{path} is no P-256 key in PEM (PKCS #8, not encrypted)")]
    Key {
        /// The file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: p256::pkcs8::Error,
    },
    /// The public half cannot be written down.
    #[error("cannot encode the public half of the policy key")]
    Encode(#[source] p256::pkcs8::spki::Error),
    /// The public half is not as a TPM wants it.
    #[error("the policy key is of no use to a TPM")]
    Public(#[source] KeyError),
    /// No key can be made.
    #[error("cannot make a policy key")]
    Make,
    /// The key does not sign.
    #[error("the policy key does not sign")]
    Sign(#[source] p256::ecdsa::Error),
}

impl std::fmt::Debug for PolicySigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PolicySigner").field("key", &"not shown").field("public", &self.public).finish()
    }
}

impl PolicySigner {
    /// Loads a key: PEM, PKCS #8, not encrypted.
    ///
    /// # Errors
    /// When the file cannot be read or holds something else.
    pub fn load(path: &Path) -> Result<Self, PolicyError> {
        let text = Zeroizing::new(fs::read_to_string(path).map_err(at(path))?);
        let key = SecretKey::from_pkcs8_pem(&text)
            .map_err(|source| PolicyError::Key { path: path.to_owned(), source })?;
        Self::new(&key)
    }

    /// The key of this folder, made when there is none. It is for images that never leave the desk: everybody who can read the
    /// folder can approve slots.
    ///
    /// # Errors
    /// When the key cannot be made or kept, or a damaged one is in its place.
    pub fn development(cache: &Path, progress: &dyn Progress) -> Result<Self, PolicyError> {
        let path = cache.join(DEVELOPMENT_KEY);
        if !path.exists() {
            make(cache, &path)?;
        }
        let signer = Self::load(&path)?;
        progress
            .step(&format!("Approving slots with the development key {} (not for releases)", path.display()));
        Ok(signer)
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> &PolicyKey {
        &self.public
    }

    /// The public half as a `PUBLIC KEY` PEM document: the content of section `.pcrpkey`.
    #[must_use]
    pub fn public_pem(&self) -> &str {
        &self.pem
    }

    /// Approves a slot that leaves this value in PCR 11: the content of section `.pcrsig`.
    ///
    /// # Errors
    /// When the key does not sign.
    pub fn approve(&self, register: Digest) -> Result<Signatures, PolicyError> {
        let policy = pcr::policy_pcr(&[(measure::REGISTER, register)]);
        let signature = self.sign(&pcr::to_be_signed(&policy))?;
        let pcrs = vec![measure::REGISTER];
        let entry = pcr::Signature { pcrs, key: self.public.fingerprint(), policy, signature };
        Ok(Signatures { entries: vec![entry] })
    }

    fn new(key: &SecretKey) -> Result<Self, PolicyError> {
        let encoded = key.public_key().to_public_key_der().map_err(PolicyError::Encode)?;
        let public = PolicyKey::from_spki(encoded.as_bytes()).map_err(PolicyError::Public)?;
        let pem = key.public_key().to_public_key_pem(LineEnding::LF).map_err(PolicyError::Encode)?;
        Ok(Self { key: SigningKey::from(key), public, pem })
    }

    fn sign(&self, digest: &[u8; 32]) -> Result<[u8; 64], PolicyError> {
        let signature: Signature = self.key.sign_prehash(digest).map_err(PolicyError::Sign)?;
        Ok(signature.to_bytes().into())
    }
}

/// Makes a key beside its place and links it there: whoever comes second at the same time takes the first one's.
fn make(cache: &Path, path: &Path) -> Result<(), PolicyError> {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
        .map_err(|_unspecified| PolicyError::Make)?;
    let key = SecretKey::from_pkcs8_der(document.as_ref())
        .map_err(|source| PolicyError::Key { path: path.to_owned(), source })?;
    let text = key
        .to_pkcs8_pem(LineEnding::LF)
        .map_err(|source| PolicyError::Key { path: path.to_owned(), source })?;
    fs::create_dir_all(cache).map_err(at(cache))?;
    let aside = path.with_extension(format!("{}.aside", std::process::id()));
    let written = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&aside)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| match fs::hard_link(&aside, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        });
    let removed = fs::remove_file(&aside);
    written.and(removed).map_err(at(path))
}

fn at(path: &Path) -> impl Fn(io::Error) -> PolicyError {
    move |source| PolicyError::File { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;
    use ring::signature::ECDSA_P256_SHA256_FIXED;
    use ring::signature::UnparsedPublicKey;
    use std::os::unix::fs::PermissionsExt;

    /// RFC 6979, A.2.5: key, and the signature of "sample" with SHA-256.
    const KEY: &str = "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721";
    const SIGNATURE: &str = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716\
                             f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";

    fn bytes(hex: &str) -> Vec<u8> {
        let pairs = hex.as_bytes().chunks(2);
        pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    fn signer() -> PolicySigner {
        PolicySigner::new(&SecretKey::from_slice(&bytes(KEY)).unwrap()).unwrap()
    }

    #[test]
    fn signatures_are_those_of_rfc_6979() {
        let digest = Digest::of(&[b"sample"]);
        assert_eq!(signer().sign(&digest.0).unwrap().to_vec(), bytes(SIGNATURE));
    }

    #[test]
    fn an_approval_is_found_and_verifies() {
        let signer = signer();
        let value = Digest::of(&[b"a slot"]);
        let policy = pcr::policy_pcr(&[(11, value)]);
        let signatures = signer.approve(value).unwrap();
        let document = signatures.to_json();
        let read = Signatures::from_json(document.as_bytes()).unwrap();
        let pcr::Choice::Found(entry) = read.choose(signer.public(), &[11], &policy) else {
            panic!("{document}")
        };
        let point = &signer.public().to_spki()[26..];
        // What is signed is the digest of the policy: a verifier that hashes is given the policy itself.
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(&policy.0, &entry.signature).unwrap();
        assert_eq!(signer.approve(value).unwrap(), signatures);
        assert_eq!(PolicyKey::from_pem(signer.public_pem()).unwrap(), *signer.public());
    }

    #[test]
    fn a_development_key_is_made_once_and_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("cache");
        let first = PolicySigner::development(&cache, &Silent).unwrap();
        let again = PolicySigner::development(&cache, &Silent).unwrap();
        assert_eq!(first.public(), again.public());
        let names: Vec<_> = fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, [DEVELOPMENT_KEY]);
        let mode = fs::metadata(cache.join(DEVELOPMENT_KEY)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        assert!(!format!("{first:?}").contains(&*fs::read_to_string(cache.join(DEVELOPMENT_KEY)).unwrap()));
        // Whoever was first keeps its key.
        make(&cache, &cache.join(DEVELOPMENT_KEY)).unwrap();
        assert_eq!(PolicySigner::development(&cache, &Silent).unwrap().public(), first.public());
    }

    #[test]
    fn other_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        assert!(matches!(PolicySigner::load(&path), Err(PolicyError::File { .. })));
        for content in
            ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", signer().public_pem()]
        {
            fs::write(&path, content).unwrap();
            let error = PolicySigner::load(&path).unwrap_err();
            assert!(matches!(error, PolicyError::Key { .. }), "{content}: {error}");
        }
    }
}
