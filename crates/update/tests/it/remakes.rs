//! Programs of a real root, made by mkfs.erofs, remade from those of the one before.

use crate::downloads::SmallDisk;
use crate::downloads::Until;
use crate::downloads::file;
use crate::support::World;
use crate::support::home;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use update::DownloadError;
use update::Job;
use update::Outcome;
use update::Progress;
use update::Release;
use update::RemakeError;
use update::Running;
use update::Seed;
use update::Sha256;
use update::Way;
use update::publish::Archive;
use update::publish::DEFAULT_CUT;
use update::publish::LeftOut;
use update::publish::Program;
use update::publish::Remade;
use update::publish::RemakeFile;
use update::publish::SEGMENT;
use update::publish::pack;
use update::publish::remake;
use update::remake::Packing;
use update::remake::RemakeHeader;

/// As `board-configs/base.toml` has it.
const PACKING: Packing = Packing { cluster: 65_536, segment: SEGMENT, level: 12 };
const HOSTD: &str = "usr/lib/hearth/hostd";
const NETD: &str = "usr/lib/hearth/netd";

/// Something like code: blocks that repeat with other addresses in them, and a stretch that nothing compresses.
fn program(seed: u32, length: usize, moved: u32) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 8
    };
    let mut bytes = Vec::new();
    while bytes.len() < length / 2 {
        let function = next() % 300;
        for at in 0..next() % 40 {
            bytes.extend([0x48, 0x8b, (function >> 4).to_le_bytes()[0], at.to_le_bytes()[0]]);
            bytes.extend([0xe8].into_iter().chain((function * 64 + at + moved).to_le_bytes()));
        }
    }
    for _noise in 0..12_000 {
        bytes.extend((next() ^ next() << 12).to_le_bytes());
    }
    while bytes.len() < length {
        bytes.extend((next() % 5000 * 16 + moved).to_le_bytes());
    }
    bytes
}

/// The same with a piece more in the middle, which moves what comes after it.
fn changed(program: &[u8]) -> Vec<u8> {
    let (before, after) = program.split_at(program.len() / 3);
    let mut bytes = [before, b"a new function, in a program that is otherwise the same", after].concat();
    for byte in bytes.iter_mut().skip(program.len() / 3).step_by(4099) {
        *byte = byte.wrapping_add(55);
    }
    bytes
}

/// Two releases, of which the second has another hostd, in a folder with the root that runs.
struct Boxed {
    world: World,
    root: PathBuf,
    slots: [Vec<u8>; 2],
    contents: [Vec<u8>; 2],
}

fn mkfs(folder: &Path, image: &Path) -> Vec<u8> {
    let made = Command::new("mkfs.erofs")
        .args(["-zlz4hc,12", "-C65536", "-T0", "--all-root", "-x-1", "--quiet"])
        .args(["-U", "68656172-7468-4000-8000-000000000001"])
        .arg(image)
        .arg(folder)
        .output();
    let made = made.unwrap_or_else(|error| panic!("mkfs.erofs (package erofs-utils): {error}"));
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    fs::read(image).unwrap()
}

/// A slot file has more than a root.
fn around(root: &[u8]) -> Vec<u8> {
    let noise = program(9, 100_000, 0);
    [&noise[..], root, &noise[..50_000]].concat()
}

impl Boxed {
    fn new() -> Self {
        let world = World::new();
        let folder = world.folder.path().to_owned();
        let old = program(1, 700_000, 0);
        let contents = [changed(&old), old];
        let [new, old] = &contents;
        let mut slots = Vec::new();
        for (name, hostd) in [("running", old), ("next", new)] {
            let root = folder.join(name);
            fs::create_dir_all(root.join("usr/lib/hearth")).unwrap();
            fs::write(root.join(HOSTD), hostd).unwrap();
            fs::write(root.join(NETD), program(2, 300_000, 0)).unwrap();
            slots.push(around(&mkfs(&root, &folder.join("root.erofs"))));
        }
        let [second, first] = [slots.remove(1), slots.remove(0)];
        let boxed = Self { world, root: folder.join("running"), slots: [first, second], contents };
        boxed.world.add(&home(), "1", &boxed.slots[0]);
        boxed
    }

    fn remade(&self) -> RemakeFile {
        let [new, old] = &self.contents;
        let programs = [Program { path: HOSTD, old, new }];
        let Remade { file, left_out } =
            remake(&self.slots[1], &"1".parse().unwrap(), &programs, PACKING).unwrap();
        assert!(left_out.is_empty(), "{left_out:?}");
        file.unwrap()
    }

