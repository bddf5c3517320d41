//! A machine that runs, and one whose power was cut.

use crate::agent::Agent;
use crate::machine::Machine;
use crate::process::Owned;
use crate::qmp;
use crate::qmp::Qmp;
use crate::serial::Serial;
use crate::tpm::Tpm;
use crate::wait_until;
use crate::web;
use crate::web::Web;
use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use serde_json::json;
use std::fs;
use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;

/// How long a boot may take on a machine that does much else.
pub const BOOT: Duration = Duration::from_secs(600);

/// All that is needed to start a machine again.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) machine: Machine,
    pub(crate) folder: PathBuf,
    /// Held for as long as the machine may be started: it goes with its sockets.
    pub(crate) _sockets: TempDir,
}

/// A running machine. Dropping it is a power cut.
#[derive(Debug)]
pub struct Vm {
    // QEMU goes first: a TPM must not vanish under it.
    qemu: Owned,
    _tpm: Option<Tpm>,
    qmp: Qmp,
    serial: Serial,
    mark: usize,
    ports: Ports,
    plan: Plan,
}

/// A machine without power; its disk, firmware variables and TPM are as they were left.
#[derive(Debug)]
pub struct Off {
    plan: Plan,
    serial: Serial,
}

/// Ports of this machine's loopback that lead to the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// To port 80.
    pub http: u16,
    /// To port 443.
    pub https: u16,
}

/// The console line that says where the box stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateLine {
    /// `setup`, `ready`, `degraded` or `locked`.
    pub state: String,
    /// The address to open.
    pub url: String,
}

impl Vm {
    pub(crate) fn start(plan: Plan, serial: Serial) -> Result<Self> {
        let machine = &plan.machine;
        let tpm = match &machine.tpm {
            Some(socket) => Some(Tpm::start(&plan.folder.join("tpm"), socket.clone(), &plan.folder)?),
            None => None,
        };
        for socket in [
            Some(&machine.monitor),
            machine.agent.as_ref(),
            machine.packets.as_ref().map(|link| &link.machine),
        ] {
            if let Some(socket) = socket.filter(|socket| socket.exists()) {
                fs::remove_file(socket).with_context(|| format!("cannot remove {}", socket.display()))?;
            }
        }
        let words = plan.folder.join("qemu.log");
        let mut qemu = Owned::start(
            Command::new("qemu-system-x86_64")
                .args(machine.arguments())
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(File::create(&words).context("cannot make qemu.log")?),
        )?;
        let mark = serial.mark();
        serial.follow(qemu.child().stdout.take().context("QEMU has no console")?);
        let mut qmp =
            Qmp::connect(&machine.monitor, &plan.folder.join("monitor.log")).with_context(|| {
                format!("QEMU did not start: {}", fs::read_to_string(&words).unwrap_or_default())
            })?;
        let table = qmp.human("info usernet")?;
        let port = |guest| {
            qmp::forwarded_port(&table, guest).with_context(|| format!("no forward to {guest}: {table}"))
        };
        let ports = Ports { http: port(80)?, https: port(443)? };
        Ok(Self { qemu, _tpm: tpm, qmp, serial, mark, ports, plan })
    }

    /// The console.
    #[must_use]
    pub fn serial(&self) -> &Serial {
        &self.serial
    }

    /// Where the console of this boot begins: searches start here.
    #[must_use]
    pub fn mark(&self) -> usize {
        self.mark
    }

    /// The monitor.
    pub fn qmp(&mut self) -> &mut Qmp {
        &mut self.qmp
    }

    /// The forwarded ports.
    #[must_use]
    pub fn ports(&self) -> Ports {
        self.ports
    }

