//! Power cuts at every point of recorded runs of the store.
//!
//! A run of random batches, with snapshots and reopenings in between, is recorded on a [`disk::Disk`]. For each prefix of
//! the record the disk is made as it might be after a cut there, and the store is opened again: everything that
//! was acknowledged must be there, the batch in flight wholly or not at all, nothing may be reported as damage, and
//! the store must take commits again. The same check must fail for disks that lie about syncs.

mod disk;
mod faults;
mod openings;

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use crate::Batch;
use crate::Limits;
use crate::OpenOptions;
use crate::SledStore;
use crate::Store;
use crate::StoreKey;

use disk::Disk;
use disk::Event;
use disk::Image;
use disk::Lies;
use disk::Unsynced;

/// What the store should hold: keys and values of one table.
type Model = BTreeMap<Vec<u8>, Vec<u8>>;

const TABLE: &str = "t";
/// Small, so that a run has many rotations.
const LIMITS: Limits = Limits {
    key_bytes: 64,
    value_bytes: 4 << 10,
    batch_bytes: 16 << 10,
    journal_bytes: 2 << 10,
    total_bytes: 256 << 10,
};

fn key() -> StoreKey {
    StoreKey::from_bytes([9; 32])
}

fn open(disk: &Disk) -> (SledStore, crate::Opened) {
    try_open(disk).unwrap()
}

fn try_open(disk: &Disk) -> Result<(SledStore, crate::Opened), crate::OpenError> {
    OpenOptions::new(&key()).limits(LIMITS).open_on(Arc::new(disk.clone()), None, None)
}

fn contents(store: &SledStore) -> Model {
    store.scan(TABLE).unwrap().into_iter().collect()
}

/// splitmix64: the same choices for the same seed, on every machine.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}

/// A recorded run: the disk before it, what was asked of the disk, and the model after each commit (first: before any).
struct Run {
    before: Image,
    events: Vec<Event>,
    models: Vec<Model>,
}

fn random_batch(chance: &mut Chance, number: usize, model: &mut Model) -> Batch {
    // One record always changes, so that each commit is told from the one before.
    let number = number.to_le_bytes().to_vec();
    model.insert(b"number".to_vec(), number.clone());
    let mut batch = Batch::new().put(TABLE, "number", number);
    for _ in 0..chance.below(4) {
        let key = vec![chance.byte() % 12];
        if chance.below(3) == 0 {
            model.remove(&key);
            batch = batch.delete(TABLE, key);
        } else {
            let length = if chance.below(8) == 0 { 3000 } else { 60 };
            let value = vec![chance.byte(); usize::try_from(chance.below(length)).unwrap()];
            model.insert(key.clone(), value.clone());
            batch = batch.put(TABLE, key, value);
        }
    }
    batch
}

fn record_run(before: Image, model: Model, commits: usize, lies: Lies, chance: &mut Chance) -> Run {
    let disk = Disk::new(&before, lies);
    let mut models = vec![model];
    let mut store = open(&disk).0;
    for number in 1..=commits {
        if chance.below(10) == 0 {
            drop(store);
            store = open(&disk).0;
        }
        let mut model = models[number - 1].clone();
        let batch = random_batch(chance, number, &mut model);
        models.push(model);
        disk.note(Event::Begun(number));
        store.commit(batch).unwrap();
        disk.note(Event::Acknowledged(number));
    }
    drop(store);
    Run { before, events: disk.events(), models }
}

/// Says which model a store must hold, and which it may hold, when the power goes after `events`.
fn bounds(events: &[Event]) -> (usize, usize) {
    let (mut acknowledged, mut begun) = (0, 0);
    for event in events {
        if let Event::Begun(number) = event {
            begun = *number;
        } else if let Event::Acknowledged(number) = event {
            acknowledged = *number;
        }
    }
    (acknowledged, begun)
}

