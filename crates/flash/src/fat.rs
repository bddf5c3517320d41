//! Which clusters of a FAT file system are free (Microsoft, "FAT32 File System Specification", sections 3 and 4).
//!
//! Zeros are no sign of a free block: the allocation table itself is mostly zeros, and means it.

use std::io;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::ops::Range;

/// Bytes of the table that are read at once.
const PIECE: usize = 1 << 16;

/// Where things are in a file system, in bytes from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    table: u64,
    /// Bytes of one entry: 2 or 4.
    entry: u64,
    data: u64,
    cluster: u64,
    clusters: u64,
}

/// Understands the first sector of a file system; `None` when it is none of FAT16 or FAT32, or does not fit into `length` bytes.
#[must_use]
pub fn geometry(sector: &[u8; 512], length: u64) -> Option<Geometry> {
    let u8_at = |at: usize| sector.get(at).copied().map(u64::from);
    let u16_at = |at: usize| Some(u64::from(u16::from_le_bytes(*sector.get(at..)?.first_chunk()?)));
    let u32_at = |at: usize| Some(u64::from(u32::from_le_bytes(*sector.get(at..)?.first_chunk()?)));
    if sector.get(510..) != Some(&[0x55, 0xaa]) {
        return None;
    }
    let bytes = u16_at(11)?;
    let cluster = u8_at(13)?.checked_mul(bytes)?;
    let (reserved, tables, roots) = (u16_at(14)?, u8_at(16)?, u16_at(17)?);
    let sectors = if u16_at(19)? == 0 { u32_at(32)? } else { u16_at(19)? };
    let table_sectors = if u16_at(22)? == 0 { u32_at(36)? } else { u16_at(22)? };
    if ![512, 1024, 2048, 4096].contains(&bytes) || !cluster.is_power_of_two() || tables == 0 || reserved == 0
    {
        return None;
    }
    let data = (reserved + tables * table_sectors) * bytes + (roots * 32).next_multiple_of(bytes);
    let clusters = (sectors * bytes).checked_sub(data)? / cluster;
    // The number of clusters alone decides which kind it is; FAT12 is not read.
    let entry = match clusters {
        4085..65525 => 2,
        65525..0x0fff_fff5 => 4,
        _ => return None,
    };
    let fits = sectors * bytes <= length && (clusters + 2) * entry <= table_sectors * bytes;
    fits.then_some(Geometry { table: reserved * bytes, entry, data, cluster, clusters })
}

/// The free parts of the file system at `start`, in bytes of `disk`, in order and merged.
///
/// # Errors
/// When `disk` cannot be read.
pub fn free<D: Read + Seek>(disk: &mut D, start: u64, of: Geometry) -> io::Result<Vec<Range<u64>>> {
    disk.seek(SeekFrom::Start(start + of.table + 2 * of.entry))?;
    let mut table = disk.take(of.clusters * of.entry);
    let mut free: Vec<Range<u64>> = Vec::new();
    let mut buffer = vec![0; PIECE];
    let mut at = start + of.data;
    for first in (0..of.clusters * of.entry).step_by(PIECE) {
        let length = usize::try_from(of.clusters * of.entry - first).unwrap_or(PIECE).min(PIECE);
        let piece = buffer.get_mut(..length).unwrap_or_default();
        table.read_exact(piece)?;
        for entry in piece.chunks_exact(if of.entry == 2 { 2 } else { 4 }) {
            if is_free(entry) {
                match free.last_mut() {
                    Some(last) if last.end == at => last.end += of.cluster,
                    _ => free.push(at..at + of.cluster),
                }
            }
            at += of.cluster;
        }
    }
    Ok(free)
}

/// The upper four bits of an entry of FAT32 are not part of it.
fn is_free(entry: &[u8]) -> bool {
    match entry {
        [a, b] => (*a, *b) == (0, 0),
        [a, b, c, d] => (*a, *b, *c, *d & 0x0f) == (0, 0, 0, 0),
        _ => false,
    }
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "the numbers of these tests are small")]
mod tests {
    use super::*;
    use fatfs::FatType;
    use fatfs::FormatVolumeOptions;
    use fatfs::FsOptions;
    use std::io::Cursor;
    use std::io::Write as _;

    fn volume(kind: FatType, bytes: usize) -> Cursor<Vec<u8>> {
        let mut disk = Cursor::new(vec![0; bytes]);
        fatfs::format_volume(&mut disk, FormatVolumeOptions::new().fat_type(kind)).unwrap();
        disk
    }

    fn look(disk: &Cursor<Vec<u8>>) -> Option<Geometry> {
        geometry(disk.get_ref()[..512].try_into().unwrap(), disk.get_ref().len() as u64)
    }

    #[test]
    fn what_is_free_is_what_the_file_system_says_and_never_a_file() {
        for (kind, bytes) in [(FatType::Fat16, 16 << 20), (FatType::Fat32, 36 << 20)] {
            let mut disk = volume(kind, bytes);
            let (told, cluster) = {
                let system = fatfs::FileSystem::new(&mut disk, FsOptions::new()).unwrap();
                for (name, byte) in [("one", 0xa5), ("two", 0x5a), ("three", 0xc3)] {
                    system.root_dir().create_file(name).unwrap().write_all(&[byte; 300_000]).unwrap();
                }
                system.root_dir().remove("two").unwrap();
                let stats = system.stats().unwrap();
                (u64::from(stats.free_clusters()), u64::from(stats.cluster_size()))
            };
            let found = look(&disk).unwrap();
            let free = free(&mut disk, 0, found).unwrap();
            assert_eq!(
                free.iter().map(|part| part.end - part.start).sum::<u64>(),
                told * cluster,
                "{kind:?}"
            );
            assert!(free.len() > 1, "the removed file left a hole: {free:?}");
            for part in &free {
                let bytes = &disk.get_ref()[part.start as usize..part.end as usize];
                assert!(bytes.iter().all(|byte| *byte == 0 || *byte == 0x5a), "{kind:?} {part:?}");
            }
        }
    }

    #[test]
    fn what_is_no_file_system_has_no_geometry() {
        let disk = volume(FatType::Fat32, 36 << 20);
        let sector: [u8; 512] = disk.get_ref()[..512].try_into().unwrap();
        assert_eq!(geometry(&sector, 35 << 20), None, "longer than its partition");
        assert_eq!(geometry(&[0; 512], 36 << 20), None);
        for at in [13, 16, 510] {
            let mut changed = sector;
            changed[at] = 0;
            assert_eq!(geometry(&changed, 36 << 20), None, "{at}");
        }
        assert_eq!(look(&volume(FatType::Fat12, 1 << 20)), None);
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_sectors_never_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 510)) {
            let mut sector = [0; 512];
            sector[..510].copy_from_slice(&bytes);
            sector[510..].copy_from_slice(&[0x55, 0xaa]);
            assert!(geometry(&sector, u64::MAX).is_none_or(|found| found.clusters > 4000));
            sector[11..13].copy_from_slice(&512_u16.to_le_bytes());
            sector[13] = 8;
            assert!(geometry(&sector, u64::MAX).is_none_or(|found| found.clusters > 4000));
        }
    }
}
