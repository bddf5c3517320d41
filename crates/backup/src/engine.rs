//! Calls of rustic: its panics and errors become one error of ours.

use crate::guard::Watch;
use crate::place::PlaceError;
use rustic_core::RusticResult;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;

/// A call of rustic failed.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The place failed under it.
    #[error("the backup place failed")]
    Place(#[source] PlaceError),
    /// It found something wrong, usually damage.
    #[error("the repository cannot be used: {message}")]
    Refused {
        /// In its own words, one line.
        message: String,
    },
    /// It panicked: damage it did not expect.
    #[error("the repository has damage that its library does not survive")]
    Panicked,
}

/// Runs a call. A panic of rustic leaves only values that are thrown away with it.
pub(crate) fn call<T>(watch: &Watch, call: impl FnOnce() -> RusticResult<T>) -> Result<T, EngineError> {
    let outcome = catch_unwind(AssertUnwindSafe(call));
    match (outcome, watch.take_error()) {
        (Ok(Ok(value)), _) => Ok(value),
        (_, Some(error)) => Err(EngineError::Place(error)),
        (Ok(Err(error)), None) => Err(EngineError::Refused { message: one_line(&error.display_log()) }),
        (Err(_payload), None) => Err(EngineError::Panicked),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(400).collect()
}
