//! Updates of the system: written, tried once, kept when they are healthy, given up when not. The whole chain with firmware, loader and TPM.

mod cuts;
mod household;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use model::control::ControlRequest;
use qemu_tests::Artifacts;
use qemu_tests::BOOT;
use qemu_tests::VmBuilder;
use qemu_tests::artifacts::compiler;
use qemu_tests::esp::Esp;
use qemu_tests::gdb;
use qemu_tests::releases::Releases;
use qemu_tests::scenario::scenario;
use qemu_tests::slots;
use qemu_tests::updates::Home;
use qemu_tests::updates::slot;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn an_update_is_kept_when_healthy_and_given_up_when_not() {
    scenario("updates", |folder| {
        let artifacts = Artifacts::load()?;
        let mut home = Home::with(
            folder,
            &artifacts,
            &[
                ("0.1.1", slot(&artifacts, "0.1.1", "")?),
                // Stage 1 does not find the root that it is told to.
                ("0.1.2", slots::update_with_other_root(&artifacts, "0.1.2")?),
                ("0.1.3", slot(&artifacts, "0.1.3", "")?),
            ],
        )?;
        home.expect_kept("0.1.0")?;

        home.take("0.1.1")?;
        home.restart_into("0.1.1")?;
        // hostd finds it healthy.
        home.expect_kept("0.1.1")?;
        home.ask(&ControlRequest::Reboot)?;
        home.expect_boot("0.1.1")?;

        home.take("0.1.2")?;
        home.expect_fall_back("0.1.1", "0.1.2", "it did not come up")?;

        home.take("0.1.3")?;
        home.restart_into("0.1.3")?;
        home.expect_on_trial("0.1.3")?;
        home.kill_until_given_up("hostd", BOOT)?;
        home.expect_boot("0.1.1")?;
        let report = home.expect_failed("0.1.3", "the service hostd keeps failing")?;
        let failure = report.failure.context("nothing is kept of the boot that failed")?;
        ensure!(failure.version == "0.1.3" && failure.text.contains("init"), "{failure:?}");
        home.expect_kept("0.1.1").map(drop)
    });
}

#[test]
fn a_kernel_that_panics_on_trial_is_given_up_with_its_last_words() {
    scenario("updates-panic", |folder| {
        let artifacts = Artifacts::load()?;
        // An interrupt that nobody asked for makes the kernel panic (Documentation/admin-guide/kernel-parameters.txt). QEMU's machine for ARM
        // takes none.
        let update = slot(&artifacts, "0.1.1", " unknown_nmi_panic")?;
        let mut home = Home::with(folder, &artifacts, &[("0.1.1", update)])?;
        home.expect_kept("0.1.0")?;

        home.take("0.1.1")?;
        home.restart_into("0.1.1")?;
        home.expect_on_trial("0.1.1")?;
        home.vm.qmp().execute("inject-nmi", &json!({}))?;
        home.expect_boot("0.1.0")?;
        let report = home.expect_failed("0.1.1", "the kernel stopped")?;
        let failure = report.failure.context("nothing is kept of what the kernel said last")?;
        ensure!(failure.version == "0.1.1" && failure.text.contains("Kernel panic"), "{failure:?}");
        home.expect_kept("0.1.0").map(drop)
    });
}

#[test]
fn three_updates_that_fail_in_a_row_leave_the_system_from_before() {
    scenario("updates-fail", |folder| {
        let artifacts = Artifacts::load()?;
        let stranger = slots::strange_key(&folder.join("stranger"))?;
        let mut home = Home::with(
            folder,
            &artifacts,
            &[
                (
                    "0.1.1",
                    slots::update_with_init(&artifacts, "0.1.1", program_that_ends(folder, &artifacts)?)?,
                ),
                // The TPM does not give the data's key out to it.
                ("0.1.2", slots::unapproved_update(&artifacts, "0.1.2", " hearth.log=console", &stranger)?),
                ("0.1.3", slot(&artifacts, "0.1.3", "")?),
            ],
        )?;
        home.expect_kept("0.1.0")?;

        home.take("0.1.1")?;
        // The kernel panics, before anything keeps what it says.
        home.expect_fall_back("0.1.0", "0.1.1", "it did not come up")?;

        home.take("0.1.2")?;
        home.expect_fall_back("0.1.0", "0.1.2", "the data did not open")?;

        home.take("0.1.3")?;
        home.restart_into("0.1.3")?;
        home.expect_on_trial("0.1.3")?;
        // Nothing but the hardware watchdog is left.
        gdb::hang(home.vm.qmp(), folder)?;
        home.vm.qmp().wait_event("WATCHDOG", BOOT).context("the watchdog never fired")?;
        home.expect_boot("0.1.0")?;
        home.expect_failed("0.1.3", "it did not come up, or the power went before it was confirmed")?;

        // Nothing is tried again.
        let report = home.expect_kept("0.1.0")?;
        ensure!(report.armed.is_none() && report.failed.len() == 3, "{report:?}");
        home.ask(&ControlRequest::Reboot)?;
        home.expect_boot("0.1.0")?;
        home.expect_kept("0.1.0").map(drop)
    });
}

#[test]
fn a_full_boot_partition_costs_the_update_and_nothing_else() {
    scenario("updates-full", |folder| {
        let artifacts = Artifacts::load()?;
        let update = slot(&artifacts, "0.1.1", "")?;
        let releases = Releases::new(&artifacts, &folder.join("repository"))?;
        releases.add("0.1.1", &update)?;
        // Somebody filled it, up to half a system.
        let free = Esp::look(&artifacts.image)?.free()?;
        let rest = usize::try_from(free)?.saturating_sub(update.len() + update.len() / 2);
        let shelf = [("0.1.1", update), ("filler", vec![0; rest])];
        let mut home = Home::start(folder, &artifacts, &shelf, releases.metadata()?, VmBuilder::tpm)?;
        home.expect_kept("0.1.0")?;

        home.bring("0.1.1")?;
        let report = home.try_to_install("0.1.1")?;
        let problem = report.last.and_then(|last| last.problem).context("it was installed")?;
        ensure!(problem.contains("the boot partition is full"), "{problem}");
        ensure!(report.armed.is_none(), "a part of a system is armed");
        home.ask(&ControlRequest::Reboot)?;
        home.expect_boot("0.1.0")?;
        home.expect_kept("0.1.0").map(drop)
    });
}

/// A program that ends at once, with nothing around it.
fn program_that_ends(folder: &Path, artifacts: &Artifacts) -> Result<Vec<u8>> {
    let (source, program) = (folder.join("ends.c"), folder.join("ends"));
    fs::write(&source, "int main(void) { return 3; }\n")?;
    let made =
        Command::new(compiler(artifacts.arch)).args(["-static", "-o"]).arg(&program).arg(&source).output();
    let made = made.context("cannot run the C compiler")?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Ok(fs::read(&program)?)
}
