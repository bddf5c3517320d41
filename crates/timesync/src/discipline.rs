//! The machine that keeps the clock: no sockets, no clock; time and randomness come in with each event.
//!
//! ```text
//! Timer ─> ask every server ─> Answered … Answered ─> select ─> decide ─> slew │ step │ refuse ─> wait ─> Timer
//! ```
//!
//! Servers are asked in rounds, and only when all have answered or failed is anything decided: no server wins by being
//! first. Before the clock is set, rounds follow each other in 2 s until three measurements are there; then in 64 s to
//! 1,024 s. Offsets of old measurements follow what is done to the clock ([`Discipline::settle`]), so that nothing measured
//! is lost by a slew or a step.

mod rounds;
mod source;
mod status;

use std::net::IpAddr;
use std::time::Duration;

use crate::clock::Certainty;
use crate::clock::Started;
use crate::discipline::rounds::Outlook;
use crate::discipline::rounds::Rounds;
use crate::discipline::source::Role;
use crate::discipline::source::Source;
use crate::estimate::Estimator;
use crate::last_known::LastKnown;
use crate::nts::certificate::Dates;
use crate::reply::Sample;
use crate::select::Agreement;
use crate::select::Candidate;
use crate::select::Disagreement;
use crate::select::select;
use crate::settings::Server;
use crate::steps::Refusal;
use crate::steps::Situation;
use crate::steps::Standing;
use crate::steps::Verdict;
use crate::steps::decide;
use crate::time::Moment;
use crate::time::Span;
use crate::time::Timestamp;

/// The kernel's limit (`MAXFREQ`, include/linux/timex.h), in ppm.
const MOST_PPM: f64 = 500.0;
/// Of these at most so much for the crystal, so that 200 ppm are always left for slewing.
const MOST_CRYSTAL_PPM: f64 = 300.0;
/// A slew takes no less; a packet that was late moves the clock slowly and is found out meanwhile.
const SHORTEST_SLEW: Duration = Duration::from_secs(8);
/// Offsets below it are no reason to ask more often.
const NOISE: Span = Span::from_millis(1);
/// How seldom the time is written down: SD cards wear.
const SAVE_EVERY: Duration = Duration::from_secs(3_600);

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The moment of [`Discipline::wake_at`] came.
    Timer,
    /// These are the servers now.
    Servers(Vec<Server>),
    /// A server was asked, and this came of it.
    Answered {
        /// Its place in the list.
        source: usize,
        /// Its address, if it got that far.
        address: Option<IpAddr>,
        /// What came.
        outcome: Outcome,
    },
    /// The network came or changed: what was out of reach may be there.
    NetworkChanged,
}

/// What comes of asking a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A measurement.
    Measured(Sample),
    /// None.
    Failed {
        /// Why, in plain words.
        why: String,
        /// What follows for the next rounds.
        pause: Pause,
    },
}

/// How long a server that failed is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// Until the next round.
    None,
    /// It wants to be asked less often: twice the time it was left alone before, and it stays so (RFC 5905 section 7.4, RATE).
    Slower,
    /// It does not want to be asked: a day (RFC 5905 section 7.4, DENY and RSTR).
    Long,
    /// The key exchange failed, which is work for the server: ever longer (RFC 8915 section 4.2).
    Growing,
}

/// What must be done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Effect {
    /// Ask the server at this place; [`Event::Answered`] has to follow, in whatever way it ends.
    Ask {
        /// Its place in the list.
        source: usize,
        /// Whose dates count in certificates.
        dates: Dates,
    },
    /// Move the clock ahead.
    Step(Span),
    /// Let the clock run faster by so many ppm.
    Slew(f64),
    /// The clock is right.
    MarkSynchronised(Certainty),
    /// Keep this over a reboot.
    Save(LastKnown),
}

/// What the world adds to an event.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances {
    /// When it happened.
    pub now: Moment,
    /// What the clock shows.
    pub shown: Timestamp,
    /// Fresh random bits.
    pub random: u64,
}

/// The machine.
#[derive(Debug)]
pub struct Discipline {
    built: Timestamp,
    last_known: Option<LastKnown>,
    standing: Standing,
    sources: Vec<Source>,
    rounds: Rounds,
    estimator: Estimator,
    /// By how much the clock runs faster to make up for its crystal, in ppm.
    crystal_ppm: f64,
    slew: Option<Slew>,
    /// Up to when the estimator and the measurements are brought.
    settled: Moment,
    synchronised: Option<Synchronised>,
    problem: Option<Problem>,
    /// The last round wanted a step; the clock was set before, so another one has to want it too.
    confirming: bool,
    saved: Option<Moment>,
}

/// A clock that runs faster or slower for a while.
#[derive(Clone, Copy, Debug)]
struct Slew {
    ppm: f64,
    until: Moment,
}

/// The last time the servers agreed and were believed.
#[derive(Clone, Copy, Debug)]
struct Synchronised {
    at: Moment,
    offset: Span,
    authenticated: bool,
}

/// Why the last round moved nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Problem {
    Nobody,
    NoMajority,
    Refused(Refusal),
}

