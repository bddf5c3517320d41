//! What the updater is doing: pure, without clock or file.
//!
//! ```text
//! idle ─ checking ─┬─ up to date
//!                  └─ available ─ downloading ─ writing ─ ready ─ restarting ┄ (restart) ┄ trying ─ idle
//!          failed ◀──────┴────────────┴───────────┴────────┴─────────┴──────────────────────┘
//! ```

use model::update::InstallStep;

/// What is being done, and how far it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Nothing is known since the start.
    #[default]
    Idle,
    /// The repository is asked.
    Checking,
    /// There is nothing newer for this box.
    UpToDate,
    /// There is something newer.
    Available {
        /// Its version.
        version: String,
    },
    /// It is fetched.
    Downloading {
        /// Its version.
        version: String,
        /// Bytes of the new system that are there.
        done: u64,
        /// All of them.
        total: u64,
        /// Bytes that came over the net.
        fetched: u64,
    },
    /// It is written beside the running system.
    Writing {
        /// Its version.
        version: String,
        /// What is being done.
        step: InstallStep,
        /// Bytes done of that.
        done: u64,
        /// All of them.
        total: u64,
    },
    /// The next restart tries it.
    Ready {
        /// Its version.
        version: String,
    },
    /// The box goes down for it.
    Restarting {
        /// Its version.
        version: String,
    },
    /// It runs on trial.
    Trying {
        /// Its version.
        version: String,
        /// Seconds after the start of the kernel at which it must be healthy; none while the data is locked.
        until: Option<u64>,
        /// What is waited for, in plain words.
        waiting: Vec<String>,
    },
    /// The last step failed; the running system is as it was.
    Failed {
        /// The version it was about, where one was known.
        version: Option<String>,
        /// Why, in plain words.
        reason: String,
    },
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The repository is asked.
    CheckBegan,
    /// It has nothing for this box.
    NothingNew,
    /// It has something.
    Found {
        /// Its version.
        version: String,
    },
    /// Bytes came.
    Fetched {
        /// Of which version.
        version: String,
        /// Bytes of the new system that are there.
        done: u64,
        /// All of them.
        total: u64,
        /// Bytes that came over the net.
        fetched: u64,
    },
    /// It is being written.
    Wrote {
        /// Its version.
        version: String,
        /// What is being done.
        step: InstallStep,
        /// Bytes done of that.
        done: u64,
        /// All of them.
        total: u64,
    },
    /// It is armed.
    Armed {
        /// Its version.
        version: String,
    },
    /// What was armed is so no more.
    Disarmed,
    /// The box goes down for it.
    RestartBegan,
    /// The running system is on trial, and this is waited for.
    OnTrial {
        /// Its version.
        version: String,
        /// As in [`State::Trying`].
        until: Option<u64>,
        /// As in [`State::Trying`].
        waiting: Vec<String>,
    },
    /// The running system is kept.
    Kept,
    /// A step failed.
    Broke {
        /// The version it was about.
        version: Option<String>,
        /// Why, in plain words.
        reason: String,
    },
}

impl State {
    /// What comes after an event; nothing when that event cannot come now.
    #[must_use]
    pub fn after(&self, event: Event) -> Option<Self> {
        match event {
            Event::CheckBegan => self.is_at_rest().then_some(Self::Checking),
            Event::NothingNew => matches!(self, Self::Checking).then_some(Self::UpToDate),
            Event::Found { version } => matches!(self, Self::Checking | Self::Downloading { .. })
                .then_some(Self::Available { version }),
            Event::Fetched { version, done, total, fetched } => {
                let may = self.is_at_rest() || matches!(self, Self::Checking | Self::Downloading { .. });
                may.then_some(Self::Downloading { version, done, total, fetched })
            }
            Event::Wrote { version, step, done, total } => {
                let may =
                    self.is_at_rest() || matches!(self, Self::Downloading { .. } | Self::Writing { .. });
                may.then_some(Self::Writing { version, step, done, total })
            }
            Event::Armed { version } => (!matches!(self, Self::Trying { .. } | Self::Restarting { .. }))
                .then_some(Self::Ready { version }),
            Event::Disarmed => {
                matches!(self, Self::Ready { .. } | Self::Restarting { .. }).then_some(Self::Idle)
            }
            Event::RestartBegan => {
                let Self::Ready { version } = self else { return None };
                Some(Self::Restarting { version: version.clone() })
            }
            Event::OnTrial { version, until, waiting } => matches!(self, Self::Idle | Self::Trying { .. })
                .then_some(Self::Trying { version, until, waiting }),
            Event::Kept => matches!(self, Self::Trying { .. }).then_some(Self::Idle),
            Event::Broke { version, reason } => {
                (!matches!(self, Self::Idle | Self::UpToDate)).then_some(Self::Failed { version, reason })
            }
        }
    }

    /// Whether nothing is under way.
    #[must_use]
    pub const fn is_at_rest(&self) -> bool {
        match self {
            Self::Idle
            | Self::UpToDate
            | Self::Available { .. }
            | Self::Failed { .. }
            | Self::Ready { .. } => true,
            Self::Checking
            | Self::Downloading { .. }
            | Self::Writing { .. }
            | Self::Restarting { .. }
            | Self::Trying { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version() -> String {
        "2".to_owned()
    }

    /// One of each, with a letter.
    fn states() -> Vec<(char, State)> {
        let step = InstallStep::Writing;
        vec![
            ('i', State::Idle),
            ('c', State::Checking),
            ('u', State::UpToDate),
            ('a', State::Available { version: version() }),
            ('d', State::Downloading { version: version(), done: 1, total: 2, fetched: 1 }),
            ('w', State::Writing { version: version(), step, done: 1, total: 2 }),
            ('r', State::Ready { version: version() }),
            ('s', State::Restarting { version: version() }),
            ('t', State::Trying { version: version(), until: None, waiting: vec![] }),
            ('f', State::Failed { version: None, reason: "x".to_owned() }),
        ]
    }

    #[test]
    fn every_pair_of_state_and_event() {
        let step = InstallStep::Checking;
        // The event, where it may come, and what follows.
        let table = [
            (Event::CheckBegan, "iuarf", 'c'),
            (Event::NothingNew, "c", 'u'),
            (Event::Found { version: version() }, "cd", 'a'),
            (Event::Fetched { version: version(), done: 0, total: 1, fetched: 0 }, "icuadrf", 'd'),
            (Event::Wrote { version: version(), step, done: 0, total: 1 }, "iuadwrf", 'w'),
            (Event::Armed { version: version() }, "icuadwrf", 'r'),
            (Event::Disarmed, "rs", 'i'),
            (Event::RestartBegan, "r", 's'),
            (Event::OnTrial { version: version(), until: Some(1), waiting: vec![] }, "it", 't'),
            (Event::Kept, "t", 'i'),
            (Event::Broke { version: None, reason: "y".to_owned() }, "cadwrstf", 'f'),
        ];
        let states = states();
        let letter = |state: &State| {
            let same =
                |known: &&(char, State)| std::mem::discriminant(&known.1) == std::mem::discriminant(state);
            states.iter().find(same).unwrap().0
        };
        for (event, from, to) in table {
            for (at, state) in &states {
                let next = state.after(event.clone()).map(|next| letter(&next));
                assert_eq!(next, from.contains(*at).then_some(to), "{state:?} {event:?}");
            }
        }
    }
}
