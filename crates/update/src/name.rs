//! Names of files in a repository. They are made here, never read from a document: nothing can lead out of the folder.

use crate::digest::Sha256;
use serde::Deserialize;
use serde::Serialize;
use slots::Version;
use std::fmt;
use std::str::FromStr;

/// How long the name of a board or channel may be, in bytes.
pub const MAX_LABEL: usize = 32;

/// The name of a board or a channel: 1 to [`MAX_LABEL`] of `a-z 0-9 - _`, a letter or digit at the beginning.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label(Box<str>);

/// A text is no label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of a board or channel has 1 to {MAX_LABEL} of a to z, 0 to 9, minus and underscore")]
pub struct LabelError;

/// A file of a repository.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Name {
    /// Keys and thresholds, by version.
    Root(u32),
    /// Which snapshot is the newest.
    Timestamp,
    /// Which targets belong to it, by version.
    Snapshot(u32),
    /// What there is, by version.
    Targets(u32),
    /// A slot file.
    Slot {
        /// For this board.
        board: Label,
        /// Of this channel.
        channel: Label,
        /// Its version.
        version: Version,
        /// Its hash.
        sha256: Sha256,
    },
    /// A slot file in chunks.
    Chunks {
        /// For this board.
        board: Label,
        /// Of this channel.
        channel: Label,
        /// Its version.
        version: Version,
        /// The hash of the header, which has the hashes of all chunks.
        header: Sha256,
    },
    /// How programs of a slot file are made from those of an earlier release.
    Remakes {
        /// For this board.
        board: Label,
        /// Of this channel.
        channel: Label,
        /// The slot file's version.
        version: Version,
        /// The hash of the header, which has the hashes of all bodies.
        header: Sha256,
    },
}

impl Label {
    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Label {
    type Err = LabelError;

    fn from_str(text: &str) -> Result<Self, LabelError> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let fits = (1..=MAX_LABEL).contains(&text.len());
        if fits
            && text.bytes().next().is_some_and(plain)
            && text.bytes().all(|byte| plain(byte) || matches!(byte, b'-' | b'_'))
        {
            Ok(Self(text.into()))
        } else {
            Err(LabelError)
        }
    }
}

impl TryFrom<String> for Label {
    type Error = LabelError;

    fn try_from(text: String) -> Result<Self, LabelError> {
        text.parse()
    }
}

impl From<Label> for String {
    fn from(label: Label) -> Self {
        label.0.into()
    }
}

impl Name {
    /// Where it lies below the repository's folder.
    #[must_use]
    pub fn path(&self) -> String {
        match self {
            Self::Slot { board, channel, version, sha256 } => {
                format!("targets/{board}/{channel}/{sha256}.hearth_{version}.efi")
            }
            Self::Chunks { board, channel, version, header } => {
                format!("targets/{board}/{channel}/{header}.hearth_{version}.chunks")
            }
            Self::Remakes { board, channel, version, header } => {
                format!("targets/{board}/{channel}/{header}.hearth_{version}.remakes")
            }
            Self::Root(_) | Self::Timestamp | Self::Snapshot(_) | Self::Targets(_) => {
                format!("metadata/{}", self.file())
            }
        }
    }

    /// Its name without folders.
    #[must_use]
    pub fn file(&self) -> String {
        match self {
            Self::Root(version) => format!("{version}.root.json"),
            Self::Timestamp => "timestamp.json".to_owned(),
            Self::Snapshot(version) => format!("{version}.snapshot.json"),
            Self::Targets(version) => format!("{version}.targets.json"),
            Self::Slot { version, sha256, .. } => format!("{sha256}.hearth_{version}.efi"),
            Self::Chunks { version, header, .. } => format!("{header}.hearth_{version}.chunks"),
            Self::Remakes { version, header, .. } => format!("{header}.hearth_{version}.remakes"),
        }
    }

    /// Reads the name of a metadata file, as [`Name::file`] writes it.
    #[must_use]
    pub fn metadata(file: &str) -> Option<Self> {
        if file == "timestamp.json" {
            return Some(Self::Timestamp);
        }
        let (version, role) = file.split_once('.')?;
        let number: u32 = version.parse().ok()?;
        let name = match role {
            "root.json" => Self::Root(number),
            "snapshot.json" => Self::Snapshot(number),
            "targets.json" => Self::Targets(number),
            _other => return None,
        };
        // One text for each name: no plus sign and no zeros before it.
        (name.file() == file).then_some(name)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file())
    }
}

/// How a slot file is called in the signed list.
pub(crate) fn target(board: &Label, channel: &Label, version: &Version) -> String {
    format!("{board}/{channel}/hearth_{version}.efi")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels() {
        for text in ["x86_64", "rpi4", "stable", "9-lives"] {
            assert_eq!(text.parse::<Label>().unwrap().as_str(), text);
        }
        for text in ["", "-a", "_a", "A", "a/b", "a.b", "..", "a b", &"a".repeat(33)] {
            assert_eq!(text.parse::<Label>(), Err(LabelError), "{text}");
        }
    }

    #[test]
    fn names_of_metadata_are_read_as_they_are_written() {
        for name in [Name::Root(1), Name::Timestamp, Name::Snapshot(7), Name::Targets(u32::MAX)] {
            assert_eq!(Name::metadata(&name.file()), Some(name));
        }
        for file in [
            "root.json",
            "01.root.json",
            "+1.root.json",
            "1.root.json.new",
            "../1.root.json",
            "4294967296.root.json",
            "",
        ] {
            assert_eq!(Name::metadata(file), None, "{file}");
        }
    }

    #[test]
    fn a_slot_lies_below_its_board_and_channel() {
        let sha256 = Sha256([0xab; 32]);
        let (board, channel) = ("x86_64".parse::<Label>().unwrap(), "stable".parse::<Label>().unwrap());
        let version: Version = "1.9".parse().unwrap();
        assert_eq!(target(&board, &channel, &version), "x86_64/stable/hearth_1.9.efi");
        let name = Name::Slot { board, channel, version, sha256 };
        assert_eq!(name.path(), format!("targets/x86_64/stable/{sha256}.hearth_1.9.efi"));
    }
}
