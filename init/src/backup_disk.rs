//! The disk for backups: mounted for hostd alone, by a helper that PID 1 starts and does not wait for.
//!
//! storaged chooses the disk and asks for this (`ControlRequest::MountBackupDisk`); it cannot mount by itself, because Landlock lets no
//! confined process change what is mounted where (Documentation/userspace-api/landlock.rst, "Filesystem topology modification").
//! What is on such a disk is a stranger's: nothing of it runs, is a device, has other rights than hostd or leads elsewhere.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;
use std::process::Command;
use std::process::Stdio;

use model::control::ControlAnswer;
use model::paths;
use model::storage::backup_disk::BackupDiskReport;
use model::storage::backup_disk::DiskFileSystem;
use rustix::fs::Gid;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::Uid;
use rustix::io::Errno;
use rustix::mount::MountFlags;
use rustix::mount::UnmountFlags;

use crate::console;
use crate::console::Level;
use crate::devices::loader::Loader;
use crate::mounts;
use crate::mounts::MountError;
use crate::mounts::STRICT;
use crate::reaper;
use crate::report;
use crate::service::spawn::SELF;

/// The helper's first word.
pub const VERB: &str = "backup-disk";
/// Mounts that may lie on top of each other; one is usual.
const DEEPEST: usize = 8;

/// What the helper is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Mount it.
    Mount {
        /// Number of the order.
        order: u64,
        /// Name of the device in `/dev`.
        device: String,
        /// What is on it.
        file_system: DiskFileSystem,
    },
    /// Unmount it.
    Unmount {
        /// Number of the order.
        order: u64,
    },
}

