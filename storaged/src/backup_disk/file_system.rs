//! Which file system lies on a device, and its name, from the first bytes. Names are read for choosing only; the kernel checks the rest.
//!
//! Sources: Microsoft FAT specification (2005), "Boot Sector and BPB"; exFAT specification, section 3.1; Documentation/filesystems/ext4/super.rst.

use model::storage::backup_disk::DiskFileSystem;

/// So many bytes are enough.
pub(super) const HEAD: u64 = 256 << 10;
const EXT4_MAGIC: u16 = 0xef53;
/// ext4 has a journal; what has none is ext2, which is mounted the same way.
const EXT4: usize = 1024;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content {
    /// Which file system.
    pub(super) file_system: DiskFileSystem,
    /// Its name, when it has one that is text.
    pub(super) label: Option<String>,
}

/// Tells it; nothing where it is none of these.
pub(super) fn identify(head: &[u8]) -> Option<Content> {
    let found = |file_system, label| Some(Content { file_system, label });
    if u16_at(head, EXT4 + 0x38) == Some(EXT4_MAGIC) {
        return found(DiskFileSystem::Ext4, text(head.get(EXT4 + 0x78..EXT4 + 0x88)?));
    }
    if u16_at(head, 510)? != 0xaa55 {
        return None;
    }
    if head.get(3..11)? == b"EXFAT   " {
        return found(DiskFileSystem::Exfat, exfat_label(head));
    }
    if head.get(82..87)? == b"FAT32" {
        return found(DiskFileSystem::Vfat, text(head.get(71..82)?).filter(|label| label != "NO NAME"));
    }
    if head.get(54..57)? == b"FAT" {
        return found(DiskFileSystem::Vfat, text(head.get(43..54)?).filter(|label| label != "NO NAME"));
    }
    None
}

/// In an entry of the kind 0x83 in the root folder, where that lies near enough to the beginning.
fn exfat_label(head: &[u8]) -> Option<String> {
    let (sector, cluster) = (u32::from(*head.get(108)?), u32::from(*head.get(109)?));
    let (heap, root) = (u32_at(head, 88)?, u32_at(head, 96)?);
    let sectors = u64::from(root.checked_sub(2)?).checked_shl(cluster)?.checked_add(u64::from(heap))?;
    let start = usize::try_from(sectors.checked_mul(1_u64.checked_shl(sector)?)?).ok()?;
    let entries = head.get(start..)?.chunks_exact(32).take_while(|entry| entry.first() != Some(&0));
    let entry = entries.into_iter().find(|entry| entry.first() == Some(&0x83))?;
    let length = usize::from(*entry.get(1)?).min(11);
    let units: Vec<u16> =
        entry.get(2..2 + 2 * length)?.as_chunks().0.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
    String::from_utf16(&units).ok()
}

/// Padded with spaces or zeros.
fn text(bytes: &[u8]) -> Option<String> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let label = std::str::from_utf8(bytes.get(..end)?).ok()?.trim_end();
    (!label.is_empty()).then(|| label.to_owned())
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes.get(offset..)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::any;
    use proptest::proptest;

    fn head(parts: &[(usize, &[u8])]) -> Vec<u8> {
        let mut head = vec![0; 8192];
        for (at, bytes) in parts {
            head[*at..*at + bytes.len()].copy_from_slice(bytes);
        }
        head
    }

    const SIGNATURE: (usize, &[u8]) = (510, &[0x55, 0xaa]);

    #[test]
    fn file_systems_are_told_apart_by_their_marks_with_their_names() {
        // Sector of 512 bytes, cluster of 8 sectors, heap at sector 8, root in cluster 2: the root folder is at 4096.
        let exfat = [
            (3, b"EXFAT   ".as_slice()),
            (88, &[8, 0, 0, 0]),
            (96, &[2, 0, 0, 0]),
            (108, &[9, 3]),
            SIGNATURE,
        ];
        let entry = [&[0x83, 2, b'h', 0][..], &[0xe4, 0]].concat();
        for (bytes, file_system, label) in [
            (
                head(&[(1024 + 0x38, &[0x53, 0xef]), (1024 + 0x78, b"attic")]),
                DiskFileSystem::Ext4,
                Some("attic"),
            ),
            (
                head(&[(82, b"FAT32   "), (71, b"ATTIC      "), SIGNATURE]),
                DiskFileSystem::Vfat,
                Some("ATTIC"),
            ),
            (head(&[(54, b"FAT16   "), (43, b"NO NAME    "), SIGNATURE]), DiskFileSystem::Vfat, None),
            (head(&[exfat.as_slice(), &[(4096, &entry)]].concat()), DiskFileSystem::Exfat, Some("hä")),
            (head(&exfat), DiskFileSystem::Exfat, None),
        ] {
            let label = label.map(str::to_owned);
            assert_eq!(identify(&bytes), Some(Content { file_system, label }));
        }
    }

    #[test]
    fn anything_else_is_nothing() {
        assert_eq!(identify(&[]), None);
        assert_eq!(identify(&head(&[SIGNATURE])), None);
        assert_eq!(identify(&head(&[(0, b"LUKS\xba\xbe")])), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(fields in proptest::collection::vec((88_usize..112, any::<u8>()), 0..24)) {
            let mut bytes = head(&[(3, b"EXFAT   "), SIGNATURE]);
            for (at, byte) in fields {
                bytes[at] = byte;
            }
            let _any_answer = identify(&bytes);
        }
    }
}
