//! Putting a restored store in the place of the empty one that a new box begins with.
//!
//! ```text
//! store.restored (whole, checked, closed) → restored.json (from here on it is the box's store)
//! next start: store → store.before, store.restored → store, sealed.restored → sealed → opened → store.before and restored.json removed
//! ```
//! It happens at a start, because a store that is open still writes by its name. Each step may be done twice: whenever the power goes, the
//! next start goes on. The restored store was never opened on this box, so the box's anchor calls it an older copy. What is
//! accepted is that very rollback, and nothing else: after its first opening the anchor is beyond it.

use super::STORE_FOLDER;
use crate::vaults::restored::SEALED_FOLDER;
use serde::Deserialize;
use serde::Serialize;
use std::fs;
use std::fs::DirBuilder;
use std::fs::File;
use std::io;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::path::PathBuf;
use store::Rollback;

/// Where a restored store is made.
const ASIDE: &str = "store.restored";
/// Where sealed private files are put.
const SEALED_ASIDE: &str = "sealed.restored";
/// The store before it.
const BEFORE: &str = "store.before";
const NOTE: &str = "restored.json";
const NOTE_ASIDE: &str = "restored.json.aside";

/// A step that failed.
#[derive(Debug, thiserror::Error)]
#[error("{doing} {}", path.display())]
pub struct ExchangeError {
    doing: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    anchor: Option<u64>,
}

/// Where a restored store is to be made, below hostd's folder; nothing is there.
///
/// # Errors
///
/// When what was left there cannot be removed.
pub fn place(state: &Path) -> Result<PathBuf, ExchangeError> {
    let path = state.join(ASIDE);
    remove(&path)?;
    Ok(path)
}

/// Where private files that were restored are put, sealed; an empty folder.
///
/// # Errors
///
/// When what was left there cannot be removed, or it cannot be made.
pub fn place_of_sealed(state: &Path) -> Result<PathBuf, ExchangeError> {
    let path = state.join(SEALED_ASIDE);
    remove(&path)?;
    let made = DirBuilder::new().mode(0o700).create(&path);
    made.map_err(|source| ExchangeError { doing: "make", path: path.clone(), source })?;
    Ok(path)
}

/// What lies below it is on the disk already; now its folders are found there too.
///
/// # Errors
///
/// When the file system refuses.
pub fn sync_sealed(path: &Path) -> Result<(), ExchangeError> {
    sync(path)
}

/// From the next start on, the restored store is the box's.
///
/// # Errors
///
/// When that cannot be written down; then nothing has changed.
pub fn commit(state: &Path, anchor: Option<u64>) -> Result<(), ExchangeError> {
    let (path, aside) = (state.join(NOTE), state.join(NOTE_ASIDE));
    let written = serde_json::to_vec(&Note { anchor }).map_err(io::Error::other).and_then(|text| {
        let mut file = File::create(&aside)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&aside, &path)
    });
    written.map_err(|source| ExchangeError { doing: "write", path, source })?;
    sync(state)
}

/// Puts a restored store in place, if one waits for that; says what the anchor will call it. Nobody has a store open.
///
/// # Errors
///
/// When a step fails; the next start tries again.
pub fn take_place(state: &Path) -> Result<Option<Rollback>, ExchangeError> {
    let path = state.join(NOTE);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(ExchangeError { doing: "read", path, source }),
    };
    let note: Note = serde_json::from_slice(&text).map_err(|error| ExchangeError {
        doing: "understand",
        path,
        source: error.into(),
    })?;
    let (aside, live) = (state.join(ASIDE), state.join(STORE_FOLDER));
    if aside.is_dir() {
        if live.is_dir() {
            remove(&state.join(BEFORE))?;
            rename(&live, &state.join(BEFORE))?;
        }
        rename(&aside, &live)?;
        sync(state)?;
        tracing::info!("a restored store was put in place");
    }
    let sealed = state.join(SEALED_ASIDE);
    if sealed.is_dir() {
        // Nobody's: this box had no users before.
        remove(&state.join(SEALED_FOLDER))?;
        rename(&sealed, &state.join(SEALED_FOLDER))?;
        sync(state)?;
    }
    Ok(note.anchor.map(|anchor| Rollback { store: None, anchor }))
}

