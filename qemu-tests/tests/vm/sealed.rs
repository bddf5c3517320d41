//! The data opens by itself on its own box, for the system that the policy key signed, and nowhere else.

use crate::household::OWNER;
use crate::household::expect;
use crate::household::expect_usable;
use crate::household::log_in;
use crate::household::state;
use crate::household::status;
use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use qemu_tests::Artifacts;
use qemu_tests::Boot;
use qemu_tests::VmBuilder;
use qemu_tests::disk;
use qemu_tests::disk::data_partition;
use qemu_tests::esp::Esp;
use qemu_tests::plain::BOOT_KEY;
use qemu_tests::scenario::scenario;
use serde_json::Value;
use std::fs;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// How a LUKS2 header begins (LUKS2 On-Disk Format Specification, section 2.1).
const MAGIC: &[u8] = b"LUKS\xba\xbe\x00\x02";

#[test]
fn the_data_opens_on_its_own_box_for_the_signed_system_only() {
    scenario("sealed", |folder| {
        let artifacts = Artifacts::load()?;
        let own = folder.join("own");
        let vm = VmBuilder::new(&own, &artifacts).boot(Boot::Uefi).tpm().start()?;
        let mut web = vm.wait_web()?;
        ensure!(!expect_usable(&vm, &mut web)?, "a new box is set up");
        let off = vm.power_cut();
        expect_encrypted(off.disk())?;
        ensure!(Esp::open(off.disk())?.read(BOOT_KEY).is_err(), "a key lies on the boot partition");

        // Somebody took the disk, and has a TPM too.
        let disk = folder.join("taken.img");
        disk::copy_sparse(off.disk(), &disk, 0)?;
        let taken = locked(VmBuilder::new(&folder.join("taken"), &artifacts).disk(&disk).tpm())?;
        ensure!(taken.contains("another TPM"), "{taken}");

        // The box itself, and somebody who adds words at the loader.
        let words = folder.join("words");
        copy_folder(&own.join("tpm"), &words.join("tpm"))?;
        let added = VmBuilder::new(&words, &artifacts).disk(&disk).tpm().words("hearth.evil");
        let added = locked(added)?;
        ensure!(added.contains("changed"), "{added}");

        // Started past the loader: nothing measured what runs.
        let kernel = VmBuilder::new(&folder.join("kernel"), &artifacts).disk(&disk).start()?;
        let past = locked_reasons(&status(&kernel.wait_web()?)?)?;
        ensure!(past.contains("not started by its loader"), "{past}");
        drop(kernel);

        // What was tried has changed nothing, and the box opens it without anybody.
        let vm = off.boot_again()?;
        let mut web = vm.wait_web()?;
        ensure!(state(&web)? == "ready", "{}", status(&web)?);
        expect(&log_in(&mut web)?, 200)
    });
}

#[test]
fn without_a_tpm_the_key_on_the_boot_partition_opens_it_and_nothing_else() {
    scenario("sealed-boot-key", |folder| {
        let artifacts = Artifacts::load()?;
        let vm = VmBuilder::new(folder, &artifacts).start()?;
        let mut web = vm.wait_web()?;
        ensure!(!expect_usable(&vm, &mut web)?, "a new box is set up");
        let off = vm.power_cut();
        expect_encrypted(off.disk())?;
        let esp = Esp::open(off.disk())?;
        let key = esp.read(BOOT_KEY)?;
        esp.remove(BOOT_KEY)?;
        esp.close()?;

        let vm = off.boot_again()?;
        let reasons = locked_reasons(&status(&vm.wait_web()?)?)?;
        ensure!(reasons.contains("no key on the boot partition"), "{reasons}");
        let off = vm.power_cut();

        let esp = Esp::open(off.disk())?;
        esp.write(BOOT_KEY, &key)?;
        esp.close()?;
        let vm = off.boot_again()?;
        let mut web = vm.wait_web()?;
        expect(&log_in(&mut web)?, 200)
    });
}

/// Boots by the firmware and returns why the data stays locked.
fn locked(builder: VmBuilder) -> Result<String> {
    let vm = builder.boot(Boot::Uefi).start()?;
    locked_reasons(&status(&vm.wait_web()?)?)
}

pub(crate) fn locked_reasons(status: &Value) -> Result<String> {
    ensure!(status["state"] == "locked", "not locked: {status}");
    let reasons = status["reasons"].as_array().context("no reasons")?;
    Ok(reasons.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; "))
}

/// There is a header, and nothing of what the owner typed stands anywhere on the disk.
fn expect_encrypted(path: &Path) -> Result<()> {
    let partition = data_partition(path)?;
    let file = File::open(path).context("the disk")?;
    let mut start = vec![0; MAGIC.len()];
    file.read_exact_at(&mut start, partition.bytes.start)?;
    ensure!(start.starts_with(b"LUKS") && start[4..] == MAGIC[4..], "no header: {start:x?}");
    let bytes = fs::read(path)?;
    let found = bytes.windows(OWNER.len()).any(|window| window == OWNER.as_bytes());
    ensure!(!found, "the owner's name stands on the disk");
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("no {}", from.display()))? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}