impl Discipline {
    /// A machine without servers.
    #[must_use]
    pub fn new(started: &Started) -> Self {
        let crystal_ppm = started.last_known.map(|known| known.frequency_ppm);
        Self {
            built: started.built,
            last_known: started.last_known,
            standing: started.standing,
            sources: Vec::new(),
            rounds: Rounds::default(),
            estimator: Estimator::new(crystal_ppm.is_some()),
            crystal_ppm: crystal_ppm.unwrap_or_default().clamp(-MOST_CRYSTAL_PPM, MOST_CRYSTAL_PPM),
            slew: None,
            settled: Moment::default(),
            synchronised: None,
            problem: None,
            confirming: false,
            saved: None,
        }
    }

    /// By how much the clock must run faster when nothing is being slewed, in ppm.
    #[must_use]
    pub fn crystal_ppm(&self) -> f64 {
        self.crystal_ppm
    }

    /// Whether the clock was set from the network since the start.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.standing == Standing::Set
    }

    /// When [`Event::Timer`] is due; none while answers are awaited and nothing is being slewed, or without servers.
    #[must_use]
    pub fn wake_at(&self) -> Option<Moment> {
        let round = (!self.sources.is_empty() && !self.is_waiting()).then(|| self.rounds.next());
        [round, self.slew.map(|slew| slew.until)].into_iter().flatten().min()
    }

    /// What to keep over a reboot; none before the clock was set.
    #[must_use]
    pub fn to_save(&self, shown: Timestamp) -> Option<LastKnown> {
        let synchronised = self.synchronised?;
        let proved = self.last_known.and_then(|known| known.proved).filter(|proved| *proved <= shown);
        let proved = if synchronised.authenticated { Some(shown) } else { proved };
        Some(LastKnown { time: shown, proved, frequency_ppm: self.crystal_ppm })
    }

    /// Takes an event in; what follows from it has to be done in this order.
    pub fn step(&mut self, event: Event, around: Circumstances) -> Vec<Effect> {
        let mut effects = self.settle(around.now);
        match event {
            Event::Timer => self.begin_round(around, &mut effects),
            Event::Servers(servers) => {
                self.sources = servers.into_iter().map(Source::new).collect();
                self.problem = None;
                self.rounds.restart(around.now);
            }
            Event::NetworkChanged if self.is_set() => self.rounds.hurry(around.now),
            Event::NetworkChanged => self.rounds.restart(around.now),
            Event::Answered { source, address, outcome } => {
                if let Some(source) = self.sources.get_mut(source) {
                    source.take(address, outcome, around.now);
                    if !self.is_waiting() {
                        self.end_round(around, &mut effects);
                    }
                }
            }
        }
        effects
    }

    fn is_waiting(&self) -> bool {
        self.sources.iter().any(|source| source.asked)
    }

    /// Brings everything measured to the present: part of a slew may be over.
    fn settle(&mut self, now: Moment) -> Vec<Effect> {
        self.estimator.pass(now.since(self.settled).as_secs_f64());
        let mut effects = Vec::new();
        if let Some(slew) = self.slew {
            let seconds = now.min(slew.until).since(self.settled).as_secs_f64();
            self.moved(Span::from_secs_f64(seconds * slew.ppm / 1e6));
            if now >= slew.until {
                self.slew = None;
                effects.push(Effect::Slew(self.crystal_ppm));
            }
        }
        self.settled = now;
        effects
    }

    fn moved(&mut self, by: Span) {
        self.estimator.moved(by);
        for source in &mut self.sources {
            source.filter.shift(by);
        }
    }

    fn begin_round(&mut self, around: Circumstances, effects: &mut Vec<Effect>) {
        if self.is_waiting() || around.now < self.rounds.next() {
            return;
        }
        let dates = self.dates(around.shown);
        for (place, source) in self.sources.iter_mut().enumerate() {
            if source.ask(around.now) {
                effects.push(Effect::Ask { source: place, dates });
            }
        }
        if !self.is_waiting() {
            // All are left alone; look again when a round would be due.
            self.end_round(around, effects);
        }
    }

    fn dates(&self, shown: Timestamp) -> Dates {
        if self.synchronised.is_some_and(|synchronised| synchronised.authenticated) {
            return Dates::Known(shown);
        }
        let proved = self.last_known.and_then(|known| known.proved);
        Dates::Doubtful { shown, past: proved.map_or(self.built, |proved| proved.max(self.built)) }
    }

    fn end_round(&mut self, around: Circumstances, effects: &mut Vec<Effect>) {
        let outlook = self.evaluate(around, effects);
        self.rounds.plan(outlook, around.now, around.random);
    }

    fn evaluate(&mut self, around: Circumstances, effects: &mut Vec<Effect>) -> Outlook {
        let candidates: Vec<Candidate> = self
            .sources
            .iter()
            .enumerate()
            .filter_map(|(place, source)| source.candidate(place, around.now))
            .collect();
        // One server that was found late, or jumped, does not hold up a clock that is right.
        let is_held_up = !self.is_set() || candidates.is_empty();
        if is_held_up && self.sources.iter().any(|source| source.is_gathering(around.now)) {
            return Outlook::Gathering;
        }
        let agreement = match select(&candidates) {
            Ok(agreement) => agreement,
            Err(disagreement) => return self.nothing_decided(&candidates, disagreement),
        };
        self.assign_roles(&candidates, &agreement);
        let verdict = decide(&Situation {
            now: around.shown,
            offset: agreement.offset,
            built: self.built,
            last_known: self.last_known.map(|known| known.time),
            standing: self.standing,
            witnesses: agreement.witnesses,
            authenticated: agreement.authenticated,
        });
        match verdict {
            Verdict::Refuse(refusal) => {
                self.problem = Some(Problem::Refused(refusal));
                self.confirming = false;
                Outlook::Refused
            }
            // A server may be wrong for a moment, while it is being started or stepped itself.
            Verdict::Step if self.is_set() && !self.confirming => {
                self.confirming = true;
                Outlook::Confirming
            }
            Verdict::Step | Verdict::Slew => self.follow(&agreement, verdict, around, effects),
        }
    }

    fn nothing_decided(&mut self, candidates: &[Candidate], disagreement: Disagreement) -> Outlook {
        self.confirming = false;
        let (problem, role, outlook) = match disagreement {
            Disagreement::Nobody => (Problem::Nobody, Role::Unused, Outlook::Nobody),
            Disagreement::NoMajority => (Problem::NoMajority, Role::Contradicting, Outlook::Refused),
        };
        self.problem = Some(problem);
        for candidate in candidates {
            self.sources[candidate.source].role = role;
        }
        outlook
    }

    fn assign_roles(&mut self, candidates: &[Candidate], agreement: &Agreement) {
        for candidate in candidates {
            self.sources[candidate.source].role = if agreement.members.contains(&candidate.source) {
                Role::Used
            } else if candidate.authenticated != agreement.authenticated {
                Role::Outranked
            } else {
                Role::Contradicting
            };
        }
    }

    /// Does what the servers say.
    fn follow(
        &mut self,
        agreement: &Agreement,
        verdict: Verdict,
        around: Circumstances,
        effects: &mut Vec<Effect>,
    ) -> Outlook {
        let first = !self.is_set();
        if verdict == Verdict::Step {
            effects.push(Effect::Step(agreement.offset));
            self.moved(agreement.offset);
            self.estimator.stepped();
            self.slew = None;
            effects.push(Effect::Slew(self.crystal_ppm));
        } else {
            self.steer(agreement, around.now, effects);
        }
        self.standing = Standing::Set;
        self.problem = None;
        self.confirming = false;
        self.synchronised = Some(Synchronised {
            at: around.now,
            offset: agreement.offset,
            authenticated: agreement.authenticated,
        });
        effects.push(Effect::MarkSynchronised(Certainty {
            error: self.estimator.deviation().min(agreement.distance),
            largest_error: agreement.distance.plus(self.remaining(agreement, verdict)),
        }));
        let shown = if verdict == Verdict::Step { around.shown + agreement.offset } else { around.shown };
        let backwards = self.last_known.is_some_and(|known| shown < known.time);
        let due = self.saved.is_none_or(|saved| around.now.since(saved) >= SAVE_EVERY);
        if due || (backwards && verdict == Verdict::Step) {
            self.save(shown, around.now, effects);
        }
        if first || verdict == Verdict::Step {
            return Outlook::Settling;
        }
        let noise = agreement.jitter.plus(agreement.delay.half().half()).max(NOISE);
        if agreement.offset.abs() <= noise { Outlook::Calm } else { Outlook::Moving }
    }

    fn save(&mut self, shown: Timestamp, now: Moment, effects: &mut Vec<Effect>) {
        self.last_known = self.to_save(shown);
        self.saved = Some(now);
        effects.extend(self.last_known.map(Effect::Save));
    }

    fn remaining(&self, agreement: &Agreement, verdict: Verdict) -> Span {
        if verdict == Verdict::Step { Span::ZERO } else { agreement.offset.abs() }
    }

    /// Corrects the speed for good and the offset by and by.
    fn steer(&mut self, agreement: &Agreement, now: Moment, effects: &mut Vec<Effect>) {
        self.estimator.measure(agreement.offset, agreement.jitter, agreement.delay);
        let wanted = self.crystal_ppm + self.estimator.frequency() * 1e6;
        let crystal_ppm = wanted.clamp(-MOST_CRYSTAL_PPM, MOST_CRYSTAL_PPM);
        self.estimator.sped_up((crystal_ppm - self.crystal_ppm) / 1e6);
        self.crystal_ppm = crystal_ppm;
        let offset = self.estimator.offset().as_secs_f64();
        let left_ppm = MOST_PPM - crystal_ppm.abs();
        let unhurried = self.rounds.poll().div_f64(4.0).max(SHORTEST_SLEW).as_secs_f64();
        let seconds = unhurried.max(offset.abs() * 1e6 / left_ppm);
        let ppm = offset * 1e6 / seconds;
        self.slew = Some(Slew { ppm, until: now + Duration::from_secs_f64(seconds) });
        effects.push(Effect::Slew(crystal_ppm + ppm));
    }
}

#[cfg(test)]
mod tests;
