//! What a repository says of a slot file, beside its length and hash: the target's custom data.

use crate::digest::Sha256;
use crate::name::Label;
use crate::source::MAX_SLOT;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;
use slots::Version;
use slots::Words;

/// The format that is written and read.
pub const FORMAT: u32 = 1;
/// How long notes may be, in bytes.
pub const MAX_NOTES: usize = 4096;
/// For how many earlier releases there may be remakes.
pub const MAX_BASES: usize = 8;
/// How long the header of a chunk archive may be, in bytes.
pub(crate) const MAX_HEADER: u64 = 4 << 20;
/// How long the header of a file of remakes may be, in bytes.
pub const MAX_REMAKE_HEADER: u64 = 256 << 10;

/// What is said of a slot file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Custom {
    /// [`FORMAT`].
    pub format: u32,
    /// For this board only.
    pub board: Label,
    /// Of this channel.
    pub channel: Label,
    /// The version in the slot file.
    pub version: Version,
    /// The lowest version of systemd-boot that starts it rightly, such as `257`.
    pub loader: Version,
    /// How many boxes of a hundred take it by themselves.
    pub rollout: u8,
    /// Nobody shall take it, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Words>,
    /// What is new, for the owner.
    #[serde(default)]
    pub notes: Notes,
    /// The same in chunks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunks: Option<Chunks>,
    /// How its programs are made from those of earlier releases.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remakes: Vec<Remakes>,
}

/// A chunk archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chunks {
    /// All of it, in bytes.
    pub length: u64,
    /// Its header, in bytes.
    pub header_length: u64,
    /// The hash of its header.
    pub header_sha256: Sha256,
}

/// A file of remakes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remakes {
    /// The release whose programs they start from.
    pub from: Version,
    /// All of it, in bytes.
    pub length: u64,
    /// Its header, in bytes.
    pub header_length: u64,
    /// The hash of its header.
    pub header_sha256: Sha256,
}

/// Notes of a release: text of at most [`MAX_NOTES`] bytes, no control characters but line ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Notes(String);

/// What is said of a slot file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CustomError {
    /// It says something in a way that this version does not know.
    #[error("the release is described in format {format}, which this system does not know yet")]
    Newer {
        /// The format.
        format: u64,
    },
    /// It is no such document.
    #[error("the description of the release cannot be read")]
    Read(#[source] serde_json::Error),
    /// More than 100 of 100.
    #[error("the release is for {0} boxes of 100")]
    Rollout(u8),
    /// Its archive cannot be right.
    #[error("the lengths of the release's chunk archive cannot be right")]
    Chunks,
    /// Its remakes cannot be right.
    #[error("the remakes of the release cannot be right")]
    Remakes,
    /// The target's name, length or hash do not fit to it.
    #[error("the release's file does not fit to its description")]
    File,
    /// Notes are too long, or have control characters.
    #[error("the notes of the release are longer than {MAX_NOTES} bytes or have control characters")]
    Notes,
}

impl Custom {
    /// Reads the document.
    ///
    /// # Errors
    /// Every field must be there as this version knows it; no others.
    pub fn decode(fields: impl IntoIterator<Item = (String, Value)>) -> Result<Self, CustomError> {
        let fields: Map<String, Value> = fields.into_iter().collect();
        if let Some(format) = fields.get("format").and_then(Value::as_u64)
            && format != u64::from(FORMAT)
        {
            return Err(CustomError::Newer { format });
        }
        let custom: Self = serde_json::from_value(Value::Object(fields)).map_err(CustomError::Read)?;
        custom.checked()
    }

    /// Reads it from JSON.
    ///
    /// # Errors
    /// As [`Custom::decode`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, CustomError> {
        let fields: Map<String, Value> = serde_json::from_slice(bytes).map_err(CustomError::Read)?;
        Self::decode(fields)
    }

    /// Looks at what types do not hold.
    ///
    /// # Errors
    /// What is out of bounds.
    pub fn checked(self) -> Result<Self, CustomError> {
        if self.rollout > 100 {
            return Err(CustomError::Rollout(self.rollout));
        }
        if let Some(chunks) = &self.chunks {
            // An archive stores at most what is in the slot file, and its header.
            let header = (1..=MAX_HEADER).contains(&chunks.header_length);
            if !header
                || chunks.length < chunks.header_length
                || chunks.length - chunks.header_length > MAX_SLOT
            {
                return Err(CustomError::Chunks);
            }
        }
        let is_right = |remakes: &Remakes| {
            let header = (1..=MAX_REMAKE_HEADER).contains(&remakes.header_length);
            header && (remakes.header_length..=MAX_SLOT).contains(&remakes.length)
        };
        if self.remakes.len() > MAX_BASES || !self.remakes.iter().all(is_right) {
            return Err(CustomError::Remakes);
        }
        Ok(self)
    }
}

