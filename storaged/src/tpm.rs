//! The box's TPM as a sealer, with the signed policy that the loader's stub handed over (docs/spec/boot.md).

use crate::counter;
use crate::counter::Counter;
use crate::key;
use crate::key::Key;
use crate::sealer::SealError;
use crate::sealer::Sealer;
use crate::words::chain;
use pcr::Digest;
use pcr::PolicyKey;
use pcr::Signatures;
use serde_json::Value;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use tpm::CounterError;
use tpm::OpenError;
use tpm::SECURE_BOOT_REGISTER;
use tpm::SLOT_REGISTER;
use tpm::SealPolicy;
use tpm::Sealed;
use tpm::Tcti;
use tpm::Tpm;

/// The policy key, PEM, in the folder that stage 1 made.
const PUBLIC_KEY: &str = "tpm2-pcr-public-key.pem";
/// What it signed.
const SIGNATURES: &str = "tpm2-pcr-signature.json";
/// Longest file that is read, in bytes.
const LONGEST: u64 = 64 * 1024;
/// Registers that must be as they were at sealing: Secure Boot's state and keys, and what was given to the stub from outside, such as
/// further words of the command line (systemd-stub(7), "TPM PCR Notes").
const FIXED: [u32; 2] = [SECURE_BOOT_REGISTER, OUTSIDE_REGISTER];

/// Register of what was given to the stub from outside; zeros when nothing was.
const OUTSIDE_REGISTER: u32 = 12;

/// When the TPM is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// While the data partition is being opened: it unseals.
    Opening,
    /// Afterwards: it seals, and what it sealed cannot be tried.
    Running,
}

/// The TPM of this box.
#[derive(Debug)]
pub struct Chip {
    tcti: Tcti,
    measured: PathBuf,
    moment: Moment,
}

impl Chip {
    /// A TPM, and the folder with the signed policy.
    #[must_use]
    pub fn new(tcti: Tcti, measured: &Path, moment: Moment) -> Self {
        Self { tcti, measured: measured.to_owned(), moment }
    }

    fn open(&self) -> Result<Tpm, SealError> {
        Tpm::open(&self.tcti).map_err(|error| match error {
            OpenError::NoTpm { .. } => SealError::Absent("this box has no security chip (TPM)".to_owned()),
            OpenError::Device { .. } | OpenError::NotAnswering { .. } | OpenError::Unusable { .. } => {
                SealError::Refused(chain(&error))
            }
        })
    }

    fn policy_key(&self) -> Result<PolicyKey, SealError> {
        let text = self.read(PUBLIC_KEY)?;
        let text = String::from_utf8_lossy(&text);
        PolicyKey::from_pem(&text).map_err(|error| SealError::Refused(chain(&error)))
    }

    /// A system that did not come through the loader has no signed policy, and is measured by nobody.
    fn read(&self, name: &str) -> Result<Vec<u8>, SealError> {
        let path = self.measured.join(name);
        let mut bytes = Vec::new();
        match File::open(&path).and_then(|file| file.take(LONGEST).read_to_end(&mut bytes)) {
            Ok(_length) => Ok(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(SealError::Absent(
                "this system was not started by its loader, so that nothing has measured it".to_owned(),
            )),
            Err(error) => Err(SealError::Refused(format!("read {}: {error}", path.display()))),
        }
    }
}

/// What can be seen beforehand of a seal that cannot be tried: whether this system is signed at all, and whether it was started as it
/// will be the next time. `outside` is [`OUTSIDE_REGISTER`].
fn check_untried(
    key: &PolicyKey,
    signatures: &Signatures,
    outside: &[(u32, Digest)],
) -> Result<(), SealError> {
    let refused = |reason: &str| Err(SealError::Refused(reason.to_owned()));
    let fingerprint = key.fingerprint();
    if !signatures.entries.iter().any(|entry| entry.key == fingerprint) {
        return refused("this system has no signature of its policy key");
    }
    // It would open for whoever adds the same words, and for nobody who starts the box without them.
    if outside.iter().any(|(_, value)| *value != Digest::ZERO) {
        return refused("words were added when the box was started: start it without them first");
    }
    Ok(())
}

impl Sealer for Chip {
    fn seal(&mut self, key: &Key) -> Result<Value, SealError> {
        let refused = |error: &dyn std::error::Error| SealError::Refused(chain(error));
        let policy =
            SealPolicy::with_registers(self.policy_key()?, &FIXED).map_err(|error| refused(&error))?;
        let mut tpm = self.open()?;
        let secret: &[u8; key::LENGTH] = key
            .bytes()
            .try_into()
            .map_err(|_length| SealError::Refused("a key of another length".to_owned()))?;
        let signatures = Signatures::from_json(&self.read(SIGNATURES)?).map_err(|error| refused(&error))?;
        if self.moment == Moment::Running {
            let outside = tpm.read_pcrs(&[OUTSIDE_REGISTER]).map_err(|error| refused(&error))?;
            check_untried(&self.policy_key()?, &signatures, &outside)?;
        }
        let sealed = tpm.seal(secret, &policy).map_err(|error| refused(&error))?;
        if self.moment == Moment::Opening {
            // What cannot be opened again now would lock the owner out at the next boot.
            tpm.unseal(&sealed, &self.policy_key()?, &signatures).map_err(|error| refused(&error))?;
        }
        serde_json::from_str(&sealed.to_json()).map_err(|error| refused(&error))
    }

