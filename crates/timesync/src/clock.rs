//! The clock of the box, behind four verbs.

#[cfg(any(test, feature = "testing"))]
pub mod fake;
mod linux;
mod start;

use std::io;

use crate::time::Span;
use crate::time::Timestamp;

pub use linux::LinuxClock;
pub use start::Started;
pub use start::start;

/// What a clock did not do.
#[derive(Debug, thiserror::Error)]
#[error("{doing}")]
pub struct ClockError {
    /// What was being done.
    pub doing: &'static str,
    /// Why it failed.
    pub source: io::Error,
}

/// How sure the time is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Certainty {
    /// Estimated error.
    pub error: Span,
    /// Largest possible error, if the servers are honest.
    pub largest_error: Span,
}

/// A clock that can be read and set.
pub trait SystemClock: Send + Sync + 'static {
    /// What it shows.
    ///
    /// # Errors
    /// When the kernel does not tell.
    fn read(&self) -> Result<Timestamp, ClockError>;

    /// Moves it ahead by that much; back when negative.
    ///
    /// # Errors
    /// When the kernel refuses.
    fn step(&self, by: Span) -> Result<(), ClockError>;

    /// Makes it run faster by that many parts per million against its crystal, until told otherwise; slower when negative.
    ///
    /// # Errors
    /// When the kernel refuses.
    fn slew(&self, ppm: f64) -> Result<(), ClockError>;

    /// Tells the kernel that the clock is right. While it is told so again and again, it writes the time to the
    /// battery-backed clock every eleven minutes (`kernel/time/ntp.c`, `sync_hw_clock`); it stops by itself when it was not
    /// told so for nine hours.
    ///
    /// # Errors
    /// When the kernel refuses.
    fn mark_synchronised(&self, certainty: Certainty) -> Result<(), ClockError>;
}
