//! When the next backup runs. Pure: time is given, nothing is read.
//!
//! Runs lie on slots of the clock, spread by a jitter so that a hundred boxes do not call one server at once. A box that
//! was off catches up once. Without a set clock (a board without a battery starts in 1970) only the time since boot
//! counts.

use serde::Deserialize;
use serde::Serialize;
use sha2::Digest;
use sha2::Sha256;

/// 2026-01-01: a clock before this is not set.
pub const EARLIEST: u64 = 1_767_225_600;
/// After boot the box has better things to do.
pub const SETTLE: u64 = 10 * 60;
const FIRST_RETRY: u64 = 15 * 60;
const HOUR: u64 = 3600;

/// How often, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Policy {
    /// Hours between backups, 1 to 744.
    pub every_hours: u16,
    /// When a slot begins: minutes after midnight UTC (for hourly slots only the minutes count).
    pub at_minute: u16,
    /// Slots begin up to this many minutes later.
    pub jitter_minutes: u16,
}

impl Default for Policy {
    fn default() -> Self {
        Self { every_hours: 24, at_minute: 2 * 60, jitter_minutes: 60 }
    }
}

/// The time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The clock, in seconds since 1970.
    pub clock: u64,
    /// Whether the clock was set since boot.
    pub clock_is_set: bool,
    /// Seconds since boot.
    pub since_boot: u64,
}

/// What is known of earlier runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Last {
    /// When a backup last succeeded.
    pub success: Option<u64>,
    /// When one was last begun.
    pub attempt: Option<u64>,
    /// When one was last begun, in seconds since this boot; nothing when that was before this boot.
    pub attempt_since_boot: Option<u64>,
    /// Failures since the last success.
    pub failures: u32,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Begin.
    Now(Reason),
    /// Ask again at this time of the clock.
    At(u64),
    /// Ask again after this many seconds, or when the clock is set.
    After(u64),
}

/// Why a backup begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// There was none yet.
    First,
    /// Its time has come, or passed while the box was off.
    Due,
    /// The last one failed.
    Retry,
    /// The last one lies in the future: the clock was wrong then or is now.
    ClockWentBack,
    /// The clock is not set and the box runs long enough.
    WithoutClock,
}

/// When the next backup runs; `seed` is the box's own number and spreads the boxes.
#[must_use]
pub fn next_run(policy: Policy, last: Last, now: Now, seed: u64) -> Next {
    let period = u64::from(policy.every_hours.clamp(1, 744)) * HOUR;
    if !now.clock_is_set || now.clock < EARLIEST {
        let since = now.since_boot.saturating_sub(last.attempt_since_boot.unwrap_or(0));
        return if since >= period { Next::Now(Reason::WithoutClock) } else { Next::After(period - since) };
    }
    let settled = now.since_boot >= SETTLE;
    let begin = |reason| if settled { Next::Now(reason) } else { Next::After(SETTLE - now.since_boot) };
    if let Some(attempt) = last.attempt.filter(|attempt| last.failures > 0 && *attempt <= now.clock) {
        let pause = FIRST_RETRY.saturating_mul(1 << (last.failures - 1).min(16)).min(period);
        let retry = attempt.saturating_add(pause);
        return if retry <= now.clock { begin(Reason::Retry) } else { Next::At(retry) };
    }
    let Some(success) = last.success else { return begin(Reason::First) };
    if success > now.clock {
        return begin(Reason::ClockWentBack);
    }
    let slots = Slots { period, offset: u64::from(policy.at_minute) * 60 % period, policy, seed };
    let due = slots.after(success);
    if due <= now.clock { begin(Reason::Due) } else { Next::At(due) }
}

struct Slots {
    period: u64,
    offset: u64,
    policy: Policy,
    seed: u64,
}

impl Slots {
    /// The first begin of a slot after `time`.
    fn after(&self, time: u64) -> u64 {
        // Jitter is shorter than a slot, so the wanted one is this, the one before, or one of the next two.
        let near = time.saturating_sub(self.offset) / self.period;
        let candidates = (near.saturating_sub(1)..=near + 2).map(|slot| self.begin(slot));
        candidates.into_iter().find(|begin| *begin > time).unwrap_or(time + self.period)
    }

