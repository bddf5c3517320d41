//! The TPM: seals a key to the slots that the policy key approved and to the firmware as it is, unseals it, extends
//! registers, keeps one counter. Blocking.
//!
//! ```text
//!  seal    read PCR 7 -> policy (crate pcr) -> create under the storage primary -> Sealed (a JSON document)
//!  unseal  same TPM? same PCR 7? PCR 11 signed? -> policy session: PCR 11, signature, PCR 7 -> load -> unseal
//! ```
//!
//! * Nothing is stored in the TPM but the counter: the storage primary is made anew each time from the standard
//!   template and the TPM's own seed, and is the same one until the TPM is cleared.
//! * A secret crosses the wire encrypted only: each session is salted with the storage primary. At unsealing that
//!   primary's name is compared with the one in [`Sealed`], so that nobody between the processor and the TPM can put
//!   a key of their own there.
//! * The reasons for a refusal are looked for before the TPM is asked, from registers that are read in the clear; what
//!   holds is the TPM's own judgement.
//! * No sealed object counts towards the TPM's lockout.
//!
//! The caller serialises access: one process, or the kernel's resource manager, below.

mod command;
mod counter;
mod document;
mod error;
mod lockout;
mod registers;
mod seal;
mod session;
mod tcti;
mod template;
mod unseal;

pub use counter::COUNTER_INDEX;
pub use counter::CounterError;
pub use document::DocumentError;
pub use document::MAX_DOCUMENT;
pub use document::Sealed;
pub use error::OpenError;
pub use error::TpmError;
pub use lockout::Lockout;
pub use seal::PolicyError;
pub use seal::SealPolicy;
pub use tcti::Tcti;
pub use unseal::UnsealError;

/// The register that a slot file is measured into, approved by the policy key.
pub const SLOT_REGISTER: u32 = 11;
/// The register that Secure Boot's state and keys are measured into (TCG PC Client Platform Firmware Profile, 3.3.4.8).
pub const SECURE_BOOT_REGISTER: u32 = 7;

/// An open TPM.
#[derive(Debug)]
pub struct Tpm {
    context: tss_esapi::Context,
    /// What the running operation loaded; removed at its end, however it ends.
    loaded: Vec<tss_esapi::handles::ObjectHandle>,
}

#[cfg(test)]
mod tests;
