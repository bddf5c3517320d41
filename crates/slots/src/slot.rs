//! A slot, and what is remembered of slots that are gone.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;

use crate::Version;

/// How many failed versions are remembered; the oldest is forgotten for a new one.
pub const MAX_FAILURES: usize = 16;

/// How long a reason may be, in bytes.
pub const MAX_WORDS: usize = 200;
/// Ends what was cut.
const CUT: char = '…';

/// A system on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its version.
    pub version: Version,
    /// How it stands.
    pub state: SlotState,
}

/// How a slot stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlotState {
    /// It ran and was healthy; boots of it are not counted.
    Good,
    /// It is armed, or runs for the first time.
    Trying {
        /// How often the firmware will still start it.
        left: u8,
    },
    /// It failed.
    Bad {
        /// Why.
        reason: Reason,
    },
}

/// Why a slot is bad.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Reason {
    /// The firmware could not start it: damaged, or signed by a key that it does not know.
    DidNotLoad,
    /// It was started and nothing more was heard: it crashed or hung, or the power went before it was confirmed.
    DidNotComeUp,
    /// It ran and said itself that it is not healthy.
    Unhealthy {
        /// What was not.
        why: Words,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DidNotLoad => f.write_str("the firmware could not start it"),
            Self::DidNotComeUp => {
                f.write_str("it did not come up, or the power went before it was confirmed")
            }
            Self::Unhealthy { why } => write!(f, "it was not healthy: {why}"),
        }
    }
}

/// A reason's text: one line of at most [`MAX_WORDS`] bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Words(String);

impl Words {
    /// The text; what is too long is cut and ends with `…`, and control characters become spaces.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut line = String::new();
        for letter in text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }) {
            line.push(letter);
            if line.len() > MAX_WORDS {
                line.truncate(line.floor_char_boundary(MAX_WORDS - CUT.len_utf8()));
                line.push(CUT);
                break;
            }
        }
        Self(line)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<String> for Words {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl From<Words> for String {
    fn from(words: Words) -> Self {
        words.0
    }
}

/// What outlives slots: a small document that all systems of the box read and write.
///
/// It must be written aside, synced and renamed at each [`Note`], on a file system with a journal: `/data`, not the ESP. A box whose data is
/// locked goes without: what failed is still never good, but could be tried once more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Notes {
    pending: Option<Pending>,
    failed: Vec<Failure>,
}

/// On a Pi, where the firmware keeps no count: what is to be tried.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pending {
    /// Its version.
    pub version: Version,
    /// How far it came.
    pub stage: Stage,
}

/// How far a pending version came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Written and verified; the next ordered restart tries it.
    Armed,
    /// Its trial began. Unless it was confirmed, it failed.
    Tried,
}

/// A version that failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// Its version.
    pub version: Version,
    /// Why.
    pub reason: Reason,
}

/// A change of the notes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Note {
    /// This version failed; a reason that is there already is kept, because whoever wrote it was closer.
    Failed {
        /// Its version.
        version: Version,
        /// Why.
        reason: Reason,
    },
    /// Somebody asked for this version although it failed.
    Forgiven {
        /// Its version.
        version: Version,
    },
    /// On a Pi: the next ordered restart tries this version.
    Armed {
        /// Its version.
        version: Version,
    },
    /// On a Pi: the trial of this version begins.
    Tried {
        /// Its version.
        version: Version,
    },
    /// On a Pi: nothing is pending any more.
    Settled,
}

impl Notes {
    /// What is pending; always nothing on UEFI boards.
    #[must_use]
    pub fn pending(&self) -> Option<&Pending> {
        self.pending.as_ref()
    }

    /// Versions that failed, the latest last; at most [`MAX_FAILURES`].
    #[must_use]
    pub fn failures(&self) -> &[Failure] {
        &self.failed
    }

    /// Why a version failed, if it did.
    #[must_use]
    pub fn failure(&self, version: &Version) -> Option<&Reason> {
        self.failed.iter().find(|failure| failure.version == *version).map(|failure| &failure.reason)
    }

