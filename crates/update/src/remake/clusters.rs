//! Compressing content again as mkfs.erofs did: LZ4 HC, as much content as fits into a cluster.
//!
//! `LZ4_compress_HC_destSize` over what is left of the segment; a compressed cluster ends with its block, with zeros before it
//! (erofs-utils 1.8, `lib/compress.c`). The library is the version that mkfs.erofs of the image has, 1.10: it makes the same bytes, which
//! the publisher proves for each file.

use super::BLOCK;
use super::Extent;
use super::Packing;
use lzzzz::lz4_hc;

/// What is compressed, piece by piece.
pub(crate) struct Compressor<'a> {
    content: &'a [u8],
    at: usize,
    packing: Packing,
    cluster: Vec<u8>,
}

impl<'a> Compressor<'a> {
    pub(crate) fn new(content: &'a [u8], packing: Packing) -> Self {
        let room = usize::try_from(packing.cluster).unwrap_or(0);
        Self { content, at: 0, packing, cluster: vec![0; room] }
    }

    /// How many bytes are left.
    #[cfg(any(feature = "publish", test))]
    pub(crate) fn left(&self) -> usize {
        self.content.len().saturating_sub(self.at)
    }

    /// The next piece as it lies in the slot file; `None` when it would be another one.
    pub(crate) fn next(&mut self, extent: Extent) -> Option<Vec<u8>> {
        let (piece, made) = if extent.is_plain() { self.plain(extent.taken)? } else { self.compressed()? };
        if made != extent {
            return None;
        }
        self.skip(made)?;
        Some(piece)
    }

    /// Goes on after a piece.
    pub(crate) fn skip(&mut self, extent: Extent) -> Option<()> {
        self.at = self.at.checked_add(usize::try_from(extent.taken).ok()?)?;
        Some(())
    }

    /// The next `taken` bytes as they are, and zeros to the end of the block.
    pub(crate) fn plain(&self, taken: u32) -> Option<(Vec<u8>, Extent)> {
        let end = self.at.checked_add(usize::try_from(taken).ok()?)?;
        let mut piece = self.content.get(self.at..end)?.to_vec();
        let stored = taken.checked_next_multiple_of(BLOCK)?;
        piece.resize(usize::try_from(stored).ok()?, 0);
        Some((piece, Extent { taken, stored }))
    }

    /// As much as fits into a cluster.
    pub(crate) fn compressed(&mut self) -> Option<(Vec<u8>, Extent)> {
        let segment = usize::try_from(self.packing.segment).ok()?;
        let end = self.at.checked_add(1)?.checked_next_multiple_of(segment)?.min(self.content.len());
        let level = i32::try_from(self.packing.level).ok()?;
        let (taken, made) =
            lz4_hc::compress_fill(self.content.get(self.at..end)?, &mut self.cluster, level).ok()?;
        let made = self.cluster.get(..made)?;
        let stored = u32::try_from(made.len()).ok()?.checked_next_multiple_of(BLOCK)?;
        let mut piece = vec![0; usize::try_from(stored).ok()?.checked_sub(made.len())?];
        piece.extend_from_slice(made);
        Some((piece, Extent { taken: u32::try_from(taken).ok()?, stored }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Hasher;

    const PACKING: Packing = Packing { cluster: 65_536, segment: 16 << 20, level: 12 };
    const SHA256: &str = "c539273d6f8500b5efc6bbc45f93f899ee9de58f55830e485233358cac0e4f96";

    /// Rising numbers, noise, and rising numbers again.
    fn content() -> Vec<u8> {
        let rising = |count: u32, shift| (0..count).map(move |at| at.wrapping_mul(40_503) >> shift);
        let mut state = 1_u32;
        let noise = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state
        });
        let numbers = rising(120_000, 18).chain(noise.take(50_000)).chain(rising(50_000, 20));
        let mut bytes: Vec<u8> = numbers.flat_map(u32::to_le_bytes).collect();
        bytes.truncate(bytes.len() - 3);
        bytes
    }

    /// Extents and hash as mkfs.erofs 1.8.6 with LZ4 1.10.0 made them (`dump.erofs --path=/f -e`): another version of the library may make
    /// others, and boxes would remake nothing.
    #[test]
    fn the_same_bytes_as_mkfs_made() {
        let content = content();
        let mut compressor = Compressor::new(&content, PACKING);
        let mut hasher = Hasher::default();
        let runs = [(1, 339_102, 65_536), (1, 179_064, 65_536), (30, 4096, 4096), (1, 238_951, 49_152)];
        for (count, taken, stored) in runs {
            for _extent in 0..count {
                hasher.update(&compressor.next(Extent { taken, stored }).unwrap());
            }
        }
        assert_eq!((compressor.left(), hasher.finish().to_string().as_str()), (0, SHA256));
    }

    #[test]
    fn other_extents_are_not_made() {
        let content = content();
        for extent in [(339_101, 65_536), (339_102, 61_440), (u32::MAX, u32::MAX), (880_000, 880_640)] {
            let (taken, stored) = extent;
            assert_eq!(Compressor::new(&content, PACKING).next(Extent { taken, stored }), None, "{extent:?}");
        }
        assert_eq!(Compressor::new(&[], PACKING).next(Extent { taken: 1, stored: 4096 }), None);
        assert_eq!(Compressor::new(&[], PACKING).next(Extent { taken: 5000, stored: 4096 }), None);
    }

    /// Where a segment ends, so does the cluster.
    #[test]
    fn clusters_stay_in_their_segment() {
        let content = vec![7; 300_000];
        let packing = Packing { segment: 65_536, ..PACKING };
        let mut compressor = Compressor::new(&content, packing);
        let mut ends = Vec::new();
        while compressor.left() > 4096 {
            let (_piece, extent) = compressor.compressed().unwrap();
            compressor.skip(extent).unwrap();
            ends.push(content.len() - compressor.left());
        }
        assert_eq!(ends, [65_536, 131_072, 196_608, 262_144, 300_000]);
    }
}
