//! What the box remembers of its backups: one small document.

use crate::schedule::Last;
use crate::snapshot::Listing;
use serde::Deserialize;
use serde::Serialize;

const MAX_DOCUMENT: usize = 16 * 1024;
const KIND: &str = "hearth-backup-state";
const VERSION: u32 = 1;

/// What happened so far. Times are seconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct State {
    /// When a backup last succeeded.
    pub last_success: Option<u64>,
    /// When one was last begun.
    pub last_attempt: Option<u64>,
    /// Failures since the last success.
    pub failures: u32,
    /// The newest snapshot this box made.
    pub newest_snapshot: Option<String>,
    /// The part of the data that is read next ([`crate::Depth::Slice`]).
    pub next_slice: u32,
    /// When data was last checked.
    pub last_verification: Option<u64>,
    /// Problems it found.
    pub problems: u64,
    /// When a drill last succeeded.
    pub last_drill: Option<u64>,
}

/// A document that is no state.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Too long.
    #[error("the state of backups has more than {MAX_DOCUMENT} bytes")]
    TooLong,
    /// It cannot be read.
    #[error("the state of backups cannot be read")]
    Syntax(#[source] serde_json::Error),
    /// Another kind or version.
    #[error("{kind} version {version} is no state of backups this system knows")]
    Kind {
        /// Which kind.
        kind: String,
        /// Which version.
        version: u32,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    kind: String,
    version: u32,
    state: serde_json::Value,
}

impl State {
    /// Reads a document.
    ///
    /// # Errors
    /// When it is none of a version this system knows.
    pub fn parse(text: &str) -> Result<Self, StateError> {
        if text.len() > MAX_DOCUMENT {
            return Err(StateError::TooLong);
        }
        let document: Document = serde_json::from_str(text).map_err(StateError::Syntax)?;
        if document.kind != KIND || document.version != VERSION {
            let kind = document.kind.chars().take(64).collect();
            return Err(StateError::Kind { kind, version: document.version });
        }
        serde_json::from_value(document.state).map_err(StateError::Syntax)
    }

    /// The document.
    ///
    /// # Errors
    /// Never; serialization is fallible by type.
    pub fn to_json(&self) -> Result<String, StateError> {
        let state = serde_json::to_value(self).map_err(StateError::Syntax)?;
        let document = Document { kind: KIND.to_owned(), version: VERSION, state };
        serde_json::to_string_pretty(&document).map_err(StateError::Syntax)
    }

    /// A backup begins.
    pub fn began(&mut self, now: u64) {
        self.last_attempt = Some(now);
        // Counted first and taken back on success, so that a crash counts as a failure.
        self.failures = self.failures.saturating_add(1);
    }

    /// It succeeded.
    pub fn succeeded(&mut self, now: u64, snapshot: &str) {
        self.last_success = Some(now);
        self.failures = 0;
        self.newest_snapshot = Some(snapshot.to_owned());
    }

    /// What [`crate::schedule::next_run`] asks for.
    #[must_use]
    pub const fn last(&self, attempt_since_boot: Option<u64>) -> Last {
        Last {
            success: self.last_success,
            attempt: self.last_attempt,
            attempt_since_boot,
            failures: self.failures,
        }
    }

    /// Whether the place no longer has the newest snapshot: someone put an older state back, or removed it.
    #[must_use]
    pub fn is_missing_from(&self, listing: &Listing) -> bool {
        let there = |newest: &String| listing.snapshots.iter().any(|snapshot| snapshot.id == *newest);
        self.newest_snapshot.as_ref().is_some_and(|newest| !there(newest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Snapshot;
    use proptest::prelude::any;
    use proptest::prop_assert;
    use proptest::proptest;

    #[test]
    fn documents_survive_a_round_trip() {
        let mut state = State::default();
        state.began(5);
        assert_eq!(state.failures, 1);
        state.succeeded(6, "ab");
        assert_eq!(State::parse(&state.to_json().unwrap()).unwrap(), state);
        assert_eq!(state.last(None).failures, 0);
    }

    #[test]
    fn a_newer_version_and_unknown_fields_are_refused() {
        let json = State::default().to_json().unwrap();
        let newer = State::parse(&json.replace("\"version\": 1", "\"version\": 2")).unwrap_err();
        assert!(matches!(newer, StateError::Kind { version: 2, .. }));
        assert!(matches!(
            State::parse(&json.replace("failures", "faults")).unwrap_err(),
            StateError::Syntax(_)
        ));
    }

    #[test]
    fn a_place_put_back_is_noticed() {
        let mut state = State::default();
        let mut listing = Listing::default();
        assert!(!state.is_missing_from(&listing));
        state.succeeded(6, "ab");
        assert!(state.is_missing_from(&listing));
        listing.snapshots.push(Snapshot { id: "ab".into(), taken: 6, files: 0, bytes: 0 });
        assert!(!state.is_missing_from(&listing));
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in any::<String>()) {
            prop_assert!(State::parse(&text).is_err());
        }
    }
}
