//! A machine that runs, and one whose power was cut.

use crate::agent::Agent;
use crate::guest::BOOT;
use crate::guest::Guest;
use crate::guest::Ports;
use crate::machine::Machine;
use crate::process::Owned;
use crate::qmp;
use crate::qmp::Qmp;
use crate::serial::Serial;
use crate::tpm::Tpm;
use crate::wait_until;
use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use rustix::process::Resource;
use rustix::process::getrlimit;
use rustix::process::setrlimit;
use serde_json::json;
use std::fs;
use std::fs::File;
use std::ops::Deref;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;

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
    guest: Guest,
    plan: Plan,
}

/// A machine without power; its disk, firmware variables and TPM are as they were left.
#[derive(Debug)]
pub struct Off {
    plan: Plan,
    serial: Serial,
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
        allow_many_files()?;
        let words = plan.folder.join("qemu.log");
        let mut qemu = Owned::start(
            Command::new(machine.program())
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
        Ok(Self { qemu, _tpm: tpm, qmp, guest: Guest { serial, mark, ports }, plan })
    }

    /// The box as its neighbours see it; can be given to threads.
    #[must_use]
    pub fn guest(&self) -> &Guest {
        &self.guest
    }

    /// The monitor.
    pub fn qmp(&mut self) -> &mut Qmp {
        &mut self.qmp
    }

    /// The port of this machine's loopback that leads to a port of the box.
    ///
    /// # Errors
    /// When none does.
    pub fn forwarded(&mut self, guest: u16) -> Result<u16> {
        let table = self.qmp.human("info usernet")?;
        qmp::forwarded_port(&table, guest).with_context(|| format!("no forward to {guest}: {table}"))
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
        let Self { qemu, plan, guest, .. } = self;
        drop(qemu);
        Off { plan, serial: guest.serial }
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

    /// Whether the machine has ended, for instance because the box switched itself off.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn is_off(&mut self) -> Result<bool> {
        Ok(self.qemu.ended()?.is_some())
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

/// Lets this process and QEMU have as many open files as they may: each forwarded connection is one in both.
fn allow_many_files() -> Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).context("cannot raise the limit of open files")
}

impl Deref for Vm {
    type Target = Guest;

    fn deref(&self) -> &Guest {
        &self.guest
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

    /// What QEMU was told.
    #[must_use]
    pub fn machine(&self) -> &Machine {
        &self.plan.machine
    }

    /// The console of all boots so far.
    #[must_use]
    pub fn serial(&self) -> &Serial {
        &self.serial
    }
}
