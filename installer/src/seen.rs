//! What was seen, on either kind of board.

use slots::Event;
use slots::Notes;
use slots::Refused;
use slots::Running;
use slots::Slot;
use slots::Stage;
use slots::Standing;
use slots::Version;
use slots::pi;
use slots::uefi;
use slots::uefi::FileName;
use slots::uefi::Mark;

/// What a plan is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A board with UEFI: slots are files.
    Uefi(uefi::Seen),
    /// A Raspberry Pi: slots are partitions.
    Pi(pi::Seen),
}

impl Seen {
    /// Which slot runs, and whether it may stay.
    ///
    /// # Errors
    /// When that is not known.
    pub fn running(&self) -> Result<Running, Refused> {
        match self {
            Self::Uefi(seen) => seen.running(),
            Self::Pi(seen) => seen.running(),
        }
    }

    /// Whether the event may be followed.
    ///
    /// # Errors
    /// When it must not be.
    pub fn admits(&self, event: &Event) -> Result<(), Refused> {
        match self {
            Self::Uefi(seen) => uefi::plan(seen, event).map(drop),
            Self::Pi(seen) => pi::plan(seen, event).map(drop),
        }
    }

    /// The slots.
    #[must_use]
    pub fn slots(&self) -> Vec<Slot> {
        match self {
            Self::Uefi(seen) => seen.slots(),
            Self::Pi(seen) => seen.slots(),
        }
    }

    /// What is remembered.
    #[must_use]
    pub fn notes(&self) -> &Notes {
        match self {
            Self::Uefi(seen) => &seen.notes,
            Self::Pi(seen) => &seen.notes,
        }
    }

    /// The version that starts next, once.
    #[must_use]
    pub fn armed(&self) -> Option<&Version> {
        let running = self.running().ok().map(|running| running.version);
        let is_other = |version: &&Version| running.as_ref() != Some(*version);
        match self {
            Self::Uefi(seen) => {
                let is_armed = |name: &&FileName| matches!(name.mark, Mark::Counted { left: 1.., .. });
                seen.names.iter().filter(is_armed).map(|name| &name.version).find(is_other)
            }
            Self::Pi(seen) => {
                let pending = seen.notes.pending().filter(|pending| pending.stage == Stage::Armed)?;
                let mut labels = [&seen.label_a, &seen.label_b].into_iter().flatten().filter(is_other);
                labels.find(|label| **label == pending.version)
            }
        }
    }

    /// The version that used up its tries and does not run.
    #[must_use]
    pub fn spent(&self) -> Option<Version> {
        let running = self.running().ok()?.version;
        match self {
            Self::Uefi(seen) => {
                let spent =
                    seen.names.iter().filter(|name| matches!(name.mark, Mark::Counted { left: 0, .. }));
                spent.map(|name| &name.version).find(|version| **version != running).cloned()
            }
            Self::Pi(seen) => {
                let pending = seen.notes.pending().filter(|pending| pending.stage == Stage::Tried);
                pending.map(|pending| pending.version.clone()).filter(|version| *version != running)
            }
        }
    }

    /// Whether tidying up after a boot is this system's business: it is kept, or, on a Pi, the firmware's choice is lost and may be made anew.
    #[must_use]
    pub fn tidies_up(&self) -> bool {
        let is_lost = match self {
            Self::Uefi(_) => false,
            Self::Pi(seen) => seen.autoboot.is_none(),
        };
        is_lost || self.running().is_ok_and(|running| running.standing == Standing::Kept)
    }
}
