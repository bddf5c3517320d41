//! sled failing while the store is open.

use std::fs;

use super::*;
use crate::layout;

fn key() -> StoreKey {
    StoreKey::from_bytes([5; 32])
}

fn name(key: &str) -> RecordName {
    RecordName::new("t", key.as_bytes()).unwrap()
}

fn open(path: &Path) -> (SledStore, Opened) {
    SledStore::open(path, &key(), Limits::default()).unwrap()
}

/// A store in which sled was changed behind its back.
fn tampered(
    path: &Path,
    tamper: impl FnOnce(&mut Vec<Change>, &dyn Fn(&str) -> Option<Vec<u8>>),
) -> SledStore {
    let (store, _) = open(path);
    store.commit(Batch::new().put("t", "a", "old").put("t", "b", "2")).unwrap();
    let old = store.view().values.get(&name("a")).unwrap();
    store.commit(Batch::new().put("t", "a", "1")).unwrap();
    let mut changes = Vec::new();
    tamper(&mut changes, &|key| match key {
        "old a" => old.clone(),
        key => store.view().values.get(&name(key)).unwrap(),
    });
    store.view_mut().values.apply(changes).unwrap();
    store
}

#[test]
fn records_that_sled_lost_or_mixed_up_are_still_read_right() {
    type Tamper = fn(&mut Vec<Change>, &dyn Fn(&str) -> Option<Vec<u8>>);
    let ways: [(&str, Tamper); 5] = [
        ("lost", |changes, _| changes.push((name("a"), None))),
        ("nonsense", |changes, _| changes.push((name("a"), Some(b"nonsense".to_vec())))),
        ("older", |changes, stored| changes.push((name("a"), stored("old a")))),
        ("of another key", |changes, stored| changes.push((name("a"), stored("b")))),
        ("flipped", |changes, stored| {
            let mut sealed = stored("a").unwrap();
            sealed[40] ^= 1;
            changes.push((name("a"), Some(sealed)));
        }),
    ];
    for (way, tamper) in ways {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        let store = tampered(&path, tamper);
        assert_eq!(store.get("t", b"a").unwrap().as_deref(), Some(&b"1"[..]), "{way}");
        assert_eq!(store.scan("t").unwrap().len(), 2, "{way}");
        let recovered = store.recovered().unwrap();
        assert_eq!(recovered.loss, Loss::None, "{way}");
        assert!(recovered.to_string().contains("sled.damaged-1"), "{recovered}");
        store.commit(Batch::new().require_equals("t", "a", "1").put("t", "c", "3")).unwrap();
        drop(store);
        let (store, opened) = open(&path);
        assert_eq!(opened.recovered, None, "{way}");
        assert_eq!(store.scan("t").unwrap().len(), 3, "{way}");
    }
}

#[test]
fn preconditions_are_checked_against_what_was_committed() {
    let dir = tempfile::tempdir().unwrap();
    let store = tampered(&dir.path().join("store"), |changes, _| changes.push((name("a"), None)));
    let refused = store.commit(Batch::new().require_absent("t", "a").put("t", "a", "again"));
    assert!(matches!(refused, Err(CommitError::Precondition { .. })));
    assert_eq!(store.get("t", b"a").unwrap().as_deref(), Some(&b"1"[..]));
}

#[test]
fn where_the_journal_is_damaged_as_well_nothing_is_made_up() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let store = tampered(&path, |changes, _| changes.push((name("a"), None)));
    let journal = path.join(layout::journal(0));
    let mut bytes = fs::read(&journal).unwrap();
    bytes[300] ^= 1;
    fs::write(&journal, bytes).unwrap();
    assert!(matches!(store.get("t", b"a"), Err(ReadError::Damaged { .. })));
    assert!(matches!(store.get("t", b"b"), Err(ReadError::Damaged { .. })));
    assert!(matches!(store.commit(Batch::new().put("t", "c", "3")), Err(CommitError::Stopped)));
    assert_eq!(store.get("t", b"absent").unwrap(), None);
}

#[test]
fn a_record_too_many_in_sled_is_not_shown() {
    let dir = tempfile::tempdir().unwrap();
    let store = tampered(&dir.path().join("store"), |changes, stored| changes.push((name("x"), stored("b"))));
    assert_eq!(store.get("t", b"x").unwrap(), None);
    assert_eq!(store.scan("t").unwrap().len(), 2);
}
