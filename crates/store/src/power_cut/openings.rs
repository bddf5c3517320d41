//! Power cuts while stores are anchored, get a new key, or are made from an export.

use std::error::Error;
use std::sync::Arc;
use std::sync::Mutex;

use super::Chance;
use super::Image;
use super::LIMITS;
use super::Lies;
use super::Model;
use super::Run;
use super::TABLE;
use super::contents;
use super::disk::Disk;
use super::disk::Event;
use super::disk::Faults;
use super::disk::Unsynced;
use super::disk::after_cut;
use super::for_each_cut;
use super::key;
use super::random_batch;
use crate::Anchor;
use crate::AnchorError;
use crate::Batch;
use crate::KeyUsed;
use crate::OpenError;
use crate::OpenOptions;
use crate::Opened;
use crate::RotateKeyError;
use crate::Sealing;
use crate::SledStore;
use crate::Store;
use crate::StoreKey;
use crate::export;

/// A counter in a TPM beside the disk, whose every step is recorded in the order of the disk's events.
struct Counter {
    disk: Disk,
    number: Mutex<Option<u64>>,
}

impl Anchor for Counter {
    fn read(&self) -> Result<Option<u64>, AnchorError> {
        Ok(*self.number.lock().unwrap())
    }

    fn advance_to(&self, number: u64) -> Result<(), AnchorError> {
        let mut present = self.number.lock().unwrap();
        while present.is_none_or(|present| present < number) {
            let next = present.map_or(6, |present| present + 1);
            *present = Some(next);
            self.disk.note(Event::Anchored(next));
        }
        Ok(())
    }
}

fn open_anchored(disk: &Disk, number: Option<u64>) -> Result<(SledStore, Opened), OpenError> {
    let counter = Counter { disk: disk.clone(), number: Mutex::new(number) };
    let key = key();
    OpenOptions::new(&key).limits(LIMITS).anchor(&counter).open_on(Arc::new(disk.clone()), None, None)
}

/// Where the counter stands after some events.
fn anchored(events: &[Event]) -> Option<u64> {
    let last = events.iter().rev();
    last.filter_map(|event| if let Event::Anchored(number) = event { Some(*number) } else { None }).next()
}

#[test]
fn no_cut_is_taken_for_an_older_copy_and_every_older_copy_is_noticed() {
    for seed in 0..3 {
        let mut chance = Chance(seed);
        let disk = Disk::new(&Image::new(), Lies::None);
        let mut models = vec![Model::new()];
        // The folder as it was after each opening was over.
        let mut copies = Vec::new();
        for _ in 0..5 {
            let store = open_anchored(&disk, anchored(&disk.events())).unwrap().0;
            for _ in 0..chance.below(8) {
                let number = models.len();
                let mut model = models[number - 1].clone();
                let batch = random_batch(&mut chance, number, &mut model);
                models.push(model);
                disk.note(Event::Begun(number));
                store.commit(batch).unwrap();
                disk.note(Event::Acknowledged(number));
            }
            drop(store);
            copies.push((disk.events().len(), disk.image()));
        }
        let run = Run { before: Image::new(), events: disk.events(), models };
        // After every event, with everything unsynced lost, kept or tossed.
        for cut in 0..=run.events.len() {
            let events = &run.events[..cut];
            let number = anchored(events);
            let (acknowledged, begun) = super::bounds(events);
            let mut toss = || chance.below(2) == 0;
            for unsynced in [Unsynced::Lost, Unsynced::Kept, Unsynced::Tossed(&mut toss)] {
                let disk = Disk::new(&after_cut(&run.before, events, unsynced), Lies::None);
                let (store, opened) = open_anchored(&disk, number)
                    .unwrap_or_else(|error| panic!("seed {seed}, cut {cut}: {error:?}"));
                assert_eq!(opened.recovered, None, "seed {seed}, cut {cut}");
                let found = contents(&store);
                let is_right = (acknowledged..=begun).any(|number| found == run.models[number]);
                assert!(is_right, "seed {seed}, cut {cut}");
                // From here on every copy of an opening before is behind.
                let number = anchored(&disk.events());
                for (_, image) in copies.iter().filter(|(over, _)| *over <= cut) {
                    let older = open_anchored(&Disk::new(image, Lies::None), number);
                    assert!(matches!(older, Err(OpenError::RolledBack { .. })), "seed {seed}, cut {cut}");
                }
            }
        }
    }
}

