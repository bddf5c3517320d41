//! `cryptsetup reencrypt` of version 2, on the open partition.
//!
//! Before a piece is written, checksums of what stands there are in the header: after a cut they tell the sectors that are written from
//! those that are not (`--resilience checksum`). The next opening makes the piece whole before anything is read.

use super::Luks;
use super::LuksError;
use super::cost_arguments;
use super::readable;
use crate::key::Key;
use crate::rotation::Plan;
use crate::rotation::percent;
use rustix::process::Pid;
use rustix::process::Signal;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

/// Whoever reads or writes a piece waits until it is through, and so does the end of the service: 8 MiB is a second of a slow card.
const PIECE: &str = "8M";

/// One run of the program.
#[derive(Debug)]
pub struct Reencryption {
    luks: Luks,
    child: Child,
}

impl Luks {
    /// Gives each slot a twin that holds a new volume key, and notes in the header what is to be done. No data is touched. A cut leaves
    /// twins that [`Luks::tidy`] takes away, or a change that is under way.
    ///
    /// # Errors
    /// When the program fails.
    pub fn begin_reencryption(&self, plan: &Plan) -> Result<(), LuksError> {
        let mut command = self.reencrypt("--init-only");
        command.args(cost_arguments(plan.cost)).arg(self.device());
        let lines = readable(&Key::from_bytes(plan.lines.to_vec())).map_err(LuksError::Run)?;
        command.stdin(lines);
        self.run("begin to change the volume key of", command, &[]).map(drop)
    }

    /// Goes on with a change that was begun. The key opens the partition.
    ///
    /// # Errors
    /// When the program does not start.
    pub fn reencrypt_on(&self, key: &Key) -> Result<Reencryption, LuksError> {
        let mut command = self.reencrypt("--resume-only");
        command.args(["--progress-json", "--progress-frequency", "1", "--key-file", "-"]).arg(self.device());
        command.stdin(readable(key).map_err(LuksError::Run)?).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().map_err(LuksError::Run)?;
        Ok(Reencryption { luks: self.clone(), child })
    }

    fn reencrypt(&self, stage: &str) -> Command {
        self.command("reencrypt", &[stage, "--resilience", "checksum", "--hotzone-size", PIECE])
    }
}

impl Reencryption {
    /// The program's process.
    #[must_use]
    pub fn process(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Tells each step, until the program has closed its output. It has not been waited for then, so that its number is still its own.
    ///
    /// # Errors
    /// When the output cannot be read.
    pub fn follow(&mut self, mut told: impl FnMut(u8)) -> io::Result<()> {
        let Some(output) = self.child.stdout.take() else { return Ok(()) };
        for line in BufReader::new(output).lines() {
            if let Some(percent) = percent(&line?) {
                told(percent);
            }
        }
        Ok(())
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// When the program failed.
    pub fn wait(mut self) -> Result<(), LuksError> {
        let mut said = String::new();
        if let Some(mut errors) = self.child.stderr.take() {
            errors.read_to_string(&mut said).map_err(LuksError::Run)?;
        }
        let status = self.child.wait().map_err(LuksError::Run)?;
        if status.success() {
            return Ok(());
        }
        let said = said.trim().replace('\n', "; ");
        let said = if said.is_empty() { status.to_string() } else { said };
        let device = self.luks.device().to_owned();
        Err(LuksError::Failed { doing: "change the volume key of", device, said })
    }
}

/// Has the program finish its piece and end. Killing it would leave the piece's readers waiting until the next boot.
pub fn interrupt(process: Pid) {
    if let Err(error) = rustix::process::kill_process(process, Signal::TERM) {
        tracing::warn!(error = &error as &dyn std::error::Error, "cryptsetup was not told to stop");
    }
}
