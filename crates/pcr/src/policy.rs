//! Digests of policies (TPM 2.0 Library, part 3, "Enhanced Authorization Commands").

use crate::Digest;
use crate::PolicyKey;

/// Number of registers that a PC has (TCG PC Client Platform TPM Profile).
pub const REGISTERS: u32 = 24;
/// A policy that asks for nothing: where every policy begins.
pub const ZERO: Digest = Digest::ZERO;

/// `TPM_CC_PolicyAuthorize` (part 2, 6.5.2).
const POLICY_AUTHORIZE: u32 = 0x0000_016a;
/// `TPM_CC_PolicyPCR`.
const POLICY_PCR: u32 = 0x0000_017f;
/// `TPM_ALG_SHA256`.
pub(crate) const SHA256: u16 = 0x000b;

/// The policy that asks for these registers to have these values, and for nothing else.
///
/// The order does not matter; of two values for one register the last one counts. A register beyond [`REGISTERS`] gives
/// a policy that no TPM can fulfil.
#[must_use]
pub fn policy_pcr(registers: &[(u32, Digest)]) -> Digest {
    policy_pcr_after(&ZERO, registers)
}

/// As [`policy_pcr`], on top of what `policy` asks for.
#[must_use]
pub fn policy_pcr_after(policy: &Digest, registers: &[(u32, Digest)]) -> Digest {
    let registers: std::collections::BTreeMap<u32, Digest> = registers.iter().copied().collect();
    let values: Vec<&[u8]> = registers.values().map(|value| value.0.as_slice()).collect();
    let selection = selection(registers.keys().copied());
    Digest::of(&[&policy.0, &POLICY_PCR.to_be_bytes(), &selection, &Digest::of(&values).0])
}

/// The policy that asks for an approval by `key`, without a policyRef.
///
/// It forgets what was asked for before it (part 3, 23.16.1), so there is no variant that comes after another policy.
#[must_use]
pub fn policy_authorize(key: &PolicyKey) -> Digest {
    let approved_by = Digest::of(&[&ZERO.0, &POLICY_AUTHORIZE.to_be_bytes(), &key.name()]);
    Digest::of(&[&approved_by.0, POLICY_REF])
}

/// What the owner of the policy key signs to approve a policy: the digest called aHash in part 3, 23.16.
///
/// It is the digest that goes into ECDSA, not the message: a signer that hashes by itself is given `approved`.
#[must_use]
pub fn to_be_signed(approved: &Digest) -> [u8; 32] {
    Digest::of(&[&approved.0, POLICY_REF]).0
}

/// Nothing tells apart what one key approves: each purpose has its own key.
const POLICY_REF: &[u8] = &[];

/// TPML_PCR_SELECTION with the one bank sha256.
fn selection(registers: impl Iterator<Item = u32>) -> Vec<u8> {
    let bits =
        registers.filter(|register| *register < REGISTERS).fold(0_u32, |bits, index| bits | 1 << index);
    let [first, second, third, _] = bits.to_le_bytes();
    let mut selection = 1_u32.to_be_bytes().to_vec();
    selection.extend(SHA256.to_be_bytes());
    selection.extend([3, first, second, third]);
    selection
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selection_has_a_bit_for_each_register() {
        assert_eq!(selection([7, 11, 23].into_iter()), [0, 0, 0, 1, 0, 0x0b, 3, 0x80, 0x08, 0x80]);
        assert_eq!(selection([24, u32::MAX].into_iter()), [0, 0, 0, 1, 0, 0x0b, 3, 0, 0, 0]);
    }

    #[test]
    fn order_of_registers_does_not_matter_but_their_values_do() {
        let (a, b) = (Digest([1; 32]), Digest([2; 32]));
        assert_eq!(policy_pcr(&[(7, a), (11, b)]), policy_pcr(&[(11, b), (7, a)]));
        assert_ne!(policy_pcr(&[(7, a), (11, b)]), policy_pcr(&[(7, b), (11, a)]));
        assert_eq!(policy_pcr(&[(7, b), (7, a)]), policy_pcr(&[(7, a)]));
    }

    #[test]
    fn a_policy_on_top_of_another_is_another() {
        let values = [(7, Digest([1; 32]))];
        assert_ne!(policy_pcr_after(&Digest([9; 32]), &values), policy_pcr(&values));
    }
}
