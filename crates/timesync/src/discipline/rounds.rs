//! When the servers are asked next.

use std::time::Duration;

use crate::time::Moment;

/// Between the first measurements, and before a step is confirmed. Servers take short bursts of this kind.
const QUICK: Duration = Duration::from_secs(2);
/// So many of them in a row, then a server that contradicts itself is not pressed any more.
const MOST_QUICK: u32 = 10;
/// A second look at a wish to step a clock that was right before.
const CONFIRM: Duration = Duration::from_secs(8);
/// Shortest time between rounds of a clock that is right (RFC 5905 appendix A.1.1, MINPOLL 6).
pub(super) const SHORTEST: Duration = Duration::from_secs(64);
/// Longest one.
pub(super) const LONGEST: Duration = Duration::from_secs(1_024);
/// Calm rounds before the time between them is doubled.
const CALM_BEFORE_LONGER: u32 = 4;

/// How the last round ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outlook {
    /// Servers answer, but too few measurements are there yet.
    Gathering,
    /// Nobody answers.
    Nobody,
    /// The answers are of no use.
    Refused,
    /// They want a step of a clock that was right before.
    Confirming,
    /// The clock was just set.
    Settling,
    /// The clock is where it should be.
    Calm,
    /// The clock was elsewhere.
    Moving,
}

/// The plan.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rounds {
    next: Moment,
    last: Option<Moment>,
    poll: Duration,
    retry: Duration,
    calm: u32,
    quick: u32,
}

impl Default for Rounds {
    fn default() -> Self {
        Self { next: Moment::default(), last: None, poll: SHORTEST, retry: QUICK, calm: 0, quick: 0 }
    }
}

impl Rounds {
    /// When the next round is due.
    pub(super) fn next(&self) -> Moment {
        self.next
    }

    /// Time between rounds while all is well.
    pub(super) fn poll(&self) -> Duration {
        self.poll
    }

    /// Forgets all failures: now.
    pub(super) fn restart(&mut self, now: Moment) {
        self.next = now;
        self.retry = QUICK;
        self.calm = 0;
        self.quick = 0;
    }

    /// Now, unless the last round was just before: networks change in bursts.
    pub(super) fn hurry(&mut self, now: Moment) {
        let earliest = self.last.map_or(now, |last| last + SHORTEST);
        self.next = self.next.min(earliest.max(now));
    }

    /// Plans the next round. It is early or late by up to an eighth, at random: boxes that got power together shall not ask
    /// together.
    pub(super) fn plan(&mut self, outlook: Outlook, now: Moment, random: u64) {
        let wait = self.wait(outlook);
        let part = u32::try_from(random % 1_024).unwrap_or_default();
        let wait = wait.mul_f64(f64::from(part).mul_add(1.0 / 4_096.0, 0.875));
        self.last = Some(now);
        self.next = now + wait;
    }

    fn wait(&mut self, outlook: Outlook) -> Duration {
        if outlook == Outlook::Calm {
            self.calm += 1;
            if self.calm >= CALM_BEFORE_LONGER {
                self.calm = 0;
                self.poll = (self.poll * 2).min(LONGEST);
            }
        } else {
            self.calm = 0;
        }
        self.quick = if outlook == Outlook::Gathering { self.quick.saturating_add(1) } else { 0 };
        match outlook {
            Outlook::Gathering if self.quick > MOST_QUICK => SHORTEST,
            Outlook::Gathering => QUICK,
            Outlook::Confirming => CONFIRM,
            Outlook::Nobody => {
                self.retry = (self.retry * 2).min(SHORTEST);
                self.retry
            }
            Outlook::Moving | Outlook::Settling => {
                self.poll = SHORTEST;
                self.poll
            }
            Outlook::Refused => SHORTEST,
            Outlook::Calm => self.poll,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_while_nobody_answers_and_while_all_is_calm() {
        let mut rounds = Rounds::default();
        let mut waits = |outlook, count: usize| -> Vec<u64> {
            (0..count).map(|_| rounds.wait(outlook).as_secs()).collect()
        };
        assert_eq!(waits(Outlook::Nobody, 6), [4, 8, 16, 32, 64, 64]);
        assert_eq!(waits(Outlook::Gathering, 2), [2, 2]);
        assert_eq!(waits(Outlook::Calm, 8), [64, 64, 64, 128, 128, 128, 128, 256]);
        assert_eq!(waits(Outlook::Calm, 20).last(), Some(&1_024));
        assert_eq!(waits(Outlook::Confirming, 1), [8]);
        assert_eq!(waits(Outlook::Gathering, 12)[8..], [2, 2, 64, 64]);
        assert_eq!(waits(Outlook::Moving, 1), [64]);
        assert_eq!(waits(Outlook::Calm, 1), [64]);
    }

    #[test]
    fn nobody_asks_at_the_same_moment() {
        let mut rounds = Rounds::default();
        let now = Moment::after_start(Duration::from_secs(100));
        for random in [0, 511, 1_023, u64::MAX] {
            rounds.plan(Outlook::Refused, now, random);
            let wait = rounds.next().since(now);
            assert!(wait >= SHORTEST.mul_f64(0.875) && wait <= SHORTEST.mul_f64(1.125), "{wait:?}");
        }
    }

    #[test]
    fn a_new_network_is_tried_at_once_but_not_again_and_again() {
        let mut rounds = Rounds::default();
        let at = |seconds| Moment::after_start(Duration::from_secs(seconds));
        for _ in 0..40 {
            rounds.wait(Outlook::Calm);
        }
        rounds.plan(Outlook::Calm, at(1_000), 512);
        rounds.hurry(at(1_010));
        assert_eq!(rounds.next(), at(1_064));
        rounds.hurry(at(1_100));
        assert_eq!(rounds.next(), at(1_064));
        rounds.plan(Outlook::Calm, at(2_000), 512);
        rounds.hurry(at(2_500));
        assert_eq!(rounds.next(), at(2_500));
    }
}
