//! The 48 bytes of NTP (RFC 5905 section 7.3): codec only, no judgement.
//!
//! A question carries nothing about the box (draft-ietf-ntp-data-minimization): version, mode, and 64 random bits where
//! the transmit time belongs. The server sends them back as origin, so they prove that an answer is one.

use crate::time::Span;
use crate::time::Timestamp;

/// Bytes of a header.
pub const HEADER: usize = 48;
/// No leap warning, version 4, mode 3 (client).
const CLIENT: u8 = 4 << 3 | 3;
/// Seconds from 1900 to 1970 (RFC 5905 section 6).
const FROM_1900_TO_1970: i64 = 2_208_988_800;
/// Seconds of an era (RFC 5905 section 6); the first one ends in 2036.
const ERA: i64 = 1 << 32;

/// A header as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Leap indicator; 3 means that the server's clock is not synchronised.
    pub leap: u8,
    /// Version of the protocol.
    pub version: u8,
    /// 4 is a server's answer.
    pub mode: u8,
    /// Distance from a reference clock; 0 means that the reference is a kiss code.
    pub stratum: u8,
    /// Way to the reference clock and back.
    pub root_delay: Span,
    /// Error of the server's clock, as it knows.
    pub root_dispersion: Span,
    /// Where the server has its time from, or a kiss code.
    pub reference: [u8; 4],
    /// The transmit bits of the question.
    pub origin: u64,
    /// When the question came in.
    pub receive: NtpTime,
    /// When the answer went out.
    pub transmit: NtpTime,
}

/// Seconds since 1900 in 32 bits, fractions in 32 bits. Which era it is of does not show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NtpTime(pub u64);

impl NtpTime {
    /// The only time with these bits in the 136 years from `earliest` on.
    #[must_use]
    pub fn resolve(self, earliest: Timestamp) -> Timestamp {
        let seconds = i64::from((self.0 >> 32) as u32) - FROM_1900_TO_1970;
        let fraction = self.0 & u64::from(u32::MAX);
        let after = (seconds - earliest.secs()).rem_euclid(ERA);
        let nanos = i64::try_from((fraction * 1_000_000_000) >> 32).unwrap_or_default();
        Timestamp::from_secs(earliest.secs() + after) + Span::from_nanos(nanos)
    }
}

/// A question with these random bits.
#[must_use]
pub fn question(nonce: u64) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[0] = CLIENT;
    bytes[40..].copy_from_slice(&nonce.to_be_bytes());
    bytes
}

/// Takes a header apart; none when there are too few bytes. What follows the header is not looked at.
#[must_use]
pub fn parse(bytes: &[u8]) -> Option<Header> {
    let header: &[u8; HEADER] = bytes.first_chunk()?;
    let [first, stratum, ..] = *header;
    Some(Header {
        leap: first >> 6,
        version: first >> 3 & 7,
        mode: first & 7,
        stratum,
        root_delay: short(quad(header, 4)),
        root_dispersion: short(quad(header, 8)),
        reference: quad(header, 12),
        origin: long(header, 24),
        receive: NtpTime(long(header, 32)),
        transmit: NtpTime(long(header, 40)),
    })
}

fn quad(header: &[u8; HEADER], at: usize) -> [u8; 4] {
    std::array::from_fn(|index| header[at + index])
}

fn long(header: &[u8; HEADER], at: usize) -> u64 {
    u64::from_be_bytes(std::array::from_fn(|index| header[at + index]))
}

/// NTP short format: seconds in 16 bits, fractions in 16 bits.
fn short(bytes: [u8; 4]) -> Span {
    let nanos = (u64::from(u32::from_be_bytes(bytes)) * 1_000_000_000) >> 16;
    Span::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 1 January of that year, by the table in RFC 5905 figure 4 and the calendar.
    const Y2026: Timestamp = Timestamp::from_secs(1_767_225_600);

    #[test]
    fn a_question_says_nothing_but_its_nonce() {
        let bytes = question(0x0102_0304_0506_0708);
        assert_eq!(bytes[0], 0x23);
        assert!(bytes[1..40].iter().all(|&byte| byte == 0));
        assert_eq!(bytes[40..], [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn times_are_read_across_the_end_of_the_era() {
        // Last second of era 0 and first second of era 1: 7 February 2036, 06:28:15 and :16 UTC.
        let last = NtpTime(0xffff_ffff_8000_0000).resolve(Y2026);
        let first = NtpTime(0x0000_0000_8000_0000).resolve(Y2026);
        assert_eq!(last.secs(), 2_085_978_495);
        assert_eq!(first.since(last), Span::from_secs(1));
        assert_eq!(first.subsec_nanos(), 500_000_000);
    }

    #[test]
    fn the_window_begins_at_its_first_second() {
        let bits =
            |unix: i64| NtpTime(u64::try_from((unix + FROM_1900_TO_1970).rem_euclid(ERA)).unwrap() << 32);
        assert_eq!(bits(Y2026.secs()).resolve(Y2026), Y2026);
        assert_eq!(bits(Y2026.secs() - 1).resolve(Y2026), Timestamp::from_secs(Y2026.secs() - 1 + ERA));
    }

    #[test]
    fn a_header_is_read_field_by_field() {
        let mut bytes = question(0);
        bytes[0] = 0b11_100_100;
        bytes[1] = 2;
        bytes[4..8].copy_from_slice(&[0, 1, 0x80, 0]);
        bytes[8..12].copy_from_slice(&[0, 0, 0x80, 0]);
        bytes[12..16].copy_from_slice(b"RATE");
        bytes[24..32].copy_from_slice(&7_u64.to_be_bytes());
        bytes[32..40].copy_from_slice(&8_u64.to_be_bytes());
        bytes[40..48].copy_from_slice(&9_u64.to_be_bytes());
        let expected = Header {
            leap: 3,
            version: 4,
            mode: 4,
            stratum: 2,
            root_delay: Span::from_millis(1_500),
            root_dispersion: Span::from_millis(500),
            reference: *b"RATE",
            origin: 7,
            receive: NtpTime(8),
            transmit: NtpTime(9),
        };
        assert_eq!(parse(&bytes), Some(expected));
        assert_eq!(parse(&bytes[..47]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..96)) {
            prop_assert_eq!(parse(&bytes).is_some(), bytes.len() >= HEADER);
        }

        #[test]
        fn a_resolved_time_lies_in_the_window(bits: u64, earliest in -4_000_000_000_i64..4_000_000_000) {
            let start = Timestamp::from_secs(earliest);
            let time = NtpTime(bits).resolve(start);
            prop_assert!(time >= start);
            prop_assert!(time.since(start) < Span::from_secs(ERA));
        }
    }
}
