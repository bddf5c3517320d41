//! Writes an image so that what a cut leaves never boots half.
//!
//! ```text
//! 1 zeros over both edges of the disk (any old partition table and its copy), synced
//! 2 the used blocks, as they come out of the stream; the image's edges stay in memory (2 MiB)
//! 3 synced, read back from the disk, compared
//! 4 the preset into the boot partition, synced, read back
//! 5 the image's end (copy of the table), then its start from the back: at the last the first sector, without which nothing boots
//! 6 both edges read back; if they differ, zeros over the start again
//! ```
//! Memory: the two edges, a buffer, the decoder's window.

use crate::block_map::BlockMap;
use crate::block_map::Extent;
use crate::boot_partition;
use crate::boot_partition::PresetError;
use crate::digest::Digest;
use crate::digest::Hasher;
use crate::target::Target;
use std::fmt;
use std::io;
use std::io::Read;
use std::ops::Range;

/// What is held back at each end, in bytes: more than a partition table of any sector size takes.
pub const EDGE: u64 = 1 << 20;
/// Bytes that are read and written at once.
const CHUNK: usize = 1 << 20;
/// Written between two syncs, in bytes: keeps what waits in memory small, and the progress true.
const SYNC_EVERY: u64 = 32 << 20;
/// Without a map checksums are made of parts of so many bytes.
const PART: u64 = 4 << 20;
const SECTOR: u64 = 512;

/// What is written.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// Bytes of the image.
    pub size: u64,
    /// What of it has to be written; all of it without a map.
    pub map: Option<&'a BlockMap>,
    /// SHA-256 of the whole image, where it is known.
    pub whole: Option<Digest>,
    /// Content of the preset file.
    pub preset: Option<&'a [u8]>,
}

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Writing the image.
    Writing,
    /// Reading it back.
    Verifying,
    /// Writing the preset and the partition table.
    Finishing,
}

/// Told how far it is.
pub trait Progress {
    /// So many of so many bytes of this step are done.
    fn at(&mut self, step: Step, done: u64, total: u64);
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Bytes that were written of the image.
    pub bytes: u64,
    /// Bytes of the image that needed no writing.
    pub skipped: u64,
}

/// Why a disk does not hold the image. None of it boots then.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The disk is too small; it was not touched.
    #[error("the image needs {needs} bytes, and the disk has {has}")]
    TooSmall {
        /// Bytes of the image.
        needs: u64,
        /// Bytes of the disk.
        has: u64,
    },
    /// The image cannot be read.
    #[error("read the image at byte {at}")]
    Image {
        /// How far it was.
        at: u64,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The image has more or fewer bytes than it should.
    #[error("the image has {0} bytes than it should")]
    Length(Length),
    /// The image is not what its block map or its checksum says.
    #[error("the image is damaged between the bytes {} and {}: its checksum is another", extent.start, extent.end)]
    Damaged {
        /// Where.
        extent: Range<u64>,
    },
    /// The disk did not take something.
    #[error("write to the disk at byte {at}")]
    Disk {
        /// Where.
        at: u64,
        /// What the kernel says.
        #[source]
        source: io::Error,
    },
    /// The disk did not give something back.
    #[error("read back from the disk at byte {at}")]
    ReadBack {
        /// Where.
        at: u64,
        /// What the kernel says.
        #[source]
        source: io::Error,
    },
    /// The disk gave back something else.
    #[error("the disk does not hold what was written between the bytes {} and {}: it is worn out or no honest one", extent.start, extent.end)]
    Different {
        /// Where.
        extent: Range<u64>,
    },
    /// The preset could not be put on the boot partition.
    #[error("write the preset to the boot partition")]
    Preset {
        /// Why not.
        #[source]
        source: PresetError,
    },
}

/// How an image's length is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// It ends early.
    Fewer,
    /// It goes on.
    More,
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fewer => "fewer",
            Self::More => "more",
        })
    }
}

/// The image's ends, which are written last.
#[derive(Debug)]
struct Edges {
    start: Vec<u8>,
    end: Vec<u8>,
    end_at: u64,
}

/// Writes an image that comes out of `stream`, and reads it back.
///
/// # Errors
/// See [`WriteError`]; whatever it is, the disk has no partition table then.
pub fn write(
    wish: &Wish<'_>,
    stream: &mut dyn Read,
    target: &mut dyn Target,
    progress: &mut dyn Progress,
) -> Result<Written, WriteError> {
    let has = target.size();
    if has < wish.size {
        return Err(WriteError::TooSmall { needs: wish.size, has });
    }
    wipe(wish.size, target)?;
    let mut edges = Edges::of(wish.size);
    let extents = stream_out(wish, stream, target, &mut edges, progress)?;
    target.sync().map_err(|source| WriteError::Disk { at: wish.size, source })?;
    verify(&extents, target, &edges, progress)?;
    progress.at(Step::Finishing, 0, 1);
    if let Some(preset) = wish.preset {
        boot_partition::put(target, &edges.start, (EDGE, edges.end_at), preset)
            .map_err(|source| WriteError::Preset { source })?;
    }
    commit(target, &edges)?;
    progress.at(Step::Finishing, 1, 1);
    let bytes = extents.iter().map(|extent| extent.end - extent.start).sum();
    Ok(Written { bytes, skipped: wish.size.saturating_sub(bytes) })
}

