//! The notes that outlive slots, on the data partition.

use std::io;
use std::path::Path;
use std::path::PathBuf;

use slots::Note;
use slots::Notes;

use crate::durable;
use crate::durable::Lasting;

/// Longest document, in bytes: sixteen failures with their reasons take a third of it, whatever signs they are made of.
pub const MAX_NOTES: usize = 64 * 1024;

const FILE: &str = "notes.json";

/// A note that was not taken down.
#[derive(Debug, thiserror::Error)]
pub enum NotebookError {
    /// The file.
    #[error("writing {}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
    /// It cannot be put into words; a mistake of this program.
    #[error("putting the notes into words")]
    Encode(#[source] serde_json::Error),
}

/// The notes, and where they lie.
#[derive(Debug)]
pub struct Notebook {
    path: Option<PathBuf>,
    notes: Notes,
}

impl Notebook {
    /// Opens it. While the data is locked there is no folder: then notes are taken in memory only. A document that is not understood
    /// begins anew, and the second value says so: what failed could be tried once more, which does no harm.
    #[must_use]
    pub fn open(folder: &Path) -> (Self, Option<String>) {
        if !folder.is_dir() {
            return (Self { path: None, notes: Notes::default() }, None);
        }
        let path = folder.join(FILE);
        let read = match durable::read(&path, MAX_NOTES) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Notes::default()),
            Err(error) => Err(error.to_string()),
            Ok(bytes) => decode(&bytes).map_err(|error| error.to_string()),
        };
        match read {
            Ok(notes) => (Self { path: Some(path), notes }, None),
            Err(why) => {
                let told = format!("the notes of failed updates cannot be read and begin anew: {why}");
                (Self { path: Some(path), notes: Notes::default() }, Some(told))
            }
        }
    }

    /// What is noted.
    #[must_use]
    pub fn notes(&self) -> &Notes {
        &self.notes
    }

    /// Whether notes last: the data is open.
    #[must_use]
    pub fn lasts(&self) -> bool {
        self.path.is_some()
    }

    /// Takes a note down; it is on the disk when this returns.
    ///
    /// # Errors
    /// When the folder does not take the file.
    pub fn apply(&mut self, note: &Note) -> Result<(), NotebookError> {
        let mut notes = self.notes.clone();
        notes.apply(note);
        if let Some(path) = &self.path {
            let text = serde_json::to_vec(&notes).map_err(NotebookError::Encode)?;
            durable::replace(path, &text, 0o600, Lasting::Yes)
                .map_err(|source| NotebookError::Write { path: path.clone(), source })?;
        }
        self.notes = notes;
        Ok(())
    }
}

/// Reads the document.
///
/// # Errors
/// When it is none.
pub fn decode(bytes: &[u8]) -> serde_json::Result<Notes> {
    serde_json::from_slice(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use slots::Reason;

    use super::*;

    fn failed(version: &str) -> Note {
        Note::Failed { version: version.parse().unwrap(), reason: Reason::DidNotLoad }
    }

    #[test]
    fn notes_last_when_the_data_is_open() {
        let folder = tempfile::tempdir().unwrap();
        let (mut notebook, told) = Notebook::open(folder.path());
        assert_eq!((notebook.lasts(), told), (true, None));
        notebook.apply(&failed("2")).unwrap();
        assert_eq!(Notebook::open(folder.path()).0.notes(), notebook.notes());
        let (mut locked, told) = Notebook::open(&folder.path().join("missing"));
        assert_eq!((locked.lasts(), told), (false, None));
        locked.apply(&failed("3")).unwrap();
        assert_eq!(locked.notes().failures().len(), 1);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_torn_document_begins_anew_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let mut whole = Notes::default();
        whole.apply(&failed("2"));
        let whole = serde_json::to_vec(&whole).unwrap();
        for damaged in [&whole[..whole.len() / 2], b"", b"\0\0\0\0", &[b' '; MAX_NOTES + 1]] {
            fs::write(&path, damaged).unwrap();
            let (mut notebook, told) = Notebook::open(folder.path());
            assert!(told.unwrap().contains("begin anew"), "{damaged:?}");
            assert_eq!(notebook.notes(), &Notes::default());
            notebook.apply(&failed("3")).unwrap();
            assert_eq!(Notebook::open(folder.path()).0.notes().failures().len(), 1);
        }
    }

    #[test]
    fn the_longest_notes_fit() {
        let mut notes = Notes::default();
        for number in 0..slots::MAX_FAILURES {
            let version = format!("{number}{}", "1".repeat(slots::MAX_VERSION - 2)).parse().unwrap();
            let why = slots::Words::new(&"\"".repeat(slots::MAX_WORDS));
            notes.apply(&Note::Failed { version, reason: Reason::Unhealthy { why } });
        }
        assert!(serde_json::to_vec(&notes).unwrap().len() < MAX_NOTES / 3);
    }
}
