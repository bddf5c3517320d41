//! Puts the preset file on the boot partition of a disk that has just been written.

use crate::table;
use crate::target::Target;
use fatfs::Date;
use fatfs::DateTime;
use fatfs::FileSystem;
use fatfs::FsOptions;
use fatfs::Time;
use fatfs::TimeProvider;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::io::Write;
use std::ops::Range;

/// Name of the file; the box looks for it (`model::preset::FILE`).
pub const FILE: &str = "hearth-preset.json";

/// Why the preset is not there.
#[derive(Debug, thiserror::Error)]
pub enum PresetError {
    /// The image is not one of a box.
    #[error("the image has no boot partition that a preset could be put on")]
    NoBootPartition,
    /// The file system cannot be used.
    #[error("{doing} the file system of the boot partition")]
    FileSystem {
        /// What was being done.
        doing: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// What was read back is something else.
    #[error("the disk does not hold the preset that was written")]
    Different,
}

/// Writes `content` to the file, syncs, and reads it back. `head` is the image's start, `middle` what of the image is on the disk already.
///
/// # Errors
/// When there is no boot partition in the middle, or its file system does not take the file.
pub fn put(
    target: &mut dyn Target,
    head: &[u8],
    middle: (u64, u64),
    content: &[u8],
) -> Result<(), PresetError> {
    let extent = table::partitions(head)
        .into_iter()
        .find(|partition| partition.is_boot)
        .map(|partition| partition.extent)
        .filter(|extent| extent.start >= middle.0 && extent.end <= middle.1)
        .ok_or(PresetError::NoBootPartition)?;
    let failed = |doing| move |source| PresetError::FileSystem { doing, source };
    {
        let window = Window { target: &mut *target, extent: extent.clone(), position: 0 };
        let system =
            FileSystem::new(window, FsOptions::new().time_provider(&Epoch)).map_err(failed("open"))?;
        let write = || {
            let mut file = system.root_dir().create_file(FILE)?;
            file.truncate()?;
            file.write_all(content)?;
            file.flush()
        };
        write().map_err(failed("write a file to"))?;
        system.unmount().map_err(failed("close"))?;
    }
    target.sync().map_err(failed("sync"))?;
    let window = Window { target, extent, position: 0 };
    let system = FileSystem::new(window, FsOptions::new().time_provider(&Epoch)).map_err(failed("open"))?;
    let mut found = Vec::new();
    let read = |found: &mut Vec<u8>| system.root_dir().open_file(FILE)?.read_to_end(found);
    read(&mut found).map_err(failed("read back from"))?;
    if found == content { Ok(()) } else { Err(PresetError::Different) }
}

/// FAT's first moment, as every file of an image has it: a date that is none keeps some firmware from renaming slots.
#[derive(Clone, Copy, Debug)]
struct Epoch;

impl TimeProvider for Epoch {
    fn get_current_date(&self) -> Date {
        Date { year: 1980, month: 1, day: 1 }
    }

    fn get_current_date_time(&self) -> DateTime {
        DateTime { date: self.get_current_date(), time: Time { hour: 0, min: 0, sec: 0, millis: 0 } }
    }
}

/// The partition, as the file system sees it.
struct Window<'a> {
    target: &'a mut dyn Target,
    extent: Range<u64>,
    position: u64,
}

impl Window<'_> {
    /// How many of `wanted` bytes lie before the end.
    fn room(&self, wanted: usize) -> usize {
        let left = (self.extent.end - self.extent.start).saturating_sub(self.position);
        wanted.min(usize::try_from(left).unwrap_or(usize::MAX))
    }

    fn advance(&mut self, count: usize) -> usize {
        self.position = self.position.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        count
    }
}

impl Read for Window<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.room(buffer.len());
        let buffer = buffer.get_mut(..count).unwrap_or_default();
        self.target.read_back(self.extent.start.saturating_add(self.position), buffer)?;
        Ok(self.advance(count))
    }
}

impl Write for Window<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.room(buffer.len());
        let buffer = buffer.get(..count).unwrap_or_default();
        self.target.write_at(self.extent.start.saturating_add(self.position), buffer)?;
        Ok(self.advance(count))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Window<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
            SeekFrom::End(offset) => (self.extent.end - self.extent.start).checked_add_signed(offset),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}
