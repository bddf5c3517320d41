//! Slot files put together from what is there.

use crate::support::World;
use crate::support::slot;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Cursor;
use std::path::Path;
use update::DownloadError;
use update::Flow;
use update::Job;
use update::Name;
use update::Outcome;
use update::Output;
use update::Progress;
use update::Release;
use update::Seed;
use update::Source;
use update::Watch;
use update::Way;

const LENGTH: usize = 600_000;

/// Stops after so many reports.
pub(crate) struct Until(pub(crate) u32);

impl Watch for Until {
    fn progress(&mut self, progress: &Progress) -> Flow {
        let Progress { needed, present, remade, seeded, received, .. } = *progress;
        assert!(present + remade + seeded + received <= needed, "{progress:?}");
        if self.0 == 0 {
            return Flow::Stop;
        }
        self.0 -= 1;
        Flow::Go
    }
}

pub(crate) fn file(path: &Path) -> File {
    File::options().read(true).write(true).create(true).truncate(false).open(path).unwrap()
}

pub(crate) fn run(
    release: &Release,
    source: &dyn Source,
    seeds: &[Vec<u8>],
    path: &Path,
) -> Result<Outcome, DownloadError> {
    let seeds = seeds
        .iter()
        .map(|seed| Seed { name: "seed".to_owned(), reader: Box::new(Cursor::new(seed.clone())) });
    Job { release, source, seeds: seeds.collect(), running: None }.run(&mut file(path), &mut Until(u32::MAX))
}

fn world() -> (World, Release, std::path::PathBuf) {
    let world = World::with(&[("1", 1), ("2", 2)]);
    let release = world.release("2");
    let path = world.folder.path().join("slot.efi");
    (world, release, path)
}

#[test]
fn only_what_is_missing_is_fetched() {
    let (world, release, path) = world();
    let outcome = run(&release, &world.source(), &[slot(1, LENGTH)], &path).unwrap();
    assert!(fs::read(&path).unwrap() == slot(2, LENGTH));
    assert_eq!(outcome.way, Way::Chunks);
    assert!(outcome.progress.fetched < 80_000, "{outcome:?}");
    assert!(outcome.progress.seeded > 500_000, "{outcome:?}");
    // Again: nothing is fetched.
    let again = run(&release, &world.source(), &[], &path).unwrap();
    assert_eq!((again.progress.fetched, again.requests), (0, 0));
}

#[test]
fn a_box_without_seeds_gets_all_of_it() {
    let (world, release, path) = world();
    let outcome = run(&release, &world.source(), &[], &path).unwrap();
    assert!(fs::read(&path).unwrap() == slot(2, LENGTH));
    assert_eq!(outcome.progress.seeded, 0);
    assert!(outcome.progress.fetched <= release.length, "{outcome:?}");
}

#[test]
fn seeds_of_any_content_do_no_harm() {
    let (world, release, path) = world();
    let seeds = [Vec::new(), vec![0; 1 << 20], slot(1, 100_000), slot(9, LENGTH)];
    run(&release, &world.source(), &seeds, &path).unwrap();
    assert!(fs::read(&path).unwrap() == slot(2, LENGTH));
}

#[test]
fn it_goes_on_from_every_cut() {
    let (world, release, path) = world();
    let mut cuts = 0;
    let mut fetched = Vec::new();
    loop {
        let _fresh = fs::remove_file(&path);
        let seeds = vec![Seed { name: "seed".to_owned(), reader: Box::new(Cursor::new(slot(1, 300_000))) }];
        let job = Job { release: &release, source: &world.source(), seeds, running: None };
        match job.run(&mut file(&path), &mut Until(cuts)) {
            Ok(_done) => break,
            Err(DownloadError::Stopped) => {}
            Err(error) => panic!("{error:?}"),
        }
        let outcome = run(&release, &world.source(), &[], &path).unwrap();
        assert!(fs::read(&path).unwrap() == slot(2, LENGTH), "cut {cuts}");
        fetched.push(outcome.progress.fetched);
        cuts += 1;
    }
    assert!(cuts > 10, "{cuts}");
    assert!(fetched.last() < fetched.first(), "what was there counted");
}

#[test]
fn a_torn_output_is_repaired() {
    let (world, release, path) = world();
    run(&release, &world.source(), &[], &path).unwrap();
    for at in [0, 123_456, LENGTH - 1] {
        let mut bytes = fs::read(&path).unwrap();
        bytes[at] ^= 1;
        bytes.truncate(LENGTH - at % 7);
        fs::write(&path, &bytes).unwrap();
        let outcome = run(&release, &world.source(), &[], &path).unwrap();
        assert!(fs::read(&path).unwrap() == slot(2, LENGTH));
        assert!(outcome.progress.present > 400_000, "{outcome:?}");
    }
    fs::write(&path, vec![0; LENGTH * 2]).unwrap();
    run(&release, &world.source(), &[], &path).unwrap();
    assert!(fs::read(&path).unwrap() == slot(2, LENGTH));
}

