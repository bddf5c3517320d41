//! What the wireless link is to do: pure, without clock, bus or file.
//!
//! ```text
//!            radio               seen               joined
//!  Absent ──────▶ Looking ──────────▶ Joining ──────────────▶ Joined
//!                  ▲   │ in vain         │ refused, too late     │ lost
//!                  │   ▼                 ▼                       │
//!                  └─ Beacon (no cable) / Idle (a cable) ◀───────┘ by Looking
//! ```
//! iwd joins networks that it knows by itself; what is joined by order is the *wanted* network, whose password nobody has proved yet. A
//! password that was refused is forgotten: trying it again would only be refused again.

use crate::moment::Moment;
use model::preset::Ssid;
use std::time::Duration;

/// Without a cable for this long, the box offers its own network: links take seconds to come up.
pub const UNPLUGGED: Duration = Duration::from_secs(20);
/// How long known networks are looked for.
pub const LOOK: Duration = Duration::from_secs(30);
/// How long a network that is in reach may take to let the box in.
pub const JOIN: Duration = Duration::from_secs(90);
/// How long a network that was lost is looked for before the box offers its own.
pub const LOST: Duration = Duration::from_secs(120);
/// Pauses between looks in vain, from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(900);
/// How often a password may be refused before it counts as wrong: iwd has one answer for a refused password and for a neighbour that was too
/// slow to take it.
const DOUBTS: u8 = 3;
/// A look ends the box's own network: not while somebody uses it.
const IN_USE: Duration = Duration::from_secs(120);

/// What it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// There is no radio.
    Absent,
    /// Nothing is known, and a cable is in.
    Idle,
    /// Nothing is known, and no cable is in; for how long that may be so.
    Unplugged {
        /// When the box offers its own network.
        until: Moment,
    },
    /// Known and wanted networks are looked for.
    Looking {
        /// When it was in vain.
        until: Moment,
    },
    /// In vain, with a cable: nothing until then.
    Pausing {
        /// When it looks again.
        until: Moment,
    },
    /// The wanted network is being joined.
    Joining {
        /// When it took too long.
        until: Moment,
    },
    /// It is in a network.
    Joined {
        /// Its name.
        ssid: Ssid,
    },
    /// It is a network.
    Beacon {
        /// When known networks are looked for again.
        until: Moment,
    },
}

/// Why a network was not joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It let nobody in with this password.
    Password,
    /// It is protected, and there is no password for it.
    NoPassword,
    /// It is protected in a way that the box does not speak.
    Unsupported,
    /// Not in reach.
    OutOfReach,
    /// It did not answer in time, or something else went wrong.
    Other,
}

/// A network that was not joined, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The network.
    pub ssid: Ssid,
    /// Why.
    pub refusal: Refusal,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// There is a radio.
    RadioCame,
    /// There is none any more.
    RadioGone,
    /// Whether a cable is in.
    Cable(bool),
    /// Whether iwd knows any network.
    Known(bool),
    /// Whether somebody uses the box's own network.
    InUse(bool),
    /// The owner wants to join this network.
    Wish(Ssid),
    /// The owner wants to join no network that is not known.
    NoWish,
    /// A look came to its end; whether the wanted network is in reach.
    Seen(bool),
    /// The link is in this network.
    Joined(Ssid),
    /// The link is in no network.
    Left,
    /// The wanted network was not joined.
    Refused(Refusal),
    /// The box's own network could not be made.
    NoBeacon,
    /// The time of [`Machine::due`] has come.
    Due,
}

/// What is to be done, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Be a station: the box's own network ends.
    Station,
    /// Look which networks are there; [`Event::Seen`] tells.
    Look,
    /// Join the wanted network.
    Join,
    /// Offer the box's own network.
    Beacon,
    /// The wanted network let the box in: iwd has its password now.
    Proved,
    /// The password is wrong: it is forgotten.
    Drop,
}

/// The state with what it depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    state: State,
    has_cable: bool,
    knows: bool,
    in_use: bool,
    current: Option<Ssid>,
    wanted: Option<Ssid>,
    problem: Option<Problem>,
    pause: Duration,
    /// How often the wanted network refused its password.
    refusals: u8,
}

impl Machine {
    /// Without a radio; a network may be wanted from before.
    #[must_use]
    pub const fn new(wanted: Option<Ssid>) -> Self {
        Self {
            state: State::Absent,
            has_cable: false,
            knows: false,
            in_use: false,
            current: None,
            wanted,
            problem: None,
            pause: FIRST_PAUSE,
            refusals: 0,
        }
    }

