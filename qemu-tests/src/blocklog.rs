//! The write log of a disk: what QEMU's `blklogwrites` driver records, in the kernel's format of dm-log-writes
//! (Documentation/admin-guide/device-mapper/log-writes.rst, drivers/md/dm-log-writes.c).
//!
//! Killing QEMU loses what the guest kept in memory, but not what a real disk keeps in its own. The log shows where the guest
//! asked for a flush; a disk rebuilt from the writes before one flush is the worst that a power cut may leave.

mod cut;

pub use cut::Rebuild;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// `WRITE_LOG_MAGIC`.
const MAGIC: u64 = 0x006a_7366_7773_6872;
/// `WRITE_LOG_VERSION`.
const VERSION: u64 = 1;
/// Flags of an entry: a flush before the write, a forced write, a discard, a mark.
const FLUSH: u64 = 1;
const DISCARD: u64 = 4;
const MARK: u64 = 8;
/// Bytes of an entry's head: sector, sectors, flags, length of a mark.
const HEAD: usize = 32;
/// Longest write believed, in bytes.
const LONGEST: u64 = 256 * 1024 * 1024;

/// A recorded log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockLog {
    entries: Vec<Entry>,
}

/// One write, or a flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    /// Where on the disk, in bytes.
    disk: u64,
    /// Where in the log, in bytes.
    log: u64,
    /// How many bytes; 0 for a flush alone.
    length: u64,
    is_flush: bool,
}

/// Why a file is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file cannot be read.
    #[error("cannot read the write log")]
    Read(#[source] io::Error),
    /// The disk cannot be written.
    #[error("cannot write to the rebuilt disk")]
    Write(#[source] io::Error),
    /// The first sector is not that of a log.
    #[error("not a write log: {0}")]
    Head(&'static str),
    /// An entry makes no sense.
    #[error("entry {index} of the write log is broken")]
    Entry {
        /// Its number, from 0.
        index: u64,
    },
}

/// How many entries a log that is being written has, as of its last flush.
///
/// # Errors
/// When the file is no log.
pub fn length(path: &Path) -> Result<u64, LogError> {
    Ok(head(&File::open(path).map_err(LogError::Read)?)?.entries)
}

impl BlockLog {
    /// Reads the log of a machine that has ended. The content of the writes stays in the file.
    ///
    /// # Errors
    /// When the file is no log or an entry is broken or cut.
    pub fn read(path: &Path) -> Result<Self, LogError> {
        let log = File::open(path).map_err(LogError::Read)?;
        let size = log.metadata().map_err(LogError::Read)?.len();
        let head = head(&log)?;
        let mut entries = Vec::new();
        let mut at = head.sector;
        for index in 0..head.entries {
            let (entry, next) = entry(&log, at, head.sector, size)?.ok_or(LogError::Entry { index })?;
            entries.push(entry);
            at = next;
        }
        Ok(Self { entries })
    }

    fn entry(&self, number: u64) -> Option<&Entry> {
        self.entries.get(usize::try_from(number).ok()?)
    }

    /// Whether one of these entries writes within this range of the disk, in bytes.
    #[must_use]
    pub fn writes_within(&self, entries: std::ops::Range<u64>, place: &std::ops::Range<u64>) -> bool {
        let is_there =
            |entry: &Entry| entry.disk < place.end && entry.disk.saturating_add(entry.length) > place.start;
        entries.filter_map(|number| self.entry(number)).any(|entry| entry.length > 0 && is_there(entry))
    }

    /// The same log with the entries of the second range before those of the first, which ends where the second begins: what would be on a
    /// disk whose computer did the later first.
    #[must_use]
    pub fn reordered(&self, first: std::ops::Range<u64>, second: std::ops::Range<u64>) -> Self {
        let part = |range: std::ops::Range<u64>| range.filter_map(|number| self.entry(number).copied());
        let entries = part(0..first.start)
            .chain(part(second.clone()))
            .chain(part(first))
            .chain(part(second.end..self.len()));
        Self { entries: entries.collect() }
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Whether nothing was recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Every place to cut the power: the number of entries up to and with a flush, without those flushes before which nothing
    /// was written since the last one.
    #[must_use]
    pub fn flush_points(&self) -> Vec<u64> {
        let mut points = Vec::new();
        let mut is_written = false;
        for (count, entry) in (1..).zip(&self.entries) {
            // A write with the flag is carried out after the flush, so the point lies before it.
            if entry.is_flush && is_written {
                points.push(if entry.length == 0 { count } else { count - 1 });
                is_written = false;
            }
            is_written |= entry.length > 0;
        }
        points
    }

    /// Carries out the first `count` writes on a disk.
    ///
    /// # Errors
    /// When the log cannot be read or the disk cannot be written.
    pub fn replay(&self, log: &Path, disk: &Path, count: u64) -> Result<(), LogError> {
        let log = File::open(log).map_err(LogError::Read)?;
        let disk = File::options().write(true).open(disk).map_err(LogError::Write)?;
        let mut buffer = Vec::new();
        let wanted = usize::try_from(count).unwrap_or(usize::MAX);
        for entry in self.entries.iter().take(wanted).filter(|entry| entry.length > 0) {
            buffer.resize(usize::try_from(entry.length).unwrap_or_default(), 0);
            log.read_exact_at(&mut buffer, entry.log).map_err(LogError::Read)?;
            disk.write_all_at(&buffer, entry.disk).map_err(LogError::Write)?;
        }
        Ok(())
    }
}

struct Head {
    entries: u64,
    sector: u64,
}

fn head(log: &File) -> Result<Head, LogError> {
    let mut bytes = [0; 28];
    log.read_exact_at(&mut bytes, 0).map_err(LogError::Read)?;
    let sector = number(&bytes, 24, 4);
    if number(&bytes, 0, 8) != MAGIC {
        return Err(LogError::Head("wrong magic number"));
    }
    if number(&bytes, 8, 8) != VERSION {
        return Err(LogError::Head("unknown version"));
    }
    if !(512..=4096).contains(&sector) || !sector.is_power_of_two() {
        return Err(LogError::Head("odd sector size"));
    }
    Ok(Head { entries: number(&bytes, 16, 8), sector })
}

/// The entry at a place and where the next one begins; none when it makes no sense.
fn entry(log: &File, at: u64, sector: u64, size: u64) -> Result<Option<(Entry, u64)>, LogError> {
    let mut bytes = [0; HEAD];
    match log.read_exact_at(&mut bytes, at) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read.map_err(LogError::Read)?,
    }
    Ok(parse_entry(&bytes, at, sector, size))
}

fn parse_entry(bytes: &[u8], at: u64, sector: u64, size: u64) -> Option<(Entry, u64)> {
    let flags = number(bytes, 16, 8);
    let start = at.checked_add(sector)?;
    // A discard has no content in the log, and QEMU leaves the disk as it was.
    let has_content = flags & (DISCARD | MARK) == 0;
    let length = if has_content { number(bytes, 8, 8).checked_mul(sector)? } else { 0 };
    let next = start.checked_add(length)?;
    let disk = number(bytes, 0, 8).checked_mul(sector)?;
    disk.checked_add(length)?;
    let is_known = flags & !0b1_1111 == 0;
    (is_known && length <= LONGEST && next <= size)
        .then_some((Entry { disk, log: start, length, is_flush: flags & FLUSH != 0 }, next))
}

/// A little-endian number; what lies outside counts as 0.
fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    let bytes = bytes.get(at..at + length).unwrap_or_default();
    bytes.iter().rev().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests;
