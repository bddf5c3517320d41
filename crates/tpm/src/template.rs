//! Public areas in the TPM's encoding (TPM 2.0 Library, part 2, 12.2.4): those that this crate asks a TPM to make.

use pcr::Digest;

const ECC: u16 = 0x0023;
const KEYED_HASH: u16 = 0x0008;
const AES: u16 = 0x0006;
const CFB: u16 = 0x0043;
const SHA256: u16 = 0x000b;
const NULL: u16 = 0x0010;
const NIST_P256: u16 = 0x0003;

/// Attributes of objects (part 2, 8.3).
const FIXED_TPM: u32 = 1 << 1;
const FIXED_PARENT: u32 = 1 << 4;
const SENSITIVE_DATA_ORIGIN: u32 = 1 << 5;
const USER_WITH_AUTH: u32 = 1 << 6;
const NO_DICTIONARY_ATTACK: u32 = 1 << 10;
const RESTRICTED: u32 = 1 << 16;
const DECRYPT: u32 = 1 << 17;

/// The storage primary: TCG TPM v2.0 Provisioning Guidance, 7.5.1, with the ECC template L-2 of the TCG EK Credential
/// Profile, B.3.4, as its base.
pub(crate) fn storage_primary() -> Vec<u8> {
    let attributes = FIXED_TPM
        | FIXED_PARENT
        | SENSITIVE_DATA_ORIGIN
        | USER_WITH_AUTH
        | NO_DICTIONARY_ATTACK
        | RESTRICTED
        | DECRYPT;
    let mut public = head(ECC, attributes, &[]);
    public.extend(words(&[AES, 128, CFB, NULL, NIST_P256, NULL]));
    for _coordinate in ["x", "y"] {
        sized(&mut public, &[0; 32]);
    }
    public
}

/// A sealed secret that nothing opens but its policy, and that never counts towards the lockout.
pub(crate) fn sealed(policy: &Digest) -> Vec<u8> {
    let mut public = head(KEYED_HASH, FIXED_TPM | FIXED_PARENT | NO_DICTIONARY_ATTACK, &policy.0);
    public.extend(words(&[NULL]));
    sized(&mut public, &[]);
    public
}

fn head(kind: u16, attributes: u32, policy: &[u8]) -> Vec<u8> {
    let mut public = words(&[kind, SHA256]);
    public.extend(attributes.to_be_bytes());
    sized(&mut public, policy);
    public
}

fn words(words: &[u16]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// Appends a TPM2B of a policy or a coordinate.
fn sized(public: &mut Vec<u8>, bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    public.extend(length.to_be_bytes());
    public.extend(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_storage_primary_is_the_standard_one() {
        let head =
            *b"\x00\x23\x00\x0b\x00\x03\x04\x72\x00\x00\x00\x06\x00\x80\x00\x43\x00\x10\x00\x03\x00\x10";
        let coordinate = [&[0, 32], [0; 32].as_slice()].concat();
        assert_eq!(storage_primary(), [head.as_slice(), &coordinate, &coordinate].concat());
    }

    #[test]
    fn a_sealed_secret_is_fixed_opened_by_policy_only_and_counts_nothing() {
        let head = b"\x00\x08\x00\x0b\x00\x00\x04\x12\x00\x20".as_slice();
        assert_eq!(sealed(&Digest([7; 32])), [head, &[7; 32], &[0, 0x10, 0, 0]].concat());
    }
}
