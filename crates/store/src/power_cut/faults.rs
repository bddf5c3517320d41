//! Disks that are full or fail.

use super::Batch;
use super::Disk;
use super::Image;
use super::Lies;
use super::Model;
use super::Store;
use super::TABLE;
use super::contents;
use super::disk::Faults;
use super::disk::Unsynced;
use super::disk::after_cut;
use super::open;
use crate::CommitError;

fn put(key: &str, length: usize) -> Batch {
    Batch::new().put(TABLE, key, vec![1; length])
}

fn used(disk: &Disk) -> usize {
    disk.image().values().map(Vec::len).sum()
}

#[test]
fn a_full_disk_changes_nothing_and_is_got_over() {
    // Every amount of room, so that the writes break off at every place.
    for room in (0..900).step_by(7) {
        let disk = Disk::new(&Image::new(), Lies::None);
        let store = open(&disk).0;
        store.commit(put("a", 100)).unwrap();
        let before = contents(&store);
        disk.set_faults(Faults { room: Some(used(&disk) + room), ..Faults::default() });
        let refused = store.commit(put("b", 1000));
        assert!(matches!(refused, Err(CommitError::Write { .. })), "room {room}: {refused:?}");
        assert_eq!(contents(&store), before);
        drop(store);
        let (store, opened) = open(&disk);
        assert_eq!((contents(&store), opened.recovered), (before, None), "room {room}");
        disk.set_faults(Faults { room: Some(used(&disk)), ..Faults::default() });
        store.commit(put("b", 1000)).unwrap_err();
        disk.set_faults(Faults::default());
        store.commit(put("b", 1000)).unwrap();
        let expected = contents(&store);
        drop(store);
        assert_eq!(contents(&open(&disk).0), expected);
    }
}

#[test]
fn no_room_for_a_snapshot_delays_it() {
    let disk = Disk::new(&Image::new(), Lies::None);
    let store = open(&disk).0;
    let mut expected = Model::new();
    // The journal and the record for a while fit, the snapshot does not.
    for number in 0..12u8 {
        let key = format!("{}", number % 3);
        disk.set_faults(Faults { room: Some(used(&disk) + 700), ..Faults::default() });
        store.commit(put(&key, 300)).unwrap();
        expected.insert(key.into_bytes(), vec![1; 300]);
    }
    assert!(disk.image().keys().all(|name| !name.starts_with("snapshot-")), "{:?}", disk.image().keys());
    disk.set_faults(Faults::default());
    for _ in 0..20 {
        store.commit(put("0", 300)).unwrap();
    }
    assert!(disk.image().keys().any(|name| name.starts_with("snapshot-")));
    drop(store);
    let (store, opened) = open(&disk);
    assert_eq!((contents(&store), opened.recovered), (expected, None));
}

#[test]
fn a_journal_that_can_never_be_replaced_stops_growing() {
    let disk = Disk::new(&Image::new(), Lies::None);
    let store = open(&disk).0;
    let refused = (0..1000).find_map(|_| {
        // Enough for the next frame, never for a snapshot.
        disk.set_faults(Faults { room: Some(used(&disk) + 520), ..Faults::default() });
        store.commit(put("0", 300)).err()
    });
    assert!(matches!(refused, Some(CommitError::Write { .. })), "{refused:?}");
    let longest = disk.image().values().map(Vec::len).max().unwrap();
    assert!(longest < 5 * (2 << 10), "{longest}");
    disk.set_faults(Faults::default());
    drop(store);
    let (store, opened) = open(&disk);
    assert_eq!((contents(&store).len(), opened.recovered), (1, None));
}

#[test]
fn after_an_unconfirmed_sync_the_store_takes_no_commits_until_opened_again() {
    let disk = Disk::new(&Image::new(), Lies::None);
    let store = open(&disk).0;
    store.commit(put("a", 10)).unwrap();
    disk.set_faults(Faults { fail_sync: true, ..Faults::default() });
    assert!(matches!(store.commit(put("b", 10)), Err(CommitError::Unconfirmed { .. })));
    assert_eq!(store.get(TABLE, b"b").unwrap(), None);
    assert!(matches!(store.commit(put("c", 10)), Err(CommitError::Stopped)));
    drop(store);
    let (store, opened) = open(&disk);
    assert_eq!(opened.recovered, None);
    store.commit(put("c", 10)).unwrap();
    let keys: Vec<_> = contents(&store).into_keys().collect();
    assert_eq!(keys.first().map(Vec::as_slice), Some(&b"a"[..]));
    assert_eq!(keys.last().map(Vec::as_slice), Some(&b"c"[..]));
}

#[test]
fn a_torn_append_that_cannot_be_cut_off_stops_the_store() {
    let disk = Disk::new(&Image::new(), Lies::None);
    let store = open(&disk).0;
    store.commit(put("a", 10)).unwrap();
    disk.set_faults(Faults { room: Some(used(&disk) + 100), fail_set_length: true, ..Faults::default() });
    assert!(matches!(store.commit(put("b", 1000)), Err(CommitError::Write { .. })));
    disk.set_faults(Faults::default());
    assert!(matches!(store.commit(put("c", 10)), Err(CommitError::Stopped)));
    drop(store);
    let torn = used(&disk);
    let (store, opened) = open(&disk);
    assert_eq!((contents(&store).len(), opened.recovered), (1, None));
    assert!(used(&disk) < torn, "the torn tail is cut off");
}

#[test]
fn what_was_found_at_opening_is_on_the_disk_from_then_on() {
    let disk = Disk::new(&Image::new(), Lies::None);
    let store = open(&disk).0;
    disk.set_faults(Faults { fail_sync: true, ..Faults::default() });
    assert!(matches!(store.commit(put("a", 10)), Err(CommitError::Unconfirmed { .. })));
    drop(store);
    let found = contents(&open(&disk).0);
    assert_eq!(found.len(), 1, "still in the page cache");
    let cut = after_cut(&Image::new(), &disk.events(), Unsynced::Lost);
    assert_eq!(contents(&open(&Disk::new(&cut, Lies::None)).0), found);
}
