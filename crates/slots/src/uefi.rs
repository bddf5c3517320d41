//! Boards with UEFI firmware: slots are files in a folder that systemd-boot lists.
//!
//! ```text
//!                 update                loader                 health
//! hearth_2.new ──────────▶ hearth_2+1-0.efi ──▶ hearth_2+0-1.efi ──▶ hearth_2.efi
//!   written                     armed                tried              good
//! ```
//!
//! Sources: systemd's Automatic Boot Assessment and Boot Loader Interface, systemd-boot(7), the Boot Loader Specification (UAPI.1, "Boot
//! counting" and "Sorting").
//!
//! * **One try.** A file that the firmware cannot load is no boot: the loader ends with an error and the firmware starts it once more. With
//!   one try that second time leads to the other slot, with three the firmware stays in its menu.
//! * **Two counters from the start.** The loader renames `+1-0` to `+0-1`: the same length, thus the same records of a FAT folder, which are
//!   written at once. From `+1` it would be another length, and a cut could leave both names: then the loader can never rename again,
//!   ignores that, and starts a slot that crashes for ever.
//! * **Names of one version live and die together.** A cut in a rename may leave both names on one chain of clusters; whoever removes one of
//!   them frees the other's content.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::Serialize;

use crate::Notes;
use crate::Reason;
use crate::Slot;
use crate::SlotState;
use crate::Version;
use crate::plan::Refused;
use crate::plan::Running;
use crate::plan::Standing;

mod name;
mod plan;
pub mod variable;

pub use name::FileName;
pub use name::MAX_FILE_NAME;
pub use name::Mark;
pub use name::NameError;
pub use plan::plan;

/// The folder of all slots, below the root of the EFI system partition.
pub const FOLDER: &str = "EFI/Linux";

/// How often the loader starts an update before it is bad.
pub const TRIES: u8 = 1;

/// What the loader said of this boot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Boot {
    /// `LoaderEntrySelected`: the entry that was started. The loader leaves the counters out of it (`boot_entry_parse_tries`).
    pub selected: Option<FileName>,
    /// `LoaderBootCountPath`: the last entry whose try was counted since the machine was reset. It need not be the one that runs: after an
    /// entry that did not load it still names that one.
    pub counted: Option<FileName>,
}

impl Boot {
    /// Reads the two variables' files; what is missing, damaged or no slot of ours is `None`.
    #[must_use]
    pub fn read(selected: Option<&[u8]>, counted: Option<&[u8]>) -> Self {
        let text = |bytes: Option<&[u8]>| bytes.and_then(|bytes| variable::decode(bytes).ok());
        Self {
            selected: text(selected).and_then(|entry| entry.parse().ok()),
            counted: text(counted).and_then(|path| FileName::from_loader_path(&path)),
        }
    }
}

/// What a plan is made from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The slots' files in [`FOLDER`]. What does not parse is not ours and is left out.
    pub names: BTreeSet<FileName>,
    /// What the loader said.
    pub boot: Boot,
    /// What is remembered.
    pub notes: Notes,
}

impl Seen {
    /// Which slot runs, and whether it may stay.
    ///
    /// Only the entry that was selected counts, never the path of the count: see [`Boot::counted`]. It is on trial as long as its version has
    /// a name with a counter and none without.
    ///
    /// # Errors
    /// [`Refused::NoSlot`] when the loader named no slot of ours.
    pub fn running(&self) -> Result<Running, Refused> {
        let selected = self.boot.selected.as_ref().ok_or(Refused::NoSlot)?;
        let version = selected.version.clone();
        let is_confirmed = self.names.contains(&FileName::good(&version));
        let is_counted = self.is_trial() || self.tried(&version).is_some();
        let standing = if is_counted && !is_confirmed { Standing::OnTrial } else { Standing::Kept };
        Ok(Running { version, standing })
    }

    /// Whether the loader counted this boot as a try.
    fn is_trial(&self) -> bool {
        let counted = self.boot.counted.as_ref().map(|counted| &counted.version);
        self.boot.selected.as_ref().is_some_and(|selected| {
            matches!(selected.mark, Mark::Counted { .. }) || counted == Some(&selected.version)
        })
    }

    /// The file of a version on trial: as the loader renamed it; where it could not, the one that it takes first.
    fn tried(&self, version: &Version) -> Option<&FileName> {
        let renamed = self.boot.counted.as_ref().filter(|name| name.version == *version);
        let left = |name: &&FileName| match name.mark {
            Mark::Counted { left, .. } if name.version == *version => Some(left),
            Mark::Counted { .. } | Mark::Aside | Mark::Good => None,
        };
        renamed
            .and_then(|name| self.names.get(name))
            .or_else(|| self.names.iter().filter(|name| left(name).is_some()).max_by_key(left))
    }

    /// The slots that the loader sees, the newest first.
    #[must_use]
    pub fn slots(&self) -> Vec<Slot> {
        let running = self.running().ok();
        let mut slots: Vec<Slot> = Vec::new();
        // From the highest name: of names of one version the good one comes first, and it is the one that the loader takes.
        for name in self.names.iter().rev() {
            let is_known = slots.last().is_some_and(|slot| slot.version == name.version);
            let runs = running.as_ref().is_some_and(|running| running.version == name.version);
            let state = match name.mark {
                Mark::Aside => continue,
                Mark::Good => SlotState::Good,
                Mark::Counted { left, .. } => match self.notes.failure(&name.version) {
                    Some(reason) => SlotState::Bad { reason: reason.clone() },
                    None if left == 0 && !runs => SlotState::Bad { reason: self.reason(name) },
                    None => SlotState::Trying { left },
                },
            };
            if !is_known {
                slots.push(Slot { version: name.version.clone(), state });
            }
        }
        slots
    }

    /// Why a slot that used up its tries is bad: when the loader counted it since the reset, and another one runs, there was no reset in
    /// between, so that it did not even load.
    fn reason(&self, name: &FileName) -> Reason {
        match &self.boot.counted {
            Some(counted) if counted.version == name.version => Reason::DidNotLoad,
            Some(_) | None => Reason::DidNotComeUp,
        }
    }
}

#[cfg(test)]
mod tests;
