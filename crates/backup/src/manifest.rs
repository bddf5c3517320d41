//! The manifest of a snapshot: every file with its SHA-256, one JSON document a line.
//!
//! It lies in the snapshot itself, in the order of the walk, so that writing, comparing and restoring are one pass
//! over both with little memory.

use crate::key::HouseholdId;
use crate::key::hex;
use serde::Deserialize;
use serde::Serialize;
use std::ffi::OsString;
use std::io;
use std::io::BufRead;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::path::PathBuf;

/// The folder of what was saved, in the snapshot.
pub(crate) const FILES: &str = "files";
/// The folder of the manifest. It comes behind `files` in the order of names: it is made last.
pub(crate) const FOLDER: &str = "manifest";
/// What the manifest's name ends in. Its beginning is new each time, so that rustic never takes the last one for it:
/// a manifest that is as long as the last one would be "unchanged".
pub(crate) const SUFFIX: &str = ".jsonl";
pub(crate) const VERSION: u32 = 1;
/// Longest line: a path of 4 KiB whose bytes are all escaped, and a link's target.
const MAX_LINE: u64 = 64 * 1024;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Line {
    /// The first one.
    Manifest {
        version: u32,
        household: HouseholdId,
        taken: u64,
    },
    Folder {
        path: String,
    },
    File {
        path: String,
        size: u64,
        sha256: String,
    },
    Link {
        path: String,
        target: String,
    },
    /// The last one.
    End {
        files: u64,
        bytes: u64,
    },
}

/// Why a manifest cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ManifestError {
    #[error("the manifest cannot be read")]
    Read(#[source] io::Error),
    #[error("line {number} of the manifest is damaged")]
    Line { number: u64, source: serde_json::Error },
    #[error("the manifest has version {found}, this system knows {VERSION}")]
    Version { found: u32 },
    #[error("the manifest is cut short or has no beginning")]
    Incomplete,
}

/// Paths are bytes; what is not UTF-8, and `%`, is written as `%` and two digits.
pub(crate) fn path_text(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        text.push_str(&chunk.valid().replace('%', "%25"));
        for byte in chunk.invalid() {
            text.push('%');
            text.push_str(&hex(&[*byte]));
        }
    }
    text
}

/// The way back; nothing when the text was not made by [`path_text`].
pub(crate) fn path_from_text(text: &str) -> Option<PathBuf> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut parts = text.split('%');
    bytes.extend_from_slice(parts.next()?.as_bytes());
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    let path = PathBuf::from(OsString::from_vec(bytes));
    (path_text(&path) == text).then_some(path)
}

/// Reads line by line; the first and the last are checked here.
pub(crate) struct Reader<R> {
    input: R,
    number: u64,
    files: u64,
    bytes: u64,
    ended: bool,
}

impl<R: BufRead> Reader<R> {
    /// Reads the first line.
    pub(crate) fn new(input: R) -> Result<(Self, HouseholdId), ManifestError> {
        let mut reader = Self { input, number: 0, files: 0, bytes: 0, ended: false };
        match reader.line()? {
            Line::Manifest { version: VERSION, household, .. } => Ok((reader, household)),
            Line::Manifest { version, .. } => Err(ManifestError::Version { found: version }),
            Line::Folder { .. } | Line::File { .. } | Line::Link { .. } | Line::End { .. } => {
                Err(ManifestError::Incomplete)
            }
        }
    }

    /// The next entry, nothing after the last.
    pub(crate) fn entry(&mut self) -> Result<Option<Line>, ManifestError> {
        if self.ended {
            return Ok(None);
        }
        let line = self.line()?;
        match &line {
            Line::Manifest { .. } => return Err(ManifestError::Incomplete),
            Line::File { size, .. } => {
                self.files += 1;
                self.bytes = self.bytes.saturating_add(*size);
            }
            Line::End { files, bytes } => {
                self.ended = (*files, *bytes) == (self.files, self.bytes);
                return if self.ended { Ok(None) } else { Err(ManifestError::Incomplete) };
            }
            Line::Folder { .. } | Line::Link { .. } => {}
        }
        Ok(Some(line))
    }

    fn line(&mut self) -> Result<Line, ManifestError> {
        let mut line = Vec::new();
        self.number += 1;
        self.input.by_ref().take(MAX_LINE).read_until(b'\n', &mut line).map_err(ManifestError::Read)?;
        if line.last() != Some(&b'\n') {
            return Err(ManifestError::Incomplete);
        }
        serde_json::from_slice(&line).map_err(|source| ManifestError::Line { number: self.number, source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::any;
    use proptest::prop_assert_eq;
    use proptest::proptest;
    use std::ffi::OsStr;

    fn written(lines: &[Line]) -> Vec<u8> {
        let mut text = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut text, line).unwrap();
            text.push(b'\n');
        }
        text
    }

    fn sample() -> Vec<Line> {
        vec![
            Line::Manifest { version: 1, household: HouseholdId::new("maple").unwrap(), taken: 5 },
            Line::Folder { path: "files".into() },
            Line::File { path: "files/a".into(), size: 3, sha256: "00".into() },
            Line::Link { path: "files/b".into(), target: "a".into() },
            Line::End { files: 1, bytes: 3 },
        ]
    }

    fn read(text: &[u8]) -> Result<Vec<Line>, ManifestError> {
        let (mut reader, _) = Reader::new(text)?;
        let mut lines = Vec::new();
        while let Some(line) = reader.entry()? {
            lines.push(line);
        }
        Ok(lines)
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(read(&written(&sample())).unwrap(), sample()[1..4]);
    }

    #[test]
    fn every_cut_is_noticed() {
        let text = written(&sample());
        for length in 0..text.len() {
            read(&text[..length]).unwrap_err();
        }
    }

    #[test]
    fn a_missing_line_is_noticed() {
        let mut lines = sample();
        lines.remove(2);
        assert!(matches!(read(&written(&lines)).unwrap_err(), ManifestError::Incomplete));
    }

    #[test]
    fn a_newer_version_is_named() {
        let mut lines = sample();
        lines[0] = Line::Manifest { version: 2, household: HouseholdId::new("maple").unwrap(), taken: 5 };
        assert!(matches!(read(&written(&lines)).unwrap_err(), ManifestError::Version { found: 2 }));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(text in any::<Vec<u8>>()) {
            read(&text).unwrap_err();
        }

        #[test]
        fn paths_survive_their_text(bytes in any::<Vec<u8>>()) {
            let path = Path::new(OsStr::from_bytes(&bytes));
            prop_assert_eq!(path_from_text(&path_text(path)).unwrap(), path);
        }

        #[test]
        fn arbitrary_text_is_no_second_name(text in any::<String>()) {
            if let Some(path) = path_from_text(&text) {
                prop_assert_eq!(path_text(&path), text);
            }
        }
    }
}
