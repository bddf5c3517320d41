//! The plug is pulled during an update: every write of one update is recorded, and a disk made as a cut may leave it.
//!
//! Each such disk is judged here: is everything that the loader would start whole? Some are booted: does the box come up, is the owner's data
//! there, does the next attempt end well?

use crate::chance::Random;
use crate::chance::cuts;
use crate::household::expect;
use crate::household::log_in;
use crate::household::set_up;
use crate::household::state;
use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use model::control::ControlRequest;
use qemu_tests::Artifacts;
use qemu_tests::Boot;
use qemu_tests::Off;
use qemu_tests::VmBuilder;
use qemu_tests::blocklog;
use qemu_tests::blocklog::BlockLog;
use qemu_tests::blocklog::Rebuild;
use qemu_tests::builder::Inside;
use qemu_tests::builder::VARIABLES;
use qemu_tests::disk;
use qemu_tests::esp::Esp;
use qemu_tests::esp::SLOTS;
use qemu_tests::releases::Releases;
use qemu_tests::scenario::scenario;
use qemu_tests::updates::BASE;
use qemu_tests::updates::Home;
use qemu_tests::updates::slot;
use sha2::Digest;
use sha2::Sha256;
use slots::uefi::FileName;
use slots::uefi::Mark;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::path::PathBuf;

/// Cuts at random moments, beside those after each flush.
const CUTS: u32 = 200;
/// Boots of cuts chosen at random, unless more are asked for, beside one of each state that the boot partition was in.
const BOOTS: u32 = 2;
const OLD: &str = "0.1.0";
const NEW: &str = "0.1.1";
const LOADER: &str = "EFI/BOOT/BOOTX64.EFI";

#[test]
fn no_cut_during_an_update_leaves_a_box_that_does_not_boot() {
    scenario("updates-cuts", |folder| {
        let artifacts = Artifacts::load()?;
        let recording = Recording::make(&folder.join("recorded"), &artifacts)?;
        let log = BlockLog::read(recording.file()?)?;
        let mut random = Random::from_environment()?;
        let mut judged = Judged::default();
        let work = folder.join("work.img");

        recording.copy_base(&work)?;
        let mut rebuild = Rebuild::begin(&log, recording.file()?, &work)?;
        let points: Vec<u64> = recording.within(log.flush_points());
        ensure!(points.len() >= 10, "an update with {} flushes", points.len());
        let mut moments: Vec<(u64, bool)> = points.iter().map(|point| (*point, false)).collect();
        let (first, last) = (recording.begin(), recording.end());
        let span = usize::try_from(last - first)?;
        for _ in 0..CUTS {
            moments.push((first + u64::try_from(random.next_below(span))?, true));
        }
        moments.sort_unstable();
        let mut to_boot = BTreeSet::new();
        for _ in 0..cuts(BOOTS)? {
            to_boot.insert(random.next_below(moments.len()));
        }
        println!("{} flushes and {CUTS} random moments among {span} writes", points.len());

        for (number, (moment, is_torn)) in moments.into_iter().enumerate() {
            let flushed = points.iter().copied().rfind(|point| *point <= moment).unwrap_or(first);
            rebuild.settle(flushed)?;
            if is_torn {
                // Of what came after the last flush any part may have reached the disk.
                rebuild.cut(moment, |sectors| match random.next_below(4) {
                    0 => 0,
                    1 => u64::try_from(random.next_below(usize::try_from(sectors).unwrap_or(1).max(1)))
                        .unwrap_or(0),
                    _ => sectors,
                })?;
            }
            let standing = recording
                .judge(&work)
                .with_context(|| format!("cut after entry {moment}, torn: {is_torn}"))?;
            let is_new = judged.note(standing.clone());
            if is_new || to_boot.contains(&number) {
                println!("cut after entry {moment}, torn: {is_torn}; boots with {standing:?}");
                let place = folder.join(format!("cut-{number}"));
                recording
                    .boot(&place, &artifacts, &work, recording.variables(moment, &mut random))
                    .with_context(|| format!("cut after entry {moment}, torn: {is_torn}: {standing:?}"))?;
                fs::remove_dir_all(&place)?;
                judged.boots += 1;
            }
        }
        println!("{judged}");
        drop(rebuild);
        recording.expect_wrong_order_is_found(&log, &work)
    });
}

