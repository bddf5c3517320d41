//! Names in the box's own network: every name is the box, so that a phone finds the page for set-up whatever it looks for. Pure.
//!
//! Only who is in that network is answered so, and only while it is there; nothing of it is kept for long.

use std::net::Ipv4Addr;

/// Longest question that is looked at (RFC 1035 section 4.2.1).
pub const LONGEST: usize = 512;
const HEADER: usize = 12;
/// Seconds for which an answer may be remembered: the device is to forget it when it leaves.
const TTL: u32 = 5;

/// The answer to a question; none when it is none.
#[must_use]
pub fn answer(question: &[u8], own: Ipv4Addr) -> Option<Vec<u8>> {
    let header = question.get(..HEADER).filter(|_| question.len() <= LONGEST)?;
    let [id1, id2, flags, _, 0, 1, 0, 0, 0, 0, _, _] = *header else { return None };
    // A question (QR) of the standard kind (OPCODE), not cut off (TC).
    if flags & 0b1111_1010 != 0 {
        return None;
    }
    let end = end_of_name(question)?;
    let asked = question.get(HEADER..end.checked_add(4)?)?;
    let kind = asked.get(asked.len().checked_sub(4)?..)?;
    let is_address = *kind == [0, 1, 0, 1] || *kind == [0, 255, 0, 1];
    let recursion_desired = flags & 1;
    let mut answer = vec![
        id1,
        id2,
        0b1000_0100 | recursion_desired,
        0b1000_0000,
        0,
        1,
        0,
        u8::from(is_address),
        0,
        0,
        0,
        0,
    ];
    answer.extend(asked);
    if is_address {
        // The name of the question, by its place.
        answer.extend([0xc0, 12, 0, 1, 0, 1]);
        answer.extend(TTL.to_be_bytes());
        answer.extend([0, 4]);
        answer.extend(own.octets());
    }
    Some(answer)
}

/// Where the name of the question ends; names of questions are not compressed.
fn end_of_name(question: &[u8]) -> Option<usize> {
    let mut at = HEADER;
    loop {
        let length = usize::from(*question.get(at)?);
        at = at.checked_add(1)?;
        match length {
            0 => return (at.checked_sub(HEADER)? <= 255).then_some(at),
            1..=63 => at = at.checked_add(length)?,
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OWN: Ipv4Addr = Ipv4Addr::new(192, 168, 71, 1);

    fn question(kind: u16) -> Vec<u8> {
        let mut bytes = vec![0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        bytes.extend(b"\x03www\x07example\0");
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0, 1]);
        bytes
    }

    #[test]
    fn every_name_is_the_box() {
        let asked = question(1);
        let answer = answer(&asked, OWN).unwrap();
        assert_eq!(answer[..12], [0xab, 0xcd, 0x85, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
        assert_eq!(answer[12..asked.len()], asked[12..]);
        let record = [&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4][..], &[192, 168, 71, 1]].concat();
        assert_eq!(answer[asked.len()..], record);
    }

    #[test]
    fn what_is_no_ipv4_address_is_there_and_empty() {
        for kind in [28, 65, 16] {
            let asked = question(kind);
            let answer = answer(&asked, OWN).unwrap();
            assert_eq!((answer[7], answer.len()), (0, asked.len()), "{kind}");
        }
    }

    #[test]
    fn an_extension_behind_the_question_does_no_harm() {
        let mut asked = question(1);
        asked[11] = 1;
        asked.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
        assert_eq!(answer(&asked, OWN).unwrap()[7], 1);
    }

    #[test]
    fn what_is_no_question_has_no_answer() {
        let with = |at: usize, byte: u8| {
            let mut bytes = question(1);
            bytes[at] = byte;
            answer(&bytes, OWN)
        };
        for (at, byte) in [(2, 0x81), (2, 0x29), (5, 0), (5, 2), (7, 1), (12, 0xc0), (12, 64)] {
            assert_eq!(with(at, byte), None, "{at}");
        }
        let good = question(1);
        for length in 0..good.len() {
            assert_eq!(answer(&good[..length], OWN), None, "{length}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            if let Some(answer) = answer(&bytes, OWN) {
                prop_assert!(answer.len() <= bytes.len() + 16);
            }
            let mut near = question(1);
            near.truncate(12);
            near.extend(bytes);
            let _answer = answer(&near, OWN);
        }
    }
}
