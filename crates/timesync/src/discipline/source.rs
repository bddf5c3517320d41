//! What the machine remembers of one server.

use std::net::IpAddr;
use std::time::Duration;

use crate::discipline::Outcome;
use crate::discipline::Pause;
use crate::discipline::rounds;
use crate::filter::Filter;
use crate::reply::MOST_DISTANCE;
use crate::select::Candidate;
use crate::settings::Protocol;
use crate::settings::Server;
use crate::time::Moment;

/// Measurements before a server is believed.
pub(super) const ENOUGH: usize = 3;
/// Rounds in a row without an answer before a server is believed no more.
const MOST_FAILURES: u32 = 4;
/// After DENY and RSTR.
const LONG: Duration = Duration::from_secs(86_400);
/// After the first failed key exchange (RFC 8915 section 4.2 recommends 10 s, growing).
const FIRST_GROWING: Duration = Duration::from_secs(16);
/// After many.
const LAST_GROWING: Duration = Duration::from_secs(8_192);
/// However often a server says RATE.
const SLOWEST: Duration = Duration::from_secs(16_384);

/// A server.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) server: Server,
    pub(super) filter: Filter,
    pub(super) address: Option<IpAddr>,
    pub(super) role: Role,
    /// Why the last question was in vain.
    pub(super) failure: Option<String>,
    /// Its answer is awaited.
    pub(super) asked: bool,
    failures: u32,
    not_before: Moment,
    /// It wants no questions closer than this.
    pace: Duration,
    growing: Duration,
}

/// What the last decision made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// No decision yet.
    Unused,
    /// It is believed.
    Used,
    /// It proves nothing, and others do.
    Outranked,
    /// Others say otherwise.
    Contradicting,
}

impl Source {
    pub(super) fn new(server: Server) -> Self {
        Self {
            server,
            filter: Filter::default(),
            address: None,
            role: Role::Unused,
            failure: None,
            asked: false,
            failures: 0,
            not_before: Moment::default(),
            pace: Duration::ZERO,
            growing: FIRST_GROWING,
        }
    }

    /// Whether it is to be asked now; an answer is awaited from then on.
    pub(super) fn ask(&mut self, now: Moment) -> bool {
        self.asked = now >= self.not_before;
        if self.asked {
            self.not_before = now + self.pace;
        }
        self.asked
    }

    /// Takes in what came of it.
    pub(super) fn take(&mut self, address: Option<IpAddr>, outcome: Outcome, now: Moment) {
        self.asked = false;
        if address.is_some() && address != self.address {
            self.filter.clear();
            self.address = address;
        }
        match outcome {
            Outcome::Measured(sample) => {
                self.filter.push(now, sample);
                self.failures = 0;
                self.failure = None;
                self.growing = FIRST_GROWING;
            }
            Outcome::Failed { why, pause } => {
                self.failures = self.failures.saturating_add(1);
                self.failure = Some(why);
                self.pause(pause, now);
                if self.failures >= MOST_FAILURES {
                    self.filter.clear();
                    self.role = Role::Unused;
                }
            }
        }
    }

    fn pause(&mut self, pause: Pause, now: Moment) {
        match pause {
            Pause::None => {}
            Pause::Slower => {
                self.pace = (self.pace * 2).clamp(2 * rounds::SHORTEST, SLOWEST);
                self.not_before = now + self.pace;
            }
            Pause::Long => {
                self.filter.clear();
                self.role = Role::Unused;
                self.not_before = now + LONG;
            }
            Pause::Growing => {
                self.not_before = now + self.growing;
                self.growing = (self.growing * 2).min(LAST_GROWING);
            }
        }
    }

    /// Whether it answers, was not asked often enough, and may be asked again at once.
    pub(super) fn is_gathering(&self, now: Moment) -> bool {
        let is_short = self.filter.estimate(now).is_some_and(|estimate| estimate.samples < ENOUGH);
        is_short && self.failures == 0 && now >= self.not_before
    }

    /// What it says, if it is to be heard.
    pub(super) fn candidate(&self, place: usize, now: Moment) -> Option<Candidate> {
        let estimate = self.filter.estimate(now)?;
        let heard = estimate.samples >= ENOUGH && estimate.distance <= MOST_DISTANCE;
        heard.then_some(Candidate {
            source: place,
            address: self.address?,
            authenticated: self.server.protocol == Protocol::Nts,
            origin: self.server.origin,
            estimate,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::after_start(Duration::from_secs(seconds))
    }

    fn failed(pause: Pause) -> Outcome {
        Outcome::Failed { why: "it says so".to_owned(), pause }
    }

    /// Seconds until it may be asked again, after each of so many failures.
    fn waits(pause: Pause, count: usize) -> Vec<u64> {
        let mut source = Source::new(Server::plain("a.example"));
        (0..count)
            .map(|_| {
                let now = source.not_before;
                assert!(source.ask(now));
                source.take(None, failed(pause), now);
                source.not_before.since(now).as_secs()
            })
            .collect()
    }

    #[test]
    fn every_pause_is_as_long_as_it_says() {
        assert_eq!(waits(Pause::None, 3), [0, 0, 0]);
        assert_eq!(waits(Pause::Slower, 9), [128, 256, 512, 1_024, 2_048, 4_096, 8_192, 16_384, 16_384]);
        assert_eq!(waits(Pause::Long, 2), [86_400, 86_400]);
        assert_eq!(waits(Pause::Growing, 11)[..3], [16, 32, 64]);
        assert_eq!(waits(Pause::Growing, 11)[9..], [8_192, 8_192]);
    }

    #[test]
    fn a_server_that_wants_fewer_questions_gets_fewer_for_good() {
        let mut source = Source::new(Server::plain("a.example"));
        source.take(None, failed(Pause::Slower), at(0));
        assert!(!source.ask(at(127)));
        assert!(source.ask(at(128)));
        source.asked = false;
        assert!(!source.ask(at(255)));
        assert!(source.ask(at(256)));
    }
}
