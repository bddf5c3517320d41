//! Brings the data partition up: the I/O around the decisions of `choose`, `layout` and `superblock`.

pub mod reset;

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::io::Seek;
use std::io::SeekFrom;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use ioctls::block;
use ioctls::block::Bytes;
use ioctls::block::Extent;
use ioctls::block::PartitionNumber;
use model::paths;
use model::storage::KeyKind;
use model::storage::UnlockReport;
use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::Timespec;
use rustix::mount::MountFlags;

use super::choose;
use super::choose::NotChosen;
use super::format;
use super::gpt;
use super::layout;
use super::layout::Content;
use super::layout::Layout;
use super::layout::NoData;
use super::layout::Seen;
use super::layout::Step;
use super::probe;
use super::probe::Disk;
use super::superblock;
use super::superblock::Check;
use super::tools::Checked;
use super::tools::ToolError;
use super::tools::Tools;
use super::tools::Unlocked;
use crate::console;
use crate::console::Level;
use crate::devices::loader::Loader;
use crate::devices::uevent::Socket;
use crate::mounts;
use crate::report;

/// Where the data partition is mounted.
pub const DATA: &str = "/data";
/// Where the ESP is mounted.
pub const BOOT: &str = "/boot";

/// How long a disk may take to appear: spinning disks and USB bridges need up to 15 s.
const DISK_PATIENCE: Duration = Duration::from_secs(30);

