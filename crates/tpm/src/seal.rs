//! Sealing a secret.

use pcr::PolicyKey;
use tss_esapi::constants::SessionType;
use tss_esapi::structures::SensitiveData;
use tss_esapi::traits::Marshall;

use crate::SECURE_BOOT_REGISTER;
use crate::SLOT_REGISTER;
use crate::Sealed;
use crate::Tpm;
use crate::TpmError;
use crate::session::Encrypts;
use crate::session::decode_public;
use crate::template;

/// Who may open a sealed secret: a slot that the key approved, on a firmware whose registers are as at sealing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealPolicy {
    key: PolicyKey,
    registers: Vec<u32>,
}

/// Registers that a policy cannot ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// None at all.
    #[error("a policy names at least one register of the firmware")]
    None,
    /// It does not exist.
    #[error("there is no register {0}")]
    Missing(u32),
    /// It has the slot's measurements, which change with each update.
    #[error("register {SLOT_REGISTER} is approved by the policy key and cannot be fixed too")]
    Slot,
}

impl SealPolicy {
    /// Asks for [`SECURE_BOOT_REGISTER`] as it is at sealing.
    #[must_use]
    pub fn new(key: PolicyKey) -> Self {
        Self { key, registers: vec![SECURE_BOOT_REGISTER] }
    }

    /// Asks for these registers as they are at sealing.
    ///
    /// # Errors
    /// When there is none, one does not exist, or it is [`SLOT_REGISTER`].
    pub fn with_registers(key: PolicyKey, registers: &[u32]) -> Result<Self, PolicyError> {
        check(registers)?;
        Ok(Self { key, registers: registers.to_vec() })
    }
}

pub(crate) fn check(registers: &[u32]) -> Result<(), PolicyError> {
    if registers.is_empty() {
        return Err(PolicyError::None);
    }
    if registers.contains(&SLOT_REGISTER) {
        return Err(PolicyError::Slot);
    }
    registers
        .iter()
        .find(|index| **index >= pcr::REGISTERS)
        .map_or(Ok(()), |index| Err(PolicyError::Missing(*index)))
}

impl Tpm {
    /// Seals a secret to the policy and to the present values of its registers.
    ///
    /// # Errors
    /// When the TPM does not answer or refuses.
    pub fn seal(&mut self, secret: &[u8; 32], policy: &SealPolicy) -> Result<Sealed, TpmError> {
        self.operation(|tpm| tpm.seal_under_storage(secret, policy))
    }

    fn seal_under_storage(&mut self, secret: &[u8; 32], policy: &SealPolicy) -> Result<Sealed, TpmError> {
        let doing = "sealing";
        let failed = |source| TpmError::new(doing, source);
        let registers = self.read_pcrs(&policy.registers)?;
        let digest = pcr::policy_pcr_after(&pcr::policy_authorize(&policy.key), &registers);
        let public = decode_public(doing, &template::sealed(&digest))?;
        let secret = SensitiveData::try_from(secret.to_vec()).map_err(failed)?;
        let storage = self.storage()?;
        let session = self.session(&storage, SessionType::Hmac, Encrypts::BothWays)?;
        let made = self.with_sessions(doing, [Some(session), None], |context| {
            context.create(storage.key, public, None, Some(secret), None, None)
        })?;
        Ok(Sealed {
            storage: storage.name,
            key: policy.key.fingerprint(),
            registers,
            public: made.out_public.marshall().map_err(failed)?,
            private: made.out_private.to_vec(),
        })
    }
}
