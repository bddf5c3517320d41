//! The recovery code: 160 random bits on paper, in letters that are hard to mistake.
//!
//! Eight groups of four letters of Crockford's base32 carry the bits, a ninth checks the others, so that a slip is told
//! at once and apart from a code that is not of this vault.

use std::fmt;

use sha2::Digest;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::credential::Credential;
use crate::credential::CredentialError;
use crate::credential::CredentialKind;
use crate::credential::KeyEncryptionKey;
use crate::credential::Parameters;
use crate::secret::RandomError;
use crate::secret::derive;
use crate::secret::random;

const CODE_BYTES: usize = 20;
const CODE_LETTERS: usize = 32;
const CHECK_LETTERS: usize = 4;
const GROUP_LETTERS: usize = 4;
/// Longest text that is looked at: room for a letter and a space for each letter, and some.
const TYPED_MAX: usize = 256;
/// Crockford's alphabet: no I, L, O, which are read as 1, 1, 0, and no U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A recovery code.
#[derive(Clone)]
pub struct RecoveryCode(Zeroizing<[u8; CODE_BYTES]>);

/// Why a text is no recovery code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecoveryCodeError {
    /// It has a letter that no code has.
    #[error("{letter:?}, letter {place} of the recovery code, is in no code")]
    Letter {
        /// The letter.
        letter: char,
        /// Its place, the first letter being 1; spaces and hyphens do not count.
        place: usize,
    },
    /// Letters are missing or too many.
    #[error("a recovery code has 36 letters, this has {letters}")]
    Length {
        /// How many there are.
        letters: usize,
    },
    /// The last group does not fit the others.
    #[error("a letter of the recovery code is mistyped: its last group does not fit the others")]
    Check,
}

impl RecoveryCode {
    /// The bits, for a key of something that is no vault, such as the data partition.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &*self.0
    }

    /// Makes a new code.
    ///
    /// # Errors
    /// When the kernel gives no random bytes.
    pub fn random() -> Result<Self, RandomError> {
        random().map(Self)
    }

    /// Reads what a person typed: in any case, with spaces and hyphens anywhere, o for 0, i and l for 1.
    ///
    /// # Errors
    /// Says what a person can look for.
    pub fn parse(typed: &str) -> Result<Self, RecoveryCodeError> {
        let typed = typed.chars().filter(|letter| !letter.is_whitespace() && *letter != '-').take(TYPED_MAX);
        let mut digits = Zeroizing::new([0; CODE_LETTERS + CHECK_LETTERS]);
        let mut letters = 0;
        for letter in typed {
            let digit = digit_of(letter).ok_or(RecoveryCodeError::Letter { letter, place: letters + 1 })?;
            if let Some(place) = digits.get_mut(letters) {
                *place = digit;
            }
            letters += 1;
        }
        if letters != digits.len() {
            return Err(RecoveryCodeError::Length { letters });
        }
        let (code, check) = digits.split_at(CODE_LETTERS);
        let code = Self(pack(code));
        if code.check_digits() == check { Ok(code) } else { Err(RecoveryCodeError::Check) }
    }

    /// Writes the code as it is shown once and printed: nine groups with hyphens between.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut digits = Zeroizing::new([0; CODE_LETTERS + CHECK_LETTERS]);
        for (place, digit) in digits.iter_mut().zip(unpack(self.0.as_slice()).chain(self.check_digits())) {
            *place = digit;
        }
        // Full length at once: a string that grows leaves copies behind.
        let mut text =
            Zeroizing::new(String::with_capacity(digits.len() / GROUP_LETTERS * (GROUP_LETTERS + 1)));
        for (index, digit) in digits.iter().enumerate() {
            if index > 0 && index % GROUP_LETTERS == 0 {
                text.push('-');
            }
            text.push(char::from(ALPHABET[usize::from(*digit)]));
        }
        text
    }

    fn check_digits(&self) -> [u8; CHECK_LETTERS] {
        let mut hash = Sha256::new();
        hash.update(b"hearth recovery code check 1");
        hash.update(self.0.as_slice());
        let mut check = [0; CHECK_LETTERS];
        for (place, digit) in check.iter_mut().zip(unpack(&hash.finalize())) {
            *place = digit;
        }
        check
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(…)")
    }
}

