//! True time, a clock, a network and servers; nothing here waits.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::clock::Started;
use crate::discipline::Circumstances;
use crate::discipline::Discipline;
use crate::discipline::Effect;
use crate::discipline::Event;
use crate::discipline::Outcome;
use crate::discipline::Pause;
use crate::last_known::LastKnown;
use crate::reply::Sample;
use crate::settings::Origin;
use crate::settings::Protocol;
use crate::settings::Server;
use crate::status::TimeStatus;
use crate::steps::Standing;
use crate::time::Moment;
use crate::time::Span;
use crate::time::Timestamp;

/// 1 January 2026.
pub(super) const BUILT: Timestamp = Timestamp::from_secs(1_767_225_600);

/// The way to every server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Network {
    /// There and back.
    pub(super) delay: Span,
    /// At most so much more, one way, at random.
    pub(super) jitter: Span,
}

/// What a server does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Behaviour {
    pub(super) protocol: Protocol,
    pub(super) origin: Origin,
    pub(super) lie: Span,
    pub(super) loss_percent: u64,
    pub(super) kiss: Option<Pause>,
}

impl Behaviour {
    pub(super) fn honest(protocol: Protocol) -> Self {
        Self { protocol, origin: Origin::Chosen, lie: Span::ZERO, loss_percent: 0, kiss: None }
    }

    pub(super) fn silent(protocol: Protocol) -> Self {
        Self { loss_percent: 100, ..Self::honest(protocol) }
    }
}

/// The world.
pub(super) struct World {
    pub(super) machine: Discipline,
    pub(super) servers: Vec<Behaviour>,
    pub(super) truth: Timestamp,
    pub(super) steps: Vec<Span>,
    pub(super) ppm_set: Vec<f64>,
    pub(super) saved: Vec<LastKnown>,
    pub(super) questions: usize,
    pub(super) asked: Vec<usize>,
    network: Network,
    now: Moment,
    /// How far the clock is ahead of the truth, in seconds; whole years apart, so that nothing is lost to rounding.
    ahead: Span,
    crystal_ppm: f64,
    ppm: f64,
    random: u64,
}

impl World {
    /// Five years after the build, with a clock that is `ahead` and whose crystal is fast by so many ppm. A clock that is
    /// behind by years stands there because nobody knew better.
    pub(super) fn new(network: Network, ahead: Span, crystal_ppm: f64, servers: &[Behaviour]) -> Self {
        let truth = BUILT + Span::from_secs(5 * 365 * 86_400);
        let implausible = ahead < Span::from_secs(-86_400);
        let started = Started {
            built: BUILT,
            last_known: implausible.then_some(LastKnown {
                time: truth + ahead,
                proved: None,
                frequency_ppm: 0.0,
            }),
            standing: if implausible { Standing::Implausible } else { Standing::Plausible },
        };
        let mut world = Self {
            machine: Discipline::new(&started),
            servers: servers.to_vec(),
            truth,
            steps: Vec::new(),
            ppm_set: Vec::new(),
            saved: Vec::new(),
            questions: 0,
            asked: vec![0; servers.len()],
            network,
            now: Moment::default(),
            ahead,
            crystal_ppm,
            ppm: 0.0,
            random: 42,
        };
        let list = servers.iter().enumerate().map(|(place, server)| Server {
            name: place.to_string(),
            protocol: server.protocol,
            port: None,
            origin: server.origin,
        });
        world.event(Event::Servers(list.collect()));
        world
    }

    /// Lets so many seconds pass.
    pub(super) fn run(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        while let Some(wake) = self.machine.wake_at().filter(|wake| *wake <= end) {
            self.pass(wake);
            self.event(Event::Timer);
        }
        self.pass(end);
    }

    pub(super) fn event(&mut self, event: Event) {
        let around = Circumstances { now: self.now, shown: self.shown(), random: self.random() };
        let effects = self.machine.step(event, around);
        let mut asked = Vec::new();
        for effect in effects {
            match effect {
                Effect::Ask { source, .. } => asked.push(source),
                Effect::Step(by) => {
                    self.steps.push(by);
                    self.ahead = self.ahead.plus(by);
                }
                Effect::Slew(ppm) => {
                    self.ppm_set.push(ppm);
                    self.ppm = ppm;
                }
                Effect::MarkSynchronised(certainty) => assert!(certainty.largest_error >= certainty.error),
                Effect::Save(known) => self.saved.push(known),
            }
        }
        for source in asked {
            self.questions += 1;
            if let Some(count) = self.asked.get_mut(source) {
                *count += 1;
            }
            let outcome = self.answer(source);
            let last = u8::try_from(source).unwrap();
            let address = Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)));
            self.event(Event::Answered { source, address, outcome });
        }
    }

    /// Somebody else sets the clock.
    pub(super) fn disturb(&mut self, by: Span) {
        self.ahead = self.ahead.plus(by);
    }

    pub(super) fn error(&self) -> Span {
        self.ahead.abs()
    }

    pub(super) fn shown(&self) -> Timestamp {
        self.truth + self.ahead
    }

    pub(super) fn status(&self) -> TimeStatus {
        self.machine.status(self.now)
    }

    fn pass(&mut self, until: Moment) {
        let passed = until.since(self.now);
        self.truth = self.truth + Span::from(passed);
        let gained = passed.as_secs_f64() * (self.crystal_ppm + self.ppm) / 1e6;
        self.ahead = self.ahead.plus(Span::from_secs_f64(gained));
        self.now = self.now + passed;
    }

    fn answer(&mut self, source: usize) -> Outcome {
        let server = self.servers[source];
        if let Some(pause) = server.kiss {
            return Outcome::Failed { why: "it does not want to".to_owned(), pause };
        }
        if self.random() % 100 < server.loss_percent {
            return Outcome::Failed { why: "it does not answer".to_owned(), pause: Pause::None };
        }
        let mut wait = || {
            let part = self.random() % 1_000;
            // Mostly nothing, seldom all of it.
            let part = i64::try_from(part * part * part / 1_000_000).unwrap();
            Span::from_nanos(self.network.jitter.nanos() / 1_000 * part)
        };
        let (there, back) = (wait(), wait());
        let asymmetry = there.minus(back).half();
        Outcome::Measured(Sample {
            offset: Span::ZERO.minus(self.ahead).plus(server.lie).plus(asymmetry),
            delay: self.network.delay.plus(there).plus(back),
            root_distance: Span::from_millis(2),
            stratum: 2,
        })
    }

    /// xorshift64: the same world every time.
    fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}
