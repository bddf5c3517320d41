//! Programs made from those of the running system. Nothing here needs to go well: what is not made is fetched.

use super::DownloadError;
use super::PIECE;
use super::Run;
use crate::digest::Hasher;
use crate::digest::Sha256;
use crate::name::Name;
use crate::remake::Base;
use crate::remake::Packing;
use crate::remake::Remake;
use crate::remake::RemakeHeader;
use crate::remake::RemakeHeaderError;
use crate::remake::clusters::Compressor;
use crate::remake::difference;
use crate::remake::difference::DifferenceError;
use crate::remake::difference::Old;
use crate::source::Range;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use slots::Version;
use std::fs::File;
use std::io;
use std::path::PathBuf;

/// The system that runs. Not believed: its files are hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Its version.
    pub version: Version,
    /// Its root folder, such as `/`.
    pub root: PathBuf,
}

/// A program that could not be remade, or all of them.
#[derive(Debug)]
pub struct FailedRemake {
    /// Its path below the root, or what has them all.
    pub what: String,
    /// Why.
    pub error: RemakeError,
}

/// A program cannot be remade.
#[derive(Debug, thiserror::Error)]
pub enum RemakeError {
    /// What was signed cannot be had.
    #[error("cannot fetch it")]
    Fetch(#[source] Box<DownloadError>),
    /// A signed header that makes no sense: the makers' mistake.
    #[error("the remakes cannot be used")]
    Header(#[source] RemakeHeaderError),
    /// The file of the running system cannot be read.
    #[error("cannot read the file of the running system")]
    Base(#[source] io::Error),
    /// The file of the running system is another one.
    #[error("the running system has another file")]
    OtherBase,
    /// The difference is of no use.
    #[error("cannot make the new file")]
    Difference(#[source] DifferenceError),
    /// Compressed, it is not what lies in the slot file.
    #[error("the new file is compressed otherwise")]
    OtherBytes,
}

impl Run<'_> {
    /// Makes what can be made; `before` is how long the output was.
    pub(super) fn remake(
        &mut self,
        running: &Running,
        before: u64,
    ) -> Result<Vec<FailedRemake>, DownloadError> {
        let mut failed = Vec::new();
        let Some((name, remakes)) = self.release.remakes_from(&running.version) else { return Ok(failed) };
        let (header_length, length) = (remakes.header_length, remakes.length);
        let range = Range { start: 0, length: header_length };
        let bytes = self.exactly(&name, range, remakes.header_sha256).map(Ok).or_else(ours)?;
        let header = bytes.and_then(|bytes| {
            let header = RemakeHeader::decode(&bytes).map_err(RemakeError::Header)?;
            let fits = header.length == self.release.length && header.whole_length() == length;
            if fits { Ok(header) } else { Err(RemakeError::Header(RemakeHeaderError::Length)) }
        });
        let header = match header {
            Ok(header) => header,
            Err(error) => return Ok(vec![FailedRemake { what: name.file(), error }]),
        };
        let mut start = header_length;
        for file in &header.files {
            let body = Range { start, length: u64::from(file.body) };
            start = start.saturating_add(body.length);
            let counted = self.progress.remade;
            if let Err(error) = self.remake_file(running, (&name, body), (file, &header.packing), before)? {
                self.progress.remade = counted;
                failed.push(FailedRemake { what: file.path.clone(), error });
            }
        }
        Ok(failed)
    }

    fn remake_file(
        &mut self,
        running: &Running,
        (name, body): (&Name, Range),
        (file, packing): (&Remake, &Packing),
        before: u64,
    ) -> Result<Result<(), RemakeError>, DownloadError> {
        if file.end() <= before && self.hash(file)? == file.sha256 {
            return Ok(Ok(()));
        }
        let base = match open(running, file) {
            Ok(base) => base,
            Err(error) => return Ok(Err(error)),
        };
        let body = match self.exactly(name, body, file.body_sha256).map(Ok).or_else(ours)? {
            Ok(body) => body,
            Err(error) => return Ok(Err(error)),
        };
        let content = match difference::apply(&body, &base, file.base.length, file.length) {
            Ok(content) => content,
            Err(error) => return Ok(Err(RemakeError::Difference(error))),
        };
        drop(body);
        self.tell()?;
        let mut compressor = Compressor::new(&content, *packing);
        let (mut hasher, mut at) = (Hasher::default(), file.offset);
        for extent in &file.extents {
            let Some(piece) = compressor.next(*extent) else { return Ok(Err(RemakeError::OtherBytes)) };
            hasher.update(&piece);
            self.write(at, &piece)?;
            at = at.saturating_add(u64::from(extent.stored));
            self.progress.remade = self.progress.remade.saturating_add(u64::from(extent.stored));
            self.tell()?;
        }
        if hasher.finish() != file.sha256 {
            return Ok(Err(RemakeError::OtherBytes));
        }
        self.made.push(file.offset..file.end());
        Ok(Ok(()))
    }

    /// The hash of what lies in the output where the file belongs.
    fn hash(&mut self, file: &Remake) -> Result<Sha256, DownloadError> {
        let mut hasher = Hasher::default();
        let mut buffer = vec![0; PIECE];
        while hasher.length() < u64::from(file.stored) {
            let left = u64::from(file.stored).saturating_sub(hasher.length());
            let room = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE);
            let part = buffer.get_mut(..room).unwrap_or_default();
            let at = file.offset.saturating_add(hasher.length());
            self.output.read_at(at, part).map_err(DownloadError::ReadBack)?;
            hasher.update(part);
        }
        Ok(hasher.finish())
    }

    /// How much of a part of the output was remade just now, in bytes.
    pub(super) fn made_within(&self, start: u64, end: u64) -> u64 {
        let within = |made: &std::ops::Range<u64>| made.end.min(end).saturating_sub(made.start.max(start));
        self.made.iter().map(within).sum()
    }
}

/// Opens the file that a program is made from, and looks whether it is that one.
fn open(running: &Running, file: &Remake) -> Result<File, RemakeError> {
    // The root is read-only and verified, but a test's or a developer's is not: nothing is waited for.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = rustix::fs::open(running.root.join(&file.path), flags, Mode::empty());
    let opened = File::from(opened.map_err(|errno| RemakeError::Base(errno.into()))?);
    let about = opened.metadata().map_err(RemakeError::Base)?;
    let Base { length, sha256 } = file.base;
    if !about.is_file() || about.len() != u64::from(length) {
        return Err(RemakeError::OtherBase);
    }
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; PIECE];
    while hasher.length() < u64::from(length) {
        let left = u64::from(length).saturating_sub(hasher.length());
        let room = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE);
        let part = buffer.get_mut(..room).unwrap_or_default();
        opened.read_at(hasher.length(), part).map_err(RemakeError::Base)?;
        hasher.update(part);
    }
    if hasher.finish() == sha256 { Ok(opened) } else { Err(RemakeError::OtherBase) }
}

/// What the repository does not give costs a remake only; what the box or its owner says ends the download.
fn ours(error: DownloadError) -> Result<Result<Vec<u8>, RemakeError>, DownloadError> {
    match error {
        DownloadError::Source(_) | DownloadError::WrongBytes { .. } | DownloadError::Header { .. } => {
            Ok(Err(RemakeError::Fetch(Box::new(error))))
        }
        DownloadError::Full { .. }
        | DownloadError::Write(_)
        | DownloadError::ReadBack(_)
        | DownloadError::Stopped => Err(error),
    }
}
