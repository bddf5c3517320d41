//! From the initramfs into the root.
//!
//! The root is moved over `/` and entered with chroot, because the initramfs itself can be neither unmounted nor
//! pivoted away (Documentation/filesystems/ramfs-rootfs-initramfs.rst, "What is initramfs?").

use std::convert::Infallible;
use std::fs;
use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::mount::MountFlags;

use crate::console;
use crate::console::Level;
use crate::mounts;
use crate::stage1::measured;

/// Program of stage 2, in the root.
const STAGE2: &str = "/usr/lib/hearth/init";

/// The test agent in the initramfs of test images.
const AGENT_SOURCE: &str = "/agent";

/// Why the root could not be entered.
#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    /// A mount.
    #[error(transparent)]
    Mount(#[from] mounts::MountError),
    /// A file or folder on the way.
    #[error("preparing {path}")]
    Prepare {
        /// The file.
        path: String,
        /// What the kernel says.
        source: io::Error,
    },
    /// Moving a mount.
    #[error("moving the mount {from} to {to}")]
    Move {
        /// Where it was.
        from: String,
        /// Where it should go.
        to: String,
        /// What the kernel says.
        source: io::Error,
    },
    /// Entering the root.
    #[error("entering the root")]
    Enter(#[source] io::Error),
    /// Starting stage 2.
    #[error("running {STAGE2}")]
    Exec(#[source] io::Error),
}

/// Makes the `/run` that stage 2 keeps, with what the boot stub said on it, and the test agent when this is a test image.
///
/// # Errors
/// When a mount or a folder cannot be made.
pub fn prepare_run() -> Result<(), SwitchError> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mounts::mount("tmpfs", "/run", "tmpfs", flags, Some(c"mode=0755,size=64m"))?;
    let prepare = |path: &str, result: io::Result<()>| {
        result.map_err(|source| SwitchError::Prepare { path: path.to_owned(), source })
    };
    prepare(model::paths::RUN, fs::create_dir_all(model::paths::RUN))?;
    for error in measured::carry(Path::new(measured::EXTRA), Path::new(model::paths::MEASURED)) {
        console::note(Level::Warning, &console::chain(&error));
    }
    if Path::new(AGENT_SOURCE).exists() {
        prepare(model::paths::AGENT, File::create(model::paths::AGENT).map(drop))?;
        mounts::bind_read_only(AGENT_SOURCE, model::paths::AGENT, MountFlags::NOSUID | MountFlags::NODEV)?;
    }
    Ok(())
}

/// Moves the kernel's file systems into the root, makes it `/` and runs stage 2 in it.
///
/// # Errors
/// When any of it fails; on success it does not return.
pub fn into_root(root: &str) -> Result<Infallible, SwitchError> {
    for mount in ["/dev", "/proc", "/sys", "/run"] {
        move_mount(mount, &format!("{root}{mount}"))?;
    }
    free_initramfs();
    rustix::process::chdir(root).map_err(|error| SwitchError::Enter(error.into()))?;
    move_mount(".", "/")?;
    rustix::process::chroot(".").map_err(|error| SwitchError::Enter(error.into()))?;
    rustix::process::chdir("/").map_err(|error| SwitchError::Enter(error.into()))?;
    Err(SwitchError::Exec(Command::new(STAGE2).env_clear().exec()))
}

fn move_mount(from: &str, to: &str) -> Result<(), SwitchError> {
    rustix::mount::mount_move(from, to).map_err(|error| SwitchError::Move {
        from: from.to_owned(),
        to: to.to_owned(),
        source: error.into(),
    })
}

/// Gives back the memory of what is not needed any more. The root image and the agent stay: they are mounted.
fn free_initramfs() {
    let _memory_only = fs::remove_dir_all("/modules");
    let _memory_only = fs::remove_dir_all(measured::EXTRA);
    let _memory_only = fs::remove_file("/init");
}
