//! The EFI system partition of a disk file: what a test puts there before the machine starts.

use crate::disk;
use anyhow::Context;
use anyhow::Result;
use fatfs::FileSystem;
use fatfs::FsOptions;
use image::disk::Epoch;
use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::io::Write;
use std::ops::Range;
use std::path::Path;

/// Where the slots are.
pub const SLOTS: &str = "EFI/Linux";

/// An open EFI system partition.
pub struct Esp {
    files: FileSystem<Window>,
}

impl Esp {
    /// Opens the partition on a disk that no machine uses now.
    ///
    /// # Errors
    /// When there is no such partition or no FAT file system in it.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_for(path, Purpose::Change)
    }

    /// Opens it to look only: the disk stays byte for byte as it is.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn look(path: &Path) -> Result<Self> {
        Self::open_for(path, Purpose::Look)
    }

    fn open_for(path: &Path, purpose: Purpose) -> Result<Self> {
        let partition = disk::partitions(path)?
            .into_iter()
            .find(|partition| partition.is_esp)
            .with_context(|| format!("no EFI system partition on {}", path.display()))?;
        let file = File::options()
            .read(true)
            .write(purpose == Purpose::Change)
            .open(path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        let window = Window { file, range: partition.bytes, position: 0, purpose };
        let files = FileSystem::new(window, FsOptions::new().time_provider(&Epoch))
            .context("cannot open the EFI system partition")?;
        Ok(Self { files })
    }

    /// Names of the files in a folder, sorted.
    ///
    /// # Errors
    /// When the folder is not there.
    pub fn names(&self, folder: &str) -> Result<Vec<String>> {
        let folder = self.files.root_dir().open_dir(folder).with_context(|| format!("no folder {folder}"))?;
        let mut names = Vec::new();
        for entry in folder.iter() {
            let entry = entry.context("cannot list a folder of the EFI system partition")?;
            if entry.is_file() {
                names.push(entry.file_name());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Bytes that no file has.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn free(&self) -> Result<u64> {
        let stats =
            self.files.stats().context("cannot count the free clusters of the EFI system partition")?;
        Ok(u64::from(stats.free_clusters()) * u64::from(stats.cluster_size()))
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When it is not there.
    pub fn read(&self, path: &str) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut file = self.files.root_dir().open_file(path).with_context(|| format!("no file {path}"))?;
        file.read_to_end(&mut bytes).with_context(|| format!("cannot read {path}"))?;
        Ok(bytes)
    }

    /// Makes a folder, unless it is there.
    ///
    /// # Errors
    /// When the partition is full.
    pub fn make_folder(&self, path: &str) -> Result<()> {
        self.files.root_dir().create_dir(path).with_context(|| format!("cannot make the folder {path}"))?;
        Ok(())
    }

    /// Writes a file; one of this name is replaced.
    ///
    /// # Errors
    /// When the partition is full.
    pub fn write(&self, path: &str, bytes: &[u8]) -> Result<()> {
        let mut file =
            self.files.root_dir().create_file(path).with_context(|| format!("cannot make {path}"))?;
        file.truncate().with_context(|| format!("cannot empty {path}"))?;
        file.write_all(bytes).with_context(|| format!("cannot write {path}"))?;
        file.flush().with_context(|| format!("cannot flush {path}"))
    }

    /// Removes a file.
    ///
    /// # Errors
    /// When it is not there.
    pub fn remove(&self, path: &str) -> Result<()> {
        self.files.root_dir().remove(path).with_context(|| format!("cannot remove {path}"))
    }

    /// Writes everything that is still in memory.
    ///
    /// # Errors
    /// When the disk cannot be written.
    pub fn close(self) -> Result<()> {
        self.files.unmount().context("cannot close the EFI system partition")
    }
}

impl std::fmt::Debug for Esp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Esp").finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Change,
    /// The library notes at its end that the file system was left in order; such writes go nowhere.
    Look,
}

/// A part of a file that looks like a whole one.
#[derive(Debug)]
struct Window {
    file: File,
    range: Range<u64>,
    position: u64,
    purpose: Purpose,
}

impl Window {
    fn place(&mut self, wanted: usize) -> io::Result<usize> {
        let length = self.range.end.saturating_sub(self.range.start);
        let left = length.saturating_sub(self.position);
        self.file.seek(SeekFrom::Start(self.range.start.saturating_add(self.position)))?;
        Ok(usize::try_from(left).unwrap_or(usize::MAX).min(wanted))
    }

    fn advance(&mut self, count: usize) -> usize {
        self.position = self.position.saturating_add(count as u64);
        count
    }
}

impl Read for Window {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = self.place(buffer.len())?;
        let count = self.file.read(buffer.get_mut(..room).unwrap_or_default())?;
        Ok(self.advance(count))
    }
}

impl Write for Window {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let room = self.place(buffer.len())?;
        let count = match self.purpose {
            Purpose::Change => self.file.write(buffer.get(..room).unwrap_or_default())?,
            Purpose::Look => room,
        };
        Ok(self.advance(count))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Window {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let length = self.range.end.saturating_sub(self.range.start);
        let target = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(offset) => length.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = target
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a place before the partition"))?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_shows_its_part_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk");
        std::fs::write(&path, b"....inside....").unwrap();
        let file = File::options().read(true).write(true).open(&path).unwrap();
        let mut window = Window { file, range: 4..10, position: 0, purpose: Purpose::Change };
        let mut text = String::new();
        window.read_to_string(&mut text).unwrap();
        assert_eq!(text, "inside");
        window.seek(SeekFrom::End(-2)).unwrap();
        assert_eq!(window.write(b"XYZ").unwrap(), 2);
        assert_eq!(std::fs::read(&path).unwrap(), b"....insiXY....");
    }
}
