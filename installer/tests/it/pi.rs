//! A Raspberry Pi whose partitions are folders, and its firmware after what is documented of it. Cuts that lose what was not synced are looked
//! at by `crates/slots`, which explores every state.

use std::fs;
use std::fs::File;
use std::path::Path;

use installer::approve::Approve;
use installer::approve::Approved;
use installer::approve::Hash;
use installer::approve::NotApproved;
use installer::approve::Wanted;
use installer::esp::Content;
use installer::look;
use installer::notebook::Notebook;
use installer::pi::Partitions;
use installer::places::Places;
use installer::seen::Seen;
use installer::site;
use installer::verb::Verb;
use installer::work;
use installer::work::Outcome;
use installer::work::WorkError;
use model::report::BootReport;
use model::update::SlotStanding;
use model::update::SlotsReport;
use model::update::UpdateOrder;
use model::update::UpdateOrigin;
use slots::Event;
use slots::Order;
use slots::Words;
use slots::pi;
use slots::pi::Autoboot;
use slots::pi::Side;
use slots::pi::archive;
use tempfile::TempDir;

const BOARD: &str = "rpi4";
const FILES: [&str; 3] = ["cmdline.txt", "initrd", "vmlinuz"];

struct Pi {
    folder: TempDir,
    places: Places,
}

struct Signed(Approved);

impl Approve for Signed {
    fn approve(&self, _places: &Places, _wanted: &Wanted<'_>) -> Result<Approved, NotApproved> {
        Ok(self.0.clone())
    }
}

fn content(version: &str, name: &str) -> Vec<u8> {
    format!("{name} of {version} ").bytes().cycle().take(30_000).collect()
}

