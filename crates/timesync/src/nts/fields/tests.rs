use proptest::prelude::*;
use zeroize::Zeroizing;

use super::*;

const RANDOM: Randomness = Randomness { nonce: 7, identifier: [1; IDENTIFIER], seal: [2; NONCE] };

fn key(byte: u8) -> Key {
    Key(Zeroizing::new([byte; 32]))
}

/// An answer as a server makes it: identifier, then these fields sealed.
fn answer(sealed_fields: &[(u16, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0x24; HEADER];
    push(&mut bytes, UNIQUE_IDENTIFIER, &RANDOM.identifier).unwrap();
    let mut plain = Vec::new();
    for (kind, body) in sealed_fields {
        push(&mut plain, *kind, body).unwrap();
    }
    let sealed = cipher(&key(9)).encrypt([&bytes[..], &RANDOM.seal], &plain).unwrap();
    push(&mut bytes, AUTHENTICATOR, &authenticator(&RANDOM.seal, &sealed).unwrap()).unwrap();
    bytes
}

/// RFC 5297 appendix A.2, the nonce-based example, with a 256-bit key.
#[test]
fn the_cipher_is_that_of_the_specification() {
    let hex = |text: &str| -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    };
    let key = hex("7f7e7d7c7b7a79787776757473727170404142434445464748494a4b4c4d4e4f");
    let headers = [
        hex("00112233445566778899aabbccddeeffdeaddadadeaddadaffeeddccbbaa99887766554433221100"),
        hex("102030405060708090a0"),
        hex("09f911029d74e35bd84156c5635688c0"),
    ];
    let plain =
        hex("7468697320697320736f6d6520706c61696e7465787420746f20656e6372797074207573696e67205349562d414553");
    let sealed = hex(
        "7bdb6e3b432667eb06f4d14bff2fbd0fcb900f2fddbe404326601965c889bf17dba77ceb094fa663b7a3f748ba8af829ea64ad544a272e9c485b62a3fd5c0d",
    );
    let key = Key(Zeroizing::new(key.try_into().unwrap()));
    assert_eq!(cipher(&key).encrypt(&headers, &plain).unwrap(), sealed);
}

#[test]
fn a_question_has_one_cookie_and_asks_for_what_is_missing() {
    for (kept, placeholders) in [(7, 0), (5, 2), (0, 7)] {
        let bytes = question(&RANDOM, &key(3), &[5; 100], kept).unwrap();
        let mut kinds = Vec::new();
        let mut rest = &bytes[HEADER..];
        while let Some((kind, body, after)) = split(rest) {
            assert!(kind != COOKIE_PLACEHOLDER || body == [0; 100]);
            kinds.push(kind);
            rest = after;
        }
        assert!(rest.is_empty());
        assert_eq!(kinds[..2], [UNIQUE_IDENTIFIER, COOKIE]);
        assert_eq!(kinds.iter().filter(|kind| **kind == COOKIE_PLACEHOLDER).count(), placeholders);
        assert_eq!(kinds.last(), Some(&AUTHENTICATOR));
    }
}

#[test]
fn the_server_can_check_a_question() {
    let bytes = question(&RANDOM, &key(3), &[5; 101], 7).unwrap();
    let authenticator_at = bytes.len() - 4 - 4 - NONCE - TAG;
    let (kind, body, _) = split(&bytes[authenticator_at..]).unwrap();
    assert_eq!(kind, AUTHENTICATOR);
    assert_eq!(unseal(&bytes[..authenticator_at], body, &key(3)), Ok(Vec::new()));
    assert_eq!(unseal(&bytes[..authenticator_at], body, &key(4)), Err(FieldError::Forged));
}

#[test]
fn a_question_fits_every_link_whatever_the_cookie() {
    for length in [1, 100, 400, crate::nts::LONGEST_COOKIE] {
        assert!(question(&RANDOM, &key(3), &vec![5; length], 0).unwrap().len() <= LONGEST_QUESTION);
    }
}

#[test]
fn an_answer_gives_its_cookies() {
    let bytes = answer(&[(COOKIE, b"1234"), (0x0999, b"else"), (COOKIE, b"5678")]);
    assert_eq!(open(&bytes, &RANDOM.identifier, &key(9)), Ok(vec![b"1234".to_vec(), b"5678".to_vec()]));
    assert_eq!(open(&answer(&[]), &RANDOM.identifier, &key(9)), Ok(Vec::new()));
}

#[test]
fn not_one_changed_bit_passes() {
    let bytes = answer(&[(COOKIE, b"1234")]);
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&changed, &RANDOM.identifier, &key(9)).is_err(), "bit {bit}");
    }
    assert_eq!(open(&bytes, &RANDOM.identifier, &key(8)), Err(FieldError::Forged));
    assert_eq!(open(&bytes, &[3; IDENTIFIER], &key(9)), Err(FieldError::Identifier));
}

#[test]
fn what_nobody_vouches_for_does_not_count() {
    // No fields at all, and an identifier alone.
    let mut bytes = vec![0x24; HEADER];
    assert_eq!(open(&bytes, &RANDOM.identifier, &key(9)), Err(FieldError::Forged));
    push(&mut bytes, UNIQUE_IDENTIFIER, &RANDOM.identifier).unwrap();
    push(&mut bytes, COOKIE, b"1234").unwrap();
    assert_eq!(open(&bytes, &RANDOM.identifier, &key(9)), Err(FieldError::Forged));
    // Behind the authenticator.
    let mut bytes = answer(&[]);
    push(&mut bytes, COOKIE, b"1234").unwrap();
    assert_eq!(open(&bytes, &RANDOM.identifier, &key(9)), Ok(Vec::new()));
}

#[test]
fn a_refusal_counts_only_for_the_question_asked() {
    let mut bytes = vec![0; HEADER];
    bytes[0] = 0x24;
    bytes[12..16].copy_from_slice(b"NTSN");
    assert_eq!(open(&bytes, &RANDOM.identifier, &key(9)), Err(FieldError::Forged));
    push(&mut bytes, UNIQUE_IDENTIFIER, &RANDOM.identifier).unwrap();
    let refused = open(&bytes, &RANDOM.identifier, &key(9)).unwrap_err();
    assert_eq!(refused, FieldError::Nak);
    assert_eq!(open(&bytes, &[3; IDENTIFIER], &key(9)), Err(FieldError::Identifier));
}

proptest! {
    #[test]
    fn any_bytes_are_opened_or_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..512), identify: bool) {
        if identify {
            bytes.truncate(HEADER);
            push(&mut bytes, UNIQUE_IDENTIFIER, &RANDOM.identifier).unwrap();
            bytes.extend_from_slice(&[4, 4, 0, 60]);
            bytes.extend((0..60_u8).map(|byte| byte % 5));
        }
        prop_assert!(open(&bytes, &RANDOM.identifier, &key(9)).is_err());
    }

    #[test]
    fn any_contents_behind_a_good_seal_are_read_or_refused(plain in prop::collection::vec(any::<u8>(), 0..128)) {
        if let Ok(found) = cookies(&plain) {
            prop_assert!(found.len() <= COOKIES);
        }
    }
}
