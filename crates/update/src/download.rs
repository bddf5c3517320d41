//! Getting a slot file: from what lies on the box already, and the rest over the net.
//!
//! ```text
//! header ─▶ programs remade ─▶ what is right in the output ─▶ chunks of the seeds ─▶ missing chunks, in ranges ─▶ all of it hashed
//!    └─ none, or not worth it: the full slot file, from where it broke off
//! ```
//!
//! Every chunk is hashed before it is written, and the whole file before it is called complete. So a cut, a torn write or a wrong seed
//! costs time only: what is right in the output counts, whoever wrote it. Nothing is written beyond the signed length.
//! Memory: the header (4 MiB at most), one chunk twice, and the cutter's buffer; while programs are remade the longest one, what it takes from
//! the repository, and 8 MiB.

use crate::archive::Header;
use crate::archive::HeaderError;
use crate::catalog::Release;
use crate::source::Source;
use crate::source::SourceError;
use rustix::fs::FallocateFlags;
use rustix::io::Errno;
use std::fmt;
use std::fs::File;
use std::io;
use std::io::Read;
use std::ops::Range;
use std::os::unix::fs::FileExt;

mod chunks;
mod full;
mod remakes;

pub use remakes::FailedRemake;
pub use remakes::RemakeError;
pub use remakes::Running;

/// How often a part is asked for before the server is given up.
const ATTEMPTS: u32 = 3;
/// What is read or written at once.
const PIECE: usize = 64 << 10;

/// A file on the box that may have chunks of the new slot file. Not believed: its chunks are hashed.
pub struct Seed {
    /// For reports.
    pub name: String,
    /// Its content.
    pub reader: Box<dyn Read>,
}

/// What is to be fetched.
pub struct Job<'a> {
    /// The slot file, as it was signed.
    pub release: &'a Release,
    /// Where it comes from.
    pub source: &'a dyn Source,
    /// What lies here already.
    pub seeds: Vec<Seed>,
    /// What runs here, where its files may be read.
    pub running: Option<Running>,
}

/// How it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Missing chunks only.
    Chunks,
    /// All of the slot file.
    Full,
}

/// How far it is, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Of the slot file: all.
    pub needed: u64,
    /// Of the slot file: what was right in the output from before.
    pub present: u64,
    /// Of the slot file: what was made from programs of the running system.
    pub remade: u64,
    /// Of the slot file: what came from seeds.
    pub seeded: u64,
    /// Of the slot file: what came over the net.
    pub received: u64,
    /// Fetched, as it was sent: header and compressed chunks.
    pub fetched: u64,
}

/// What happened.
#[derive(Debug)]
pub struct Outcome {
    /// How it came.
    pub way: Way,
    /// Where it came from.
    pub progress: Progress,
    /// How many requests were made.
    pub requests: u32,
    /// Seeds that could not be read to their end.
    pub broken_seeds: Vec<String>,
    /// Programs that could not be remade; their chunks were fetched.
    pub failed_remakes: Vec<FailedRemake>,
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Go,
    /// Stop; what is there stays for the next time.
    Stop,
}

/// Looks on, and slows down.
pub trait Watch {
    /// Called again and again.
    fn progress(&mut self, progress: &Progress) -> Flow;

    /// Called after bytes came over the net: may wait (see [`crate::Pace`]).
    fn pace(&mut self, _bytes: u64) {}
}

/// Where the slot file is put together.
pub trait Output {
    /// Its length now.
    ///
    /// # Errors
    /// The disk's.
    fn length(&mut self) -> io::Result<u64>;

    /// Reserves room for so many bytes, so that a full disk shows at the beginning. The length stays.
    ///
    /// # Errors
    /// The disk is full.
    fn reserve(&mut self, length: u64) -> io::Result<()>;

    /// Makes it so long; new bytes are zeros.
    ///
    /// # Errors
    /// The disk's.
    fn set_length(&mut self, length: u64) -> io::Result<()>;

    /// Fills the buffer from there on.
    ///
    /// # Errors
    /// The disk's, or the file ends before.
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// Writes all the bytes there.
    ///
    /// # Errors
    /// The disk's.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Waits until all is on the disk.
    ///
    /// # Errors
    /// The disk's.
    fn sync(&mut self) -> io::Result<()>;
}