/// Why a disk was not mounted or unmounted.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The words are no order.
    #[error("the helper for the backup disk was called wrongly")]
    Words,
    /// The mount point.
    #[error("using {path}")]
    Place {
        /// Which folder.
        path: &'static str,
        /// What the kernel says.
        source: io::Error,
    },
    /// The mount.
    #[error(transparent)]
    Mount(#[from] MountError),
    /// Unmounting.
    #[error("unmounting {}", paths::BACKUP_DISK)]
    Unmount(#[source] io::Error),
    /// The report.
    #[error("writing {}", paths::BACKUP_DISK_REPORT)]
    Report(#[source] io::Error),
}

/// Starts the helper.
#[must_use]
pub fn start(order: &Order) -> ControlAnswer {
    let mut command = Command::new(SELF);
    command.arg(VERB).args(order.words()).env_clear();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match reaper::start(&mut command) {
        Ok(_reaped_like_any_other) => ControlAnswer::Accepted,
        Err(error) => ControlAnswer::Refused { reason: console::chain(&error) },
    }
}

/// The helper's life.
///
/// # Errors
/// When the words are no order, or its report cannot be written.
pub fn run(words: &[OsString]) -> Result<(), DiskError> {
    let order = Order::parse(words).ok_or(DiskError::Words)?;
    let done = match &order {
        Order::Mount { device, file_system, .. } => mount(device, *file_system),
        Order::Unmount { .. } => unmount(),
    };
    let problem = done.err().map(|error| console::chain(&error));
    if let Some(problem) = &problem {
        console::note(Level::Warning, &format!("backup disk: {problem}"));
    }
    let told = BackupDiskReport { order: order.number(), problem };
    report::write(paths::BACKUP_DISK_REPORT, &told).map_err(DiskError::Report)
}

impl Order {
    const fn number(&self) -> u64 {
        match self {
            Self::Mount { order, .. } | Self::Unmount { order } => *order,
        }
    }

    fn words(&self) -> Vec<String> {
        match self {
            Self::Mount { order, device, file_system } => {
                vec!["mount".to_owned(), order.to_string(), device.clone(), file_system.as_str().to_owned()]
            }
            Self::Unmount { order } => vec!["unmount".to_owned(), order.to_string()],
        }
    }

    fn parse(words: &[OsString]) -> Option<Self> {
        let words: Option<Vec<&str>> = words.iter().map(|word| word.to_str()).collect();
        match words?[..] {
            ["mount", order, device, kind] => {
                let known = [DiskFileSystem::Vfat, DiskFileSystem::Exfat, DiskFileSystem::Ext4];
                let file_system = known.into_iter().find(|known| known.as_str() == kind)?;
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
                let is_name = (1..=32).contains(&device.len()) && device.bytes().all(plain);
                let device = is_name.then(|| device.to_owned())?;
                Some(Self::Mount { order: order.parse().ok()?, device, file_system })
            }
            ["unmount", order] => Some(Self::Unmount { order: order.parse().ok()? }),
            _ => None,
        }
    }
}

fn mount(device: &str, file_system: DiskFileSystem) -> Result<(), DiskError> {
    unmount()?;
    // Programs cannot make the kernel load modules, and neither can a mount.
    Loader::open().load(file_system.as_str());
    let above = open_folder(paths::HOSTD_RUN)?;
    let point = paths::BACKUP_DISK;
    // hostd may do as it likes in its folder: whatever it puts there meanwhile, only what was opened here is mounted on.
    let opened = make_and_open(&above, name_of(point), point)?;
    let target = format!("/proc/self/fd/{}", opened.as_raw_fd());
    let flags = STRICT | MountFlags::NOATIME | MountFlags::NOSYMFOLLOW;
    let options = match file_system {
        DiskFileSystem::Vfat | DiskFileSystem::Exfat => {
            Some(c"uid=902,gid=902,fmask=0177,dmask=0077,errors=remount-ro")
        }
        DiskFileSystem::Ext4 => Some(c"errors=remount-ro"),
    };
    mounts::mount(&format!("/dev/{device}"), &target, file_system.as_str(), flags, options)?;
    drop(opened);
    give_folder(&above, file_system).inspect_err(|_error| {
        let _told_already = unmount();
    })
}

/// Gives hostd a folder of its own on the disk; FAT has no owners, there everything is hostd's.
fn give_folder(above: &OwnedFd, file_system: DiskFileSystem) -> Result<(), DiskError> {
    let top = open_below(above, name_of(paths::BACKUP_DISK), paths::BACKUP_DISK)?;
    let folder = make_and_open(&top, name_of(paths::BACKUP_FOLDER), paths::BACKUP_FOLDER)?;
    if file_system == DiskFileSystem::Ext4 {
        let (user, group) = (Uid::from_raw(paths::HOSTD_UID), Gid::from_raw(paths::HOSTD_UID));
        rustix::fs::fchown(File::from(folder), Some(user), Some(group))
            .map_err(|error| failed(paths::BACKUP_FOLDER, error))?;
    }
    Ok(())
}

/// Everything that is mounted there goes, also from a disk that was pulled out.
fn unmount() -> Result<(), DiskError> {
    for _ in 0..DEEPEST {
        match rustix::mount::unmount(paths::BACKUP_DISK, UnmountFlags::NOFOLLOW) {
            Ok(()) => {}
            Err(Errno::BUSY) => {
                let flags = UnmountFlags::NOFOLLOW | UnmountFlags::DETACH;
                rustix::mount::unmount(paths::BACKUP_DISK, flags)
                    .map_err(|error| DiskError::Unmount(error.into()))?;
            }
            // Nothing is mounted there, or there is no such folder.
            Err(Errno::INVAL | Errno::NOENT) => return Ok(()),
            Err(error) => return Err(DiskError::Unmount(error.into())),
        }
    }
    Ok(())
}

fn name_of(path: &'static str) -> &'static str {
    path.rsplit('/').next().unwrap_or(path)
}

fn failed(path: &'static str, error: Errno) -> DiskError {
    DiskError::Place { path, source: error.into() }
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

fn open_folder(path: &'static str) -> Result<OwnedFd, DiskError> {
    rustix::fs::open(path, FOLDER, Mode::empty()).map_err(|error| failed(path, error))
}

fn open_below(above: impl AsFd, name: &str, path: &'static str) -> Result<OwnedFd, DiskError> {
    rustix::fs::openat(above, name, FOLDER, Mode::empty()).map_err(|error| failed(path, error))
}

fn make_and_open(above: &OwnedFd, name: &str, path: &'static str) -> Result<OwnedFd, DiskError> {
    match rustix::fs::mkdirat(above, name, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => open_below(above, name, path),
        Err(error) => Err(failed(path, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn orders_survive_the_command_line() {
        for order in [
            Order::Mount { order: 7, device: "sdb1".to_owned(), file_system: DiskFileSystem::Exfat },
            Order::Mount {
                order: u64::MAX,
                device: "mmcblk0p1".to_owned(),
                file_system: DiskFileSystem::Ext4,
            },
            Order::Unmount { order: 8 },
        ] {
            let text: Vec<OsString> = order.words().into_iter().map(OsString::from).collect();
            assert_eq!(Order::parse(&text), Some(order));
        }
    }

    #[test]
    fn only_plain_devices_and_known_file_systems_are_mounted() {
        for bad in [
            &["mount", "1", "../sda1", "ext4"][..],
            &["mount", "1", "", "ext4"],
            &["mount", "1", "sda1", "ntfs"],
            &["mount", "x", "sda1", "ext4"],
            &["unmount"],
            &[],
        ] {
            assert_eq!(Order::parse(&words(bad)), None, "{bad:?}");
        }
    }

    #[test]
    fn the_file_system_s_options_name_hostd_and_the_folders_lie_in_each_other() {
        assert_eq!(paths::HOSTD_UID, 902);
        assert_eq!(format!("{}/{}", paths::HOSTD_RUN, name_of(paths::BACKUP_DISK)), paths::BACKUP_DISK);
        assert_eq!(format!("{}/{}", paths::BACKUP_DISK, name_of(paths::BACKUP_FOLDER)), paths::BACKUP_FOLDER);
    }
}
