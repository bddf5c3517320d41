//! Notices that a whole folder was put back to an older copy of itself.
//!
//! Such a copy is authentic in every byte, so the store needs to remember something outside of its folder: an
//! [`Anchor`], a number that only grows, most often a counter in the TPM. The store keeps the same number, its *epoch*, among
//! its own records. Each opening raises the epoch by one, durably in the store first and then in the anchor, so
//! that after a power cut in between the store is one ahead. A store that is behind is an older copy.
//!
//! ```text
//!  store's epoch      anchor      means                                          then
//!  none / unsettled   none        nothing was anchored yet                       settle
//!  unsettled          any         a power cut while settling                     settle
//!  none               some        emptied, or older than the first anchoring     rolled back
//!  e                  e           as it was left                                 raise
//!  e                  e - 1       a power cut between store and anchor           catch up
//!  e                  more        older copy                                     rolled back
//!  e                  less, none  the anchor was cleared or replaced: told       settle
//! ```
//!
//! *Settling* makes the two agree when nobody knows what the anchor will say: a TPM's counter begins where the TPM
//! likes (TCG TPM 2.0 Library, part 1, "NV Counters": at the highest value that any of its counters ever had). The store
//! first notes that it is unsettled and at which epoch it was, then the anchor is brought to at least that number
//! and read, then the store takes the next number, then the anchor follows. Epochs so only grow, also over cleared TPMs
//! and accepted rollbacks, and copies from before stay behind.
//!
//! The anchor is written at openings only, once each, never by commits: NV memory wears out, and a write takes tens
//! of milliseconds. A copy taken since the last opening is therefore not told from the real one until the store has
//! been opened once more; nor is a copy taken in the middle of settling.

use std::error::Error;
use std::fmt;

use crate::own::OwnRecord;

/// A number kept where no copy of the store's folder reaches it, that can be raised and never lowered.
///
/// One anchor is for one store; several stores share a counter through a [`crate::Ledger`].
pub trait Anchor {
    /// Returns the number; `None` where none was ever set, or where it was cleared since.
    ///
    /// Whoever formats the box's storage clears it too: a new store in front of a number is taken for one that
    /// somebody emptied.
    fn read(&self) -> Result<Option<u64>, AnchorError>;

    /// Raises the number to at least this; nothing happens where it is there already. Durable when it returns.
    ///
    /// A number that was set goes to exactly `number`; a cleared one may end beyond it. More than one step is asked for
    /// only after the anchor was cleared or replaced.
    fn advance_to(&self, number: u64) -> Result<(), AnchorError>;
}

/// Why an anchor could not be read or raised.
#[derive(Debug, thiserror::Error)]
#[error("could not {action} the number that guards against older copies")]
pub struct AnchorError {
    /// What was tried.
    pub action: AnchorAction,
    /// Why.
    #[source]
    pub source: Box<dyn Error + Send + Sync>,
}

/// What was tried with an anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnchorAction {
    /// [`Anchor::read`]
    Read,
    /// [`Anchor::advance_to`]
    Raise,
}

impl fmt::Display for AnchorAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Raise => "raise",
        })
    }
}

/// A store that is older than its anchor says. Its `Display` is a text for the owner of the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rollback {
    /// How often the store says it was opened; `None` for one that was never opened with an anchor, an empty one also.
    pub store: Option<u64>,
    /// How often the anchor says it was opened.
    pub anchor: u64,
}

impl fmt::Display for Rollback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.store {
            Some(store) => write!(
                f,
                "an older copy was put in the place of the store: it is of start number {store}, the last one was {}",
                self.anchor
            ),
            None => write!(
                f,
                "an empty store, or one from before it was protected, was put in the place of the store; the last start \
                 was number {}",
                self.anchor
            ),
        }
    }
}

impl Error for Rollback {}

/// What the store remembers of its anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Epoch {
    /// The number of the opening.
    Settled(u64),
    /// The anchor is being brought to at least this number, and what it will say is not known yet.
    Unsettled(u64),
}

impl OwnRecord for Epoch {
    const KEY: &'static [u8] = b"epoch";

    fn encode(&self) -> Vec<u8> {
        let (kind, number) = match self {
            Self::Settled(number) => (1, number),
            Self::Unsettled(number) => (2, number),
        };
        [&[kind], &number.to_le_bytes()[..]].concat()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (kind, number) = bytes.split_first()?;
        let number = u64::from_le_bytes(number.try_into().ok()?);
        match kind {
            1 => Some(Self::Settled(number)),
            2 => Some(Self::Unsettled(number)),
            _ => None,
        }
    }
}

/// What an opening has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Store, then anchor go to this number.
    Raise { to: u64 },
    /// The store is there already, the anchor follows.
    CatchUp { to: u64 },
    /// The two are made to agree beyond this number.
    Settle { floor: u64, because: Because },
}

/// Why store and anchor have to be made to agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Because {
    /// Nothing was anchored yet.
    First,
    /// The anchor was cleared or replaced; nobody can say whether the store is an older copy.
    AnchorLost,
    /// A person has accepted an older copy.
    Accepted(Rollback),
}

/// Compares a store's epoch with its anchor. `accepted` is the rollback that a person has confirmed.
pub(crate) fn judge(
    store: Option<Epoch>,
    anchor: Option<u64>,
    accepted: Option<Rollback>,
) -> Result<Verdict, Rollback> {
    let settle = |floor| {
        let because = if floor == 0 { Because::First } else { Because::AnchorLost };
        Ok(Verdict::Settle { floor, because })
    };
    let rolled_back = |rollback: Rollback| match accepted {
        Some(seen) if seen == rollback => {
            let floor = rollback.store.unwrap_or_default();
            Ok(Verdict::Settle { floor, because: Because::Accepted(rollback) })
        }
        Some(_) | None => Err(rollback),
    };
    match (store, anchor) {
        (None, None) => settle(0),
        (Some(Epoch::Unsettled(floor)), _) | (Some(Epoch::Settled(floor)), None) => settle(floor),
        (None, Some(anchor)) => rolled_back(Rollback { store: None, anchor }),
        (Some(Epoch::Settled(store)), Some(anchor)) => {
            if store < anchor {
                rolled_back(Rollback { store: Some(store), anchor })
            } else if store == anchor {
                Ok(Verdict::Raise { to: store.saturating_add(1) })
            } else if store - 1 == anchor {
                Ok(Verdict::CatchUp { to: store })
            } else {
                settle(store)
            }
        }
    }
}

/// Does what was decided; `write` makes the store's epoch durable. Returns the epoch of this opening.
pub(crate) fn carry_out<E: From<AnchorError>>(
    verdict: Verdict,
    anchor: &dyn Anchor,
    mut write: impl FnMut(Epoch) -> Result<(), E>,
) -> Result<u64, E> {
    let to = match verdict {
        Verdict::Raise { to } => {
            write(Epoch::Settled(to))?;
            to
        }
        Verdict::CatchUp { to } => to,
        Verdict::Settle { floor, .. } => {
            write(Epoch::Unsettled(floor))?;
            // At least one: a counter that was just cleared cannot be read before it was raised.
            anchor.advance_to(floor.max(1))?;
            let found = anchor.read()?.unwrap_or_default().max(floor);
            let to = found.saturating_add(1);
            write(Epoch::Settled(to))?;
            to
        }
    };
    anchor.advance_to(to)?;
    Ok(to)
}

#[cfg(test)]
mod tests;
