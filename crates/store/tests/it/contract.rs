//! What every store must do, the fake as well as the real one.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use store::Batch;
use store::CommitError;
use store::KeyValue;
use store::Limits;
use store::MemoryStore;
use store::OpenError;
use store::ReadError;
use store::SledStore;
use store::Store;
use store::StoreKey;

fn key() -> StoreKey {
    StoreKey::from_bytes([7; 32])
}

fn open(path: &Path, limits: Limits) -> SledStore {
    SledStore::open(path, &key(), limits).unwrap().0
}

/// Runs a check on both kinds of store.
fn on_each(limits: Limits, check: impl Fn(Arc<dyn Store>)) {
    check(Arc::new(MemoryStore::with_limits(limits)));
    let dir = tempfile::tempdir().unwrap();
    check(Arc::new(open(&dir.path().join("store"), limits)));
}

fn pair(key: &str, value: &str) -> KeyValue {
    (key.into(), value.into())
}

#[test]
fn commits_are_read_back_in_order_of_keys() {
    on_each(Limits::default(), |store| {
        let first =
            store.commit(Batch::new().put("t", "b", "2").put("t", "a", "1").put("u", "c", "3")).unwrap();
        assert_eq!(store.scan("t").unwrap(), [pair("a", "1"), pair("b", "2")]);
        assert_eq!(store.get("u", b"c").unwrap().as_deref(), Some(&b"3"[..]));
        assert_eq!(store.get("u", b"a").unwrap(), None);
        assert_eq!(store.scan("empty").unwrap(), []);
        let second = store.commit(Batch::new().delete("t", "b").put("t", "a", "")).unwrap();
        assert!(second > first);
        assert_eq!(store.scan("t").unwrap(), [pair("a", "")]);
    });
}

#[test]
fn a_batch_that_changes_nothing_keeps_the_generation() {
    on_each(Limits::default(), |store| {
        let generation = store.commit(Batch::new().put("t", "a", "1")).unwrap();
        assert_eq!(store.commit(Batch::new()).unwrap(), generation);
        assert_eq!(store.commit(Batch::new().delete("t", "b")).unwrap(), generation);
        assert_eq!(store.commit(Batch::new().require_equals("t", "a", "1")).unwrap(), generation);
    });
}

#[test]
fn a_precondition_that_fails_changes_nothing() {
    on_each(Limits::default(), |store| {
        store.commit(Batch::new().put("t", "a", "1")).unwrap();
        let attempts = [
            Batch::new().require_absent("t", "a"),
            Batch::new().require_equals("t", "a", "2"),
            Batch::new().require_equals("t", "b", "1"),
            Batch::new().require_equals("t", "b", ""),
        ];
        for attempt in attempts {
            let refused = store.commit(attempt.put("t", "a", "changed").put("t", "c", "new"));
            assert!(matches!(refused, Err(CommitError::Precondition { .. })));
        }
        assert_eq!(store.scan("t").unwrap(), [pair("a", "1")]);
        store
            .commit(Batch::new().require_absent("t", "b").require_equals("t", "a", "1").put("t", "b", "2"))
            .unwrap();
        assert_eq!(store.scan("t").unwrap(), [pair("a", "1"), pair("b", "2")]);
    });
}

#[test]
fn of_racing_set_ups_one_wins() {
    on_each(Limits::default(), |store| {
        let winners: Vec<_> = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..8u8)
                .map(|number| {
                    let store = Arc::clone(&store);
                    scope.spawn(move || {
                        let batch = Batch::new().require_absent("t", "owner").put("t", "owner", [number]);
                        store.commit(batch).is_ok().then_some(number)
                    })
                })
                .collect();
            racers.into_iter().filter_map(|racer| racer.join().unwrap()).collect()
        });
        assert_eq!(winners.len(), 1);
        assert_eq!(store.get("t", b"owner").unwrap(), Some(winners));
    });
}