/// An archive with these files.
fn archive_of(version: &str, board: &str, files: &[&str]) -> Vec<u8> {
    let (label, board) = (format!("{version}\n"), format!("{board}\n"));
    let mut all = vec![(pi::LABEL, label.into_bytes()), (archive::BOARD, board.into_bytes())];
    all.extend(files.iter().map(|name| (*name, content(version, name))));
    all.push(("TRAILER!!!", Vec::new()));
    let mut bytes = Vec::new();
    for ((name, content), number) in all.iter().zip(1_usize..) {
        let mode = if *name == "TRAILER!!!" { 0 } else { 0o100_000 | archive::PERMISSIONS };
        bytes.extend(
            format!("070701{number:08X}{mode:08X}{:016X}{:08X}{:08X}{:08X}", 0, 1, 0, content.len()).bytes(),
        );
        bytes.extend(format!("{:032X}{:08X}{:08X}{name}\0", 0, name.len() + 1, 0).bytes());
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(content);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn approved(version: &str, bytes: &[u8]) -> Approved {
    Approved {
        version: version.parse().unwrap(),
        board: BOARD.to_owned(),
        length: bytes.len().try_into().unwrap(),
        sha256: Hash::of(bytes),
        // Whatever the metadata says of loaders: there is none.
        loader: Some("999".to_owned()),
    }
}

impl Pi {
    /// Version 1 on side A is committed and runs.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let places = Places {
            esp: at("esp"),
            efivars: at("efivars"),
            pstore: at("pstore"),
            updates: at("updates"),
            trust: at("trust"),
            state: at("state"),
            run: at("run"),
            boot_report: at("boot.json"),
            device_tree: at("tree"),
            sides: at("sides"),
            tryboot: at("tryboot"),
        };
        let it = Self { folder, places };
        let places = &it.places;
        for path in
            [&places.esp, &places.updates, &places.state, &places.run, &places.device_tree, &places.tryboot]
        {
            fs::create_dir(path).unwrap();
        }
        for side in [Side::A, Side::B] {
            fs::create_dir_all(places.side(side)).unwrap();
        }
        fs::create_dir(places.esp.join("hearth")).unwrap();
        let report = BootReport { board: BOARD.to_owned(), ..BootReport::default() };
        fs::write(&places.boot_report, serde_json::to_vec(&report).unwrap()).unwrap();
        fs::write(places.esp.join(pi::FILE), Autoboot { committed: Side::A }.to_string()).unwrap();
        it.fill(Side::A, "1");
        assert_eq!(it.starts(false).as_deref(), Some("1"));
        it
    }

    fn fill(&self, side: Side, version: &str) {
        let folder = self.places.side(side);
        for name in FILES {
            fs::write(folder.join(name), content(version, name)).unwrap();
        }
        fs::write(folder.join(archive::BOARD), format!("{BOARD}\n")).unwrap();
        fs::write(folder.join(pi::LABEL), format!("{version}\n")).unwrap();
    }

    /// The version whose files a side has, all of them whole.
    fn whole(&self, side: Side) -> Option<String> {
        let folder = self.places.side(side);
        let first = String::from_utf8(fs::read(folder.join("vmlinuz")).ok()?).ok()?;
        let version = first.split(' ').nth(2)?.to_owned();
        let is_whole =
            |name: &&str| fs::read(folder.join(name)).is_ok_and(|found| found == content(&version, name));
        FILES.iter().all(is_whole).then_some(version)
    }

    /// The firmware: goes by `autoboot.txt`, or takes the first partition that starts; what it cannot load leads to the committed side. Then
    /// it tells what it did. The flag is gone with that.
    fn starts(&self, has_flag: bool) -> Option<String> {
        let autoboot =
            fs::read(self.places.esp.join(pi::FILE)).ok().and_then(|file| Autoboot::decode(&file).ok());
        let committed = autoboot.map_or(Side::A, |autoboot| autoboot.committed);
        let wanted = if has_flag { committed.other() } else { committed };
        let side = if self.whole(wanted).is_some() { wanted } else { committed };
        let number = |name: &str, number: u32| {
            fs::write(self.places.device_tree.join(name), number.to_be_bytes()).unwrap();
        };
        number("partition", side.partition());
        number("tryboot", u32::from(has_flag));
        self.whole(side)
    }

    fn download(&self, version: &str) -> Signed {
        let bytes = archive_of(version, BOARD, &FILES);
        fs::write(self.places.download(), &bytes).unwrap();
        Signed(approved(version, &bytes))
    }

    fn run(&self, verb: &Verb, signed: &Signed) -> Result<Outcome, WorkError> {
        work::run(&self.places, verb, signed)
    }

    fn does(&self, verb: &Verb) -> Outcome {
        self.run(verb, &Signed(approved("0", b""))).unwrap()
    }

    fn installs(&self, version: &str) {
        self.run(&install(version), &self.download(version)).unwrap();
    }

    fn report(&self) -> SlotsReport {
        serde_json::from_slice(&fs::read(self.places.report()).unwrap()).unwrap()
    }

    fn problem(&self) -> String {
        self.report().last.unwrap().problem.unwrap()
    }

    fn has(&self, side: Side, name: &str) -> bool {
        self.places.side(side).join(name).exists()
    }

    /// An update from what is there now, to its end.
    fn lives(&self, version: &str) {
        self.does(&Verb::Booted);
        self.installs(version);
        assert_eq!(self.report().armed.as_deref(), Some(version));
        assert_eq!(self.does(&Verb::Restart), Outcome::TryOther);
        assert_eq!(self.starts(true).as_deref(), Some(version));
        self.does(&Verb::Booted);
        assert_eq!(self.report().running.unwrap().standing, SlotStanding::OnTrial);
        self.does(&Verb::Confirmed);
        assert_eq!(self.starts(false).as_deref(), Some(version));
        self.does(&Verb::Booted);
        let running = self.report().running.unwrap();
        assert_eq!((running.version.as_str(), running.standing), (version, SlotStanding::Kept));
    }
}

fn install(version: &str) -> Verb {
    Verb::Install {
        version: version.parse().unwrap(),
        order: UpdateOrder::Automatic,
        origin: UpdateOrigin::Network,
    }
}

