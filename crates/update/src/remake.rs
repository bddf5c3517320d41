//! Remakes: how a file of the new root is made on the box from the same file of an earlier release, as it lies in the new slot file.
//!
//! ```text
//! magic 16 │ slot length u64 │ cluster, segment, level u32 │ files u32 │ files × … │ bodies …
//! file: path length u16, path │ base: length u32, SHA-256 │ length u32 │ offset u64, stored u32, SHA-256 │
//!       extents u32 × (taken u32, stored u32) │ body: length u32, SHA-256
//! ```
//!
//! Numbers are little-endian. Programs lie compressed in the slot file, by LZ4 in clusters of a fixed size, and a small change of one
//! changes every compressed byte after it. So the difference is one of content ([`difference`]), and the box compresses the result as
//! mkfs.erofs did ([`clusters`]): the same bytes come out. The header's length and SHA-256 are signed and it has those of every body;
//! what is made counts only as far as its chunks have the signed hashes. It is bounded all the same.

use crate::custom::MAX_REMAKE_HEADER;
use crate::digest::Sha256;
use crate::source::MAX_SLOT;

pub(crate) mod clusters;
pub(crate) mod difference;

pub use difference::DifferenceError;

/// The first bytes of a file of remakes.
pub const MAGIC: &[u8; 16] = b"hearth-remake-1\n";
/// The most files that are remade.
pub const MAX_FILES: u32 = 128;
/// The longest file that is remade, and the longest base, in bytes: what a box keeps in memory.
pub const MAX_CONTENT: u32 = 64 << 20;
/// All files together, in bytes: what a box compresses.
pub const MAX_CONTENTS: u64 = 256 << 20;
/// The longest body, in bytes.
pub const MAX_BODY: u32 = 16 << 20;
/// The longest path, in bytes.
pub const MAX_PATH: usize = 255;
/// The largest cluster that mkfs.erofs makes, in bytes.
pub const MAX_CLUSTER: u32 = 1 << 20;
/// Blocks of the root, in bytes: what clusters are multiples of.
pub const BLOCK: u32 = 4096;
/// Levels of LZ4 HC.
const LEVELS: std::ops::RangeInclusive<u32> = 3..=12;

/// How the root was packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packing {
    /// The most that a cluster takes in the root, in bytes (`-C` of mkfs.erofs).
    pub cluster: u32,
    /// What is compressed by itself, in bytes of content: no cluster goes beyond a multiple of it.
    pub segment: u32,
    /// Of LZ4 HC.
    pub level: u32,
}

/// A piece of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Bytes of content.
    pub taken: u32,
    /// Bytes in the slot file: whole blocks. At least as many as are taken: stored as they are, zeros after them; fewer: compressed, zeros
    /// before them.
    pub stored: u32,
}

/// The same file of an earlier release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base {
    /// Its length, in bytes.
    pub length: u32,
    /// Its hash.
    pub sha256: Sha256,
}

/// A file that is remade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remake {
    /// Where it lies below the root, such as `usr/lib/hearth/hostd`.
    pub path: String,
    /// What it is made from; it has the same path.
    pub base: Base,
    /// Its length, in bytes.
    pub length: u32,
    /// Where it lies in the slot file, in bytes.
    pub offset: u64,
    /// How many bytes of the slot file that are.
    pub stored: u32,
    /// The hash of these.
    pub sha256: Sha256,
    /// The pieces that lie there, one after another.
    pub extents: Vec<Extent>,
    /// The length of the difference, in bytes.
    pub body: u32,
    /// Its hash.
    pub body_sha256: Sha256,
}

/// The header of a file of remakes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemakeHeader {
    /// The length of the slot file.
    pub length: u64,
    /// How its root was packed.
    pub packing: Packing,
    /// In the order of the slot file.
    pub files: Vec<Remake>,
}

