//! Disks that somebody plugs in.

use super::ignore;
use crate::Target;
use init::disk::gpt;
use init::disk::gpt::Geometry;
use init::disk::gpt::ReadAt;
use init::disk::superblock;
use std::io;

const BLOCK: usize = 512;
/// What comes before the header of a table.
const HEADER_BLOCK: u64 = 1;

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "gpt",
        source: "a disk",
        longest: 4096,
        run: |bytes| {
            let blocks = bytes.len().div_ceil(BLOCK) as u64 + HEADER_BLOCK;
            ignore(gpt::read(&Disk(bytes), Geometry { block_size: BLOCK, blocks }, HEADER_BLOCK));
            // The same with checksums that fit, or the fuzzer would have to guess them.
            let mended = mend(bytes);
            ignore(gpt::read(&Disk(&mended), Geometry { block_size: BLOCK, blocks }, HEADER_BLOCK));
        },
    },
    Target {
        name: "ext4-superblock",
        source: "a disk",
        longest: 1024,
        run: |bytes| ignore(superblock::parse(bytes)),
    },
];

/// A disk whose first block is empty; beyond its end are zeros.
struct Disk<'a>(&'a [u8]);

impl ReadAt for Disk<'_> {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let start = offset.saturating_sub(HEADER_BLOCK * BLOCK as u64);
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        buffer.fill(0);
        let rest = self.0.get(start..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(())
    }
}

/// Puts the right checksums in (UEFI 2.10 section 5.3.2): of the entries at 88, of the header at 16.
fn mend(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.resize(bytes.len().max(BLOCK), 0);
    let number = |at: usize| {
        let four = bytes.get(at..at + 4).and_then(|four| four.try_into().ok());
        four.map_or(0, |four| u64::from(u32::from_le_bytes(four)))
    };
    let length = number(80).saturating_mul(number(84)).min(1 << 20);
    let mut entries = vec![0; usize::try_from(length).unwrap_or_default()];
    let offset = number(72).saturating_mul(BLOCK as u64);
    ignore(Disk(&bytes).read_at(offset, &mut entries));
    let sum = crc32fast::hash(&entries).to_le_bytes();
    bytes.splice(88..92, sum);
    bytes.splice(16..20, [0; 4]);
    let header =
        usize::try_from(u32::from_le_bytes([bytes[12], bytes[13], bytes[14], bytes[15]])).unwrap_or(0);
    let sum = crc32fast::hash(bytes.get(..header.clamp(92, BLOCK)).unwrap_or_default()).to_le_bytes();
    bytes.splice(16..20, sum);
    bytes
}
