//! What an app's folder may take of the disk: most of it, so that no app takes what all others and the box need.
//!
//! The kernel counts and refuses (project quotas). All that an app keeps belongs to its project: volumes, their snapshots, logs.

use ioctls::quota;
use ioctls::quota::Amount;
use ioctls::quota::Project;
use model::containers::Storage;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::path::Path;

/// Of ten parts of the disk, so many are the most that one app may take.
const MOST: u64 = 9;

/// Gives a folder that was just made, and is empty, to a project. Does nothing where the file system knows none.
///
/// # Errors
/// What the kernel says.
pub(super) fn give(folder: &Path, project: Project) -> Result<(), Errno> {
    known(quota::give_to_project(open(folder)?, project)).map(drop)
}

/// Limits a folder's project to most of the disk as it is now. Does nothing where it is in none, or nothing is counted.
///
/// # Errors
/// What the kernel says.
pub(super) fn limit(folder: &Path) -> Result<(), Errno> {
    let folder = open(folder)?;
    match known(quota::project(&folder))? {
        None | Some(Project(0)) => Ok(()),
        Some(project) => {
            let disk = rustix::fs::fstatvfs(&folder)?;
            let most =
                most(Amount { bytes: disk.f_blocks.saturating_mul(disk.f_frsize), files: disk.f_files });
            match known(quota::limit(&folder, project, most)) {
                // The disk fails, or is protected: nothing is written there anyway, and what it has can still be shown.
                Ok(_) | Err(Errno::ROFS) => Ok(()),
                Err(error) => Err(error),
            }
        }
    }
}

/// What is in a folder's project, and how much may be. None where it is in none, or nothing is counted or limited.
///
/// # Errors
/// What the kernel says.
pub(super) fn storage(folder: &Path) -> Result<Option<Storage>, Errno> {
    let folder = open(folder)?;
    let Some(project) = known(quota::project(&folder))?.filter(|project| project.0 != 0) else {
        return Ok(None);
    };
    let account = known(quota::account(&folder, project))?.filter(|account| account.most.bytes > 0);
    Ok(account.map(|account| Storage { used_bytes: account.used.bytes, most_bytes: account.most.bytes }))
}

const fn most(disk: Amount) -> Amount {
    Amount { bytes: disk.bytes / 10 * MOST, files: disk.files / 10 * MOST }
}

fn open(folder: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(folder, flags, Mode::empty())
}

/// Nothing, where the file system, or the kernel, knows of no projects or does not count them.
fn known<T>(answer: Result<T, Errno>) -> Result<Option<T>, Errno> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(Errno::NOTTY | Errno::OPNOTSUPP | Errno::SRCH | Errno::NOSYS) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_the_disk_stays_for_the_others() {
        let disk = Amount { bytes: 2_000_000_000_000, files: 1000 };
        assert_eq!(most(disk), Amount { bytes: 1_800_000_000_000, files: 900 });
        assert_eq!(most(Amount { bytes: u64::MAX, files: 0 }).files, 0);
    }

    #[test]
    fn where_nothing_is_counted_nothing_is_limited_and_nothing_is_told() {
        let processes = Path::new("/proc");
        assert_eq!(give(processes, Project(7)), Ok(()));
        assert_eq!(limit(processes), Ok(()));
        assert_eq!(storage(processes), Ok(None));
        assert_eq!(limit(Path::new("/nowhere")), Err(Errno::NOENT));
    }
}
