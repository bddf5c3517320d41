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
pub(super) enum Data {
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
    pub(super) fn is_open(&self) -> bool {
        *self == Self::Open
    }

    pub(super) fn report(&self) -> DataState {
        match self {
            Self::Open => DataState::Open,
            Self::Closing { .. } => DataState::Locking,
            Self::Opening | Self::Locked => DataState::Locked,
        }
    }

    /// Somebody gives the key. What is open stays open meanwhile.
    pub(super) fn unlocking(&mut self) {
        if !self.is_open() {
            *self = Self::Opening;
        }
    }

    /// What came of that, if nobody wanted otherwise meanwhile.
    pub(super) fn unlocked(&mut self, is_open: bool) {
        if *self == Self::Opening {
            *self = if is_open { Self::Open } else { Self::Locked };
        }
    }

    /// Somebody wants it hidden.
    pub(super) fn lock(&mut self) {
        match self {
            Self::Open | Self::Opening => {
                *self = Self::Closing { is_asked: false, not_before: Duration::ZERO };
            }
            Self::Closing { .. } | Self::Locked => {}
        }
    }

    /// What came of it, if nobody wanted otherwise meanwhile.
    pub(super) fn locked(&mut self, is_locked: bool, now: Duration) {
        if let Self::Closing { is_asked: true, .. } = self {
            *self = if is_locked {
                Self::Locked
            } else {
                Self::Closing { is_asked: false, not_before: now + LOCK_AGAIN }
            };
        }
    }

    /// Whether it is to be hidden now, where nothing runs any more; then that counts as asked for.
    pub(super) fn ask(&mut self, now: Duration) -> bool {
        match self {
            Self::Closing { is_asked, not_before } if !*is_asked && *not_before <= now => {
                *is_asked = true;
                true
            }
            Self::Open | Self::Opening | Self::Closing { .. } | Self::Locked => false,
        }
    }

    pub(super) fn due(&self) -> Option<Duration> {
        match self {
            Self::Closing { is_asked: false, not_before } if !not_before.is_zero() => Some(*not_before),
            Self::Open | Self::Opening | Self::Closing { .. } | Self::Locked => None,
        }
    }
}
