//! Life of one service: pure, without clock, process or file.
//!
//! ```text
//!            go             ready
//!  Waiting ──────▶ Starting ──────▶ Ready          stop: any ─▶ Stopping ─▶ Stopped
//!                  ▲  │ ended          │ ended     (with a restart asked for: Stopping ─▶ Starting)
//!         due time │  ▼                ▼
//!                 Backoff / Degraded ◀─┘
//! ```
//! A hold stops it likewise and leads back to Waiting. Times are durations since boot, handed in. [`Machine::due`] says when the next
//! [`Event::Due`] is wanted.

use std::collections::VecDeque;
use std::time::Duration;

use model::report::ServiceState;

/// First pause after a failure.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Longest pause between tries of a service that is not given up on.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Time of being up after which the pauses start small again.
const UP_LONG_ENOUGH: Duration = Duration::from_secs(60);
/// More than this many failures within [`FAILURE_WINDOW`] make a service degraded.
const FAILURES_TOLERATED: usize = 10;
const FAILURE_WINDOW: Duration = Duration::from_secs(300);
/// Pause between tries of a degraded service.
const DEGRADED_PAUSE: Duration = Duration::from_secs(60);
/// Time between SIGTERM and the end.
const STOP_PATIENCE: Duration = Duration::from_secs(10);
/// Time between the kill of the cgroup and giving up on seeing its end.
const KILL_PATIENCE: Duration = Duration::from_secs(5);

/// Limits of one service that its machine needs.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Time from start to `READY=1`.
    pub ready_within: Duration,
    /// Longest silence after the first `WATCHDOG=1`.
    pub watchdog: Duration,
}

/// Where the service stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Waits for its turn.
    Waiting,
    /// A process runs and has not said that it is ready.
    Starting {
        /// When it started.
        since: Duration,
    },
    /// Ready.
    Ready {
        /// When it started.
        since: Duration,
        /// Until when it must speak again, once it spoke of a watchdog.
        silent_until: Option<Duration>,
    },
    /// Killed by init because it was late or silent; its end counts as a failure.
    Killing {
        /// When it started.
        since: Duration,
        /// When to try again to kill it.
        again: Duration,
    },
    /// Failed, tried again at that time.
    Backoff {
        /// When.
        until: Duration,
    },
    /// Keeps failing, tried again at that time.
    Degraded {
        /// When.
        until: Duration,
    },
    /// Asked to stop.
    Stopping {
        /// When patience ends.
        until: Duration,
        /// Whether its cgroup was killed already.
        killed: bool,
        /// What comes after.
        then: Then,
    },
    /// Stopped for good.
    Stopped,
}

/// What follows a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Nothing: the box goes down.
    Stay,
    /// A new start: somebody asked for a restart.
    Start,
    /// It waits for its turn: what it works on is being changed under it.
    Wait,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// What it waits for has happened.
    Go,
    /// It sent `READY=1`.
    Ready,
    /// It sent `WATCHDOG=1`.
    Alive,
    /// Its process ended, or could not be started; with the reason in plain words.
    Ended {
        /// Such as "exited with status 1".
        how: String,
    },
    /// The time of [`Machine::due`] has come.
    Due,
    /// The box goes down.
    Stop,
    /// Somebody asked for a restart.
    Restart,
    /// It must not run until its next [`Event::Go`].
    Hold,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Start the program.
    Start,
    /// Send SIGTERM to its main process.
    Terminate,
    /// Kill everything in its cgroup.
    Kill,
}

/// A service's state and history.
#[derive(Clone, Debug)]
pub struct Machine {
    rules: Rules,
    state: State,
    pause: Duration,
    failures: VecDeque<Duration>,
    starts: u32,
    degraded: bool,
    reason: Option<String>,
}