    fn release(&self, file: RemakeFile) -> Release {
        let mut archive = pack(&self.slots[1], DEFAULT_CUT).unwrap();
        archive.remakes.push(file);
        self.released("2", &archive)
    }

    fn released(&self, version: &str, archive: &Archive) -> Release {
        self.world.add_archive(&home(), version, &self.slots[1], archive);
        self.world.release(version)
    }

    fn output(&self) -> PathBuf {
        self.world.folder.path().join("slot.efi")
    }

    fn running(&self) -> Running {
        Running { version: "1".parse().unwrap(), root: self.root.clone() }
    }

    fn job<'a>(&self, release: &'a Release, source: &'a dyn update::Source) -> Job<'a> {
        let seed = Box::new(std::io::Cursor::new(self.slots[0].clone()));
        let seeds = vec![Seed { name: "seed".to_owned(), reader: seed }];
        Job { release, source, seeds, running: Some(self.running()) }
    }

    fn run(&self, release: &Release, running: Option<Running>) -> Outcome {
        let source = self.world.source();
        let job = Job { running, ..self.job(release, &source) };
        let outcome = job.run(&mut file(&self.output()), &mut Until(u32::MAX)).unwrap();
        assert!(fs::read(self.output()).unwrap() == self.slots[1]);
        outcome
    }

    /// From nothing, with what goes wrong.
    fn fails(&self, release: &Release) -> (RemakeError, Progress) {
        fs::write(self.output(), "").unwrap();
        let mut outcome = self.run(release, Some(self.running()));
        assert_eq!((outcome.way, outcome.failed_remakes.len()), (Way::Chunks, 1), "{outcome:?}");
        (outcome.failed_remakes.remove(0).error, outcome.progress)
    }

    fn remakes(&self, release: &Release) -> PathBuf {
        let (name, _remakes) = release.remakes_from(&"1".parse().unwrap()).unwrap();
        self.world.path().join(name.path())
    }
}

#[test]
fn a_changed_program_costs_its_difference() {
    let boxed = Boxed::new();
    let made = boxed.remade();
    let stored = u64::from(made.header.files[0].stored);
    let release = boxed.release(made);
    let without = boxed.run(&release, None).progress;
    assert!(without.fetched > 200_000, "{without:?}");
    fs::remove_file(boxed.output()).unwrap();
    let outcome = boxed.run(&release, Some(boxed.running()));
    assert_eq!((outcome.way, outcome.failed_remakes.len()), (Way::Chunks, 0), "{outcome:?}");
    // Chunks at both ends have bytes of other files, too.
    let remade = outcome.progress.remade;
    assert!(remade <= stored && remade + 100_000 > stored, "{remade} {stored}");
    assert!(outcome.progress.fetched < 60_000, "{outcome:?}");
    // Nothing counts twice, and everything once.
    let Progress { needed, present, remade, seeded, received, .. } = outcome.progress;
    assert_eq!(present + remade + seeded + received, needed);
    // A box of another version is not bothered.
    fs::remove_file(boxed.output()).unwrap();
    let other = Running { version: "0.9".parse().unwrap(), ..boxed.running() };
    let outcome = boxed.run(&release, Some(other));
    assert_eq!((outcome.progress, outcome.failed_remakes.len()), (without, 0));
}

#[test]
fn what_was_remade_before_counts() {
    let boxed = Boxed::new();
    let release = boxed.release(boxed.remade());
    boxed.run(&release, Some(boxed.running()));
    let mut torn = boxed.slots[1].clone();
    *torn.last_mut().unwrap() ^= 1;
    fs::write(boxed.output(), &torn).unwrap();
    // Not even the difference is fetched again.
    fs::remove_file(boxed.root.join(HOSTD)).unwrap();
    let outcome = boxed.run(&release, Some(boxed.running()));
    assert_eq!((outcome.progress.remade, outcome.failed_remakes.len()), (0, 0), "{outcome:?}");
    assert!(outcome.progress.present + 100_000 > release.length, "{outcome:?}");
}

#[test]
fn it_goes_on_from_every_cut() {
    let boxed = Boxed::new();
    let release = boxed.release(boxed.remade());
    let source = boxed.world.source();
    let mut cuts = 0;
    loop {
        let _fresh = fs::remove_file(boxed.output());
        match boxed.job(&release, &source).run(&mut file(&boxed.output()), &mut Until(cuts)) {
            Ok(_done) => break,
            Err(DownloadError::Stopped) => {}
            Err(error) => panic!("{error:?}"),
        }
        boxed.run(&release, Some(boxed.running()));
        cuts += 11;
    }
    assert!(cuts > 20, "{cuts}");
}

