//! What lies on boot partitions, and what loaders and firmware say.

use super::ignore;
use super::text;
use crate::Target;
use slots::pi::Autoboot;
use slots::uefi::FileName;
use slots::uefi::variable;

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "slot-name",
        source: "a folder of the boot partition",
        longest: 128,
        run: |bytes| {
            let Some(text) = text(bytes) else { return };
            ignore(FileName::from_loader_path(text));
            if let Ok(name) = text.parse::<FileName>() {
                assert_eq!(name.to_string(), text.to_ascii_lowercase(), "a name is made otherwise");
            }
        },
    },
    Target {
        name: "loader-variable",
        source: "the boot loader, by way of the firmware",
        longest: 2048,
        run: |bytes| {
            if let Ok(text) = variable::decode(bytes)
                && let Ok(written) = variable::encode(&text)
            {
                assert_eq!(variable::decode(&written), Ok(text), "a variable is read otherwise");
            }
        },
    },
    Target {
        name: "autoboot",
        source: "the boot partition of a Pi",
        longest: 600,
        run: |bytes| {
            if let Ok(autoboot) = Autoboot::decode(bytes) {
                assert_eq!(autoboot.to_string().as_bytes(), bytes, "autoboot.txt is made otherwise");
            }
        },
    },
];
