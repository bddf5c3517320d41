//! Disks of the machine, as sysfs and their own tables show them.

use std::fs;
use std::fs::File;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use super::gpt::Geometry;
use super::layout;
use super::layout::Seen;

/// A whole disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Kernel name: `vda`, `nvme0n1`.
    pub name: String,
    /// Size and block size.
    pub geometry: Geometry,
}

/// A partition that the kernel knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// First byte on the disk.
    pub start: u64,
    /// Length in bytes.
    pub length: u64,
}

/// sysfs counts in sectors of 512 bytes, whatever the disk's own block size (block/genhd.c).
const SECTOR: u64 = 512;

/// Names of block devices that are no disks of this machine: memory, loops, mappings, optical and floppy drives.
const NO_DISKS: &[&str] = &["loop", "ram", "zram", "dm-", "md", "sr", "fd", "nbd"];

impl Disk {
    /// The device node.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        Path::new("/dev").join(&self.name)
    }

    /// Name of a partition by its number: `vda2`, `nvme0n1p2`.
    #[must_use]
    pub fn partition_name(&self, number: usize) -> String {
        let separator = if self.name.ends_with(|c: char| c.is_ascii_digit()) { "p" } else { "" };
        format!("{}{separator}{number}", self.name)
    }

    /// The partition as the kernel knows it.
    #[must_use]
    pub fn known_partition(&self, number: usize) -> Option<Known> {
        let folder = Path::new("/sys/class/block").join(self.partition_name(number));
        Some(Known {
            start: number_in(&folder.join("start"))?.checked_mul(SECTOR)?,
            length: number_in(&folder.join("size"))?.checked_mul(SECTOR)?,
        })
    }

    /// Opens the disk, for writing or not, and reads both copies of its table.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn look(&self) -> io::Result<Seen> {
        Ok(layout::look(&File::open(self.path())?, self.geometry))
    }
}

/// Every writable disk with a size, in the order of their names.
#[must_use]
pub fn disks(sys: &Path) -> Vec<Disk> {
    let mut all: Vec<Disk> = fs::read_dir(sys.join("block"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| disk(&entry.path()))
        .collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

fn disk(folder: &Path) -> Option<Disk> {
    let name = folder.file_name()?.to_str()?.to_owned();
    let virtual_device = NO_DISKS.iter().any(|prefix| {
        name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    });
    if virtual_device || number_in(&folder.join("ro"))? != 0 {
        return None;
    }
    let block_size = number_in(&folder.join("queue/logical_block_size"))?;
    let bytes = number_in(&folder.join("size"))?.checked_mul(SECTOR)?;
    if !(512..=4096).contains(&block_size) || bytes / block_size < 128 {
        return None;
    }
    let geometry = Geometry { block_size: usize::try_from(block_size).ok()?, blocks: bytes / block_size };
    Some(Disk { name, geometry })
}

fn number_in(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sys(devices: &[(&str, &str, &str, &str)]) -> tempfile::TempDir {
        let sys = tempfile::tempdir().unwrap();
        for (name, ro, block_size, size) in devices {
            let folder = sys.path().join("block").join(name);
            fs::create_dir_all(folder.join("queue")).unwrap();
            fs::write(folder.join("ro"), format!("{ro}\n")).unwrap();
            fs::write(folder.join("queue/logical_block_size"), format!("{block_size}\n")).unwrap();
            fs::write(folder.join("size"), format!("{size}\n")).unwrap();
        }
        sys
    }

    #[test]
    fn only_writable_real_disks_count() {
        let sys = sys(&[
            ("vda", "0", "512", "2097152"),
            ("nvme0n1", "0", "4096", "2097152"),
            ("loop0", "0", "512", "2097152"),
            ("sr0", "0", "2048", "2097152"),
            ("dm-0", "0", "512", "2097152"),
            ("sda", "1", "512", "2097152"),
            ("sdb", "0", "512", "0"),
            ("mmcblk0", "0", "512", "2097152"),
        ]);
        let found = disks(sys.path());
        assert_eq!(found.iter().map(|d| d.name.as_str()).collect::<Vec<_>>(), ["mmcblk0", "nvme0n1", "vda"]);
        assert_eq!(found[1].geometry, Geometry { block_size: 4096, blocks: 262_144 });
    }

    #[test]
    fn partition_names_follow_the_kernel() {
        let disk =
            |name: &str| Disk { name: name.to_owned(), geometry: Geometry { block_size: 512, blocks: 1 } };
        assert_eq!(disk("vda").partition_name(2), "vda2");
        assert_eq!(disk("nvme0n1").partition_name(2), "nvme0n1p2");
        assert_eq!(disk("mmcblk0").partition_name(12), "mmcblk0p12");
    }
}