/// A slot file cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The repository does not give it.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// There is no room.
    #[error("the disk is full: the new system needs {needed} bytes")]
    Full {
        /// All of it.
        needed: u64,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// The disk does not take it.
    #[error("cannot write the new system")]
    Write(#[source] io::Error),
    /// The disk does not give back what was written.
    #[error("cannot read back the new system")]
    ReadBack(#[source] io::Error),
    /// The server sent other bytes than were signed, again and again.
    #[error("the server sends other content for version {version} than was signed")]
    WrongBytes {
        /// The version.
        version: String,
    },
    /// A signed header that makes no sense: the makers' mistake.
    #[error("the chunk archive of version {version} cannot be used")]
    Header {
        /// The version.
        version: String,
        /// Cause.
        #[source]
        source: HeaderError,
    },
    /// It was stopped.
    #[error("stopped")]
    Stopped,
}

impl DownloadError {
    /// Whether the same may go well later.
    #[must_use]
    pub fn is_worth_retrying(&self) -> bool {
        match self {
            Self::Source(_) | Self::Full { .. } | Self::WrongBytes { .. } | Self::Stopped => true,
            Self::Write(_) | Self::ReadBack(_) | Self::Header { .. } => false,
        }
    }
}

/// What is done with each piece that was read.
type Take<'t, 'a> = dyn FnMut(&mut Run<'a>, &[u8]) -> Result<(), DownloadError> + 't;

/// What both ways share.
struct Run<'a> {
    release: &'a Release,
    source: &'a dyn Source,
    output: &'a mut dyn Output,
    watch: &'a mut dyn Watch,
    progress: Progress,
    requests: u32,
    /// Parts of the output that were remade just now.
    made: Vec<Range<u64>>,
}

impl Job<'_> {
    /// Puts the slot file together in `output`, which may be empty or left from before. When this ends well the output has the signed length
    /// and hash, and is on the disk.
    ///
    /// # Errors
    /// What is there stays for the next time.
    pub fn run(self, output: &mut dyn Output, watch: &mut dyn Watch) -> Result<Outcome, DownloadError> {
        let progress = Progress { needed: self.release.length, ..Progress::default() };
        let (release, source) = (self.release, self.source);
        let mut run = Run { release, source, output, watch, progress, requests: 0, made: Vec::new() };
        run.output.reserve(self.release.length).map_err(|source| run.write_error(source))?;
        let (mut broken_seeds, mut failed_remakes) = (Vec::new(), Vec::new());
        // One that was fetched before needs nothing, not even the header.
        if run.is_complete()? {
            run.progress.present = run.release.length;
            run.tell()?;
            let (way, progress) = (Way::Chunks, run.progress);
            return Ok(Outcome { way, progress, requests: 0, broken_seeds, failed_remakes });
        }
        let way = match run.header()? {
            Some(header) => {
                let before = run.grow(header.length)?;
                if let Some(running) = &self.running {
                    failed_remakes = run.remake(running, before)?;
                }
                run.chunks(&header, before, self.seeds, &mut broken_seeds)?
            }
            None => Way::Full,
        };
        if way == Way::Full {
            run.full()?;
        }
        run.output.sync().map_err(DownloadError::Write)?;
        let (progress, requests) = (run.progress, run.requests);
        Ok(Outcome { way, progress, requests, broken_seeds, failed_remakes })
    }
}

impl<'a> Run<'a> {
    /// The archive's header; `None` when the slot file is better fetched as a whole.
    fn header(&mut self) -> Result<Option<Header>, DownloadError> {
        let Some((name, chunks)) = self.release.archive() else { return Ok(None) };
        if chunks.header_length >= self.release.length {
            return Ok(None);
        }
        let range = crate::source::Range { start: 0, length: chunks.header_length };
        let bytes = self.exactly(&name, range, chunks.header_sha256);
        let bytes = match bytes {
            Ok(bytes) => bytes,
            // A repository may be hosted without its archives, by somebody who broke them, or by a server that knows no parts.
            Err(
                DownloadError::WrongBytes { .. }
                | DownloadError::Source(SourceError::Missing { .. } | SourceError::OtherPart { .. }),
            ) => return Ok(None),
            Err(error) => return Err(error),
        };
        let version = || self.release.version.to_string();
        let header =
            Header::decode(&bytes).map_err(|source| DownloadError::Header { version: version(), source })?;
        if header.length != self.release.length || header.archive_length() != chunks.length {
            return Err(DownloadError::Header { version: version(), source: HeaderError::Sum });
        }
        Ok(Some(header))
    }

    /// Makes the output as long as the slot file; tells how long it was.
    fn grow(&mut self, length: u64) -> Result<u64, DownloadError> {
        let before = self.output.length().map_err(DownloadError::ReadBack)?;
        if before != length {
            self.output.set_length(length).map_err(|source| self.write_error(source))?;
        }
        Ok(before)
    }

    /// A part of a file, as it was signed.
    fn exactly(
        &mut self,
        name: &crate::Name,
        range: crate::source::Range,
        sha256: crate::Sha256,
    ) -> Result<Vec<u8>, DownloadError> {
        self.attempt(|run| {
            let mut bytes = Vec::new();
            run.requests += 1;
            run.read(name, range, &mut |_run, part| {
                bytes.extend_from_slice(part);
                Ok(())
            })?;
            Ok((crate::Sha256::of(&bytes) == sha256).then_some(bytes))
        })
    }

    /// Does something up to [`ATTEMPTS`] times, until it gives something.
    fn attempt<T>(
        &mut self,
        mut step: impl FnMut(&mut Self) -> Result<Option<T>, DownloadError>,
    ) -> Result<T, DownloadError> {
        let mut last = DownloadError::WrongBytes { version: self.release.version.to_string() };
        for _attempt in 0..ATTEMPTS {
            match step(self) {
                Ok(Some(done)) => return Ok(done),
                Ok(None) => last = DownloadError::WrongBytes { version: self.release.version.to_string() },
                Err(DownloadError::Source(error)) if !matches!(error, SourceError::Missing { .. }) => {
                    last = error.into();
                }
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    /// Reads exactly a range, piece by piece.
    fn read(
        &mut self,
        name: &crate::Name,
        range: crate::source::Range,
        take: &mut Take<'_, 'a>,
    ) -> Result<(), DownloadError> {
        let source = self.source;
        let mut reader = source.get(name, Some(range), range.length)?;
        let mut buffer = vec![0; PIECE];
        let mut left = range.length;
        while left > 0 {
            let room = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE);
            let part = buffer.get_mut(..room).unwrap_or_default();
            let got = match reader.read(part) {
                Ok(0) => return Err(SourceError::TooShort { name: name.clone(), missing: left }.into()),
                Ok(got) => got,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(SourceError::reading(name, error).into()),
            };
            let bytes = part.get(..got).unwrap_or_default();
            self.came(got)?;
            take(self, bytes)?;
            left = left.saturating_sub(u64::try_from(got).unwrap_or(u64::MAX));
        }
        Ok(())
    }

    fn came(&mut self, bytes: usize) -> Result<(), DownloadError> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.progress.fetched += bytes;
        self.watch.pace(bytes);
        self.tell()
    }

    fn tell(&mut self) -> Result<(), DownloadError> {
        match self.watch.progress(&self.progress) {
            Flow::Go => Ok(()),
            Flow::Stop => Err(DownloadError::Stopped),
        }
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), DownloadError> {
        self.output.write_at(offset, bytes).map_err(|source| self.write_error(source))
    }

    fn write_error(&self, source: io::Error) -> DownloadError {
        if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            return DownloadError::Full { needed: self.release.length, source };
        }
        DownloadError::Write(source)
    }

    /// Whether the output is the slot file, all of it read again.
    fn is_complete(&mut self) -> Result<bool, DownloadError> {
        let length = self.release.length;
        if self.output.length().map_err(DownloadError::ReadBack)? != length {
            return Ok(false);
        }
        let mut hasher = crate::Hasher::default();
        let mut buffer = vec![0; PIECE];
        while hasher.length() < length {
            let room = usize::try_from(length - hasher.length()).unwrap_or(usize::MAX).min(PIECE);
            let part = buffer.get_mut(..room).unwrap_or_default();
            self.output.read_at(hasher.length(), part).map_err(DownloadError::ReadBack)?;
            hasher.update(part);
        }
        Ok(self.release.is_file(hasher).is_ok())
    }
}

impl Output for File {
    fn length(&mut self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn reserve(&mut self, length: u64) -> io::Result<()> {
        match rustix::fs::fallocate(&*self, FallocateFlags::KEEP_SIZE, 0, length) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn set_length(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.read_exact_at(buffer, offset)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

impl fmt::Debug for Job<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("release", self.release)
            .field("seeds", &self.seeds)
            .field("running", &self.running)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seed").field("name", &self.name).finish_non_exhaustive()
    }
}
