//! The disk of a Raspberry Pi: two tables of partitions that say the same, and two FAT partitions with a system each.
//!
//! ```text
//! 0         MBR, for the firmware; GPT, for the system, which needs names
//! 1 MiB     p1, FAT: autoboot.txt
//! 17 MiB    p2, FAT: side A
//!           p3, FAT: side B, empty until the first update
//!           p4, `hearth-new`, the entry that the first boot grows to the disk's end
//! end       GPT backup
//! ```
//! The firmware's second stage (`start4.elf`) finds the partition that it was started from by its number only in an MBR: with a GPT, versions
//! before 2025 look elsewhere. Where it sees an entry of the type that stands for a GPT, it goes by that; so there is none, and the kernel is
//! told by the word `gpt` to look for a GPT all the same. Nothing but the firmware goes by the MBR, whose last entry nobody grows.

use super::DiskError;
use super::Extent;
use super::Fat;
use super::MIB;
use super::NEW_DATA;
use super::SECTOR;
use super::Window;
use super::derived_uuid;
use super::fresh;
use super::table;
use super::volume_id;
use crate::digest::Sha256;
use fatfs::FatType;
use gpt::partition_types;
use slots::pi::Autoboot;
use slots::pi::Side;
use std::fs::File;
use std::io;
use std::io::Seek;
use std::io::SeekFrom;
use std::io::Write;
use std::path::Path;

/// Name of the first partition: it is to the system what the EFI system partition is elsewhere.
pub const FIRST: &str = super::ESP;
/// Names of the partitions with a system.
pub const SIDES: [&str; 2] = ["hearth-a", "hearth-b"];
/// Size of the first partition, MiB.
pub const FIRST_MIB: u32 = 16;
/// Types in an MBR: FAT16 and FAT32, addressed by sector, and a Linux file system.
const MBR_TYPES: [u8; 4] = [0x0e, 0x0c, 0x0c, 0x83];

/// What goes on a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PiPlan<'a> {
    /// All files of side A, by path; folders are made as they are needed.
    pub files: &'a [(String, Vec<u8>)],
    /// Size of each side, MiB.
    pub side_mib: u32,
    /// Size of the data entry, MiB.
    pub data_mib: u32,
}

/// Writes a disk image to `path`; unused sectors are holes.
///
/// # Errors
/// When a file cannot be written, or a partition is too small.
pub fn write(plan: &PiPlan<'_>, path: &Path) -> Result<(), DiskError> {
    let seed = seed(plan);
    let extents = extents(plan);
    let [first, a, b, data] = extents;
    let mut file = fresh(path, data.end() + MIB)?;
    let at = |source| DiskError::Image { path: path.to_owned(), source };
    mbr(&mut file, &extents, seed).map_err(at)?;
    let [name_a, name_b] = SIDES;
    table(
        &mut file,
        &[
            (FIRST, partition_types::EFI, first),
            (name_a, partition_types::BASIC, a),
            (name_b, partition_types::BASIC, b),
            (NEW_DATA, partition_types::LINUX_FS, data),
        ],
        seed,
    )?;
    let autoboot = [("autoboot.txt".to_owned(), Autoboot { committed: Side::A }.to_string().into_bytes())];
    let folders = folders(plan.files);
    let folders: Vec<&str> = folders.iter().map(String::as_str).collect();
    let id = volume_id(seed);
    let none: &[(String, Vec<u8>)] = &[];
    for (extent, kind, label, number, folders, files) in [
        (first, FatType::Fat16, *b"HEARTH     ", 0, [].as_slice(), autoboot.as_slice()),
        (a, FatType::Fat32, *b"HEARTH-A   ", 1, folders.as_slice(), plan.files),
        (b, FatType::Fat32, *b"HEARTH-B   ", 2, &[], none),
    ] {
        let fat = Fat { kind, label, volume_id: id.wrapping_add(number), folders, files };
        fat.write(Window { file: &mut file, extent, position: 0 })?;
    }
    file.sync_all().map_err(at)
}

fn extents(plan: &PiPlan<'_>) -> [Extent; 4] {
    let mut start = MIB;
    [FIRST_MIB, plan.side_mib, plan.side_mib, plan.data_mib].map(|mib| {
        let extent = Extent { start, length: u64::from(mib) * MIB };
        start = extent.end();
        extent
    })
}

/// Identifiers are derived from everything that is on the disk.
fn seed(plan: &PiPlan<'_>) -> Sha256 {
    let mut text = format!("hearth pi disk {} {}", plan.side_mib, plan.data_mib);
    for (name, content) in plan.files {
        text.push_str(&format!(" {name} {}", Sha256::of(content)));
    }
    Sha256::of(text.as_bytes())
}

/// Folders that the files lie in, parents first.
fn folders(files: &[(String, Vec<u8>)]) -> Vec<String> {
    let mut folders = std::collections::BTreeSet::new();
    for (name, _) in files {
        let mut parent = name.as_str();
        while let Some((folder, _)) = parent.rsplit_once('/') {
            folders.insert(folder.to_owned());
            parent = folder;
        }
    }
    folders.into_iter().collect()
}

/// The table for the firmware.
fn mbr(file: &mut File, extents: &[Extent; 4], seed: Sha256) -> io::Result<()> {
    let mut sector = Vec::with_capacity(512);
    sector.resize(440, 0);
    sector.extend(derived_uuid(seed, "mbr").as_bytes().iter().take(4));
    sector.extend([0; 2]);
    for (kind, extent) in MBR_TYPES.into_iter().zip(extents) {
        // Not to be started by a PC; addresses of cylinders say "look at the sector numbers".
        sector.extend([0, 0xfe, 0xff, 0xff, kind, 0xfe, 0xff, 0xff]);
        for sectors in [extent.start / SECTOR, extent.length / SECTOR] {
            sector.extend(u32::try_from(sectors).unwrap_or(u32::MAX).to_le_bytes());
        }
    }
    sector.extend([0x55, 0xaa]);
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&sector)
}

#[cfg(test)]
mod tests;
