//! What time servers answer, or who pretends to be one.

use super::ignore;
use crate::Target;
use rustls::pki_types::CertificateDer;
use timesync::Timestamp;
use timesync::last_known;
use timesync::nts;
use timesync::nts::certificate::Validity;
use timesync::packet;
use timesync::reply;
use timesync::reply::Asked;
use timesync::steps::END;

/// The nonce stands in the first eight bytes, as who answers knows it from the question.
const NONCE: usize = 8;

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "ntp",
        source: "any datagram to the port of a question",
        longest: 1024,
        run: |bytes| {
            ignore(packet::parse(bytes));
            let Some((nonce, answer)) = bytes.split_first_chunk::<NONCE>() else { return };
            let sent = Timestamp::from_secs(1_800_000_000);
            let asked = Asked { nonce: u64::from_be_bytes(*nonce), sent, received: sent, built: sent };
            ignore(reply::judge(answer, &asked));
        },
    },
    Target {
        name: "nts-fields",
        source: "the same, with proofs",
        longest: 1024,
        run: |bytes| {
            let key = nts::Key([7; 32].into());
            ignore(nts::fields::open(bytes, &[7; nts::fields::IDENTIFIER], &key));
        },
    },
    Target {
        name: "nts-records",
        source: "a server that has a certificate, before anything is proved by it",
        longest: 4096,
        run: |bytes| {
            // What is complete may be wrong, what is not complete cannot be right.
            let is_complete = nts::records::is_complete(bytes);
            assert!(is_complete || nts::records::parse(bytes).is_err(), "read although it is not complete");
        },
    },
    Target {
        name: "nts-certificate",
        source: "a server of time, before its certificate is checked",
        longest: 4096,
        run: |bytes| ignore(Validity::of(&CertificateDer::from(bytes))),
    },
    Target {
        name: "last-known-time",
        source: "the data partition, of which a bit may have changed",
        longest: 512,
        run: |bytes| {
            let parsed = last_known::parse(bytes).ok();
            // Of most changes the checksum takes care; what lies behind it is looked at as well.
            let repaired = last_known::parse(&with_checksum(bytes)).ok();
            for known in parsed.into_iter().chain(repaired) {
                assert!(known.time < END && known.frequency_ppm.is_finite(), "{known:?} was read");
            }
        },
    },
];

/// The same lines with the checksum that they should have.
fn with_checksum(bytes: &[u8]) -> Vec<u8> {
    const KEY: &[u8] = b"crc32=";
    let end = bytes.windows(KEY.len()).rposition(|window| window == KEY);
    let body = end.and_then(|end| bytes.get(..end)).unwrap_or(bytes);
    [body, KEY, format!("{:08x}\n", crc32fast::hash(body)).as_bytes()].concat()
}
