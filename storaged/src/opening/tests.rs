//! Decisions on real headers in files. The kernel here may have no device-mapper: a stand-in for the program tries the key instead of
//! opening the partition, the rest is the real program.

use super::*;
use crate::testing::Fake;
use crate::testing::program;
use std::fs;
use tempfile::TempDir;

struct World {
    folder: TempDir,
    opening: Opening<Fake>,
}

fn world(is_there: bool) -> World {
    let folder = tempfile::tempdir().unwrap();
    let device = folder.path().join("partition");
    fs::File::create(&device).unwrap().set_len(32 << 20).unwrap();
    let luks = Luks::by(&program(folder.path()), &device);
    let boot_key = BootKey::on(&folder.path().join("boot"));
    let sealer = Fake { is_there, ..Fake::default() };
    World { folder, opening: Opening { luks, boot_key, sealer } }
}

fn opened(outcome: Outcome) -> Opened {
    match outcome {
        Outcome::Opened(opened) => opened,
        Outcome::Locked { reasons, .. } => panic!("{reasons:?}"),
    }
}

fn locked(outcome: Outcome) -> (Vec<String>, Vec<KeyKind>) {
    match outcome {
        Outcome::Opened(opened) => panic!("{opened:?}"),
        Outcome::Locked { reasons, takes } => (reasons, takes),
    }
}

#[test]
fn with_a_tpm_nothing_lies_on_the_boot_partition() {
    let World { folder, mut opening } = world(true);
    let first = opened(opening.make().unwrap());
    assert_eq!((first.by, first.reasons), (KeyKind::Tpm, vec![]));
    assert!(!folder.path().join("boot").exists());
    let again = opened(opening.open().unwrap());
    assert_eq!((again.by, again.key.bytes()), (KeyKind::Tpm, first.key.bytes()));
    opening.sealer.forget();
    assert_eq!(locked(opening.open().unwrap()), (vec!["another TPM".to_owned()], vec![]));
}

#[test]
fn without_one_the_key_lies_on_the_boot_partition() {
    let World { folder: _folder, mut opening } = world(false);
    let first = opened(opening.make().unwrap());
    assert_eq!((first.by, first.reasons), (KeyKind::BootKey, vec![]));
    assert_eq!(opened(opening.open().unwrap()).by, KeyKind::BootKey);
    opening.boot_key.destroy().unwrap();
    let (reasons, takes) = locked(opening.open().unwrap());
    assert!(reasons[0].contains("no key on the boot partition"), "{reasons:?}");
    assert_eq!(takes, []);
}

#[test]
fn a_tpm_that_refuses_is_told() {
    let World { folder: _folder, mut opening } = world(true);
    opening.sealer.refuses = Some("the TPM is in lockout for 10 minutes");
    let first = opened(opening.make().unwrap());
    assert_eq!(first.by, KeyKind::BootKey);
    assert!(first.reasons[0].contains("lockout"), "{:?}", first.reasons);
}

#[test]
fn the_typed_keys_are_named_when_nothing_opens_by_itself() {
    let World { folder: _folder, mut opening } = world(true);
    let first = opened(opening.make().unwrap());
    for purpose in [Purpose::Recovery { is_confirmed: false }, Purpose::Passphrase {}] {
        opening.luks.add(&first.key, &Key::random().unwrap(), Cost::Random, purpose).unwrap();
    }
    opening.sealer.is_there = false;
    let (reasons, takes) = locked(opening.open().unwrap());
    assert_eq!(reasons, ["there is no TPM"]);
    assert_eq!(takes, [KeyKind::Passphrase, KeyKind::Recovery]);
}

#[test]
fn making_begins_anew_after_a_cut() {
    let World { folder: _folder, mut opening } = world(false);
    let first = opened(opening.make().unwrap());
    let second = opened(opening.make().unwrap());
    assert_ne!(first.key.bytes(), second.key.bytes());
    opening.luks.test(&first.key).unwrap_err();
    assert_eq!(opened(opening.open().unwrap()).key.bytes(), second.key.bytes());
}

#[test]
fn a_partition_without_a_header_is_never_opened() {
    let World { folder: _folder, mut opening } = world(false);
    assert!(matches!(opening.open(), Err(OpeningError::NoHeader)));
}

#[test]
fn opening_tidies_what_a_cut_left() {
    let World { folder: _folder, mut opening } = world(false);
    let first = opened(opening.make().unwrap());
    opening.luks.add(&first.key, &Key::random().unwrap(), Cost::Random, Purpose::Passphrase {}).unwrap();
    let metadata = opening.luks.metadata().unwrap();
    let slot = metadata.tokens.values().find(|token| token.purpose == Purpose::Passphrase {}).unwrap().slot;
    opening.luks.forget_purpose(slot).unwrap();
    assert_eq!(opening.luks.metadata().unwrap().slots.len(), 2);
    opened(opening.open().unwrap());
    assert_eq!(opening.luks.metadata().unwrap().slots.len(), 1);
}

#[test]
fn a_key_file_that_opens_nothing_any_more_is_destroyed() {
    let World { folder, mut opening } = world(true);
    let first = opened(opening.make().unwrap());
    opening.boot_key.write(&first.key).unwrap();
    opened(opening.open().unwrap());
    assert!(!folder.path().join("boot/hearth/data.key").exists());
    // While a slot is for it, it stays.
    let second = Key::random().unwrap();
    opening.boot_key.write(&second).unwrap();
    opening.luks.add(&first.key, &second, Cost::Random, Purpose::BootKey {}).unwrap();
    opened(opening.open().unwrap());
    assert_eq!(opening.boot_key.read().unwrap().bytes(), second.bytes());
}

#[test]
fn a_partition_made_anew_clears_the_number_and_one_that_is_opened_keeps_it() {
    let World { folder: _folder, mut opening } = world(true);
    opening.sealer.raise_to(9).unwrap();
    opened(opening.make().unwrap());
    assert_eq!(opening.sealer.count().unwrap(), None);
    opening.sealer.raise_to(2).unwrap();
    opened(opening.open().unwrap());
    assert_eq!(opening.sealer.count().unwrap(), Some(2));
}