#[test]
fn other_files_in_the_running_root_do_no_harm() {
    let boxed = Boxed::new();
    let release = boxed.release(boxed.remade());
    let path = boxed.root.join(HOSTD);
    let right = fs::read(&path).unwrap();
    let mut flipped = right.clone();
    flipped[300_000] ^= 1;
    for other in [flipped, right[1..].to_vec(), [&right[..], &[0]].concat(), Vec::new()] {
        fs::write(&path, other).unwrap();
        let (error, progress) = boxed.fails(&release);
        assert!(matches!(error, RemakeError::OtherBase), "{error:?}");
        assert_eq!(progress.remade, 0);
    }
    fs::remove_file(&path).unwrap();
    assert!(matches!(boxed.fails(&release).0, RemakeError::Base(_)));
    std::os::unix::fs::symlink("netd", &path).unwrap();
    assert!(matches!(boxed.fails(&release).0, RemakeError::Base(_)));
    fs::remove_file(&path).unwrap();
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    assert!(matches!(boxed.fails(&release).0, RemakeError::OtherBase));
    // The difference was not even asked for.
    fs::remove_file(&path).unwrap();
    fs::write(&path, &right).unwrap();
    boxed.run(&release, Some(boxed.running()));
}

#[test]
fn broken_remakes_are_left_alone() {
    let boxed = Boxed::new();
    let release = boxed.release(boxed.remade());
    let path = boxed.remakes(&release);
    let right = fs::read(&path).unwrap();
    for at in [0, 60, right.len() - 1] {
        let mut broken = right.clone();
        broken[at] ^= 1;
        fs::write(&path, broken).unwrap();
        assert!(matches!(boxed.fails(&release).0, RemakeError::Fetch(_)), "{at}");
    }
    for end in [0, 100, right.len() - 1] {
        fs::write(&path, &right[..end]).unwrap();
        assert!(matches!(boxed.fails(&release).0, RemakeError::Fetch(_)), "{end}");
    }
    fs::remove_file(&path).unwrap();
    assert!(matches!(boxed.fails(&release).0, RemakeError::Fetch(_)));
}

/// The makers sign something else than they should: a box works in vain, and no more.
#[test]
fn remakes_that_lie_change_nothing() {
    type Edit = fn(&mut RemakeHeader, &mut Vec<u8>);
    type Judge = fn(&RemakeError) -> bool;
    let lies: [(Edit, Judge); 7] = [
        (|header, _body| header.length += 1, |error| matches!(error, RemakeError::Header(_))),
        (|header, _body| header.files.clear(), |error| matches!(error, RemakeError::Header(_))),
        (|header, _body| header.packing.level = 11, |error| matches!(error, RemakeError::OtherBytes)),
        (
            |header, _body| header.files[0].sha256 = Sha256([0; 32]),
            |error| matches!(error, RemakeError::OtherBytes),
        ),
        (
            |header, _body| {
                header.files[0].extents[0].taken += 1;
                header.files[0].extents[1].taken -= 1;
            },
            |error| matches!(error, RemakeError::OtherBytes),
        ),
        (|header, _body| header.files[0].base.length -= 1, |error| matches!(error, RemakeError::OtherBase)),
        (|_header, body| body.rotate_left(9), |error| matches!(error, RemakeError::Difference(_))),
    ];
    let boxed = Boxed::new();
    let mut archive = pack(&boxed.slots[1], DEFAULT_CUT).unwrap();
    for (at, (edit, is_right)) in lies.into_iter().enumerate() {
        archive.remakes = vec![lie(boxed.remade(), edit)];
        let release = boxed.released(&format!("2.{at}"), &archive);
        let (error, progress) = boxed.fails(&release);
        assert!(is_right(&error), "{at}: {error:?}");
        assert_eq!(progress.remade, 0, "{at}");
    }
}

