//! A disk as a power cut may leave it: all that was flushed, and of what came after the last flush any part in any order.

use super::BlockLog;
use super::LogError;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A disk that takes less than this whole or not at all.
const SECTOR: u64 = 512;

/// A disk on which a log is carried out step by step.
#[derive(Debug)]
pub struct Rebuild<'a> {
    log: &'a BlockLog,
    content: File,
    disk: File,
    done: u64,
    /// What was there before the writes that are not settled, the last one last.
    before: Vec<(u64, Vec<u8>)>,
}

impl<'a> Rebuild<'a> {
    /// Begins on a disk as it was before the first entry.
    ///
    /// # Errors
    /// When the log's file or the disk cannot be opened.
    pub fn begin(log: &'a BlockLog, file: &Path, disk: &Path) -> Result<Self, LogError> {
        let content = File::open(file).map_err(LogError::Read)?;
        let disk = File::options().read(true).write(true).open(disk).map_err(LogError::Write)?;
        Ok(Self { log, content, disk, done: 0, before: Vec::new() })
    }

    /// Carries out the entries up to this number; what a cut had left is taken back first. Returns how many bytes were written.
    ///
    /// # Errors
    /// When the log cannot be read or the disk cannot be written.
    pub fn settle(&mut self, count: u64) -> Result<u64, LogError> {
        self.take_back()?;
        let mut written = 0;
        for number in self.done..count.max(self.done) {
            written += self.carry_out(number, u64::MAX)?;
        }
        self.done = self.done.max(count);
        Ok(written)
    }

    /// Leaves the disk as a cut may: of each entry from the settled ones to this number only so many of its sectors as `kept` says, given
    /// how many it has.
    ///
    /// # Errors
    /// When the log cannot be read, or the disk not read or written.
    pub fn cut(&mut self, count: u64, mut kept: impl FnMut(u64) -> u64) -> Result<(), LogError> {
        self.take_back()?;
        for number in self.done..count.max(self.done) {
            let Some(entry) = self.log.entry(number) else { break };
            let bytes = kept(entry.length / SECTOR).saturating_mul(SECTOR).min(entry.length);
            let mut old = vec![0; usize::try_from(bytes).unwrap_or_default()];
            self.disk.read_exact_at(&mut old, entry.disk).map_err(LogError::Read)?;
            self.before.push((entry.disk, old));
            self.carry_out(number, bytes)?;
        }
        Ok(())
    }

    fn take_back(&mut self) -> Result<(), LogError> {
        while let Some((place, old)) = self.before.pop() {
            self.disk.write_all_at(&old, place).map_err(LogError::Write)?;
        }
        Ok(())
    }

    fn carry_out(&self, number: u64, most: u64) -> Result<u64, LogError> {
        let Some(entry) = self.log.entry(number) else { return Ok(0) };
        let length = entry.length.min(most);
        let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
        self.content.read_exact_at(&mut bytes, entry.log).map_err(LogError::Read)?;
        self.disk.write_all_at(&bytes, entry.disk).map_err(LogError::Write)?;
        Ok(length)
    }
}
