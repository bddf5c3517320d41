//! The disk: GPT with the EFI system partition and an empty data entry, written without root rights and loop devices.
//!
//! ```text
//! 0        protective MBR, GPT
//! 1 MiB    EFI system partition, FAT32: loader, loader.conf, slots
//! behind   `hearth-new`, the entry that the first boot grows to the disk's end
//! end      GPT backup
//! ```
//! All identifiers come from the content, all times are those of FAT's epoch: equal slots give equal disks.

mod epoch;
mod folders;
pub mod pi;

use crate::digest::Sha256;
use fatfs::Dir;
use fatfs::FatType;
use fatfs::FileSystem;
use fatfs::FormatVolumeOptions;
use fatfs::FsOptions;
use gpt::disk::LogicalBlockSize;
use gpt::partition::Partition;
use gpt::partition_types;
use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use uuid::Uuid;

pub use epoch::Epoch;

/// Name of the entry that the first boot may format (docs/spec/boot.md).
pub const NEW_DATA: &str = "hearth-new";
/// Name of the EFI system partition.
pub const ESP: &str = "hearth-esp";
const SECTOR: u64 = 512;
const MIB: u64 = 1 << 20;
/// The loader starts the newest good slot at once and offers no editor for the command line.
const LOADER_CONF: &str = "timeout 0\neditor no\nconsole-mode keep\n";

/// The loader and its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loader {
    /// The program.
    pub file: PathBuf,
    /// Name where firmware looks on removable media, such as `BOOTX64.EFI`.
    pub removable_name: String,
    /// Its own name, such as `systemd-bootx64.efi`.
    pub installed_name: String,
}

/// A slot on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotFile {
    /// File name in `EFI/Linux`, such as `hearth_0.1.0.efi` or, on trial, `hearth_0.2.0+1.efi`.
    pub name: String,
    /// The slot file.
    pub file: PathBuf,
}

/// What goes on a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskPlan {
    /// The loader.
    pub loader: Loader,
    /// The slots.
    pub slots: Vec<SlotFile>,
    /// Size of the EFI system partition, MiB.
    pub esp_mib: u32,
    /// Size of the data entry, MiB.
    pub data_mib: u32,
}

