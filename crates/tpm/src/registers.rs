//! Reading and extending registers (PCRs) of the SHA-256 bank.

use std::collections::BTreeMap;

use tss_esapi::handles::PcrHandle;
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::structures::DigestValues;
use tss_esapi::structures::PcrSelectionList;
use tss_esapi::structures::PcrSlot;

use pcr::Digest;

use crate::Tpm;
use crate::TpmError;

/// A TPM answers with as many digests as fit into one list (TPML_DIGEST).
const AT_ONCE: usize = 8;

impl Tpm {
    /// Reads registers; the answer is in ascending order.
    ///
    /// # Errors
    /// When the TPM does not answer or lacks one of them.
    pub fn read_pcrs(&mut self, registers: &[u32]) -> Result<Vec<(u32, Digest)>, TpmError> {
        let mut wanted = registers.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        let mut values = BTreeMap::new();
        for some in wanted.chunks(AT_ONCE) {
            let selection = selection(some)?;
            let (_, _, digests) = self.plain("reading registers", |context| context.pcr_read(selection))?;
            let read = digests.value().iter().filter_map(|digest| digest.as_slice().try_into().ok());
            values.extend(some.iter().copied().zip(read.map(Digest)));
            // Of a bank that is not kept nothing is answered.
            if let Some(missing) = some.iter().find(|register| !values.contains_key(register)) {
                return Err(TpmError::NoRegister(*missing));
            }
        }
        Ok(values.into_iter().collect())
    }

    /// Extends a register with the SHA-256 digest of an event.
    ///
    /// # Errors
    /// When the TPM does not answer, lacks the register, or refuses.
    pub fn extend(&mut self, register: u32, event: &[u8]) -> Result<(), TpmError> {
        if register >= pcr::REGISTERS {
            return Err(TpmError::NoRegister(register));
        }
        let doing = "extending a register";
        let failed = |source| TpmError::new(doing, source);
        let handle = PcrHandle::try_from(register).map_err(failed)?;
        let mut digests = DigestValues::new();
        digests.set(HashingAlgorithm::Sha256, to_tss(&Digest::of(&[event])).map_err(failed)?);
        self.with_empty_password(doing, |context| context.pcr_extend(handle, digests))
    }
}

/// The SHA-256 bank's registers with these numbers.
pub(crate) fn selection(registers: &[u32]) -> Result<PcrSelectionList, TpmError> {
    let slots: Vec<PcrSlot> = registers.iter().map(|register| slot(*register)).collect::<Result<_, _>>()?;
    PcrSelectionList::builder()
        .with_selection(HashingAlgorithm::Sha256, &slots)
        .build()
        .map_err(|source| TpmError::new("selecting registers", source))
}

fn slot(register: u32) -> Result<PcrSlot, TpmError> {
    let bit = 1_u32.checked_shl(register).filter(|_| register < pcr::REGISTERS);
    bit.and_then(|bit| PcrSlot::try_from(bit).ok()).ok_or(TpmError::NoRegister(register))
}

pub(crate) fn to_tss(digest: &Digest) -> tss_esapi::Result<tss_esapi::structures::Digest> {
    tss_esapi::structures::Digest::try_from(digest.0.to_vec())
}
