//! A store gets a new key while it is used.

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use store::Batch;
use store::KeyUsed;
use store::MemoryAnchor;
use store::OpenError;
use store::OpenOptions;
use store::SledStore;
use store::Store;
use store::StoreKey;

use crate::sample::LIMITS;
use crate::sample::contents;
use crate::sample::copy;

fn key(number: u8) -> StoreKey {
    StoreKey::from_bytes([number; 32])
}

fn filled(path: &Path) -> SledStore {
    let (store, _) = SledStore::open(path, &key(1), LIMITS).unwrap();
    for number in 0..40u8 {
        store.commit(Batch::new().put("t", [number % 9], [number; 200])).unwrap();
    }
    store
}

#[test]
fn the_new_key_opens_everything_and_the_old_one_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let store = filled(&path);
    let older = dir.path().join("older");
    copy(&path, &older);
    let expected = contents(&store);
    store.rotate_key(&key(2)).unwrap();
    assert_eq!(contents(&store), expected);
    store.commit(Batch::new().put("t", "after", "1").require_absent("t", "after")).unwrap();
    let expected = contents(&store);
    assert!(matches!(SledStore::open(&path, &key(2), LIMITS), Err(OpenError::InUse { .. })), "still locked");
    drop(store);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing is left aside");
    assert!(matches!(SledStore::open(&path, &key(1), LIMITS), Err(OpenError::WrongKey)));
    let (store, opened) = SledStore::open(&path, &key(2), LIMITS).unwrap();
    assert_eq!((contents(&store), opened.recovered, store.recovered()), (expected, None, None));
    drop(store);
    // What somebody kept of the old files needs the old key.
    assert!(matches!(SledStore::open(&older, &key(2), LIMITS), Err(OpenError::WrongKey)));
    for file in ["journal-", "snapshot-"] {
        let old = fs::read_dir(&older).unwrap().map(|entry| entry.unwrap());
        for old in old.filter(|entry| entry.file_name().to_str().unwrap().starts_with(file)) {
            fs::copy(old.path(), path.join(old.file_name())).unwrap();
        }
    }
    let (_, opened) = SledStore::open(&path, &key(2), LIMITS).unwrap();
    assert!(opened.recovered.is_none_or(|recovered| recovered.loss == store::Loss::None));
}

#[test]
fn commits_and_reads_go_on_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let store = filled(&path);
    let is_over = AtomicBool::new(false);
    let written = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut written = 0u32;
            while !is_over.load(Ordering::Relaxed) {
                written += 1;
                store.commit(Batch::new().put("n", "number", written.to_le_bytes())).unwrap();
            }
            written
        });
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                assert_eq!(store.scan("t").unwrap().len(), 9);
            }
        });
        for number in 2..8 {
            store.rotate_key(&key(number)).unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
        writer.join().unwrap()
    });
    assert_eq!(store.recovered(), None);
    drop(store);
    let (store, _) = SledStore::open(&path, &key(7), LIMITS).unwrap();
    assert_eq!(store.get("n", b"number").unwrap().unwrap(), written.to_le_bytes());
}

#[test]
fn either_key_opens_and_says_which_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let store = filled(&path);
    let open = |present: u8, next: u8| {
        OpenOptions::new(&key(present))
            .next_key(&key(next))
            .limits(LIMITS)
            .open(&path)
            .map(|(_, opened)| opened.key)
    };
    drop(store);
    assert_eq!(open(1, 2).unwrap(), KeyUsed::Present);
    let (store, _) = SledStore::open(&path, &key(1), LIMITS).unwrap();
    store.rotate_key(&key(2)).unwrap();
    drop(store);
    assert_eq!(open(1, 2).unwrap(), KeyUsed::Next);
    assert!(matches!(open(1, 3), Err(OpenError::WrongKey)));
}

#[test]
fn the_epoch_goes_along() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let anchor = MemoryAnchor::new(9);
    let older = dir.path().join("older");
    let open = |path: &Path, number: u8| OpenOptions::new(&key(number)).anchor(&anchor).open(path);
    let (store, _) = open(&path, 1).unwrap();
    store.rotate_key(&key(2)).unwrap();
    drop(store);
    copy(&path, &older);
    assert_eq!(open(&path, 2).unwrap().1.recovered, None);
    assert!(matches!(open(&older, 2), Err(OpenError::RolledBack { .. })));
}