/// A disk cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// A file that goes on the disk cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// The image file cannot be written.
    #[error("cannot write {path}")]
    Image {
        /// The image.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// A file cannot be written to a boot partition.
    #[error("cannot write {name} to the boot partition (is it full?)")]
    Esp {
        /// Path on the partition.
        name: String,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// The partition table cannot be written.
    #[error("cannot write the partition table")]
    Table(#[source] gpt::GptError),
    /// The protective MBR cannot be written.
    #[error("cannot write the protective MBR")]
    Mbr(#[source] gpt::mbr::MBRError),
}

/// Writes a disk image to `path`; unused sectors are holes.
///
/// # Errors
/// When a file cannot be read or written, or the partition is too small.
pub fn write(plan: &DiskPlan, path: &Path) -> Result<(), DiskError> {
    let seed = seed(plan)?;
    let esp = Extent { start: MIB, length: u64::from(plan.esp_mib) * MIB };
    let data = Extent { start: esp.end(), length: u64::from(plan.data_mib) * MIB };
    let size = data.end() + MIB;
    let mut file = fresh(path, size)?;
    let sectors = u32::try_from(size / SECTOR - 1).unwrap_or(u32::MAX);
    gpt::mbr::ProtectiveMBR::with_lb_size(sectors).overwrite_lba0(&mut file).map_err(DiskError::Mbr)?;
    table(&mut file, &[(ESP, partition_types::EFI, esp), (NEW_DATA, partition_types::LINUX_FS, data)], seed)?;
    fill(plan, Window { file: &mut file, extent: esp, position: 0 }, seed)?;
    file.sync_all().map_err(|source| DiskError::Image { path: path.to_owned(), source })
}

/// A fresh file of zeros: content of an earlier one would show in the holes.
fn fresh(path: &Path, size: u64) -> Result<File, DiskError> {
    let at = |source| DiskError::Image { path: path.to_owned(), source };
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(at(error));
    }
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(path).map_err(at)?;
    file.set_len(size).map_err(at)?;
    Ok(file)
}

/// Identifiers are derived from everything that is on the disk.
fn seed(plan: &DiskPlan) -> Result<Sha256, DiskError> {
    let mut text = format!("hearth disk {} {} {LOADER_CONF}", plan.esp_mib, plan.data_mib);
    for file in plan.slots.iter().map(|slot| &slot.file).chain([&plan.loader.file]) {
        let digest =
            Sha256::of_file(file).map_err(|source| DiskError::Read { path: file.clone(), source })?;
        text.push_str(&digest.to_string());
    }
    for slot in &plan.slots {
        text.push_str(&slot.name);
    }
    Ok(Sha256::of(text.as_bytes()))
}

fn derived_uuid(seed: Sha256, purpose: &str) -> Uuid {
    let digest = Sha256::of(format!("{seed} {purpose}").as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(digest.as_bytes().first_chunk::<16>().unwrap_or(&[0; 16]));
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

#[derive(Clone, Copy, Debug)]
struct Extent {
    start: u64,
    length: u64,
}

impl Extent {
    fn end(self) -> u64 {
        self.start + self.length
    }
}

fn table(
    file: &mut File,
    entries: &[(&str, partition_types::Type, Extent)],
    seed: Sha256,
) -> Result<(), DiskError> {
    let config = gpt::GptConfig::new().writable(true).logical_block_size(LogicalBlockSize::Lb512);
    let mut disk =
        config.create_from_device(file, Some(derived_uuid(seed, "disk"))).map_err(DiskError::Table)?;
    let partitions: BTreeMap<u32, Partition> = (1..)
        .zip(entries)
        .map(|(number, (name, part_type, extent))| {
            let partition = Partition {
                part_type_guid: part_type.clone(),
                part_guid: derived_uuid(seed, name),
                first_lba: extent.start / SECTOR,
                last_lba: extent.end() / SECTOR - 1,
                flags: 0,
                name: (*name).to_owned(),
            };
            (number, partition)
        })
        .collect();
    disk.update_partitions(partitions).map_err(DiskError::Table)?;
    disk.write().map(|_| ()).map_err(DiskError::Table)
}

fn fill(plan: &DiskPlan, esp: Window<'_>, seed: Sha256) -> Result<(), DiskError> {
    let loader = read(&plan.loader.file)?;
    let mut files = vec![
        (format!("EFI/BOOT/{}", plan.loader.removable_name), loader.clone()),
        (format!("EFI/systemd/{}", plan.loader.installed_name), loader),
        ("loader/loader.conf".to_owned(), LOADER_CONF.as_bytes().to_vec()),
    ];
    for slot in &plan.slots {
        files.push((format!("EFI/Linux/{}", slot.name), read(&slot.file)?));
    }
    let fat = Fat {
        kind: FatType::Fat32,
        label: *b"HEARTH     ",
        volume_id: volume_id(seed),
        folders: &["EFI", "EFI/BOOT", "EFI/systemd", "EFI/Linux", "loader"],
        files: &files,
    };
    fat.write(esp)
}

fn volume_id(seed: Sha256) -> u32 {
    seed.as_bytes().first_chunk().map_or(1, |bytes| u32::from_le_bytes(*bytes))
}

/// A FAT file system to be.
struct Fat<'a> {
    kind: FatType,
    label: [u8; 11],
    volume_id: u32,
    /// Parents first.
    folders: &'a [&'a str],
    files: &'a [(String, Vec<u8>)],
}

impl Fat<'_> {
    fn write(&self, mut window: Window<'_>) -> Result<(), DiskError> {
        let error = |name: &str| {
            let name = name.to_owned();
            move |source| DiskError::Esp { name, source }
        };
        let sectors = u32::try_from(window.extent.length / SECTOR).unwrap_or(u32::MAX);
        let options = FormatVolumeOptions::new()
            .fat_type(self.kind)
            .total_sectors(sectors)
            .volume_id(self.volume_id)
            .volume_label(self.label);
        fatfs::format_volume(&mut window, options).map_err(error("the file system"))?;
        let system = FileSystem::new(&mut window, FsOptions::new().time_provider(&Epoch))
            .map_err(error("the file system"))?;
        let top = system.root_dir();
        for folder in self.folders {
            top.create_dir(folder).map_err(error(folder))?;
        }
        for (name, content) in self.files {
            put(&top, name, content)?;
        }
        drop(top);
        // Counts the free clusters, so that nobody has to at the first mount.
        system.stats().map_err(error("the file system"))?;
        system.unmount().map_err(error("the file system"))?;
        if self.folders.is_empty() {
            return Ok(());
        }
        folders::mend(&mut window).map_err(error("the folders"))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, DiskError> {
    fs::read(path).map_err(|source| DiskError::Read { path: path.to_owned(), source })
}

fn put(top: &Dir<'_, &mut Window<'_>>, name: &str, content: &[u8]) -> Result<(), DiskError> {
    let write = || {
        let mut file = top.create_file(name)?;
        file.truncate()?;
        file.write_all(content)?;
        file.flush()
    };
    write().map_err(|source| DiskError::Esp { name: name.to_owned(), source })
}

/// A part of the image file, as the file system sees it.
#[derive(Debug)]
struct Window<'a> {
    file: &'a mut File,
    extent: Extent,
    position: u64,
}

impl Window<'_> {
    /// How much of `wanted` bytes lies before the end; the file is set to the position.
    fn prepare(&mut self, wanted: usize) -> io::Result<usize> {
        self.file.seek(SeekFrom::Start(self.extent.start + self.position))?;
        let room = usize::try_from(self.extent.length.saturating_sub(self.position)).unwrap_or(usize::MAX);
        Ok(wanted.min(room))
    }

    fn advance(&mut self, count: usize) -> usize {
        self.position += u64::try_from(count).unwrap_or(u64::MAX);
        count
    }
}

impl Read for Window<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.prepare(buffer.len())?;
        let count = self.file.read(buffer.get_mut(..count).unwrap_or_default())?;
        Ok(self.advance(count))
    }
}

impl Write for Window<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.prepare(buffer.len())?;
        let buffer = buffer.get(..count).unwrap_or_default();
        // Zeros over a hole leave it a hole; formatting writes megabytes of them.
        let count = if buffer.iter().all(|byte| *byte == 0) && self.is_hole(buffer.len())? {
            buffer.len()
        } else {
            self.prepare(count)?;
            self.file.write(buffer)?
        };
        Ok(self.advance(count))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Window<'_> {
    /// Whether the next bytes were never written.
    fn is_hole(&self, length: usize) -> io::Result<bool> {
        let start = self.extent.start + self.position;
        let end = start + u64::try_from(length).unwrap_or(u64::MAX);
        match rustix::fs::seek(&*self.file, rustix::fs::SeekFrom::Data(start)) {
            Ok(data) => Ok(data >= end),
            Err(rustix::io::Errno::NXIO) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }
}

impl Seek for Window<'_> {
    fn seek(&mut self, target: SeekFrom) -> io::Result<u64> {
        let position = match target {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
            SeekFrom::End(offset) => self.extent.length.checked_add_signed(offset),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests;
