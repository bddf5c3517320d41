//! Firmware, loader, slot file, root: what boots, what is refused, and that the other slot boots by itself.

use crate::household::expect_page;
use crate::household::status;
use crate::household::text;
use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use qemu_tests::Artifacts;
use qemu_tests::BOOT;
use qemu_tests::Boot;
use qemu_tests::Vm;
use qemu_tests::VmBuilder;
use qemu_tests::cpio;
use qemu_tests::esp::Esp;
use qemu_tests::esp::SLOTS;
use qemu_tests::machine::DiskBus;
use qemu_tests::machine::Nic;
use qemu_tests::scenario::scenario;
use qemu_tests::slots::shipped_name;
use qemu_tests::uki::Uki;
use std::fs;
use std::ops::Range;

/// The slot as it was built.
pub(crate) fn shipped_slot(artifacts: &Artifacts) -> Result<Uki> {
    Ok(Uki::parse(fs::read(&artifacts.slot)?)?)
}

/// The box runs the slot of the image and answers.
pub(crate) fn expect_shipped(vm: &Vm, artifacts: &Artifacts) -> Result<()> {
    let web = vm.wait_web()?;
    expect_page(&web)?;
    let slot = text(&status(&web)?, "slot")?;
    ensure!(slot == shipped_name(artifacts)?, "{slot} runs");
    Ok(())
}

#[test]
fn firmware_loader_and_tpm_lead_to_the_page() {
    scenario("boot_chain-full", |folder| {
        let artifacts = Artifacts::load()?;
        let vm = VmBuilder::new(folder, &artifacts).boot(Boot::Uefi).tpm().start()?;
        expect_shipped(&vm, &artifacts)?;
        let line = vm.wait_line("hearth: version=")?;
        let slot = shipped_name(&artifacts)?;
        ensure!(
            line.contains(&format!("board={}", artifacts.board)) && line.contains(&format!("slot={slot}")),
            "{line}"
        );
        let state = vm.wait_state(vm.mark())?;
        ensure!(state.state == "setup" && state.url == "https://hearth.local", "{state:?}");
        Ok(())
    });
}

#[test]
fn other_hardware_reaches_the_page() {
    scenario("boot_chain-hardware", |folder| {
        let artifacts = Artifacts::load()?;
        let pc = VmBuilder::new(&folder.join("nvme"), &artifacts).bus(DiskBus::Nvme).nic(Nic::E1000e);
        expect_shipped(&pc.boot(Boot::Uefi).start()?, &artifacts).context("NVMe and e1000e")?;
        let old = VmBuilder::new(&folder.join("ahci"), &artifacts).bus(DiskBus::Ahci).nic(Nic::E1000e);
        expect_shipped(&old.start()?, &artifacts).context("AHCI")
    });
}

#[test]
fn damaged_slots_are_refused_with_a_reason_and_the_other_boots_by_itself() {
    scenario("boot_chain-damaged", |folder| {
        let artifacts = Artifacts::load()?;
        let mut builder = VmBuilder::new(folder, &artifacts).boot(Boot::Uefi).expects_refusal();
        let disk = builder.prepare_disk()?;
        let esp = Esp::open(&disk)?;
        // The newest first: each is tried once, then the next, at last the one that is whole.
        for (version, slot) in [
            ("9.9.9", with_changed_root(&artifacts)?),
            ("9.9.8", with_cut_initrd(&artifacts)?),
            ("9.9.7", with_wrong_hash(&artifacts)?),
        ] {
            esp.write(&format!("{SLOTS}/hearth_{version}+1.efi"), slot.bytes())?;
        }
        esp.close()?;

        let vm = builder.start()?;
        let mut mark = vm.mark();
        for what in ["a changed root", "a cut initrd", "a wrong hash"] {
            let line = vm.serial().wait_line(mark, "hearth: boot refused: ", BOOT).context(what)?;
            let place = vm.serial().since(mark).iter().position(|found| *found == line);
            mark += place.context("the line is gone")? + 1;
            let reason = line.split_once("refused: ").map(|(_, reason)| reason).unwrap_or_default();
            ensure!(reason.contains("root.erofs"), "{what}: no reason but {reason}");
        }
        expect_shipped(&vm, &artifacts)?;
        let slots = Esp::open(vm.power_cut().disk())?.names(SLOTS)?;
        // Used up; or noted and removed already, by the system that runs.
        let is_settled = |name: &String| name.ends_with("+0-1.efi") || !name.contains('+');
        let shipped = format!("{}.efi", shipped_name(&artifacts)?);
        ensure!(slots.contains(&shipped) && slots.iter().all(is_settled), "{slots:?}");
        Ok(())
    });
}

/// One byte in the middle of `root.erofs` is another one.
fn with_changed_root(artifacts: &Artifacts) -> Result<Uki> {
    let mut slot = shipped_slot(artifacts)?;
    let mut initrd = slot.section(".initrd")?.to_vec();
    let root = root_place(&initrd)?;
    let byte = initrd.get_mut(root.start.midpoint(root.end)).context("no middle")?;
    *byte ^= 1;
    slot.replace(".initrd", &initrd)?;
    Ok(slot)
}

/// The initrd ends in the middle of `root.erofs`.
fn with_cut_initrd(artifacts: &Artifacts) -> Result<Uki> {
    let mut slot = shipped_slot(artifacts)?;
    let mut initrd = slot.section(".initrd")?.to_vec();
    let root = root_place(&initrd)?;
    initrd.truncate(root.start.midpoint(root.end));
    slot.replace(".initrd", &initrd)?;
    Ok(slot)
}

/// The command line names another root.
fn with_wrong_hash(artifacts: &Artifacts) -> Result<Uki> {
    const WORD: &str = "hearth.root=sha256:";
    let mut slot = shipped_slot(artifacts)?;
    let line = slot.command_line()?;
    let (before, after) = line.split_once(WORD).context("no hash on the command line")?;
    let digit = if after.starts_with('0') { '1' } else { '0' };
    let rest = after.get(1..).context("no hash on the command line")?;
    slot.replace(".cmdline", format!("{before}{WORD}{digit}{rest}").as_bytes())?;
    Ok(slot)
}

/// Where `root.erofs` lies in the initrd.
fn root_place(initrd: &[u8]) -> Result<Range<usize>> {
    let files = cpio::read(initrd)?;
    let root =
        files.iter().find(|file| file.name.ends_with("root.erofs")).context("no root.erofs in the initrd")?;
    let start = root.content.as_ptr().addr() - initrd.as_ptr().addr();
    Ok(start..start + root.content.len())
}
