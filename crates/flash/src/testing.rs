//! A small image of the shape of ours, and a disk that loses power.

#![expect(clippy::cast_possible_truncation, reason = "the numbers of these tests are small")]

use crate::target::Target;
use fatfs::FatType;
use fatfs::FileSystem;
use fatfs::FormatVolumeOptions;
use fatfs::FsOptions;
use gpt::partition::Partition;
use gpt::partition_types;
use std::collections::BTreeMap;
use std::io;
use std::io::Cursor;
use std::io::Read;
use std::io::Write;
use std::ops::Range;

pub(crate) const MIB: usize = 1 << 20;
/// Of a box's first start, as `image` lays it out: table, boot partition, data entry, copy of the table.
const ESP: Range<usize> = MIB..37 * MIB;
const SECTOR: usize = 512;

/// An image with these files on its boot partition.
#[derive(Debug)]
pub(crate) struct Fixture {
    size: usize,
    files: Vec<(&'static str, Vec<u8>)>,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let slot = (0..3 * MIB).map(|at| (at * 7 % 253) as u8).collect();
        Self { size: 39 * MIB, files: vec![("loader.conf", b"timeout 0\n".to_vec()), ("slot.efi", slot)] }
    }

    /// Another system, on a whole disk.
    pub(crate) fn old() -> Self {
        Self {
            size: 48 * MIB,
            files: vec![("loader.conf", b"old\n".to_vec()), ("old.efi", vec![0xe5; 6 * MIB])],
        }
    }

    pub(crate) fn image(&self) -> Vec<u8> {
        let mut disk = Cursor::new(vec![0; self.size]);
        let sectors = u32::try_from(self.size / SECTOR - 1).unwrap();
        gpt::mbr::ProtectiveMBR::with_lb_size(sectors).overwrite_lba0(&mut disk).unwrap();
        let config =
            gpt::GptConfig::new().writable(true).logical_block_size(gpt::disk::LogicalBlockSize::Lb512);
        let mut table = config.create_from_device(&mut disk, None).unwrap();
        let entry = |name: &str, kind: &partition_types::Type, part: Range<usize>| Partition {
            part_type_guid: kind.clone(),
            part_guid: uuid::Uuid::from_bytes([name.as_bytes()[7]; 16]),
            first_lba: (part.start / SECTOR) as u64,
            last_lba: (part.end / SECTOR - 1) as u64,
            flags: 0,
            name: name.to_owned(),
        };
        let entries = [
            (1, entry("hearth-esp", &partition_types::EFI, ESP)),
            (2, entry("hearth-new", &partition_types::LINUX_FS, 37 * MIB..38 * MIB)),
        ];
        table.update_partitions(BTreeMap::from(entries)).unwrap();
        table.write().unwrap();
        let mut bytes = disk.into_inner();
        let mut esp = Cursor::new(bytes[ESP].to_vec());
        fatfs::format_volume(&mut esp, FormatVolumeOptions::new().fat_type(FatType::Fat32)).unwrap();
        {
            let system = FileSystem::new(&mut esp, FsOptions::new()).unwrap();
            for (name, content) in &self.files {
                system.root_dir().create_file(name).unwrap().write_all(content).unwrap();
            }
            system.unmount().unwrap();
        }
        bytes[ESP].copy_from_slice(esp.get_ref());
        bytes
    }

    /// The content of a file on a disk's boot partition.
    pub(crate) fn read(disk: &[u8], name: &str) -> Option<Vec<u8>> {
        let mut content = Vec::new();
        let system = FileSystem::new(Cursor::new(disk[ESP].to_vec()), FsOptions::new()).ok()?;
        system.root_dir().open_file(name).ok()?.read_to_end(&mut content).ok()?;
        Some(content)
    }

    /// Table and files are what they are to be.
    pub(crate) fn assert_boots(&self, disk: &[u8]) {
        assert!(has_table(disk));
        for (name, content) in &self.files {
            assert!(Self::read(disk, name).as_ref() == Some(content), "{name}");
        }
    }

    /// What the checker of file systems says, which must find nothing wrong.
    pub(crate) fn fsck(&self, disk: &[u8]) -> String {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&disk[ESP]).unwrap();
        let checked =
            std::process::Command::new("fsck.vfat").args(["-n", "-v"]).arg(file.path()).output().unwrap();
        let said = String::from_utf8_lossy(&checked.stdout).into_owned();
        assert!(checked.status.success(), "{said}");
        said
    }
}

/// Whether firmware might boot from the disk: the first sector names partitions, or one of the table's headers is right, at the
/// start or at the disk's end, from where some firmware mends the start.
pub(crate) fn has_table(disk: &[u8]) -> bool {
    let names_partitions = disk[510..512] == [0x55, 0xaa] && disk[446..510].iter().any(|byte| *byte != 0);
    names_partitions || is_header(&disk[SECTOR..]) || is_header(&disk[disk.len() - SECTOR..])
}

