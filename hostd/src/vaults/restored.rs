//! Private files that came out of a backup, sealed: opened into their vault when that is opened first.
//!
//! ```text
//! <state>/sealed/<vault>: a file ── opened, written aside, synced, renamed ──> in the vault ──> its sealed copy removed
//!                         all of them, or those that do not open named and kept ──> the vault is open
//! ```
//! A file that the vault has already counts as opened, so a cut anywhere goes on with the next opening. Nobody works in the vault meanwhile. Of
//! files that did not open a list stays; each opening tries them again, until their user has written one of that name.

use super::files::FileName;
use super::files::Writing;
use crate::backups::error::chain;
use backup::ArchiveKey;
use backup::Cancel;
use backup::SealedFile;
use backup::SealedFolder;
use backup::SealedFolderError;
use backup::UnsealError;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;
use tokio::sync::watch;

/// Folder of sealed files beside that of vaults.
pub(crate) const SEALED_FOLDER: &str = "sealed";
/// Beginning of names of folders whose files are all opened.
const OPENED: &str = "opened-";
/// Files that are named in a problem; more are counted.
const MAX_NAMED: usize = 10;

/// How far the opening is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Files done.
    pub files: u64,
    /// Files in all.
    pub files_total: u64,
    /// Bytes done.
    pub bytes: u64,
    /// Bytes in all.
    pub bytes_total: u64,
}

/// An opening that runs.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) folder: PathBuf,
    pub(super) cancel: Cancel,
    progress: Mutex<Progress>,
    ended: watch::Sender<bool>,
}

/// Says that an opening has ended, however it did.
pub(super) struct Ends(pub(super) std::sync::Arc<Opening>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.ended.send_replace(true);
    }
}

/// Why not all of it was opened.
#[derive(Debug, thiserror::Error)]
pub enum RestoredError {
    /// The folder as a whole does not open.
    #[error("the private files from the backup cannot be opened")]
    Sealed(#[from] SealedFolderError),
    /// The folder was not removed.
    #[error("{doing} the folder of private files from the backup")]
    Folder {
        /// What was being done to it.
        doing: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The rest was opened.
    #[error("private files from the backup could not be opened: {named}")]
    Files {
        /// Which, and why.
        named: String,
    },
    /// The vault was to be locked meanwhile.
    #[error("the opening of private files from the backup was stopped")]
    Stopped,
}

impl Opening {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, cancel: Cancel::new(), progress: Mutex::default(), ended: watch::Sender::new(false) }
    }

    pub(super) fn progress(&self) -> Progress {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, change: impl FnOnce(&mut Progress)) {
        change(&mut self.progress.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) async fn ended(&self) {
        // The sender lives as long as this.
        drop(self.ended.subscribe().wait_for(|ended| *ended).await);
    }
}

/// Opens everything that waits for this vault; blocks.
pub(super) fn open_all(sealed: &Path, key: &ArchiveKey, opening: &Opening) -> Result<(), RestoredError> {
    let mut folder = SealedFolder::open(&inside(sealed), key)?;
    let files = folder.files().to_vec();
    opening.tell(|progress| {
        progress.files_total = files.len() as u64;
        progress.bytes_total = files.iter().map(|file| file.bytes).sum();
    });
    let (mut left, mut named) = (Vec::new(), Vec::new());
    for file in files {
        let opened = open_one(&folder, &file, opening);
        if opening.cancel.is_cancelled() {
            return Err(RestoredError::Stopped);
        }
        match opened {
            Ok(()) => folder.remove(&file)?,
            Err(why) => {
                named.push(format!("{} ({why})", file.path));
                left.push(file);
            }
        }
        opening.tell(|progress| progress.files += 1);
    }
    if left.is_empty() {
        return remove(sealed);
    }
    let more = named.len().saturating_sub(MAX_NAMED);
    named.truncate(MAX_NAMED);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    folder.keep_only(left)?;
    Err(RestoredError::Files { named: named.join(", ") + &more })
}

fn open_one(folder: &SealedFolder, file: &SealedFile, opening: &Opening) -> Result<(), String> {
    let real = file.real_path().and_then(|path| path.into_os_string().into_string().ok());
    let name = real.and_then(|name| FileName::try_from(name).ok());
    let name = name.ok_or_else(|| "private files cannot be called so".to_owned())?;
    if opening.folder.join(name.as_str()).exists() {
        opening.tell(|progress| progress.bytes += file.bytes);
        return Ok(());
    }
    let mut writing = Writing::begin_aside(&opening.folder).map_err(|error| chain(&error))?;
    let mut out = Out { writing: &mut writing, opening };
    folder.unseal(file, &mut out).map_err(|error: UnsealError| chain(&error))?;
    writing.finish_as_of(&name, modified(file)).map_err(|error| chain(&error))
}

fn modified(file: &SealedFile) -> Option<SystemTime> {
    let (seconds, nanoseconds) = file.modified;
    let nanoseconds = Duration::from_nanos(nanoseconds);
    match u64::try_from(seconds) {
        Ok(seconds) => UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?.checked_add(nanoseconds),
        Err(_before) => {
            let before = UNIX_EPOCH.checked_sub(Duration::from_secs(seconds.unsigned_abs()))?;
            before.checked_add(nanoseconds)
        }
    }
}

struct Out<'a> {
    writing: &'a mut Writing,
    opening: &'a Opening,
}

impl Write for Out<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.opening.cancel.is_cancelled() {
            return Err(io::Error::other("the opening was stopped"));
        }
        self.writing.write(bytes).map_err(io::Error::other)?;
        self.opening.tell(|progress| progress.bytes += bytes.len() as u64);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where a restored snapshot has the files: its source is called as the vault.
fn inside(sealed: &Path) -> PathBuf {
    sealed.join("files").join(sealed.file_name().unwrap_or_default())
}

/// All of it is opened; a cut leaves a folder that nothing is read from any more.
fn remove(sealed: &Path) -> Result<(), RestoredError> {
    let failed = |source| RestoredError::Folder { doing: "remove", source };
    let mut name = std::ffi::OsString::from(OPENED);
    name.push(sealed.file_name().unwrap_or_default());
    let opened = sealed.with_file_name(name);
    let all = sealed.parent().unwrap_or(sealed);
    fs::rename(sealed, &opened).and_then(|()| File::open(all)?.sync_all()).map_err(failed)?;
    fs::remove_dir_all(&opened).map_err(failed)?;
    // Others may wait for their users.
    drop(fs::remove_dir(all));
    Ok(())
}

/// Removes sealed files that nobody will open any more.
pub(super) fn destroy(sealed: &Path) -> Result<(), RestoredError> {
    if sealed.exists() { remove(sealed) } else { Ok(()) }
}

/// Removes what was opened before the power went.
pub(super) fn remove_opened(all: &Path) {
    for entry in fs::read_dir(all).into_iter().flatten().filter_map(Result::ok) {
        let is_opened = entry.file_name().to_str().is_some_and(|name| name.starts_with(OPENED));
        if is_opened && let Err(error) = fs::remove_dir_all(entry.path()) {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "sealed files that were opened are left"
            );
        }
    }
}