#[test]
fn refuses_what_is_too_large_and_goes_on() {
    let limits = Limits { total_bytes: 600, ..Limits::default() };
    on_each(limits, |store| {
        store.commit(Batch::new().put("t", "a", [1; 200])).unwrap();
        let full = store.commit(Batch::new().put("t", "b", [1; 500]));
        assert!(matches!(full, Err(CommitError::StoreFull { limit: 600, .. })));
        let long = store.commit(Batch::new().put("t", "b", vec![1; (1 << 20) + 1]));
        assert!(matches!(long, Err(CommitError::ValueTooLong { limit: 1_048_576, .. })));
        assert_eq!(store.get("t", b"b").unwrap(), None);
        store.commit(Batch::new().delete("t", "a")).unwrap();
        store.commit(Batch::new().put("t", "b", [1; 300])).unwrap();
    });
}

#[test]
fn refuses_tables_without_a_proper_name() {
    on_each(Limits::default(), |store| {
        assert!(matches!(store.get("", b"a"), Err(ReadError::InvalidTable { .. })));
        assert!(matches!(store.scan("a/b"), Err(ReadError::InvalidTable { .. })));
        assert!(matches!(
            store.commit(Batch::new().put("T", "a", "1")),
            Err(CommitError::InvalidTable { .. })
        ));
    });
}

#[test]
fn a_fake_disk_that_is_full_changes_nothing() {
    let store = MemoryStore::new();
    store.set_disk_full(true);
    assert!(matches!(store.commit(Batch::new().put("t", "a", "1")), Err(CommitError::Write { .. })));
    assert_eq!(store.get("t", b"a").unwrap(), None);
    store.set_disk_full(false);
    store.commit(Batch::new().put("t", "a", "1")).unwrap();
}

#[test]
fn everything_is_there_after_opening_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let mut generation = None;
    for round in 0..4u8 {
        let (store, opened) = SledStore::open(&path, &key(), Limits::default()).unwrap();
        assert_eq!(opened.recovered, None);
        assert_eq!(opened.generation.get(), u64::from(round));
        assert!(generation.is_none_or(|generation| generation == opened.generation));
        assert_eq!(store.scan("t").unwrap().len(), usize::from(round));
        generation = Some(store.commit(Batch::new().put("t", [round], [round; 1000])).unwrap());
    }
}

#[test]
fn a_long_journal_gives_way_to_a_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let limits = Limits { journal_bytes: 4 << 10, ..Limits::default() };
    let store = open(&path, limits);
    for number in 0..200u8 {
        store.commit(Batch::new().put("t", [number % 10], [number; 300])).unwrap();
    }
    let names: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let count = |prefix: &str| names.iter().filter(|name| name.to_str().unwrap().starts_with(prefix)).count();
    assert_eq!((count("journal-"), count("snapshot-")), (2, 2), "{names:?}");
    drop(store);
    let store = open(&path, limits);
    let expected: Vec<_> = (0..10u8).map(|key| (vec![key], vec![190 + key; 300])).collect();
    assert_eq!(store.scan("t").unwrap(), expected);
}

#[test]
fn one_process_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let store = open(&path, Limits::default());
    assert!(matches!(SledStore::open(&path, &key(), Limits::default()), Err(OpenError::InUse { .. })));
    drop(store);
    open(&path, Limits::default());
}

#[test]
fn another_key_is_refused_and_does_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    open(&path, Limits::default()).commit(Batch::new().put("t", "a", "1")).unwrap();
    let other = StoreKey::from_bytes([8; 32]);
    assert!(matches!(SledStore::open(&path, &other, Limits::default()), Err(OpenError::WrongKey)));
    let (store, opened) = SledStore::open(&path, &key(), Limits::default()).unwrap();
    assert_eq!(opened.recovered, None);
    assert_eq!(store.scan("t").unwrap(), [pair("a", "1")]);
}

#[test]
fn values_are_not_on_the_disk_in_clear() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let secret = b"correct horse battery staple";
    let limits = Limits { journal_bytes: 1 << 10, ..Limits::default() };
    let store = open(&path, limits);
    for number in 0..50u8 {
        store.commit(Batch::new().put("t", [number], secret)).unwrap();
    }
    drop(store);
    let mut files = 0;
    for folder in [path.clone(), path.join("sled")] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                files += 1;
                let bytes = fs::read(&path).unwrap();
                assert!(!bytes.windows(secret.len()).any(|window| window == secret), "{}", path.display());
            }
        }
    }
    assert!(files >= 6, "journals, snapshots, sled's files: {files}");
}
