//! Updates of the system: written, tried once, kept when they are healthy, given up when not. The whole chain with firmware, loader and TPM.

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use model::control::ControlAnswer;
use model::control::ControlRequest;
use model::paths;
use model::update::SlotStanding;
use model::update::SlotsReport;
use model::update::UpdateOrder;
use model::update::UpdateOrigin;
use qemu_tests::Artifacts;
use qemu_tests::BOOT;
use qemu_tests::Boot;
use qemu_tests::Vm;
use qemu_tests::VmBuilder;
use qemu_tests::agent::Agent;
use qemu_tests::builder::Inside;
use qemu_tests::esp::Esp;
use qemu_tests::esp::SLOTS;
use qemu_tests::releases::Releases;
use qemu_tests::scenario::scenario;
use qemu_tests::slots;
use qemu_tests::wait_until;
use rustix::process::Signal;
use std::path::Path;

/// Where a test puts releases, on the boot partition: from there they go to where hostd puts downloads.
const SHELF: &str = "shelf";
/// Services say on the console what they do.
const LOG: &str = " hearth.log=console";

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
        home.expect_kept("0.1.0")?;

        home.install("0.1.1")?;
        home.restart_into("0.1.1")?;
        // hostd finds it healthy.
        home.expect_kept("0.1.1")?;
        home.ask(&ControlRequest::Reboot)?;
        home.expect_boot("0.1.1")?;

        for (version, reason) in [("0.1.2", "it did not come up"), ("0.1.3", "it did not come up")] {
            home.install(version)?;
            home.restart_into("0.1.1").with_context(|| format!("{version} falls back"))?;
            home.expect_failed(version, reason)?;
        }

        home.install("0.1.4")?;
        home.restart_into("0.1.4")?;
        home.expect_on_trial("0.1.4")?;
        home.kill_for_ever("hostd")?;
        home.expect_boot("0.1.1")?;
        let report = home.expect_failed("0.1.4", "the service hostd keeps failing")?;
        let failure = report.failure.context("nothing is kept of the boot that failed")?;
        ensure!(failure.version == "0.1.4" && failure.text.contains("init"), "{failure:?}");
        home.expect_kept("0.1.1")
    });
}

/// A box, and what is ready for it.
struct Home {
    vm: Vm,
    agent: Option<Agent>,
    /// Lines of the console that belong to earlier boots.
    mark: usize,
    metadata: Vec<String>,
}

impl Home {
    /// A box with the image's version, and these releases, each with further words on its command line, on its boot partition.
    fn with(folder: &Path, artifacts: &Artifacts, releases: &[(&str, &str)]) -> Result<Self> {
        let shipped = slots::shipped_name(artifacts)?;
        let version = shipped.trim_start_matches("hearth_").to_owned();
        let repository = Releases::new(artifacts, &folder.join("repository"))?;
        let builder = VmBuilder::new(folder, artifacts).boot(Boot::Uefi).tpm().watchdog();
        let mut builder = builder.inside(Inside::AgentInSlot).expects_refusal().memory(768);
        let disk = builder.prepare_disk()?;
        let esp = Esp::open(&disk)?;
        esp.write(&format!("{SLOTS}/{shipped}.efi"), &slots::update(artifacts, &version, LOG)?)?;
        esp.make_folder(SHELF)?;
        for (version, words) in releases {
            let slot = slots::update(artifacts, version, &format!("{LOG}{words}"))?;
            repository.add(version, &slot)?;
            esp.write(&format!("{SHELF}/{version}.efi"), &slot)?;
        }
        let metadata = repository.metadata()?;
        for (name, content) in &metadata {
            esp.write(&format!("{SHELF}/{name}"), content)?;
        }
        esp.close()?;
        let vm = builder.start()?;
        let mut home =
            Self { vm, agent: None, mark: 0, metadata: metadata.into_iter().map(|(name, _)| name).collect() };
        home.expect_boot(&version)?;
        Ok(home)
    }

    fn agent(&mut self) -> Result<&mut Agent> {
        if self.agent.is_none() {
            self.agent = Some(self.vm.agent()?);
        }
        self.agent.as_mut().context("no agent")
    }

    fn ask(&mut self, request: &ControlRequest) -> Result<()> {
        wait_until(BOOT, &format!("{request:?}"), || match self.agent()?.control(request)? {
            ControlAnswer::Accepted => Ok(Some(())),
            // It has told how it went, and goes.
            ControlAnswer::Refused { reason } if reason.contains("busy") => Ok(None),
            answer @ (ControlAnswer::Refused { .. } | ControlAnswer::Logs { .. }) => {
                bail!("{request:?}: {answer:?}")
            }
        })
    }

