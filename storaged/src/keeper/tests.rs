//! On real headers in files, with a TPM that is a fake.

use super::*;
use crate::testing::Fake;
use crate::testing::Locked;

const NOW: Duration = Duration::from_secs(100);

fn kinds(keeper: &Keeper<Fake>) -> Vec<(KeyKind, bool)> {
    keeper.report().keys.iter().map(|slot| (slot.kind, slot.is_confirmed)).collect()
}

fn end(code: &RecoveryCode) -> String {
    let text = code.to_text();
    text[text.len() - 9..].to_owned()
}

#[test]
fn the_recovery_key_opens_it_and_the_next_run_knows() {
    let locked = Locked::new();
    let mut keeper = locked.keeper();
    let takes = vec![KeyKind::Recovery];
    let reasons = vec!["another TPM".to_owned()];
    assert_eq!(keeper.report().unlock, UnlockReport::Locked { reasons: reasons.clone(), takes });
    assert_eq!(kinds(&keeper), [(KeyKind::Tpm, true), (KeyKind::Recovery, true)]);
    keeper.unlock(&locked.recovery.to_text(), NOW).unwrap();
    let opened = UnlockReport::Opened { by: KeyKind::Recovery, reasons };
    assert_eq!(keeper.report().unlock, opened);
    assert!(matches!(keeper.unlock(&locked.recovery.to_text(), NOW), Err(KeeperError::NotLocked)));
    let mut next = locked.keeper();
    assert_eq!(next.report().unlock, opened);
    next.new_recovery_key().unwrap();
}

#[test]
fn wrong_keys_write_nothing_and_make_everybody_wait() {
    let locked = Locked::new();
    let mut keeper = locked.keeper();
    let before = locked.header();
    let foreign = RecoveryCode::random().unwrap();
    for typed in [foreign.to_text().as_str(), "", "not a key", &"7".repeat(36), &foreign.to_text()] {
        let refused = keeper.unlock(typed, NOW).unwrap_err();
        assert!(matches!(&refused, KeeperError::Keyring(error) if is_wrong_key(error)), "{refused}");
    }
    let right = locked.recovery.to_text();
    assert!(matches!(keeper.unlock(&right, NOW), Err(KeeperError::Wait(left)) if left.as_secs() == 30));
    assert!(locked.header() == before);
    locked.notes().opening_key().unwrap_err();
    keeper.unlock(&right, NOW + Duration::from_secs(30)).unwrap();
}

#[test]
fn nothing_is_changed_while_it_is_locked() {
    let locked = Locked::new();
    let mut keeper = locked.keeper();
    let before = locked.header();
    assert!(matches!(keeper.new_recovery_key(), Err(KeeperError::Locked)));
    assert!(matches!(keeper.confirm_recovery_key("x"), Err(KeeperError::Locked)));
    assert!(matches!(keeper.seal_anew(), Err(KeeperError::Locked)));
    assert!(locked.header() == before);
}

#[test]
fn after_sealing_anew_it_opens_by_itself_and_the_key_for_changes_is_the_new_one() {
    let locked = Locked::new();
    let mut keeper = locked.keeper();
    keeper.unlock(&locked.recovery.to_text(), NOW).unwrap();
    keeper.seal_anew().unwrap();
    assert_eq!(kinds(&keeper), [(KeyKind::Recovery, true), (KeyKind::Tpm, true)]);
    let kept = locked.notes().opening_key().unwrap();
    locked.luks().test(&kept).unwrap();
    assert_ne!(kept.bytes(), locked.recovery.expose());
    let sealed = locked.sealer.last().unwrap();
    assert_eq!(kept.bytes(), sealed.bytes());
    // The next run goes on with it.
    locked.keeper().new_recovery_key().unwrap();
}

#[test]
fn a_recovery_key_waits_to_be_confirmed() {
    let locked = Locked::new();
    let mut keeper = locked.keeper();
    keeper.unlock(&locked.recovery.to_text(), NOW).unwrap();
    assert!(matches!(
        keeper.confirm_recovery_key("x").unwrap_err(),
        KeeperError::Keyring(KeyringError::NothingToConfirm)
    ));
    let code = keeper.new_recovery_key().unwrap();
    assert!(keeper.report().is_waiting_for_confirmation);
    assert_eq!(kinds(&keeper).len(), 3);
    assert!(matches!(
        keeper.confirm_recovery_key("x").unwrap_err(),
        KeeperError::Keyring(KeyringError::NotItsEnd)
    ));
    keeper.confirm_recovery_key(&end(&code)).unwrap();
    assert!(!keeper.report().is_waiting_for_confirmation);
    assert_eq!(kinds(&keeper), [(KeyKind::Tpm, true), (KeyKind::Recovery, true)]);
    // The key that was typed is gone, and changes go on, also in the next run.
    locked.luks().test(&Key::from_bytes(locked.recovery.expose().to_vec())).unwrap_err();
    keeper.new_recovery_key().unwrap();
    locked.keeper().new_recovery_key().unwrap();
}

