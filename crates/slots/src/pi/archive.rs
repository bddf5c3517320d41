//! The update file of a Pi: all files of a side in one archive, so that what is signed, fetched and cut into chunks is one file.
//!
//! ```text
//! hearth-version ─ hearth-board ─ all others by name ─ TRAILER!!! ─ zeros to a multiple of 512
//! ```
//! The format is cpio's "newc" (`Documentation/driver-api/early-userspace/buffer-format.rst` of the kernel), of which one way to write it is
//! taken and no other: plain files at the top, numbered from 1, root's, without times. So one content has one archive.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::io::Read;

use super::LABEL;
use crate::MAX_VERSION;
use crate::Version;
use crate::VersionError;

/// Name of the file that names the board: its name and a line break.
pub const BOARD: &str = "hearth-board";
/// Most files in an archive; a side has some ten.
pub const MAX_FILES: u32 = 64;
/// Longest name of a file, in bytes.
pub const MAX_NAME: usize = 64;
/// Longest name of a board, in bytes.
pub const MAX_BOARD: usize = 32;
/// Permissions of every file; FAT has none.
pub const PERMISSIONS: u32 = 0o444;

const MAGIC: &[u8] = b"070701";
const FIELDS: usize = 13;
const DIGITS: usize = 8;
const HEADER: usize = MAGIC.len() + FIELDS * DIGITS;
const REGULAR: u32 = 0o100_000;
const TRAILER: &str = "TRAILER!!!";
/// The archive's length is a multiple of it, in bytes.
const BLOCK: u64 = 512;
/// Where content begins, and ends with zeros: a multiple of it, in bytes.
const ALIGNED: u64 = 4;

/// A file's name: 1 to [`MAX_NAME`] of `a-z A-Z 0-9 . - _`, a letter or digit at both ends. FAT holds such names as they are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Title(String);

/// A file in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub title: Title,
    /// How long it is, in bytes.
    pub length: u32,
}

