//! Headers on plain files; opening needs a kernel with device-mapper and is seen in the VM.

use super::token::Purpose;
use super::*;
use std::fs::File;
use tempfile::TempDir;

struct Partition {
    folder: TempDir,
    file: PathBuf,
    luks: Luks,
    key: Key,
}

fn partition() -> Partition {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("partition");
    File::create(&file).unwrap().set_len(32 << 20).unwrap();
    let luks = Luks::on(&file);
    let key = Key::random().unwrap();
    luks.format(&key, Cost::Random).unwrap();
    Partition { folder, file, luks, key }
}

#[test]
fn only_its_key_opens_a_new_header() {
    let Partition { folder: _folder, luks, key, .. } = partition();
    assert!(luks.is_there().unwrap());
    luks.test(&key).unwrap();
    let error = luks.test(&Key::random().unwrap()).unwrap_err();
    assert!(matches!(error, LuksError::WrongKey(_)), "{error}");
    // The label is no part of the JSON; one slot, no tokens.
    let metadata = luks.metadata().unwrap();
    assert_eq!(metadata.slots, [Slot(0)].into());
    assert_eq!(metadata.orphans(), [Slot(0)].into());
}

#[test]
fn trying_a_wrong_key_writes_nothing() {
    let Partition { folder: _folder, file, luks, .. } = partition();
    let before = std::fs::read(&file).unwrap();
    luks.test(&Key::random().unwrap()).unwrap_err();
    luks.open(&Key::random().unwrap()).unwrap_err();
    luks.add(&Key::random().unwrap(), &Key::random().unwrap(), Cost::Random, Purpose::BootKey {})
        .unwrap_err();
    assert!(std::fs::read(&file).unwrap() == before);
}

#[test]
fn a_key_is_exchanged_for_another() {
    let Partition { folder: _folder, luks, key, .. } = partition();
    luks.import(&Token { slot: Slot(0), purpose: Purpose::BootKey {} }, None).unwrap();
    let new = Key::random().unwrap();
    let slot = luks.add(&key, &new, Cost::Random, Purpose::Recovery { is_confirmed: false }).unwrap();
    assert_eq!(slot, Slot(1));
    luks.test(&key).unwrap();
    luks.test(&new).unwrap();
    let (id, mut token) =
        luks.metadata().unwrap().tokens.into_iter().find(|(_, token)| token.slot == slot).unwrap();
    token.purpose = Purpose::Recovery { is_confirmed: true };
    luks.import(&token, Some(id)).unwrap();
    assert_eq!(luks.metadata().unwrap().tokens[&id], token);

    luks.remove(Slot(0)).unwrap();
    luks.test(&new).unwrap();
    assert!(matches!(luks.test(&key), Err(LuksError::WrongKey(_))));
    let metadata = luks.metadata().unwrap();
    assert_eq!(metadata.slots, [slot].into());
    assert_eq!(metadata.tokens.len(), 1);
}

#[test]
fn what_a_cut_left_is_tidied_and_the_last_slot_never() {
    let Partition { folder: _folder, luks, key, .. } = partition();
    // The only slot has no token yet: it stays.
    luks.tidy().unwrap();
    luks.test(&key).unwrap();
    luks.import(&Token { slot: Slot(0), purpose: Purpose::BootKey {} }, None).unwrap();
    let lost = Key::random().unwrap();
    let slot = luks.add(&key, &lost, Cost::Random, Purpose::Passphrase {}).unwrap();
    luks.forget_purpose(slot).unwrap();
    luks.tidy().unwrap();
    assert_eq!(luks.metadata().unwrap().slots, [Slot(0)].into());
    luks.test(&key).unwrap();
}

#[test]
fn one_damaged_copy_of_the_header_is_made_good_by_the_other() {
    let Partition { folder: _folder, file, luks, key, .. } = partition();
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[100..4000].fill(0xa5);
    std::fs::write(&file, &bytes).unwrap();
    luks.test(&key).unwrap();
}

#[test]
fn erased_means_that_no_key_opens_it() {
    let Partition { folder: _folder, file, luks, key, .. } = partition();
    let area = 32768..32768 + 258_048;
    let before = std::fs::read(&file).unwrap()[area.clone()].to_vec();
    luks.erase().unwrap();
    assert!(luks.is_there().unwrap());
    assert!(luks.metadata().unwrap().slots.is_empty());
    luks.test(&key).unwrap_err();
    // The key material itself is gone, not only its description (area of slot 0: 32 KiB from the start, 258,048 bytes).
    let after = std::fs::read(&file).unwrap()[area].to_vec();
    assert_eq!(before.chunks(512).zip(after.chunks(512)).filter(|(old, new)| old == new).count(), 0);
}

#[test]
fn no_header_is_told_from_a_broken_program() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plain");
    std::fs::write(&file, vec![0; 1 << 20]).unwrap();
    assert!(!Luks::on(&file).is_there().unwrap());
    let broken = Luks::by(Path::new("/nonexistent"), &file);
    assert!(matches!(broken.is_there(), Err(LuksError::Run(_))));
}
