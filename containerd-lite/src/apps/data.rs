//! Whether the data of an app is shown: pure, as the app itself.
//!
//! Showing and hiding are done one after the other, in the order in which they were asked for, and each is answered. What was asked for last
//! counts: nothing is hidden before all keys that were given have been tried, and an answer that comes late changes nothing that somebody
//! wants by now.
//!
//! An app runs while its data is shown, and what runs ends before it is hidden: a file that is open would stay readable.

use model::containers::DataState;
use std::time::Duration;

/// Time between two tries to hide what is still in use.
const LOCK_AGAIN: Duration = Duration::from_secs(5);

/// What is wanted of the data, and how it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Data {
    is_wanted: bool,
    is_shown: bool,
    /// Keys that were given and not answered yet.
    unlocking: u32,
    /// It is being hidden; there is no answer yet.
    is_locking: bool,
    /// Not hidden before this.
    not_before: Duration,
}

impl Data {
    pub(super) fn new(is_shown: bool) -> Self {
        let not_before = Duration::ZERO;
        Self { is_wanted: is_shown, is_shown, unlocking: 0, is_locking: false, not_before }
    }

    /// Whether it is shown, and stays so.
    pub(super) fn is_open(&self) -> bool {
        self.is_wanted && self.is_shown && !self.is_locking
    }

    pub(super) fn report(&self) -> DataState {
        let is_settled = !self.is_shown && !self.is_locking && self.unlocking == 0;
        match (self.is_open(), self.is_wanted || is_settled) {
            (true, _) => DataState::Open,
            (false, true) => DataState::Locked,
            (false, false) => DataState::Locking,
        }
    }

    /// Somebody gives the key. What is open stays open meanwhile.
    pub(super) fn begin_to_unlock(&mut self) {
        self.is_wanted = true;
        self.unlocking = self.unlocking.saturating_add(1);
    }

    /// How it is after that.
    pub(super) fn has_been_unlocked(&mut self, is_shown: bool) {
        self.unlocking = self.unlocking.saturating_sub(1);
        self.is_shown = is_shown;
    }

    /// Somebody wants it hidden.
    pub(super) fn begin_to_lock(&mut self) {
        self.is_wanted = false;
        self.not_before = Duration::ZERO;
    }

    /// What came of it.
    pub(super) fn has_been_locked(&mut self, is_locked: bool, now: Duration) {
        self.is_locking = false;
        self.is_shown = !is_locked;
        self.not_before = now + LOCK_AGAIN;
    }

    /// Whether it is to be hidden now, where nothing runs any more; then that counts as asked for.
    pub(super) fn asks_to_lock(&mut self, now: Duration) -> bool {
        let asks = self.is_to_be_hidden() && self.not_before <= now;
        self.is_locking |= asks;
        asks
    }

    pub(super) fn due(&self) -> Option<Duration> {
        (self.is_to_be_hidden() && !self.not_before.is_zero()).then_some(self.not_before)
    }

    fn is_to_be_hidden(&self) -> bool {
        !self.is_wanted && self.is_shown && !self.is_locking && self.unlocking == 0
    }
}