/// A header cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemakeHeaderError {
    /// Another file, or a later format.
    #[error("this is no file of remakes that this system knows")]
    Magic,
    /// Ends early, or goes on.
    #[error("the header of the remakes has another length than it says")]
    Length,
    /// A number is out of bounds.
    #[error("the header of the remakes has a number that cannot be right")]
    Number,
    /// A path leads elsewhere.
    #[error("the header of the remakes names a file that cannot be right")]
    Path,
    /// Pieces are not the file, or lie where others do.
    #[error("the pieces of a file do not add up")]
    Sum,
}

impl Packing {
    /// Whether mkfs.erofs packs so.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        let Self { cluster, segment, level } = *self;
        let blocks = cluster.is_multiple_of(BLOCK) && (BLOCK..=MAX_CLUSTER).contains(&cluster);
        blocks && segment.is_multiple_of(BLOCK) && segment >= cluster && LEVELS.contains(&level)
    }
}

impl Extent {
    /// Whether it lies there as it is.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.taken <= self.stored
    }

    fn is_usable(&self, packing: &Packing) -> bool {
        let blocks = self.stored.is_multiple_of(BLOCK) && (BLOCK..=packing.cluster).contains(&self.stored);
        // What lies as it is takes no more blocks than it needs.
        blocks && self.taken > 0 && (!self.is_plain() || self.stored - self.taken < BLOCK)
    }
}

impl Remake {
    fn check(&self, packing: &Packing) -> Result<(), RemakeHeaderError> {
        if !is_path(&self.path) {
            return Err(RemakeHeaderError::Path);
        }
        let lengths = [self.base.length, self.length].iter().all(|length| (1..=MAX_CONTENT).contains(length));
        let extents = self.extents.iter().all(|extent| extent.is_usable(packing));
        if !lengths || !extents || !(1..=MAX_BODY).contains(&self.body) {
            return Err(RemakeHeaderError::Number);
        }
        let sum =
            |of: fn(&Extent) -> u32| self.extents.iter().map(|extent| u64::from(of(extent))).sum::<u64>();
        let (taken, stored) = (sum(|extent| extent.taken), sum(|extent| extent.stored));
        if taken != u64::from(self.length) || stored != u64::from(self.stored) {
            return Err(RemakeHeaderError::Sum);
        }
        Ok(())
    }

    /// Where it ends in the slot file.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(u64::from(self.stored))
    }
}

impl RemakeHeader {
    /// Writes it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let Packing { cluster, segment, level } = self.packing;
        bytes.extend(self.length.to_le_bytes());
        for number in [cluster, segment, level, count(self.files.len())] {
            bytes.extend(number.to_le_bytes());
        }
        for file in &self.files {
            bytes.extend(u16::try_from(file.path.len()).unwrap_or(u16::MAX).to_le_bytes());
            bytes.extend(file.path.bytes());
            bytes.extend(file.base.length.to_le_bytes());
            bytes.extend(file.base.sha256.0);
            bytes.extend(file.length.to_le_bytes());
            bytes.extend(file.offset.to_le_bytes());
            bytes.extend(file.stored.to_le_bytes());
            bytes.extend(file.sha256.0);
            bytes.extend(count(file.extents.len()).to_le_bytes());
            for extent in &file.extents {
                bytes.extend(extent.taken.to_le_bytes());
                bytes.extend(extent.stored.to_le_bytes());
            }
            bytes.extend(file.body.to_le_bytes());
            bytes.extend(file.body_sha256.0);
        }
        bytes
    }

    /// Reads all of it.
    ///
    /// # Errors
    /// What does not add up.
    pub fn decode(bytes: &[u8]) -> Result<Self, RemakeHeaderError> {
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_REMAKE_HEADER {
            return Err(RemakeHeaderError::Length);
        }
        let mut rest = bytes.strip_prefix(MAGIC).ok_or(RemakeHeaderError::Magic)?;
        let length = u64::from_le_bytes(*take(&mut rest)?);
        let packing =
            Packing { cluster: number(&mut rest)?, segment: number(&mut rest)?, level: number(&mut rest)? };
        let count = number(&mut rest)?;
        if !packing.is_usable() || !(1..=MAX_SLOT).contains(&length) || !(1..=MAX_FILES).contains(&count) {
            return Err(RemakeHeaderError::Number);
        }
        let mut header = Self { length, packing, files: Vec::new() };
        for _file in 0..count {
            let file = remake(&mut rest)?;
            file.check(&packing)?;
            header.files.push(file);
        }
        if !rest.is_empty() {
            return Err(RemakeHeaderError::Length);
        }
        header.add_up()?;
        Ok(header)
    }

    /// The length of the header and all bodies, in bytes.
    #[must_use]
    pub fn whole_length(&self) -> u64 {
        let bodies: u64 = self.files.iter().map(|file| u64::from(file.body)).sum();
        bodies.saturating_add(u64::try_from(self.encode().len()).unwrap_or(u64::MAX))
    }

    /// No file lies where another does or beyond the end, and a box can make them all.
    fn add_up(&self) -> Result<(), RemakeHeaderError> {
        let mut before = 0;
        for file in &self.files {
            if file.offset < before {
                return Err(RemakeHeaderError::Sum);
            }
            before = file.end();
        }
        let contents: u64 = self.files.iter().map(|file| u64::from(file.length)).sum();
        if before > self.length || contents > MAX_CONTENTS { Err(RemakeHeaderError::Sum) } else { Ok(()) }
    }
}