impl Notes {
    /// The text.
    ///
    /// # Errors
    /// Too long, or control characters.
    pub fn new(text: String) -> Result<Self, CustomError> {
        if text.len() > MAX_NOTES || text.chars().any(|letter| letter.is_control() && letter != '\n') {
            return Err(CustomError::Notes);
        }
        Ok(Self(text))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Notes {
    type Error = CustomError;

    fn try_from(text: String) -> Result<Self, CustomError> {
        Self::new(text)
    }
}

impl From<Notes> for String {
    fn from(notes: Notes) -> Self {
        notes.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn document() -> Value {
        json!({
            "format": 1, "board": "x86_64", "channel": "stable", "version": "1.9", "loader": "257", "rollout": 10,
            "notes": "Faster.\nSafer.", "chunks": {"length": 1000, "header_length": 100, "header_sha256": "ab".repeat(32)},
            "remakes": [{"from": "1.8", "length": 900, "header_length": 90, "header_sha256": "cd".repeat(32)}]
        })
    }

    fn decode(value: &Value) -> Result<Custom, CustomError> {
        Custom::from_json(value.to_string().as_bytes())
    }

    #[test]
    fn a_document_and_back() {
        let custom = decode(&document()).unwrap();
        assert_eq!(custom.version.as_str(), "1.9");
        assert_eq!(custom.remakes[0].from.as_str(), "1.8");
        assert_eq!(decode(&serde_json::to_value(&custom).unwrap()).unwrap(), custom);
        // Not every release has them.
        let mut without = document();
        without.as_object_mut().unwrap().remove("remakes");
        let without = decode(&without).unwrap();
        assert!(without.remakes.is_empty());
        assert!(!serde_json::to_string(&without).unwrap().contains("remakes"));
    }

    #[test]
    fn what_cannot_be_right_is_refused() {
        let remakes = |from: &str, length: u64, header: u64| json!({"from": from, "length": length, "header_length": header, "header_sha256": "cd".repeat(32)});
        let edits: [(&str, Value); 18] = [
            ("format", json!(2)),
            ("format", json!("1")),
            ("board", json!("../x")),
            ("version", json!("1/9")),
            ("loader", json!("")),
            ("rollout", json!(101)),
            ("rollout", json!(-1)),
            ("unknown", json!(true)),
            ("notes", json!("\u{1b}[2J")),
            ("notes", json!("x".repeat(MAX_NOTES + 1))),
            ("chunks", json!({"length": 10, "header_length": 100, "header_sha256": "ab".repeat(32)})),
            ("remakes", json!([remakes("1/8", 900, 90)])),
            ("remakes", json!([remakes("1.8", 89, 90)])),
            ("remakes", json!([remakes("1.8", 900, 0)])),
            ("remakes", json!([remakes("1.8", MAX_SLOT, MAX_REMAKE_HEADER + 1)])),
            ("remakes", json!([remakes("1.8", MAX_SLOT + 1, 90)])),
            ("remakes", json!(vec![remakes("1.8", 900, 90); MAX_BASES + 1])),
            ("chunks", json!({"length": u64::MAX, "header_length": 100, "header_sha256": "ab".repeat(32)})),
        ];
        for (field, value) in edits {
            let mut edited = document();
            edited[field] = value.clone();
            assert!(decode(&edited).is_err(), "{field}: {value}");
        }
        for field in ["format", "board", "channel", "version", "loader", "rollout"] {
            let mut edited = document();
            edited.as_object_mut().unwrap().remove(field);
            assert!(decode(&edited).is_err(), "{field}");
        }
    }

    #[test]
    fn a_later_format_is_named() {
        let mut edited = document();
        edited["format"] = json!(2);
        edited["unknown"] = json!(1);
        assert!(matches!(decode(&edited), Err(CustomError::Newer { format: 2 })));
    }
}
