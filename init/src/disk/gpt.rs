//! GUID partition tables (UEFI 2.10, chapter 5): bytes ↔ types, no I/O of its own.
//!
//! The entries stay raw bytes, so that what init does not know survives a change. Everything read is bounded: at most
//! [`MAX_ENTRIES_BYTES`] of entries, all places inside the disk.

use std::io;

/// Name of a data partition that holds nothing of worth.
pub const NAME_NEW: &str = "hearth-new";
/// Name of a data partition with a finished file system.
pub const NAME_DATA: &str = "hearth-data";
/// Type GUID of an EFI system partition.
pub const TYPE_ESP: &str = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B";

/// Largest entry array that is read: 1024 entries of 128 bytes.
pub const MAX_ENTRIES_BYTES: usize = 128 * 1024;

const SIGNATURE: &[u8; 8] = b"EFI PART";
const REVISION: u32 = 0x0001_0000;
const HEADER_SIZE: usize = 92;

/// One copy of the table, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Block of this copy's header.
    pub my_block: u64,
    /// Block of the other copy's header.
    pub other_block: u64,
    /// First block a partition may have.
    pub first_usable: u64,
    /// Last block a partition may have.
    pub last_usable: u64,
    /// Where this copy's entries start.
    pub entries_block: u64,
    disk_guid: [u8; 16],
    entry_size: usize,
    entries: Vec<u8>,
}

/// One used entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Place in the array; the kernel's partition number less one.
    pub index: usize,
    /// Kind of content.
    pub type_guid: [u8; 16],
    /// Identity, the PARTUUID.
    pub guid: [u8; 16],
    /// First block.
    pub first: u64,
    /// Last block, included.
    pub last: u64,
    /// Name, up to the first zero.
    pub name: String,
}

/// Why a copy cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Not a GPT header.
    #[error("no partition table")]
    NoSignature,
    /// A header that was written only in part, or by nobody.
    #[error("the header's checksum is wrong")]
    HeaderChecksum,
    /// Entries and header do not belong together.
    #[error("the entries' checksum is wrong")]
    EntriesChecksum,
    /// Values that no sane table has.
    #[error("the header says what cannot be")]
    Implausible,
    /// The disk does not answer.
    #[error("reading the disk failed")]
    Unreadable,
}

/// A place to read blocks from; a disk, or bytes in tests.
pub trait ReadAt {
    /// Fills the buffer from a byte offset.
    ///
    /// # Errors
    /// When that is not possible in full.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
}

impl ReadAt for std::fs::File {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, buffer, offset)
    }
}

/// Size of a disk and of its blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Logical block size in bytes, 512 to 4096.
    pub block_size: usize,
    /// Number of blocks.
    pub blocks: u64,
}

impl Geometry {
    /// Byte offset of a block.
    #[must_use]
    pub fn offset(&self, block: u64) -> u64 {
        block.saturating_mul(self.block_size as u64)
    }

    /// The disk's last block, where the backup header belongs.
    #[must_use]
    pub fn last_block(&self) -> u64 {
        self.blocks.saturating_sub(1)
    }
}

/// Reads and checks the copy whose header is in `block`.
///
/// # Errors
/// The flaw that makes the copy unusable.
pub fn read(disk: &impl ReadAt, geometry: Geometry, block: u64) -> Result<Table, Flaw> {
    let mut header = vec![0; geometry.block_size];
    disk.read_at(geometry.offset(block), &mut header).map_err(|_unreadable| Flaw::Unreadable)?;
    let (mut table, length, checksum) = decode_header(&header, geometry, block)?;
    let mut entries = vec![0; length];
    disk.read_at(geometry.offset(table.entries_block), &mut entries)
        .map_err(|_unreadable| Flaw::Unreadable)?;
    if crc32fast::hash(&entries) != checksum {
        return Err(Flaw::EntriesChecksum);
    }
    table.entries = entries;
    Ok(table)
}

/// The header's fields, and length and checksum of the entries that it wants.
fn decode_header(block: &[u8], geometry: Geometry, my_block: u64) -> Result<(Table, usize, u32), Flaw> {
    let header = block.get(..HEADER_SIZE).ok_or(Flaw::Implausible)?;
    if header.get(..8) != Some(SIGNATURE) {
        return Err(Flaw::NoSignature);
    }
    let size = u32_at(header, 12)? as usize;
    let mut summed = block.get(..size).filter(|_| size >= HEADER_SIZE).ok_or(Flaw::Implausible)?.to_vec();
    summed.get_mut(16..20).ok_or(Flaw::Implausible)?.fill(0);
    if crc32fast::hash(&summed) != u32_at(header, 16)? {
        return Err(Flaw::HeaderChecksum);
    }
    let (count, entry_size) = (u32_at(header, 80)? as usize, u32_at(header, 84)? as usize);
    let length = count.checked_mul(entry_size).filter(|&bytes| bytes <= MAX_ENTRIES_BYTES);
    let table = Table {
        my_block: u64_at(header, 24)?,
        other_block: u64_at(header, 32)?,
        first_usable: u64_at(header, 40)?,
        last_usable: u64_at(header, 48)?,
        entries_block: u64_at(header, 72)?,
        disk_guid: guid_at(header, 56)?,
        entry_size,
        entries: Vec::new(),
    };
    let plausible = table.my_block == my_block
        && entry_size >= 128
        && entry_size.is_power_of_two()
        && table.first_usable <= table.last_usable
        && table.last_usable < geometry.blocks
        && table.entries_block > 0
        && table.entries_block < geometry.blocks;
    match length {
        Some(length) if plausible && length > 0 => Ok((table, length, u32_at(header, 88)?)),
        _ => Err(Flaw::Implausible),
    }
}