#[test]
fn without_chunks_all_of_it_comes_and_goes_on() {
    let (world, release, path) = world();
    let (archive, _chunks) = release.archive().unwrap();
    fs::remove_file(world.path().join(archive.path())).unwrap();
    let outcome = run(&release, &world.source(), &[slot(1, LENGTH)], &path).unwrap();
    assert_eq!((outcome.way, outcome.progress.fetched), (Way::Full, release.length));
    let whole = fs::read(&path).unwrap();
    for keep in [1, 100_000, LENGTH - 1] {
        fs::write(&path, &whole[..keep]).unwrap();
        let outcome = run(&release, &world.source(), &[], &path).unwrap();
        assert_eq!(outcome.progress.fetched, (LENGTH - keep) as u64);
        assert!(fs::read(&path).unwrap() == whole);
    }
    // What is there is wrong: once more from the beginning.
    fs::write(&path, vec![9; 1000]).unwrap();
    run(&release, &world.source(), &[], &path).unwrap();
    assert!(fs::read(&path).unwrap() == whole);
}

#[test]
fn swapped_and_broken_chunks_are_never_written() {
    let (world, release, path) = world();
    let (archive, chunks) = release.archive().unwrap();
    let archive = world.path().join(archive.path());
    let good = fs::read(&archive).unwrap();
    let header = usize::try_from(chunks.header_length).unwrap();
    let mut swapped = good.clone();
    swapped[header..].rotate_left(20_000);
    let mut broken = good.clone();
    *broken.last_mut().unwrap() ^= 1;
    for bad in [swapped, broken] {
        fs::write(&archive, &bad).unwrap();
        let error = run(&release, &world.source(), &[], &path).unwrap_err();
        assert!(matches!(error, DownloadError::WrongBytes { .. }), "{error:?}");
        assert!(error.is_worth_retrying());
        assert!(fs::metadata(&path).unwrap().len() <= release.length);
    }
    // A broken header: the slot file itself is asked for.
    let mut broken = good;
    broken[40] ^= 1;
    fs::write(&archive, &broken).unwrap();
    fs::remove_file(&path).unwrap();
    assert_eq!(run(&release, &world.source(), &[], &path).unwrap().way, Way::Full);
    // And that one is wrong as well.
    let slot_path = world.path().join(release.slot().path());
    fs::write(&slot_path, slot(3, LENGTH)).unwrap();
    fs::remove_file(&path).unwrap();
    let error = run(&release, &world.source(), &[], &path).unwrap_err();
    assert!(matches!(error, DownloadError::WrongBytes { .. }), "{error:?}");
    for longer in [LENGTH + 1, LENGTH - 1] {
        fs::write(&slot_path, slot(2, longer)).unwrap();
        fs::write(&path, "").unwrap();
        run(&release, &world.source(), &[], &path).unwrap_err();
        assert!(fs::metadata(&path).unwrap().len() <= release.length);
    }
}

/// A disk that is full after so many bytes.
pub(crate) struct SmallDisk {
    pub(crate) file: File,
    pub(crate) left: u64,
}

impl Output for SmallDisk {
    fn length(&mut self) -> io::Result<u64> {
        self.file.length()
    }
    fn reserve(&mut self, _length: u64) -> io::Result<()> {
        Ok(())
    }
    fn set_length(&mut self, length: u64) -> io::Result<()> {
        self.file.set_length(length)
    }
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        Output::read_at(&mut self.file, offset, buffer)
    }
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or(io::ErrorKind::StorageFull)?;
        Output::write_at(&mut self.file, offset, bytes)
    }
    fn sync(&mut self) -> io::Result<()> {
        self.file.sync()
    }
}

#[test]
fn a_full_disk_is_told_and_what_is_there_stays() {
    let (world, release, path) = world();
    let source = world.source();
    for left in [0, 100_000, 500_000] {
        let mut disk = SmallDisk { file: file(&path), left };
        let job = Job { release: &release, source: &source, seeds: Vec::new(), running: None };
        let error = job.run(&mut disk, &mut Until(u32::MAX)).unwrap_err();
        assert!(matches!(error, DownloadError::Full { .. }), "{error:?}");
    }
    let outcome = run(&release, &source, &[], &path).unwrap();
    assert!(outcome.progress.present > 300_000, "{outcome:?}");
}

/// Whoever is asked for anything but what was signed would be told by its name.
#[test]
fn names_are_made_of_hashes() {
    let (_world, release, _path) = world();
    assert!(matches!(release.slot(), Name::Slot { sha256, .. } if sha256 == release.sha256));
    assert!(release.slot().path().starts_with(&format!("targets/x86_64/stable/{}.", release.sha256)));
}
