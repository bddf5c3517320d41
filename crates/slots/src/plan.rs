//! What both kinds of boards have in common: events, effects, refusals, and which version may come next.

use std::cmp::Ordering;

use crate::Note;
use crate::Notes;
use crate::Reason;
use crate::Version;
use crate::Words;

/// What happened, or is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The system has started. Once in each boot, before any other event.
    Booted,
    /// The system has proved healthy. May come again.
    Confirmed,
    /// The system is not healthy, and will not be.
    Failed {
        /// What is wrong.
        why: Words,
    },
    /// An update is to be written.
    Begin {
        /// Its version.
        version: Version,
        /// Who wants it.
        order: Order,
    },
    /// All effects of `Begin` were done: the update is on the disk and was read back.
    Written {
        /// Its version.
        version: Version,
    },
    /// The box is to restart now, into the update if one is armed.
    Restart,
}

/// Who wants an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// The box itself: what failed before stays away.
    Automatic,
    /// Somebody, who may also want what failed before.
    Asked,
    /// Somebody, who may also want what failed before or is older than what runs.
    AskedLower,
}

/// One thing to do. `P` is a place: [`FileName`](crate::uefi::FileName) or [`Place`](crate::pi::Place).
///
/// Each is done before the next is begun. When one fails the rest is left; the next [`Event::Begin`] or boot tidies up.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Effect<P> {
    /// Take a note in and make the notes durable.
    Note(Note),
    /// Remove what is there.
    Remove(P),
    /// Write the new content of a place; [`FileName`](crate::uefi::FileName) and [`Place`](crate::pi::Place) say which.
    Write(P),
    /// Make the content durable (`fsync` of each file).
    Sync(P),
    /// Read the content back from the disk, not from memory, and compare it with what was to be written.
    Verify(P),
    /// Rename within a folder. What has the new name already is replaced, by one rename and never by removing it first.
    Rename {
        /// The name now.
        from: P,
        /// The name then.
        to: P,
    },
    /// Make the names in the folder of this place durable (`fsync` of the folder, or `syncfs`).
    SyncFolder(P),
    /// Tell the loader to choose this entry once: variable `LoaderEntryOneShot`, content by
    /// [`uefi::variable::encode`](crate::uefi::variable::encode).
    ChooseOnce(P),
    /// Restart the box; the last effect.
    Restart(Restart),
}

/// How to restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Restart {
    /// As always.
    Plain,
    /// On a Pi: with the flag that lets the firmware try the other slot once (`reboot "0 tryboot"`).
    TryOther,
}

/// The system that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Its version.
    pub version: Version,
    /// Whether it may stay.
    pub standing: Standing,
}

/// Whether a running system may stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It boots again.
    Kept,
    /// Unless it is confirmed, the other one boots next.
    OnTrial,
}

/// Why there is no plan. Nothing was or is to be done then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nothing tells which slot runs: not booted by the loader, or not from a slot.
    #[error("it is not known which slot runs")]
    NoSlot,
    /// The running slot's own file or label is not there: what else is there may be needed.
    #[error("the running slot {version} is not on the disk any more")]
    NotOnDisk {
        /// The running version.
        version: Version,
    },
    /// On a Pi: `autoboot.txt` is damaged, or names another slot than the one that runs.
    #[error("the firmware's choice is not the slot that runs")]
    NotChosen,
    /// On a Pi: cuts used up all names for a new `autoboot.txt`; the first partition has to be made anew.
    #[error("there is no free name for a new autoboot.txt")]
    NoName,
    /// The running slot is on trial itself.
    #[error("{version} runs on trial and has to be confirmed first")]
    OnTrial {
        /// The running version.
        version: Version,
    },
    /// The running slot is kept: it has nothing to lose.
    #[error("{version} is not on trial")]
    Kept {
        /// The running version.
        version: Version,
    },
    /// It is what runs, or sorts equal.
    #[error("{version} is what runs")]
    Same {
        /// The wanted version.
        version: Version,
    },
    /// It is older than what runs.
    #[error("{version} is older than {floor}, which runs")]
    Lower {
        /// The wanted version.
        version: Version,
        /// The lowest version that is taken unasked.
        floor: Version,
    },
    /// It failed before.
    #[error("{version} failed before: {reason}")]
    FailedBefore {
        /// The wanted version.
        version: Version,
        /// Why it failed.
        reason: Reason,
    },
    /// It was not written.
    #[error("{version} was not written")]
    NotWritten {
        /// The wanted version.
        version: Version,
    },
}

impl Running {
    /// Refuses when the system is on trial.
    pub(crate) fn kept(self) -> Result<Version, Refused> {
        match self.standing {
            Standing::Kept => Ok(self.version),
            Standing::OnTrial => Err(Refused::OnTrial { version: self.version }),
        }
    }

    /// Refuses when the system is not on trial.
    pub(crate) fn on_trial(self) -> Result<Version, Refused> {
        match self.standing {
            Standing::OnTrial => Ok(self.version),
            Standing::Kept => Err(Refused::Kept { version: self.version }),
        }
    }
}

/// Whether a version may follow the running one. The floor is the running version: a box that fell back may go forward again from there.
pub(crate) fn admit(
    running: &Version,
    version: &Version,
    order: Order,
    notes: &Notes,
) -> Result<(), Refused> {
    match version.order(running) {
        Ordering::Equal => return Err(Refused::Same { version: version.clone() }),
        Ordering::Less if order != Order::AskedLower => {
            return Err(Refused::Lower { version: version.clone(), floor: running.clone() });
        }
        Ordering::Less | Ordering::Greater => {}
    }
    match order {
        Order::Automatic => not_failed(version, notes),
        Order::Asked | Order::AskedLower => Ok(()),
    }
}

/// Refuses a version that failed.
pub(crate) fn not_failed(version: &Version, notes: &Notes) -> Result<(), Refused> {
    match notes.failure(version) {
        Some(reason) => Err(Refused::FailedBefore { version: version.clone(), reason: reason.clone() }),
        None => Ok(()),
    }
}

/// Forgives what was asked for.
pub(crate) fn forgive<P>(version: &Version, notes: &Notes) -> Option<Effect<P>> {
    notes.failure(version).map(|_| Effect::Note(Note::Forgiven { version: version.clone() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn every_order_has_its_bounds() {
        let mut notes = Notes::default();
        for (wanted, order, is_taken) in [
            ("1.2", Order::Automatic, true),
            ("1.1", Order::AskedLower, false),
            ("1.01", Order::AskedLower, false),
            ("1.0", Order::Automatic, false),
            ("1.0", Order::Asked, false),
            ("1.0", Order::AskedLower, true),
            ("1.1~rc1", Order::Asked, false),
        ] {
            let answer = admit(&version("1.1"), &version(wanted), order, &notes);
            assert_eq!(answer.is_ok(), is_taken, "{wanted} {order:?} {answer:?}");
        }
        notes.apply(&Note::Failed { version: version("1.2"), reason: Reason::DidNotLoad });
        for (order, is_taken) in [(Order::Automatic, false), (Order::Asked, true), (Order::AskedLower, true)]
        {
            assert_eq!(admit(&version("1.1"), &version("1.2"), order, &notes).is_ok(), is_taken, "{order:?}");
        }
        admit(&version("1.1"), &version("1.3"), Order::Automatic, &notes).unwrap();
    }

    #[test]
    fn a_refusal_is_a_plain_sentence() {
        let refused = Refused::FailedBefore { version: version("2"), reason: Reason::DidNotLoad };
        assert_eq!(refused.to_string(), "2 failed before: the firmware could not start it");
    }
}