#[test]
fn updates_are_written_tried_and_kept_on_one_side_after_the_other() {
    let it = Pi::new();
    fs::write(it.places.side(Side::B).join("left.dtb"), "of a system before").unwrap();
    for (version, side) in [("2", Side::B), ("3", Side::A), ("4", Side::B)] {
        it.lives(version);
        assert_eq!(it.whole(side).as_deref(), Some(version));
        assert!(!it.has(side, "left.dtb"));
        assert_eq!(it.report().slots.len(), 2);
    }
    assert_eq!(it.does(&Verb::Loader), Outcome::Done);
}

/// An update whose files name what is on the pins.
fn with_hats(it: &Pi, version: &str) -> Signed {
    let bytes = archive_of(version, BOARD, &["cmdline.txt", pi::HATS, "initrd", "vmlinuz"]);
    fs::write(it.places.download(), &bytes).unwrap();
    Signed(approved(version, &bytes))
}

#[test]
fn what_the_owner_wrote_of_the_pins_goes_along_to_the_other_side() {
    let it = Pi::new();
    let hats = |side: Side| fs::read(it.places.side(side).join(pi::HATS)).unwrap();
    // The system before did not know the file: that of the update is new.
    it.run(&install("2"), &with_hats(&it, "2")).unwrap();
    assert_eq!(hats(Side::B), content("2", pi::HATS));
    it.does(&Verb::Restart);
    it.starts(true);
    it.does(&Verb::Booted);
    it.does(&Verb::Confirmed);
    it.starts(false);
    it.does(&Verb::Booted);
    fs::write(it.places.side(Side::B).join(pi::HATS), "dtoverlay=tpm\n").unwrap();
    it.run(&install("3"), &with_hats(&it, "3")).unwrap();
    assert_eq!(hats(Side::A), b"dtoverlay=tpm\n");
    assert_eq!(it.whole(Side::A).as_deref(), Some("3"));
    assert_eq!(it.report().armed.as_deref(), Some("3"));
    // Nobody writes that much: it is no file of the owner's.
    fs::write(it.places.side(Side::B).join(pi::HATS), vec![b'#'; 16 << 10 | 1]).unwrap();
    it.run(&install("4"), &with_hats(&it, "4")).unwrap();
    assert_eq!(hats(Side::A), content("4", pi::HATS));
    // A system without the file gets none.
    it.installs("5");
    assert!(!it.has(Side::A, pi::HATS));
}

#[test]
fn a_trial_that_fails_leads_back_and_is_not_taken_again() {
    for says_so in [true, false] {
        let it = Pi::new();
        it.installs("2");
        it.does(&Verb::Restart);
        it.starts(true);
        if says_so {
            assert_eq!(it.does(&Verb::Failed { why: Words::new("no network") }), Outcome::Restart);
        }
        assert_eq!(it.starts(false).as_deref(), Some("1"));
        it.does(&Verb::Booted);
        let failed = it.report().failed;
        assert_eq!((failed.len(), failed[0].version.as_str()), (1, "2"));
        assert!(!says_so || failed[0].reason.contains("no network"), "{failed:?}");
        assert!(!it.has(Side::B, pi::LABEL));
        assert!(matches!(it.run(&install("2"), &it.download("2")), Err(WorkError::Refused(_))));
        it.lives("3");
    }
}

#[test]
fn a_side_that_the_firmware_cannot_load_counts_as_failed() {
    let it = Pi::new();
    it.installs("2");
    it.does(&Verb::Restart);
    fs::write(it.places.side(Side::B).join("vmlinuz"), "damaged").unwrap();
    assert_eq!(it.starts(true).as_deref(), Some("1"));
    it.does(&Verb::Booted);
    assert_eq!(it.report().failed.len(), 1);
    assert_eq!(it.report().running.unwrap().standing, SlotStanding::Kept);
}

