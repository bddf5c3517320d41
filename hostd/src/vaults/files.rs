//! Private files: a flat folder inside of an open vault. All functions block.
//!
//! A file is written aside, synced and renamed: whoever reads gets the old one or the new one, whole, whenever the power goes.

pub mod copying;

use rustix::io::Errno;
use std::fs;
use std::fs::File;
use std::io;
use std::io::ErrorKind;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

/// Longest file in bytes.
pub const MAX_BYTES: u64 = 16 << 20;
/// Most files of a vault: the list is one answer.
pub const MAX_FILES: usize = 1000;
/// Longest name in bytes: what ext4 has room for, less the beginning of names that are written aside.
const MAX_NAME: usize = 200;
/// Beginning of names of files that are being written; no file can be called so.
pub(crate) const ASIDE: &str = ".aside-";

/// Name of a private file: 1 to 200 bytes, no slash, backslash or control character, no full stop at its start, no space at an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName(String);

/// A text that is no name of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a name of a file has 1 to 200 bytes, no slash or control character, no full stop at its start and no space at an end"
)]
pub struct InvalidFileName;

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivateFile {
    /// Its name.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// When it was written, in seconds since 1970 by the box's clock.
    pub modified_unix: u64,
}

/// Why a file was not read or written; it is as it was.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// There is none of that name.
    #[error("there is no such file")]
    NotFound,
    /// No space is left.
    #[error("the disk is full")]
    Full,
    /// It is longer than a file can be.
    #[error("the file is longer than {MAX_BYTES} bytes")]
    TooLarge,
    /// There are as many as there can be.
    #[error("there are {MAX_FILES} files, no more fit")]
    TooMany,
    /// Something lies among them that this box did not write.
    #[error("something lies among the files that this box did not write")]
    Foreign,
    /// The file system refused.
    #[error("{action}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// What it said.
        #[source]
        source: io::Error,
    },
}

impl FileError {
    /// Whether the disk fails, or is not written to because it did.
    #[must_use]
    pub fn is_of_the_disk(&self) -> bool {
        let Self::Io { source, .. } = self else { return false };
        let code = source.raw_os_error();
        [Errno::IO, Errno::ROFS].iter().any(|errno| code == Some(errno.raw_os_error()))
    }
}

impl FileName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for FileName {
    type Error = InvalidFileName;

    fn try_from(text: String) -> Result<Self, InvalidFileName> {
        let fits = (1..=MAX_NAME).contains(&text.len())
            && text.trim() == text
            && !text.starts_with('.')
            && !text.chars().any(|letter| letter.is_control() || matches!(letter, '/' | '\\'));
        if fits { Ok(Self(text)) } else { Err(InvalidFileName) }
    }
}

/// Lists the files, by name.
///
/// # Errors
///
/// What the file system says.
pub fn list(folder: &Path) -> Result<Vec<PrivateFile>, FileError> {
    let failed = |source| failed("list the private files", source);
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        // What hostd did not write has perhaps no such name, and is not shown.
        let Some(name) = entry.file_name().to_str().and_then(|name| FileName::try_from(name.to_owned()).ok())
        else {
            continue;
        };
        let facts = match entry.metadata() {
            Ok(facts) if facts.is_file() => facts,
            Ok(_other) => continue,
            // Removed meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(error)),
        };
        let modified = facts.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let modified_unix = modified.map_or(0, |since| since.as_secs());
        files.push(PrivateFile { name: name.0, bytes: facts.len(), modified_unix });
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// Opens a file for reading, and says how long it is.
///
/// # Errors
///
/// [`FileError::NotFound`], and what the file system says.
pub fn open(folder: &Path, name: &FileName) -> Result<(File, u64), FileError> {
    let failed = |source| missing_or_failed("open a private file", source);
    let file = File::open(folder.join(name.as_str())).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    Ok((file, length))
}

/// Removes a file for good.
///
/// # Errors
///
/// [`FileError::NotFound`], and what the file system says.
pub fn remove(folder: &Path, name: &FileName) -> Result<(), FileError> {
    let removed = fs::remove_file(folder.join(name.as_str())).and_then(|()| sync_folder(folder));
    removed.map_err(|source| missing_or_failed("remove a private file", source))
}

/// Removes what was being written when the power went.
///
/// # Errors
///
/// What the file system says.
pub fn remove_asides(folder: &Path) -> Result<(), FileError> {
    let failed = |source| failed("remove what was not finished", source);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(ASIDE)) {
            fs::remove_file(entry.path()).map_err(failed)?;
        }
    }
    Ok(())
}

/// A file that is being written; it is gone when this is dropped before [`Writing::finish`].
#[derive(Debug)]
pub struct Writing {
    folder: PathBuf,
    aside: Option<PathBuf>,
    file: File,
    written: u64,
}

impl Writing {
    /// Begins a file.
    ///
    /// # Errors
    ///
    /// [`FileError::TooMany`] unless it is to take another's place, [`FileError::Full`].
    pub fn begin(folder: &Path, name: &FileName) -> Result<Self, FileError> {
        let is_new = !folder.join(name.as_str()).exists();
        if is_new && list(folder)?.len() >= MAX_FILES {
            return Err(FileError::TooMany);
        }
        Self::begin_aside(folder)
    }

