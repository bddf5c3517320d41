//! The plug is pulled: at random moments, and at every moment at which a disk may have stopped.

use crate::chance::Random;
use crate::chance::cuts;
use crate::household::expect_alive;
use crate::household::expect_usable;
use crate::household::set_up;
use crate::household::state;
use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use qemu_tests::Artifacts;
use qemu_tests::BOOT;
use qemu_tests::Off;
use qemu_tests::Vm;
use qemu_tests::VmBuilder;
use qemu_tests::blocklog;
use qemu_tests::blocklog::BlockLog;
use qemu_tests::builder::Inside;
use qemu_tests::disk;
use qemu_tests::machine::Machine;
use qemu_tests::scenario::scenario;
use qemu_tests::wait_until;
use std::fs;
use std::path::Path;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

/// Power cuts at random moments, unless more are asked for.
const CUTS: u32 = 5;
/// Flushes after which the power goes, of the first boot and of the set-up each, unless more are asked for.
const FLUSHES: u32 = 4;
/// The latest cut after set-up: hostd and the kernel may still write.
const AFTERWARDS: Duration = Duration::from_secs(3);
/// The kernel writes nothing back by itself because of its age: on a busy computer half a minute goes by before the set-up
/// (Documentation/admin-guide/sysctl/vm.rst, and `sysctl.*` in kernel-parameters.txt of the kernel's source).
const NO_WRITEBACK: &str = "sysctl.vm.dirty_writeback_centisecs=0 sysctl.vm.dirty_expire_centisecs=360000";

#[test]
fn the_box_survives_power_cuts_at_random_moments() {
    scenario("power_cut-random", |folder| {
        let artifacts = Artifacts::load()?;
        let mut random = Random::from_environment()?;
        let span = Span::measure(folder, &artifacts)?;
        let (mut kept, cuts) = (0, cuts(CUTS)?);
        for round in 0..cuts {
            let moment = span.moment(round, random.next_fraction());
            let place = folder.join(format!("round-{round}"));
            let was_set_up =
                cut_once(&place, &artifacts, moment).with_context(|| format!("round {round}, {moment:?}"))?;
            kept += u32::from(was_set_up);
            fs::remove_file(place.join("disk.img"))?;
        }
        println!("{kept} of {cuts} boxes were set up when they came back");
        Ok(())
    });
}

/// When the power goes. A busy computer stretches time, so most moments are counted in QEMU's processor time.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Moment {
    /// CPU seconds after init began: the data partition is made, services start.
    Booting(f64),
    /// CPU seconds after the owner began to set up.
    SettingUp(f64),
    /// Real time after the set-up was acknowledged.
    Afterwards(Duration),
}

/// How long the phases of a first boot take, in CPU seconds.
struct Span {
    booting: f64,
    setting_up: f64,
}

impl Span {
    fn measure(folder: &Path, artifacts: &Artifacts) -> Result<Self> {
        let vm = VmBuilder::new(folder, artifacts).start()?;
        vm.wait_line("hearth: version=")?;
        let start = vm.cpu_seconds()?;
        let mut web = vm.wait_web()?;
        let page = vm.cpu_seconds()?;
        set_up(&vm, &mut web)?;
        Ok(Self { booting: page - start, setting_up: vm.cpu_seconds()? - page })
    }

    /// The rounds take turns among the phases.
    fn moment(&self, round: u32, fraction: f64) -> Moment {
        match round % 5 {
            0 | 1 => Moment::Booting(self.booting * fraction),
            2 | 3 => Moment::SettingUp(self.setting_up * fraction),
            _ => Moment::Afterwards(AFTERWARDS.mul_f64(fraction)),
        }
    }
}

/// Boots a new box, sets it up as soon as it can be, cuts the power, boots again. Returns whether it came back set up. A box whose
/// set-up was cut short and forgotten must let itself be set up anew.
fn cut_once(folder: &Path, artifacts: &Artifacts, moment: Moment) -> Result<bool> {
    let vm = VmBuilder::new(folder, artifacts).start()?;
    vm.wait_line("hearth: version=")?;
    let start = vm.cpu_seconds()?;
    let owner = match moment {
        Moment::Booting(seconds) => {
            wait_until(BOOT, "the moment of the cut", || {
                Ok((vm.cpu_seconds()? - start >= seconds).then_some(()))
            })?;
            None
        }
        Moment::SettingUp(seconds) => Some(set_up_until(&vm, seconds)?),
        Moment::Afterwards(pause) => {
            set_up(&vm, &mut vm.wait_web()?)?;
            thread::sleep(pause);
            None
        }
    };
    let off = vm.power_cut();
    // Only now is it known: an acknowledgement may have come at the last moment.
    let is_acknowledged = owner.map_or(matches!(moment, Moment::Afterwards(_)), |owner| {
        owner.join().is_ok_and(|set_up| set_up.is_ok())
    });
    let vm = off.boot_again()?;
    let mut web = vm.wait_web()?;
    let was_set_up = match moment {
        Moment::SettingUp(_) => expect_usable(&vm, &mut web)?,
        Moment::Booting(_) | Moment::Afterwards(_) => expect_alive(&vm, &mut web)?,
    };
    ensure!(was_set_up || !is_acknowledged, "an acknowledged set-up is lost");
    Ok(was_set_up)
}

/// Begins to set the box up and returns these CPU seconds later, whether it is done or not. When the power goes before the
/// acknowledgement came, the owner ends with an error.
fn set_up_until(vm: &Vm, seconds: f64) -> Result<JoinHandle<Result<()>>> {
    let (guest, mut web) = (vm.guest().clone(), vm.wait_web()?);
    let start = vm.cpu_seconds()?;
    let owner = thread::spawn(move || set_up(&guest, &mut web));
    wait_until(BOOT, "the moment of the cut", || {
        Ok((owner.is_finished() || vm.cpu_seconds()? - start >= seconds).then_some(()))
    })?;
    Ok(owner)
}

