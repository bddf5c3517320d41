//! One name on one link: from "is it free?" to "it is ours", and back when somebody else turns up (RFC 6762 sections 8.1, 8.2, 9).
//!
//! ```text
//!   Waiting ──time──> Probing ──third probe unanswered──> Held
//!      ^ ^               │                                  │
//!      │ └──rival wins───┤                                  │
//!      │    the tie      └──answered: lost                  │
//!      └─────────────────challenged: ask again──────────────┘
//! ```

use std::cmp::Ordering;
use std::time::Duration;
use std::time::Instant;

/// Probes for a name, and the time between them and after the last (section 8.1).
pub(crate) const PROBES: u8 = 3;
pub(crate) const PROBE_GAP: Duration = Duration::from_millis(250);
/// How long the loser of a tie waits (section 8.2).
pub(crate) const DEFER: Duration = Duration::from_secs(1);

/// How far the box is with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// Before the first probe.
    Waiting {
        /// When to send it.
        until: Instant,
        /// Whether an answer counts already. Not after a challenge: the rival's answer comes twice, by IPv4 and IPv6, and the rival
        /// was challenged too.
        heeds_answers: bool,
    },
    /// Probes are on their way.
    Probing {
        /// How many.
        sent: u8,
        /// When the next is due, or the name is ours.
        next: Instant,
    },
    /// The name is ours.
    Held,
}

/// What happens to a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Time passes.
    Time,
    /// Another device proposes other records for the name; how ours compare to them (section 8.2).
    Proposed(Ordering),
    /// Another device says that the name is its own.
    Answered {
        /// When to begin asking again, if that is what follows.
        again: Instant,
    },
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing.
    Nothing,
    /// Send a probe.
    Probe,
    /// It is ours now: announce.
    Won,
    /// It was ours and is doubted: nothing is said under it until it is ours again.
    Challenged,
    /// Take another name.
    Lost,
}

impl Claim {
    /// A name never asked for.
    pub(crate) const fn new(start: Instant) -> Self {
        Self::Waiting { until: start, heeds_answers: true }
    }

    /// When [`Event::Time`] has an effect.
    pub(crate) const fn due(&self) -> Option<Instant> {
        match self {
            Self::Waiting { until, .. } => Some(*until),
            Self::Probing { next, .. } => Some(*next),
            Self::Held => None,
        }
    }

    pub(crate) fn step(self, now: Instant, event: Event) -> (Self, Outcome) {
        match (self, event) {
            (_, Event::Time) if self.due().is_none_or(|due| due > now) => (self, Outcome::Nothing),
            (Self::Probing { sent: PROBES.., .. }, Event::Time) => (Self::Held, Outcome::Won),
            (Self::Probing { sent, .. }, Event::Time) => {
                (Self::Probing { sent: sent + 1, next: now + PROBE_GAP }, Outcome::Probe)
            }
            (Self::Waiting { .. }, Event::Time) => {
                (Self::Probing { sent: 1, next: now + PROBE_GAP }, Outcome::Probe)
            }
            (Self::Waiting { until, .. }, Event::Proposed(Ordering::Less)) => {
                (Self::new(until.max(now + DEFER)), Outcome::Nothing)
            }
            (Self::Probing { .. }, Event::Proposed(Ordering::Less)) => {
                (Self::new(now + DEFER), Outcome::Nothing)
            }
            // Equal: that is us, or one who may as well be. Greater: the other one defers. Held: the question in the same packet is
            // answered, which defends the name.
            (_, Event::Proposed(_)) => (self, Outcome::Nothing),
            (Self::Waiting { heeds_answers: false, .. }, Event::Answered { .. }) => (self, Outcome::Nothing),
            (Self::Waiting { .. } | Self::Probing { .. }, Event::Answered { .. }) => (self, Outcome::Lost),
            (Self::Held, Event::Answered { again }) => {
                (Self::Waiting { until: again, heeds_answers: false }, Outcome::Challenged)
            }
            (Self::Held, Event::Time) => (self, Outcome::Nothing),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_state_and_event() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let waiting = |until, heeds_answers| Claim::Waiting { until, heeds_answers };
        let probing = |sent, next| Claim::Probing { sent, next };
        let answered = Event::Answered { again: at(900) };
        let now = at(100);
        for (state, event, after, outcome) in [
            (waiting(at(101), true), Event::Time, waiting(at(101), true), Outcome::Nothing),
            (waiting(at(100), true), Event::Time, probing(1, at(350)), Outcome::Probe),
            (waiting(at(100), false), Event::Time, probing(1, at(350)), Outcome::Probe),
            (probing(1, at(101)), Event::Time, probing(1, at(101)), Outcome::Nothing),
            (probing(1, at(99)), Event::Time, probing(2, at(350)), Outcome::Probe),
            (probing(2, at(99)), Event::Time, probing(3, at(350)), Outcome::Probe),
            (probing(3, at(99)), Event::Time, Claim::Held, Outcome::Won),
            (Claim::Held, Event::Time, Claim::Held, Outcome::Nothing),
            (
                waiting(at(101), true),
                Event::Proposed(Ordering::Less),
                waiting(at(1100), true),
                Outcome::Nothing,
            ),
            (
                waiting(at(9000), true),
                Event::Proposed(Ordering::Less),
                waiting(at(9000), true),
                Outcome::Nothing,
            ),
            (
                waiting(at(101), false),
                Event::Proposed(Ordering::Less),
                waiting(at(1100), true),
                Outcome::Nothing,
            ),
            (
                waiting(at(101), true),
                Event::Proposed(Ordering::Equal),
                waiting(at(101), true),
                Outcome::Nothing,
            ),
            (
                waiting(at(101), true),
                Event::Proposed(Ordering::Greater),
                waiting(at(101), true),
                Outcome::Nothing,
            ),
            (probing(2, at(200)), Event::Proposed(Ordering::Less), waiting(at(1100), true), Outcome::Nothing),
            (probing(2, at(200)), Event::Proposed(Ordering::Equal), probing(2, at(200)), Outcome::Nothing),
            (probing(2, at(200)), Event::Proposed(Ordering::Greater), probing(2, at(200)), Outcome::Nothing),
            (Claim::Held, Event::Proposed(Ordering::Less), Claim::Held, Outcome::Nothing),
            (Claim::Held, Event::Proposed(Ordering::Greater), Claim::Held, Outcome::Nothing),
            (waiting(at(101), true), answered, waiting(at(101), true), Outcome::Lost),
            (waiting(at(101), false), answered, waiting(at(101), false), Outcome::Nothing),
            (probing(1, at(200)), answered, probing(1, at(200)), Outcome::Lost),
            (Claim::Held, answered, waiting(at(900), false), Outcome::Challenged),
        ] {
            assert_eq!(state.step(now, event), (after, outcome), "{state:?} {event:?}");
        }
    }
}