    /// What it does.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Which network was last not joined, and why.
    #[must_use]
    pub const fn problem(&self) -> Option<&Problem> {
        self.problem.as_ref()
    }

    /// The network that is to be joined by order.
    #[must_use]
    pub const fn wanted(&self) -> Option<&Ssid> {
        self.wanted.as_ref()
    }

    /// When an [`Event::Due`] is wanted.
    #[must_use]
    pub const fn due(&self) -> Option<Moment> {
        match self.state {
            State::Absent | State::Idle | State::Joined { .. } => None,
            State::Unplugged { until }
            | State::Looking { until }
            | State::Pausing { until }
            | State::Joining { until } => Some(until),
            State::Beacon { until } => {
                if self.has_something_to_join() {
                    Some(until)
                } else {
                    None
                }
            }
        }
    }

    const fn has_something_to_join(&self) -> bool {
        self.knows || self.wanted.is_some()
    }

    /// Takes an event and says what is to be done.
    pub fn step(&mut self, event: Event, now: Moment) -> Vec<Effect> {
        match event {
            Event::RadioCame => self.begin(now),
            Event::RadioGone => {
                self.current = None;
                self.go(State::Absent, &[])
            }
            Event::Cable(has_cable) => self.cable(has_cable, now),
            Event::Known(knows) => {
                let before = self.has_something_to_join();
                self.knows = knows;
                self.changed(before, now)
            }
            Event::InUse(in_use) => {
                self.in_use = in_use;
                Vec::new()
            }
            Event::Wish(ssid) => {
                self.wanted = Some(ssid);
                self.refusals = 0;
                self.problem = None;
                self.pause = FIRST_PAUSE;
                if self.state == State::Absent { Vec::new() } else { self.look(now, LOOK) }
            }
            Event::NoWish => {
                let before = self.has_something_to_join();
                self.wanted = None;
                self.problem = None;
                self.changed(before, now)
            }
            Event::Seen(is_there) => self.seen(is_there, now),
            Event::Joined(ssid) => self.joined(ssid),
            Event::Left => {
                self.current = None;
                match self.state {
                    State::Joined { .. } if self.has_something_to_join() => self.look(now, LOST),
                    // It was forgotten.
                    State::Joined { .. } => self.begin(now),
                    State::Absent
                    | State::Idle
                    | State::Unplugged { .. }
                    | State::Looking { .. }
                    | State::Pausing { .. }
                    | State::Joining { .. }
                    | State::Beacon { .. } => Vec::new(),
                }
            }
            Event::Refused(refusal) => match self.state {
                State::Joining { .. } => self.refused(refusal, now),
                State::Absent
                | State::Idle
                | State::Unplugged { .. }
                | State::Looking { .. }
                | State::Pausing { .. }
                | State::Joined { .. }
                | State::Beacon { .. } => Vec::new(),
            },
            Event::NoBeacon => match self.state {
                State::Beacon { .. } => {
                    let until = now + self.next_pause();
                    self.go(State::Unplugged { until }, &[])
                }
                State::Absent
                | State::Idle
                | State::Unplugged { .. }
                | State::Looking { .. }
                | State::Pausing { .. }
                | State::Joining { .. }
                | State::Joined { .. } => Vec::new(),
            },
            Event::Due => self.time_is_up(now),
        }
    }

    fn go(&mut self, state: State, effects: &[Effect]) -> Vec<Effect> {
        self.state = state;
        effects.to_vec()
    }

    fn begin(&mut self, now: Moment) -> Vec<Effect> {
        if self.has_something_to_join() {
            self.look(now, LOOK)
        } else if self.has_cable {
            self.go(State::Idle, &[Effect::Station])
        } else {
            self.go(State::Unplugged { until: now + UNPLUGGED }, &[Effect::Station])
        }
    }

    fn look(&mut self, now: Moment, patience: Duration) -> Vec<Effect> {
        self.go(State::Looking { until: now + patience }, &[Effect::Station, Effect::Look])
    }

    /// Nothing was joined: with a cable there is no hurry, without one somebody may be waiting for a way in.
    fn give_up(&mut self, now: Moment) -> Vec<Effect> {
        if let Some(ssid) = self.current.clone() {
            return self.go(State::Joined { ssid }, &[]);
        }
        let until = now + self.next_pause();
        if !self.has_cable {
            self.go(State::Beacon { until }, &[Effect::Beacon])
        } else if self.has_something_to_join() {
            self.go(State::Pausing { until }, &[])
        } else {
            self.go(State::Idle, &[])
        }
    }

