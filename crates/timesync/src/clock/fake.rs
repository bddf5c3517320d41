//! A clock for tests. It runs with the machine's, from another time; the machine's own is never set.

use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Instant;

use crate::clock::Certainty;
use crate::clock::ClockError;
use crate::clock::SystemClock;
use crate::time::Span;
use crate::time::Timestamp;

/// The clock. Clones show and set the same one.
#[derive(Clone, Debug)]
pub struct FakeClock {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    /// What it showed then.
    shown: Timestamp,
    then: Instant,
    ppm: f64,
    steps: Vec<Span>,
    marks: Vec<Certainty>,
    refuses: bool,
    unreadable: bool,
}

impl FakeClock {
    /// A clock that shows this now.
    #[must_use]
    pub fn new(shown: Timestamp) -> Self {
        let state = State {
            shown,
            then: Instant::now(),
            ppm: 0.0,
            steps: Vec::new(),
            marks: Vec::new(),
            refuses: false,
            unreadable: false,
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Steps so far.
    #[must_use]
    pub fn steps(&self) -> Vec<Span> {
        self.state().steps.clone()
    }

    /// How often it was said to be right, and how sure.
    #[must_use]
    pub fn marks(&self) -> Vec<Certainty> {
        self.state().marks.clone()
    }

    /// How fast it runs.
    #[must_use]
    pub fn ppm(&self) -> f64 {
        self.state().ppm
    }

    /// From now on it cannot be set, as without the right to.
    pub fn refuse(&self) {
        self.state().refuses = true;
    }

    /// Whether reading it fails from now on.
    pub fn make_unreadable(&self, unreadable: bool) {
        self.state().unreadable = unreadable;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, doing: &'static str, change: impl FnOnce(&mut State)) -> Result<(), ClockError> {
        let mut state = self.state();
        if state.refuses {
            return Err(ClockError { doing, source: io::ErrorKind::PermissionDenied.into() });
        }
        state.settle();
        change(&mut state);
        Ok(())
    }
}

impl State {
    fn settle(&mut self) {
        let passed = self.then.elapsed();
        self.then += passed;
        let gained = Span::from_secs_f64(passed.as_secs_f64() * self.ppm / 1e6);
        self.shown = self.shown + Span::from(passed) + gained;
    }
}

impl SystemClock for FakeClock {
    fn read(&self) -> Result<Timestamp, ClockError> {
        let mut state = self.state();
        if state.unreadable {
            return Err(ClockError { doing: "reading the clock", source: io::ErrorKind::Other.into() });
        }
        state.settle();
        Ok(state.shown)
    }

    fn step(&self, by: Span) -> Result<(), ClockError> {
        self.change("stepping the clock", |state| {
            state.shown = state.shown + by;
            state.steps.push(by);
        })
    }

    fn slew(&self, ppm: f64) -> Result<(), ClockError> {
        self.change("changing the speed of the clock", |state| state.ppm = ppm)
    }

    fn mark_synchronised(&self, certainty: Certainty) -> Result<(), ClockError> {
        self.change("marking the clock as synchronised", |state| state.marks.push(certainty))
    }
}
