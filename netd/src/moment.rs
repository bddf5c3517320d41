//! Points in time that do not depend on the wall clock, which stands at 1970 until the network is there.

use std::ops::Add;
use std::time::Duration;
use tokio::time::Instant;

/// Time since the daemon started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(Duration);

impl Moment {
    /// A moment that many seconds after the start.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// Time from `earlier` to this moment; zero when `earlier` is the later one.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

/// Tells the present [`Moment`].
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
}

impl Clock {
    /// A clock that starts now.
    #[must_use]
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// The present.
    #[must_use]
    pub fn now(&self) -> Moment {
        Moment(self.started.elapsed())
    }

    /// The runtime's timer value for a moment.
    #[must_use]
    pub fn instant(&self, moment: Moment) -> Instant {
        self.started + moment.0
    }
}
