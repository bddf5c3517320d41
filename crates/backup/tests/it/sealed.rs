//! Private files: in the repository, and of no use to whoever has its key.

use crate::world::DAY;
use crate::world::NOON;
use crate::world::World;
use crate::world::files;
use crate::world::noise;
use backup::ArchiveKey;
use backup::BackUpError;
use backup::Cancel;
use backup::Control;
use backup::Depth;
use backup::DrillError;
use backup::Drilling;
use backup::Exclude;
use backup::Keep;
use backup::Observer;
use backup::Pick;
use backup::Progress;
use backup::Report;
use backup::Request;
use backup::Restoring;
use backup::SealedFolder;
use backup::Series;
use backup::Source;
use backup::UnsealError;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

const NAME: &str = "a letter to nobody else";
const MARKER: &[u8] = b"marker 3f77 that the kit must not open";

struct Vault {
    world: World,
    key: ArchiveKey,
}

impl Vault {
    fn new() -> Self {
        let vault = Self { world: World::new(), key: ArchiveKey::generate().unwrap() };
        fs::create_dir_all(vault.world.at("vault/below")).unwrap();
        vault.world.put(&format!("vault/{NAME}"), MARKER);
        vault.world.put("vault/photo", &noise(4, 900_000));
        vault.world.put("vault/below/50% deep", b"deep");
        vault.world.put("vault/empty", b"");
        vault.world.put("vault/.aside-1", b"half a file");
        vault
    }

    fn series() -> Series {
        Series::Private { archive: "anna".to_owned() }
    }

    fn try_save(&self, now: u64, keep: Option<Keep>, control: &Control) -> Result<Report, BackUpError> {
        let source = Source {
            name: "anna".to_owned(),
            path: self.world.at("vault"),
            exclude: vec![Exclude::Name(".aside-*".to_owned())],
            key: Some(self.key.clone()),
        };
        let request = Request { series: Self::series(), sources: vec![source], keep, now };
        backup::back_up(&self.world.owner, &self.world.target, &request, &self.world.scratch(), control)
    }

    fn save(&self, now: u64) -> Report {
        self.try_save(now, None, &Control::default()).unwrap()
    }

    fn restore(&self, name: &str) -> PathBuf {
        let into = self.world.at(name);
        fs::create_dir(&into).unwrap();
        let restoring =
            Restoring { series: Self::series(), snapshot: Pick::Newest, into: into.clone(), owners: false };
        backup::restore(&self.world.owner, &self.world.target, &restoring, &Control::default()).unwrap();
        into.join("files/anna")
    }

    fn drill(&self, key: Option<ArchiveKey>) -> Result<backup::DrillReport, DrillError> {
        let drilling = Drilling { series: Self::series(), snapshot: Pick::Newest, key };
        let (owner, target) = (&self.world.owner, &self.world.target);
        backup::drill(owner, target, &drilling, &self.world.scratch(), NOON, &Control::default())
    }

    /// Names, contents and times as they are.
    fn live(&self) -> BTreeMap<String, (Vec<u8>, std::time::SystemTime)> {
        let names = [NAME, "photo", "below/50% deep", "empty"];
        let told = names.map(|name| {
            let path = self.world.at("vault").join(name);
            (name.to_owned(), (fs::read(&path).unwrap(), fs::metadata(&path).unwrap().modified().unwrap()))
        });
        told.into()
    }
}

fn opened(folder: &SealedFolder) -> BTreeMap<String, (Vec<u8>, std::time::SystemTime)> {
    let open = |file: &backup::SealedFile| {
        let mut content = Vec::new();
        folder.unseal(file, &mut content).unwrap();
        let (seconds, nanoseconds) = file.modified;
        let since = std::time::Duration::new(seconds.try_into().unwrap(), nanoseconds.try_into().unwrap());
        let name = file.real_path().unwrap().to_str().unwrap().to_owned();
        (name, (content, std::time::UNIX_EPOCH + since))
    };
    folder.files().iter().map(open).collect()
}

