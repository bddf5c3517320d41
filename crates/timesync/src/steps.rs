//! How far the clock may be moved, as a table (docs/adr/0015 has it in words).
//!
//! What follows from a clock that is wrong by years: certificates count that ended long ago, or none does, and
//! backups are deleted as outdated. So the further a move, the more witnesses it takes, and some moves are never made.

use crate::time::Span;
use crate::time::Timestamp;

/// Smaller offsets are slewed: no program sees the clock jump. At 200 ppm at least this takes less than an hour.
pub const STEP_FROM: Span = Span::from_millis(500);
/// Larger steps of a plausible clock need two witnesses (RFC 5905 appendix A.1.1, PANICT).
pub const LARGE: Span = Span::from_secs(1_000);
/// 1 January 2100: no clock of this box is ever right beyond it.
pub const END: Timestamp = Timestamp::from_secs(4_102_444_800);

/// Where the clock stands and who says that it is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Situation {
    /// What the clock shows.
    pub now: Timestamp,
    /// By how much it should be moved.
    pub offset: Span,
    /// When the image was built.
    pub built: Timestamp,
    /// The last time that was known to be right.
    pub last_known: Option<Timestamp>,
    /// How the clock came to show what it shows.
    pub standing: Standing,
    /// How many independent witnesses say so.
    pub witnesses: usize,
    /// Whether they proved who they are.
    pub authenticated: bool,
}

/// How the clock came to show what it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// At the start it showed a time before the build or the last known time, and was put there: it is late by unknown years.
    Implausible,
    /// It showed a possible time at the start.
    Plausible,
    /// It was set from the network since the start.
    Set,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Let it run faster or slower for a while.
    Slew,
    /// Move it.
    Step,
    /// Nothing.
    Refuse(Refusal),
}

/// Why the clock is not moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Before the image was built.
    #[error("the time servers name a time before this system was built")]
    BeforeBuild,
    /// Beyond 2100.
    #[error("the time servers name a time after the year 2100")]
    TooLate,
    /// Before the last known time.
    #[error(
        "the time servers name a time that has already been; three that agree or one that proves who it is are needed"
    )]
    BeforeLastKnown,
    /// A long way.
    #[error(
        "the clock would move by {0}; two time servers that agree or one that proves who it is are needed"
    )]
    Large(Span),
    /// Back, after the clock was set.
    #[error(
        "the clock would move back by {0}; two time servers that agree or one that proves who it is are needed"
    )]
    Back(Span),
}

/// Decides; the first row that fits counts.
#[must_use]
pub fn decide(situation: &Situation) -> Verdict {
    let Situation { now, offset, built, last_known, standing, witnesses, authenticated } = *situation;
    let target = now + offset;
    let agreed_by = |count: usize| authenticated || witnesses >= count;
    if target < built {
        Verdict::Refuse(Refusal::BeforeBuild)
    } else if target >= END {
        Verdict::Refuse(Refusal::TooLate)
    } else if offset.abs() < STEP_FROM {
        Verdict::Slew
    } else if last_known.is_some_and(|known| target < known) && !agreed_by(3) {
        Verdict::Refuse(Refusal::BeforeLastKnown)
    } else if offset > Span::ZERO && standing == Standing::Implausible {
        Verdict::Step
    } else if offset.abs() > LARGE && !agreed_by(2) {
        Verdict::Refuse(Refusal::Large(offset.abs()))
    } else if offset < Span::ZERO && standing == Standing::Set && !agreed_by(2) {
        Verdict::Refuse(Refusal::Back(offset.abs()))
    } else {
        Verdict::Step
    }
}

#[cfg(test)]
mod tests;
