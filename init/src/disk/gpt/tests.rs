//! Tables made by another implementation are read, and what is written is read back by it.

use std::io::Cursor;

use ::gpt::GptConfig;
use ::gpt::disk::LogicalBlockSize;
use ::gpt::mbr::ProtectiveMBR;
use ::gpt::partition_types;
use proptest::prelude::*;

use super::*;

impl ReadAt for Vec<u8> {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let source = self.get(start..start + buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(source);
        Ok(())
    }
}

/// The tests' block size.
pub const BLOCK: usize = 512;

/// The geometry of an image.
pub fn geometry(image: &[u8]) -> Geometry {
    Geometry { block_size: BLOCK, blocks: (image.len() / BLOCK) as u64 }
}

/// An image as the `image` crate makes it, smaller: an ESP and 1 MiB named `name`.
pub fn image(megabytes: usize, name: &str) -> Vec<u8> {
    let mut bytes = vec![0; megabytes << 20];
    let blocks = u32::try_from(bytes.len() / BLOCK).unwrap();
    ProtectiveMBR::with_lb_size(blocks - 1).overwrite_lba0(&mut Cursor::new(&mut bytes)).unwrap();
    let mut disk = GptConfig::new()
        .writable(true)
        .logical_block_size(LogicalBlockSize::Lb512)
        .create_from_device(Cursor::new(&mut bytes), None)
        .unwrap();
    let align = Some(2048);
    disk.add_partition("esp", 1 << 20, partition_types::EFI, 0, align).unwrap();
    disk.add_partition(name, 1 << 20, partition_types::LINUX_FS, 0, align).unwrap();
    disk.write().unwrap();
    bytes
}

#[test]
fn a_foreign_table_is_read_from_both_ends() {
    let bytes = image(4, NAME_NEW);
    let primary = read(&bytes, geometry(&bytes), 1).unwrap();
    let backup = read(&bytes, geometry(&bytes), geometry(&bytes).last_block()).unwrap();
    assert!(primary.same_content(&backup));
    let partitions = primary.partitions();
    assert_eq!(partitions.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["esp", NAME_NEW]);
    assert_eq!(Some(partitions[0].type_guid), crate::efi::guid(TYPE_ESP));
    assert_eq!(partitions[1].last - partitions[1].first + 1, 2048);
}

#[test]
fn what_is_encoded_is_what_was_read() {
    let bytes = image(4, NAME_NEW);
    let g = geometry(&bytes);
    let table = read(&bytes, g, 1).unwrap();
    assert_eq!(table.encode_header(g), bytes[BLOCK..2 * BLOCK]);
    assert_eq!(table.encode_entries(g), bytes[2 * BLOCK..34 * BLOCK]);
}

#[test]
fn every_flipped_bit_of_a_copy_is_noticed() {
    let bytes = image(4, NAME_NEW);
    for bit in (BLOCK * 8..BLOCK * 8 + HEADER_SIZE * 8).chain(2 * BLOCK * 8..(2 * BLOCK + 256) * 8) {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(read(&damaged, geometry(&damaged), 1).is_err(), "bit {bit}");
    }
}

#[test]
fn names_are_cut_to_what_an_entry_holds() {
    let bytes = image(4, NAME_NEW);
    let mut table = read(&bytes, geometry(&bytes), 1).unwrap();
    table.set_name(1, &"n".repeat(50));
    assert_eq!(table.partitions()[1].name, "n".repeat(36));
    let before = table.clone();
    table.set_name(9999, "x");
    table.set_last(usize::MAX, 1);
    assert_eq!(table, before);
}

proptest! {
    #[test]
    fn no_header_makes_the_reader_panic(noise in proptest::collection::vec(any::<u8>(), HEADER_SIZE), valid in any::<bool>()) {
        let mut bytes = vec![0u8; 1 << 20];
        bytes[BLOCK..BLOCK + HEADER_SIZE].copy_from_slice(&noise);
        bytes[BLOCK..BLOCK + 8].copy_from_slice(SIGNATURE);
        if valid {
            bytes[BLOCK + 12..BLOCK + 16].copy_from_slice(&92u32.to_le_bytes());
            bytes[BLOCK + 16..BLOCK + 20].fill(0);
            let sum = crc32fast::hash(&bytes[BLOCK..BLOCK + HEADER_SIZE]);
            bytes[BLOCK + 16..BLOCK + 20].copy_from_slice(&sum.to_le_bytes());
        }
        let _any_answer = read(&bytes, geometry(&bytes), 1);
    }
}
