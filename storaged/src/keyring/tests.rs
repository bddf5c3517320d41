//! Changes of real headers in files.

use super::*;
use crate::testing::Fake;
use std::cell::RefCell;
use tempfile::TempDir;

struct World {
    folder: TempDir,
    luks: Luks,
    key: Key,
    ring: Keyring,
}

fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let device = folder.path().join("partition");
    std::fs::File::create(&device).unwrap().set_len(32 << 20).unwrap();
    let (luks, key) = (Luks::on(&device), Key::random().unwrap());
    luks.format(&key, Cost::Random).unwrap();
    luks.import(&Token { slot: Slot(0), purpose: Purpose::BootKey {} }, None).unwrap();
    let ring = Keyring::new(luks.clone(), key.clone());
    World { folder, luks, key, ring }
}

fn kept(_key: &Key) -> io::Result<()> {
    Ok(())
}

fn end(code: &RecoveryCode) -> String {
    let text = code.to_text();
    text[text.len() - 9..].to_lowercase()
}

fn kinds(luks: &Luks) -> Vec<KeyKind> {
    let mut kinds: Vec<KeyKind> =
        luks.metadata().unwrap().tokens.values().map(|token| token.purpose.kind()).collect();
    kinds.sort_unstable();
    kinds
}

#[test]
fn a_recovery_key_works_at_once_and_replaces_the_old_when_confirmed() {
    let World { folder: _folder, luks, mut ring, .. } = world();
    let first = ring.new_recovery_key(&kept).unwrap();
    luks.test(&key_of(&first)).unwrap();
    ring.confirm_recovery_key(&end(&first), &kept).unwrap();
    let second = ring.new_recovery_key(&kept).unwrap();
    luks.test(&key_of(&first)).unwrap();
    luks.test(&key_of(&second)).unwrap();
    assert!(matches!(ring.confirm_recovery_key(&end(&first), &kept), Err(KeyringError::NotItsEnd)));
    luks.test(&key_of(&first)).unwrap();
    ring.confirm_recovery_key(&end(&second), &kept).unwrap();
    assert!(matches!(luks.test(&key_of(&first)), Err(LuksError::WrongKey(_))));
    luks.test(&key_of(&second)).unwrap();
    assert!(matches!(ring.confirm_recovery_key(&end(&second), &kept), Err(KeyringError::NothingToConfirm)));
    assert_eq!(kinds(&luks), [KeyKind::BootKey, KeyKind::Recovery]);
}

#[test]
fn one_that_nobody_wrote_down_goes_when_another_is_made() {
    let World { folder: _folder, luks, mut ring, .. } = world();
    let lost = ring.new_recovery_key(&kept).unwrap();
    let next = ring.new_recovery_key(&kept).unwrap();
    assert!(matches!(luks.test(&key_of(&lost)), Err(LuksError::WrongKey(_))));
    luks.test(&key_of(&next)).unwrap();
}

#[test]
fn what_is_typed_wrong_is_told_from_a_foreign_key_and_writes_nothing() {
    let World { folder, luks, mut ring, .. } = world();
    let code = ring.new_recovery_key(&kept).unwrap();
    let device = folder.path().join("partition");
    let before = std::fs::read(&device).unwrap();
    let mut slip = code.to_text().to_string();
    slip.replace_range(0..1, if slip.starts_with('7') { "8" } else { "7" });
    assert!(matches!(unlock(&luks, &slip), Err(KeyringError::Typed(RecoveryCodeError::Check))));
    let foreign = RecoveryCode::random().unwrap();
    let refused = unlock(&luks, &foreign.to_text()).unwrap_err();
    assert!(matches!(refused, KeyringError::Luks(LuksError::WrongKey(_))), "{refused}");
    assert!(std::fs::read(&device).unwrap() == before);
    let shown = format!("{ring:?}");
    assert!(!shown.contains(&*code.to_text()) && shown.contains('…'), "{shown}");
}

#[test]
fn sealing_anew_replaces_what_opened_by_itself_and_a_refusal_changes_nothing() {
    let World { folder: _folder, luks, key, mut ring } = world();
    let nowhere = |_: &Key| Err(io::Error::other("full"));
    ring.seal_anew(&mut Fake { refuses: Some("lockout"), ..Fake::default() }, &nowhere).unwrap_err();
    assert_eq!(kinds(&luks), [KeyKind::BootKey]);
    luks.test(&key).unwrap();

    // What cannot be kept replaces nothing.
    assert!(matches!(ring.seal_anew(&mut Fake::default(), &nowhere), Err(KeyringError::Keep(_))));
    luks.test(&key).unwrap();
    assert_eq!(ring.opening_key().bytes(), key.bytes());

    let recovery = ring.new_recovery_key(&kept).unwrap();
    let last = RefCell::new(None);
    let keep = |key: &Key| {
        luks.test(key).map_err(io::Error::other)?;
        last.replace(Some(key.clone()));
        Ok(())
    };
    ring.seal_anew(&mut Fake::default(), &keep).unwrap();
    assert_eq!(last.into_inner().unwrap().bytes(), ring.opening_key().bytes());
    assert!(matches!(luks.test(&key), Err(LuksError::WrongKey(_))));
    luks.test(ring.opening_key()).unwrap();
    luks.test(&key_of(&recovery)).unwrap();
    assert_eq!(kinds(&luks), [KeyKind::Tpm, KeyKind::Recovery]);
    // Again, with the key that was just sealed.
    ring.seal_anew(&mut Fake::default(), &kept).unwrap();
    assert_eq!(kinds(&luks), [KeyKind::Tpm, KeyKind::Recovery]);
    luks.test(ring.opening_key()).unwrap();
}
