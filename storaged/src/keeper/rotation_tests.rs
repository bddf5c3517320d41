//! The volume key of real headers on files, which are closed: what an open partition needs besides is seen in the VM.

use super::*;
use crate::luks::Cost;
use crate::luks::metadata::Metadata;
use crate::luks::metadata::Slot;
use crate::rotation::NotRotatable;
use crate::testing::Fake;
use crate::testing::Locked;
use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Instant;

const NOW: Duration = Duration::from_secs(100);
const DEADLINE: Duration = Duration::from_secs(120);

/// Opened by the recovery key, sealed anew: what opens it by itself is at hand.
fn opened(locked: &Locked) -> Keeper<Fake> {
    let mut keeper = locked.keeper();
    keeper.unlock(&locked.recovery.to_text(), NOW).unwrap();
    keeper.seal_anew().unwrap();
    keeper
}

fn recovery(locked: &Locked) -> Key {
    Key::from_bytes(locked.recovery.expose().to_vec())
}

fn wait_until_done(keeper: &Keeper<Fake>) {
    let begun = Instant::now();
    while let Some(rotation) = keeper.report().rotation {
        assert_eq!(rotation.problem, None);
        assert!(begun.elapsed() < DEADLINE, "{rotation:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The header as it is now, in a file of its own.
fn copy_of_header(locked: &Locked, name: &str) -> PathBuf {
    let copy = locked.folder.path().join(name);
    fs::write(&copy, locked.header()).unwrap();
    copy
}

fn purposes(metadata: &Metadata) -> Vec<KeyKind> {
    let mut tokens: Vec<_> = metadata.tokens.values().collect();
    tokens.sort_by_key(|token| token.slot);
    tokens.into_iter().map(|token| token.purpose.kind()).collect()
}

fn volume_key(locked: &Locked, header: &Path, key: &Key) -> Vec<u8> {
    let place = |name: &str| locked.folder.path().join(name);
    fs::write(place("key"), key.bytes()).unwrap();
    drop(fs::remove_file(place("volume")));
    let output = std::process::Command::new(crate::luks::CRYPTSETUP)
        .args(["luksDump", "--batch-mode", "--disable-locks", "--dump-volume-key", "--volume-key-file"])
        .arg(place("volume"))
        .arg("--key-file")
        .args([place("key"), header.to_owned()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::read(place("volume")).unwrap()
}

#[test]
fn both_keys_open_the_new_volume_key_and_nothing_of_the_old_slots_is_left() {
    let locked = Locked::new();
    let mut keeper = opened(&locked);
    let before = locked.luks().metadata().unwrap();
    let old = copy_of_header(&locked, "old");
    keeper.rotate_volume_key(&locked.recovery.to_text(), NOW).unwrap();
    wait_until_done(&keeper);

    let after = locked.luks().metadata().unwrap();
    assert!(!after.is_reencrypting);
    assert_eq!(purposes(&after), [KeyKind::Recovery, KeyKind::Tpm]);
    assert!(after.slots.is_disjoint(&before.slots), "{after:?}");
    assert!(after.orphans().is_empty() && after.unused.is_empty() && after.foreign.is_empty(), "{after:?}");
    let sealed = locked.sealer.last().unwrap();
    let device = locked.luks().device().to_owned();
    let new = volume_key(&locked, &device, &sealed);
    assert_eq!(volume_key(&locked, &device, &recovery(&locked)), new);
    assert_ne!(volume_key(&locked, &old, &sealed), new);
    // What the old header says of itself, with the key material that is there now.
    let mut mixed = fs::read(&old).unwrap();
    mixed[32 << 10..].copy_from_slice(&locked.header()[32 << 10..]);
    fs::write(&old, mixed).unwrap();
    for key in [&sealed, &recovery(&locked)] {
        Luks::on(&old).test(key).unwrap_err();
    }
    // Keys are changed as before, and so is the volume key.
    let code = keeper.new_recovery_key().unwrap();
    let text = code.to_text();
    let unconfirmed = keeper.rotate_volume_key(&text, NOW).unwrap_err();
    assert!(matches!(unconfirmed, KeeperError::Keyring(KeyringError::Rotation(NotRotatable::Unconfirmed))));
    keeper.confirm_recovery_key(&text[text.len() - 9..]).unwrap();
    keeper.rotate_volume_key(&text, NOW).unwrap();
    wait_until_done(&keeper);
    assert_ne!(volume_key(&locked, &device, &sealed), new);
}

#[test]
fn a_run_goes_on_with_what_the_one_before_began_and_no_key_changes_meanwhile() {
    let locked = Locked::new();
    let keeper = opened(&locked);
    let State::Open { ring, .. } = &keeper.state else { panic!("locked") };
    ring.begin_rotation(&locked.recovery.to_text()).unwrap();
    let begun = locked.luks().metadata().unwrap();
    assert!(begun.is_reencrypting);
    assert_eq!(purposes(&begun), [KeyKind::Recovery, KeyKind::Tpm]);
    let again = ring.begin_rotation(&locked.recovery.to_text()).unwrap_err();
    assert!(matches!(again, KeyringError::Rotation(NotRotatable::UnderWay)), "{again}");
    // Whatever opens the box opens it in the middle, and tidying leaves the twins alone.
    locked.luks().tidy().unwrap();
    assert_eq!(locked.luks().metadata().unwrap(), begun);
    for key in [&locked.sealer.last().unwrap(), &recovery(&locked)] {
        locked.luks().test(key).unwrap();
    }
    let mut next = locked.keeper();
    // It may be through already.
    if next.report().rotation.is_some() {
        let refused = next.new_recovery_key().unwrap_err();
        assert!(matches!(refused, KeeperError::Rotating), "{refused}");
    }
    wait_until_done(&next);
    assert!(!locked.luks().metadata().unwrap().is_reencrypting);
    next.new_recovery_key().unwrap();
}

#[test]
fn whoever_ends_storaged_has_the_piece_finished_and_nothing_begins_afterwards() {
    let locked = Locked::new();
    let keeper = opened(&locked);
    let State::Open { ring, .. } = &keeper.state else { panic!("locked") };
    ring.begin_rotation(&locked.recovery.to_text()).unwrap();
    keeper.rotation().stop();
    keeper.go_on_rotating();
    assert_eq!(keeper.report().rotation, None);
    assert!(locked.luks().metadata().unwrap().is_reencrypting);
    let next = locked.keeper();
    next.rotation().stop();
    assert_eq!(next.report().rotation, None, "it is running still, or was ended with a fault");
    for key in [&locked.sealer.last().unwrap(), &recovery(&locked)] {
        locked.luks().test(key).unwrap();
    }
    wait_until_done(&locked.keeper());
    assert!(!locked.luks().metadata().unwrap().is_reencrypting);
}

#[test]
fn a_wrong_recovery_key_or_one_that_would_be_lost_changes_nothing() {
    let locked = Locked::new();
    let mut keeper = locked.keeper();
    assert!(matches!(keeper.rotate_volume_key("x", NOW), Err(KeeperError::Locked)));
    keeper.unlock(&locked.recovery.to_text(), NOW).unwrap();
    let before = locked.header();
    // What the other TPM sealed is not at hand.
    let refused = keeper.rotate_volume_key(&locked.recovery.to_text(), NOW).unwrap_err();
    let unknown = NotRotatable::Unknown(KeyKind::Tpm);
    assert!(
        matches!(refused, KeeperError::Keyring(KeyringError::Rotation(why)) if why == unknown),
        "{refused}"
    );
    for typed in ["", "hearth", &*RecoveryCode::random().unwrap().to_text()] {
        let refused = keeper.rotate_volume_key(typed, NOW).unwrap_err();
        assert!(matches!(&refused, KeeperError::Keyring(error) if is_wrong_key(error)), "{refused}");
    }
    assert!(locked.header() == before);
}

#[test]
fn twins_that_a_cut_left_are_tidied() {
    let locked = Locked::new();
    let keeper = opened(&locked);
    let (luks, before) = (locked.luks(), locked.luks().metadata().unwrap());
    // As after a cut in the middle of beginning: a slot of a new volume key, which its token names, and no word of a change.
    let folder = locked.folder.path();
    fs::write(folder.join("twin"), recovery(&locked).bytes()).unwrap();
    let output = std::process::Command::new(crate::luks::CRYPTSETUP)
        .args(["luksAddKey", "--batch-mode", "--disable-locks", "--unbound", "--key-size", "512"])
        .args(["--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", "--key-slot", "5"])
        .args([luks.device().to_owned(), folder.join("twin")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let left = luks.metadata().unwrap();
    assert_eq!((&left.slots, left.unused.clone()), (&before.slots, [Slot(5)].into()));
    luks.tidy().unwrap();
    assert_eq!(luks.metadata().unwrap(), before);
    drop(keeper);
}

#[test]
fn the_header_of_a_change_in_the_middle_can_be_erased() {
    let locked = Locked::new();
    let keeper = opened(&locked);
    let State::Open { ring, .. } = &keeper.state else { panic!("locked") };
    ring.begin_rotation(&locked.recovery.to_text()).unwrap();
    locked.luks().erase().unwrap();
    assert!(locked.luks().metadata().unwrap().slots.is_empty());
    for key in [&locked.sealer.last().unwrap(), &recovery(&locked)] {
        locked.luks().test(key).unwrap_err();
    }
    locked.luks().format(&Key::random().unwrap(), Cost::Random).unwrap();
}
