//! That somebody accepted an older copy: written down for the next start of hostd, in memory, and good for one try.

use serde::Deserialize;
use serde::Serialize;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use store::Rollback;

const FILE: &str = "accepted-rollback.json";

/// An acceptance that could not be written down or read.
#[derive(Debug, thiserror::Error)]
#[error("{doing} {}", path.display())]
pub struct AcceptanceError {
    doing: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Accepted {
    store: Option<u64>,
    anchor: u64,
}

/// Writes down that this very rollback was accepted.
///
/// # Errors
///
/// When the folder does not take it.
pub fn note(folder: &Path, Rollback { store, anchor }: Rollback) -> Result<(), AcceptanceError> {
    let path = folder.join(FILE);
    let written = serde_json::to_vec(&Accepted { store, anchor })
        .map_err(io::Error::other)
        .and_then(|text| fs::write(&path, text));
    written.map_err(|source| AcceptanceError { doing: "write", path, source })
}

/// Takes what was written down; it is gone afterwards, so that nothing but the next start accepts anything.
///
/// # Errors
///
/// When there is one that cannot be read or removed.
pub fn take(folder: &Path) -> Result<Option<Rollback>, AcceptanceError> {
    let path = folder.join(FILE);
    let failed = |doing, source| AcceptanceError { doing, path: path.clone(), source };
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(failed("read", source)),
    };
    fs::remove_file(&path).map_err(|source| failed("remove", source))?;
    let Accepted { store, anchor } =
        serde_json::from_slice(&text).map_err(|error| failed("understand", error.into()))?;
    Ok(Some(Rollback { store, anchor }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_good_for_one_try_and_for_what_was_shown() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(take(folder.path()).unwrap(), None);
        let seen = Rollback { store: Some(3), anchor: 9 };
        note(folder.path(), seen).unwrap();
        assert_eq!(take(folder.path()).unwrap(), Some(seen));
        assert_eq!(take(folder.path()).unwrap(), None);
        fs::write(folder.path().join(FILE), "{}").unwrap();
        take(folder.path()).unwrap_err();
        assert_eq!(take(folder.path()).unwrap(), None);
    }
}
