//! Decisions on real headers in files. The kernel here may have no device-mapper: a stand-in for the program tries the key instead of
//! opening the partition, the rest is the real program.

use super::*;
use crate::luks::CRYPTSETUP;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use tempfile::TempDir;

/// A TPM that keeps what it sealed.
#[derive(Debug)]
struct Fake {
    kept: Vec<Key>,
    is_there: bool,
    refuses: Option<&'static str>,
}

impl Fake {
    fn check(&self) -> Result<(), SealError> {
        match (self.is_there, self.refuses) {
            (false, _) => Err(SealError::Absent("there is no TPM".to_owned())),
            (true, Some(reason)) => Err(SealError::Refused(reason.to_owned())),
            (true, None) => Ok(()),
        }
    }
}

impl Sealer for Fake {
    fn seal(&mut self, key: &Key) -> Result<Value, SealError> {
        self.check()?;
        self.kept.push(key.clone());
        Ok(json!(self.kept.len() - 1))
    }

    fn unseal(&mut self, sealed: &Value) -> Result<Key, SealError> {
        self.check()?;
        let number = usize::try_from(sealed.as_u64().unwrap()).unwrap();
        self.kept.get(number).cloned().ok_or_else(|| SealError::Refused("another TPM".to_owned()))
    }

    fn close(&mut self) -> Result<(), SealError> {
        Ok(())
    }
}

struct World {
    folder: TempDir,
    opening: Opening<Fake>,
}

fn program(folder: &TempDir) -> PathBuf {
    let path = folder.path().join("cryptsetup");
    let script = format!(
        "#!/bin/sh\nif [ \"$1\" = open ]; then shift; case \" $* \" in *--test-passphrase*) ;; *)\n\
         exec {CRYPTSETUP} open --test-passphrase \"$@\" ;; esac; set -- open \"$@\"; fi\nexec {CRYPTSETUP} \"$@\"\n"
    );
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn world(is_there: bool) -> World {
    let folder = tempfile::tempdir().unwrap();
    let device = folder.path().join("partition");
    fs::File::create(&device).unwrap().set_len(32 << 20).unwrap();
    let luks = Luks::by(&program(&folder), &device);
    let boot_key = BootKey::on(&folder.path().join("boot"));
    let sealer = Fake { kept: Vec::new(), is_there, refuses: None };
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
    opening.sealer.kept.clear();
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