    /// Begins a file that comes out of a backup, where there were as many as there can be.
    ///
    /// # Errors
    ///
    /// [`FileError::Full`].
    pub fn begin_aside(folder: &Path) -> Result<Self, FileError> {
        let failed = |source| failed("begin a private file", source);
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| failed(error.into()))?;
        let aside = folder.join(format!("{ASIDE}{:016x}", u64::from_le_bytes(random)));
        let file = File::options().write(true).create_new(true).mode(0o600).open(&aside).map_err(failed)?;
        Ok(Self { folder: folder.to_owned(), aside: Some(aside), file, written: 0 })
    }

    /// Writes the next bytes.
    ///
    /// # Errors
    ///
    /// [`FileError::TooLarge`], [`FileError::Full`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.written = self.written.saturating_add(bytes.len() as u64);
        if self.written > MAX_BYTES {
            return Err(FileError::TooLarge);
        }
        self.file.write_all(bytes).map_err(|source| failed("write a private file", source))
    }

    /// Gives the file its name; it is on the disk when this returns.
    ///
    /// # Errors
    ///
    /// [`FileError::Full`], and what the file system says.
    pub fn finish(self, name: &FileName) -> Result<(), FileError> {
        self.finish_as_of(name, None)
    }

    /// The same with a time at which it was written.
    ///
    /// # Errors
    ///
    /// [`FileError::Full`], and what the file system says.
    pub fn finish_as_of(mut self, name: &FileName, modified: Option<SystemTime>) -> Result<(), FileError> {
        let failed = |source| failed("finish a private file", source);
        if let Some(modified) = modified {
            self.file.set_modified(modified).map_err(failed)?;
        }
        self.file.sync_all().map_err(failed)?;
        if let Some(aside) = &self.aside {
            fs::rename(aside, self.folder.join(name.as_str())).map_err(failed)?;
        }
        self.aside = None;
        sync_folder(&self.folder).map_err(failed)
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        // What cannot be removed now is removed when the vault is opened next.
        if let Some(Err(error)) = self.aside.as_ref().map(fs::remove_file) {
            tracing::warn!(error = &error as &dyn std::error::Error, "a file that was not finished is left");
        }
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// For what is done to a file that somebody named.
fn missing_or_failed(action: &'static str, source: io::Error) -> FileError {
    if source.kind() == ErrorKind::NotFound { FileError::NotFound } else { failed(action, source) }
}

fn failed(action: &'static str, source: io::Error) -> FileError {
    if matches!(source.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) {
        FileError::Full
    } else {
        FileError::Io { action, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> FileName {
        FileName::try_from(text.to_owned()).unwrap()
    }

    fn put(folder: &Path, file: &str, bytes: &[u8]) {
        let mut writing = Writing::begin(folder, &name(file)).unwrap();
        writing.write(bytes).unwrap();
        writing.finish(&name(file)).unwrap();
    }

    #[test]
    fn names_lead_nowhere_else() {
        for good in ["a", "Will & testament.pdf", "Änderungen", "a.b.c", &"x".repeat(MAX_NAME)] {
            assert_eq!(name(good).as_str(), good);
        }
        for bad in
            ["", ".", "..", ".aside-1", "a/b", "/etc", "..\\a", "a\nb", "a\0", " a", "a ", &"x".repeat(201)]
        {
            assert_eq!(FileName::try_from(bad.to_owned()), Err(InvalidFileName), "{bad:?}");
        }
    }

    #[test]
    fn a_file_is_there_when_it_is_whole_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), "b", b"old");
        put(folder.path(), "a", b"12345");
        let mut writing = Writing::begin(folder.path(), &name("b")).unwrap();
        writing.write(b"new").unwrap();
        let lengths = |folder: &Path| {
            list(folder).unwrap().into_iter().map(|file| (file.name, file.bytes)).collect::<Vec<_>>()
        };
        assert_eq!(lengths(folder.path()), [("a".to_owned(), 5), ("b".to_owned(), 3)]);
        assert_eq!(fs::read(folder.path().join("b")).unwrap(), b"old");
        drop(writing);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "what was not finished is gone");
        put(folder.path(), "b", b"newer");
        assert_eq!(open(folder.path(), &name("b")).unwrap().1, 5);
        remove(folder.path(), &name("b")).unwrap();
        assert!(matches!(remove(folder.path(), &name("b")), Err(FileError::NotFound)));
        assert!(matches!(open(folder.path(), &name("b")), Err(FileError::NotFound)));
    }

    #[test]
    fn what_a_cut_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), "a", b"1");
        fs::write(folder.path().join(".aside-0000000000000001"), b"half").unwrap();
        remove_asides(folder.path()).unwrap();
        let left: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["a"]);
    }

    #[test]
    fn a_file_has_a_longest_length_and_a_vault_a_most_of_files() {
        let folder = tempfile::tempdir().unwrap();
        let mut writing = Writing::begin(folder.path(), &name("long")).unwrap();
        let chunk = vec![0; 1 << 20];
        for _ in 0..16 {
            writing.write(&chunk).unwrap();
        }
        assert!(matches!(writing.write(b"x"), Err(FileError::TooLarge)));
        drop(writing);
        for number in 0..MAX_FILES {
            fs::write(folder.path().join(number.to_string()), b"").unwrap();
        }
        assert!(matches!(Writing::begin(folder.path(), &name("new")), Err(FileError::TooMany)));
        put(folder.path(), "7", b"in the place of another");
    }

    #[test]
    fn a_full_disk_is_told_apart() {
        let gone = failed("write", ErrorKind::NotFound.into());
        assert!(matches!(gone, FileError::Io { .. }), "what is to be written is not what somebody looks for");
        let full = failed("write", io::Error::from_raw_os_error(Errno::NOSPC.raw_os_error()));
        assert!(matches!(full, FileError::Full));
    }

    #[test]
    fn a_disk_that_fails_is_told_apart() {
        let told = |errno: Errno| {
            failed("write", io::Error::from_raw_os_error(errno.raw_os_error())).is_of_the_disk()
        };
        assert!(told(Errno::IO) && told(Errno::ROFS));
        assert!(!told(Errno::NOSPC) && !told(Errno::ACCESS) && !FileError::NotFound.is_of_the_disk());
    }
}
