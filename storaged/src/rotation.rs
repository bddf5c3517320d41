//! Another volume key for the open partition: everything on it is encrypted anew while it is in use.
//!
//! ```text
//! asked ──> plan (pure) ──> begin: each slot gets a twin that holds the new volume key ──> worker: piece by piece, told as per cent
//! storaged starts, the header says it is under way ──────────────────────────────────────────┘     └─> old slots destroyed
//! ```
//! From the first twin to the last piece each key opens both volume keys: whatever opens the box opens it at every moment. While the
//! worker runs nobody else touches the header.

mod worker;

pub use worker::Worker;

use crate::key::Key;
use crate::luks::Cost;
use crate::luks::metadata::Metadata;
use crate::luks::metadata::Slot;
use crate::luks::token::Purpose;
use model::storage::KeyKind;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use zeroize::Zeroizing;

/// Slots of a header (LUKS2 On-Disk Format Specification, section 3.1), one of which holds the state of the change.
const SLOTS: usize = 32;

/// Why the volume key is not changed now. Nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRotatable {
    /// It is being changed.
    #[error("the volume key is being changed already")]
    UnderWay,
    /// A slot of somebody else's, or of a later version, would be lost.
    #[error("the header has a key that this version does not know")]
    Foreign,
    /// Somebody may have written it down, and nobody has shown it.
    #[error("a recovery key was shown and not confirmed: confirm it, or make another and confirm that")]
    Unconfirmed,
    /// There would be no way back from a fault.
    #[error("make and confirm a recovery key first")]
    NoRecoveryKey,
    /// The box did not open by it in this boot.
    #[error("{} did not open the data at this start, and is not at hand: replace it first", .0.words())]
    Unknown(KeyKind),
    /// `cryptsetup` takes several keys as lines only.
    #[error("{} was made by an earlier version and cannot be carried over: make another first", .0.words())]
    NotALine(KeyKind),
    /// Each slot needs a twin.
    #[error("the header has too many keys")]
    Full,
}

/// What `cryptsetup` is given.
#[derive(Clone, PartialEq, Eq)]
pub struct Plan {
    /// One key a line, in the order of the slots, which is the order in which it asks for them.
    pub lines: Zeroizing<Vec<u8>>,
    /// Of all twins.
    pub cost: Cost,
}

impl fmt::Debug for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Plan({:?}, …)", self.cost)
    }
}

/// Decides whether the volume key can be changed with these keys, none of which may be lost by it.
///
/// # Errors
/// When not, and why.
pub fn plan(metadata: &Metadata, keys: &BTreeMap<Slot, Key>) -> Result<Plan, NotRotatable> {
    if metadata.is_reencrypting {
        return Err(NotRotatable::UnderWay);
    }
    if !metadata.foreign.is_empty() || !metadata.orphans().is_empty() {
        return Err(NotRotatable::Foreign);
    }
    if metadata.slots.len() * 2 >= SLOTS {
        return Err(NotRotatable::Full);
    }
    let mut tokens: Vec<_> = metadata.tokens.values().collect();
    tokens.sort_by_key(|token| token.slot);
    if tokens.iter().any(|token| token.purpose == Purpose::Recovery { is_confirmed: false }) {
        return Err(NotRotatable::Unconfirmed);
    }
    if !tokens.iter().any(|token| token.purpose == Purpose::Recovery { is_confirmed: true }) {
        return Err(NotRotatable::NoRecoveryKey);
    }
    let mut lines = Zeroizing::new(Vec::new());
    let mut cost = Cost::Random;
    for token in tokens {
        let kind = token.purpose.kind();
        let key = keys.get(&token.slot).ok_or(NotRotatable::Unknown(kind))?;
        if !key.is_a_line() {
            return Err(NotRotatable::NotALine(kind));
        }
        if kind == KeyKind::Passphrase {
            cost = Cost::Typed;
        }
        lines.extend_from_slice(key.bytes());
        lines.push(b'\n');
    }
    Ok(Plan { lines, cost })
}

/// A line of `cryptsetup --progress-json`; numbers are texts.
#[derive(Deserialize)]
struct Line {
    device_bytes: String,
    device_size: String,
}

/// How much is done, in whole per cent; nothing when the line tells something else.
#[must_use]
pub fn percent(line: &str) -> Option<u8> {
    let line: Line = serde_json::from_str(line).ok()?;
    let (done, all): (u64, u64) = (line.device_bytes.parse().ok()?, line.device_size.parse().ok()?);
    let percent = u128::from(done) * 100 / u128::from((all > 0).then_some(all)?);
    Some(u8::try_from(percent.min(100)).unwrap_or(100))
}

#[cfg(test)]
mod tests;
