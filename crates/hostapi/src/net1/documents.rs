//! Documents on the wire: JSON text of `model` types.

use super::Net1Error;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longest document in bytes: a policy of 1,024 apps with a dozen grants each.
pub(super) const MAX_DOCUMENT: usize = 1 << 20;

/// Reads a document.
///
/// # Errors
/// [`Net1Error::InvalidDocument`] with line and column when it is too long or not understood.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Net1Error> {
    at_most(text.len())?;
    serde_json::from_str(text).map_err(|error| Net1Error::InvalidDocument(error.to_string()))
}

pub(super) fn at_most(length: usize) -> Result<(), Net1Error> {
    if length <= MAX_DOCUMENT {
        return Ok(());
    }
    Err(Net1Error::InvalidDocument(format!("it has {length} bytes; at most {MAX_DOCUMENT} are possible")))
}

/// Writes a document.
pub(super) fn write<T: Serialize>(document: &T) -> Result<String, Net1Error> {
    serde_json::to_string(document).map_err(|error| Net1Error::InvalidDocument(error.to_string()))
}