#[test]
fn sealing_anew_needs_a_way_back() {
    let locked = Locked::new();
    let mut keeper = locked.keeper();
    keeper.unlock(&locked.recovery.to_text(), NOW).unwrap();
    let notes = locked.notes();
    let reasons = Vec::new();
    // As after a boot that opened it by itself, with and without a confirmed recovery key.
    notes.tell(&UnlockReport::Opened { by: KeyKind::Tpm, reasons }).unwrap();
    let recovery = Key::from_bytes(locked.recovery.expose().to_vec());
    let metadata = locked.luks().metadata().unwrap();
    let slot = metadata.of_kind(KeyKind::Recovery).next().unwrap().1.slot;
    notes.keep_opening_key(&recovery).unwrap();
    locked.keeper().seal_anew().unwrap();
    locked.luks().remove(slot).unwrap();
    let before = locked.header();
    assert!(matches!(locked.keeper().seal_anew(), Err(KeeperError::NoRecoveryKey)));
    assert!(locked.header() == before);
}

#[test]
fn a_box_without_a_partition_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let notes = Notes::in_folder(folder.path());
    let begin = || {
        Keeper::begin(notes.clone(), Fake::default(), Folder::at(Path::new("/nonexistent")), Luks::on)
            .unwrap()
    };
    let is_failed = |keeper: &Keeper<Fake>| matches!(keeper.report().unlock, UnlockReport::Failed { .. });
    assert!(is_failed(&begin()));
    assert!(matches!(begin().unlock("x", NOW), Err(KeeperError::Failed(_))));
    assert!(matches!(begin().seal_anew(), Err(KeeperError::Failed(_))));
    // Opening it was begun and not finished.
    notes.begin(Path::new("/dev/nothing")).unwrap();
    assert!(is_failed(&begin()));
}

#[test]
fn stores_get_their_keys_while_it_is_open_and_keep_them_over_a_rotation() {
    let locked = Locked::new();
    let mut keeper = locked.keeper();
    let name: KeyName = "hostd".parse().unwrap();
    assert!(matches!(keeper.store_key(&name).unwrap_err(), KeeperError::Locked));
    assert!(matches!(keeper.rotate_system_key().unwrap_err(), KeeperError::Locked));
    keeper.unlock(&locked.recovery.to_text(), NOW).unwrap();
    let key = keeper.store_key(&name).unwrap();
    keeper.rotate_system_key().unwrap();
    assert_eq!(locked.keeper().store_key(&name).unwrap().expose(), key.expose());
    let refused = keeper.adopt_store_key(&name, &StoreKey::random().unwrap()).unwrap_err();
    assert!(matches!(refused, KeeperError::KeyTree(KeyTreeError::OtherKey(_))), "{refused}");
}

#[test]
fn a_recovery_key_is_known_again_and_wrong_ones_make_everybody_wait() {
    let locked = Locked::new();
    let mut keeper = locked.keeper();
    let right = locked.recovery.to_text();
    assert!(matches!(keeper.check_recovery_key(&right, NOW).unwrap_err(), KeeperError::Locked));
    keeper.unlock(&right, NOW).unwrap();
    keeper.check_recovery_key(&right, NOW).unwrap();
    let before = locked.header();
    let foreign = RecoveryCode::random().unwrap().to_text();
    for typed in [foreign.as_str(), "", "not a key", &foreign, &foreign] {
        let refused = keeper.check_recovery_key(typed, NOW).unwrap_err();
        assert!(matches!(&refused, KeeperError::Keyring(error) if is_wrong_key(error)), "{refused}");
    }
    assert!(matches!(keeper.check_recovery_key(&right, NOW).unwrap_err(), KeeperError::Wait(_)));
    assert!(locked.header() == before);
}

#[test]
fn the_report_says_whether_older_copies_are_noticed() {
    let mut locked = Locked::new();
    let mut keeper = locked.keeper();
    assert_eq!(keeper.report().older_copies, None);
    assert_eq!(keeper.count().unwrap(), None);
    keeper.raise_to(3).unwrap();
    assert_eq!(keeper.count().unwrap(), Some(3));
    assert_eq!(keeper.report().older_copies, Some(OlderCopies::Noticed));
    locked.sealer.is_there = false;
    let mut keeper = locked.keeper();
    assert!(matches!(keeper.count().unwrap_err(), KeeperError::Counter(SealError::Absent(_))));
    let reason = "there is no TPM".to_owned();
    assert_eq!(keeper.report().older_copies, Some(OlderCopies::Unnoticed { reason }));
}