/// A set-up recorded write by write, as numbers of log entries.
struct Recording {
    /// The machine's log, still beside its disk.
    off: Off,
    /// Before the set-up was asked for.
    asked: u64,
    /// When it was acknowledged.
    acknowledged: u64,
}

impl Recording {
    /// Boots a new box with its disk recorded and sets it up.
    fn make(folder: &Path, artifacts: &Artifacts, inside: Inside) -> Result<Self> {
        let builder = VmBuilder::new(folder, artifacts).inside(inside).recorded();
        let builder = if inside == Inside::Unsynced { builder.words(NO_WRITEBACK) } else { builder };
        let vm = builder.start()?;
        let mut web = vm.wait_web()?;
        let asked = recorded(&vm)?;
        set_up(&vm, &mut web)?;
        let acknowledged = recorded(&vm)?;
        Ok(Self { off: vm.quit()?, asked, acknowledged })
    }

    /// A disk with the first writes of the recording.
    fn rebuild(&self, artifacts: &Artifacts, disk: &Path, count: u64) -> Result<()> {
        let log = log_file(self.off.machine())?;
        let size = self.off.disk().metadata()?.len();
        disk::copy_sparse(&artifacts.image, disk, size)?;
        BlockLog::read(log)?.replay(log, disk, count)?;
        Ok(())
    }

    fn flush_points(&self) -> Result<Vec<u64>> {
        Ok(BlockLog::read(log_file(self.off.machine())?)?.flush_points())
    }
}

fn recorded(vm: &Vm) -> Result<u64> {
    Ok(blocklog::length(log_file(vm.machine())?)?)
}

fn log_file(machine: &Machine) -> Result<&Path> {
    machine.block_log.as_deref().context("the disk is not recorded")
}

#[test]
fn the_box_survives_any_flush_being_the_last() {
    scenario("power_cut-flushes", |folder| {
        let artifacts = Artifacts::load()?;
        let recording = Recording::make(&folder.join("recorded"), &artifacts, Inside::Nothing)?;
        let points = recording.flush_points()?;
        let during =
            points.iter().filter(|point| **point > recording.asked && **point <= recording.acknowledged);
        ensure!(
            during.count() >= 1,
            "nothing was flushed between {} and {}",
            recording.asked,
            recording.acknowledged
        );
        println!("flush points {points:?}, set-up from {} to {}", recording.asked, recording.acknowledged);
        for point in chosen(points, recording.asked, recording.acknowledged)? {
            println!("cut after entry {point}");
            let place = folder.join(format!("flush-{point}"));
            fs::create_dir_all(&place)?;
            let disk = place.join("disk.img");
            recording.rebuild(&artifacts, &disk, point)?;
            let was_set_up = boot_rebuilt(&place, &artifacts, &disk)
                .with_context(|| format!("cut after entry {point}"))?;
            let is_acknowledged = point >= recording.acknowledged;
            ensure!(was_set_up || !is_acknowledged, "the acknowledged set-up is lost after entry {point}");
            ensure!(
                !was_set_up || point > recording.asked,
                "set up before it was asked for, at entry {point}"
            );
            fs::remove_file(&disk)?;
        }
        Ok(())
    });
}

/// Some of the first boot, and some of the set-up: among these always the last before its acknowledgement, and the first that must have it.
fn chosen(mut points: Vec<u64>, asked: u64, acknowledged: u64) -> Result<Vec<u64>> {
    let mut of_set_up = points.split_off(points.partition_point(|point| *point <= asked));
    let edge = of_set_up.partition_point(|point| *point < acknowledged);
    let edges: Vec<u64> = of_set_up.iter().copied().skip(edge.saturating_sub(1)).take(2).collect();
    of_set_up.retain(|point| !edges.contains(point));
    let (mut random, wanted) = (Random::from_environment()?, usize::try_from(cuts(FLUSHES)?)?);
    for points in [&mut points, &mut of_set_up] {
        while points.len() > wanted {
            points.remove(random.next_below(points.len()));
        }
    }
    Ok([points, of_set_up, edges].concat())
}

fn boot_rebuilt(folder: &Path, artifacts: &Artifacts, disk: &Path) -> Result<bool> {
    let vm = VmBuilder::new(folder, artifacts).disk(disk).start()?;
    expect_alive(&vm, &mut vm.wait_web()?)
}

/// The control: on a box whose programs believe that they sync and do not, both tests above must find the set-up lost.
#[test]
fn without_syncs_the_same_cuts_lose_the_set_up() {
    scenario("power_cut-control", |folder| {
        let artifacts = Artifacts::load()?;
        let recording = Recording::make(&folder.join("recorded"), &artifacts, Inside::Unsynced)?;
        let last = recording.flush_points()?.into_iter().rfind(|point| *point <= recording.acknowledged);
        let disk = folder.join("flushed.img");
        recording.rebuild(&artifacts, &disk, last.unwrap_or_default())?;
        for (what, disk) in [("the last flush", disk.as_path()), ("a cut", recording.off.disk())] {
            let place = folder.join(what.replace(' ', "-"));
            let vm = VmBuilder::new(&place, &artifacts).disk(disk).start()?;
            let web = vm.wait_web()?;
            ensure!(
                state(&web)? == "setup",
                "the set-up survived {what} without a sync: these tests cannot fail"
            );
        }
        Ok(())
    });
}