#[test]
fn without_the_module_nothing_is_noted_and_nothing_restarts() {
    let it = Pi::new();
    it.installs("2");
    fs::remove_dir(&it.places.tryboot).unwrap();
    assert!(matches!(it.run(&Verb::Restart, &it.download("2")), Err(WorkError::NoFlag)));
    assert_eq!(it.report().armed.as_deref(), Some("2"));
    fs::create_dir(&it.places.tryboot).unwrap();
    assert_eq!(it.does(&Verb::Restart), Outcome::TryOther);
}

#[test]
fn a_download_that_is_not_what_is_signed_costs_nothing() {
    let it = Pi::new();
    it.fill(Side::B, "0.9");
    let good = archive_of("2", BOARD, &FILES);
    let name_twice = archive_of("2", BOARD, &["a", "a"]);
    for (bytes, signed, said) in [
        (good.clone(), approved("2", b"another"), "not the one that is signed"),
        (good[..good.len() - 1].to_vec(), approved("2", &good), "not the one that is signed"),
        ([&good[..], b"x"].concat(), approved("2", &good), "not the one that is signed"),
        (
            archive_of("3", BOARD, &FILES),
            approved("2", &archive_of("3", BOARD, &FILES)),
            "calls itself 3, and 2 is signed",
        ),
        (
            archive_of("2", "rpi5", &FILES),
            approved("2", &archive_of("2", "rpi5", &FILES)),
            "made for the board \"rpi5\"",
        ),
        (name_twice.clone(), approved("2", &name_twice), "file 4 of the archive is not in its place"),
        (b"MZ".to_vec(), approved("2", b"MZ"), "the archive is cut off"),
        (
            good.clone(),
            Approved { board: "rpi5".to_owned(), ..approved("2", &good) },
            "made for the board \"rpi5\"",
        ),
    ] {
        fs::write(it.places.download(), &bytes).unwrap();
        it.run(&install("2"), &Signed(signed)).unwrap_err();
        assert!(it.problem().contains(said), "{}", it.problem());
        assert_eq!(it.whole(Side::B).as_deref(), Some("0.9"));
        assert!(it.has(Side::B, pi::LABEL));
    }
}

/// Does only the first effects of an event; how many there are.
fn first(it: &Pi, event: &Event, count: usize) -> usize {
    let mut notebook = Notebook::open(&it.places.state).0;
    let Seen::Pi(seen) = look::look(&it.places).seen(notebook.notes()) else { unreachable!() };
    let effects = pi::plan(&seen, event).unwrap();
    let content = File::open(it.places.download()).ok().map(|file| {
        let bytes = archive_of("3", BOARD, &FILES);
        Content { file, approved: approved("3", &bytes) }
    });
    let mut tell = |_, _| ();
    let mut partitions = Partitions::new(&it.places, content, &mut tell);
    site::run(&effects[..count.min(effects.len())], &mut partitions, &mut notebook).unwrap();
    effects.len()
}

/// What comes before an event.
type Prepared = fn() -> Pi;

fn with_a_failed_one() -> Pi {
    let it = Pi::new();
    it.installs("2");
    it.does(&Verb::Restart);
    it.starts(true);
    it.starts(false);
    it.download("3");
    it
}

fn on_trial() -> Pi {
    let it = Pi::new();
    it.installs("3");
    it.does(&Verb::Restart);
    it.starts(true);
    it
}

/// The power is cut after each effect. What starts then is whole, it tidies up, and the next update goes through.
fn cut_at_each_effect(prepared: Prepared, event: &Event, least: usize) {
    for count in 0.. {
        let it = prepared();
        let effects = first(&it, event, count);
        assert!(effects >= least, "{event:?} has {effects} effects only");
        let started = it.starts(false).unwrap();
        let is_new = started == "3";
        assert!(is_new || started == "1", "{started}");
        assert!(!is_new || *event == Event::Confirmed);
        it.does(&Verb::Booted);
        assert_eq!(it.report().running.unwrap().standing, SlotStanding::Kept);
        it.lives("4");
        if count >= effects {
            return;
        }
    }
}