impl Table {
    /// The used entries.
    #[must_use]
    pub fn partitions(&self) -> Vec<Entry> {
        let used = |(index, raw): (usize, &[u8])| {
            let entry = Entry {
                index,
                type_guid: guid_at(raw, 0).ok()?,
                guid: guid_at(raw, 16).ok()?,
                first: u64_at(raw, 32).ok()?,
                last: u64_at(raw, 40).ok()?,
                name: decode_name(raw.get(56..128)?),
            };
            (entry.type_guid != [0; 16]).then_some(entry)
        };
        self.entries.chunks_exact(self.entry_size).enumerate().filter_map(used).collect()
    }

    /// Whether both copies say the same about the disk, wherever they are.
    #[must_use]
    pub fn same_content(&self, other: &Self) -> bool {
        self.disk_guid == other.disk_guid
            && self.first_usable == other.first_usable
            && self.last_usable == other.last_usable
            && self.entry_size == other.entry_size
            && self.entries == other.entries
    }

    /// The same table as the copy at another place.
    #[must_use]
    pub fn placed(&self, my_block: u64, other_block: u64, entries_block: u64) -> Self {
        Self { my_block, other_block, entries_block, ..self.clone() }
    }

    /// Changes an entry's last block.
    pub fn set_last(&mut self, index: usize, last: u64) {
        if let Some(field) = self.field(index, 40, 8) {
            field.copy_from_slice(&last.to_le_bytes());
        }
    }

    /// Changes an entry's name; at most 36 UTF-16 units of it are kept.
    pub fn set_name(&mut self, index: usize, name: &str) {
        let mut raw = [0; 72];
        for (pair, unit) in raw.chunks_exact_mut(2).zip(name.encode_utf16()) {
            pair.copy_from_slice(&unit.to_le_bytes());
        }
        if let Some(field) = self.field(index, 56, 72) {
            field.copy_from_slice(&raw);
        }
    }

    /// Blocks that the entries take.
    #[must_use]
    pub fn entries_blocks(&self, geometry: Geometry) -> u64 {
        self.entries.len().div_ceil(geometry.block_size) as u64
    }

    /// The entries, filled up to whole blocks.
    #[must_use]
    pub fn encode_entries(&self, geometry: Geometry) -> Vec<u8> {
        let mut bytes = self.entries.clone();
        bytes.resize(self.entries.len().next_multiple_of(geometry.block_size), 0);
        bytes
    }

    /// The header as one block.
    #[must_use]
    pub fn encode_header(&self, geometry: Geometry) -> Vec<u8> {
        let number = |value: usize| u32::try_from(value).unwrap_or_default().to_le_bytes();
        let count = self.entries.len().checked_div(self.entry_size).unwrap_or_default();
        let mut header = Vec::with_capacity(geometry.block_size);
        header.extend_from_slice(SIGNATURE);
        header.extend_from_slice(&REVISION.to_le_bytes());
        header.extend_from_slice(&number(HEADER_SIZE));
        header.extend_from_slice(&[0; 8]);
        for block in [self.my_block, self.other_block, self.first_usable, self.last_usable] {
            header.extend_from_slice(&block.to_le_bytes());
        }
        header.extend_from_slice(&self.disk_guid);
        header.extend_from_slice(&self.entries_block.to_le_bytes());
        header.extend_from_slice(&number(count));
        header.extend_from_slice(&number(self.entry_size));
        header.extend_from_slice(&crc32fast::hash(&self.entries).to_le_bytes());
        let checksum = crc32fast::hash(&header).to_le_bytes();
        for (byte, sum) in header.iter_mut().skip(16).zip(checksum) {
            *byte = sum;
        }
        header.resize(geometry.block_size, 0);
        header
    }

    fn field(&mut self, index: usize, offset: usize, length: usize) -> Option<&mut [u8]> {
        let start = index.checked_mul(self.entry_size)?.checked_add(offset)?;
        self.entries.get_mut(start..start.checked_add(length)?)
    }
}

fn decode_name(raw: &[u8]) -> String {
    let units = raw
        .chunks_exact(2)
        .filter_map(|pair| pair.try_into().ok().map(u16::from_le_bytes))
        .take_while(|&unit| unit != 0);
    char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

fn u32_at(bytes: &[u8], offset: usize) -> Result<u32, Flaw> {
    array_at(bytes, offset).map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], offset: usize) -> Result<u64, Flaw> {
    array_at(bytes, offset).map(u64::from_le_bytes)
}

fn guid_at(bytes: &[u8], offset: usize) -> Result<[u8; 16], Flaw> {
    array_at(bytes, offset)
}

fn array_at<const N: usize>(bytes: &[u8], offset: usize) -> Result<[u8; N], Flaw> {
    bytes.get(offset..).and_then(|rest| rest.first_chunk()).copied().ok_or(Flaw::Implausible)
}

#[cfg(test)]
pub mod tests;
