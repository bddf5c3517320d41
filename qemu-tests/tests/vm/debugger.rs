//! The harness's own hand on a processor, on a machine that has nothing but its firmware.

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use qemu_tests::Artifacts;
use qemu_tests::BOOT;
use qemu_tests::VmBuilder;
use qemu_tests::gdb;
use qemu_tests::qmp::Qmp;
use qemu_tests::scenario::scenario;
use qemu_tests::wait_until;
use std::path::Path;
use std::process::Command;

#[test]
fn a_processor_that_is_made_to_hang_stays_where_it_is() {
    scenario("debugger", |folder| {
        let monitor = folder.join("monitor");
        let mut machine = Command::new("qemu-system-x86_64")
            .args(["-accel", "tcg", "-nodefaults", "-display", "none", "-qmp"])
            .arg(format!("unix:{},server=on,wait=off", monitor.display()))
            .spawn()
            .context("cannot start QEMU")?;
        let seen = hung(folder, &monitor);
        machine.kill().context("cannot end QEMU")?;
        machine.wait().context("cannot end QEMU")?;
        seen
    });
}

#[test]
fn a_box_that_hangs_with_interrupts_off_is_restarted_by_its_watchdog() {
    scenario("debugger-box", |folder| {
        let mut vm = VmBuilder::new(folder, &Artifacts::load()?).watchdog().start()?;
        // Armed before services run, not when there is time for it.
        vm.wait_state(0)?;
        gdb::hang(vm.qmp(), folder)?;
        let mark = vm.serial().mark();
        vm.qmp().wait_event("WATCHDOG", BOOT).context("the watchdog never fired")?;
        vm.serial().wait_line(mark, "hearth: version=", BOOT).map(drop)
    });
}

fn hung(folder: &Path, monitor: &Path) -> Result<()> {
    wait_until(BOOT, "QEMU's monitor", || Ok(monitor.exists().then_some(())))?;
    let mut qmp = Qmp::connect(monitor, &folder.join("trace"))?;
    gdb::hang(&mut qmp, folder)?;
    let first = place(&mut qmp)?;
    for _ in 0..20 {
        ensure!(place(&mut qmp)? == first, "the processor goes on");
    }
    Ok(())
}

/// Instruction pointer and flags.
fn place(qmp: &mut Qmp) -> Result<(String, u64)> {
    let text = qmp.human("info registers")?;
    // `EIP` and `EFL` before the firmware goes to 64 bits, `RIP` and `RFL` after.
    let word = |name: &str| {
        let mut words = text.split_whitespace().filter_map(|word| word.split_once('='));
        let found = words.find(|(register, _)| register.get(1..) == Some(name));
        found.map(|(_, value)| value.to_owned()).with_context(|| format!("no {name} in {text}"))
    };
    let (pointer, flags) = (word("IP")?, word("FL")?);
    let flags = u64::from_str_radix(&flags, 16).with_context(|| format!("flags are {flags}"))?;
    ensure!(flags & (1 << 9) == 0, "interrupts are on: {flags:#x}");
    Ok((pointer, flags))
}