/// Where a partition table or its copy is, was, or will be: the disk's ends, and the image's end, which is inside of a larger disk.
fn wipe(size: u64, target: &mut dyn Target) -> Result<(), WriteError> {
    let has = target.size();
    let zeros = vec![0; usize::try_from(EDGE).unwrap_or(CHUNK)];
    for start in [0, has.saturating_sub(EDGE), size.saturating_sub(EDGE)] {
        let length = usize::try_from(has - start).unwrap_or(usize::MAX).min(zeros.len());
        let zeros = zeros.get(..length).unwrap_or_default();
        target.write_at(start, zeros).map_err(|source| WriteError::Disk { at: start, source })?;
    }
    target.sync().map_err(|source| WriteError::Disk { at: 0, source })
}

impl Edges {
    fn of(size: u64) -> Self {
        let start = EDGE.min(size);
        let end_at = size.saturating_sub(EDGE).max(start);
        let zeros = |length: u64| vec![0; usize::try_from(length).unwrap_or(0)];
        Self { start: zeros(start), end: zeros(size - end_at), end_at }
    }

    /// The part of the image that is not held back.
    fn middle(&self) -> Range<u64> {
        u64::try_from(self.start.len()).unwrap_or(EDGE)..self.end_at
    }

    /// The bytes that are held back from `offset` on, at most `length` of them; none when `offset` is in the middle.
    fn held(&mut self, offset: u64, length: usize) -> Option<&mut [u8]> {
        let middle = self.middle();
        let (edge, from) = if offset < middle.start {
            (&mut self.start, offset)
        } else {
            (&mut self.end, offset.checked_sub(middle.end)?)
        };
        let rest = edge.get_mut(usize::try_from(from).ok()?..)?;
        let length = length.min(rest.len());
        rest.get_mut(..length)
    }
}

/// A part of the image whose checksum is being made.
#[derive(Debug)]
struct Measure {
    extent: Range<u64>,
    wanted: Option<Digest>,
    hasher: Hasher,
}

/// What has to be written, part by part.
struct Parts<'a> {
    mapped: Option<Box<dyn Iterator<Item = Extent> + 'a>>,
    next: u64,
    size: u64,
}

impl Iterator for Parts<'_> {
    type Item = Measure;

    fn next(&mut self) -> Option<Measure> {
        if let Some(mapped) = &mut self.mapped {
            let Extent { start, end, digest } = mapped.next()?;
            return Some(Measure { extent: start..end, wanted: Some(digest), hasher: Hasher::default() });
        }
        let start = self.next;
        self.next = start.saturating_add(PART).min(self.size);
        (start < self.size).then(|| Measure {
            extent: start..self.next,
            wanted: None,
            hasher: Hasher::default(),
        })
    }
}

/// Reads the whole image, writes what is used of its middle, keeps its edges, checks all checksums.
fn stream_out(
    wish: &Wish<'_>,
    stream: &mut dyn Read,
    target: &mut dyn Target,
    edges: &mut Edges,
    progress: &mut dyn Progress,
) -> Result<Vec<Extent>, WriteError> {
    let total = wish.map.map_or(wish.size, |map| map.extents().map(|extent| extent.end - extent.start).sum());
    let mapped = wish.map.map(|map| -> Box<dyn Iterator<Item = Extent>> { Box::new(map.extents()) });
    let mut parts = Parts { mapped, next: 0, size: wish.size };
    let (mut part, mut done) = (parts.next(), Vec::new());
    let mut whole = wish.whole.map(|wanted| (wanted, Hasher::default()));
    let (mut at, mut written, mut unsynced) = (0, 0, 0);
    let mut buffer = vec![0; CHUNK];
    while at < wish.size {
        let room = usize::try_from(wish.size - at).unwrap_or(CHUNK).min(CHUNK);
        let chunk = buffer.get_mut(..room).unwrap_or_default();
        let count = fill(stream, chunk).map_err(|source| WriteError::Image { at, source })?;
        let mut rest = chunk.get(..count).unwrap_or_default();
        if rest.is_empty() {
            return Err(WriteError::Length(Length::Fewer));
        }
        if let Some((_, hasher)) = &mut whole {
            hasher.update(rest);
        }
        while !rest.is_empty() {
            let Some(current) = &mut part else {
                at += length(rest);
                break;
            };
            if at < current.extent.start {
                let skipped = length(rest).min(current.extent.start - at);
                rest = rest.get(to_usize(skipped)..).unwrap_or_default();
                at += skipped;
                continue;
            }
            let (used, behind) = rest.split_at(to_usize(length(rest).min(current.extent.end - at)));
            rest = behind;
            current.hasher.update(used);
            put(target, edges, at, used)?;
            at += length(used);
            (written, unsynced) = (written + length(used), unsynced + length(used));
            if unsynced >= SYNC_EVERY {
                target.sync().map_err(|source| WriteError::Disk { at, source })?;
                unsynced = 0;
            }
            progress.at(Step::Writing, written, total);
            if at == current.extent.end
                && let Some(ended) = part.take()
            {
                done.push(finish(ended)?);
                part = parts.next();
            }
        }
    }
    if fill(stream, &mut [0]).map_err(|source| WriteError::Image { at, source })? > 0 {
        return Err(WriteError::Length(Length::More));
    }
    if whole.is_some_and(|(wanted, hasher)| hasher.finish() != wanted) {
        return Err(WriteError::Damaged { extent: 0..wish.size });
    }
    Ok(done)
}

