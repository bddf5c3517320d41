//! Where files of a repository come from. Nothing that a source gives is believed; it is only asked for so much, and not for ever.

use crate::name::Name;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use std::error::Error;
use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::path::PathBuf;

/// The largest file with keys, in bytes.
pub const MAX_ROOT: u64 = 64 << 10;
/// The largest timestamp, in bytes.
pub const MAX_TIMESTAMP: u64 = 16 << 10;
/// The largest snapshot, in bytes.
pub const MAX_SNAPSHOT: u64 = 64 << 10;
/// The largest list of targets, in bytes.
pub const MAX_TARGETS_FILE: u64 = 1 << 20;
/// The largest slot file, in bytes: two must fit on the boot partition.
pub const MAX_SLOT: u64 = 128 << 20;

/// A part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Its first byte.
    pub start: u64,
    /// How many; not 0.
    pub length: u64,
}

/// Gives files of a repository. Blocking.
pub trait Source {
    /// Opens a file, or a part of it: the reader gives exactly the range's bytes, else an error. Nobody reads more than `limit` bytes, so
    /// a source may take it as a measure for how long all of it may last.
    ///
    /// # Errors
    /// The file is missing, nobody answers, or the answer is another one than was asked for.
    fn get(&self, name: &Name, range: Option<Range>, limit: u64) -> Result<Box<dyn Read + '_>, SourceError>;
}

/// A file cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It is not there.
    #[error("the repository has no {name}")]
    Missing {
        /// The file.
        name: Name,
    },
    /// The server cannot be reached, or the connection broke.
    #[error("cannot fetch {name}")]
    Unreachable {
        /// The file.
        name: Name,
        /// Cause.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The server answers with a status that helps nobody.
    #[error("the server answers {status} when asked for {name}")]
    Status {
        /// The file.
        name: Name,
        /// Of HTTP.
        status: u16,
    },
    /// The server sends another part than it was asked for.
    #[error("the server sends another part of {name} than was asked for")]
    OtherPart {
        /// The file.
        name: Name,
    },
    /// The file is longer than it may be.
    #[error("{name} is longer than {limit} bytes")]
    TooLong {
        /// The file.
        name: Name,
        /// What it may have.
        limit: u64,
    },
    /// The answer ends too early.
    #[error("{name} ended {missing} bytes too early")]
    TooShort {
        /// The file.
        name: Name,
        /// What is missing.
        missing: u64,
    },
    /// The server sends so slowly that it would never end.
    #[error("{name} came too slowly")]
    TooSlow {
        /// The file.
        name: Name,
    },
    /// It cannot be read.
    #[error("cannot read {name}")]
    Read {
        /// The file.
        name: Name,
        /// Cause.
        #[source]
        source: io::Error,
    },
}

impl SourceError {
    /// What went wrong while the body of `name` was read.
    pub(crate) fn reading(name: &Name, source: io::Error) -> Self {
        let name = name.clone();
        if source.kind() == io::ErrorKind::TimedOut {
            Self::TooSlow { name }
        } else {
            Self::Read { name, source }
        }
    }
}

/// All of a file.
///
/// # Errors
/// As [`Source::get`], or it is longer than `limit`; no more than that is kept.
pub fn read_all(source: &dyn Source, name: &Name, limit: u64) -> Result<Vec<u8>, SourceError> {
    let mut bytes = Vec::new();
    let reader = source.get(name, None, limit)?;
    let read = reader.take(limit.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|error| SourceError::reading(name, error))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
        return Err(SourceError::TooLong { name: name.clone(), limit });
    }
    Ok(bytes)
}

/// A repository in a folder: on a stick, or what a box put aside.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The folder that has `metadata` and, perhaps, `targets`.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }
}

impl Source for Folder {
    fn get(&self, name: &Name, range: Option<Range>, _limit: u64) -> Result<Box<dyn Read + '_>, SourceError> {
        let fail = |source: io::Error| {
            let name = name.clone();
            if source.kind() == io::ErrorKind::NotFound {
                SourceError::Missing { name }
            } else {
                SourceError::Read { name, source }
            }
        };
        // Who filled the folder may have put a link, a pipe or a device there: no link is followed and nothing is waited for.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::open(self.path.join(name.path()), flags, Mode::empty());
        let mut file = File::from(file.map_err(|error| fail(error.into()))?);
        let about = file.metadata().map_err(fail)?;
        if !about.is_file() {
            return Err(fail(io::ErrorKind::InvalidInput.into()));
        }
        let Some(range) = range else { return Ok(Box::new(file)) };
        let end = range.start.saturating_add(range.length);
        if end > about.len() {
            return Err(SourceError::TooShort { name: name.clone(), missing: end - about.len() });
        }
        file.seek(SeekFrom::Start(range.start)).map_err(fail)?;
        Ok(Box::new(file.take(range.length)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn folder() -> (tempfile::TempDir, Folder) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("metadata")).unwrap();
        fs::write(folder.path().join("metadata/timestamp.json"), "0123456789").unwrap();
        let source = Folder::new(folder.path().to_owned());
        (folder, source)
    }

    #[test]
    fn files_and_parts() {
        let (_folder, source) = folder();
        assert_eq!(read_all(&source, &Name::Timestamp, 10).unwrap(), b"0123456789");
        let mut part = Vec::new();
        let range = Range { start: 3, length: 4 };
        source.get(&Name::Timestamp, Some(range), 4).unwrap().read_to_end(&mut part).unwrap();
        assert_eq!(part, b"3456");
    }

    #[test]
    fn what_is_missing_too_long_or_too_short_is_told() {
        let (_folder, source) = folder();
        assert!(matches!(read_all(&source, &Name::Root(2), 10), Err(SourceError::Missing { .. })));
        assert!(matches!(read_all(&source, &Name::Timestamp, 9), Err(SourceError::TooLong { limit: 9, .. })));
        let range = Range { start: 8, length: 4 };
        let short = source.get(&Name::Timestamp, Some(range), 4).map(|_reader| ());
        assert!(matches!(short, Err(SourceError::TooShort { missing: 2, .. })));
    }

    #[test]
    fn links_and_pipes_are_not_opened() {
        let (folder, source) = folder();
        let path = folder.path().join("metadata/1.root.json");
        std::os::unix::fs::symlink("timestamp.json", &path).unwrap();
        assert!(matches!(read_all(&source, &Name::Root(1), 10), Err(SourceError::Read { .. })));
        fs::remove_file(&path).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            rustix::fs::FileType::Fifo,
            Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        assert!(matches!(read_all(&source, &Name::Root(1), 10), Err(SourceError::Read { .. })));
    }
}
