//! All of the slot file, from where it broke off.

use super::DownloadError;
use super::PIECE;
use super::Run;
use crate::source::Range;
use crate::source::SourceError;
use std::io;
use std::io::Read;

/// How often the connection may break.
const BREAKS: u32 = 8;

impl Run<'_> {
    pub(super) fn full(&mut self) -> Result<(), DownloadError> {
        let mut start = self.output.length().map_err(DownloadError::ReadBack)?;
        // What is as long as the slot file and is not it was put together from chunks: nobody knows what is right in it.
        if start >= self.release.length {
            start = 0;
        }
        let fresh = start == 0;
        self.progress.present = start;
        self.fetch_from(start)?;
        if self.is_complete()? {
            return Ok(());
        }
        self.output.set_length(0).map_err(DownloadError::Write)?;
        if !fresh {
            self.progress.present = 0;
            self.progress.received = 0;
            self.fetch_from(0)?;
            if self.is_complete()? {
                return Ok(());
            }
            self.output.set_length(0).map_err(DownloadError::Write)?;
        }
        Err(DownloadError::WrongBytes { version: self.release.version.to_string() })
    }

    /// Fetches what comes after `start`, going on where a connection broke.
    fn fetch_from(&mut self, start: u64) -> Result<(), DownloadError> {
        self.output.set_length(start).map_err(DownloadError::Write)?;
        let mut at = start;
        let mut breaks = 0;
        while at < self.release.length {
            let before = at;
            match self.stream(&mut at) {
                Ok(()) => {}
                Err(DownloadError::Source(error)) if breaks < BREAKS && is_broken(&error) => {
                    // One that never gives anything is given up sooner.
                    breaks += if at == before { 3 } else { 1 };
                }
                // A server that knows no parts: once more from the beginning.
                Err(DownloadError::Source(SourceError::OtherPart { .. })) if at > 0 && breaks < BREAKS => {
                    breaks = BREAKS;
                    at = 0;
                    (self.progress.present, self.progress.received) = (0, 0);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// One request. `at` moves with what was written.
    fn stream(&mut self, at: &mut u64) -> Result<(), DownloadError> {
        let name = self.release.slot();
        let length = self.release.length - *at;
        // From the beginning without a range: the simplest server can do that.
        let range = (*at > 0).then_some(Range { start: *at, length });
        self.requests += 1;
        let source = self.source;
        let mut reader = source.get(&name, range, length)?;
        let mut buffer = vec![0; PIECE];
        while *at < self.release.length {
            let left = self.release.length - *at;
            let room = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE);
            let part = buffer.get_mut(..room).unwrap_or_default();
            let got = match reader.read(part) {
                Ok(0) => return Err(SourceError::TooShort { name, missing: left }.into()),
                Ok(got) => got,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(SourceError::reading(&name, error).into()),
            };
            let bytes = part.get(..got).unwrap_or_default();
            self.write(*at, bytes)?;
            let got_bytes = u64::try_from(got).unwrap_or(u64::MAX);
            *at += got_bytes;
            self.progress.received += got_bytes;
            self.came(got)?;
        }
        // A longer file is another file.
        let mut more = [0];
        if range.is_none() && reader.read(&mut more).is_ok_and(|got| got > 0) {
            return Err(SourceError::TooLong { name, limit: self.release.length }.into());
        }
        Ok(())
    }
}

/// Whether the next request may go better.
fn is_broken(error: &SourceError) -> bool {
    match error {
        SourceError::Unreachable { .. }
        | SourceError::TooShort { .. }
        | SourceError::TooSlow { .. }
        | SourceError::Read { .. } => true,
        SourceError::Missing { .. }
        | SourceError::Status { .. }
        | SourceError::OtherPart { .. }
        | SourceError::TooLong { .. } => false,
    }
}