fn finish(part: Measure) -> Result<Extent, WriteError> {
    let digest = part.hasher.finish();
    if part.wanted.is_some_and(|wanted| wanted != digest) {
        return Err(WriteError::Damaged { extent: part.extent });
    }
    Ok(Extent { start: part.extent.start, end: part.extent.end, digest })
}

/// To the disk, or for later.
fn put(target: &mut dyn Target, edges: &mut Edges, mut at: u64, mut bytes: &[u8]) -> Result<(), WriteError> {
    while !bytes.is_empty() {
        let middle = edges.middle();
        let count = match edges.held(at, bytes.len()) {
            Some(held) => {
                held.copy_from_slice(bytes.get(..held.len()).unwrap_or_default());
                held.len()
            }
            None => {
                let count = bytes.len().min(to_usize(middle.end - at));
                let now = bytes.get(..count).unwrap_or_default();
                target.write_at(at, now).map_err(|source| WriteError::Disk { at, source })?;
                count
            }
        };
        if count == 0 {
            // A part behind the image's end; maps have none.
            return Err(WriteError::Length(Length::More));
        }
        at += u64::try_from(count).unwrap_or(u64::MAX);
        bytes = bytes.get(count..).unwrap_or_default();
    }
    Ok(())
}

/// Reads what was written back. The edges are not on the disk yet: their bytes count as they are in memory.
fn verify(
    extents: &[Extent],
    target: &mut dyn Target,
    edges: &Edges,
    progress: &mut dyn Progress,
) -> Result<(), WriteError> {
    let total = extents.iter().map(|extent| extent.end - extent.start).sum();
    let mut done = 0;
    let mut buffer = vec![0; CHUNK];
    let middle = edges.middle();
    for extent in extents {
        let (mut at, mut hasher) = (extent.start, Hasher::default());
        while at < extent.end {
            let (edge, from, until) = if at < middle.start {
                (Some(&edges.start), at, middle.start)
            } else if at < middle.end {
                (None, at, middle.end)
            } else {
                (Some(&edges.end), at - middle.end, u64::MAX)
            };
            let count = to_usize(until.min(extent.end) - at).min(CHUNK);
            let piece = buffer.get_mut(..count).unwrap_or_default();
            match edge {
                Some(edge) => {
                    let from = to_usize(from);
                    piece.copy_from_slice(edge.get(from..from.saturating_add(count)).unwrap_or_default());
                }
                None => {
                    target.read_back(at, piece).map_err(|source| WriteError::ReadBack { at, source })?;
                }
            }
            hasher.update(piece);
            at += length(piece);
            done += length(piece);
            progress.at(Step::Verifying, done, total);
        }
        if hasher.finish() != extent.digest {
            return Err(WriteError::Different { extent: extent.start..extent.end });
        }
    }
    Ok(())
}

/// The copy of the table, then what is behind the table's header, the header, and at the last the first sector.
fn commit(target: &mut dyn Target, edges: &Edges) -> Result<(), WriteError> {
    let sector = to_usize(SECTOR);
    let (first, rest) = edges.start.split_at(sector.min(edges.start.len()));
    let (header, rest) = rest.split_at(sector.min(rest.len()));
    let mut step = |at: u64, bytes: &[u8]| {
        if bytes.is_empty() {
            return Ok(());
        }
        let written = target.write_at(at, bytes).and_then(|()| target.sync());
        written.map_err(|source| WriteError::Disk { at, source })
    };
    step(edges.end_at, &edges.end)?;
    step(2 * SECTOR, rest)?;
    step(SECTOR, header)?;
    step(0, first)?;
    let same = is_there(target, 0, &edges.start).and_then(|()| is_there(target, edges.end_at, &edges.end));
    if same.is_err() {
        let zeros = vec![0; edges.start.len()];
        let wiped = target.write_at(0, &zeros).and_then(|()| target.sync());
        wiped.map_err(|source| WriteError::Disk { at: 0, source })?;
    }
    same
}

fn is_there(target: &mut dyn Target, at: u64, bytes: &[u8]) -> Result<(), WriteError> {
    let mut found = vec![0; bytes.len()];
    target.read_back(at, &mut found).map_err(|source| WriteError::ReadBack { at, source })?;
    if found == bytes { Ok(()) } else { Err(WriteError::Different { extent: at..at + length(bytes) }) }
}

/// Reads until the buffer is full or the stream ends.
fn fill(stream: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut count = 0;
    while let Some(rest) = buffer.get_mut(count..).filter(|rest| !rest.is_empty()) {
        match stream.read(rest) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
