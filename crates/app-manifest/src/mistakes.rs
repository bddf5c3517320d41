//! What is wrong with a document, all at once.

use serde::Serialize;
use std::fmt;

/// Most mistakes that are told of one document: enough to go on with.
pub(crate) const MOST: usize = 50;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mistake {
    /// Where: a JSON pointer (RFC 6901); empty for the whole document.
    pub pointer: String,
    /// What is wrong and what would be right, as a sentence without a full stop.
    pub sentence: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.pointer.is_empty() { "the document" } else { &self.pointer };
        write!(f, "{place}: {}", self.sentence)
    }
}

/// Why a manifest is refused: 1 to 50 mistakes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{}", self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct Mistakes(pub Vec<Mistake>);

impl Mistakes {
    /// Adds one.
    pub(crate) fn add(&mut self, pointer: impl Into<String>, sentence: impl Into<String>) {
        if self.0.len() < MOST {
            self.0.push(Mistake { pointer: pointer.into(), sentence: sentence.into() });
        }
    }

    /// The value, if there are none.
    pub(crate) fn or<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }
}

/// A pointer one step further (RFC 6901 section 3).
pub(crate) fn below(pointer: &str, step: impl fmt::Display) -> String {
    let step = step.to_string();
    // A name may be as long as the document, and be shown once for each mistake below it.
    let step: String = step.chars().take(100).collect();
    format!("{pointer}/{}", step.replace('~', "~0").replace('/', "~1"))
}
