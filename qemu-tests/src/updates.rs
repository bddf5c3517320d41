//! A box with later versions of the system at hand: they lie on its boot partition, and whoever looks on brings them to where downloads are, has
//! them installed, and restarts into them. The whole chain with firmware, loader and TPM.

use crate::agent::Agent;
use crate::artifacts::Artifacts;
use crate::builder::Boot;
use crate::builder::Inside;
use crate::builder::VmBuilder;
use crate::disk;
use crate::esp::Esp;
use crate::esp::SLOTS;
use crate::guest::BOOT;
use crate::releases::Releases;
use crate::slots;
use crate::vm::Vm;
use crate::wait_until;
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
use rustix::process::Signal;
use std::path::Path;
use std::time::Duration;

/// Where a test puts releases, on the boot partition: from there they go to where hostd puts downloads.
const SHELF: &str = "shelf";
/// Beside a machine's disk: what that was before the first boot.
pub const BASE: &str = "base.img";
/// Services say on the console what they do.
const LOG: &str = " hearth.log=console";
/// The slot file of a release: further words are on its command line.
///
/// # Errors
/// When the image was not built or has no parts, or the agent is missing.
pub fn slot(artifacts: &Artifacts, version: &str, words: &str) -> Result<Vec<u8>> {
    slots::update(artifacts, version, &format!("{LOG}{words}"))
}

/// A box, and what is ready for it.
#[derive(Debug)]
pub struct Home {
    /// The machine.
    pub vm: Vm,
    agent: Option<Agent>,
    /// Lines of the console that belong to earlier boots.
    mark: usize,
    metadata: Vec<String>,
}

impl Home {
    /// A box with the image's version, and these releases, each a slot file, on its boot partition.
    ///
    /// # Errors
    /// When the image was not built, or does not boot.
    pub fn with(folder: &Path, artifacts: &Artifacts, releases: &[(&str, Vec<u8>)]) -> Result<Self> {
        let repository = Releases::new(artifacts, &folder.join("repository"))?;
        for (version, slot) in releases {
            repository.add(version, slot)?;
        }
        Self::start(folder, artifacts, releases, repository.metadata()?, VmBuilder::tpm)
    }

    /// The same with a machine that the test has its say in, and metadata that it made.
    ///
    /// # Errors
    /// As [`Self::with`].
    pub fn start(
        folder: &Path,
        artifacts: &Artifacts,
        shelf: &[(&str, Vec<u8>)],
        metadata: Vec<(String, Vec<u8>)>,
        tune: impl FnOnce(VmBuilder) -> VmBuilder,
    ) -> Result<Self> {
        let shipped = slots::shipped_name(artifacts)?;
        let version = shipped.trim_start_matches("hearth_").to_owned();
        let builder = VmBuilder::new(folder, artifacts).boot(Boot::Uefi).watchdog();
        let mut builder = tune(builder.inside(Inside::AgentInSlot).expects_refusal().memory(768));
        let disk = builder.prepare_disk()?;
        let esp = Esp::open(&disk)?;
        esp.write(&format!("{SLOTS}/{shipped}.efi"), &slots::update(artifacts, &version, LOG)?)?;
        esp.make_folder(SHELF)?;
        for (version, slot) in shelf {
            esp.write(&format!("{SHELF}/{version}.efi"), slot)?;
        }
        for (name, content) in &metadata {
            esp.write(&format!("{SHELF}/{name}"), content)?;
        }
        esp.close()?;
        // What the machine's disk was, for who makes it anew from a record of its writes.
        disk::copy_sparse(&disk, &folder.join(BASE), 0)?;
        let mut home = Self::of(builder.start()?, metadata.into_iter().map(|(name, _)| name).collect());
        home.expect_boot(&version)?;
        Ok(home)
    }

    /// A machine that runs, whose boot partition has these metadata files on its shelf.
    pub fn of(vm: Vm, metadata: Vec<String>) -> Self {
        Self { vm, agent: None, mark: 0, metadata }
    }

