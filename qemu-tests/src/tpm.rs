//! A software TPM (swtpm) for one machine.

use crate::process::Owned;
use crate::wait_until;
use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use std::fs;
use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
/// What a chip that was made has in its folder (swtpm(8), "--tpmstate").
const STATE: &str = "tpm2-00.permall";

/// A running TPM; its state stays in a folder over power cuts.
#[derive(Debug)]
pub struct Tpm {
    socket: PathBuf,
    _process: Owned,
}

/// A new chip with registers of SHA-256 alone, as most firmware sets one up. With all four kinds that swtpm has by itself, firmware under
/// emulation hashes every slot four times.
fn manufacture(state: &Path, log: &File) -> Result<()> {
    let made = Command::new("swtpm_setup")
        .args(["--tpm2", "--pcr-banks", "sha256", "--tpmstate"])
        .arg(state)
        .stdin(Stdio::null())
        .stdout(log.try_clone().context("cannot share swtpm.log")?)
        .stderr(log.try_clone().context("cannot share swtpm.log")?)
        .status()
        .context("cannot start swtpm_setup")?;
    ensure!(made.success(), "swtpm_setup ended ({made}); see swtpm.log");
    Ok(())
}

impl Tpm {
    /// Starts a TPM 2.0 on the state in a folder.
    ///
    /// # Errors
    /// When swtpm is missing or ends at once; its words are in `swtpm.log` in the log folder.
    pub fn start(state: &Path, socket: PathBuf, logs: &Path) -> Result<Self> {
        fs::create_dir_all(state).with_context(|| format!("cannot make {}", state.display()))?;
        let log = File::create(logs.join("swtpm.log")).context("cannot make swtpm.log")?;
        if !state.join(STATE).exists() {
            manufacture(state, &log)?;
        }
        if socket.exists() {
            fs::remove_file(&socket).context("cannot remove the old TPM socket")?;
        }
        let mut process = Owned::start(
            Command::new("swtpm")
                .args(["socket", "--tpm2", "--tpmstate", &format!("dir={}", state.display())])
                .args(["--ctrl", &format!("type=unixio,path={}", socket.display())])
                .stdin(Stdio::null())
                .stdout(log.try_clone().context("cannot share swtpm.log")?)
                .stderr(log),
        )?;
        wait_until(PATIENCE, "swtpm's socket", || {
            if let Some(status) = process.ended()? {
                bail!("swtpm ended ({status}); see {}", logs.join("swtpm.log").display());
            }
            Ok(socket.exists().then_some(()))
        })?;
        Ok(Self { socket, _process: process })
    }

    /// Where QEMU reaches it.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }
}
