//! `storaged make DEVICE` and `storaged open DEVICE`, which init runs before it mounts the data partition.

use crate::boot_key::BootKey;
use crate::counter::Counter;
use crate::luks::Luks;
use crate::luks::MAPPED;
use crate::notes::Notes;
use crate::notes::NotesError;
use crate::opening::Opening;
use crate::opening::OpeningError;
use crate::opening::Outcome;
use crate::sealer::Sealer;
use crate::words::chain;
use model::storage::UnlockReport;
use std::path::Path;
use std::time::Instant;

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

/// Makes or opens the partition and leaves notes. `boot` is where the boot partition is mounted.
///
/// # Errors
/// When the notes cannot be written.
pub fn run<S: Sealer + Counter>(
    verb: Verb,
    device: &Path,
    boot: &Path,
    notes: &Notes,
    sealer: S,
) -> Result<Ending, NotesError> {
    notes.begin(device)?;
    if Path::new(MAPPED).exists() {
        // Somebody typed a key in this boot already: the report of that stays.
        return Ok(Ending::Opened);
    }
    let begun = Instant::now();
    let mut opening = Opening { luks: Luks::on(device), boot_key: BootKey::on(boot), sealer };
    let outcome = match verb {
        Verb::Make => opening.make(),
        Verb::Open => opening.open(),
    };
    if let Err(error) = opening.sealer.close() {
        tracing::warn!(error = &error as &dyn std::error::Error, "the TPM stays open until the next boot");
    }
    let (report, ending) = told(&outcome);
    if let Ok(Outcome::Opened(opened)) = &outcome {
        notes.keep_opening_key(&opened.key)?;
    }
    notes.tell(&report)?;
    notes.tell_duration(begun.elapsed())?;
    Ok(ending)
}

fn told(outcome: &Result<Outcome, OpeningError>) -> (UnlockReport, Ending) {
    match outcome {
        Ok(outcome @ Outcome::Opened(_)) => (outcome.report(), Ending::Opened),
        Ok(outcome @ Outcome::Locked { .. }) => (outcome.report(), Ending::Locked),
        Err(error) => (UnlockReport::Failed { reason: chain(error) }, Ending::Failed),
    }
}
