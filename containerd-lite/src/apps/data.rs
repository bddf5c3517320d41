//! Whether the data of an app is shown: pure, as the app itself.
//!
//! ```text
//!             unlocking              unlocked
//!  Locked ───────────────▶ Opening ───────────▶ Open ── lock ──▶ Closing ── locked ──▶ Locked
//!     ▲                       │ not unlocked                      ▲     │ not locked: later again
//!     └───────────────────────┘                                   └─────┘
//! ```
//!
//! An app runs while its data is shown, and what runs ends before it is hidden: a file that is open would stay readable.

use model::containers::DataState;
use std::time::Duration;

/// Time between two tries to hide what is still in use.
const LOCK_AGAIN: Duration = Duration::from_secs(5);

/// How far it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Data {
    state: State,
    /// Keys that were given and not answered yet: only the last answer says how it is.
    unlocking: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    /// Somebody gave the key; there is no answer yet.
    Opening,
    /// To be hidden, when nothing runs any more.
    Closing {
        /// Asked for; there is no answer yet.
        is_asked: bool,
        /// Not before this.
        not_before: Duration,
    },
    Locked,
}

impl Data {
    pub(super) fn locked() -> Self {
        Self { state: State::Locked, unlocking: 0 }
    }

    pub(super) fn is_open(&self) -> bool {
        self.state == State::Open
    }

    pub(super) fn report(&self) -> DataState {
        match self.state {
            State::Open => DataState::Open,
            State::Closing { .. } => DataState::Locking,
            State::Opening | State::Locked => DataState::Locked,
        }
    }

    /// Somebody gives the key. What is open stays open meanwhile.
    pub(super) fn begin_to_unlock(&mut self) {
        self.unlocking = self.unlocking.saturating_add(1);
        if !self.is_open() {
            self.state = State::Opening;
        }
    }

    /// How it is after that, if nobody wanted otherwise meanwhile.
    pub(super) fn has_been_unlocked(&mut self, is_open: bool) {
        self.unlocking = self.unlocking.saturating_sub(1);
        if self.state == State::Opening && self.unlocking == 0 {
            self.state = if is_open { State::Open } else { State::Locked };
        }
    }

    /// Somebody wants it hidden.
    pub(super) fn begin_to_lock(&mut self) {
        match self.state {
            State::Open | State::Opening => {
                self.state = State::Closing { is_asked: false, not_before: Duration::ZERO };
            }
            State::Closing { .. } | State::Locked => {}
        }
    }

    /// What came of it, if nobody wanted otherwise meanwhile.
    pub(super) fn has_been_locked(&mut self, is_locked: bool, now: Duration) {
        if let State::Closing { is_asked: true, .. } = self.state {
            self.state = if is_locked {
                State::Locked
            } else {
                State::Closing { is_asked: false, not_before: now + LOCK_AGAIN }
            };
        }
    }

    /// Whether it is to be hidden now, where nothing runs any more; then that counts as asked for.
    pub(super) fn asks_to_lock(&mut self, now: Duration) -> bool {
        match &mut self.state {
            State::Closing { is_asked, not_before } if !*is_asked && *not_before <= now => {
                *is_asked = true;
                true
            }
            State::Open | State::Opening | State::Closing { .. } | State::Locked => false,
        }
    }

    pub(super) fn due(&self) -> Option<Duration> {
        match self.state {
            State::Closing { is_asked: false, not_before } if !not_before.is_zero() => Some(not_before),
            State::Open | State::Opening | State::Closing { .. } | State::Locked => None,
        }
    }
}
