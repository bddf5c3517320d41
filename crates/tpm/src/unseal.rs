//! Unsealing a secret, and telling why not.

use std::time::Duration;

use pcr::Choice;
use pcr::Digest;
use pcr::PolicyKey;
use pcr::Signature;
use pcr::Signatures;
use tss_esapi::constants::SessionType;
use tss_esapi::constants::response_code::Tss2ResponseCodeKind;
use tss_esapi::handles::KeyHandle;
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::resource_handles::Hierarchy;
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::interface_types::session_handles::PolicySession;
use tss_esapi::structures::EccParameter;
use tss_esapi::structures::EccSignature;
use tss_esapi::structures::Name;
use tss_esapi::structures::Nonce;
use tss_esapi::structures::Private;
use tss_esapi::structures::Signature as TssSignature;
use tss_esapi::structures::VerifiedTicket;
use zeroize::Zeroizing;

use crate::Lockout;
use crate::SLOT_REGISTER;
use crate::Sealed;
use crate::Tpm;
use crate::TpmError;
use crate::registers::selection;
use crate::registers::to_tss;
use crate::session::Encrypts;
use crate::session::Storage;
use crate::session::decode_public;

/// Why a secret was not unsealed. The texts are for the owner.
#[derive(Debug, thiserror::Error)]
pub enum UnsealError {
    /// Another TPM, or this one after it was cleared.
    #[error("this key was sealed by another TPM, or this TPM was cleared since")]
    OtherTpm,
    /// Registers of the firmware differ.
    #[error("the firmware or its Secure Boot settings changed (registers {0:?})")]
    FirmwareChanged(Vec<u32>),
    /// The policy key at hand is not the one that was sealed to.
    #[error("this system brings another policy key than the one that the key was sealed for")]
    OtherPolicyKey,
    /// No signature by the policy key at all.
    #[error("this system was not signed by the policy key")]
    NotSigned,
    /// Signed, but not as it was started: other command line, other parts, or something was measured since.
    #[error("this system was signed, but not as it was started: its command line or its parts changed")]
    OtherSystem,
    /// There is a signature for what was started; the TPM says it is wrong.
    #[error("the signature of this system is wrong")]
    WrongSignature,
    /// The policy key is no point on its curve.
    #[error("the policy key is not usable")]
    BadPolicyKey(#[source] TpmError),
    /// The TPM does not take the sealed object: it was changed.
    #[error("the sealed key is damaged")]
    Damaged(#[source] TpmError),
    /// The TPM refused although everything looked right: a register changed meanwhile, or the document was changed.
    #[error("the TPM says that this system may not have the key")]
    PolicyRefused(#[source] TpmError),
    /// Too many wrong tries.
    #[error("the TPM is in lockout after too many wrong tries; its counter falls by one every {} s", interval.as_secs())]
    Lockout {
        /// After this time without a wrong try one more is allowed.
        interval: Duration,
    },
    /// Anything else, also that the TPM does not answer.
    #[error(transparent)]
    Tpm(#[from] TpmError),
}

impl Tpm {
    /// Unseals a secret.
    ///
    /// `key` and `signatures` are what the slot that runs brings with it.
    ///
    /// # Errors
    /// Tells why not.
    pub fn unseal(
        &mut self,
        sealed: &Sealed,
        key: &PolicyKey,
        signatures: &Signatures,
    ) -> Result<Zeroizing<[u8; 32]>, UnsealError> {
        self.operation(|tpm| tpm.unseal_under_storage(sealed, key, signatures))
            .map_err(|error| self.with_lockout_interval(error))
    }

    /// A lockout is told with the time to wait.
    pub(crate) fn with_lockout_interval(&mut self, error: UnsealError) -> UnsealError {
        if !matches!(error, UnsealError::Tpm(TpmError::Lockout { .. })) {
            return error;
        }
        let told = |lockout: Lockout| UnsealError::Lockout { interval: lockout.interval };
        self.lockout().map_or_else(UnsealError::Tpm, told)
    }

    fn unseal_under_storage(
        &mut self,
        sealed: &Sealed,
        key: &PolicyKey,
        signatures: &Signatures,
    ) -> Result<Zeroizing<[u8; 32]>, UnsealError> {
        let storage = self.storage()?;
        if storage.name != sealed.storage {
            return Err(UnsealError::OtherTpm);
        }
        if key.fingerprint() != sealed.key {
            return Err(UnsealError::OtherPolicyKey);
        }
        self.require_same_firmware(sealed)?;
        let slot = self.read_pcrs(&[SLOT_REGISTER])?;
        let approved = pcr::policy_pcr(&slot);
        let signature = match signatures.choose(key, &[SLOT_REGISTER], &approved) {
            Choice::Found(signature) => signature,
            Choice::OtherPolicy => return Err(UnsealError::OtherSystem),
            Choice::OtherKey => return Err(UnsealError::NotSigned),
        };
        let registers: Vec<u32> = sealed.registers.iter().map(|(register, _)| *register).collect();
        let session = self.session(&storage, SessionType::Policy, Encrypts::Answer)?;
        self.approve(session, key, signature)?;
        self.require_registers(session, &registers)?;
        self.load_and_unseal(&storage, session, sealed)
    }

    fn require_same_firmware(&mut self, sealed: &Sealed) -> Result<(), UnsealError> {
        let registers: Vec<u32> = sealed.registers.iter().map(|(register, _)| *register).collect();
        let now = self.read_pcrs(&registers)?;
        let changed: Vec<u32> = now
            .iter()
            .filter(|value| !sealed.registers.contains(value))
            .map(|(register, _)| *register)
            .collect();
        if changed.is_empty() { Ok(()) } else { Err(UnsealError::FirmwareChanged(changed)) }
    }

    /// Asks for PCR 11 as it is, and has the TPM replace that by "approved by the policy key".
    pub(crate) fn approve(
        &mut self,
        session: AuthSession,
        key: &PolicyKey,
        signature: &Signature,
    ) -> Result<(), UnsealError> {
        let doing = "presenting the signature";
        let failed = |source| UnsealError::Tpm(TpmError::new(doing, source));
        self.require_registers(session, &[SLOT_REGISTER])?;
        let ticket = self.verify(key, signature)?;
        let policy = PolicySession::try_from(session).map_err(failed)?;
        let approved = to_tss(&signature.policy).map_err(failed)?;
        let name = Name::try_from(key.name().to_vec()).map_err(failed)?;
        self.plain(doing, |context| {
            context.policy_authorize(policy, approved, Nonce::default(), &name, ticket)
        })
        .map_err(refused)
    }

    /// The TPM's own word that the policy key made a signature.
    fn verify(&mut self, key: &PolicyKey, signature: &Signature) -> Result<VerifiedTicket, UnsealError> {
        let doing = "checking the signature";
        let failed = |source| UnsealError::Tpm(TpmError::new(doing, source));
        let public = decode_public(doing, &key.tpmt_public())?;
        // A ticket is good for policies only when its key is under a hierarchy with a proof (part 3, 20.1).
        let loaded = self
            .plain("loading the policy key", |context| context.load_external_public(public, Hierarchy::Owner))
            .map_err(
                |error| if error.code().is_some() { UnsealError::BadPolicyKey(error) } else { error.into() },
            )?;
        self.loads(loaded);
        let digest = to_tss(&Digest(pcr::to_be_signed(&signature.policy))).map_err(failed)?;
        let [r, s] = halves(&signature.signature).map(EccParameter::try_from);
        let numbers = EccSignature::create(HashingAlgorithm::Sha256, r.map_err(failed)?, s.map_err(failed)?);
        let signature = TssSignature::EcDsa(numbers.map_err(failed)?);
        self.plain(doing, |context| context.verify_signature(loaded, digest, signature)).map_err(|error| {
            match error.code() {
                Some(Tss2ResponseCodeKind::Signature) => UnsealError::WrongSignature,
                _ => error.into(),
            }
        })
    }

    pub(crate) fn require_registers(
        &mut self,
        session: AuthSession,
        registers: &[u32],
    ) -> Result<(), TpmError> {
        let doing = "asking for registers";
        let policy = PolicySession::try_from(session).map_err(|source| TpmError::new(doing, source))?;
        let selection = selection(registers)?;
        // An empty digest asks for the values as they are.
        let present = tss_esapi::structures::Digest::default();
        self.plain(doing, |context| context.policy_pcr(policy, present, selection))
    }

    fn load_and_unseal(
        &mut self,
        storage: &Storage,
        policy: AuthSession,
        sealed: &Sealed,
    ) -> Result<Zeroizing<[u8; 32]>, UnsealError> {
        let loaded = self.load(storage, sealed)?;
        let secret = self
            .with_sessions("unsealing", [Some(policy), None], |context| context.unseal(loaded.into()))
            .map_err(refused)?;
        let wrong = tss_esapi::Error::WrapperError(tss_esapi::WrapperErrorKind::WrongParamSize);
        let mut opened = Zeroizing::new([0; 32]);
        if secret.len() != opened.len() {
            return Err(UnsealError::Damaged(TpmError::new("unsealing", wrong)));
        }
        opened.copy_from_slice(&secret);
        Ok(opened)
    }

    pub(crate) fn load(&mut self, storage: &Storage, sealed: &Sealed) -> Result<KeyHandle, UnsealError> {
        let doing = "loading the sealed key";
        let damaged = |source| UnsealError::Damaged(TpmError::new(doing, source));
        let public = decode_public(doing, &sealed.public).map_err(UnsealError::Damaged)?;
        let private = Private::try_from(sealed.private.clone()).map_err(damaged)?;
        let session = self.session(storage, SessionType::Hmac, Encrypts::BothWays)?;
        let loaded = self
            .with_sessions(doing, [Some(session), None], |context| context.load(storage.key, private, public))
            .map_err(
                |error| if error.code().is_some() { UnsealError::Damaged(error) } else { error.into() },
            )?;
        self.loads(loaded);
        Ok(loaded)
    }
}

fn refused(error: TpmError) -> UnsealError {
    match error.code() {
        Some(
            Tss2ResponseCodeKind::PolicyFail | Tss2ResponseCodeKind::PcrChanged | Tss2ResponseCodeKind::Value,
        ) => UnsealError::PolicyRefused(error),
        _ => error.into(),
    }
}

/// r and s.
fn halves(signature: &[u8; 64]) -> [Vec<u8>; 2] {
    let (r, s) = signature.split_at(32);
    [r.to_vec(), s.to_vec()]
}
