//! Mounting, with errors that name what was mounted where.

use std::ffi::CStr;
use std::fs;
use std::io;

use rustix::mount::MountFlags;

/// No file of it is a program, a device or has other rights than whoever uses it.
pub const STRICT: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV).union(MountFlags::NOEXEC);

/// A mount that did not come about.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// The folder to mount on.
    #[error("making the mount point {target}")]
    MountPoint {
        /// Where.
        target: String,
        /// What the kernel says.
        source: io::Error,
    },
    /// The mount itself.
    #[error("mounting {what} ({kind}) on {target}")]
    Mount {
        /// Device or file.
        what: String,
        /// File system type.
        kind: String,
        /// Where.
        target: String,
        /// What the kernel says.
        source: io::Error,
    },
}

/// Mounts `what` on `target`, which is made when it is missing.
///
/// # Errors
/// When the folder or the mount cannot be made.
pub fn mount(
    what: &str,
    target: &str,
    kind: &str,
    flags: MountFlags,
    options: Option<&CStr>,
) -> Result<(), MountError> {
    // The root is read-only: there the folder exists and must not be made.
    if fs::symlink_metadata(target).is_err() {
        fs::create_dir_all(target)
            .map_err(|source| MountError::MountPoint { target: target.to_owned(), source })?;
    }
    rustix::mount::mount(what, target, kind, flags, options)
        .map_err(|error| failed(what, kind, target, error))
}

/// Mounts one file or folder a second time, read-only. The flags need a second step: a bind mount takes over those
/// of its source (mount(2), "Creating a bind mount").
///
/// # Errors
/// When one of the steps fails.
pub fn bind_read_only(what: &str, target: &str, flags: MountFlags) -> Result<(), MountError> {
    rustix::mount::mount_bind(what, target).map_err(|error| failed(what, "bind", target, error))?;
    rustix::mount::mount_remount(target, MountFlags::BIND | MountFlags::RDONLY | flags, "")
        .map_err(|error| failed(what, "bind", target, error))
}

fn failed(what: &str, kind: &str, target: &str, error: rustix::io::Errno) -> MountError {
    MountError::Mount {
        what: what.to_owned(),
        kind: kind.to_owned(),
        target: target.to_owned(),
        source: error.into(),
    }
}
