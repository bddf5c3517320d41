//! Mounting the two partitions with a system of a Raspberry Pi, for this program alone.
//!
//! They are those beside the boot partition with the names that the GPT has for them. The one that runs is mounted read-only whatever a plan
//! says; the other one is writable for the verbs that write to it.

use std::ffi::CStr;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::path::PathBuf;

use rustix::mount::MountFlags;
use rustix::mount::UnmountFlags;
use slots::pi::Side;

use crate::guard;
use crate::look;
use crate::places::Places;

/// As the boot partition is mounted, too: root's, and nobody else's.
const OPTIONS: &CStr = c"umask=0077";
/// Longest description of a partition by the kernel, in bytes.
const MAX_UEVENT: usize = 4096;
/// Most entries beside a partition in the kernel's tree.
const MAX_ENTRIES: usize = 1024;

/// Both sides, unmounted when dropped.
#[derive(Debug, Default)]
pub struct Mounted {
    folders: Vec<PathBuf>,
}

impl Mounted {
    /// Mounts what is there. A side that cannot be mounted is told of and missing: nothing is written to it, and nothing runs from it.
    ///
    /// # Errors
    /// When there is no folder to mount on.
    pub fn of(places: &Places, sys: &Path, strict: MountFlags, writes: bool) -> io::Result<Self> {
        let mut it = Self::default();
        // Nothing must be written to a folder in memory instead of a side.
        for side in [Side::A, Side::B] {
            gone(&places.side(side))?;
        }
        let Some(boot) = own_device(&places.esp)? else { return Ok(it) };
        let running = look::boot_of_pi(places).map(|boot| boot.side);
        for side in [Side::A, Side::B] {
            let Some(device) = find(sys, boot, side) else {
                guard::note(&format!("{side} is not on the disk of the boot partition"));
                continue;
            };
            let folder = places.side(side);
            fs::create_dir_all(&folder)?;
            let is_other = running.is_some_and(|running| running != side);
            let flags = if writes && is_other { strict } else { strict | MountFlags::RDONLY };
            match rustix::mount::mount(&device, &folder, "vfat", flags, OPTIONS) {
                Ok(()) => it.folders.push(folder),
                Err(error) => {
                    guard::note(&format!("{side} on {} cannot be mounted: {error}", device.display()));
                    gone(&folder)?;
                }
            }
        }
        Ok(it)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        for folder in &self.folders {
            if let Err(error) = rustix::mount::unmount(folder, UnmountFlags::NOFOLLOW) {
                guard::note(&format!("unmounting {}: {error}", folder.display()));
            }
        }
    }
}

/// Removes an empty folder.
fn gone(folder: &Path) -> io::Result<()> {
    match fs::remove_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The device that is mounted there, unless it is the root's.
fn own_device(folder: &Path) -> io::Result<Option<u64>> {
    let Ok(facts) = fs::metadata(folder) else { return Ok(None) };
    let root = fs::metadata("/")?.dev();
    Ok(Some(facts.dev()).filter(|device| *device != root))
}

/// The node of a side's partition, on the disk of this partition.
#[must_use]
pub fn find(sys: &Path, partition: u64, side: Side) -> Option<PathBuf> {
    let (major, minor) = (rustix::fs::major(partition), rustix::fs::minor(partition));
    let links = sys.join("dev/block");
    let own = links.join(fs::read_link(links.join(format!("{major}:{minor}"))).ok()?);
    let beside = fs::read_dir(own.parent()?).ok()?.take(MAX_ENTRIES).flatten();
    let mut found = beside.filter_map(|entry| node(&entry.path(), side.name()));
    // Two of one name are none: nobody guesses.
    match (found.next(), found.next()) {
        (Some(node), None) => Some(node),
        _ => None,
    }
}

/// The node of a partition, if it has this name (`block/partitions/core.c`: `PARTNAME`).
fn node(folder: &Path, name: &str) -> Option<PathBuf> {
    folder.join("partition").is_file().then_some(())?;
    let text = crate::durable::read(&folder.join("uevent"), MAX_UEVENT).ok()?;
    let text = String::from_utf8(text).ok()?;
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    (value("PARTNAME")? == name).then_some(())?;
    let device = value("DEVNAME").filter(|device| !device.contains(['/', '\0']))?;
    Some(Path::new("/dev").join(device))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn sides_are_found_beside_the_boot_partition_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let sys = folder.path();
        let disk = |name: &str| sys.join("devices").join(name);
        let add = |disk_name: &str, number: u32, name: &str| {
            let path = disk(disk_name).join(format!("{disk_name}p{number}"));
            fs::create_dir_all(&path).unwrap();
            fs::write(path.join("partition"), format!("{number}\n")).unwrap();
            fs::write(path.join("uevent"), format!("DEVNAME={disk_name}p{number}\nPARTNAME={name}\n"))
                .unwrap();
        };
        for (number, name) in [(1, "hearth-esp"), (2, "hearth-a"), (3, "hearth-b"), (4, "hearth-data")] {
            add("mmcblk0", number, name);
        }
        add("mmcblk1", 2, "hearth-a");
        // A queue of the disk has the name in a file as well, and is no partition.
        fs::create_dir_all(disk("mmcblk0").join("queue")).unwrap();
        fs::write(disk("mmcblk0").join("queue/uevent"), "DEVNAME=x\nPARTNAME=hearth-a\n").unwrap();
        fs::create_dir_all(sys.join("dev/block")).unwrap();
        symlink(disk("mmcblk0").join("mmcblk0p1"), sys.join("dev/block/179:1")).unwrap();
        let boot = rustix::fs::makedev(179, 1);
        assert_eq!(find(sys, boot, Side::A), Some("/dev/mmcblk0p2".into()));
        assert_eq!(find(sys, boot, Side::B), Some("/dev/mmcblk0p3".into()));
        assert_eq!(find(sys, rustix::fs::makedev(179, 2), Side::A), None);
        add("mmcblk0", 7, "hearth-a");
        assert_eq!(find(sys, boot, Side::A), None, "two of one name");
    }
}
