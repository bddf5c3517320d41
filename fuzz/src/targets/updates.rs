//! What repositories of updates say.

use super::ignore;
use crate::Target;
use update::Asker;
use update::Bundle;
use update::Check;
use update::Clock;
use update::Custom;
use update::Origin;
use update::Permit;
use update::Trust;
use update::archive::Header;
use update::remake;
use update::remake::RemakeHeader;

/// Any time: nothing is signed rightly here.
const CLOCK: Clock = Clock { system: 1_800_000_000, at_least: 0, trust: Trust::Sure };
/// A program that runs.
const BASE: &[u8] = &[0x48; 4096];
const PERMIT: Permit = Permit { asker: Asker::Box, origin: Origin::Network };

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "update-custom",
        source: "what is said of a release; signed, but for any board and any time",
        longest: 2048,
        run: |bytes| {
            if let Ok(custom) = Custom::from_json(bytes) {
                let written = serde_json::to_vec(&custom).unwrap_or_default();
                assert_eq!(Custom::from_json(&written).ok(), Some(custom), "a description is read otherwise");
            }
        },
    },
    Target {
        name: "update-header",
        source: "a chunk archive; its hash is signed",
        longest: 4096,
        run: |bytes| {
            if let Ok(header) = Header::decode(bytes) {
                assert_eq!(header.encode(), bytes, "a header is made otherwise");
            }
        },
    },
    Target {
        name: "update-remakes",
        source: "a file of remakes; its hash is signed",
        longest: 4096,
        run: |bytes| {
            if let Ok(header) = RemakeHeader::decode(bytes) {
                assert_eq!(header.encode(), bytes, "a header is made otherwise");
            }
        },
    },
    Target {
        name: "update-difference",
        source: "a difference in it; its hash is in the header",
        longest: 4096,
        run: |bytes| {
            let [low, high, body @ ..] = bytes else { return };
            let length = u32::from(u16::from_le_bytes([*low, *high]));
            if let Ok(content) = remake::apply(body, BASE, length) {
                assert_eq!(
                    u32::try_from(content.len()),
                    Ok(length),
                    "a file has another length than it should"
                );
            }
        },
    },
    Target {
        name: "update-bundle",
        source: "a file that somebody gave to the owner",
        longest: 8192,
        run: |bytes| ignore(Bundle::open(bytes)),
    },
    Target {
        name: "update-metadata",
        source: "a server, before any signature was checked",
        longest: 8192,
        run: |bytes| {
            // The first root is believed as it is: what comes after it is the same text.
            let Ok(mut check) = Check::begin(bytes, &CLOCK, PERMIT) else { return };
            ignore(check.root(bytes));
            check.remember(bytes, Some(bytes));
            ignore(check.timestamp(bytes));
        },
    },
];
