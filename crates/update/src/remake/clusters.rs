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
    #[cfg(feature = "publish")]
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
