//! Updates of the system: written, tried once, kept when they are healthy, given up when not. The whole chain with firmware, loader and TPM.

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use model::control::ControlRequest;
use model::update::SlotStanding;
use model::update::SlotsReport;
use qemu_tests::Artifacts;
use qemu_tests::BOOT;
use qemu_tests::scenario::scenario;
use qemu_tests::updates::Home;
use qemu_tests::wait_until;
use rustix::process::Signal;

#[test]
fn an_update_is_kept_when_healthy_and_given_up_when_not() {
    scenario("updates", |folder| {
        let artifacts = Artifacts::load()?;
        let mut home = Home::with(
            folder,
            &artifacts,
            &[
                ("0.1.1", ""),
                // Stage 1 finds another root than the one that was signed.
                (
                    "0.1.2",
                    " hearth.root=sha256:0000000000000000000000000000000000000000000000000000000000000000",
                ),
                // The kernel has nothing to start, and panics.
                ("0.1.3", " rdinit=/nowhere"),
                ("0.1.4", ""),
            ],
        )?;
        expect_kept(&mut home, "0.1.0")?;

        install(&mut home, "0.1.1")?;
        home.restart_into("0.1.1")?;
        // hostd finds it healthy.
        expect_kept(&mut home, "0.1.1")?;
        home.ask(&ControlRequest::Reboot)?;
        home.expect_boot("0.1.1")?;

        for (version, reason) in [("0.1.2", "it did not come up"), ("0.1.3", "it did not come up")] {
            install(&mut home, version)?;
            home.restart_into("0.1.1").with_context(|| format!("{version} falls back"))?;
            expect_failed(&mut home, version, reason)?;
        }

        install(&mut home, "0.1.4")?;
        home.restart_into("0.1.4")?;
        home.expect_standing("0.1.4", SlotStanding::OnTrial)?;
        kill_for_ever(&mut home, "hostd")?;
        home.expect_boot("0.1.1")?;
        let report = expect_failed(&mut home, "0.1.4", "the service hostd keeps failing")?;
        let failure = report.failure.context("nothing is kept of the boot that failed")?;
        ensure!(failure.version == "0.1.4" && failure.text.contains("init"), "{failure:?}");
        expect_kept(&mut home, "0.1.1")
    });
}

/// Brings a release, and has it installed.
fn install(home: &mut Home, version: &str) -> Result<()> {
    home.bring(version)?;
    home.install(version)
}

fn expect_kept(home: &mut Home, version: &str) -> Result<()> {
    home.expect_standing(version, SlotStanding::Kept)
}

fn expect_failed(home: &mut Home, version: &str, reason: &str) -> Result<SlotsReport> {
    home.wait_report(&format!("{version} failed: {reason}"), |report| {
        report.failed.iter().any(|failed| failed.version == version && failed.reason.contains(reason))
    })
}

/// Kills a service whenever it runs, until the system on trial is given up for it.
fn kill_for_ever(home: &mut Home, name: &str) -> Result<()> {
    let (mark, serial) = (home.vm().serial().mark(), home.vm().serial().clone());
    let agent = home.agent()?;
    wait_until(BOOT, "the end of the trial", || {
        // Between two lives there is nothing to kill.
        if let Ok(process) = agent.process(name) {
            agent.kill(process.pid, Signal::KILL).ok();
        }
        let lines = serial.since(mark);
        Ok(lines.iter().any(|line| line.contains("failed its trial and goes back")).then_some(()))
    })
}
