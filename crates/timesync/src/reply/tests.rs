use proptest::prelude::*;

use super::*;

const BUILT: Timestamp = Timestamp::from_secs(1_767_225_600);
const NONCE: u64 = 0x1122_3344_5566_7788;

/// Asked at the build time, answered 100 ms later.
const ASKED: Asked = Asked {
    nonce: NONCE,
    sent: BUILT,
    received: Timestamp::from_nanos(1_767_225_600_100_000_000),
    built: BUILT,
};

/// Bytes of a time that many milliseconds after the build.
fn at(millis: i64) -> [u8; 8] {
    let seconds =
        u64::try_from((BUILT.secs() + millis.div_euclid(1_000) + 2_208_988_800) & 0xffff_ffff).unwrap();
    let fraction = (u64::try_from(millis.rem_euclid(1_000)).unwrap() << 32) / 1_000;
    (seconds << 32 | fraction).to_be_bytes()
}

fn good(receive: i64, transmit: i64) -> [u8; 48] {
    let mut bytes = [0; 48];
    bytes[0] = 0x24;
    bytes[1] = 2;
    bytes[24..32].copy_from_slice(&NONCE.to_be_bytes());
    bytes[32..40].copy_from_slice(&at(receive));
    bytes[40..48].copy_from_slice(&at(transmit));
    bytes
}

/// To the microsecond: 32-bit fractions do not hit nanoseconds.
fn close(span: Span, millis: i64) -> bool {
    span.minus(Span::from_millis(millis)).abs() < Span::from_nanos(1_000)
}

#[test]
fn offset_and_delay_are_those_of_the_specification() {
    // (server receives at, sends at) → (offset, delay), all in ms; 100 ms there and back.
    let year = 365 * 86_400_000;
    let cases = [
        (50, 50, 0, 100),
        (60, 80, 20, 80),
        (5_050, 5_050, 5_000, 100),
        (-2_950, -2_950, -3_000, 100),
        (70 * year, 70 * year, 70 * year - 50, 100),
        (-20 * year, -20 * year, -20 * year - 50, 100),
    ];
    for (receive, transmit, offset, delay) in cases {
        let sample = judge(&good(receive, transmit), &ASKED).unwrap();
        assert!(close(sample.offset, offset), "{receive} {transmit}: {:?}", sample.offset);
        assert!(close(sample.delay, delay), "{receive} {transmit}: {:?}", sample.delay);
    }
}

#[test]
fn every_bad_answer_is_rejected_for_its_reason() {
    type Change = fn(&mut [u8; 48]);
    let cases: [(Change, Rejected); 15] = [
        (|bytes| bytes[0] = 0x1c, Rejected::Version(3)),
        (|bytes| bytes[0] = 0x23, Rejected::Mode(3)),
        (|bytes| bytes[0] = 0x25, Rejected::Mode(5)),
        (|bytes| bytes[31] ^= 1, Rejected::Origin),
        (|bytes| bytes[24..32].fill(0), Rejected::Origin),
        (|bytes| bytes[0] |= 0xc0, Rejected::Unsynchronised),
        (|bytes| bytes[1] = 16, Rejected::Unsynchronised),
        (|bytes| bytes[1] = 255, Rejected::Unsynchronised),
        (|bytes| bytes[40..48].fill(0), Rejected::NoTime),
        (|bytes| bytes[32..40].fill(0), Rejected::NoTime),
        (|bytes| bytes[4] = 1, Rejected::Distance(Span::from_secs(128))),
        (|bytes| bytes[9] = 2, Rejected::Distance(Span::from_secs(2))),
        (|bytes| bytes[40..48].copy_from_slice(&at(49)), Rejected::Backwards),
        (|bytes| bytes[40..48].copy_from_slice(&at(251)), Rejected::TooLong),
        (|bytes| bytes[1] = 0, Rejected::Kiss(Kiss::Other([0; 4]))),
    ];
    for (change, reason) in cases {
        let mut bytes = good(50, 50);
        change(&mut bytes);
        assert_eq!(judge(&bytes, &ASKED), Err(reason));
    }
    assert_eq!(judge(&good(50, 50)[..47], &ASKED), Err(Rejected::Truncated));
}

#[test]
fn kiss_codes_are_told_apart() {
    let cases = [
        (b"RATE", Kiss::Rate),
        (b"DENY", Kiss::Deny),
        (b"RSTR", Kiss::Restricted),
        (b"NTSN", Kiss::NtsNak),
        (b"\xffX\0\n", Kiss::Other(*b"\xffX\0\n")),
    ];
    for (code, kiss) in cases {
        let mut bytes = good(50, 50);
        bytes[1] = 0;
        bytes[12..16].copy_from_slice(code);
        assert_eq!(judge(&bytes, &ASKED), Err(Rejected::Kiss(kiss)));
        // Not even a kiss counts when it answers another question.
        bytes[24] ^= 1;
        assert_eq!(judge(&bytes, &ASKED), Err(Rejected::Origin));
    }
}

#[test]
fn the_largest_distance_still_counts() {
    let mut bytes = good(50, 50);
    bytes[8..12].copy_from_slice(&[0, 1, 0x80, 0]);
    assert_eq!(judge(&bytes, &ASKED).unwrap().root_distance, MOST_DISTANCE);
}

proptest! {
    #[test]
    fn any_bytes_are_judged(
        mut bytes in prop::collection::vec(any::<u8>(), 0..96),
        fix_origin: bool,
        sent: i64,
        took in 0_i64..10_000_000_000,
        built in 0_i64..4_000_000_000,
    ) {
        if let (true, Some(origin)) = (fix_origin, bytes.get_mut(24..32)) {
            origin.copy_from_slice(&NONCE.to_be_bytes());
        }
        let sent = Timestamp::from_nanos(sent);
        let received = sent + Span::from_nanos(took);
        let asked = Asked { nonce: NONCE, sent, received, built: Timestamp::from_secs(built) };
        if let Ok(sample) = judge(&bytes, &asked) {
            prop_assert!(sample.delay >= Span::ZERO);
            prop_assert!(sample.root_distance <= MOST_DISTANCE);
            prop_assert!((1..16).contains(&sample.stratum));
        }
    }
}
