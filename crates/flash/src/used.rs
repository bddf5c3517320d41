//! Makes the block map of an image: everything but the free clusters of its FAT file systems.
//!
//! Holes of the image file do not count: what the map leaves out keeps whatever the disk held before, and zeros that mean
//! something, such as those of an allocation table, must be written.

use crate::block_map::BLOCK;
use crate::block_map::BlockMap;
use crate::block_map::MapError;
use crate::block_map::Range;
use crate::digest::Hasher;
use crate::fat;
use crate::table;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;

/// What is looked at for a partition table, in bytes.
const HEAD: u64 = 1 << 20;

/// Why there is no map.
#[derive(Debug, thiserror::Error)]
pub enum UsedError {
    /// The image cannot be read.
    #[error("read the image")]
    Read(#[from] io::Error),
    /// The map contradicts itself.
    #[error("make the block map")]
    Map(#[from] MapError),
}

/// The map of an image of `size` bytes.
///
/// # Errors
/// When it cannot be read.
pub fn block_map<D: Read + Seek>(image: &mut D, size: u64) -> Result<BlockMap, UsedError> {
    let mut head = Vec::new();
    image.seek(SeekFrom::Start(0))?;
    image.by_ref().take(HEAD).read_to_end(&mut head)?;
    let mut free = Vec::new();
    for partition in table::partitions(&head) {
        let length = partition.extent.end - partition.extent.start;
        if partition.extent.end > size || length < 512 {
            continue;
        }
        let mut sector = [0; 512];
        image.seek(SeekFrom::Start(partition.extent.start))?;
        image.read_exact(&mut sector)?;
        if let Some(geometry) = fat::geometry(&sector, length) {
            free.extend(fat::free(image, partition.extent.start, geometry)?);
        }
    }
    free.sort_by_key(|part| part.start);
    let blocks = size.div_ceil(BLOCK);
    let mut ranges = Vec::new();
    let mut next = 0;
    // Blocks that are free as a whole; the end of the list is the end of the image.
    let whole = free.iter().map(|part| part.start.div_ceil(BLOCK)..part.end / BLOCK);
    for gap in whole.chain(std::iter::once(blocks..blocks)) {
        if gap.start > next {
            ranges.push(measured(image, next, gap.start - 1, size)?);
        }
        next = next.max(gap.end);
    }
    Ok(BlockMap::new(size, BLOCK, ranges)?)
}

fn measured<D: Read + Seek>(image: &mut D, first: u64, last: u64, size: u64) -> io::Result<Range> {
    let end = ((last + 1) * BLOCK).min(size);
    image.seek(SeekFrom::Start(first * BLOCK))?;
    let mut part = image.take(end - first * BLOCK);
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 1 << 18];
    loop {
        match part.read(&mut buffer)? {
            0 if part.limit() > 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            0 => return Ok(Range { first, last, digest: hasher.finish() }),
            count => hasher.update(buffer.get(..count).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "the numbers of these tests are small")]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::testing::Fixture;
    use std::io::Cursor;

    #[test]
    fn all_but_free_clusters_is_mapped_though_much_of_it_is_zeros() {
        let fixture = Fixture::new();
        let image = fixture.image();
        let map = block_map(&mut Cursor::new(&image), image.len() as u64).unwrap();
        let mapped: u64 = map.extents().map(|extent| extent.end - extent.start).sum();
        assert!(mapped > 3 << 20 && mapped < 8 << 20, "{mapped}");
        for extent in map.extents() {
            assert_eq!(Digest::of(&image[extent.start as usize..extent.end as usize]), extent.digest);
        }
        let covers = |at: u64| map.extents().any(|extent| (extent.start..extent.end).contains(&at));
        // The table of the disk, the whole allocation table (zeros at its end), the data entry, the table's copy.
        for at in [0, 512, 1 << 20, (1 << 20) + 200_000, 37 << 20, image.len() as u64 - 1] {
            assert!(covers(at), "{at}");
        }
        assert!(!covers(36 << 20));
    }

    /// The judge: another disk with old content, where only mapped blocks are written, has the same files.
    #[test]
    fn what_is_left_out_is_not_missed() {
        let fixture = Fixture::new();
        let image = fixture.image();
        let map = block_map(&mut Cursor::new(&image), image.len() as u64).unwrap();
        let mut disk = vec![0xe5; image.len()];
        for extent in map.extents() {
            let part = extent.start as usize..extent.end as usize;
            disk[part.clone()].copy_from_slice(&image[part]);
        }
        fixture.assert_boots(&disk);
        assert!(fixture.fsck(&disk).contains("files"), "the checker looked at it");
    }

    #[test]
    fn without_file_systems_everything_is_mapped() {
        let image = vec![0; (3 << 20) + 5];
        let map = block_map(&mut Cursor::new(&image), image.len() as u64).unwrap();
        assert_eq!(map.extents().map(|extent| extent.end - extent.start).sum::<u64>(), image.len() as u64);
        let short = block_map(&mut Cursor::new(&image), image.len() as u64 + 1);
        assert!(matches!(short, Err(UsedError::Read(_))));
    }
}
