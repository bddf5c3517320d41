//! The bootstrap file `/data/config.json`: the little that is known before the store opens; everything else is in the store.
//!
//! It is optional and only read. Whoever prepares a card may write it; a mistake in it is told with its line and stops nothing.

use model::names::HostName;
use serde::Deserialize;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;

/// Longest file that is read, in bytes.
const LONGEST: u64 = 64 * 1024;

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bootstrap {
    /// Name of the box until its owner chooses one.
    pub domain: HostName,
}

/// Why the file is of no use; defaults hold then.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// It is there and cannot be read.
    #[error("read the bootstrap file")]
    Read {
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// More than 64 KiB.
    #[error("the bootstrap file is longer than {LONGEST} bytes")]
    TooLong,
    /// No JSON, or not what belongs there; the source names line and column.
    #[error("understand the bootstrap file")]
    Content {
        /// Where and what.
        #[source]
        source: serde_json::Error,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(rename = "version")]
    _version: Version,
    #[serde(default)]
    domain: HostName,
}

/// The only version there is; another one is refused with its line.
#[derive(Debug, Deserialize)]
#[serde(try_from = "u32")]
struct Version;

impl TryFrom<u32> for Version {
    type Error = String;

    fn try_from(number: u32) -> Result<Self, Self::Error> {
        if number == 1 { Ok(Self) } else { Err(format!("version {number} is not known, only 1 is")) }
    }
}

/// Reads the file; one that is not there says nothing.
///
/// # Errors
///
/// When it is there and of no use. It is never changed.
pub fn load(path: &Path) -> Result<Bootstrap, BootstrapError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Bootstrap::default()),
        Err(source) => return Err(BootstrapError::Read { source }),
    };
    let mut bytes = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(|source| BootstrapError::Read { source })?;
    if bytes.len() as u64 > LONGEST {
        return Err(BootstrapError::TooLong);
    }
    parse(&bytes)
}

/// Understands the file's content.
///
/// # Errors
///
/// Names line and column of the first mistake.
pub fn parse(bytes: &[u8]) -> Result<Bootstrap, BootstrapError> {
    let document: Document =
        serde_json::from_slice(bytes).map_err(|source| BootstrapError::Content { source })?;
    Ok(Bootstrap { domain: document.domain })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error as _;

    #[test]
    fn an_absent_file_says_nothing_and_a_good_one_names_the_box() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        assert_eq!(load(&path).unwrap(), Bootstrap::default());
        std::fs::write(&path, "{\n  \"version\": 1,\n  \"domain\": \"attic\"\n}\n").unwrap();
        assert_eq!(load(&path).unwrap().domain.as_str(), "attic");
    }

    #[test]
    fn a_mistake_is_named_with_its_line_and_the_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        for (text, line) in [
            ("{\n  \"version\": 1,\n  \"domain\": attic\n}", "line 3"),
            ("{\n  \"version\": 1,\n  \"domian\": \"attic\"\n}", "line 3"),
            ("{\n  \"version\": 1,\n  \"domain\": \"Not A Name\" }", "line 3"),
            ("{\n  \"version\": 2 }", "line 2"),
            ("", "line 1"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = load(&path).unwrap_err();
            let cause = error.source().unwrap().to_string();
            assert!(cause.contains(line), "{text}: {cause}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn a_file_without_end_is_not_read() {
        assert!(matches!(load(Path::new("/dev/zero")), Err(BootstrapError::TooLong)));
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..512)) {
            drop(parse(&bytes));
        }
    }
}
