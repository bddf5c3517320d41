//! Against the software TPM of the distribution: a process and a folder of its own for each test.

mod counter;
mod failing;
mod proxy;
mod sealing;
mod swtpm;

use std::time::Duration;
use std::time::Instant;

use pcr::Digest;
use pcr::PolicyKey;
use pcr::Signature;
use pcr::Signatures;
use ring::rand::SystemRandom;
use ring::signature::ECDSA_P256_SHA256_FIXED_SIGNING;
use ring::signature::EcdsaKeyPair;
use ring::signature::KeyPair;

use crate::SLOT_REGISTER;
use crate::SealPolicy;
use crate::Sealed;
use crate::Tpm;

const SECRET: [u8; 32] = *b"thirty-two bytes nobody may see!";

/// Head of a SubjectPublicKeyInfo for P-256, up to the point (RFC 5480).
const SPKI_HEAD: &[u8] = b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00";

/// Somebody who approves slots.
struct Signer {
    pair: EcdsaKeyPair,
    key: PolicyKey,
}

impl Signer {
    fn new() -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap();
        let key = PolicyKey::from_spki(&[SPKI_HEAD, pair.public_key().as_ref()].concat()).unwrap();
        Self { pair, key }
    }

    /// Approves a value of the slot's register.
    fn approve(&self, value: Digest) -> Signature {
        let policy = pcr::policy_pcr(&[(SLOT_REGISTER, value)]);
        // The library hashes what it signs.
        let signature = self.pair.sign(&SystemRandom::new(), &policy.0).unwrap();
        let signature = signature.as_ref().try_into().unwrap();
        Signature { pcrs: vec![SLOT_REGISTER], key: self.key.fingerprint(), policy, signature }
    }

    /// Approves the value that the register has.
    fn approve_present(&self, tpm: &mut Tpm) -> Signatures {
        Signatures { entries: vec![self.approve(value(tpm, SLOT_REGISTER))] }
    }
}

fn value(tpm: &mut Tpm, register: u32) -> Digest {
    tpm.read_pcrs(&[register]).unwrap()[0].1
}

fn seal(tpm: &mut Tpm, signer: &Signer) -> Sealed {
    tpm.seal(&SECRET, &SealPolicy::new(signer.key)).unwrap()
}

/// Tries until it succeeds or the deadline, generous for a loaded machine, has passed.
fn wait_until<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(done) = attempt() {
            return done;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