fn new_key() -> StoreKey {
    StoreKey::from_bytes([10; 32])
}

fn open_with_both(disk: &Disk) -> Result<(SledStore, Opened), OpenError> {
    let (key, next) = (key(), new_key());
    OpenOptions::new(&key).next_key(&next).limits(LIMITS).open_on(Arc::new(disk.clone()), None, None)
}

/// A run in which the store gets its new key after half of the commits.
fn record_rotation(lies: Lies, chance: &mut Chance) -> Run {
    let disk = Disk::new(&Image::new(), lies);
    let store = super::open(&disk).0;
    let mut models = vec![Model::new()];
    for number in 1..=24 {
        let mut model = models[number - 1].clone();
        let batch = random_batch(chance, number, &mut model);
        models.push(model);
        disk.note(Event::Begun(number));
        store.commit(batch).unwrap();
        disk.note(Event::Acknowledged(number));
        if number == 12 {
            store.rotate_key(&new_key()).unwrap();
        }
    }
    drop(store);
    Run { before: Image::new(), events: disk.events(), models }
}

/// Opens a disk with both keys and checks that it holds what was acknowledged; returns which key it has.
fn check_rotation(
    image: &Image,
    run: &Run,
    (acknowledged, begun): (usize, usize),
) -> Result<KeyUsed, String> {
    let disk = Disk::new(image, Lies::None);
    let (store, opened) = open_with_both(&disk).map_err(|error| format!("not opened: {error:?}"))?;
    if let Some(recovery) = opened.recovered {
        return Err(format!("damage is reported: {recovery}"));
    }
    let found = contents(&store);
    let number = (acknowledged..=begun).find(|number| found == run.models[*number]);
    number.ok_or_else(|| format!("holds {found:?}, not commit {acknowledged} or up to {begun}"))?;
    store.commit(Batch::new().put(TABLE, "after", "cut")).map_err(|error| format!("{error:?}"))?;
    // The change can be made, or made again.
    store.rotate_key(&new_key()).map_err(|error| format!("no new key: {error:?}"))?;
    let expected = contents(&store);
    drop(store);
    let key = new_key();
    let (store, opened_again) = OpenOptions::new(&key)
        .limits(LIMITS)
        .open_on(Arc::new(disk.clone()), None, None)
        .map_err(|error| format!("not opened with the new key: {error:?}"))?;
    if contents(&store) != expected || opened_again.recovered.is_some() {
        return Err("does not hold what it held before the change".to_owned());
    }
    if disk.image().keys().any(|name| name.contains('/')) {
        return Err("a folder is left aside".to_owned());
    }
    Ok(opened.key)
}

#[test]
fn a_cut_while_the_key_changes_leaves_one_whole_store() {
    for seed in 0..3 {
        let mut chance = Chance(seed);
        let run = record_rotation(Lies::None, &mut chance);
        let (mut present, mut next) = (0, 0);
        for_each_cut(&run, 3, &mut chance, |image, bounds| {
            match check_rotation(image, &run, bounds)? {
                KeyUsed::Present => present += 1,
                KeyUsed::Next => next += 1,
            }
            Ok(())
        })
        .unwrap_or_else(|why| panic!("seed {seed}: {why}"));
        assert!(present > 20 && next > 20, "{present} {next}");
    }
}

