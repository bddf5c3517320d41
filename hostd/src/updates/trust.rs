//! What the image says of updates: the keys that it trusts, and where they come from.

use serde::Deserialize;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use update::Label;
use update::MAX_ROOT;

/// Longest description of the source, in bytes.
const MAX_SOURCE: u64 = 4096;
/// The keys.
const ROOT: &str = "root.json";
/// The source.
const SOURCE: &str = "source.json";

/// What the image says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trusted {
    /// The trusted keys, as signed metadata.
    pub root: Vec<u8>,
    /// Where updates come from, if the image says so.
    pub source: Option<ImageSource>,
}

/// Where updates come from. A later image may say more.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ImageSource {
    /// The repository; none where the owner has to name one.
    pub url: Option<String>,
    /// The channel.
    pub channel: Label,
}

/// Why what the image says is of no use.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// It is not understood.
    #[error("{} says nothing that is understood", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

/// Reads it; nothing where the image has no keys.
///
/// # Errors
///
/// A file is there and of no use.
pub fn load(folder: &Path) -> Result<Option<Trusted>, TrustError> {
    let Some(root) = read(&folder.join(ROOT), MAX_ROOT)? else { return Ok(None) };
    let path = folder.join(SOURCE);
    let source = match read(&path, MAX_SOURCE)? {
        Some(bytes) => {
            Some(serde_json::from_slice(&bytes).map_err(|source| TrustError::Content { path, source })?)
        }
        None => None,
    };
    Ok(Some(Trusted { root, source }))
}

fn read(path: &Path, most: u64) -> Result<Option<Vec<u8>>, TrustError> {
    let failed = |source| TrustError::Read { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(failed(source)),
    };
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > most {
        return Err(failed(io::ErrorKind::FileTooLarge.into()));
    }
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn an_image_without_keys_has_no_updates_and_a_strange_one_is_told() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(load(folder.path()).unwrap(), None);
        fs::write(folder.path().join(ROOT), "{}").unwrap();
        assert_eq!(load(folder.path()).unwrap(), Some(Trusted { root: b"{}".to_vec(), source: None }));
        let source = folder.path().join(SOURCE);
        fs::write(&source, r#"{"url":"https://updates.example","channel":"stable","more":1}"#).unwrap();
        let read = load(folder.path()).unwrap().unwrap().source.unwrap();
        assert_eq!((read.url.as_deref(), read.channel.as_str()), (Some("https://updates.example"), "stable"));
        fs::write(&source, r#"{"channel":"development"}"#).unwrap();
        assert_eq!(load(folder.path()).unwrap().unwrap().source.unwrap().url, None);
        fs::write(&source, "{").unwrap();
        assert!(matches!(load(folder.path()), Err(TrustError::Content { .. })));
        fs::write(&source, " ".repeat(5000)).unwrap();
        assert!(matches!(load(folder.path()), Err(TrustError::Read { .. })));
    }
}
