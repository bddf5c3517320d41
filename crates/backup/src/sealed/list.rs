//! The list of what is sealed in a folder.

use crate::manifest::path_from_text;
use crate::manifest::path_text;
use serde::Deserialize;
use serde::Serialize;
use std::path::Path;

const KIND: &str = "hearth-sealed-files";
const VERSION: u32 = 1;

/// A file that was sealed, as it was when it was listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedFile {
    /// Where it lay below its folder; what is not UTF-8, and `%`, is written as `%` and two digits.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// When it was changed: seconds since 1970 and nanoseconds.
    pub modified: (i64, u64),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    kind: String,
    version: u32,
    files: Vec<SealedFile>,
}

impl SealedFile {
    pub(super) fn new(path: &Path, bytes: u64, modified: (i64, u64)) -> Self {
        Self { path: path_text(path), bytes, modified }
    }

    /// The path as it was.
    #[must_use]
    pub fn real_path(&self) -> Option<std::path::PathBuf> {
        path_from_text(&self.path)
    }
}

pub(crate) fn encode(files: &[SealedFile]) -> Vec<u8> {
    let document = Document { kind: KIND.to_owned(), version: VERSION, files: files.to_vec() };
    // Texts and numbers are always JSON.
    serde_json::to_vec(&document).unwrap_or_default()
}

/// Nothing when it is no list of a version this system knows.
pub(crate) fn decode(text: &[u8]) -> Option<Vec<SealedFile>> {
    let document: Document = serde_json::from_slice(text).ok()?;
    (document.kind == KIND && document.version == VERSION).then_some(document.files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn lists_survive_a_round_trip_and_others_are_refused() {
        let odd = Path::new(OsStr::from_bytes(b"50% \xff"));
        let files = [SealedFile::new(Path::new("a/b"), 7, (-5, 9)), SealedFile::new(odd, 0, (0, 0))];
        let text = encode(&files);
        assert_eq!(decode(&text).unwrap(), files);
        assert_eq!(files[1].real_path().unwrap(), odd);
        let newer = String::from_utf8(text).unwrap().replace("\"version\":1", "\"version\":2");
        for bad in [newer.as_str(), "", "{}", "[]"] {
            assert!(decode(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