/// The control: without these the test above could not fail.
#[test]
fn the_check_of_the_change_fails_on_disks_that_lie_about_syncs() {
    for lies in [Lies::Contents, Lies::Names] {
        let mut chance = Chance(1);
        let run = record_rotation(lies, &mut chance);
        let checked =
            for_each_cut(&run, 3, &mut chance, |image, bounds| check_rotation(image, &run, bounds).map(drop));
        assert!(checked.is_err(), "{lies:?}");
    }
}

#[test]
fn no_room_for_the_change_leaves_the_old_key_and_nothing_aside() {
    for room in (0..1500).step_by(30) {
        let disk = Disk::new(&Image::new(), Lies::None);
        let store = super::open(&disk).0;
        store.commit(Batch::new().put(TABLE, "a", [1; 2000])).unwrap();
        let used: usize = disk.image().values().map(Vec::len).sum();
        disk.set_faults(Faults { room: Some(used + room), ..Faults::default() });
        let refused = store.rotate_key(&new_key());
        assert!(matches!(refused, Err(RotateKeyError::Write { .. })), "room {room}: {refused:?}");
        disk.set_faults(Faults::default());
        assert!(disk.image().keys().all(|name| !name.contains('/')));
        store.commit(Batch::new().put(TABLE, "b", "2")).unwrap();
        let expected = contents(&store);
        drop(store);
        assert_eq!(contents(&super::open(&disk).0), expected);
    }
}

#[test]
fn a_change_that_is_not_confirmed_stops_the_store_until_it_is_opened_with_both_keys() {
    let disk = Disk::new(&Image::new(), Lies::None);
    let store = super::open(&disk).0;
    store.commit(Batch::new().put(TABLE, "a", "1")).unwrap();
    disk.set_faults(Faults { fail_sync_beside: true, ..Faults::default() });
    assert!(matches!(store.rotate_key(&new_key()), Err(RotateKeyError::Unconfirmed { .. })));
    assert_eq!(store.get(TABLE, b"a").unwrap().as_deref(), Some(&b"1"[..]));
    store.commit(Batch::new().put(TABLE, "b", "2")).unwrap_err();
    assert!(matches!(store.rotate_key(&new_key()), Err(RotateKeyError::Stopped)));
    drop(store);
    for unsynced in [Unsynced::Lost, Unsynced::Kept] {
        let image = after_cut(&Image::new(), &disk.events(), unsynced);
        let (store, opened) = open_with_both(&Disk::new(&image, Lies::None)).unwrap();
        assert_eq!((contents(&store).len(), opened.recovered), (1, None));
    }
}

#[test]
fn a_cut_during_an_import_leaves_an_empty_folder_or_the_whole_store() -> Result<(), Box<dyn Error>> {
    let source = super::open(&Disk::new(&Image::new(), Lies::None)).0;
    for number in 0..20u8 {
        source.commit(Batch::new().put(TABLE, [number], [number; 90]))?;
    }
    let (backup_key, key) = (new_key(), key());
    let sealing = Sealing { key: &backup_key, store: "hostd" };
    let mut bytes = Vec::new();
    source.export(&sealing, &mut bytes)?;
    let (keys, state) = export::check(&key, LIMITS, &sealing, &mut bytes.as_slice())?;
    let disk = Disk::new(&Image::new(), Lies::None);
    let medium: Arc<dyn crate::medium::Medium> = Arc::new(disk.clone());
    export::place(&medium, &keys, LIMITS, &state)?;
    let (mut empty, mut whole) = (0, 0);
    let run = Run { before: Image::new(), events: disk.events(), models: Vec::new() };
    for_each_cut(&run, 4, &mut Chance(3), |image, _| {
        let (store, opened) = super::open(&Disk::new(image, Lies::None));
        let found = contents(&store);
        if opened.recovered.is_some() || !(found.is_empty() || found == contents(&source)) {
            return Err(format!("{found:?}"));
        }
        if found.is_empty() {
            empty += 1;
        } else {
            whole += 1;
        }
        Ok(())
    })?;
    assert!(empty > 5 && whole > 1, "{empty} {whole}");
    Ok(())
}
