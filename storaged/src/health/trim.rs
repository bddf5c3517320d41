//! Giving free blocks back to the disk (FITRIM, as fstrim(8) does).

use ioctls::block::Bytes;
use ioctls::block::Extent;
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

/// When the box has settled after its start. The kernel skips what it has trimmed since it mounted the file system, so more than once
/// is cheap; a box that is restarted often does it often.
pub const FIRST: Duration = Duration::from_secs(2 * 60);
/// Between two times. Trimming with every deletion makes cards stall, and tells more exactly what lies where.
pub const EVERY: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Given back at once: so much keeps a slow card busy for seconds and not for minutes.
const PIECE: u64 = 8 << 30;

/// Trims the file system on which the folder lies; how much the disk was told to forget.
///
/// # Errors
/// What the kernel says of the first part that cannot be trimmed.
pub fn trim(folder: &Path, length: u64) -> io::Result<u64> {
    let folder = File::open(folder)?;
    let mut trimmed = 0_u64;
    for part in parts(length) {
        match ioctls::trim::free_blocks(&folder, part) {
            Ok(Bytes(bytes)) => trimmed = trimmed.saturating_add(bytes),
            // Behind the last block: what statvfs counts leaves out the file system's own.
            Err(Errno::INVAL) if part.start.0 > 0 => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(trimmed)
}

fn parts(length: u64) -> impl Iterator<Item = Extent> {
    let starts = (0..=length / PIECE).map(|number| number * PIECE);
    starts.map(|start| Extent { start: Bytes(start), length: Bytes(PIECE) })
}

/// Why not, for the owner.
#[must_use]
pub fn words(error: &io::Error) -> String {
    match Errno::from_io_error(error) {
        Some(Errno::OPNOTSUPP) => "the disk cannot take free blocks back".to_owned(),
        _ => format!("free blocks could not be given back to the disk: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_cover_everything_once() {
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 10 * PIECE + 7] {
            let mut end = 0;
            for part in parts(length) {
                assert_eq!(part.start.0, end);
                end += part.length.0;
            }
            assert!(end > length, "{length}");
        }
    }

    #[test]
    fn a_disk_that_cannot_is_no_fault() {
        assert_eq!(words(&Errno::OPNOTSUPP.into()), "the disk cannot take free blocks back");
        assert!(words(&Errno::PERM.into()).contains("Operation not permitted"));
    }
}
