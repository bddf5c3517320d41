//! Time that can be trusted on a box whose clock may stand at 1970.
//!
//! Three kinds are kept apart: *uptime* (never jumps, starts at every boot), *wall time* (shown to people, believed for nothing
//! that matters) and *box time*, which this module makes out of both: the seconds for which this box has existed, as far as it
//! can know. Idle sessions end by box time.
//!
//! Within a boot, box time is uptime plus a base, so setting the clock cannot end or prolong a session. Across boots the base
//! comes from the last stored [`Ledger`]; the time spent switched off is added only when the wall clock was plausible at both
//! ends and went forward. On a box without a clock, time spent off is therefore not counted: a session may live longer there,
//! never shorter.

use rustix::time::ClockId;
use rustix::time::clock_gettime;
use serde::Deserialize;
use serde::Serialize;
use std::time::Duration;

/// A wall clock before 2025-01-01T00:00:00Z, in seconds since 1970, was never set.
const PLAUSIBLE_WALL: u64 = 1_735_689_600;

/// Where the time comes from.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Time since the kernel started, sleep included.
    fn uptime(&self) -> Duration;

    /// Seconds since 1970 by the machine's clock, which may be wrong.
    fn wall_unix(&self) -> u64;
}

/// The kernel's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct KernelClock;

impl Clock for KernelClock {
    fn uptime(&self) -> Duration {
        let now = clock_gettime(ClockId::Boottime);
        Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
    }

    fn wall_unix(&self) -> u64 {
        u64::try_from(clock_gettime(ClockId::Realtime).tv_sec).unwrap_or(0)
    }
}

/// What is stored about the passage of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Box time in seconds.
    pub box_seconds: u64,
    /// Wall clock at that moment, in seconds since 1970.
    pub wall_unix: u64,
}

impl Ledger {
    /// Box time now, when `self` was the last thing stored and the wall clock shows `wall_unix`.
    #[must_use]
    pub fn resume(self, wall_unix: u64) -> u64 {
        let both_plausible = self.wall_unix >= PLAUSIBLE_WALL && wall_unix >= PLAUSIBLE_WALL;
        let off = if both_plausible { wall_unix.saturating_sub(self.wall_unix) } else { 0 };
        self.box_seconds.saturating_add(off)
    }
}

/// Box time of one boot.
#[derive(Clone, Copy, Debug)]
pub struct BoxTime {
    base_seconds: u64,
    started: Duration,
}

impl BoxTime {
    /// Starts at the stored ledger.
    #[must_use]
    pub fn start(ledger: Ledger, clock: &dyn Clock) -> Self {
        Self { base_seconds: ledger.resume(clock.wall_unix()), started: clock.uptime() }
    }

    /// Box time now, in seconds.
    #[must_use]
    pub fn now(&self, clock: &dyn Clock) -> u64 {
        self.base_seconds.saturating_add(clock.uptime().saturating_sub(self.started).as_secs())
    }

    /// What to store now.
    #[must_use]
    pub fn ledger(&self, clock: &dyn Clock) -> Ledger {
        Ledger { box_seconds: self.now(clock), wall_unix: clock.wall_unix() }
    }
}

/// A clock that tests set.
#[cfg(feature = "testing")]
#[derive(Debug, Default)]
pub struct ManualClock {
    uptime_seconds: std::sync::atomic::AtomicU64,
    wall_unix: std::sync::atomic::AtomicU64,
}

#[cfg(feature = "testing")]
impl ManualClock {
    /// Lets time pass, on both clocks.
    pub fn pass(&self, seconds: u64) {
        self.uptime_seconds.fetch_add(seconds, std::sync::atomic::Ordering::Relaxed);
        self.wall_unix.fetch_add(seconds, std::sync::atomic::Ordering::Relaxed);
    }

    /// Sets the wall clock alone.
    pub fn set_wall_unix(&self, seconds: u64) {
        self.wall_unix.store(seconds, std::sync::atomic::Ordering::Relaxed);
    }
}

#[cfg(feature = "testing")]
impl Clock for ManualClock {
    fn uptime(&self) -> Duration {
        Duration::from_secs(self.uptime_seconds.load(std::sync::atomic::Ordering::Relaxed))
    }

    fn wall_unix(&self) -> u64 {
        self.wall_unix.load(std::sync::atomic::Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = PLAUSIBLE_WALL + 1_000_000;

    #[test]
    fn time_off_counts_only_between_plausible_clocks_that_went_forward() {
        for (stored_wall, wall, expected) in [
            (NOW, NOW + 50, 1050),
            (NOW, NOW, 1000),
            (NOW, NOW - 50, 1000),
            (0, NOW, 1000),
            (NOW, 7, 1000),
            (0, 7, 1000),
        ] {
            let ledger = Ledger { box_seconds: 1000, wall_unix: stored_wall };
            assert_eq!(ledger.resume(wall), expected, "{stored_wall} {wall}");
        }
    }

    #[test]
    fn a_jump_of_the_wall_clock_within_a_boot_changes_nothing() {
        let clock = ManualClock::default();
        let time = BoxTime::start(Ledger { box_seconds: 1000, wall_unix: 0 }, &clock);
        clock.pass(10);
        clock.set_wall_unix(NOW);
        assert_eq!(time.now(&clock), 1010);
        clock.set_wall_unix(3);
        assert_eq!(time.ledger(&clock), Ledger { box_seconds: 1010, wall_unix: 3 });
    }

    #[test]
    fn the_kernel_clock_runs() {
        let first = KernelClock.uptime();
        assert!(first > Duration::ZERO);
        assert!(KernelClock.uptime() >= first);
    }
}