/// Why there is no data partition in this boot.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// No disk, or more than one.
    #[error(transparent)]
    NotChosen(#[from] NotChosen),
    /// The disk's table.
    #[error("{disk}")]
    Layout {
        /// Disk.
        disk: String,
        /// What is wrong with it.
        source: NoData,
    },
    /// Reading or writing.
    #[error("{doing} {device}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        device: String,
        /// What the kernel says.
        source: io::Error,
    },
    /// storaged says why it cannot be opened.
    #[error("{device}: {reason}")]
    Storage {
        /// Partition.
        device: String,
        /// Why.
        reason: String,
    },
    /// A tool.
    #[error("{device}")]
    Tool {
        /// Partition.
        device: String,
        /// What happened.
        source: ToolError,
    },
    /// The partition is encrypted, and nothing opens it by itself.
    #[error("{device} is locked: {}", reasons.join("; "))]
    Locked {
        /// Partition.
        device: String,
        /// Why, in plain words.
        reasons: Vec<String>,
        /// What can be typed.
        takes: Vec<KeyKind>,
    },
    /// The partition has lost its file system. It is not made anew: its name says that it held data.
    #[error("{device} held data and its file system cannot be read any more ({found}; {tool})")]
    Lost {
        /// Partition.
        device: String,
        /// What stands where the superblock should.
        found: superblock::NotExt4,
        /// What the check said.
        tool: ToolError,
    },
    /// A factory reset that was asked for is not finished.
    #[error("the factory reset that was asked for goes on at the next start: {doing}")]
    Reset {
        /// What was being done.
        doing: &'static str,
        /// What the kernel says.
        source: io::Error,
    },
    /// The mount.
    #[error(transparent)]
    Mount(#[from] mounts::MountError),
    /// A folder.
    #[error(transparent)]
    Folder(#[from] format::FolderError),
}

/// The disk we booted from.
#[derive(Debug)]
pub struct BootDisk {
    disk: Disk,
    seen: Seen,
}

/// A data partition that is mounted.
#[derive(Debug)]
pub struct Mounted {
    /// Device node.
    pub device: String,
    /// Whether this boot made the file system.
    pub created: bool,
    /// What went wrong without harm to the data.
    pub reasons: Vec<String>,
}

/// Finds the disk, loading drivers for what appears meanwhile.
///
/// # Errors
/// When it does not come in time, or more than one fits.
pub fn find(
    booted_from: Option<[u8; 16]>,
    loader: &mut Loader,
    events: &Socket,
    while_waiting: &mut dyn FnMut(),
) -> Result<BootDisk, DataError> {
    let deadline = Instant::now() + DISK_PATIENCE;
    loop {
        // Events first: what came before this look is then part of it.
        loader.take_events(events);
        let looked: Vec<(Disk, Seen)> = probe::disks(Path::new("/sys"))
            .into_iter()
            .filter_map(|disk| disk.look().ok().map(|seen| (disk, seen)))
            .collect();
        match choose::choose(&looked, booted_from, |disk| disk.name.clone()) {
            Ok((disk, seen)) if booted_from.is_some() || loader.is_done() || is_virtual(disk) => {
                return Ok(BootDisk { disk: disk.clone(), seen: seen.clone() });
            }
            Ok(_) => {}
            Err(NotChosen::NotYet(_)) if Instant::now() < deadline => {}
            Err(refused) => return Err(refused.into()),
        }
        if loader.is_done() {
            wait_for_a_disk(loader, events, deadline, while_waiting);
        }
        while loader.work_off_one() {
            while_waiting();
        }
    }
}

/// A virtual machine has the disks it was given. On real hardware without a loader's word, a second disk like ours may
/// hide behind a driver that is not loaded yet.
fn is_virtual(disk: &Disk) -> bool {
    disk.name.starts_with("vd")
}

/// Waits for the next event of a block device, at most until the deadline.
fn wait_for_a_disk(loader: &mut Loader, events: &Socket, deadline: Instant, while_waiting: &mut dyn FnMut()) {
    while Instant::now() < deadline {
        while_waiting();
        let second = Timespec { tv_sec: 1, tv_nsec: 0 };
        let ready = rustix::event::poll(&mut [PollFd::new(events, PollFlags::IN)], Some(&second));
        if matches!(ready, Ok(1..)) && loader.take_events(events).block {
            return;
        }
    }
}

impl BootDisk {
    /// Mounts the ESP read-only on `/boot`, when the disk has one.
    ///
    /// # Errors
    /// When it has one that cannot be mounted.
    pub fn mount_esp(&self) -> Result<(), DataError> {
        let esp = crate::efi::guid(gpt::TYPE_ESP);
        let partitions = self.seen.table().map(gpt::Table::partitions).unwrap_or_default();
        let Some(entry) = partitions.iter().find(|entry| Some(entry.type_guid) == esp) else { return Ok(()) };
        let number = entry.index + 1;
        let geometry = self.seen.geometry;
        let length = geometry.offset(entry.last.saturating_sub(entry.first).saturating_add(1));
        let disk = File::open(self.disk.path()).map_err(|source| self.io("opening", source))?;
        self.tell_kernel(&disk, number, geometry.offset(entry.first), length)?;
        let device = format!("/dev/{}", self.disk.partition_name(number));
        let flags = MountFlags::RDONLY | mounts::STRICT;
        Ok(mounts::mount(&device, BOOT, "vfat", flags, Some(c"umask=0077"))?)
    }

    /// Makes or checks, mounts and grows the data partition.
    ///
    /// # Errors
    /// When the box has to run without it.
    pub fn mount_data(&mut self, tools: &mut Tools<'_>) -> Result<Mounted, DataError> {
        let (disk, partition, plan) = self.open_partition()?;
        let (device, reasons) = unlock(&partition, plan.content, tools)?;
        let length = length_of(&device)?;
        let mut mounted = match plan.content {
            Content::Nothing => create(&device, length, tools)?,
            Content::FileSystem => open(&device, length, tools)?,
        };
        mounted.reasons.extend(reasons);
        format::ensure_folders()?;
        if plan.content == Content::Nothing {
            sync_mount(&mounted)?;
            disk.sync_all().map_err(|source| self.io("syncing", source))?;
            self.seen = layout::look(&disk, self.seen.geometry);
            self.write(&disk, &layout::plan_rename(&self.seen, &plan, gpt::NAME_DATA))?;
        }
        Ok(mounted)
    }

    /// The data partition as it shall be, known to the kernel: the disk, the partition's node and what is to be done with it.
    fn open_partition(&self) -> Result<(File, String, Layout), DataError> {
        let name = self.disk.name.clone();
        let plan = layout::plan(&self.seen).map_err(|source| DataError::Layout { disk: name, source })?;
        let number = plan.index + 1;
        let node = self.disk.path();
        let disk =
            File::options().read(true).write(true).open(node).map_err(|source| self.io("opening", source))?;
        self.write(&disk, &plan.steps)?;
        self.tell_kernel(&disk, number, plan.start, plan.length)?;
        Ok((disk, format!("/dev/{}", self.disk.partition_name(number)), plan))
    }

    fn write(&self, disk: &File, steps: &[Step]) -> Result<(), DataError> {
        for step in steps {
            match step {
                Step::Write { offset, bytes } => disk.write_all_at(bytes, *offset),
                Step::Sync => disk.sync_all(),
            }
            .map_err(|source| self.io("writing the partition table of", source))?;
        }
        Ok(())
    }

    /// Makes the kernel's view of a partition that of the table.
    fn tell_kernel(&self, disk: &File, number: usize, start: u64, length: u64) -> Result<(), DataError> {
        let extent = Extent { start: Bytes(start), length: Bytes(length) };
        let pno = PartitionNumber(u32::try_from(number).unwrap_or(u32::MAX));
        match self.disk.known_partition(number) {
            Some(known) if known.start == start && known.length == length => Ok(()),
            Some(_) => block::resize_partition(disk, pno, extent),
            None => block::add_partition(disk, pno, extent),
        }
        .map_err(|error| self.io("telling the kernel of a partition on", error.into()))
    }

    fn io(&self, doing: &'static str, source: io::Error) -> DataError {
        DataError::Io { doing, device: self.disk.name.clone(), source }
    }
}

/// From the partition's device to the one that carries the file system, with what did not go as it should.
fn unlock(
    partition: &str,
    content: Content,
    tools: &mut Tools<'_>,
) -> Result<(String, Vec<String>), DataError> {
    let device = || partition.to_owned();
    let ended = tools.unlock(partition, content);
    let report = report::read(paths::UNLOCK_REPORT);
    match (ended, report) {
        (Ok(Unlocked::Open), Some(UnlockReport::Opened { reasons, .. })) => {
            Ok((paths::DATA_MAPPED.to_owned(), reasons))
        }
        (Ok(Unlocked::Open), _) => Ok((paths::DATA_MAPPED.to_owned(), Vec::new())),
        (Ok(Unlocked::Locked), Some(UnlockReport::Locked { reasons, takes })) => {
            Err(DataError::Locked { device: device(), reasons, takes })
        }
        (Ok(Unlocked::Locked), _) => {
            Err(DataError::Locked { device: device(), reasons: Vec::new(), takes: Vec::new() })
        }
        (Err(_), Some(UnlockReport::Failed { reason })) => {
            Err(DataError::Storage { device: device(), reason })
        }
        (Err(source), _) => Err(DataError::Tool { device: device(), source }),
    }
}

/// How long the opened partition is, in bytes: the header takes 16 MiB of it.
fn length_of(device: &str) -> Result<u64, DataError> {
    File::open(device).and_then(|mut opened| opened.seek(SeekFrom::End(0))).map_err(|source| DataError::Io {
        doing: "measuring",
        device: device.to_owned(),
        source,
    })
}

fn create(device: &str, length: u64, tools: &mut Tools<'_>) -> Result<Mounted, DataError> {
    console::note(Level::Info, &format!("making the data file system on {device}"));
    tools.make(device, length).map_err(|source| DataError::Tool { device: device.to_owned(), source })?;
    mount(device)?;
    Ok(Mounted { device: device.to_owned(), created: true, reasons: Vec::new() })
}

fn open(device: &str, length: u64, tools: &mut Tools<'_>) -> Result<Mounted, DataError> {
    let mut reasons = Vec::new();
    let before = read_superblock(device)?;
    let mut check = |reasons: &mut Vec<String>| -> Result<(), DataError> {
        let checked = tools.check(device);
        let device = device.to_owned();
        let checked = checked.map_err(|source| match before {
            Err(found) => DataError::Lost { device, found, tool: source },
            Ok(_) => DataError::Tool { device, source },
        })?;
        if checked == Checked::Repaired {
            reasons.push("the data partition was damaged and has been repaired".to_owned());
        }
        Ok(())
    };
    let unhealthy = !matches!(before, Ok(superblock) if superblock.check == Check::NotNeeded);
    if unhealthy {
        check(&mut reasons)?;
    }
    match mount(device) {
        Err(_) if !unhealthy => {
            check(&mut reasons)?;
            mount(device)?;
        }
        result => result?,
    }
    if let Ok(superblock) = before
        && length >= superblock.length.saturating_add(1 << 20)
        && let Err(error) = tools.grow(device)
    {
        reasons.push(format!("the data partition could not be grown: {}", console::chain(&error)));
    }
    Ok(Mounted { device: device.to_owned(), created: false, reasons })
}

fn read_superblock(device: &str) -> Result<Result<superblock::Superblock, superblock::NotExt4>, DataError> {
    let failed = |source| DataError::Io { doing: "reading", device: device.to_owned(), source };
    let mut bytes = [0; superblock::LENGTH];
    File::open(device).and_then(|file| file.read_exact_at(&mut bytes, superblock::OFFSET)).map_err(failed)?;
    Ok(superblock::parse(&bytes))
}

/// A file system with errors turns read-only at once: storaged tells it, nothing gets worse. The hundredth part that mke2fs sets aside is
/// hostd's (`paths::HOSTD_UID`) and of the group of those who keep little (`paths::RESERVE_GID`): whatever else fills the disk, accounts and
/// sessions can still be written, and apps be stopped.
const OPTIONS: &CStr = c"errors=remount-ro,resuid=902,resgid=911";
/// The same where the file system counts what folders take.
const OPTIONS_WITH_PROJECTS: &CStr = c"errors=remount-ro,resuid=902,resgid=911,prjquota";

fn mount(device: &str) -> Result<(), DataError> {
    let flags = mounts::STRICT | MountFlags::NOATIME;
    let options = match read_superblock(device)? {
        Ok(found) if found.counts_projects => OPTIONS_WITH_PROJECTS,
        // Made by an earlier system: the kernel refuses to limit projects there.
        _ => OPTIONS,
    };
    Ok(mounts::mount(device, DATA, "ext4", flags, Some(options))?)
}

fn sync_mount(mounted: &Mounted) -> Result<(), DataError> {
    File::open(DATA).and_then(|root| Ok(rustix::fs::syncfs(root)?)).map_err(|source| DataError::Io {
        doing: "syncing",
        device: mounted.device.clone(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_aside_is_for_those_who_keep_the_box_manageable() {
        let reserve = format!("errors=remount-ro,resuid={},resgid={}", paths::HOSTD_UID, paths::RESERVE_GID);
        assert_eq!(OPTIONS.to_str().unwrap(), reserve);
        assert_eq!(OPTIONS_WITH_PROJECTS.to_str().unwrap(), format!("{reserve},prjquota"));
    }
}
