//! Platform configuration registers (PCRs) of the SHA-256 bank, and policies over them, computed without a TPM.
//!
//! `image` predicts what a slot will measure and signs it; `tpm` seals to the same policies. Both compute them here, so
//! that they cannot differ; `tpm` compares the results with those of a TPM.
//!
//! A policy has two parts, in this order:
//!
//! 1. [`policy_authorize`]: somebody who has the policy key approved the value of PCR 11, that is the slot file
//!    (TPM 2.0 Library, part 3, 23.16);
//! 2. [`policy_pcr_after`]: registers of the firmware are as they were at sealing (part 3, 23.7).

mod digest;
mod key;
mod policy;
mod signatures;

/// What the slot's register is extended with once the data partition has been dealt with: from then on no signature fits it, and
/// nothing that is taken over later gets a key from the TPM.
pub const CLOSING: &[u8] = b"hearth: the data partition has been dealt with";

pub use digest::Digest;
pub use digest::DigestError;
pub use digest::extend;
pub use digest::measure;
pub use key::KeyError;
pub use key::PolicyKey;
pub use policy::REGISTERS;
pub use policy::ZERO;
pub use policy::policy_authorize;
pub use policy::policy_pcr;
pub use policy::policy_pcr_after;
pub use policy::to_be_signed;
pub use signatures::Choice;
pub use signatures::MAX_DOCUMENT;
pub use signatures::Signature;
pub use signatures::Signatures;
pub use signatures::SignaturesError;
