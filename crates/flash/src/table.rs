//! The partition table at an image's start, as far as flashing needs it: where partitions are.
//!
//! UEFI specification 2.10, chapter 5.3: header in the second sector, entries behind it. Sectors have 512 bytes, as images are made.

use std::ops::Range;

/// Bytes of a sector.
pub const SECTOR: u64 = 512;
const HEADER: usize = 512;
const SIGNATURE: &[u8] = b"EFI PART";
/// More entries than any disk of ours has.
const MAX_ENTRIES: u32 = 256;
/// `C12A7328-F81F-11D2-BA4B-00A0C93EC93B` as it lies on the disk.
const ESP: [u8; 16] =
    [0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b];

/// A partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its bytes.
    pub extent: Range<u64>,
    /// Whether it is an EFI system partition, which the box calls its boot partition.
    pub is_boot: bool,
}

/// The partitions of a disk that begins with `head`; none where there is no GUID partition table.
#[must_use]
pub fn partitions(head: &[u8]) -> Vec<Partition> {
    entries(head).unwrap_or_default()
}

fn entries(head: &[u8]) -> Option<Vec<Partition>> {
    let header = head.get(HEADER..HEADER * 2)?;
    if !header.starts_with(SIGNATURE) {
        return None;
    }
    let start = usize::try_from(u64_at(header, 72)?.checked_mul(SECTOR)?).ok()?;
    let (count, size) = (u32_at(header, 80)?, usize::try_from(u32_at(header, 84)?).ok()?);
    if size < 128 {
        return None;
    }
    let list = head.get(start..)?.chunks_exact(size).take(usize::try_from(count.min(MAX_ENTRIES)).ok()?);
    Some(list.filter_map(entry).collect())
}

fn entry(bytes: &[u8]) -> Option<Partition> {
    let kind = bytes.get(..16)?;
    let (first, last) = (u64_at(bytes, 32)?, u64_at(bytes, 40)?);
    if kind == [0; 16] || last < first {
        return None;
    }
    let (start, end) = (first.checked_mul(SECTOR)?, last.checked_add(1)?.checked_mul(SECTOR)?);
    Some(Partition { extent: start..end, is_boot: kind == ESP })
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().copied().map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Fixture;

    #[test]
    fn partitions_are_where_the_table_says() {
        let image = Fixture::new().image();
        let found = partitions(&image[..1 << 20]);
        assert_eq!(
            found,
            [
                Partition { extent: 1 << 20..37 << 20, is_boot: true },
                Partition { extent: 37 << 20..38 << 20, is_boot: false },
            ]
        );
        assert_eq!(partitions(&[0; 1 << 20]), []);
        assert_eq!(partitions(&image[..1024]), []);
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(mut bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 1024..4096)) {
            drop(partitions(&bytes));
            bytes[512..520].copy_from_slice(SIGNATURE);
            bytes[592..600].copy_from_slice(&[4, 0, 0, 0, 128, 0, 0, 0]);
            bytes[584..592].copy_from_slice(&2_u64.to_le_bytes());
            drop(partitions(&bytes));
        }
    }
}