impl Credential for RecoveryCode {
    fn kind(&self) -> CredentialKind {
        CredentialKind::RecoveryCode
    }

    /// None: nobody tries 160 random bits, so there is nothing to slow down and nothing to salt.
    fn new_parameters(&self) -> Result<Parameters, CredentialError> {
        Ok(Parameters::default())
    }

    fn key_encryption_key(&self, parameters: &Parameters) -> Result<KeyEncryptionKey, CredentialError> {
        if parameters.count() != 0 {
            return Err(CredentialError::Parameters { kind: CredentialKind::RecoveryCode });
        }
        Ok(KeyEncryptionKey::from_bytes(derive(self.0.as_slice(), "hearth recovery code 1", &[])))
    }
}

fn digit_of(letter: char) -> Option<u8> {
    let letter = match letter.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    ALPHABET.iter().position(|known| char::from(*known) == letter).and_then(|digit| u8::try_from(digit).ok())
}

/// Splits bytes into digits of five bits, highest first; five bytes make eight digits.
fn unpack(bytes: &[u8]) -> impl Iterator<Item = u8> {
    bytes.chunks_exact(5).flat_map(|five| {
        let bits = five.iter().fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
        (0..8).map(move |digit| u8::try_from(bits >> (35 - 5 * digit) & 31).unwrap_or_default())
    })
}

/// Joins what [`unpack`] split.
fn pack(digits: &[u8]) -> Zeroizing<[u8; CODE_BYTES]> {
    let mut bytes = Zeroizing::new([0; CODE_BYTES]);
    for (eight, five) in digits.chunks_exact(8).zip(bytes.chunks_exact_mut(5)) {
        let bits = eight.iter().fold(0u64, |bits, digit| bits << 5 | u64::from(*digit));
        five.copy_from_slice(&bits.to_be_bytes()[3..]);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn code() -> RecoveryCode {
        RecoveryCode(Zeroizing::new(std::array::from_fn(|index| u8::try_from(index * 13).unwrap())))
    }

    /// Computed apart from this code, in Python, so that codes on paper stay good.
    #[test]
    fn is_written_the_same_as_ever() {
        assert_eq!(code().to_text().as_str(), "006H-M9SM-8575-PT3N-GA7S-SADP-RF8D-VTQQ-6A8W");
        let key = code().key_encryption_key(&Parameters::default()).unwrap();
        let hex: String = key.expose().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "d4e3cbb4562148d1");
    }

    #[test]
    fn people_type_as_they_like() {
        let text = code().to_text();
        let forms = [
            text.to_lowercase(),
            text.replace('-', ""),
            text.replace('-', "  "),
            format!(" {}\n", text.replace('0', "o").replace('1', "l")),
            text.replace('0', "O").replace('1', "I").replace('-', "\t- "),
        ];
        for typed in forms {
            assert_eq!(RecoveryCode::parse(&typed).unwrap().0, code().0, "{typed}");
        }
    }

    #[test]
    fn slips_are_told_apart() {
        let text = code().to_text();
        let mut short = text.to_string();
        short.pop();
        assert_eq!(RecoveryCode::parse(&short).unwrap_err(), RecoveryCodeError::Length { letters: 35 });
        assert_eq!(
            RecoveryCode::parse(&"0".repeat(9999)).unwrap_err(),
            RecoveryCodeError::Length { letters: 256 }
        );
        assert_eq!(
            RecoveryCode::parse("ABCD-U").unwrap_err(),
            RecoveryCodeError::Letter { letter: 'U', place: 5 }
        );
        let (first, rest) = text.split_at(1);
        let mistyped = format!("{}{rest}", if first == "7" { "8" } else { "7" });
        assert_eq!(RecoveryCode::parse(&mistyped).unwrap_err(), RecoveryCodeError::Check);
    }

    proptest! {
        #[test]
        fn any_code_reads_as_written(bytes in any::<[u8; CODE_BYTES]>()) {
            let code = RecoveryCode(Zeroizing::new(bytes));
            prop_assert_eq!(&*RecoveryCode::parse(&code.to_text()).unwrap().0, &bytes);
        }

        #[test]
        fn any_text_is_taken(text in "\\PC*") {
            if let Ok(code) = RecoveryCode::parse(&text) {
                prop_assert_eq!(&*RecoveryCode::parse(&code.to_text()).unwrap().0, &*code.0);
            }
        }
    }
}