    /// The folder with everything about this machine.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.plan.folder
    }

    /// What QEMU was told.
    #[must_use]
    pub fn machine(&self) -> &Machine {
        &self.plan.machine
    }

    /// Waits for a line on the console since this machine was started.
    ///
    /// # Errors
    /// When the guest dies or the line does not come.
    pub fn wait_line(&self, text: &str) -> Result<String> {
        self.serial.wait_line(self.mark, text, BOOT)
    }

    /// Waits until the box says where it stands, and returns the first such line from a place on.
    ///
    /// # Errors
    /// When the guest dies or does not get there.
    pub fn wait_state(&self, mark: usize) -> Result<StateLine> {
        let line = self.serial.wait_for(mark, "a state line", BOOT, |line| parse_state(line).is_some())?;
        parse_state(&line).context("the state line is gone")
    }

    /// Waits for a claim code on the console from a place on.
    ///
    /// # Errors
    /// When the guest dies or shows none.
    pub fn wait_claim_code(&self, mark: usize) -> Result<String> {
        let line = self.serial.wait_line(mark, "hearth: claim code: ", BOOT)?;
        let code = line.rsplit(' ').next().unwrap_or_default();
        if code.len() != 14 {
            bail!("no claim code in: {line}");
        }
        Ok(code.to_owned())
    }

    /// Waits, and gives up at once when the guest is dead.
    ///
    /// # Errors
    /// As [`wait_until`], or when the guest has died.
    pub fn wait_until<T>(&self, what: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
        wait_until(BOOT, what, || {
            self.serial.check().with_context(|| format!("while waiting for {what}"))?;
            look()
        })
    }

    /// Waits until the page answers over HTTPS and returns a client that trusts the household CA.
    ///
    /// # Errors
    /// When the guest dies or does not get there; the last reason is in the text.
    pub fn wait_web(&self) -> Result<Web> {
        let mut last = None;
        let found = self.wait_until("the page over HTTPS", || {
            match self.web().and_then(|web| web.get("/").map(|_| web)) {
                Ok(web) => Ok(Some(web)),
                Err(error) => {
                    last = Some(error);
                    Ok(None)
                }
            }
        });
        match last {
            Some(last) => found.with_context(|| format!("the last try: {last:#}")),
            None => found,
        }
    }

    /// A client that trusts the household CA as fetched from the welcome page.
    ///
    /// # Errors
    /// When the box does not answer over plain HTTP or has no certificate.
    pub fn web(&self) -> Result<Web> {
        Web::trusting(self.ports, &web::fetch_authority(self.ports)?)
    }

    /// Connects to the agent, as often as wanted, one at a time.
    ///
    /// # Errors
    /// When the test added none, or when it does not answer.
    pub fn agent(&self) -> Result<Agent> {
        Agent::connect(self.plan.machine.agent.as_deref().context("no agent was added to this machine")?)
    }

    /// Seconds of processor time that QEMU has used: what a boot costs, whatever else this computer does.
    ///
    /// # Errors
    /// When QEMU has ended.
    pub fn cpu_seconds(&self) -> Result<f64> {
        self.qemu.cpu_seconds()
    }

    /// Cuts the power: SIGKILL, nothing is written any more.
    #[must_use]
    pub fn power_cut(self) -> Off {
        let Self { qemu, plan, serial, .. } = self;
        drop(qemu);
        Off { plan, serial }
    }

    /// Waits until the box has switched itself off.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn wait_off(mut self, deadline: Duration) -> Result<Off> {
        let status = wait_until(deadline, "the box to switch itself off", || self.qemu.ended())?;
        if !status.success() {
            bail!("QEMU failed ({status}); see {}", self.plan.folder.join("qemu.log").display());
        }
        Ok(self.power_cut())
    }

    /// Ends QEMU in order: its files are whole, the guest notices nothing.
    ///
    /// # Errors
    /// When QEMU does not end in time.
    pub fn quit(mut self) -> Result<Off> {
        self.qmp.execute("quit", &json!({}))?;
        self.wait_off(BOOT)
    }
}

impl Off {
    /// Boots the same disk again.
    ///
    /// # Errors
    /// When QEMU does not start.
    pub fn boot_again(self) -> Result<Vm> {
        Vm::start(self.plan, self.serial)
    }

    /// The disk.
    #[must_use]
    pub fn disk(&self) -> &Path {
        &self.plan.machine.disk
    }

    /// The console of all boots so far.
    #[must_use]
    pub fn serial(&self) -> &Serial {
        &self.serial
    }
}

/// Reads `hearth: state=… url=…`.
#[must_use]
pub fn parse_state(line: &str) -> Option<StateLine> {
    let rest = line.split_once("hearth: state=")?.1;
    let (state, rest) = rest.split_once(' ')?;
    let url = rest.strip_prefix("url=")?.split_whitespace().next()?;
    Some(StateLine { state: state.to_owned(), url: url.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_line_is_read() {
        let expected = StateLine { state: "setup".to_owned(), url: "https://hearth.local".to_owned() };
        assert_eq!(parse_state("hearth: state=setup url=https://hearth.local"), Some(expected));
        assert_eq!(parse_state("hearth: state=setup"), None);
        assert_eq!(parse_state("hearth: claim code: 0000-0000-0000"), None);
    }
}