/// Opens a disk as it is after a cut and compares it with what must hold; returns the number of the model it holds.
fn check(image: &Image, run: &Run, (acknowledged, begun): (usize, usize)) -> Result<usize, String> {
    let disk = Disk::new(image, Lies::None);
    let (store, opened) = try_open(&disk).map_err(|error| format!("not opened: {error:?}"))?;
    if let Some(recovery) = opened.recovered {
        return Err(format!("damage is reported: {recovery}"));
    }
    let found = contents(&store);
    let number = (acknowledged..=begun)
        .find(|number| found == run.models[*number])
        .ok_or_else(|| format!("holds {found:?}, not commit {acknowledged} or up to {begun}"))?;
    store
        .commit(Batch::new().put(TABLE, "after", "cut"))
        .map_err(|error| format!("takes no commit: {error:?}"))?;
    drop(store);
    let (store, opened) = try_open(&disk).map_err(|error| format!("not opened again: {error:?}"))?;
    let mut expected = run.models[number].clone();
    expected.insert(b"after".to_vec(), b"cut".to_vec());
    if contents(&store) != expected || opened.recovered.is_some() {
        return Err("does not hold the commit made after the cut".to_owned());
    }
    Ok(number)
}

/// Cuts the power after every event of a run, several ways each; hands every image to `look`.
fn for_each_cut(
    run: &Run,
    tosses: usize,
    chance: &mut Chance,
    mut look: impl FnMut(&Image, (usize, usize)) -> Result<(), String>,
) -> Result<(), String> {
    for cut in 0..=run.events.len() {
        let events = &run.events[..cut];
        let mut images = vec![
            disk::after_cut(&run.before, events, Unsynced::Lost),
            disk::after_cut(&run.before, events, Unsynced::Kept),
        ];
        for _ in 0..tosses {
            let mut toss = || chance.below(2) == 0;
            images.push(disk::after_cut(&run.before, events, Unsynced::Tossed(&mut toss)));
        }
        for image in images {
            look(&image, bounds(events)).map_err(|why| format!("cut after event {cut}: {why}"))?;
        }
    }
    Ok(())
}

fn check_all(run: &Run, chance: &mut Chance) -> Result<(), String> {
    for_each_cut(run, 4, chance, |image, bounds| check(image, run, bounds).map(drop))
}

#[test]
fn acknowledged_commits_survive_every_cut() {
    for seed in 0..6 {
        let mut chance = Chance(seed);
        let run = record_run(Image::new(), Model::new(), 40, Lies::None, &mut chance);
        let snapshots = run
            .events
            .iter()
            .filter(|event| matches!(event, Event::Rename { to, .. } if to.starts_with("snapshot-")));
        assert!(snapshots.count() >= 3, "the run is long enough for snapshots");
        check_all(&run, &mut chance).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
    }
}

#[test]
fn a_cut_during_the_opening_after_a_cut_loses_nothing() {
    let mut chance = Chance(77);
    let first = record_run(Image::new(), Model::new(), 30, Lies::None, &mut chance);
    let mut images = Vec::new();
    let mut count = 0;
    for_each_cut(&first, 1, &mut chance, |image, bounds| {
        count += 1;
        if count % 9 == 0 {
            images.push((image.clone(), check(image, &first, bounds)?));
        }
        Ok(())
    })
    .unwrap();
    assert!(images.len() > 30);
    for (image, number) in images {
        let second = record_run(image, first.models[number].clone(), 3, Lies::None, &mut chance);
        check_all(&second, &mut chance).unwrap();
    }
}

#[test]
fn cut_stores_open_with_the_real_sled() {
    let mut chance = Chance(5);
    let run = record_run(Image::new(), Model::new(), 25, Lies::None, &mut chance);
    let mut count = 0;
    for_each_cut(&run, 1, &mut chance, |image, (acknowledged, begun)| {
        count += 1;
        if count % 12 != 0 {
            return Ok(());
        }
        let dir = tempfile::tempdir().unwrap();
        for (name, contents) in image {
            fs::write(dir.path().join(name), contents).unwrap();
        }
        let (store, opened) =
            SledStore::open(dir.path(), &key(), LIMITS).map_err(|error| format!("{error:?}"))?;
        let found = contents(&store);
        let is_right = (acknowledged..=begun).any(|number| found == run.models[number]);
        if is_right && opened.recovered.is_none() { Ok(()) } else { Err(format!("holds {found:?}")) }
    })
    .unwrap();
    assert!(count > 200);
}

/// The control: without these the tests above could not fail.
#[test]
fn the_check_fails_on_disks_that_lie_about_syncs() {
    for lies in [Lies::Contents, Lies::Names] {
        let mut chance = Chance(1);
        let run = record_run(Image::new(), Model::new(), 20, lies, &mut chance);
        assert!(check_all(&run, &mut chance).is_err(), "{lies:?}");
    }
}
