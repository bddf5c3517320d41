//! What time servers answer, or who pretends to be one.

use super::ignore;
use crate::Target;
use timesync::Timestamp;
use timesync::nts;
use timesync::packet;
use timesync::reply;
use timesync::reply::Asked;

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
];