/// What is wrong with an archive.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Reading.
    #[error("reading the archive")]
    Read(#[source] io::Error),
    /// The file ends before the archive does.
    #[error("the archive is cut off")]
    Short,
    /// A header, or what is between files.
    #[error("file {number} of the archive does not begin as it should")]
    Header {
        /// Which, from 1.
        number: u32,
    },
    /// A name.
    #[error("file {number} of the archive has no name that is taken")]
    Name {
        /// Which, from 1.
        number: u32,
    },
    /// Two files of one name, as FAT compares names, or in another order than that of names.
    #[error("file {number} of the archive is not in its place")]
    Order {
        /// Which, from 1.
        number: u32,
    },
    /// More than [`MAX_FILES`].
    #[error("the archive has more than {MAX_FILES} files")]
    Crowd,
    /// The version is none.
    #[error("what the archive calls its version is none")]
    Version(#[source] VersionError),
    /// The version or board is not told as it should be.
    #[error("the archive does not say for which board it is, or its version")]
    Label,
    /// Something behind the end.
    #[error("there is something behind the archive's end")]
    Behind,
}

impl Title {
    /// Takes a name.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        let bytes = name.as_bytes();
        let is_taken = bytes.len() <= MAX_NAME
            && is_end(bytes.first())
            && is_end(bytes.last())
            && bytes.iter().copied().all(is_plain);
        is_taken.then(|| Self(name.to_owned()))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Title {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads an archive from its beginning to its end: [`open`](Self::open), then for each file [`next_member`](Self::next_member) and its content,
/// by [`Read`].
#[derive(Debug)]
pub struct Reader<R> {
    entries: Entries<R>,
    last: Option<Title>,
    version: Version,
    board: String,
}

/// The entries, in any order.
#[derive(Debug)]
struct Entries<R> {
    from: R,
    /// How much was read, in bytes.
    position: u64,
    /// How much of the content of the file at hand is to come.
    left: u64,
    number: u32,
    /// As FAT compares them.
    names: BTreeSet<String>,
}

impl<R: Read> Reader<R> {
    /// Reads the version and the board.
    ///
    /// # Errors
    /// When it does not begin with these two.
    pub fn open(from: R) -> Result<Self, ArchiveError> {
        let mut entries = Entries { from, position: 0, left: 0, number: 0, names: BTreeSet::new() };
        let version = entries.line(LABEL, MAX_VERSION)?.parse().map_err(ArchiveError::Version)?;
        let board = entries.line(BOARD, MAX_BOARD)?;
        Ok(Self { entries, last: None, version, board })
    }

    /// The version.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// The board's name.
    pub fn board(&self) -> &str {
        &self.board
    }

    /// The next file; what is left of the one before is passed over. After `None` the archive was read whole.
    ///
    /// # Errors
    /// When it is not written as it should be, or cut off.
    pub fn next_member(&mut self) -> Result<Option<Member>, ArchiveError> {
        let Some(member) = self.entries.next()? else { return Ok(None) };
        if self.last.as_ref().is_some_and(|last| *last >= member.title) {
            return Err(ArchiveError::Order { number: self.entries.number });
        }
        self.last = Some(member.title.clone());
        Ok(Some(member))
    }
}

/// Reads the content of the file at hand.
impl<R: Read> Read for Reader<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.entries.read(bytes)
    }
}

impl<R: Read> Entries<R> {
    /// A file with one line.
    fn line(&mut self, name: &str, most: usize) -> Result<String, ArchiveError> {
        let member = self.next()?.ok_or(ArchiveError::Label)?;
        let length = usize::try_from(member.length).unwrap_or(usize::MAX);
        if member.title.as_str() != name || length > most.saturating_add(1) {
            return Err(ArchiveError::Label);
        }
        let mut text = vec![0; length];
        self.read_exact(&mut text).map_err(read)?;
        let text = String::from_utf8(text).ok();
        let line = text.as_deref().and_then(|text| text.strip_suffix('\n'));
        let line = line.filter(|line| !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_graphic()));
        line.map(str::to_owned).ok_or(ArchiveError::Label)
    }

    fn next(&mut self) -> Result<Option<Member>, ArchiveError> {
        self.pass_over()?;
        self.zeros(ALIGNED)?;
        self.number = self.number.saturating_add(1);
        let number = self.number;
        let mut header = [0; HEADER];
        self.take_exact(&mut header)?;
        let Header { length, name_size } = Header::decode(&header, number)?;
        let mut name = vec![0; name_size];
        self.take_exact(&mut name)?;
        self.zeros(ALIGNED)?;
        let name = name.strip_suffix(&[0]).and_then(|name| std::str::from_utf8(name).ok());
        let name = name.ok_or(ArchiveError::Name { number })?;
        match length {
            None if name == TRAILER => return self.end().map(|()| None),
            None => return Err(ArchiveError::Header { number }),
            Some(_) => {}
        }
        if number > MAX_FILES {
            return Err(ArchiveError::Crowd);
        }
        let title = Title::new(name).ok_or(ArchiveError::Name { number })?;
        if !self.names.insert(name.to_ascii_lowercase()) {
            return Err(ArchiveError::Order { number });
        }
        let length = length.unwrap_or_default();
        self.left = length.into();
        Ok(Some(Member { title, length }))
    }

    fn pass_over(&mut self) -> Result<(), ArchiveError> {
        let mut rest = [0; 4096];
        while self.left > 0 {
            if self.read(&mut rest).map_err(read)? == 0 {
                return Err(ArchiveError::Short);
            }
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), ArchiveError> {
        self.zeros(BLOCK)?;
        let mut more = [0];
        match self.from.read(&mut more).map_err(read)? {
            0 => Ok(()),
            _ => Err(ArchiveError::Behind),
        }
    }

    /// Zeros up to a multiple.
    fn zeros(&mut self, multiple: u64) -> Result<(), ArchiveError> {
        let length = self.position.next_multiple_of(multiple).saturating_sub(self.position);
        let mut zeros = vec![1; usize::try_from(length).unwrap_or_default()];
        self.take_exact(&mut zeros)?;
        if zeros.iter().any(|byte| *byte != 0) {
            return Err(ArchiveError::Header { number: self.number });
        }
        Ok(())
    }

    fn take_exact(&mut self, bytes: &mut [u8]) -> Result<(), ArchiveError> {
        self.from.read_exact(bytes).map_err(read)?;
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.position = self.position.saturating_add(length);
        Ok(())
    }
}

/// A content that is cut off is an error, not an end.
impl<R: Read> Read for Entries<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
        let Some(window) = bytes.get_mut(..most).filter(|window| !window.is_empty()) else { return Ok(0) };
        let length = self.from.read(window)?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let count = u64::try_from(length).unwrap_or(u64::MAX);
        self.position = self.position.saturating_add(count);
        self.left = self.left.saturating_sub(count);
        Ok(length)
    }
}

/// What is read of a header; all else must be as it is written.
struct Header {
    /// None of the entry that ends an archive.
    length: Option<u32>,
    /// With the zero behind it, in bytes.
    name_size: usize,
}

impl Header {
    fn decode(header: &[u8; HEADER], number: u32) -> Result<Self, ArchiveError> {
        let wrong = || ArchiveError::Header { number };
        let text = header.strip_prefix(MAGIC).ok_or_else(wrong)?;
        let fields: Vec<u32> =
            text.chunks_exact(DIGITS).map(field).collect::<Option<_>>().ok_or_else(wrong)?;
        // ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor, namesize, check
        let [ino, mode, 0, 0, 1, 0, length, 0, 0, 0, 0, name_size, 0] = *fields.as_slice() else {
            return Err(wrong());
        };
        let length = match mode {
            0 if length == 0 => None,
            mode if mode == REGULAR | PERMISSIONS => Some(length),
            _ => return Err(wrong()),
        };
        let name_size = usize::try_from(name_size).unwrap_or(usize::MAX);
        if ino != number || !(2..=MAX_NAME.saturating_add(1)).contains(&name_size) {
            return Err(wrong());
        }
        Ok(Self { length, name_size })
    }
}

/// Eight hexadecimal digits, capital letters only.
fn field(digits: &[u8]) -> Option<u32> {
    let is_digit = |byte: &u8| byte.is_ascii_digit() || (b'A'..=b'F').contains(byte);
    let text = std::str::from_utf8(digits).ok().filter(|_| digits.iter().all(is_digit))?;
    u32::from_str_radix(text, 16).ok()
}

fn read(error: io::Error) -> ArchiveError {
    if error.kind() == io::ErrorKind::UnexpectedEof { ArchiveError::Short } else { ArchiveError::Read(error) }
}

#[cfg(test)]
mod tests;
