//! What is told about the machine.

use std::time::Duration;

use crate::discipline::Discipline;
use crate::discipline::Problem;
use crate::discipline::source::ENOUGH;
use crate::discipline::source::Role;
use crate::discipline::source::Source;
use crate::settings::Protocol;
use crate::status::SourceStatus;
use crate::status::TimeStatus;
use crate::time::Moment;

/// A crystal at its worst, 50 ppm, is wrong by 4 s a day: from then on nothing that needs the second should trust the clock.
const TRUSTED_FOR: Duration = Duration::from_secs(86_400);

impl Discipline {
    /// How things are.
    #[must_use]
    pub fn status(&self, now: Moment) -> TimeStatus {
        let fresh = self.synchronised.filter(|last| now.since(last.at) <= TRUSTED_FOR);
        TimeStatus {
            synchronised: fresh.is_some(),
            authenticated: fresh.is_some_and(|last| last.authenticated),
            last_sync: self.synchronised.map(|last| last.at),
            offset: self.synchronised.map(|last| last.offset).unwrap_or_default(),
            frequency: self.crystal_ppm,
            sources: self.sources.iter().map(|source| source.status(now)).collect(),
            reason: self.reason(fresh.is_some()),
        }
    }

    fn reason(&self, synchronised: bool) -> Option<String> {
        let text = match self.problem {
            _ if self.sources.is_empty() => {
                "the clock is not set from the network: that is switched off".to_owned()
            }
            Some(Problem::Nobody) => "no time server answers".to_owned(),
            Some(Problem::NoMajority) => "the time servers contradict each other".to_owned(),
            Some(Problem::Refused(refusal)) => refusal.to_string(),
            None if self.confirming => {
                "the time servers want the clock to jump; they are asked again".to_owned()
            }
            None if synchronised => return None,
            None => "the time servers are being asked".to_owned(),
        };
        Some(text)
    }
}

impl Source {
    fn status(&self, now: Moment) -> SourceStatus {
        let estimate = self.filter.estimate(now);
        SourceStatus {
            name: self.server.name.clone(),
            address: self.address,
            authenticated: self.server.protocol == Protocol::Nts,
            state: self.state(estimate.map_or(0, |estimate| estimate.samples)),
            offset: estimate.map(|estimate| estimate.offset),
            delay: estimate.map(|estimate| estimate.delay),
            stratum: estimate.map(|estimate| estimate.stratum),
        }
    }

    fn state(&self, samples: usize) -> String {
        match (&self.failure, self.role, samples) {
            (Some(why), ..) => why.clone(),
            (None, Role::Used, _) => "used".to_owned(),
            (None, Role::Outranked, _) => "not used: it cannot prove who it is, and others can".to_owned(),
            (None, Role::Contradicting, _) => "not used: it contradicts the others".to_owned(),
            (None, Role::Unused, 0) => "not asked yet".to_owned(),
            (None, Role::Unused, 1..ENOUGH) => "answers; not asked often enough yet".to_owned(),
            (None, Role::Unused, _) => "answers".to_owned(),
        }
    }
}
