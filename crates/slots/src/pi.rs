//! The Raspberry Pi: slots are partitions, and `autoboot.txt` on the first one says which boots.
//!
//! ```text
//! write the other side ──▶ its label ──▶ restart with the flag ──▶ runs once ──▶ autoboot.txt names it
//! no label, synced, verified    armed         tried; any other start leads back        good
//! ```
//!
//! Sources: Raspberry Pi documentation, `autoboot.txt` and "Fail-safe OS updates (tryboot)".
//!
//! * The flag is cleared before the tried side starts, so every restart and every cut leads back by itself. There is no counter, and no way
//!   back from a side that was committed: only one that ran healthy is.
//! * The first partition holds `autoboot.txt` and nothing that starts: with a damaged `autoboot.txt` and a `start.elf` beside it that would
//!   boot. It is replaced by one rename on top of the old file, which on FAT changes one record of the folder.
//! * A side has a **label**, a small file with its version, which is removed before the side is written and made after it was verified: a side
//!   with a label is whole.
//! * The EEPROM has to be of December 2022 or later; older ones do not know `tryboot_a_b`.

use std::collections::BTreeSet;
use std::fmt;

use crate::Notes;
use crate::Slot;
use crate::SlotState;
use crate::Stage;
use crate::Version;
use crate::plan::Refused;
use crate::plan::Running;
use crate::plan::Standing;

pub mod archive;
mod autoboot;
mod plan;

pub use autoboot::Autoboot;
pub use autoboot::AutobootError;
pub use autoboot::BootError;
pub use autoboot::FILE;
pub use autoboot::MAX_AUTOBOOT;
pub use autoboot::number_of;
pub use autoboot::numbered;
pub use plan::plan;

/// Name of a side's label: a text file with the version and a line break.
pub const LABEL: &str = "hearth-version";

/// Name of the file on a side that says what is on the board's pins. It is the box's owner's, by a card reader: an update takes over the one of
/// the side that runs.
pub const HATS: &str = "hats.txt";

/// Most bytes of [`HATS`] that are taken over.
pub const MAX_HATS: u64 = 16 << 10;

/// How many names there are for a new `autoboot.txt`. One is used up when the power is lost between a write of it and the end of its rename.
pub const MAX_NUMBERS: u8 = 100;

/// One of the two partitions with a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// Partition 2.
    A,
    /// Partition 3.
    B,
}

impl Side {
    /// The partition's number, as the firmware counts: from 1.
    #[must_use]
    pub fn partition(self) -> u32 {
        match self {
            Self::A => 2,
            Self::B => 3,
        }
    }

    /// The side with this partition.
    #[must_use]
    pub fn of_partition(number: u32) -> Option<Self> {
        [Self::A, Self::B].into_iter().find(|side| side.partition() == number)
    }

    /// The partition's name in the GPT.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::A => "hearth-a",
            Self::B => "hearth-b",
        }
    }

    /// The one that is not this one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// Where an effect takes place, and what is to be there after a write.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// All files of a side but its label.
    System {
        /// The side.
        side: Side,
        /// The version whose files they are.
        version: Version,
    },
    /// The label of a side.
    Label {
        /// The side.
        side: Side,
        /// Its content.
        version: Version,
    },
    /// `autoboot.<number>` on the first partition: what `autoboot.txt` is to be. A cut in its rename may leave both names on one chain of
    /// clusters, so a number that is there is never written to or removed: that would damage `autoboot.txt`.
    NewAutoboot {
        /// 0 to [`MAX_NUMBERS`] − 1.
        number: u8,
        /// Its content.
        autoboot: Autoboot,
    },
    /// `autoboot.txt` on the first partition.
    Autoboot,
}

/// The content of the label of a side with this version.
#[must_use]
pub fn label(version: &Version) -> String {
    format!("{version}\n")
}

/// Reads a label.
#[must_use]
pub fn read_label(file: &[u8]) -> Option<Version> {
    std::str::from_utf8(file).ok()?.strip_suffix('\n')?.parse().ok()
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "side A",
            Self::B => "side B",
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System { side, version } => write!(f, "{version} on {side}"),
            Self::Label { side, version } => write!(f, "the label {version} of {side}"),
            Self::NewAutoboot { number, .. } => f.write_str(&numbered(*number)),
            Self::Autoboot => f.write_str(FILE),
        }
    }
}

/// What the firmware said of this boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Boot {
    /// Where the system came from.
    pub side: Side,
    /// Whether the flag was set.
    pub has_tryboot: bool,
}

/// Whether the system that was started may stay: what PID 1 goes by as well, which sees no labels.
///
/// The flag alone makes no trial: a firmware that cannot load the tried side may start the committed one and still show the flag.
///
/// # Errors
/// [`Refused::NotChosen`] when the system neither is the committed one nor was started by the flag, or nobody knows which is committed.
pub fn standing(autoboot: Option<Autoboot>, boot: Boot) -> Result<Standing, Refused> {
    let committed = autoboot.ok_or(Refused::NotChosen)?.committed;
    match (boot.side == committed, boot.has_tryboot) {
        (true, _) => Ok(Standing::Kept),
        (false, true) => Ok(Standing::OnTrial),
        (false, false) => Err(Refused::NotChosen),
    }
}

/// What a plan is made from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// What `autoboot.txt` says; `None` when it is missing or is not as we write it.
    pub autoboot: Option<Autoboot>,
    /// Which `autoboot.<number>` are there.
    pub numbers: BTreeSet<u8>,
    /// The label of side A.
    pub label_a: Option<Version>,
    /// The label of side B.
    pub label_b: Option<Version>,
    /// What the firmware said; `None` when it said nothing of ours.
    pub boot: Option<Boot>,
    /// What is remembered.
    pub notes: Notes,
}

impl Seen {
    /// The label of a side.
    #[must_use]
    pub fn label(&self, side: Side) -> Option<&Version> {
        match side {
            Side::A => self.label_a.as_ref(),
            Side::B => self.label_b.as_ref(),
        }
    }

    /// Which slot runs, and whether it may stay ([`standing`]).
    ///
    /// # Errors
    /// [`Refused::NoSlot`] when the firmware named no side or the side has no label; [`Refused::NotChosen`] when the system neither is the
    /// committed one nor was started by the flag.
    pub fn running(&self) -> Result<Running, Refused> {
        let boot = self.boot.ok_or(Refused::NoSlot)?;
        let version = self.label(boot.side).ok_or(Refused::NoSlot)?.clone();
        Ok(Running { version, standing: standing(self.autoboot, boot)? })
    }

    /// The slots, the committed one first. The other one is good when it ran before and nothing is pending or noted of it.
    #[must_use]
    pub fn slots(&self) -> Vec<Slot> {
        let Some(Autoboot { committed }) = self.autoboot else { return Vec::new() };
        [committed, committed.other()]
            .into_iter()
            .filter_map(|side| {
                let version = self.label(side)?.clone();
                let state = if side == committed { SlotState::Good } else { self.state_of_other(&version) };
                Some(Slot { version, state })
            })
            .collect()
    }

    fn state_of_other(&self, version: &Version) -> SlotState {
        let pending = self.notes.pending().filter(|pending| pending.version == *version);
        match (self.notes.failure(version), pending) {
            (Some(reason), _) => SlotState::Bad { reason: reason.clone() },
            (None, Some(pending)) => SlotState::Trying { left: u8::from(pending.stage == Stage::Armed) },
            (None, None) => SlotState::Good,
        }
    }
}

#[cfg(test)]
mod tests;