    fn unseal(&mut self, sealed: &Value) -> Result<Key, SealError> {
        let refused = |error: &dyn std::error::Error| SealError::Refused(chain(error));
        let sealed = Sealed::from_json(sealed.to_string().as_bytes()).map_err(|error| refused(&error))?;
        let policy_key = self.policy_key()?;
        let signatures = Signatures::from_json(&self.read(SIGNATURES)?).map_err(|error| refused(&error))?;
        let secret =
            self.open()?.unseal(&sealed, &policy_key, &signatures).map_err(|error| refused(&error))?;
        Ok(Key::from_bytes(secret.to_vec()))
    }

    fn close(&mut self) -> Result<(), SealError> {
        match self.open() {
            Ok(mut tpm) => {
                tpm.extend(SLOT_REGISTER, pcr::CLOSING).map_err(|error| SealError::Refused(chain(&error)))
            }
            Err(SealError::Absent(_)) => Ok(()),
            Err(refused @ SealError::Refused(_)) => Err(refused),
        }
    }
}

fn refused(error: &CounterError) -> SealError {
    SealError::Refused(chain(error))
}

impl Counter for Chip {
    fn count(&mut self) -> Result<Option<u64>, SealError> {
        let mut tpm = self.open()?;
        match tpm.read_counter() {
            Ok(number) => Ok(Some(number)),
            // Nothing can be made in it: a box must not stop at that.
            Err(CounterError::Missing)
                if tpm.has_owner_password().map_err(|error| refused(&error.into()))? =>
            {
                Err(SealError::Absent(
                    "the security chip (TPM) belongs to somebody who set a password".to_owned(),
                ))
            }
            Err(CounterError::Missing | CounterError::NeverCounted) => Ok(None),
            Err(error @ (CounterError::Exists | CounterError::Foreign | CounterError::Tpm(_))) => {
                Err(refused(&error))
            }
        }
    }

    fn raise_to(&mut self, number: u64) -> Result<(), SealError> {
        let mut tpm = self.open()?;
        let from = match tpm.read_counter() {
            Ok(number) => number,
            // Begins above all that the chip's counters ever had, which may be enough.
            Err(CounterError::Missing) => tpm.define_counter().map_err(|error| refused(&error))?,
            Err(CounterError::NeverCounted) => tpm.increment_counter().map_err(|error| refused(&error))?,
            Err(error @ (CounterError::Exists | CounterError::Foreign | CounterError::Tpm(_))) => {
                return Err(refused(&error));
            }
        };
        for _ in 0..counter::steps(from, number)? {
            tpm.increment_counter().map_err(|error| refused(&error))?;
        }
        Ok(())
    }

    fn clear(&mut self) -> Result<(), SealError> {
        match self.open()?.undefine_counter() {
            Ok(()) | Err(CounterError::Missing) => Ok(()),
            Err(
                error @ (CounterError::Exists
                | CounterError::NeverCounted
                | CounterError::Foreign
                | CounterError::Tpm(_)),
            ) => Err(refused(&error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pcr::Signature;

    /// The base point of P-256 is a public key as good as any (FIPS 186-4, D.1.2.3).
    const KEY: &str = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt\n6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==\n-----END PUBLIC KEY-----\n";

    #[test]
    fn a_seal_that_cannot_be_tried_is_for_a_signed_system_without_added_words() {
        let key = PolicyKey::from_pem(KEY).unwrap();
        let signed_by = |key| {
            let entry = Signature { pcrs: vec![11], key, policy: Digest([1; 32]), signature: [2; 64] };
            Signatures { entries: vec![entry] }
        };
        let (own, foreign) = (signed_by(key.fingerprint()), signed_by(Digest([3; 32])));
        let (none, some) = ([(OUTSIDE_REGISTER, Digest([0; 32]))], [(OUTSIDE_REGISTER, Digest([4; 32]))]);
        check_untried(&key, &own, &none).unwrap();
        let words = check_untried(&key, &own, &some).unwrap_err().to_string();
        assert!(words.contains("without them"), "{words}");
        let unsigned = check_untried(&key, &foreign, &none).unwrap_err().to_string();
        assert!(unsigned.contains("no signature"), "{unsigned}");
    }
}