/// Makes a file of exactly `length` bytes from its base and the difference.
///
/// # Errors
/// The difference is broken, or belongs to another base; what is made of one that is as long is not looked at here.
pub fn apply(body: &[u8], base: &[u8], length: u32) -> Result<Vec<u8>, DifferenceError> {
    let base_length = u32::try_from(base.len()).unwrap_or(u32::MAX);
    difference::apply(body, base, base_length, length)
}

/// Whether it is a plain path below the root.
pub(crate) fn is_path(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'+');
    let part = |part: &str| !matches!(part, "" | "." | "..") && part.bytes().all(plain);
    path.len() <= MAX_PATH && path.split('/').all(part)
}

fn remake(rest: &mut &[u8]) -> Result<Remake, RemakeHeaderError> {
    let path_length = usize::from(u16::from_le_bytes(*take(rest)?));
    let (path, left) = rest.split_at_checked(path_length).ok_or(RemakeHeaderError::Length)?;
    *rest = left;
    let path = std::str::from_utf8(path).map_err(|_other| RemakeHeaderError::Path)?.to_owned();
    let base = Base { length: number(rest)?, sha256: Sha256(*take(rest)?) };
    let length = number(rest)?;
    let offset = u64::from_le_bytes(*take(rest)?);
    let stored = number(rest)?;
    let sha256 = Sha256(*take(rest)?);
    let count = usize::try_from(number(rest)?).map_err(|_wide| RemakeHeaderError::Number)?;
    // Before anything is allocated: all of them are there.
    if rest.len() / 8 < count {
        return Err(RemakeHeaderError::Length);
    }
    let mut extents = Vec::with_capacity(count);
    for _extent in 0..count {
        extents.push(Extent { taken: number(rest)?, stored: number(rest)? });
    }
    let (body, body_sha256) = (number(rest)?, Sha256(*take(rest)?));
    Ok(Remake { path, base, length, offset, stored, sha256, extents, body, body_sha256 })
}

fn number(rest: &mut &[u8]) -> Result<u32, RemakeHeaderError> {
    take(rest).map(|bytes| u32::from_le_bytes(*bytes))
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Result<&'a [u8; N], RemakeHeaderError> {
    let (taken, left) = rest.split_first_chunk().ok_or(RemakeHeaderError::Length)?;
    *rest = left;
    Ok(taken)
}

#[cfg(test)]
mod tests;
