//! A disk that takes no writes any more from one moment on, as worn-out flash does: what was written can still be read.

use crate::process::Owned;
use crate::wait_until;
use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// A raw image, served to a machine by nbdkit; ends with its handle.
#[derive(Debug)]
pub struct FailingDisk {
    socket: PathBuf,
    trigger: PathBuf,
    _process: Owned,
}

impl FailingDisk {
    /// Serves an image; socket and trigger are put into the folder, whose path must be short (108 bytes, unix(7)).
    ///
    /// # Errors
    /// When nbdkit is missing or ends at once.
    pub fn serve(image: &Path, folder: &Path) -> Result<Self> {
        let (socket, trigger) = (folder.join("disk"), folder.join("fails"));
        let mut command = Command::new("nbdkit");
        command.args(["--foreground", "--exit-with-parent", "--unix"]).arg(&socket);
        command.args(["--filter=error", "file"]).arg(format!("file={}", image.display()));
        for what in ["pwrite", "zero", "trim"] {
            command.arg(format!("error-{what}=EIO")).arg(format!("error-{what}-rate=100%"));
            command.arg(format!("error-{what}-file={}", trigger.display()));
        }
        let mut process = Owned::start(command.stdin(Stdio::null()))?;
        wait_until(PATIENCE, "nbdkit's socket", || {
            if let Some(status) = process.ended()? {
                bail!("nbdkit ended ({status})");
            }
            Ok(socket.exists().then_some(()))
        })?;
        Ok(Self { socket, trigger, _process: process })
    }

    /// Where the machine reaches it.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// From now on no write gets through.
    ///
    /// # Errors
    /// When the trigger cannot be made.
    pub fn fail(&self) -> Result<()> {
        fs::write(&self.trigger, []).context("cannot make the disk fail")
    }
}
