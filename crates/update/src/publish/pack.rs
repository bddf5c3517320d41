//! Cutting a slot file into chunks.

use super::remakes::RemakeFile;
use crate::archive::Chunk;
use crate::archive::Cut;
use crate::archive::Header;
use crate::custom::Chunks;
use crate::custom::MAX_HEADER;
use crate::digest::Sha256;
use fastcdc::v2020::FastCDC;
use std::collections::HashMap;
use std::io;

/// Chosen by measuring what an update costs that changes one program (docs/adr/0028).
pub const DEFAULT_CUT: Cut = Cut { min: 4 << 10, average: 16 << 10, max: 64 << 10 };
/// Of zstd: packed once, unpacked on every box.
const LEVEL: i32 = 19;

/// A chunk archive.
#[derive(Clone, Debug)]
pub struct Archive {
    /// What it has.
    pub header: Header,
    /// All of it.
    pub bytes: Vec<u8>,
    /// What is signed of it.
    pub chunks: Chunks,
    /// How programs are made from those of earlier releases, so that fewer chunks are fetched.
    pub remakes: Vec<RemakeFile>,
}

/// A slot file cannot be packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The cutter does not take such numbers.
    #[error("chunks of {0:?} cannot be made")]
    Cut(Cut),
    /// The compressor failed.
    #[error("cannot compress a chunk")]
    Compress(#[source] io::Error),
    /// Too many chunks.
    #[error("the header of the chunk archive would be longer than {MAX_HEADER} bytes")]
    Header,
}

/// Cuts and compresses.
///
/// # Errors
/// The numbers make no sense for this file.
pub fn pack(slot: &[u8], cut: Cut) -> Result<Archive, PackError> {
    if !cut.is_usable() {
        return Err(PackError::Cut(cut));
    }
    let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let number = |length: usize| u32::try_from(length).map_err(|_error| PackError::Header);
    let mut compressor = zstd::bulk::Compressor::new(LEVEL).map_err(PackError::Compress)?;
    let mut known = HashMap::new();
    let mut header = Header { length: length(slot), cut, chunks: Vec::new(), places: Vec::new() };
    let mut data = Vec::new();
    for piece in FastCDC::new(slot, size(cut.min), size(cut.average), size(cut.max)) {
        let content = slot.get(piece.offset..piece.offset + piece.length).unwrap_or_default();
        let sha256 = Sha256::of(content);
        let next = number(header.chunks.len())?;
        let index = *known.entry(sha256).or_insert(next);
        header.places.push(index);
        if index != next {
            continue;
        }
        let packed = compressor.compress(content).map_err(PackError::Compress)?;
        // What is as long as its content is stored as it is.
        let stored = if packed.len() < content.len() { &packed } else { content };
        header.chunks.push(Chunk { sha256, length: number(content.len())?, stored: number(stored.len())? });
        data.extend_from_slice(stored);
    }
    let mut bytes = header.encode();
    let decoded = Header::decode(&bytes).map_err(|_error| PackError::Header)?;
    debug_assert_eq!(decoded, header, "a header is read otherwise");
    let (header_length, header_sha256) = (length(&bytes), Sha256::of(&bytes));
    bytes.append(&mut data);
    let chunks = Chunks { length: length(&bytes), header_length, header_sha256 };
    Ok(Archive { header, bytes, chunks, remakes: Vec::new() })
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_comes_out_of_its_archive() {
        let mut slot: Vec<u8> =
            (0..200_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        slot.extend_from_slice(&vec![0; 300_000]);
        let archive = pack(&slot, DEFAULT_CUT).unwrap();
        assert_eq!(archive.header.archive_length(), archive.bytes.len() as u64);
        assert!(archive.header.chunks.len() < archive.header.places.len(), "zeros are stored once");
        let mut at = usize::try_from(archive.chunks.header_length).unwrap();
        let mut contents = Vec::new();
        for chunk in &archive.header.chunks {
            let end = at + usize::try_from(chunk.stored).unwrap();
            contents.push(chunk.decode(&archive.bytes[at..end]).unwrap());
            at = end;
        }
        let out: Vec<u8> =
            archive.header.places().flat_map(|(_at, index, _chunk)| contents[index].clone()).collect();
        assert!(out == slot);
        assert_eq!(pack(&slot, DEFAULT_CUT).unwrap().bytes, archive.bytes, "the same bytes again");
    }
}
