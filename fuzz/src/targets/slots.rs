//! What lies on boot partitions, and what loaders and firmware say.

use super::ignore;
use super::text;
use crate::Target;
use installer::notebook;
use installer::osrel;
use model::update::FailureLog;
use model::update::MAX_LOG;
use slots::pi::Autoboot;
use slots::pi::archive::MAX_NAME;
use slots::pi::archive::Reader;
use slots::uefi::FileName;
use slots::uefi::variable;
use std::io::Read as _;

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
        name: "slot-release",
        source: "a slot file that was downloaded",
        longest: 2048,
        run: |bytes| {
            ignore(osrel::image_version(bytes));
            if let Ok(extent) = osrel::find(bytes) {
                assert!((1..=osrel::MAX_OS_RELEASE).contains(&extent.length), "{extent:?}");
            }
        },
    },
    Target {
        name: "slot-notes",
        source: "the data partition, as another system left it",
        longest: 4096,
        run: |bytes| {
            if let Ok(notes) = notebook::decode(bytes)
                && let Ok(text) = serde_json::to_vec(&notes)
            {
                assert_eq!(notebook::decode(&text).ok(), Some(notes), "notes are read otherwise");
            }
        },
    },
    Target {
        name: "failure-log",
        source: "the boot partition, where anybody may write",
        longest: 2048,
        run: |bytes| {
            let log = FailureLog::decode(bytes);
            assert!(log.text.len() <= MAX_LOG, "a log is longer than agreed");
            assert_eq!(
                FailureLog::decode(log.encode().as_bytes()).version,
                log.version,
                "a log is read otherwise"
            );
        },
    },
    Target {
        name: "side-archive",
        source: "an update of a Pi that was downloaded",
        longest: 4096,
        run: |bytes| {
            let Ok(mut reader) = Reader::open(bytes) else { return };
            let mut left = bytes.len();
            while let Ok(Some(member)) = reader.next_member() {
                assert!(member.title.as_str().len() <= MAX_NAME, "a name is too long");
                let mut content = Vec::new();
                if reader.read_to_end(&mut content).is_err() {
                    return;
                }
                assert!(content.len() <= left, "more was read than there is");
                left = left.saturating_sub(content.len());
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
