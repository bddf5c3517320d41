//! Files with holes: where the bytes of the archive belong (GNU tar manual, "Storing Sparse Files").

use crate::image::Refused;
use crate::image::tar::WalkError;
use serde::Deserialize;
use serde::Serialize;
use std::io::Read;
use tar::GnuSparseHeader;

const BLOCK: usize = 512;
/// A row of the map: an offset and a length of twelve digits each.
const ROW: usize = 24;
/// Rows of a block of the map.
const ROWS: usize = 21;

/// Bytes that lie together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// Where in the file.
    pub offset: u64,
    /// How many.
    pub length: u64,
}

/// The rows in a header.
pub(super) fn from_headers(headers: &[GnuSparseHeader]) -> Result<Vec<Extent>, Refused> {
    headers.iter().filter(|header| !header.is_empty()).map(extent).collect()
}

/// The rows of a further block, and whether yet another one follows.
pub(super) fn from_block(block: &[u8; BLOCK]) -> Result<(Vec<Extent>, bool), Refused> {
    let rows = block[..ROW * ROWS].chunks_exact(ROW).map(|row| {
        let mut header = GnuSparseHeader { offset: [0; 12], numbytes: [0; 12] };
        header.offset.copy_from_slice(&row[..12]);
        header.numbytes.copy_from_slice(&row[12..]);
        header
    });
    let rows: Vec<GnuSparseHeader> = rows.collect();
    Ok((from_headers(&rows)?, block[ROW * ROWS] != 0))
}

fn extent(header: &GnuSparseHeader) -> Result<Extent, Refused> {
    match (header.offset(), header.length()) {
        (Ok(offset), Ok(length)) => Ok(Extent { offset, length }),
        _ => Err(Refused::archive("the map of a sparse file has a wrong number")),
    }
}

/// The map before the bytes: a line with the count, then lines with offsets and lengths, filled up to a whole block.
pub(super) fn read_map(reader: &mut impl Read, limit: u64) -> Result<Vec<Extent>, WalkError> {
    let mut lines = Lines { reader, block: [0; BLOCK], at: BLOCK, read: 0, limit };
    let count = lines.number()?;
    let mut extents = Vec::new();
    for _row in 0..count {
        extents.push(Extent { offset: lines.number()?, length: lines.number()? });
    }
    Ok(extents)
}

struct Lines<'a, R> {
    reader: &'a mut R,
    block: [u8; BLOCK],
    at: usize,
    read: u64,
    limit: u64,
}

impl<R: Read> Lines<'_, R> {
    fn number(&mut self) -> Result<u64, WalkError> {
        let wrong = || Refused::archive("the map of a sparse file has a wrong number");
        let mut value: Option<u64> = None;
        loop {
            match self.byte()? {
                byte @ b'0'..=b'9' => {
                    let digit = u64::from(byte - b'0');
                    value = value.unwrap_or(0).checked_mul(10).and_then(|value| value.checked_add(digit));
                    if value.is_none() {
                        return Err(wrong().into());
                    }
                }
                b'\n' => return value.ok_or_else(|| wrong().into()),
                _ => return Err(wrong().into()),
            }
        }
    }

    fn byte(&mut self) -> Result<u8, WalkError> {
        if self.at == BLOCK {
            self.read += BLOCK as u64;
            if self.read > self.limit {
                return Err(Refused::archive("the map of a sparse file is too long").into());
            }
            self.reader.read_exact(&mut self.block)?;
            self.at = 0;
        }
        self.at += 1;
        Ok(self.block[self.at - 1])
    }
}

/// Rows must lie after each other within the file, and hold all the bytes there are.
pub(super) fn check(extents: &[Extent], size: u64, stored: u64) -> Result<(), Refused> {
    let mut end = 0;
    let mut total: u64 = 0;
    for extent in extents {
        let next =
            extent.offset.checked_add(extent.length).filter(|next| extent.offset >= end && *next <= size);
        end = next.ok_or_else(|| Refused::archive("the map of a sparse file does not fit it"))?;
        total += extent.length;
    }
    if total != stored {
        return Err(Refused::archive("the map of a sparse file does not fit its bytes"));
    }
    Ok(())
}