/// As before, and what is made is what the makers said, only not what they packed.
#[test]
fn remakes_of_another_slot_file_are_overwritten() {
    let boxed = Boxed::new();
    let moved = lie(boxed.remade(), |header, _body| header.files[0].offset -= 4096);
    let release = boxed.release(moved);
    let outcome = boxed.run(&release, Some(boxed.running()));
    assert!(outcome.failed_remakes.is_empty(), "{outcome:?}");
    assert!(outcome.progress.fetched > 200_000, "{outcome:?}");
    let Progress { needed, present, remade, seeded, received, .. } = outcome.progress;
    assert_eq!(present + remade + seeded + received, needed);
}

fn lie(file: RemakeFile, edit: impl Fn(&mut RemakeHeader, &mut Vec<u8>)) -> RemakeFile {
    let RemakeFile { mut header, bytes, mut remakes } = file;
    let mut body = bytes[usize::try_from(remakes.header_length).unwrap()..].to_vec();
    edit(&mut header, &mut body);
    if let Some(file) = header.files.first_mut() {
        file.body_sha256 = Sha256::of(&body);
    }
    let mut bytes = header.encode();
    (remakes.header_length, remakes.header_sha256) = (bytes.len() as u64, Sha256::of(&bytes));
    bytes.extend(body);
    remakes.length = bytes.len() as u64;
    RemakeFile { header, bytes, remakes }
}

#[test]
fn a_disk_that_is_full_ends_it() {
    let boxed = Boxed::new();
    let release = boxed.release(boxed.remade());
    let source = boxed.world.source();
    let mut disk = SmallDisk { file: file(&boxed.output()), left: 100_000 };
    let error = boxed.job(&release, &source).run(&mut disk, &mut Until(u32::MAX)).unwrap_err();
    assert!(matches!(error, DownloadError::Full { .. }), "{error:?}");
}

#[test]
fn what_does_not_come_out_is_left_out() {
    let boxed = Boxed::new();
    let [new, old] = &boxed.contents;
    let out = |slot: &[u8], program: Program<'_>, packing: Packing| {
        let Remade { file, left_out } = remake(slot, &"1".parse().unwrap(), &[program], packing).unwrap();
        assert!(file.is_none());
        left_out[0].1
    };
    let slot = &boxed.slots[1];
    let program = Program { path: HOSTD, old, new };
    assert_eq!(out(&boxed.slots[0], program, PACKING), LeftOut::Packed);
    assert_eq!(out(slot, program, Packing { level: 11, ..PACKING }), LeftOut::Packed);
    assert_eq!(out(slot, program, Packing { cluster: 32_768, ..PACKING }), LeftOut::Packed);
    assert_eq!(out(slot, Program { old: &[], ..program }, PACKING), LeftOut::Length);
    assert_eq!(out(slot, Program { new: &[], ..program }, PACKING), LeftOut::Length);
    assert_eq!(out(slot, Program { path: "usr/lib/../hostd", ..program }, PACKING), LeftOut::Path);
    let noise: Vec<u8> = (0..9000_u32).flat_map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let other = Program { old: &noise, ..program };
    let alone = remake(slot, &"1".parse().unwrap(), &[other], PACKING).unwrap().file;
    let (alone, made) = (alone.map(|file| file.bytes.len()), boxed.remade().bytes.len());
    assert!(alone.is_none_or(|length| length > made * 5), "{alone:?} {made}");
    remake(slot, &"1".parse().unwrap(), &[program], Packing { cluster: 1, ..PACKING }).unwrap_err();
}

/// A root may be changed in more than one place.
#[test]
fn several_programs_are_remade() {
    let boxed = Boxed::new();
    let [new, old] = &boxed.contents;
    let netd = fs::read(boxed.root.join(NETD)).unwrap();
    let older = changed(&netd);
    let programs = [Program { path: NETD, old: &older, new: &netd }, Program { path: HOSTD, old, new }];
    let made = remake(&boxed.slots[1], &"1".parse().unwrap(), &programs, PACKING).unwrap().file.unwrap();
    assert_eq!(made.header.files.len(), 2);
    let stored: u64 = made.header.files.iter().map(|file| u64::from(file.stored)).sum();
    fs::write(boxed.root.join(NETD), &older).unwrap();
    let release = boxed.release(made);
    let source = boxed.world.source();
    let job = Job { seeds: Vec::new(), ..boxed.job(&release, &source) };
    let outcome = job.run(&mut file(&boxed.output()), &mut Until(u32::MAX)).unwrap();
    assert!(outcome.failed_remakes.is_empty(), "{outcome:?}");
    assert!(fs::read(boxed.output()).unwrap() == boxed.slots[1]);
    assert!(outcome.progress.remade + 200_000 > stored, "{outcome:?}");
}