    fn next_pause(&mut self) -> Duration {
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        pause
    }

    fn cable(&mut self, has_cable: bool, now: Moment) -> Vec<Effect> {
        let changed = self.has_cable != has_cable;
        self.has_cable = has_cable;
        match self.state {
            State::Beacon { .. } | State::Unplugged { .. } if changed && has_cable => self.begin(now),
            State::Idle | State::Pausing { .. } if changed && !has_cable => {
                self.go(State::Unplugged { until: now + UNPLUGGED }, &[])
            }
            State::Absent
            | State::Idle
            | State::Unplugged { .. }
            | State::Looking { .. }
            | State::Pausing { .. }
            | State::Joining { .. }
            | State::Joined { .. }
            | State::Beacon { .. } => Vec::new(),
        }
    }

    /// What there is to join became something or nothing.
    fn changed(&mut self, before: bool, now: Moment) -> Vec<Effect> {
        match (before, self.has_something_to_join(), &self.state) {
            (false, true, State::Idle | State::Unplugged { .. }) => self.look(now, LOOK),
            (true, false, State::Looking { .. } | State::Joining { .. } | State::Pausing { .. }) => {
                self.begin(now)
            }
            _ => Vec::new(),
        }
    }

    fn seen(&mut self, is_there: bool, now: Moment) -> Vec<Effect> {
        let State::Looking { .. } = self.state else { return Vec::new() };
        match &self.wanted {
            Some(_) if is_there => self.go(State::Joining { until: now + JOIN }, &[Effect::Join]),
            // Another one may still let the box in: iwd goes on by itself until the time is up.
            Some(ssid) => {
                self.problem = Some(Problem { ssid: ssid.clone(), refusal: Refusal::OutOfReach });
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    fn joined(&mut self, ssid: Ssid) -> Vec<Effect> {
        match self.state {
            // News from before it became a network itself.
            State::Absent | State::Beacon { .. } => Vec::new(),
            State::Idle
            | State::Unplugged { .. }
            | State::Looking { .. }
            | State::Pausing { .. }
            | State::Joining { .. }
            | State::Joined { .. } => {
                self.pause = FIRST_PAUSE;
                self.current = Some(ssid.clone());
                let is_wanted = self.wanted.as_ref() == Some(&ssid);
                // iwd may be in another known network while the wanted one is being looked for: that is not the end of it.
                if self.wanted.is_some() && !is_wanted {
                    return Vec::new();
                }
                self.problem = None;
                self.wanted = None;
                let effects: &[Effect] = if is_wanted { &[Effect::Proved] } else { &[] };
                self.go(State::Joined { ssid }, effects)
            }
        }
    }

    fn refused(&mut self, refusal: Refusal, now: Moment) -> Vec<Effect> {
        let Some(ssid) = self.wanted.clone() else { return self.give_up(now) };
        if refusal == Refusal::Password {
            self.refusals = self.refusals.saturating_add(1);
            if self.refusals < DOUBTS {
                return self.look(now, LOOK);
            }
        }
        self.problem = Some(Problem { ssid, refusal });
        let mut effects = Vec::new();
        match refusal {
            Refusal::Password | Refusal::NoPassword | Refusal::Unsupported => {
                self.wanted = None;
                effects.push(Effect::Drop);
            }
            Refusal::OutOfReach | Refusal::Other => {}
        }
        // A box that had a way in before goes back there; another one has somebody waiting who just typed the password.
        effects.extend(if self.knows { self.look(now, LOOK) } else { self.give_up(now) });
        effects
    }

    fn time_is_up(&mut self, now: Moment) -> Vec<Effect> {
        match self.state {
            State::Absent | State::Idle | State::Joined { .. } => Vec::new(),
            State::Joining { .. } => self.refused(Refusal::Other, now),
            State::Unplugged { .. } | State::Looking { .. } => self.give_up(now),
            State::Pausing { .. } => self.look(now, LOOK),
            State::Beacon { .. } if self.in_use => self.go(State::Beacon { until: now + IN_USE }, &[]),
            State::Beacon { .. } if self.has_something_to_join() => self.look(now, LOOK),
            State::Beacon { .. } => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