#[test]
fn private_files_come_back_with_their_key_and_show_nothing_without() {
    let vault = Vault::new();
    let household = vault.world.back_up(NOON);
    let report = vault.save(NOON);
    // Four files and the list of them.
    assert_eq!((report.files, report.unchanged, report.left_out.len()), (5, 0, 0));
    let folder = vault.restore("sealed");
    let names: Vec<_> = files(&folder);
    assert_eq!(names.len(), 5);
    for path in names {
        let content = fs::read(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(!name.contains("letter") && !name.contains("photo"), "{name}");
        assert!(!content.windows(8).any(|window| MARKER.windows(8).any(|plain| plain == window)));
    }
    assert_eq!(opened(&SealedFolder::open(&folder, &vault.key).unwrap()), vault.live());
    SealedFolder::open(&folder, &ArchiveKey::generate().unwrap()).unwrap_err();

    // The household's own snapshots are what they were, and all are checked together.
    let listed =
        backup::list(&vault.world.owner, &vault.world.target, &Series::Household, &Control::default());
    assert_eq!(listed.unwrap().snapshots, [household.snapshot]);
    let found =
        backup::verify(&vault.world.owner, &vault.world.target, Depth::Everything, &Control::default());
    let found = found.unwrap();
    assert!(found.is_sound() && found.snapshots == 2, "{found:?}");
}

#[test]
fn what_is_unchanged_is_neither_read_nor_stored_again_also_after_a_restore() {
    let vault = Vault::new();
    let first = vault.save(NOON);
    let second = vault.save(NOON + DAY);
    assert_eq!((second.files, second.unchanged), (5, 5));
    assert!(first.written > 900_000 && second.written < 20_000, "{} {}", first.written, second.written);

    // Written anew with the same content and time: read again, and stored once.
    let photo = vault.world.at("vault/photo");
    let modified = fs::metadata(&photo).unwrap().modified().unwrap();
    vault.world.put("vault/copy", &noise(4, 900_000));
    fs::rename(vault.world.at("vault/copy"), &photo).unwrap();
    fs::File::options().write(true).open(&photo).unwrap().set_modified(modified).unwrap();
    let third = vault.save(NOON + 2 * DAY);
    assert_eq!((third.files, third.unchanged), (5, 4));
    assert!(third.written < 20_000, "{}", third.written);

    vault.world.put(&format!("vault/{NAME}"), b"another text of another day");
    let fourth = vault.save(NOON + 3 * DAY);
    assert_eq!((fourth.files, fourth.unchanged), (5, 3), "that one, and the list");
    assert!(fourth.written < 30_000, "{}", fourth.written);
    let folder = vault.restore("sealed");
    assert_eq!(opened(&SealedFolder::open(&folder, &vault.key).unwrap()), vault.live());
}

#[test]
fn retention_goes_by_series() {
    let vault = Vault::new();
    let keep = Some(Keep { last: 1, daily: 0, weekly: 0, monthly: 0 });
    let saved = vault.save(NOON);
    for day in 1..4 {
        let request = vault.world.request(NOON + day * DAY, keep);
        let scratch = vault.world.scratch();
        let (owner, target) = (&vault.world.owner, &vault.world.target);
        backup::back_up(owner, target, &request, &scratch, &Control::default()).unwrap();
    }
    let list = |series| backup::list(&vault.world.owner, &vault.world.target, &series, &Control::default());
    assert_eq!(list(Series::Household).unwrap().snapshots.len(), 1);
    assert_eq!(
        list(Vault::series()).unwrap().snapshots,
        [saved.snapshot],
        "a closed vault keeps its last one"
    );
    let folder = vault.restore("sealed");
    assert_eq!(opened(&SealedFolder::open(&folder, &vault.key).unwrap()), vault.live());
    let newer = vault.try_save(NOON + 9 * DAY, keep, &Control::default()).unwrap();
    assert_eq!(list(Vault::series()).unwrap().snapshots, [newer.snapshot]);
}

#[test]
fn what_was_taken_away_put_in_or_exchanged_is_told() {
    let vault = Vault::new();
    vault.save(NOON);
    let folder = vault.restore("sealed");
    let sealed = SealedFolder::open(&folder, &vault.key).unwrap();
    let of = |name: &str| sealed.files().iter().find(|file| file.path == name).unwrap().clone();
    let (photo, letter) = (of("photo"), of(NAME));
    let lengths = |file: &backup::SealedFile| if file.bytes == 0 { 56 } else { file.bytes };
    let place = |file: &backup::SealedFile| {
        let longer = |path: &&PathBuf| {
            let length = fs::metadata(path).unwrap().len();
            !path.to_str().unwrap().contains("list-")
                && (lengths(file)..lengths(file) + 500).contains(&length)
        };
        files(&folder).iter().find(longer).unwrap().clone()
    };
    let (photo_at, letter_at) = (place(&photo), place(&letter));
    let good = fs::read(&photo_at).unwrap();
    let open = |file| sealed.unseal(file, &mut Vec::new());
    let letter_bytes = fs::read(&letter_at).unwrap();
    fs::write(&photo_at, &letter_bytes).unwrap();
    assert!(matches!(open(&photo), Err(UnsealError::Damaged)), "another file in its place");
    let mut flipped = good.clone();
    flipped[500_000] ^= 4;
    fs::write(&photo_at, &flipped).unwrap();
    assert!(matches!(open(&photo), Err(UnsealError::Damaged)));
    fs::write(&photo_at, &good[..good.len() - 1]).unwrap();
    assert!(matches!(open(&photo), Err(UnsealError::Damaged)));
    fs::remove_file(&photo_at).unwrap();
    assert!(matches!(open(&photo), Err(UnsealError::Missing)));
    open(&letter).unwrap();

    let list = files(&folder).into_iter().find(|path| path.to_str().unwrap().contains("list-")).unwrap();
    let good = fs::read(&list).unwrap();
    for bad in [&good[..good.len() - 1], &letter_bytes, b""] {
        fs::write(&list, bad).unwrap();
        SealedFolder::open(&folder, &vault.key).unwrap_err();
    }
    fs::remove_file(&list).unwrap();
    assert!(matches!(
        SealedFolder::open(&folder, &vault.key).unwrap_err(),
        backup::SealedFolderError::NoList
    ));
}

#[test]
fn a_list_is_made_shorter_wherever_the_power_goes() {
    let vault = Vault::new();
    vault.save(NOON);
    let folder = vault.restore("sealed");
    let mut sealed = SealedFolder::open(&folder, &vault.key).unwrap();
    let old = files(&folder).into_iter().find(|path| path.to_str().unwrap().contains("list-")).unwrap();
    let old_list = fs::read(&old).unwrap();
    let left: Vec<_> = sealed.files().iter().filter(|file| file.path == "photo").cloned().collect();
    sealed.keep_only(left.clone()).unwrap();
    assert_eq!(SealedFolder::open(&folder, &vault.key).unwrap().files(), left);
    fs::write(&old, old_list).unwrap();
    let again = SealedFolder::open(&folder, &vault.key).unwrap();
    assert_eq!(again.files(), left, "the older list won");
    sealed.remove(&left[0]).unwrap();
    sealed.remove(&left[0]).unwrap();
}

#[test]
fn a_drill_proves_them_without_the_key_and_opens_them_with_it() {
    let vault = Vault::new();
    vault.save(NOON);
    assert_eq!(vault.drill(None).unwrap().files, 5);
    assert_eq!(vault.drill(Some(vault.key.clone())).unwrap().files, 5);
    let foreign = vault.drill(Some(ArchiveKey::generate().unwrap())).unwrap_err();
    assert!(matches!(foreign, DrillError::Sealed(_)), "{foreign:?}");
    assert!(!vault.world.at("scratch/drill").exists());
}

/// Changes a file once the backup has found it.
struct Meddler(PathBuf);

impl Observer for Meddler {
    fn progress(&self, progress: &Progress) {
        if progress.phase == backup::Phase::Counting {
            fs::write(self.0.join("late"), b"x").unwrap();
        } else {
            fs::remove_file(self.0.join("photo")).ok();
        }
    }
}

#[test]
fn what_changes_meanwhile_makes_no_snapshot_and_the_next_one_is_whole() {
    let vault = Vault::new();
    for number in 0..20 {
        vault.world.put(&format!("vault/{number}"), &noise(number, 3000));
    }
    let control =
        Control { observer: Some(Arc::new(Meddler(vault.world.at("vault")))), ..Control::default() };
    // The photo is the first or the last to be read, as its name comes; when it was read before, it is whole.
    match vault.try_save(NOON, None, &control) {
        Err(BackUpError::Changed) => {}
        other => assert_eq!(other.unwrap().files, 26),
    }
    vault.save(NOON + 1);
    let folder = vault.restore("sealed");
    let sealed = SealedFolder::open(&folder, &vault.key).unwrap();
    assert_eq!(opened(&sealed).len(), 24);
}

#[test]
fn a_part_is_stopped_by_itself_or_with_the_whole() {
    let vault = Vault::new();
    let whole = Cancel::new();
    let part = whole.of_a_part();
    part.cancel();
    let control = |cancel: &Cancel| Control { cancel: cancel.clone(), observer: None };
    assert!(matches!(vault.try_save(NOON, None, &control(&part)), Err(BackUpError::Cancelled)));
    assert!(!whole.is_cancelled() && !whole.of_a_part().is_cancelled());
    vault.try_save(NOON, None, &control(&whole)).unwrap();
    whole.cancel();
    assert!(whole.of_a_part().is_cancelled());
}