    /// Takes a change in.
    pub fn apply(&mut self, note: &Note) {
        match note {
            Note::Failed { version, reason } => {
                if self.pending.as_ref().is_some_and(|pending| pending.version == *version) {
                    self.pending = None;
                }
                if self.failure(version).is_none() {
                    self.failed.push(Failure { version: version.clone(), reason: reason.clone() });
                }
            }
            Note::Forgiven { version } => self.failed.retain(|failure| failure.version != *version),
            Note::Armed { version } => {
                self.pending = Some(Pending { version: version.clone(), stage: Stage::Armed });
            }
            Note::Tried { version } => {
                self.pending = Some(Pending { version: version.clone(), stage: Stage::Tried });
            }
            Note::Settled => self.pending = None,
        }
        // Also for a document that somebody else made longer.
        self.failed.drain(..self.failed.len().saturating_sub(MAX_FAILURES));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    fn failed(text: &str, reason: Reason) -> Note {
        Note::Failed { version: version(text), reason }
    }

    #[test]
    fn the_first_reason_stays() {
        let mut notes = Notes::default();
        let unhealthy = Reason::Unhealthy { why: Words::new("netd did not start") };
        notes.apply(&failed("2", unhealthy.clone()));
        notes.apply(&failed("2", Reason::DidNotComeUp));
        assert_eq!(notes.failure(&version("2")), Some(&unhealthy));
        assert_eq!(notes.failures().len(), 1);
        notes.apply(&Note::Forgiven { version: version("2") });
        assert_eq!(notes, Notes::default());
    }

    #[test]
    fn the_oldest_failures_are_forgotten() {
        let mut notes = Notes::default();
        for number in 0..=MAX_FAILURES {
            notes.apply(&failed(&format!("1.{number}"), Reason::DidNotLoad));
        }
        assert_eq!(notes.failures().len(), MAX_FAILURES);
        assert_eq!(
            (notes.failure(&version("1.0")), notes.failure(&version("1.1"))),
            (None, Some(&Reason::DidNotLoad))
        );
    }

    #[test]
    fn what_failed_is_not_pending() {
        let mut notes = Notes::default();
        notes.apply(&Note::Armed { version: version("2") });
        notes.apply(&Note::Tried { version: version("2") });
        assert_eq!(notes.pending(), Some(&Pending { version: version("2"), stage: Stage::Tried }));
        notes.apply(&failed("3", Reason::DidNotComeUp));
        assert!(notes.pending().is_some());
        notes.apply(&failed("2", Reason::DidNotComeUp));
        assert!(notes.pending().is_none());
    }

    #[test]
    fn words_are_one_short_line() {
        assert_eq!(Words::new("no\nnetwork").as_str(), "no network");
        let long = Words::new(&"é".repeat(MAX_WORDS));
        assert_eq!((long.as_str().len(), long.as_str().chars().last()), (MAX_WORDS - 1, Some(CUT)));
        assert_eq!(Words::new(long.as_str()), long);
        assert_eq!(Words::new(&"x".repeat(MAX_WORDS)).as_str().len(), MAX_WORDS);
        assert_eq!(serde_json::from_str::<Words>("\"a\\tb\"").unwrap(), Words::new("a b"));
    }

    #[test]
    fn notes_are_a_document() {
        let mut notes = Notes::default();
        notes.apply(&failed("2", Reason::Unhealthy { why: Words::new("no") }));
        notes.apply(&Note::Armed { version: version("3") });
        let text = serde_json::to_string(&notes).unwrap();
        assert_eq!(
            text,
            r#"{"pending":{"version":"3","stage":"armed"},"failed":[{"version":"2","reason":{"kind":"unhealthy","why":"no"}}]}"#
        );
        assert_eq!(serde_json::from_str::<Notes>(&text).unwrap(), notes);
        assert_eq!(serde_json::from_str::<Notes>("{}").unwrap(), Notes::default());
        serde_json::from_str::<Notes>(r#"{"more":1}"#).unwrap_err();
    }
}