/// What was seen, to be told.
#[derive(Default)]
struct Judged {
    states: BTreeMap<Vec<String>, u32>,
    boots: u32,
}

impl Judged {
    /// Whether the state is a new one.
    fn note(&mut self, state: Vec<String>) -> bool {
        let times = self.states.entry(state).or_default();
        *times += 1;
        *times == 1
    }
}

impl std::fmt::Display for Judged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            f,
            "{} disks judged, 0 without a way to boot, {} booted",
            self.states.values().sum::<u32>(),
            self.boots
        )?;
        self.states.iter().try_for_each(|(state, times)| writeln!(f, "{times:>5} {}", state.join(" ")))
    }
}

/// A moment of the update.
struct Moment {
    what: &'static str,
    entries: u64,
    /// The firmware's variables then.
    variables: PathBuf,
}

/// One update, write by write.
struct Recording {
    folder: PathBuf,
    /// The disk before the first entry.
    base: PathBuf,
    off: Off,
    moments: Vec<Moment>,
    metadata: Vec<String>,
    /// What the slot files and the loader are, by SHA-256.
    whole: BTreeMap<String, Vec<u8>>,
    loader: Vec<u8>,
    esp: Range<u64>,
}

impl Recording {
    fn make(folder: &Path, artifacts: &Artifacts) -> Result<Self> {
        let update = slot(artifacts, NEW, "")?;
        let releases = Releases::new(artifacts, &folder.join("repository"))?;
        releases.add(NEW, &update)?;
        let base = folder.join(BASE);
        let metadata = releases.metadata()?;
        let names = metadata.iter().map(|(name, _)| name.clone()).collect();
        // Without a TPM: its counters would not go back with the disk.
        let mut home =
            Home::start(folder, artifacts, &[(NEW, update.clone())], metadata, VmBuilder::recorded)?;
        let mut moments = Vec::new();
        let mut mark = |home: &Home, what: &'static str| -> Result<()> {
            let entries = blocklog::length(home.vm.machine().block_log.as_deref().context("no log")?)?;
            let variables = folder.join(format!("variables-{entries}.fd"));
            fs::copy(folder.join(VARIABLES), &variables)?;
            println!("{what}: {entries} entries");
            moments.push(Moment { what, entries, variables });
            Ok(())
        };
        home.expect_kept(OLD)?;
        set_up(&home.vm, &mut home.vm.wait_web()?)?;
        mark(&home, "set up")?;
        home.take(NEW)?;
        mark(&home, "armed")?;
        home.restart_into(NEW)?;
        mark(&home, "on trial")?;
        home.expect_kept(NEW)?;
        mark(&home, "kept")?;
        home.ask(&ControlRequest::Reboot)?;
        home.expect_boot(NEW)?;
        home.expect_kept(NEW)?;
        mark(&home, "booted again")?;
        let off = home.vm.quit()?;
        let old = home_slot(off.disk(), OLD)?;
        let hash = |bytes: &[u8]| Sha256::digest(bytes).to_vec();
        let whole = BTreeMap::from([(OLD.to_owned(), hash(&old)), (NEW.to_owned(), hash(&update))]);
        let loader = hash(&Esp::look(&base)?.read(LOADER)?);
        let partitions = disk::partitions(&base)?;
        let esp =
            partitions.into_iter().find(|partition| partition.is_esp).context("no boot partition")?.bytes;
        Ok(Self { folder: folder.to_owned(), base, off, moments, metadata: names, whole, loader, esp })
    }

    fn file(&self) -> Result<&Path> {
        self.off.machine().block_log.as_deref().context("the disk is not recorded")
    }

    fn begin(&self) -> u64 {
        self.moments.first().map_or(0, |moment| moment.entries)
    }

    fn end(&self) -> u64 {
        self.moments.last().map_or(0, |moment| moment.entries)
    }

    fn within(&self, points: Vec<u64>) -> Vec<u64> {
        points.into_iter().filter(|point| (self.begin()..=self.end()).contains(point)).collect()
    }

    fn copy_base(&self, disk: &Path) -> Result<()> {
        disk::copy_sparse(&self.base, disk, self.off.disk().metadata()?.len())
    }

    /// The firmware's variables at this entry: as they were at the moment before, or at the one behind it.
    fn variables(&self, entry: u64, random: &mut Random) -> &Path {
        let behind = self.moments.partition_point(|moment| moment.entries <= entry);
        let chosen = behind.saturating_sub(random.next_below(2)).min(self.moments.len() - 1);
        &self.moments[chosen].variables
    }

    /// What lies where the loader looks. An error when something that it would start is not whole, or nothing good is there.
    fn judge(&self, disk: &Path) -> Result<Vec<String>> {
        let esp = Esp::look(disk)?;
        ensure!(Sha256::digest(esp.read(LOADER)?).to_vec() == self.loader, "the loader is not whole");
        let names = esp.names(SLOTS)?;
        let mut is_good = false;
        for text in names.iter().filter(|name| name.to_ascii_lowercase().ends_with(".efi")) {
            let name: FileName = text.parse().with_context(|| format!("{text} is none of our slots"))?;
            let content = esp.read(&format!("{SLOTS}/{text}"))?;
            let wanted =
                self.whole.get(name.version.as_str()).with_context(|| format!("{text}: which version?"))?;
            ensure!(Sha256::digest(&content).as_slice() == wanted, "{text} is not whole");
            is_good |= name.mark == Mark::Good;
        }
        ensure!(is_good, "no good system is left: {names:?}");
        Ok(names)
    }

    /// Boots a disk: the box comes up with its owner's data, and the update is there in the end.
    fn boot(&self, place: &Path, artifacts: &Artifacts, disk: &Path, variables: &Path) -> Result<()> {
        fs::create_dir_all(place)?;
        let own = place.join("disk.img");
        disk::copy_sparse(disk, &own, disk.metadata()?.len())?;
        let builder = VmBuilder::new(place, artifacts).boot(Boot::Uefi).watchdog().disk(&own);
        let builder = builder.inside(Inside::AgentInSlot).variables(variables).expects_refusal().memory(768);
        let mut home = Home::of(builder.start()?, self.metadata.clone());
        let version = home.any_boot()?;
        if version == OLD {
            home.expect_kept(OLD)?;
            expect_data(&home)?;
            // What was armed when the power went may be tried at once; else it is brought anew.
            home.complete(NEW)?;
        }
        home.expect_kept(NEW)?;
        expect_data(&home)
    }

    /// The judge must find it when the new name reaches the disk before what it names.
    fn expect_wrong_order_is_found(&self, log: &BlockLog, work: &Path) -> Result<()> {
        let armed = self.moments.iter().find(|moment| moment.what == "armed").context("never armed")?.entries;
        let points: Vec<u64> =
            log.flush_points().into_iter().filter(|point| (self.begin()..=armed).contains(point)).collect();
        let mut found = 0;
        for pair in points.windows(2) {
            let &[from, to] = pair else { bail!("no pair") };
            if !log.writes_within(from..to, &self.esp) {
                continue;
            }
            let wrong = log.reordered(self.begin()..from, from..to);
            self.copy_base(work)?;
            let mut rebuild = Rebuild::begin(&wrong, self.file()?, work)?;
            rebuild.settle(self.begin() + (to - from))?;
            if let Err(error) = self.judge(work) {
                println!("the writes from {from} to {to} first: {error:#}");
                found += 1;
            }
        }
        fs::remove_file(work)?;
        ensure!(found > 0, "no wrong order of writes is found: this test cannot fail");
        fs::remove_dir_all(&self.folder).context("cannot tidy up")
    }
}

/// A good slot that is on a disk.
fn home_slot(disk: &Path, version: &str) -> Result<Vec<u8>> {
    Esp::look(disk)?.read(&format!("{SLOTS}/hearth_{version}.efi"))
}

/// The owner is still who they were.
fn expect_data(home: &Home) -> Result<()> {
    let mut web = home.vm.wait_web()?;
    ensure!(state(&web)? == "ready", "the box is {}", state(&web)?);
    expect(&log_in(&mut web)?, 200)
}
