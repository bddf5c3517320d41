//! What one run of storaged leaves for the next and for others, in a folder in memory: it is gone with the power.
//!
//! | file | for | holds |
//! |---|---|---|
//! | `unlock.json` | everybody | [`UnlockReport`] |
//! | `device` | storaged | the partition's device node |
//! | `took_ms` | who measures | how long the boot waited for it, in milliseconds |
//! | `opening.key` | root | a key that opens the partition, for changes of its keys |

use crate::key::Key;
use model::storage::UnlockReport;
use std::fs;
use std::fs::File;
use std::fs::Permissions;
use std::io;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

const REPORT: &str = "unlock.json";
const DEVICE: &str = "device";
const TOOK: &str = "took_ms";
const OPENING_KEY: &str = "opening.key";

/// A note that could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum NotesError {
    /// A file operation.
    #[error("{doing} {}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The report is none.
    #[error("understand {}", path.display())]
    Report {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
}

/// The folder.
#[derive(Clone, Debug)]
pub struct Notes {
    folder: PathBuf,
}

impl Notes {
    /// In this folder.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Makes the folder and notes which partition it is about.
    ///
    /// # Errors
    /// When the folder does not take it.
    pub fn begin(&self, device: &Path) -> Result<(), NotesError> {
        // hostd reads the report; the key has a mode of its own.
        fs::create_dir_all(&self.folder)
            .and_then(|()| fs::set_permissions(&self.folder, Permissions::from_mode(0o755)))
            .map_err(|source| NotesError::Io { doing: "make", path: self.folder.clone(), source })?;
        self.write(DEVICE, device.as_os_str().as_encoded_bytes(), 0o644)
    }

    /// Says how long it took to open or make.
    ///
    /// # Errors
    /// When the folder does not take it.
    pub fn tell_duration(&self, took: Duration) -> Result<(), NotesError> {
        self.write(TOOK, took.as_millis().to_string().as_bytes(), 0o644)
    }

    /// The partition's device; none when nobody has looked for one in this boot.
    ///
    /// # Errors
    /// When the note cannot be read.
    pub fn device(&self) -> Result<Option<PathBuf>, NotesError> {
        let path = self.folder.join(DEVICE);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(PathBuf::from(text))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(NotesError::Io { doing: "read", path, source }),
        }
    }

    /// Writes the report.
    ///
    /// # Errors
    /// When the folder does not take it.
    pub fn tell(&self, report: &UnlockReport) -> Result<(), NotesError> {
        let path = self.folder.join(REPORT);
        let text = serde_json::to_vec(report).map_err(|source| NotesError::Report { path, source })?;
        self.write(REPORT, &text, 0o644)
    }

    /// The last report.
    ///
    /// # Errors
    /// When it is missing or not understood.
    pub fn told(&self) -> Result<UnlockReport, NotesError> {
        let path = self.folder.join(REPORT);
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|source| NotesError::Report { path, source }),
            Err(source) => Err(NotesError::Io { doing: "read", path, source }),
        }
    }

    /// Keeps a key that opens the partition, in place of the one before.
    ///
    /// # Errors
    /// When the folder does not take it.
    pub fn keep_opening_key(&self, key: &Key) -> Result<(), NotesError> {
        self.write(OPENING_KEY, key.bytes(), 0o600)
    }

    /// The key that opens the partition.
    ///
    /// # Errors
    /// When none is kept, or it cannot be read.
    pub fn opening_key(&self) -> Result<Key, NotesError> {
        let path = self.folder.join(OPENING_KEY);
        let read = fs::read(&path).map(Key::from_bytes);
        read.map_err(|source| NotesError::Io { doing: "read", path, source })
    }

    /// Writes a file; a reader sees the one before or this one.
    fn write(&self, name: &str, bytes: &[u8], mode: u32) -> Result<(), NotesError> {
        let path = self.folder.join(name);
        let aside = path.with_extension("aside");
        let write = || {
            if aside.exists() {
                fs::remove_file(&aside)?;
            }
            let mut file = File::options().write(true).create_new(true).mode(mode).open(&aside)?;
            file.write_all(bytes)?;
            fs::rename(&aside, &path)
        };
        write().map_err(|source| NotesError::Io { doing: "write", path: path.clone(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_read_as_they_were_written_and_the_key_by_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let notes = Notes::in_folder(&folder.path().join("storage"));
        assert_eq!(notes.device().unwrap(), None);
        notes.told().unwrap_err();
        notes.begin(Path::new("/dev/vda2")).unwrap();
        assert_eq!(notes.device().unwrap(), Some(PathBuf::from("/dev/vda2")));
        let report = UnlockReport::Failed { reason: "no header".to_owned() };
        notes.tell(&report).unwrap();
        assert_eq!(notes.told().unwrap(), report);
        for key in [Key::random().unwrap(), Key::random().unwrap()] {
            notes.keep_opening_key(&key).unwrap();
            assert_eq!(notes.opening_key().unwrap().bytes(), key.bytes());
        }
        let mode = |name| fs::metadata(notes.folder.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(OPENING_KEY), mode(REPORT)), (0o600, 0o644));
        assert_eq!(fs::read_dir(&notes.folder).unwrap().count(), 3);
    }
}
