use crate::world::DAY;
use crate::world::NOON;
use crate::world::World;
use crate::world::noise;
use backup::BackUpError;
use backup::Control;
use backup::Depth;
use backup::Drilling;
use backup::Keep;
use backup::LeftOut;
use backup::Observer;
use backup::Pick;
use backup::Progress;
use backup::RestoreError;
use backup::Restoring;
use backup::Retention;
use backup::Series;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::sync::Mutex;

#[test]
fn what_was_saved_comes_back_the_same() {
    let world = World::new();
    let report = world.back_up(NOON);
    assert_eq!((report.files, report.unchanged), (5, 0));
    assert_eq!(report.bytes, 3_205_008);
    let restored = world.restore(Pick::Newest, "restored").unwrap();
    assert_eq!((restored.files, restored.bytes), (5, 3_205_008));
    assert_eq!(restored.snapshot.taken, NOON);
    assert_eq!(world.restored("restored"), world.live());
}

#[test]
fn names_of_any_bytes_come_back() {
    let world = World::new();
    let mut names: Vec<Vec<u8>> =
        vec![b"\xff\xfe".to_vec(), b"50%".to_vec(), "größe".into(), b"a\nb\"c\\d\te".to_vec()];
    names.extend((1..=255_u8).filter(|byte| *byte != b'/').map(|byte| vec![b'x', byte, b'y']));
    for name in &names {
        fs::write(world.at("home").join(OsStr::from_bytes(name)), name).unwrap();
    }
    let report = world.back_up(NOON);
    assert_eq!(report.files, 5 + names.len() as u64);
    // Also when the names are matched with those of the parent.
    assert_eq!(world.back_up(NOON + DAY).unchanged, report.files);
    world.restore(Pick::Newest, "restored").unwrap();
    assert_eq!(world.restored("restored"), world.live());
}

#[test]
fn the_second_backup_reads_and_writes_only_what_changed() {
    let world = World::new();
    let first = world.back_up(NOON);
    world.put("home/letter.txt", b"Dear none");
    world.put("home/new", &noise(9, 100_000));
    fs::remove_file(world.at("home/photos/dog.jpg")).unwrap();
    let second = world.back_up(NOON + DAY);
    assert_eq!((second.files, second.unchanged), (5, 3));
    assert!(second.written < 200_000 && first.written > 3_000_000, "{} {}", first.written, second.written);
    world.restore(Pick::Newest, "new").unwrap();
    assert_eq!(world.restored("new"), world.live());
    world.restore(Pick::Id(first.snapshot.id), "old").unwrap();
    assert_eq!(fs::read(world.at("old/files/home/letter.txt")).unwrap(), b"Dear all");
}

