//! A software TPM (swtpm) for one machine.

use crate::process::Owned;
use crate::wait_until;
use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use std::fs;
use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// A running TPM; its state stays in a folder over power cuts.
#[derive(Debug)]
pub struct Tpm {
    socket: PathBuf,
    _process: Owned,
}

impl Tpm {
    /// Starts a TPM 2.0 on the state in a folder.
    ///
    /// # Errors
    /// When swtpm is missing or ends at once; its words are in `swtpm.log` in the log folder.
    pub fn start(state: &Path, socket: PathBuf, logs: &Path) -> Result<Self> {
        fs::create_dir_all(state).with_context(|| format!("cannot make {}", state.display()))?;
        let log = File::create(logs.join("swtpm.log")).context("cannot make swtpm.log")?;
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
