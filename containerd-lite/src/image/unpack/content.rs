//! Bytes of a file. Runs of zeros become holes, whether the archive knew of them or not.

use crate::image::refused::clip_bytes;
use crate::image::tar::Extent;
use crate::image::tar::WalkError;
use crate::image::unpack::UnpackError;
use rustix::fs::ftruncate;
use rustix::io::Errno;
use rustix::io::pwrite;
use std::io::Read;
use std::os::fd::OwnedFd;

/// A block of the file systems here.
const BLOCK: usize = 4096;
const BUFFER: usize = 32 * BLOCK;

/// Writes them.
pub(super) fn write(
    file: &OwnedFd,
    path: &[u8],
    size: u64,
    extents: Option<&[Extent]>,
    bytes: &mut impl Read,
) -> Result<(), UnpackError> {
    let failed = |source| UnpackError::System { path: clip_bytes(path), source };
    let all = [Extent { offset: 0, length: size }];
    let mut buffer = vec![0; BUFFER];
    for extent in extents.unwrap_or(&all) {
        let (mut offset, mut left) = (extent.offset, extent.length);
        while left > 0 {
            // The first piece ends where a block of the file does.
            let whole = BUFFER - usize::try_from(offset % BLOCK as u64).unwrap_or(0);
            let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(whole);
            bytes.read_exact(&mut buffer[..wanted]).map_err(WalkError::from)?;
            for (at, piece) in (Pieces { offset, rest: &buffer[..wanted] }) {
                if piece.iter().any(|byte| *byte != 0) {
                    write_whole(file, at, piece).map_err(failed)?;
                }
            }
            offset += wanted as u64;
            left -= wanted as u64;
        }
    }
    ftruncate(file, size).map_err(failed)
}

/// Pieces that do not reach over the end of a block of the file.
struct Pieces<'a> {
    offset: u64,
    rest: &'a [u8],
}

impl<'a> Iterator for Pieces<'a> {
    type Item = (u64, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let to_end = BLOCK - usize::try_from(self.offset % BLOCK as u64).unwrap_or(0);
        let (piece, rest) = self.rest.split_at(to_end.min(self.rest.len()));
        let offset = self.offset;
        self.offset += piece.len() as u64;
        self.rest = rest;
        Some((offset, piece))
    }
}

fn write_whole(file: &OwnedFd, mut offset: u64, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        let written = pwrite(file, bytes, offset)?;
        offset += written as u64;
        bytes = &bytes[written..];
    }
    Ok(())
}
