//! `storaged make DEVICE` and `storaged open DEVICE`, which init runs before it mounts the data partition.

use crate::boot_key::BootKey;
use crate::key::Key;
use crate::luks::Luks;
use crate::luks::MAPPED;
use crate::opening::Opening;
use crate::opening::OpeningError;
use crate::opening::Outcome;
use crate::sealer::Sealer;
use crate::words::chain;
use model::storage::UnlockReport;
use std::fs;
use std::fs::File;
use std::fs::Permissions;
use std::io;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The key that opened the partition, for changes of its keys until the next boot. It lies in memory, readable by root alone.
pub const OPENING_KEY: &str = "opening.key";
/// File of the report.
pub const REPORT: &str = "unlock.json";

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Encrypt a partition of no worth.
    Make,
    /// Open one.
    Open,
}

/// What came of it, for the exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The partition is open.
    Opened,
    /// A key has to be typed.
    Locked,
    /// It cannot be opened.
    Failed,
}

impl Ending {
    /// The exit status that init knows.
    #[must_use]
    pub const fn status(self) -> u8 {
        match self {
            Self::Opened => 0,
            Self::Failed => 1,
            Self::Locked => 10,
        }
    }
}

/// Where things are.
#[derive(Clone, Copy, Debug)]
pub struct Places<'a> {
    /// The boot partition's mount point.
    pub boot: &'a Path,
    /// A folder in memory.
    pub run: &'a Path,
}

/// Makes or opens the partition and leaves a report.
///
/// # Errors
/// When the report cannot be written.
pub fn run<S: Sealer>(verb: Verb, device: &Path, places: Places<'_>, sealer: S) -> io::Result<Ending> {
    fs::create_dir_all(places.run)?;
    // hostd reads the report; the key has a mode of its own.
    fs::set_permissions(places.run, Permissions::from_mode(0o755))?;
    if Path::new(MAPPED).exists() {
        // Somebody typed a key in this boot already: the report of that stays.
        return Ok(Ending::Opened);
    }
    let mut opening = Opening { luks: Luks::on(device), boot_key: BootKey::on(places.boot), sealer };
    let outcome = match verb {
        Verb::Make => opening.make(),
        Verb::Open => opening.open(),
    };
    if let Err(error) = opening.sealer.close() {
        tracing::warn!(error = &error as &dyn std::error::Error, "the TPM stays open until the next boot");
    }
    let (report, ending) = told(&outcome);
    if let Ok(Outcome::Opened(opened)) = &outcome {
        write(&places.run.join(OPENING_KEY), opened.key.bytes(), 0o600)?;
    }
    write(&places.run.join(REPORT), &serde_json::to_vec(&report)?, 0o644)?;
    Ok(ending)
}

fn told(outcome: &Result<Outcome, OpeningError>) -> (UnlockReport, Ending) {
    match outcome {
        Ok(outcome @ Outcome::Opened(_)) => (outcome.report(), Ending::Opened),
        Ok(outcome @ Outcome::Locked { .. }) => (outcome.report(), Ending::Locked),
        Err(error) => (UnlockReport::Failed { reason: chain(error) }, Ending::Failed),
    }
}

/// Writes a file in memory; a reader sees the one before or this one.
fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let aside = path.with_extension("aside");
    if aside.exists() {
        fs::remove_file(&aside)?;
    }
    let mut file = File::options().write(true).create_new(true).mode(mode).open(&aside)?;
    file.write_all(bytes)?;
    fs::rename(&aside, path)
}

/// The key that opened the partition in this boot.
///
/// # Errors
/// When none did, or the file cannot be read.
pub fn opening_key(run: &Path) -> io::Result<Key> {
    Ok(Key::from_bytes(fs::read(run.join(OPENING_KEY))?))
}