#[test]
fn the_power_may_be_cut_after_each_effect() {
    let version = || "3".parse().unwrap();
    cut_at_each_effect(with_a_failed_one, &Event::Booted, 3);
    cut_at_each_effect(with_a_failed_one, &Event::Begin { version: version(), order: Order::Automatic }, 8);
    cut_at_each_effect(on_trial, &Event::Confirmed, 6);
    cut_at_each_effect(on_trial, &Event::Failed { why: Words::new("no") }, 1);
    let written: Prepared = || {
        let it = Pi::new();
        it.download("3");
        first(&it, &Event::Begin { version: "3".parse().unwrap(), order: Order::Automatic }, usize::MAX);
        it
    };
    cut_at_each_effect(written, &Event::Written { version: version() }, 4);
    cut_at_each_effect(
        || {
            let it = Pi::new();
            it.installs("3");
            it
        },
        &Event::Restart,
        1,
    );
}

#[test]
fn the_power_may_be_cut_within_the_writing_of_a_side() {
    let whole = archive_of("3", BOARD, &FILES);
    for length in [0, 100, 500, 1000, 20_000, 50_000, whole.len() - 1] {
        let it = Pi::new();
        it.fill(Side::B, "0.9");
        it.download("3");
        let event = Event::Begin { version: "3".parse().unwrap(), order: Order::Automatic };
        let mut notebook = Notebook::open(&it.places.state).0;
        let Seen::Pi(seen) = look::look(&it.places).seen(notebook.notes()) else { unreachable!() };
        let effects = pi::plan(&seen, &event).unwrap();
        File::options()
            .write(true)
            .open(it.places.download())
            .unwrap()
            .set_len(length.try_into().unwrap())
            .unwrap();
        let file = File::open(it.places.download()).unwrap();
        let mut tell = |_, _| ();
        let content = Content { file, approved: approved("3", &whole) };
        let mut partitions = Partitions::new(&it.places, Some(content), &mut tell);
        site::run(&effects, &mut partitions, &mut notebook).unwrap_err();
        assert!(!it.has(Side::B, pi::LABEL), "a label means that a side is whole");
        assert_eq!(it.starts(false).as_deref(), Some("1"));
        it.lives("3");
    }
}

#[test]
fn what_lies_on_the_side_and_is_not_what_was_written_is_seen() {
    let it = Pi::new();
    let signed = it.download("3");
    let change = |doing: &dyn Fn(&Path)| {
        let file = File::open(it.places.download()).unwrap();
        let mut tell = |_, _| ();
        let mut partitions =
            Partitions::new(&it.places, Some(Content { file, approved: signed.0.clone() }), &mut tell);
        let place = pi::Place::System { side: Side::B, version: "3".parse().unwrap() };
        site::Site::write(&mut partitions, &place).unwrap();
        site::Site::sync(&mut partitions, &place).unwrap();
        site::Site::verify(&mut partitions, &place).unwrap();
        doing(&it.places.side(Side::B));
        site::Site::verify(&mut partitions, &place)
    };
    change(&|_| ()).unwrap();
    change(&|side| fs::write(side.join("initrd"), "x").unwrap()).unwrap_err();
    change(&|side| fs::write(side.join("initrd"), content("2", "initrd")).unwrap()).unwrap_err();
    change(&|side| fs::remove_file(side.join("initrd")).unwrap()).unwrap_err();
    change(&|side| fs::write(side.join("more.dtb"), "x").unwrap()).unwrap_err();
}

#[test]
fn a_lost_choice_is_made_anew_and_leftovers_of_cuts_stay() {
    let it = Pi::new();
    fs::write(it.places.esp.join(pi::FILE), "damaged").unwrap();
    fs::write(it.places.esp.join("autoboot.0"), "left by a cut").unwrap();
    it.starts(false);
    it.does(&Verb::Booted);
    assert_eq!(fs::read_to_string(it.places.esp.join("autoboot.0")).unwrap(), "left by a cut");
    it.lives("2");
    assert!(it.folder.path().join("esp/autoboot.0").exists());
}
