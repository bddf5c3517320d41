//! With keys enrolled, the firmware boots what they signed and nothing else.

use crate::boot_chain::expect_shipped;
use crate::boot_chain::shipped_slot;
use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use qemu_tests::Artifacts;
use qemu_tests::Boot;
use qemu_tests::VmBuilder;
use qemu_tests::esp::Esp;
use qemu_tests::esp::SLOTS;
use qemu_tests::scenario::scenario;
use qemu_tests::secure_boot::Key;
use qemu_tests::secure_boot::SecureBoot;
use qemu_tests::slots::shipped_name;

/// Where the firmware looks for a loader.
pub(crate) const LOADERS: [&str; 2] = ["EFI/BOOT/BOOTX64.EFI", "EFI/systemd/systemd-bootx64.efi"];

#[test]
fn unsigned_and_foreign_slots_are_refused_and_signed_ones_boot() {
    scenario("secure_boot", |folder| {
        let artifacts = Artifacts::load()?;
        let keys = SecureBoot::prepare(folder)?;
        let stranger = Key::make(folder, "stranger")?;
        // The loader takes no words from outside under Secure Boot, so this one is signed with the rest.
        let mut slot = shipped_slot(&artifacts)?;
        let line = slot.command_line()? + " no_timer_check hearth.log=console";
        slot.replace(".cmdline", line.as_bytes())?;

        let mut builder = VmBuilder::new(folder, &artifacts).boot(Boot::SecureUefi(keys.clone()));
        let disk = builder.prepare_disk()?;
        let esp = Esp::open(&disk)?;
        for loader in LOADERS {
            let signed = keys.trusted().sign(&esp.read(loader)?)?;
            esp.write(loader, &signed)?;
        }
        let name = shipped_name(&artifacts)?;
        esp.write(&format!("{SLOTS}/{name}.efi"), &keys.trusted().sign(slot.bytes())?)?;
        esp.write(&format!("{SLOTS}/hearth_9.9.9+1.efi"), slot.bytes())?;
        esp.close()?;

        let vm = builder.start()?;
        expect_shipped(&vm, &artifacts).context("beside an unsigned slot")?;
        let off = vm.power_cut();
        expect_tried(&off, "9.9.9")?;

        let esp = Esp::open(off.disk())?;
        esp.write(&format!("{SLOTS}/hearth_9.9.8+1.efi"), &stranger.sign(slot.bytes())?)?;
        esp.close()?;
        let vm = off.boot_again()?;
        expect_shipped(&vm, &artifacts).context("beside a slot that a stranger signed")?;
        expect_tried(&vm.power_cut(), "9.9.8")
    });
}

/// The loader has tried this slot, and it did not boot: its try is used up, or the system that runs has removed it already.
fn expect_tried(off: &qemu_tests::Off, version: &str) -> Result<()> {
    let slots = Esp::open(off.disk())?.names(SLOTS)?;
    let used_up = format!("hearth_{version}+0-1.efi");
    let is_left = |name: &String| name.contains(version) && *name != used_up;
    ensure!(!slots.iter().any(is_left), "{version} was not tried: {slots:?}");
    Ok(())
}
