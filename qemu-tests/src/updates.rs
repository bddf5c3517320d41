//! A box with later versions of the system at hand: they lie on its boot partition, and whoever looks on brings them to where downloads are, has
//! them installed, and restarts into them. The whole chain with firmware, loader and TPM.

use crate::agent::Agent;
use crate::artifacts::Artifacts;
use crate::builder::Boot;
use crate::builder::Inside;
use crate::builder::VmBuilder;
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
use std::path::Path;

/// Where releases lie, on the boot partition: from there they go to where hostd puts downloads.
const SHELF: &str = "shelf";
/// Services say on the console what they do.
const LOG: &str = " hearth.log=console";

/// A box, and what is ready for it.
#[derive(Debug)]
pub struct Home {
    vm: Vm,
    agent: Option<Agent>,
    /// Lines of the console that belong to earlier boots.
    mark: usize,
    metadata: Vec<String>,
}

impl Home {
    /// A box that has booted the image's version. Each release is a version and further words on its command line, which begin with a space.
    ///
    /// # Errors
    /// When the image was not built, or does not boot.
    pub fn with(folder: &Path, artifacts: &Artifacts, releases: &[(&str, &str)]) -> Result<Self> {
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

    /// The machine.
    #[must_use]
    pub fn vm(&self) -> &Vm {
        &self.vm
    }

    /// Where the console of the boot that was last expected begins.
    #[must_use]
    pub fn mark(&self) -> usize {
        self.mark
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

    /// The next boot that init reports is of this version, and its slots have been looked at.
    ///
    /// # Errors
    /// When it is another, or none comes.
    pub fn expect_boot(&mut self, version: &str) -> Result<()> {
        self.agent = None;
        let line = self.vm.serial().wait_line(self.mark, "hearth: version=", BOOT)?;
        ensure!(line.contains(&format!("slot=hearth_{version}")), "{line}");
        self.wait_report("the slots' report", |report| report.running.is_some())?;
        // Now that line has its end, and is behind.
        self.mark = self.vm.serial().mark();
        Ok(())
    }

    /// Brings a release to where hostd puts downloads.
    ///
    /// # Errors
    /// When it is not on the shelf.
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
    ///
    /// # Errors
    /// When something else comes up, or nothing.
    pub fn restart_into(&mut self, comes_up: &str) -> Result<()> {
        self.ask(&ControlRequest::RestartIntoUpdate)?;
        self.expect_boot(comes_up)
    }

    /// Waits until the system that runs is of this version and stands so.
    ///
    /// # Errors
    /// When it does not get there; the last report is in the text.
    pub fn expect_standing(&mut self, version: &str, standing: SlotStanding) -> Result<()> {
        self.wait_report(&format!("{version} {standing:?}"), |report| {
            report
                .running
                .as_ref()
                .is_some_and(|running| running.version == version && running.standing == standing)
        })
        .map(drop)
    }

    /// Reads the slots' report until it says this.
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