/// A store was opened: what a restore has left beside it is of no use any more.
///
/// # Errors
///
/// When it cannot be removed.
pub fn settle(state: &Path) -> Result<(), ExchangeError> {
    // It could not be put in place at this start; the next one tries again.
    if state.join(NOTE).exists() && (state.join(ASIDE).is_dir() || state.join(SEALED_ASIDE).is_dir()) {
        return Ok(());
    }
    remove(&state.join(NOTE))?;
    remove(&state.join(NOTE_ASIDE))?;
    remove(&state.join(BEFORE))?;
    remove(&state.join(ASIDE))?;
    remove(&state.join(SEALED_ASIDE))
}

fn rename(from: &Path, to: &Path) -> Result<(), ExchangeError> {
    fs::rename(from, to).map_err(|source| ExchangeError { doing: "rename", path: from.to_owned(), source })
}

fn remove(path: &Path) -> Result<(), ExchangeError> {
    let removed = match fs::symlink_metadata(path) {
        Err(_not_there) => return Ok(()),
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_file) => fs::remove_file(path),
    };
    removed.map_err(|source| ExchangeError { doing: "remove", path: path.to_owned(), source })
}

fn sync(folder: &Path) -> Result<(), ExchangeError> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|source| ExchangeError { doing: "sync", path: folder.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEPT: Rollback = Rollback { store: None, anchor: 7 };

    fn new_box() -> tempfile::TempDir {
        let state = tempfile::tempdir().unwrap();
        fs::create_dir(state.path().join(STORE_FOLDER)).unwrap();
        fs::write(state.path().join("store/old"), "").unwrap();
        let made = place(state.path()).unwrap();
        fs::create_dir(&made).unwrap();
        fs::write(made.join("new"), "").unwrap();
        let sealed = place_of_sealed(state.path()).unwrap();
        fs::write(sealed.join("anna"), "").unwrap();
        state
    }

    #[test]
    fn what_was_not_committed_goes() {
        let state = new_box();
        assert_eq!(take_place(state.path()).unwrap(), None);
        settle(state.path()).unwrap();
        assert!(state.path().join("store/old").exists() && !state.path().join(ASIDE).exists());
        assert!(!state.path().join(SEALED_ASIDE).exists() && !state.path().join(SEALED_FOLDER).exists());
    }

    #[test]
    fn what_was_committed_takes_the_place_wherever_the_power_goes() {
        for cut_after in 0..4 {
            let state = new_box();
            commit(state.path(), Some(7)).unwrap();
            // What a start before this one came to do.
            if cut_after > 0 {
                rename(&state.path().join(STORE_FOLDER), &state.path().join(BEFORE)).unwrap();
            }
            if cut_after > 1 {
                rename(&state.path().join(ASIDE), &state.path().join(STORE_FOLDER)).unwrap();
            }
            if cut_after > 2 {
                rename(&state.path().join(SEALED_ASIDE), &state.path().join(SEALED_FOLDER)).unwrap();
            }
            for _again in 0..2 {
                assert_eq!(take_place(state.path()).unwrap(), Some(KEPT));
                assert!(state.path().join("store/new").exists(), "{cut_after}");
                assert!(state.path().join("sealed/anna").exists(), "{cut_after}");
            }
            settle(state.path()).unwrap();
            assert_eq!(take_place(state.path()).unwrap(), None);
            let mut left: Vec<_> =
                fs::read_dir(state.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            left.sort();
            assert_eq!(left, [SEALED_FOLDER, STORE_FOLDER]);
        }
    }
}
