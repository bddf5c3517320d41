//! The form for typing: Crockford's base 32 in numbered lines (crockford.com/base32.html).

use super::KitError;
use crate::key::BackupKey;
use crate::key::HouseholdId;
use sha2::Digest;
use sha2::Sha256;
use zeroize::Zeroizing;

/// Without I, L, O and U, which are misread.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Characters of content on a line; two more check it.
const ON_A_LINE: usize = 20;
const CHECK: usize = 2;
const VERSION: u8 = 1;
const SUM: usize = 4;
const MAX_LINES: usize = 16;

pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 8 / 5 + 1);
    let (mut buffer, mut bits) = (0_u32, 0);
    for byte in bytes {
        buffer = (buffer << 8 | u32::from(*byte)) & 0xffff;
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(letter(buffer >> bits));
        }
    }
    if bits > 0 {
        text.push(letter(buffer << (5 - bits)));
    }
    text
}

fn letter(value: u32) -> char {
    char::from(LETTERS[(value & 31) as usize])
}

/// The way back; nothing when there is another character, or bits that no encoding leaves.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 5 / 8);
    let (mut buffer, mut bits) = (0_u32, 0);
    for character in text.bytes() {
        let value = LETTERS.iter().position(|letter| *letter == character)?;
        buffer = (buffer << 5 | u32::try_from(value).ok()?) & 0xffff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(buffer >> bits & 0xff).ok()?);
        }
    }
    (bits < 5 && buffer & ((1 << bits) - 1) == 0).then_some(bytes)
}

/// Household and key as numbered lines.
pub(super) fn lines(household: &HouseholdId, key: &BackupKey) -> Zeroizing<Vec<String>> {
    let mut bytes = Zeroizing::new(vec![VERSION]);
    bytes.extend_from_slice(key.expose());
    bytes.extend_from_slice(household.as_str().as_bytes());
    let sum = Sha256::digest(&*bytes);
    bytes.extend_from_slice(&sum[..SUM]);
    let text = Zeroizing::new(encode(&bytes));
    let line = |(index, part): (usize, &[u8])| {
        let part = String::from_utf8_lossy(part);
        let grouped = part.as_bytes().chunks(5).map(String::from_utf8_lossy).collect::<Vec<_>>().join("-");
        format!("{}: {grouped}-{}", index + 1, check(index + 1, &part))
    };
    Zeroizing::new(text.as_bytes().chunks(ON_A_LINE).enumerate().map(line).collect())
}

/// Two characters that depend on the line and its number.
fn check(number: usize, content: &str) -> String {
    let digest = Sha256::digest(format!("{number}:{content}"));
    encode(&digest[..2])[..CHECK].to_owned()
}

/// Finds the numbered lines in what was typed; other lines are passed over.
pub(super) fn read_lines(text: &str) -> Result<(HouseholdId, BackupKey), KitError> {
    let mut content = Zeroizing::new(String::new());
    let mut expected = 1;
    for line in text.lines() {
        let Some((number, typed)) = numbered(line) else { continue };
        if number != expected || number > MAX_LINES {
            return Err(KitError::MissingLine { number: expected });
        }
        let typed = Zeroizing::new(tidied(typed).ok_or(KitError::Line { number })?);
        let Some(at) = typed.len().checked_sub(CHECK).filter(|at| (1..=ON_A_LINE).contains(at)) else {
            return Err(KitError::Line { number });
        };
        if check(number, &typed[..at]) != typed[at..] {
            return Err(KitError::Line { number });
        }
        content.push_str(&typed[..at]);
        expected += 1;
    }
    if expected == 1 {
        return Err(KitError::NotAKit);
    }
    let bytes = Zeroizing::new(decode(&content).ok_or(KitError::MissingLine { number: expected })?);
    let Some(end) = bytes.len().checked_sub(SUM).filter(|end| *end > BackupKey::LENGTH + 1) else {
        return Err(KitError::MissingLine { number: expected });
    };
    if bytes[0] != VERSION {
        return Err(KitError::Version { found: bytes[0].to_string() });
    }
    if Sha256::digest(&bytes[..end])[..SUM] != bytes[end..] {
        // A last line that is missing looks the same: the sum is on it.
        let full = content.len().is_multiple_of(ON_A_LINE);
        return Err(if full { KitError::MissingLine { number: expected } } else { KitError::Checksum });
    }
    let (key, household) = bytes[1..end].split_at(BackupKey::LENGTH);
    let key = <[u8; BackupKey::LENGTH]>::try_from(key).map_err(|_other| KitError::Field { field: "key" })?;
    let household = String::from_utf8_lossy(household).into_owned();
    let household = HouseholdId::new(household).map_err(|_other| KitError::Field { field: "household" })?;
    Ok((household, BackupKey::from_bytes(key)))
}

fn numbered(line: &str) -> Option<(usize, &str)> {
    let (number, rest) = line.trim().split_once([':', '.', ')'])?;
    let number = number.trim();
    (number.len() <= 2).then(|| number.parse().ok())?.map(|number| (number, rest))
}

/// As printed: upper case, without spaces and dashes, misread letters put right.
fn tidied(typed: &str) -> Option<String> {
    let mut text = String::new();
    for character in typed.chars().filter(|character| !character.is_whitespace() && *character != '-') {
        let letter = match character.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        };
        let known = u8::try_from(letter).is_ok_and(|letter| LETTERS.contains(&letter));
        if !known || text.len() > ON_A_LINE + CHECK {
            return None;
        }
        text.push(letter);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::any;
    use proptest::prop_assert_eq;
    use proptest::proptest;

    #[test]
    fn the_letters_are_crockfords() {
        // 'Hello!' as the description's rules give it, five bits a letter from the left.
        assert_eq!(encode(b"Hello!"), "91JPRV3F44");
        assert_eq!(decode("91JPRV3F44").unwrap(), b"Hello!");
        assert_eq!(decode("91JPRV3F45"), None);
        assert_eq!(decode("U"), None);
    }

    proptest! {
        #[test]
        fn bytes_survive(bytes in any::<Vec<u8>>()) {
            prop_assert_eq!(decode(&encode(&bytes)).unwrap(), bytes);
        }
    }
}
