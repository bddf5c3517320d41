//! The encrypted partition, by the program `cryptsetup`: its header survives power cuts at every write (two copies with sequence
//! numbers and checksums, LUKS2 On-Disk Format Specification, section 2.2), which is more than we would want to write ourselves. One step of
//! it does not survive them, and is made good by `finish`.
//!
//! Keys go through pipes, never through arguments or files. Everything that takes a key takes one that opens the header already.

mod finish;
pub mod metadata;
pub mod reencrypt;
pub mod token;

use crate::key::Key;
use command_fds::CommandFdExt;
use command_fds::FdMapping;
use metadata::Metadata;
use metadata::NotUnderstood;
use metadata::Slot;
use metadata::TokenId;
use std::collections::BTreeSet;
use std::io;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use token::Token;

/// The program, in the root.
pub const CRYPTSETUP: &str = "/usr/sbin/cryptsetup";
/// Name of the opened partition; also the label of the header.
pub const NAME: &str = "hearth-data";
/// Where the opened partition is found.
pub const MAPPED: &str = "/dev/mapper/hearth-data";
/// Length of a header with its slots' key material: what `luksFormat` of version 2 takes unless told otherwise.
pub const HEADER: u64 = 16 << 20;
/// First descriptor that carries a key.
const FIRST_KEY: i32 = 3;
/// What the program says when no slot opens with the key (cryptsetup(8), "RETURN CODES").
const NO_PERMISSION: i32 = 2;

/// How dear a slot is made to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// The key is random: guessing it is hopeless however cheap a guess is.
    Random,
    /// The key was thought up by a person.
    Typed,
}

