//! The data partition: made, grown, mended.

use crate::household::expect;
use crate::household::expect_usable;
use crate::household::log_in;
use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use qemu_tests::Artifacts;
use qemu_tests::BOOT;
use qemu_tests::Off;
use qemu_tests::Vm;
use qemu_tests::VmBuilder;
use qemu_tests::disk;
use qemu_tests::disk::data_partition;
use qemu_tests::plain::Plain;
use qemu_tests::scenario::scenario;
use qemu_tests::web::Web;
use serde_json::json;
use std::path::Path;

const GIB: u64 = 1 << 30;
/// What may stay unused at the end of the disk: the second table and alignment to 1 MiB.
const SLACK: u64 = 2 << 20;

#[test]
fn the_data_partition_is_made_grows_and_is_mended() {
    scenario("data", |folder| {
        let artifacts = Artifacts::load()?;
        let image_slots = disk::partitions(&artifacts.image)?;
        ensure!(image_slots.iter().any(|partition| partition.name == "hearth-new"), "{image_slots:?}");

        let vm = VmBuilder::new(folder, &artifacts).disk_size(2 * GIB).start()?;
        let mut web = vm.wait_web()?;
        ensure!(!expect_usable(&vm, &mut web)?, "a new box is set up");
        let off = switch_off(vm, &mut web)?;
        let small = check(off.disk(), 2 * GIB)?;

        disk::grow(off.disk(), 3 * GIB)?;
        let (vm, mut web) = boot_set_up(off)?;
        let off = switch_off(vm, &mut web)?;
        let large = check(off.disk(), 3 * GIB)?;
        ensure!(large > small + GIB * 9 / 10, "the file system grew from {small} to {large} bytes only");

        damage(off.disk())?;
        let (vm, mut web) = boot_set_up(off)?;
        let off = switch_off(vm, &mut web)?;
        check(off.disk(), 3 * GIB).map(|_| ())
    });
}

fn boot_set_up(off: Off) -> Result<(Vm, Web)> {
    let vm = off.boot_again()?;
    let mut web = vm.wait_web()?;
    ensure!(expect_usable(&vm, &mut web)?, "the set-up is gone");
    Ok((vm, web))
}

fn switch_off(vm: Vm, web: &mut Web) -> Result<Off> {
    expect(&log_in(web)?, 200)?;
    expect(&web.post("/api/v1/system/poweroff", &json!({}))?, 202)?;
    vm.wait_off(BOOT)
}

/// The partition is ours, fills the disk, and holds a clean, journalled file system. Returns the file system's size in bytes.
fn check(path: &Path, size: u64) -> Result<u64> {
    let partition = data_partition(path)?;
    ensure!(partition.name == "hearth-data", "{partition:?}");
    ensure!(partition.bytes.end + SLACK >= size, "{partition:?} does not reach the end at {size}");
    let plain = Plain::of(path)?;
    let judged = plain.e2fsprogs("e2fsck", &["-f", "-n"])?;
    ensure!(judged.status == Some(0), "e2fsck: {}", judged.text);
    let facts = plain.e2fsprogs("dumpe2fs", &["-h"])?.text;
    ensure!(value(&facts, "Filesystem state:")? == "clean", "{facts}");
    ensure!(value(&facts, "Filesystem features:")?.contains("has_journal"), "{facts}");
    ensure!(!value(&facts, "Filesystem features:")?.contains("needs_recovery"), "not unmounted: {facts}");
    let blocks: u64 = value(&facts, "Block count:")?.parse()?;
    let block: u64 = value(&facts, "Block size:")?.parse()?;
    Ok(blocks * block)
}

fn value<'a>(facts: &'a str, name: &str) -> Result<&'a str> {
    Ok(facts
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .with_context(|| format!("no {name} in {facts}"))?
        .trim())
}

/// Marks blocks in use as free, and the file system as one with errors (debugfs(8); state 2 is `EXT2_ERROR_FS`).
fn damage(path: &Path) -> Result<()> {
    let plain = Plain::of(path)?;
    for request in ["freeb 1 8", "set_super_value state 2"] {
        let words = plain.e2fsprogs("debugfs", &["-w", "-R", request])?;
        ensure!(words.status == Some(0), "debugfs: {}", words.text);
    }
    let judged = plain.e2fsprogs("e2fsck", &["-f", "-n"])?;
    ensure!(judged.status != Some(0), "nothing is damaged: {}", judged.text);
    plain.write_back()
}