impl Machine {
    /// A service that was not started yet.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            state: State::Waiting,
            pause: FIRST_PAUSE,
            failures: VecDeque::new(),
            starts: 0,
            degraded: false,
            reason: None,
        }
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Where it stands, in the report's words.
    #[must_use]
    pub fn report_state(&self) -> ServiceState {
        match self.state {
            State::Waiting => ServiceState::Waiting,
            State::Starting { .. } if self.degraded => ServiceState::Degraded,
            State::Starting { .. } => ServiceState::Starting,
            State::Ready { .. } => ServiceState::Ready,
            State::Killing { .. } | State::Stopping { .. } => ServiceState::Stopping,
            State::Backoff { .. } => ServiceState::Backoff,
            State::Degraded { .. } => ServiceState::Degraded,
            State::Stopped => ServiceState::Stopped,
        }
    }

    /// Why it is not ready.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// How often it was started again.
    #[must_use]
    pub fn restarts(&self) -> u32 {
        self.starts.saturating_sub(1)
    }

    /// Whether a service that is ordered after this one may start: it is ready, or has had its chance.
    #[must_use]
    pub fn had_its_chance(&self) -> bool {
        !matches!(self.state, State::Waiting | State::Starting { .. })
    }

    /// When an [`Event::Due`] is wanted.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        match self.state {
            State::Waiting | State::Stopped => None,
            State::Starting { since } => Some(since + self.rules.ready_within),
            State::Ready { silent_until, .. } => silent_until,
            State::Killing { again, .. } => Some(again),
            State::Backoff { until } | State::Degraded { until } | State::Stopping { until, .. } => {
                Some(until)
            }
        }
    }

    /// Takes an event at a time and says what is to be done. Events that mean nothing in a state change nothing: a
    /// datagram may well arrive after its sender's end.
    pub fn step(&mut self, event: Event, now: Duration) -> Vec<Effect> {
        match (self.state, event) {
            (State::Waiting, Event::Go | Event::Restart) => self.start(now),
            (State::Waiting, Event::Stop) => self.stay_stopped(),

            (State::Starting { since }, Event::Ready) => {
                self.reason = None;
                self.degraded = false;
                self.go(State::Ready { since, silent_until: None })
            }
            (State::Ready { since, .. }, Event::Alive) => {
                self.go(State::Ready { since, silent_until: Some(now + self.rules.watchdog) })
            }
            (State::Starting { since }, Event::Due) => self.kill_late(
                since,
                now,
                format!("was not ready within {} s", self.rules.ready_within.as_secs()),
            ),
            (State::Ready { since, silent_until: Some(_) }, Event::Due) => {
                self.kill_late(since, now, format!("was silent for {} s", self.rules.watchdog.as_secs()))
            }
            (State::Killing { since, .. }, Event::Due) => {
                self.state = State::Killing { since, again: now + KILL_PATIENCE };
                vec![Effect::Kill]
            }

            (State::Starting { since } | State::Ready { since, .. }, Event::Ended { how }) => {
                self.reason = Some(how);
                self.fail(since, now)
            }
            // The reason is why it was killed, not that it was.
            (State::Killing { since, .. }, Event::Ended { .. }) => self.fail(since, now),

            (State::Backoff { .. } | State::Degraded { .. }, Event::Due | Event::Restart) => self.start(now),
            (State::Backoff { .. } | State::Degraded { .. }, Event::Stop) => self.stay_stopped(),

            (State::Starting { .. } | State::Ready { .. }, Event::Stop) => self.terminate(now, Then::Stay),
            (State::Starting { .. } | State::Ready { .. }, Event::Restart) => {
                self.terminate(now, Then::Start)
            }
            (State::Starting { .. } | State::Ready { .. }, Event::Hold) => self.terminate(now, Then::Wait),
            (State::Killing { .. }, Event::Hold) => self.keep_killing(now, Then::Wait),
            (State::Backoff { .. } | State::Degraded { .. }, Event::Hold)
            | (State::Stopping { then: Then::Wait, .. }, Event::Ended { .. }) => self.go(State::Waiting),
            (State::Stopping { until, killed, then: Then::Start }, Event::Hold) => {
                self.go(State::Stopping { until, killed, then: Then::Wait })
            }
            (State::Killing { .. }, Event::Stop) => self.keep_killing(now, Then::Stay),
            (State::Killing { .. }, Event::Restart) => self.keep_killing(now, Then::Start),
            // The box going down wins over a restart; a restart never wins over that.
            (State::Stopping { until, killed, .. }, Event::Stop) => {
                self.go(State::Stopping { until, killed, then: Then::Stay })
            }
            (State::Stopping { killed: false, then, .. }, Event::Due) => {
                self.state = State::Stopping { until: now + KILL_PATIENCE, killed: true, then };
                vec![Effect::Kill]
            }
            (State::Stopping { killed: true, then, .. }, Event::Due) => match then {
                // What even SIGKILL does not end hangs in the kernel; the box goes down without waiting for it.
                Then::Stay => self.stay_stopped(),
                Then::Start | Then::Wait => {
                    self.state = State::Stopping { until: now + KILL_PATIENCE, killed: true, then };
                    vec![Effect::Kill]
                }
            },
            (State::Stopping { then: Then::Stay, .. }, Event::Ended { .. }) => self.stay_stopped(),
            (State::Stopping { then: Then::Start, .. }, Event::Ended { .. }) => {
                self.pause = FIRST_PAUSE;
                self.start(now)
            }

            (
                State::Waiting,
                Event::Ready | Event::Alive | Event::Ended { .. } | Event::Due | Event::Hold,
            )
            | (State::Starting { .. }, Event::Go | Event::Alive)
            | (State::Ready { .. }, Event::Go | Event::Ready)
            | (State::Ready { silent_until: None, .. }, Event::Due)
            | (State::Killing { .. }, Event::Go | Event::Ready | Event::Alive)
            | (
                State::Backoff { .. } | State::Degraded { .. },
                Event::Go | Event::Ready | Event::Alive | Event::Ended { .. },
            )
            | (State::Stopping { .. }, Event::Go | Event::Ready | Event::Alive | Event::Restart)
            | (State::Stopping { then: Then::Stay | Then::Wait, .. }, Event::Hold)
            | (State::Stopped, _) => Vec::new(),
        }
    }

    fn go(&mut self, state: State) -> Vec<Effect> {
        self.state = state;
        Vec::new()
    }

    fn start(&mut self, now: Duration) -> Vec<Effect> {
        self.state = State::Starting { since: now };
        self.starts = self.starts.saturating_add(1);
        vec![Effect::Start]
    }

    fn stay_stopped(&mut self) -> Vec<Effect> {
        self.reason = None;
        self.go(State::Stopped)
    }

    fn terminate(&mut self, now: Duration, then: Then) -> Vec<Effect> {
        self.state = State::Stopping { until: now + STOP_PATIENCE, killed: false, then };
        vec![Effect::Terminate]
    }

    fn keep_killing(&mut self, now: Duration, then: Then) -> Vec<Effect> {
        self.state = State::Stopping { until: now + KILL_PATIENCE, killed: true, then };
        vec![Effect::Kill]
    }

    fn kill_late(&mut self, since: Duration, now: Duration, reason: String) -> Vec<Effect> {
        self.reason = Some(reason);
        self.state = State::Killing { since, again: now + KILL_PATIENCE };
        vec![Effect::Kill]
    }

    /// What its end leaves behind is killed too, so that the next start finds sockets and memory free.
    fn fail(&mut self, since: Duration, now: Duration) -> Vec<Effect> {
        if now.saturating_sub(since) >= UP_LONG_ENOUGH {
            self.pause = FIRST_PAUSE;
        }
        self.failures.push_back(now);
        while self.failures.front().is_some_and(|&first| now.saturating_sub(first) > FAILURE_WINDOW)
            || self.failures.len() > FAILURES_TOLERATED + 1
        {
            self.failures.pop_front();
        }
        self.degraded = self.failures.len() > FAILURES_TOLERATED || self.degraded;
        if self.degraded {
            self.state = State::Degraded { until: now + DEGRADED_PAUSE };
        } else {
            self.state = State::Backoff { until: now + self.pause };
            self.pause = LONGEST_PAUSE.min(self.pause * 2);
        }
        vec![Effect::Kill]
    }
}

#[cfg(test)]
mod tests;
