//! Documents on the wire: JSON text of `model` types.

use super::Net1Error;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longest document that netd takes, in bytes: a policy of 1,024 apps with a dozen grants each.
pub const MAX_DOCUMENT: usize = 1 << 20;
/// Longest document that netd answers, in bytes. A rule in plain words with its counters is much longer than what makes it in a
/// policy; this is enough for [`model::network::app_policy::MAX_PERMISSIONS`] of the longest.
pub const MAX_ANSWER: usize = 16 << 20;

/// Why an answer of netd cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StrangeAnswer {
    /// It is too long.
    #[error("it has {length} bytes; at most {MAX_ANSWER} are possible")]
    TooLong {
        /// How long it is.
        length: usize,
    },
    /// It is no document of the kind asked for.
    #[error("it is not understood")]
    NotUnderstood {
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
}

/// Reads a document that netd answered or shows.
///
/// # Errors
/// When it is longer than [`MAX_ANSWER`] or not understood.
pub fn read_answer<T: DeserializeOwned>(text: &str) -> Result<T, StrangeAnswer> {
    if text.len() > MAX_ANSWER {
        return Err(StrangeAnswer::TooLong { length: text.len() });
    }
    serde_json::from_str(text).map_err(|source| StrangeAnswer::NotUnderstood { source })
}

/// Reads a document that netd was sent; [`Net1Error::InvalidDocument`] with line and column when it is too long or not understood.
pub(super) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Net1Error> {
    at_most(text.len())?;
    serde_json::from_str(text).map_err(|error| Net1Error::InvalidDocument(error.to_string()))
}

pub(super) fn at_most(length: usize) -> Result<(), Net1Error> {
    if length <= MAX_DOCUMENT {
        return Ok(());
    }
    Err(Net1Error::InvalidDocument(format!("it has {length} bytes; at most {MAX_DOCUMENT} are possible")))
}

/// Writes an answer. That it cannot be sent is no fault of what was asked.
pub(super) fn write<T: Serialize>(document: &T) -> Result<String, Net1Error> {
    let text =
        serde_json::to_string(document).map_err(|error| Net1Error::Refused(format!("no answer: {error}")))?;
    if text.len() > MAX_ANSWER {
        let length = text.len();
        return Err(Net1Error::Refused(format!(
            "the answer has {length} bytes; at most {MAX_ANSWER} are possible"
        )));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// JSON text of this many bytes.
    fn long(length: usize) -> String {
        format!("\"{}\"", "x".repeat(length - 2))
    }

    #[test]
    fn what_may_be_written_may_be_read_and_nothing_longer() {
        let longest = "x".repeat(MAX_ANSWER - 2);
        let text = write(&longest).unwrap();
        assert_eq!(text.len(), MAX_ANSWER);
        assert_eq!(read_answer::<String>(&text).unwrap(), longest);
        assert!(matches!(write(&format!("{longest}x")), Err(Net1Error::Refused(_))));
        let error = read_answer::<String>(&long(MAX_ANSWER + 1)).unwrap_err();
        assert!(matches!(error, StrangeAnswer::TooLong { length } if length == MAX_ANSWER + 1), "{error}");
        assert!(matches!(read_answer::<u8>("\"x\""), Err(StrangeAnswer::NotUnderstood { .. })));
    }

    #[test]
    fn what_netd_is_sent_has_a_lower_limit() {
        parse::<String>(&long(MAX_DOCUMENT)).unwrap();
        let error = parse::<String>(&long(MAX_DOCUMENT + 1)).unwrap_err();
        assert!(matches!(error, Net1Error::InvalidDocument(_)), "{error}");
    }
}