/// UEFI specification 2.10, 5.3.2: the checksum is of the header with zeros in its place.
fn is_header(bytes: &[u8]) -> bool {
    let mut header = bytes[..92].to_vec();
    let wanted = u32::from_le_bytes(header[16..20].try_into().unwrap());
    header[16..20].fill(0);
    let mut crc = u32::MAX;
    for byte in &header {
        crc ^= u32::from(*byte);
        for _bit in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    header.starts_with(b"EFI PART") && !crc == wanted
}

/// What becomes of sectors that were written and not synced when the power goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unsynced {
    Lost,
    Kept,
    /// Some of them.
    Mixed(u64),
}

/// A disk in memory.
#[derive(Debug)]
pub(crate) struct FakeDisk {
    /// What is on it for good.
    synced: Vec<u8>,
    pending: Vec<(usize, Vec<u8>)>,
    /// Writes and syncs until it is gone.
    lives: usize,
    /// Writes and syncs so far.
    pub(crate) steps: usize,
    /// Byte of which one bit is never what was written.
    pub(crate) worn: Option<usize>,
}

impl FakeDisk {
    pub(crate) fn new(content: Vec<u8>) -> Self {
        Self { synced: content, pending: Vec::new(), lives: usize::MAX, steps: 0, worn: None }
    }

    /// Vanishes after so many writes and syncs.
    pub(crate) fn with_lives(content: Vec<u8>, lives: usize) -> Self {
        Self { lives, ..Self::new(content) }
    }

    fn step(&mut self) -> io::Result<()> {
        if self.steps >= self.lives {
            return Err(io::Error::from_raw_os_error(5));
        }
        self.steps += 1;
        Ok(())
    }

    /// What is on it when the power is back.
    pub(crate) fn after_cut(&self, unsynced: Unsynced) -> Vec<u8> {
        self.part_after_cut(unsynced, 0..self.synced.len())
    }

    /// Whether it has a table then.
    pub(crate) fn has_table_after_cut(&self, unsynced: Unsynced) -> bool {
        let end = self.synced.len();
        let mut ends = self.part_after_cut(unsynced, 0..2 * SECTOR);
        ends.extend(self.part_after_cut(unsynced, end - SECTOR..end));
        has_table(&ends)
    }

    fn part_after_cut(&self, unsynced: Unsynced, part: Range<usize>) -> Vec<u8> {
        let mut left = self.synced[part.clone()].to_vec();
        let mut random: u64 = 0;
        for (offset, bytes) in &self.pending {
            for (at, sector) in bytes.chunks(SECTOR).enumerate() {
                let is_kept = match unsynced {
                    Unsynced::Lost => false,
                    Unsynced::Kept => true,
                    Unsynced::Mixed(seed) => {
                        // Knuth's generator (MMIX).
                        random = (random ^ seed)
                            .wrapping_mul(6_364_136_223_846_793_005)
                            .wrapping_add(1_442_695_040_888_963_407);
                        random >> 63 == 1
                    }
                };
                let at = offset + at * SECTOR;
                let (start, end) = (at.max(part.start), (at + sector.len()).min(part.end));
                if is_kept && start < end {
                    left[start - part.start..end - part.start].copy_from_slice(&sector[start - at..end - at]);
                }
            }
        }
        left
    }

    pub(crate) fn content(&self) -> &[u8] {
        assert!(self.pending.is_empty(), "everything was synced");
        &self.synced
    }
}

impl Target for FakeDisk {
    fn size(&self) -> u64 {
        self.synced.len() as u64
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.step()?;
        let offset = offset as usize;
        assert!(offset + bytes.len() <= self.synced.len(), "a write behind the end");
        let mut bytes = bytes.to_vec();
        if let Some(worn) = self.worn.filter(|worn| (offset..offset + bytes.len()).contains(worn)) {
            bytes[worn - offset] ^= 1;
        }
        self.pending.push((offset, bytes));
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.step()?;
        for (offset, bytes) in self.pending.drain(..) {
            self.synced[offset..offset + bytes.len()].copy_from_slice(&bytes);
        }
        Ok(())
    }

    fn read_back(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        if self.steps >= self.lives {
            return Err(io::Error::from_raw_os_error(5));
        }
        let offset = offset as usize;
        // As the kernel does: what waits is seen by who reads past the cache.
        buffer.copy_from_slice(&self.synced[offset..offset + buffer.len()]);
        for (at, bytes) in &self.pending {
            let (start, end) = (offset.max(*at), (offset + buffer.len()).min(at + bytes.len()));
            if start < end {
                buffer[start - offset..end - offset].copy_from_slice(&bytes[start - at..end - at]);
            }
        }
        Ok(())
    }
}