    fn begin(&self, slot: u64) -> u64 {
        let room = (u64::from(self.policy.jitter_minutes) * 60).min(self.period - 1) + 1;
        let mut hash = Sha256::new();
        hash.update(self.seed.to_le_bytes());
        hash.update(slot.to_le_bytes());
        let [a, b, c, d, ..] = <[u8; 32]>::from(hash.finalize());
        slot * self.period + self.offset + u64::from(u32::from_le_bytes([a, b, c, d])) % room
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::any;
    use proptest::prop_assert;
    use proptest::prop_assert_eq;
    use proptest::proptest;

    const NOON: u64 = 1_780_315_200;
    const DAILY: Policy = Policy { every_hours: 24, at_minute: 120, jitter_minutes: 0 };

    fn at(clock: u64) -> Now {
        Now { clock, clock_is_set: true, since_boot: 99_999 }
    }

    fn success(time: u64) -> Last {
        Last { success: Some(time), attempt: Some(time), ..Last::default() }
    }

    #[test]
    fn the_first_backup_comes_once_the_box_has_settled() {
        let young = Now { since_boot: 60, ..at(NOON) };
        assert_eq!(next_run(DAILY, Last::default(), young, 1), Next::After(SETTLE - 60));
        assert_eq!(next_run(DAILY, Last::default(), at(NOON), 1), Next::Now(Reason::First));
    }

    #[test]
    fn backups_run_at_their_hour() {
        let two = NOON - 10 * HOUR;
        assert_eq!(next_run(DAILY, success(two + 5), at(NOON), 1), Next::At(two + 24 * HOUR));
        assert_eq!(next_run(DAILY, success(two + 5), at(two + 24 * HOUR), 1), Next::Now(Reason::Due));
        // One by hand in the afternoon does not cancel the one at night.
        assert_eq!(next_run(DAILY, success(NOON), at(NOON), 1), Next::At(two + 24 * HOUR));
    }

    #[test]
    fn a_box_that_was_off_catches_up_once() {
        let weeks = NOON + 40 * 24 * HOUR;
        assert_eq!(next_run(DAILY, success(NOON), at(weeks), 1), Next::Now(Reason::Due));
        assert_eq!(
            next_run(DAILY, success(weeks), at(weeks), 1),
            Next::At(NOON - 10 * HOUR + 41 * 24 * HOUR)
        );
    }

    #[test]
    fn failures_are_tried_again_ever_later_but_no_later_than_a_slot() {
        for (failures, pause) in
            [(1, FIRST_RETRY), (2, 2 * FIRST_RETRY), (5, 16 * FIRST_RETRY), (60, 24 * HOUR)]
        {
            let last = Last { attempt: Some(NOON), failures, ..success(NOON - 99 * HOUR) };
            let last = Last { success: last.success, ..last };
            assert_eq!(next_run(DAILY, last, at(NOON + 1), 1), Next::At(NOON + pause));
            assert_eq!(next_run(DAILY, last, at(NOON + pause), 1), Next::Now(Reason::Retry));
        }
    }

    #[test]
    fn without_a_clock_the_time_since_boot_counts() {
        let unset = Now { clock: 90, clock_is_set: true, since_boot: HOUR };
        assert_eq!(next_run(DAILY, success(NOON), unset, 1), Next::After(23 * HOUR));
        let not_set = Now { clock: NOON, clock_is_set: false, since_boot: 24 * HOUR };
        assert_eq!(next_run(DAILY, success(NOON), not_set, 1), Next::Now(Reason::WithoutClock));
        let again = Last { attempt_since_boot: Some(24 * HOUR), ..success(NOON) };
        assert_eq!(next_run(DAILY, again, not_set, 1), Next::After(24 * HOUR));
    }

    #[test]
    fn a_success_in_the_future_does_not_stop_backups() {
        assert_eq!(
            next_run(DAILY, success(NOON + 999 * HOUR), at(NOON), 1),
            Next::Now(Reason::ClockWentBack)
        );
        let failed = Last { failures: 3, attempt: Some(NOON + HOUR), ..Last::default() };
        assert_eq!(next_run(DAILY, failed, at(NOON), 1), Next::Now(Reason::First));
    }

    proptest! {
        #[test]
        fn the_next_run_is_near_and_after_a_success_nothing_is_due(
            every_hours in any::<u16>(),
            at_minute in any::<u16>(),
            jitter_minutes in any::<u16>(),
            seed in any::<u64>(),
            clock in EARLIEST..EARLIEST * 2,
        ) {
            let policy = Policy { every_hours, at_minute, jitter_minutes };
            let period = u64::from(every_hours.clamp(1, 744)) * HOUR;
            let Next::At(due) = next_run(policy, success(clock), at(clock), seed) else {
                return Err(proptest::test_runner::TestCaseError::fail("due at once"));
            };
            prop_assert!(due > clock && due <= clock + 2 * period);
            prop_assert_eq!(next_run(policy, success(clock), at(due), seed), Next::Now(Reason::Due));
        }

        #[test]
        fn any_state_has_an_answer(
            success in any::<Option<u64>>(),
            attempt in any::<Option<u64>>(),
            attempt_since_boot in any::<Option<u64>>(),
            failures in any::<u32>(),
            clock in 0..u64::MAX / 4,
            clock_is_set in any::<bool>(),
            since_boot in any::<u64>(),
        ) {
            let last = Last { success, attempt, attempt_since_boot, failures };
            let now = Now { clock, clock_is_set, since_boot };
            match next_run(Policy::default(), last, now, 7) {
                Next::At(time) => prop_assert!(time > clock),
                Next::After(seconds) => prop_assert!(seconds > 0 && seconds <= 24 * HOUR),
                Next::Now(_) => {}
            }
        }
    }
}