#[test]
fn what_cannot_be_saved_is_told() {
    let world = World::new();
    std::os::unix::fs::symlink("/etc/passwd", world.at("home/out")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(world.at("home/socket")).unwrap();
    let report = world.back_up(NOON);
    assert_eq!(
        report.left_out.into_iter().collect::<Vec<_>>(),
        [(LeftOut::Special, 1), (LeftOut::LinkLeads, 1)]
    );
    assert!(report.named.contains(&(LeftOut::LinkLeads, "files/home/out".to_owned())));
    world.restore(Pick::Newest, "restored").unwrap();
    assert!(!world.restored("restored").contains_key("home/out"));
}

#[test]
fn old_snapshots_go_and_the_rest_stays_whole() {
    let world = World::new();
    let keep = Keep { last: 2, daily: 0, weekly: 0, monthly: 0 };
    for day in 0..4 {
        world.put("home/diary", &noise(day, 50_000));
        let request = world.request(NOON + day * DAY, Some(keep));
        let report =
            backup::back_up(&world.owner, &world.target, &request, &world.scratch(), &Control::default())
                .unwrap();
        let removed = u64::from(day >= 2);
        assert!(
            matches!(report.retention, Retention::Removed(count) if count == removed),
            "{:?}",
            report.retention
        );
    }
    let listing = backup::list(&world.owner, &world.target, &Series::Household, &Control::default()).unwrap();
    let taken: Vec<u64> = listing.snapshots.iter().map(|snapshot| snapshot.taken).collect();
    assert_eq!(taken, [NOON + 2 * DAY, NOON + 3 * DAY]);
    let found = backup::verify(&world.owner, &world.target, Depth::Everything, &Control::default()).unwrap();
    assert!(found.is_sound() && found.snapshots == 2, "{found:?}");
}

#[test]
fn slices_read_everything_between_them() {
    let world = World::new();
    world.back_up(NOON);
    let pack = crate::world::files(&world.at("repository/data"))
        .into_iter()
        .max_by_key(|path| fs::metadata(path).unwrap().len());
    let pack = pack.unwrap();
    let mut content = fs::read(&pack).unwrap();
    content[1000] ^= 1;
    fs::write(&pack, content).unwrap();
    let verify = |depth| backup::verify(&world.owner, &world.target, depth, &Control::default()).unwrap();
    assert!(verify(Depth::Structure).is_sound());
    assert!(!verify(Depth::Everything).is_sound());
    let found = (0..10).filter(|part| !verify(Depth::Slice { part: *part, of: 10 }).is_sound()).count();
    assert_eq!(found, 1);
}

#[test]
fn a_drill_proves_a_backup_and_leaves_nothing() {
    let world = World::new();
    world.back_up(NOON);
    let scratch = world.scratch();
    for pick in [Pick::Newest, Pick::Random(u64::MAX)] {
        let drilling = Drilling { series: Series::Household, snapshot: pick, key: None };
        let report =
            backup::drill(&world.owner, &world.target, &drilling, &scratch, NOON + 5, &Control::default())
                .unwrap();
        assert_eq!((report.files, report.bytes, report.held), (5, 3_205_008, NOON + 5));
    }
    assert!(!world.at("scratch/drill").exists());
}

#[test]
fn nothing_is_restored_over_something() {
    let world = World::new();
    world.back_up(NOON);
    let restoring = Restoring {
        series: Series::Household,
        snapshot: Pick::Newest,
        into: world.at("home"),
        owners: false,
    };
    let error = backup::restore(&world.owner, &world.target, &restoring, &Control::default()).unwrap_err();
    assert!(matches!(error, RestoreError::NotEmpty { .. }));
    let before = world.live();
    std::os::unix::fs::symlink(world.at("home"), world.at("link")).unwrap();
    let restoring = Restoring {
        series: Series::Household,
        snapshot: Pick::Newest,
        into: world.at("link"),
        owners: false,
    };
    let error = backup::restore(&world.owner, &world.target, &restoring, &Control::default()).unwrap_err();
    assert!(matches!(error, RestoreError::Folder { .. }));
    assert_eq!(world.live(), before);
    let missing = world.restore(Pick::Id("ab".repeat(32)), "empty").unwrap_err();
    assert!(matches!(missing, RestoreError::NoSnapshot { .. }));
}

struct Stopper {
    control: Mutex<Option<backup::Cancel>>,
    seen: Mutex<Vec<Progress>>,
}

impl Observer for Stopper {
    fn progress(&self, progress: &Progress) {
        self.seen.lock().unwrap().push(progress.clone());
        if progress.bytes > 1_000_000
            && let Some(cancel) = &*self.control.lock().unwrap()
        {
            cancel.cancel();
        }
    }
}

#[test]
fn a_cancelled_backup_leaves_no_snapshot_and_the_next_works() {
    let world = World::new();
    let observer = Arc::new(Stopper { control: Mutex::default(), seen: Mutex::default() });
    let control = Control { observer: Some(observer.clone()), ..Control::default() };
    *observer.control.lock().unwrap() = Some(control.cancel.clone());
    let request = world.request(NOON, None);
    let error =
        backup::back_up(&world.owner, &world.target, &request, &world.scratch(), &control).unwrap_err();
    assert!(matches!(error, BackUpError::Cancelled), "{error:?}");
    let listing = backup::list(&world.owner, &world.target, &Series::Household, &Control::default()).unwrap();
    assert_eq!(listing.snapshots, []);
    world.back_up(NOON + 1);
    world.restore(Pick::Newest, "restored").unwrap();
    assert_eq!(world.restored("restored"), world.live());
}

#[test]
fn progress_reaches_its_totals() {
    let world = World::new();
    let observer = Arc::new(Stopper { control: Mutex::default(), seen: Mutex::default() });
    let control = Control { observer: Some(observer.clone()), ..Control::default() };
    backup::back_up(&world.owner, &world.target, &world.request(NOON, None), &world.scratch(), &control)
        .unwrap();
    let seen = observer.seen.lock().unwrap();
    let last = seen
        .iter()
        .filter(|progress| progress.phase == backup::Phase::Saving)
        .max_by_key(|one| one.files)
        .unwrap();
    assert_eq!((last.files, last.bytes), (5, 3_205_008));
    assert_eq!((last.files_total, last.bytes_total), (5, 3_205_008));
}

#[test]
fn a_manifest_as_long_as_the_last_one_is_its_own() {
    let world = World::new();
    world.back_up(NOON);
    world.put("home/letter.txt", b"Dear few");
    world.back_up(NOON);
    world.restore(Pick::Newest, "restored").unwrap();
    let mut first = world.restored("restored");
    if first != world.live() {
        // Both were taken in the same second; the other one is the newer then.
        world.restore(Pick::Random(0), "other").unwrap();
        first = world.restored("other");
    }
    assert_eq!(first, world.live());
}
