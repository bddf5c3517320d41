//! Which upstream is worth asking: pure, time comes in as a value.

use std::time::Duration;
use tokio::time::Instant;

/// Why an upstream did not answer, in words for the owner.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// No route, host or network down.
    #[error("it cannot be reached")]
    Unreachable,
    /// The port is closed, or something on the way says so.
    #[error("it refuses connections")]
    RefusesConnections,
    /// Silence.
    #[error("it does not answer in time")]
    Silent,
    /// The connection ended early.
    #[error("it closes the connection")]
    Closes,
    /// Its certificate is for another name, has expired, or is from an unknown issuer.
    #[error("its certificate is not trusted: {detail}")]
    Certificate {
        /// What TLS says.
        detail: String,
    },
    /// It does not speak TLS 1.3 as it should.
    #[error("no encrypted connection can be made: {detail}")]
    Encryption {
        /// What TLS says.
        detail: String,
    },
    /// It answers with something that is not the answer.
    #[error("it answers nonsense")]
    Nonsense,
    /// It says REFUSED or NOTIMP.
    #[error("it refuses to answer the box")]
    RefusesQuestions,
    /// This resolver has too many questions under way with it.
    #[error("too many questions are waiting for it")]
    Busy,
}

/// How an upstream has been doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Health {
    pub(crate) queries: u64,
    pub(crate) failures: u64,
    /// Which of its addresses is used.
    pub(crate) address: usize,
    pub(crate) trouble: Option<Trouble>,
}

/// What is wrong with a failing upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) reason: Failure,
    /// It is left alone until then, as long as another one answers.
    pub(crate) retry_at: Instant,
    rest: Duration,
}

/// Which of an upstream's addresses was tried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tried {
    pub(crate) address: usize,
    /// How many it has.
    pub(crate) of: usize,
}

/// How long a failing upstream is left alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rest {
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

impl Health {
    pub(crate) fn new() -> Self {
        Self { queries: 0, failures: 0, address: 0, trouble: None }
    }

    pub(crate) fn succeeded(&mut self) {
        self.trouble = None;
    }

    /// Another failure: rests twice as long as before, and uses its next address afterwards.
    ///
    /// Questions that were under way together fail together; they count as one failure of the upstream.
    pub(crate) fn failed(&mut self, reason: Failure, tried: Tried, now: Instant, rest: Rest) {
        self.failures += 1;
        if self.address == tried.address {
            self.address = if tried.address + 1 < tried.of { tried.address + 1 } else { 0 };
        }
        let rest = match &self.trouble {
            Some(trouble) if now < trouble.retry_at => {
                self.trouble = Some(Trouble { reason, ..trouble.clone() });
                return;
            }
            Some(trouble) => (trouble.rest * 2).min(rest.longest),
            None => rest.first,
        };
        self.trouble = Some(Trouble { reason, retry_at: now + rest, rest });
    }

    /// True of an upstream that is not resting.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.trouble.as_ref().is_none_or(|trouble| now >= trouble.retry_at)
    }
}

/// In which order to ask: the owner's, but those that rest come last.
pub(crate) fn order(healths: impl Iterator<Item = Health>, now: Instant) -> Vec<usize> {
    let (mut due, resting): (Vec<_>, Vec<_>) =
        healths.enumerate().map(|(place, health)| (place, health.is_due(now))).partition(|(_, due)| *due);
    due.extend(resting);
    due.into_iter().map(|(place, _)| place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const REST: Rest = Rest { first: Duration::from_secs(5), longest: Duration::from_secs(60) };

    #[test]
    fn rests_grow_and_end() {
        let start = Instant::now();
        let mut health = Health::new();
        let mut now = start;
        let mut rests = Vec::new();
        for _ in 0..6 {
            health.failed(Failure::Silent, Tried { address: health.address, of: 2 }, now, REST);
            let until = health.trouble.as_ref().unwrap().retry_at;
            rests.push((until - now).as_secs());
            assert!(!health.is_due(now));
            now = until;
            assert!(health.is_due(now));
        }
        assert_eq!(rests, [5, 10, 20, 40, 60, 60]);
        health.succeeded();
        assert_eq!(health.trouble, None);
        assert_eq!(health.failures, 6);
    }

    #[test]
    fn questions_that_fail_together_lengthen_the_rest_once() {
        let now = Instant::now();
        let mut health = Health::new();
        for _ in 0..10 {
            health.failed(Failure::Silent, Tried { address: 0, of: 3 }, now, REST);
        }
        assert_eq!((health.failures, health.address), (10, 1));
        assert_eq!(health.trouble.unwrap().retry_at, now + REST.first);
    }

    proptest! {
        #[test]
        fn everybody_is_asked_and_the_healthy_in_the_owners_order(resting in proptest::collection::vec(any::<bool>(), 0..8)) {
            let now = Instant::now();
            let healths: Vec<Health> = resting.iter().map(|&resting| {
                let mut health = Health::new();
                if resting {
                    health.failed(Failure::Closes, Tried { address: 0, of: 1 }, now, REST);
                }
                health
            }).collect();
            let order = order(healths.iter().cloned(), now);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..resting.len()).collect::<Vec<_>>());
            let due = resting.iter().filter(|resting| !**resting).count();
            prop_assert!(order[..due].iter().all(|&place| !resting[place]));
            prop_assert!(order[..due].is_sorted() && order[due..].is_sorted());
        }
    }
}
