//! Documents that netd keeps: JSON files, written aside and renamed.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

/// Longest document that is read, in bytes.
const MAX_LENGTH: u64 = 4 << 20;

/// Why a document could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// Reading failed.
    #[error("read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The text is not what it should be.
    #[error("understand {path}")]
    Understand {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
    /// Writing failed.
    #[error("write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// Whether a document must outlive a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasting {
    /// It lies in RAM.
    UntilReboot,
    /// It is on the disk when writing is done.
    ForGood,
}

/// Reads a document; none when there is no such file.
///
/// # Errors
/// When it cannot be read, is longer than 4 MiB or is not understood.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, DocumentError> {
    let failed = |source| DocumentError::Read { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut text = Vec::new();
    file.take(MAX_LENGTH + 1).read_to_end(&mut text).map_err(failed)?;
    if u64::try_from(text.len()).is_ok_and(|length| length > MAX_LENGTH) {
        return Err(failed(io::Error::other("it is longer than 4 MiB")));
    }
    let parsed = serde_json::from_slice(&text);
    parsed.map(Some).map_err(|source| DocumentError::Understand { path: path.to_owned(), source })
}

/// Writes a document; a reader sees the one before or this one.
///
/// # Errors
/// What the file system said.
pub fn write<T: Serialize>(path: &Path, document: &T, lasting: Lasting) -> Result<(), DocumentError> {
    let written = serde_json::to_vec(document)
        .map_err(io::Error::from)
        .and_then(|text| write_whole(path, &text, lasting));
    written.map_err(|source| DocumentError::Write { path: path.to_owned(), source })
}

/// Writes a file aside and renames it, so that a reader never sees half of it.
///
/// # Errors
/// What the file system said.
pub fn write_whole(path: &Path, bytes: &[u8], lasting: Lasting) -> io::Result<()> {
    let aside = path.with_extension("new");
    let mut file = File::create(&aside)?;
    file.write_all(bytes)?;
    if lasting == Lasting::ForGood {
        file.sync_all()?;
    }
    fs::rename(&aside, path)?;
    if lasting == Lasting::ForGood
        && let Some(folder) = path.parent()
    {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_read_back_and_damaged_ones_are_said_to_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        assert!(read::<Vec<u32>>(&path).unwrap().is_none());
        for lasting in [Lasting::UntilReboot, Lasting::ForGood] {
            write(&path, &vec![1, 2], lasting).unwrap();
            assert_eq!(read::<Vec<u32>>(&path).unwrap().unwrap(), [1, 2]);
        }
        fs::write(&path, "[1, 2").unwrap();
        assert!(matches!(read::<Vec<u32>>(&path), Err(DocumentError::Understand { .. })));
        fs::write(&path, vec![b' '; (4 << 20) + 1]).unwrap();
        assert!(matches!(read::<Vec<u32>>(&path), Err(DocumentError::Read { .. })));
        assert!(write(&folder.path().join("no/b.json"), &1, Lasting::ForGood).is_err());
    }
}
