//! What a backup place holds, and the kit that opens it.

use super::ignore;
use super::text;
use crate::Target;
use backup::RecoveryKit;

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "recovery-kit",
        source: "people, from paper",
        longest: 2048,
        run: |bytes| {
            let Some(text) = text(bytes) else { return };
            backup::fuzzing::kit(text);
            let Ok(kit) = RecoveryKit::parse(text) else { return };
            let scanned = kit.scan_text().expect("what was read can be written");
            let again = RecoveryKit::parse(&scanned).expect("what was written can be read");
            assert_eq!(again.household, kit.household, "a kit is read otherwise");
        },
    },
    Target {
        name: "backup-target",
        source: "the owner, and a kit",
        longest: 4096,
        run: |bytes| {
            let Some(Ok(target)) = text(bytes).map(backup::Target::parse) else { return };
            ignore((target.check(), target.describe()));
            let written = target.redacted().to_json().expect("what was read can be written");
            ignore(backup::Target::parse(&written).expect("what was written can be read"));
        },
    },
    Target {
        name: "backup-manifest",
        source: "whoever holds the backup disk, if its seal were broken",
        longest: 4096,
        run: |bytes| ignore(backup::fuzzing::manifest(bytes)),
    },
    Target {
        name: "sealed-list",
        source: "whoever holds the backup disk, if its seal were broken",
        longest: 4096,
        run: backup::fuzzing::sealed_list,
    },
];
