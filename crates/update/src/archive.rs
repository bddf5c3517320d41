//! Chunk archives: a slot file cut where its content says, each chunk compressed by itself, and a header that names them all.
//!
//! ```text
//! magic 16 │ slot length u64 │ min, average, max u32 │ chunks u32 │ places u32 │ chunks × (SHA-256, length u32, stored u32) │ places × u32 │ data …
//! ```
//!
//! Numbers are little-endian. `places` lists the chunks in the order of the slot file; a chunk that comes twice is stored once. Data has the
//! chunks in their order, as zstd frames, or as they are where that is not shorter (`stored` = `length`). The header's length and SHA-256
//! are signed, so a box decodes only headers that the makers wrote; it is bounded all the same.

use crate::custom::MAX_HEADER;
use crate::digest::Sha256;
use crate::source::MAX_SLOT;

/// The first bytes of an archive.
pub const MAGIC: &[u8; 16] = b"hearth-chunks-1\n";
/// The longest chunk that an archive may have, in bytes: what a box keeps in memory.
pub const MAX_CHUNK: u32 = 1 << 20;
/// The most chunks, and the most places.
pub const MAX_CHUNKS: u32 = 1 << 17;
/// Bytes before the table.
const FIXED: usize = 16 + 8 + 4 * 3 + 4 * 2;

/// How content is cut: FastCDC (2020), normalisation level 1, as `fastcdc::v2020` does. Both sides must cut alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// No chunk but the last is shorter.
    pub min: u32,
    /// What is aimed at.
    pub average: u32,
    /// No chunk is longer.
    pub max: u32,
}

/// A chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The hash of its content.
    pub sha256: Sha256,
    /// Its length.
    pub length: u32,
    /// Its length in the archive.
    pub stored: u32,
}

/// The header of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The length of the slot file.
    pub length: u64,
    /// How it was cut.
    pub cut: Cut,
    /// Every chunk once.
    pub chunks: Vec<Chunk>,
    /// Which chunk comes where.
    pub places: Vec<u32>,
}

/// A header cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Another file, or a later format.
    #[error("this is no chunk archive that this system knows")]
    Magic,
    /// Ends early, or goes on.
    #[error("the header of the chunk archive has another length than it says")]
    Length,
    /// A number is out of bounds.
    #[error("the header of the chunk archive has a number that cannot be right")]
    Number,
    /// The chunks are not the slot file.
    #[error("the chunks do not add up to the system's length")]
    Sum,
}

impl Cut {
    /// Whether the cutter takes these numbers.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        let Self { min, average, max } = *self;
        // The bounds of `fastcdc::v2020`, which panics beyond them.
        (64..=MAX_CHUNK).contains(&min)
            && average >= min.max(256)
            && max >= average.max(1024)
            && max <= MAX_CHUNK
    }
}

impl Header {
    /// Writes it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.length.to_le_bytes());
        let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let Cut { min, average, max } = self.cut;
        for number in [min, average, max, count(self.chunks.len()), count(self.places.len())] {
            bytes.extend(number.to_le_bytes());
        }
        for chunk in &self.chunks {
            bytes.extend(chunk.sha256.0);
            bytes.extend(chunk.length.to_le_bytes());
            bytes.extend(chunk.stored.to_le_bytes());
        }
        bytes.extend(self.places.iter().flat_map(|place| place.to_le_bytes()));
        bytes
    }

    /// Reads all of it.
    ///
    /// # Errors
    /// What does not add up.
    pub fn decode(bytes: &[u8]) -> Result<Self, HeaderError> {
        if bytes.len() > usize::try_from(MAX_HEADER).unwrap_or(usize::MAX) {
            return Err(HeaderError::Length);
        }
        let mut rest = bytes.strip_prefix(MAGIC).ok_or(HeaderError::Magic)?;
        let length = u64::from_le_bytes(*take(&mut rest)?);
        let mut number = || take(&mut rest).map(|bytes| u32::from_le_bytes(*bytes));
        let cut = Cut { min: number()?, average: number()?, max: number()? };
        let (chunks, places) = (number()?, number()?);
        let few = (1..=MAX_CHUNKS).contains(&chunks) && (chunks..=MAX_CHUNKS).contains(&places);
        if !few || !cut.is_usable() || !(1..=MAX_SLOT).contains(&length) {
            return Err(HeaderError::Number);
        }
        // Before anything is allocated: both tables are there.
        if rest.len() as u64 != u64::from(chunks) * 40 + u64::from(places) * 4 {
            return Err(HeaderError::Length);
        }
        let mut header = Self { length, cut, chunks: Vec::new(), places: Vec::new() };
        for _chunk in 0..chunks {
            header.chunks.push(chunk(&mut rest, cut.max)?);
        }
        for _place in 0..places {
            header.places.push(u32::from_le_bytes(*take(&mut rest)?));
        }
        header.add_up()?;
        Ok(header)
    }

    /// The length of the whole archive.
    #[must_use]
    pub fn archive_length(&self) -> u64 {
        self.encoded_length() + self.chunks.iter().map(|chunk| u64::from(chunk.stored)).sum::<u64>()
    }

    /// The length of the header.
    #[must_use]
    pub fn encoded_length(&self) -> u64 {
        let (chunks, places) = (self.chunks.len() as u64, self.places.len() as u64);
        FIXED as u64 + chunks * 40 + places * 4
    }

    /// Every place in the slot file: where, and which chunk.
    pub fn places(&self) -> impl Iterator<Item = (u64, usize, &Chunk)> {
        let mut offset = 0;
        self.places.iter().filter_map(move |place| {
            let index = usize::try_from(*place).ok()?;
            let chunk = self.chunks.get(index)?;
            let at = offset;
            offset += u64::from(chunk.length);
            Some((at, index, chunk))
        })
    }

    /// Every place names a chunk, and all of them are the slot file.
    fn add_up(&self) -> Result<(), HeaderError> {
        if self.places().count() != self.places.len() {
            return Err(HeaderError::Number);
        }
        let sum: u64 = self.places().map(|(_at, _index, chunk)| u64::from(chunk.length)).sum();
        if sum == self.length { Ok(()) } else { Err(HeaderError::Sum) }
    }
}

