//! Folders on the data partition (docs/spec/boot.md), made at first boot and checked at every later one.

use std::fs;
use std::io;
use std::path::Path;

use model::paths;
use rustix::fs::Gid;
use rustix::fs::Mode;
use rustix::fs::Uid;

/// A folder that must be there.
#[derive(Clone, Copy, Debug)]
struct Folder {
    path: &'static str,
    mode: u32,
    owner: u32,
}

/// Parents before children.
const FOLDERS: &[Folder] = &[
    // Others may pass through to their own folder and see nothing on the way.
    Folder { path: "/data/state", mode: 0o711, owner: 0 },
    Folder { path: paths::HOSTD_STATE, mode: 0o700, owner: paths::HOSTD_UID },
    Folder { path: paths::NETD_STATE, mode: 0o700, owner: paths::NETD_UID },
    Folder { path: paths::IWD_STATE, mode: 0o700, owner: paths::IWD_UID },
    // The box's own keys.
    Folder { path: paths::STORAGED_STATE, mode: 0o700, owner: 0 },
    Folder { path: paths::CONTAINERS_STATE, mode: 0o700, owner: 0 },
    // Notes of systems that failed.
    Folder { path: paths::INSTALLER_STATE, mode: 0o700, owner: 0 },
    // Systems that are being downloaded.
    Folder { path: paths::UPDATES, mode: 0o700, owner: paths::HOSTD_UID },
    // Files of apps belong to ids that no process has; nobody but root comes this far to see them.
    Folder { path: paths::IMAGES, mode: 0o700, owner: 0 },
    Folder { path: paths::APPS, mode: 0o700, owner: 0 },
    // Written by init only; read through its socket.
    Folder { path: "/data/logs", mode: 0o700, owner: 0 },
];

/// A folder that could not be made.
#[derive(Debug, thiserror::Error)]
#[error("making {path}")]
pub struct FolderError {
    path: &'static str,
    source: io::Error,
}

/// Makes the missing folders.
///
/// # Errors
/// With the first one that cannot be made.
pub fn ensure_folders() -> Result<(), FolderError> {
    for folder in FOLDERS {
        ensure(folder).map_err(|source| FolderError { path: folder.path, source })?;
    }
    Ok(())
}

fn ensure(folder: &Folder) -> io::Result<()> {
    if Path::new(folder.path).is_dir() {
        return Ok(());
    }
    // Under a temporary name until owner and mode are right: a cut leaves no folder with the wrong ones.
    let aside = format!("{}.new", folder.path);
    match fs::create_dir(&aside) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    rustix::fs::chmod(&aside, Mode::from_raw_mode(folder.mode))?;
    rustix::fs::chown(&aside, Some(Uid::from_raw(folder.owner)), Some(Gid::from_raw(folder.owner)))?;
    fs::rename(&aside, folder.path)
}