    /// The next boot that init reports is of this version, and its slots have been looked at.
    fn expect_boot(&mut self, version: &str) -> Result<()> {
        self.agent = None;
        let line = self.vm.serial().wait_line(self.mark, "hearth: version=", BOOT)?;
        ensure!(line.contains(&format!("slot=hearth_{version}")), "{line}");
        self.wait_report("the slots' report", |report| report.running.is_some())?;
        // Now that line has its end, and is behind.
        self.mark = self.vm.serial().mark();
        Ok(())
    }

    /// Brings a release to where hostd puts downloads, and has it installed.
    fn install(&mut self, version: &str) -> Result<()> {
        let metadata = self.metadata.clone();
        let agent = self.agent()?;
        // As from a file that the owner brought: nobody set this box's clock, so it takes nothing from a network.
        let folder = format!("{}/metadata", paths::UPDATE_BUNDLE);
        agent.make_folder(paths::UPDATE_BUNDLE)?;
        agent.make_folder(&folder)?;
        for name in metadata {
            agent.copy(&format!("/boot/{SHELF}/{name}"), &format!("{folder}/{name}"))?;
        }
        agent.copy(&format!("/boot/{SHELF}/{version}.efi"), paths::UPDATE_SLOT)?;
        self.ask(&ControlRequest::InstallUpdate {
            version: version.to_owned(),
            order: UpdateOrder::Asked,
            origin: UpdateOrigin::Bundle,
        })?;
        let report = self.wait_report("the end of the installation", |report| {
            report.last.as_ref().is_some_and(|last| last.verb == "install")
        })?;
        let problem = report.last.as_ref().and_then(|last| last.problem.as_ref());
        ensure!(problem.is_none(), "{version} was not installed: {problem:?}");
        ensure!(report.armed.as_deref() == Some(version), "{report:?}");
        Ok(())
    }

    /// Restarts into the update that is armed; `comes_up` is what runs in the end.
    fn restart_into(&mut self, comes_up: &str) -> Result<()> {
        self.ask(&ControlRequest::RestartIntoUpdate)?;
        self.expect_boot(comes_up)
    }

    /// Kills a service whenever it runs, until the system on trial is given up for it.
    fn kill_for_ever(&mut self, name: &str) -> Result<()> {
        let (mark, serial) = (self.vm.serial().mark(), self.vm.serial().clone());
        let agent = self.agent()?;
        wait_until(BOOT, "the end of the trial", || {
            // Between two lives there is nothing to kill.
            if let Ok(process) = agent.process(name) {
                agent.kill(process.pid, Signal::KILL).ok();
            }
            let lines = serial.since(mark);
            Ok(lines.iter().any(|line| line.contains("failed its trial and goes back")).then_some(()))
        })
    }

    fn expect_kept(&mut self, version: &str) -> Result<()> {
        self.expect_standing(version, SlotStanding::Kept)
    }

    fn expect_on_trial(&mut self, version: &str) -> Result<()> {
        self.expect_standing(version, SlotStanding::OnTrial)
    }

    fn expect_standing(&mut self, version: &str, standing: SlotStanding) -> Result<()> {
        self.wait_report(&format!("{version} {standing:?}"), |report| {
            report
                .running
                .as_ref()
                .is_some_and(|running| running.version == version && running.standing == standing)
        })
        .map(drop)
    }

    fn expect_failed(&mut self, version: &str, reason: &str) -> Result<SlotsReport> {
        self.wait_report(&format!("{version} failed: {reason}"), |report| {
            report.failed.iter().any(|failed| failed.version == version && failed.reason.contains(reason))
        })
    }

    /// Reads the report until it says this.
    fn wait_report(&mut self, what: &str, fits: impl Fn(&SlotsReport) -> bool) -> Result<SlotsReport> {
        let mut last = String::new();
        let found = wait_until(BOOT, what, || {
            let Ok(text) = self.agent()?.read(paths::SLOTS_REPORT) else { return Ok(None) };
            let report: SlotsReport = serde_json::from_str(&text)?;
            last = text;
            Ok(fits(&report).then_some(report))
        });
        found.with_context(|| format!("the last report: {last}"))
    }
}