impl Chunk {
    /// The content of what is stored.
    #[must_use]
    pub fn decode(&self, stored: &[u8]) -> Option<Vec<u8>> {
        let length = usize::try_from(self.length).ok()?;
        let content = if self.stored == self.length {
            stored.to_vec()
        } else {
            // Never more than the chunk's length is written.
            zstd::bulk::decompress(stored, length).ok()?
        };
        (content.len() == length && Sha256::of(&content) == self.sha256).then_some(content)
    }
}

fn chunk(rest: &mut &[u8], max: u32) -> Result<Chunk, HeaderError> {
    let sha256 = Sha256(*take(rest)?);
    let length = u32::from_le_bytes(*take(rest)?);
    let stored = u32::from_le_bytes(*take(rest)?);
    if !(1..=max).contains(&length) || !(1..=length).contains(&stored) {
        return Err(HeaderError::Number);
    }
    Ok(Chunk { sha256, length, stored })
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Result<&'a [u8; N], HeaderError> {
    let (taken, left) = rest.split_first_chunk().ok_or(HeaderError::Length)?;
    *rest = left;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        let chunk = |byte, length, stored| Chunk { sha256: Sha256([byte; 32]), length, stored };
        Header {
            length: 700,
            cut: Cut { min: 64, average: 256, max: 1024 },
            chunks: vec![chunk(1, 300, 200), chunk(2, 100, 100)],
            places: vec![0, 1, 0],
        }
    }

    #[test]
    fn a_header_and_back() {
        let bytes = header().encode();
        assert_eq!(bytes.len() as u64, header().encoded_length());
        assert_eq!(Header::decode(&bytes), Ok(header()));
        assert_eq!(header().archive_length(), header().encoded_length() + 300);
        let places: Vec<_> = header().places().map(|(at, index, _chunk)| (at, index)).collect();
        assert_eq!(places, [(0, 0), (300, 1), (400, 0)]);
    }

    #[test]
    fn cut_off_headers_and_longer_ones_are_refused() {
        let bytes = header().encode();
        for end in 0..bytes.len() {
            assert!(Header::decode(&bytes[..end]).is_err(), "{end}");
        }
        assert_eq!(Header::decode(&[&bytes[..], &[0]].concat()), Err(HeaderError::Length));
    }

    #[test]
    fn what_cannot_be_right_is_refused() {
        let refused = |edit: fn(&mut Header)| {
            let mut edited = header();
            edit(&mut edited);
            Header::decode(&edited.encode()).unwrap_err()
        };
        assert_eq!(refused(|header| header.length = 701), HeaderError::Sum);
        assert_eq!(refused(|header| header.length = 0), HeaderError::Number);
        assert_eq!(refused(|header| header.length = MAX_SLOT + 1), HeaderError::Number);
        assert_eq!(refused(|header| header.places[1] = 2), HeaderError::Number);
        assert_eq!(refused(|header| header.chunks[0].stored = 301), HeaderError::Number);
        assert_eq!(refused(|header| header.chunks[0].stored = 0), HeaderError::Number);
        assert_eq!(refused(|header| header.chunks[0].length = 1025), HeaderError::Number);
        assert_eq!(refused(|header| header.cut.max = MAX_CHUNK + 1), HeaderError::Number);
        assert_eq!(refused(|header| header.cut.min = 0), HeaderError::Number);
        assert_eq!(refused(|header| header.places.clear()), HeaderError::Number);
        assert_eq!(Header::decode(b"hearth-chunks-2\n"), Err(HeaderError::Magic));
    }

    #[test]
    fn a_chunk_is_what_its_hash_says() {
        let content = vec![7; 1000];
        let stored = zstd::bulk::compress(&content, 3).unwrap();
        let length = u32::try_from(stored.len()).unwrap();
        let chunk = Chunk { sha256: Sha256::of(&content), length: 1000, stored: length };
        assert_eq!(chunk.decode(&stored), Some(content.clone()));
        assert_eq!(chunk.decode(&stored[1..]), None);
        // A bomb: more than the chunk may have.
        let bomb = zstd::bulk::compress(&vec![7; 1 << 24], 3).unwrap();
        assert_eq!(chunk.decode(&bomb), None);
        assert_eq!(Chunk { sha256: Sha256([0; 32]), ..chunk }.decode(&stored), None);
        let plain = Chunk { stored: 1000, ..chunk };
        assert_eq!(plain.decode(&content), Some(content));
    }
}