/// What went wrong with the encrypted partition.
#[derive(Debug, thiserror::Error)]
pub enum LuksError {
    /// The program did not run.
    #[error("run {CRYPTSETUP}")]
    Run(#[source] io::Error),
    /// No slot opens with that key.
    #[error("the key does not open {}", .0.display())]
    WrongKey(PathBuf),
    /// The program failed.
    #[error("{doing} {}: {said}", device.display())]
    Failed {
        /// What was being done.
        doing: &'static str,
        /// To what.
        device: PathBuf,
        /// What the program said, or how it ended.
        said: String,
    },
    /// The header's description.
    #[error(transparent)]
    Metadata(#[from] NotUnderstood),
    /// The header itself.
    #[error("bring the header of {} to the end of a change", device.display())]
    Header {
        /// Where it is.
        device: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// All slots are taken.
    #[error("the header of {} has no room for another key", .0.display())]
    Full(PathBuf),
}

/// An encrypted partition.
#[derive(Clone, Debug)]
pub struct Luks {
    device: PathBuf,
    program: PathBuf,
}

impl Luks {
    /// The one on a device.
    #[must_use]
    pub fn on(device: &Path) -> Self {
        Self { device: device.to_owned(), program: PathBuf::from(CRYPTSETUP) }
    }

    /// The one on a device, by another program.
    #[cfg(test)]
    pub(crate) fn by(program: &Path, device: &Path) -> Self {
        Self { device: device.to_owned(), program: program.to_owned() }
    }

    /// Where it is.
    #[must_use]
    pub fn device(&self) -> &Path {
        &self.device
    }

    /// As after a cut between a slot and its token.
    #[cfg(test)]
    pub(crate) fn forget_purpose(&self, slot: Slot) -> Result<(), LuksError> {
        let tokens = self.metadata()?.tokens;
        tokens.iter().filter(|(_, token)| token.slot == slot).try_for_each(|(id, _)| self.remove_token(*id))
    }

    /// Makes the header, with one slot. What was on the device is lost.
    ///
    /// # Errors
    /// When the program fails.
    pub fn format(&self, key: &Key, cost: Cost) -> Result<(), LuksError> {
        let mut command = self.command("luksFormat", cost_arguments(cost));
        // XTS with two keys of 256 bits. The sector size is left to the program: 4096 where the disk has it, a quarter of the work of 512.
        command.args(["--type", "luks2", "--cipher", "aes-xts-plain64", "--key-size", "512"]);
        command.args(["--key-slot", "0", "--label", NAME, "--key-file", "/proc/self/fd/3"]).arg(&self.device);
        self.run("encrypt", command, &[key]).map(drop)
    }

    /// What the header says.
    ///
    /// # Errors
    /// When there is no header, or it is damaged in both copies.
    pub fn metadata(&self) -> Result<Metadata, LuksError> {
        let mut command = self.command("luksDump", &[]);
        command.arg("--dump-json-metadata").arg(&self.device);
        Ok(Metadata::parse(&self.run("read the header of", command, &[])?.stdout)?)
    }

    /// Whether there is a header at all.
    ///
    /// # Errors
    /// When the program does not run.
    pub fn is_there(&self) -> Result<bool, LuksError> {
        let mut command = self.command("isLuks", &[]);
        command.args(["--type", "luks2"]).arg(&self.device);
        match self.run("look at", command, &[]) {
            Ok(_is) => Ok(true),
            Err(LuksError::Failed { .. } | LuksError::WrongKey(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Opens the partition: [`MAPPED`] is there afterwards. Trims reach the disk, which tells how full it is, and keeps cards alive.
    ///
    /// # Errors
    /// [`LuksError::WrongKey`] and others; a wrong key writes nothing.
    pub fn open(&self, key: &Key) -> Result<(), LuksError> {
        let mut command = self.command("open", &["--allow-discards", "--key-file", "/proc/self/fd/3"]);
        command.arg(&self.device).arg(NAME);
        self.run("open", command, &[key]).map(drop)
    }

    /// Whether it is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        Path::new(MAPPED).exists()
    }

    /// Brings a change of the volume key to its end whose data is through, and which a cut left with a header that opens with nothing. Says
    /// whether there was one.
    ///
    /// # Errors
    /// When the device cannot be read or written.
    pub fn finish_reencryption(&self) -> Result<bool, LuksError> {
        finish::finish(&self.device)
            .map_err(|source| LuksError::Header { device: self.device.clone(), source })
    }

    /// Whether a key opens a slot, without opening the partition. Writes nothing.
    ///
    /// # Errors
    /// [`LuksError::WrongKey`] and others.
    pub fn test(&self, key: &Key) -> Result<(), LuksError> {
        let mut command = self.command("open", &["--test-passphrase", "--key-file", "/proc/self/fd/3"]);
        command.arg(&self.device);
        self.run("try a key of", command, &[key]).map(drop)
    }

    /// Whether a key opens this very slot. Writes nothing.
    ///
    /// # Errors
    /// When the program fails.
    pub fn opens(&self, key: &Key, slot: Slot) -> Result<bool, LuksError> {
        let mut command = self.command("open", &["--test-passphrase", "--key-file", "/proc/self/fd/3"]);
        command.args(["--key-slot", &slot.0.to_string()]).arg(&self.device);
        match self.run("try a key of", command, &[key]) {
            Ok(_opened) => Ok(true),
            Err(LuksError::WrongKey(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Closes the partition.
    ///
    /// # Errors
    /// When it is in use.
    pub fn close(&self) -> Result<(), LuksError> {
        let mut command = self.command("close", &[]);
        command.arg(NAME);
        self.run("close", command, &[]).map(drop)
    }

    /// Adds a slot with its token. A cut in between leaves a slot that nobody knows the key of, which [`Self::tidy`] takes away.
    ///
    /// # Errors
    /// When the first key does not open the partition, there is no room, or the program fails.
    pub fn add(&self, with: &Key, new: &Key, cost: Cost, purpose: token::Purpose) -> Result<Slot, LuksError> {
        let slot = self.metadata()?.free_slot().ok_or_else(|| LuksError::Full(self.device.clone()))?;
        let mut command = self.command("luksAddKey", cost_arguments(cost));
        command.args(["--new-key-slot", &slot.0.to_string(), "--key-file", "/proc/self/fd/3"]);
        command.arg(&self.device).arg("/proc/self/fd/4");
        self.run("add a key to", command, &[with, new])?;
        self.import(&Token { slot, purpose }, None)?;
        Ok(slot)
    }

    /// Writes a token, in place of another where one is named.
    ///
    /// # Errors
    /// When the program fails.
    pub fn import(&self, token: &Token, instead_of: Option<TokenId>) -> Result<(), LuksError> {
        let mut command = self.command("token", &["import"]);
        if let Some(TokenId(id)) = instead_of {
            command.args(["--token-id", &id.to_string(), "--token-replace"]);
        }
        command.args(["--json-file", "/proc/self/fd/3"]).arg(&self.device);
        self.run("describe a key of", command, &[&Key::from_bytes(token.to_json().to_string().into_bytes())])
            .map(drop)
    }

    /// Takes a slot away for good; its key material is overwritten. Tokens of it are left without a slot and go with it.
    ///
    /// # Errors
    /// When the program fails.
    pub fn remove(&self, slot: Slot) -> Result<(), LuksError> {
        let metadata = self.metadata()?;
        if metadata.slots.contains(&slot) {
            self.kill(slot)?;
        }
        for (id, _token) in metadata.tokens.iter().filter(|(_, token)| token.slot == slot) {
            self.remove_token(*id)?;
        }
        Ok(())
    }

    fn kill(&self, slot: Slot) -> Result<(), LuksError> {
        let mut command = self.command("luksKillSlot", &[]);
        command.arg(&self.device).arg(slot.0.to_string());
        self.run("remove a key of", command, &[]).map(drop)
    }

    fn remove_token(&self, id: TokenId) -> Result<(), LuksError> {
        let mut command = self.command("token", &["remove"]);
        command.args(["--token-id", &id.0.to_string()]).arg(&self.device);
        self.run("tidy the header of", command, &[]).map(drop)
    }

    /// Takes away what cuts left: slots without a token, tokens without a slot, slots of a volume key that never came into use. Never
    /// the last slot, nothing foreign, and nothing at all while the volume key changes.
    ///
    /// # Errors
    /// When the program fails.
    pub fn tidy(&self) -> Result<(), LuksError> {
        let metadata = self.metadata()?;
        if metadata.is_reencrypting {
            return Ok(());
        }
        let foreign: BTreeSet<Slot> = metadata.foreign.values().flatten().copied().collect();
        metadata.unused.difference(&foreign).try_for_each(|slot| self.kill(*slot))?;
        let orphans = metadata.orphans();
        if orphans.len() < metadata.slots.len() {
            orphans.into_iter().try_for_each(|slot| self.remove(slot))?;
        }
        for (id, _token) in metadata.tokens.iter().filter(|(_, token)| !metadata.slots.contains(&token.slot))
        {
            self.remove_token(*id)?;
        }
        Ok(())
    }

    /// Destroys all slots: nobody opens the partition again, with whatever key.
    ///
    /// # Errors
    /// When the program fails.
    pub fn erase(&self) -> Result<(), LuksError> {
        let mut command = self.command("erase", &[]);
        command.arg(&self.device);
        self.run("erase the keys of", command, &[]).map(drop)
    }

    /// `--batch-mode`: it never asks. Locks of LVM-like folders are not needed: nobody else runs it.
    fn command(&self, action: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args([action, "--batch-mode", "--disable-locks"]).args(arguments);
        command.env_clear().stdin(Stdio::null());
        command
    }

    fn run(&self, doing: &'static str, mut command: Command, keys: &[&Key]) -> Result<Output, LuksError> {
        let mut mappings = Vec::new();
        for (key, child_fd) in keys.iter().zip(FIRST_KEY..) {
            mappings.push(FdMapping { parent_fd: readable(key).map_err(LuksError::Run)?, child_fd });
        }
        command.fd_mappings(mappings).map_err(|error| LuksError::Run(io::Error::other(error)))?;
        let output = command.output().map_err(LuksError::Run)?;
        if output.status.success() {
            return Ok(output);
        }
        if output.status.code() == Some(NO_PERMISSION) {
            return Err(LuksError::WrongKey(self.device.clone()));
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
        let said = if said.is_empty() { output.status.to_string() } else { said };
        Err(LuksError::Failed { doing, device: self.device.clone(), said })
    }
}

/// A pipe that holds the key and is at its end behind it. A key fits a pipe's buffer (64 KiB), so that writing never waits.
fn readable(key: &Key) -> io::Result<OwnedFd> {
    let (reader, mut writer) = io::pipe()?;
    writer.write_all(key.bytes())?;
    Ok(reader.into())
}

/// argon2id with half of the defaults' memory: a board of 1 GiB must open at boot what it made.
fn cost_arguments(cost: Cost) -> &'static [&'static str] {
    match cost {
        Cost::Random => &["--pbkdf", "pbkdf2", "--hash", "sha256", "--pbkdf-force-iterations", "1000"],
        Cost::Typed => &[
            "--pbkdf",
            "argon2id",
            "--iter-time",
            "2000",
            "--pbkdf-memory",
            "131072",
            "--pbkdf-parallel",
            "1",
        ],
    }
}

#[cfg(test)]
mod tests;
