//! How long to wait before something is tried again, and when it is tried too often.

use std::collections::VecDeque;
use std::time::Duration;

const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause before a container is started again.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// Time of being up after which pauses start small again.
pub const UP_LONG_ENOUGH: Duration = Duration::from_secs(600);
/// So many ends within [`FAILURE_WINDOW`] make a container one that is started again and again.
pub const FAILURES_TOLERATED: u32 = 5;
/// See there.
pub const FAILURE_WINDOW: Duration = Duration::from_secs(600);

/// Pauses that double.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pause {
    next: Duration,
    longest: Duration,
}

impl Pause {
    pub(super) fn up_to(longest: Duration) -> Self {
        Self { next: FIRST_PAUSE, longest }
    }

    pub(super) fn next(&mut self) -> Duration {
        let pause = self.next;
        self.next = self.longest.min(pause.saturating_mul(2));
        pause
    }

    pub(super) fn reset(&mut self) {
        self.next = FIRST_PAUSE;
    }
}

/// Ends of a container without a long life in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ends {
    pause: Pause,
    recent: VecDeque<Duration>,
    in_a_row: u32,
    is_looping: bool,
}

impl Default for Ends {
    fn default() -> Self {
        Self { pause: Pause::up_to(LONGEST_PAUSE), recent: VecDeque::new(), in_a_row: 0, is_looping: false }
    }
}

impl Ends {
    /// Counts one; when to try again.
    pub(super) fn count(&mut self, now: Duration) -> Duration {
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.recent.push_back(now);
        while self.recent.front().is_some_and(|first| now.saturating_sub(*first) > FAILURE_WINDOW) {
            self.recent.pop_front();
        }
        let recent = u32::try_from(self.recent.len()).unwrap_or(u32::MAX);
        // Pauses grow until fewer fall into the window: once seen, it holds until a long life.
        self.is_looping |= recent >= FAILURES_TOLERATED;
        if self.is_looping {
            self.recent.clear();
        }
        now + self.pause.next()
    }

    pub(super) fn in_a_row(&self) -> u32 {
        self.in_a_row
    }

    pub(super) fn is_looping(&self) -> bool {
        self.is_looping
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let mut pause = Pause::up_to(LONGEST_PAUSE);
        let pauses: Vec<u64> = (0..11).map(|_| pause.next().as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        pause.reset();
        assert_eq!(pause.next(), FIRST_PAUSE);
    }

    #[test]
    fn five_ends_within_ten_minutes_are_a_loop_and_stay_one() {
        let mut ends = Ends::default();
        let mut now = Duration::from_secs(100);
        for number in 1..=20_u32 {
            now = ends.count(now);
            assert_eq!((ends.is_looping(), ends.in_a_row()), (number >= FAILURES_TOLERATED, number));
        }
    }

    #[test]
    fn ends_that_lie_far_apart_are_none() {
        let mut ends = Ends::default();
        for number in 1..=20_u32 {
            ends.count(FAILURE_WINDOW * number / 3);
            assert!(!ends.is_looping(), "{number}");
        }
    }
}