    /// The agent of the system that runs.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn agent(&mut self) -> Result<&mut Agent> {
        if self.agent.is_none() {
            self.agent = Some(self.vm.agent()?);
        }
        self.agent.as_mut().context("no agent")
    }

    /// Asks init, until it is not busy.
    ///
    /// # Errors
    /// When it refuses for another reason.
    pub fn ask(&mut self, request: &ControlRequest) -> Result<()> {
        wait_until(BOOT, &format!("{request:?}"), || match self.agent()?.control(request)? {
            ControlAnswer::Accepted => Ok(Some(())),
            // It has told how it went, and goes.
            ControlAnswer::Refused { reason } if reason.contains("busy") => Ok(None),
            answer @ (ControlAnswer::Refused { .. } | ControlAnswer::Logs { .. }) => {
                bail!("{request:?}: {answer:?}")
            }
        })
    }

    /// The version of the next boot that init reports.
    ///
    /// # Errors
    /// When none comes.
    pub fn any_boot(&mut self) -> Result<String> {
        self.agent = None;
        self.vm.serial().wait_line(self.mark, "hearth: version=", BOOT)?;
        let report = self.wait_report("the slots' report", |report| report.running.is_some())?;
        self.mark = self.vm.serial().mark();
        Ok(report.running.map(|running| running.version).unwrap_or_default())
    }

    /// From the system before to this version, whatever was left of an attempt.
    ///
    /// # Errors
    /// When the update cannot be installed, or does not come up.
    pub fn complete(&mut self, version: &str) -> Result<()> {
        let report = self.wait_report("a look at the slots", |report| report.running.is_some())?;
        if report.armed.as_deref() != Some(version) {
            self.take(version)?;
        }
        self.restart_into(version)
    }

    /// The next boot that init reports is of this version, and its slots have been looked at.
    ///
    /// # Errors
    /// When none comes.
    pub fn expect_boot(&mut self, version: &str) -> Result<()> {
        self.agent = None;
        // Stage 1 says it before it looks at the root: a system that falls back there has said it, too.
        let line = self.vm.serial().wait_line(self.mark, &format!("hearth: version={version} "), BOOT)?;
        ensure!(line.contains(&format!("slot=hearth_{version}")), "{line}");
        self.wait_report("the slots' report", |report| report.running.is_some())?;
        // Now that line has its end, and is behind.
        self.mark = self.vm.serial().mark();
        Ok(())
    }

    /// Brings a release from the shelf, and has it installed.
    ///
    /// # Errors
    /// As [`Self::bring`] and [`Self::install`].
    pub fn take(&mut self, version: &str) -> Result<()> {
        self.bring(version)?;
        self.install(version)
    }

    /// Brings a release from the shelf to where hostd puts downloads.
    ///
    /// # Errors
    /// When it is not there.
    pub fn bring(&mut self, version: &str) -> Result<()> {
        let metadata = self.metadata.clone();
        let agent = self.agent()?;
        // As from a file that the owner brought: nobody set this box's clock, so it takes nothing from a network.
        let folder = format!("{}/metadata", paths::UPDATE_BUNDLE);
        agent.make_folder(paths::UPDATE_BUNDLE)?;
        agent.make_folder(&folder)?;
        for name in metadata {
            agent.copy(&format!("/boot/{SHELF}/{name}"), &format!("{folder}/{name}"))?;
        }
        agent.copy(&format!("/boot/{SHELF}/{version}.efi"), paths::UPDATE_SLOT)
    }

    /// Has a release installed that was brought.
    ///
    /// # Errors
    /// When it is not armed then.
    pub fn install(&mut self, version: &str) -> Result<()> {
        let report = self.try_to_install(version)?;
        let problem = report.last.as_ref().and_then(|last| last.problem.as_ref());
        ensure!(problem.is_none(), "{version} was not installed: {problem:?}");
        ensure!(report.armed.as_deref() == Some(version), "{report:?}");
        Ok(())
    }

    /// Has a release installed that was brought; how that went is in the report.
    ///
    /// # Errors
    /// When it has no end.
    pub fn try_to_install(&mut self, version: &str) -> Result<SlotsReport> {
        self.ask(&ControlRequest::InstallUpdate {
            version: version.to_owned(),
            order: UpdateOrder::Asked,
            origin: UpdateOrigin::Bundle,
        })?;
        self.wait_report("the end of the installation", |report| {
            report.last.as_ref().is_some_and(|last| last.verb == "install")
        })
    }

    /// Restarts into the update that is armed; `comes_up` is what runs in the end.
    ///
    /// # Errors
    /// When something else comes up, or nothing.
    pub fn restart_into(&mut self, comes_up: &str) -> Result<()> {
        self.ask(&ControlRequest::RestartIntoUpdate)?;
        self.expect_boot(comes_up)
    }

    /// Restarts into the update that is armed; it fails for this reason, and the other system comes up.
    ///
    /// # Errors
    /// When it does not fall back, or for another reason.
    pub fn expect_fall_back(&mut self, back: &str, version: &str, reason: &str) -> Result<()> {
        self.restart_into(back).with_context(|| format!("{version} falls back"))?;
        self.expect_failed(version, reason).map(drop)
    }

    /// Kills a process whenever it runs, until the system on trial is given up for it.
    ///
    /// # Errors
    /// When it is not given up within `patience`.
    pub fn kill_until_given_up(&mut self, name: &str, patience: Duration) -> Result<()> {
        let (mark, serial) = (self.vm.serial().mark(), self.vm.serial().clone());
        let agent = self.agent()?;
        wait_until(patience, "the end of the trial", || {
            // Between two lives there is nothing to kill.
            if let Ok(process) = agent.process(name) {
                agent.kill(process.pid, Signal::KILL).ok();
            }
            let lines = serial.since(mark);
            Ok(lines.iter().any(|line| line.contains("failed its trial and goes back")).then_some(()))
        })
    }

    /// Waits until the system that runs is of this version and kept.
    ///
    /// # Errors
    /// When it does not get there; the last report is in the text.
    pub fn expect_kept(&mut self, version: &str) -> Result<SlotsReport> {
        self.expect_standing(version, SlotStanding::Kept)
    }

    /// Waits until the system that runs is of this version and on trial.
    ///
    /// # Errors
    /// As [`Self::expect_kept`].
    pub fn expect_on_trial(&mut self, version: &str) -> Result<SlotsReport> {
        self.expect_standing(version, SlotStanding::OnTrial)
    }

    /// Waits until the system that runs is of this version and stands so.
    ///
    /// # Errors
    /// As [`Self::expect_kept`].
    pub fn expect_standing(&mut self, version: &str, standing: SlotStanding) -> Result<SlotsReport> {
        self.wait_report(&format!("{version} {standing:?}"), |report| {
            report
                .running
                .as_ref()
                .is_some_and(|running| running.version == version && running.standing == standing)
        })
    }

    /// Waits until the report has it that this version failed for this reason.
    ///
    /// # Errors
    /// As [`Self::expect_kept`].
    pub fn expect_failed(&mut self, version: &str, reason: &str) -> Result<SlotsReport> {
        self.wait_report(&format!("{version} failed: {reason}"), |report| {
            report.failed.iter().any(|failed| failed.version == version && failed.reason.contains(reason))
        })
    }

    /// Reads the report until it says this.
    ///
    /// # Errors
    /// When it never does; the last report is in the text.
    pub fn wait_report(&mut self, what: &str, fits: impl Fn(&SlotsReport) -> bool) -> Result<SlotsReport> {
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
