//! Stage 1: from the initramfs to the checked root.
//!
//! ```text
//! proc, sys, dev → /modules/order → sha256 of /root.erofs = hearth.root → mount it → /run → move mounts → chroot → stage 2
//! ```
//! Nothing is tried twice and nothing is worked around: any failure refuses the boot, says why on every console and
//! reboots, so that the loader's counter can fall back to the other slot.

pub mod measured;
pub mod root;
pub mod switch;

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use rustix::mount::MountFlags;
use rustix::system::RebootCommand;

use crate::cmdline::CommandLine;
use crate::console;
use crate::modules;
use crate::mounts;

/// How long the reason of a refusal stays on the screen.
const REFUSAL_SHOWN: Duration = Duration::from_secs(5);

/// Why this slot is not booted.
#[derive(Debug, thiserror::Error)]
pub enum BootRefused {
    /// A kernel file system is missing.
    #[error(transparent)]
    Mount(#[from] mounts::MountError),
    /// The command line cannot be read.
    #[error("reading the kernel command line")]
    CommandLine(#[source] io::Error),
    /// A driver that the root needs.
    #[error(transparent)]
    Modules(#[from] modules::OrderError),
    /// The root image is not the one that belongs to this kernel.
    #[error(transparent)]
    Root(#[from] root::RootError),
    /// The change from initramfs to root.
    #[error(transparent)]
    Switch(#[from] switch::SwitchError),
}

/// Runs stage 1; returns only when the boot was refused and the kernel would not even reboot.
pub fn run() -> BootRefused {
    let Err(refused) = boot();
    refuse(&console::chain(&refused));
    refused
}

/// Says why this boot ends, leaves time to read it, and reboots.
pub fn refuse(reason: &str) {
    console::proclaim(&format!("hearth: boot refused: {reason}"));
    std::thread::sleep(REFUSAL_SHOWN);
    rustix::fs::sync();
    if let Err(error) = rustix::system::reboot(RebootCommand::Restart) {
        console::note(console::Level::Error, &format!("reboot after a refused boot: {error}"));
    }
}

fn boot() -> Result<Infallible, BootRefused> {
    let quiet = MountFlags::NOSUID | MountFlags::NOEXEC;
    mounts::mount("devtmpfs", "/dev", "devtmpfs", quiet, Some(c"mode=0755"))?;
    mounts::mount("proc", "/proc", "proc", quiet | MountFlags::NODEV, None)?;
    mounts::mount("sysfs", "/sys", "sysfs", quiet | MountFlags::NODEV, None)?;
    let line = CommandLine::load().map_err(BootRefused::CommandLine)?;
    modules::load_in_order("/modules")?;
    root::check(&line, "/root.erofs")?;
    mounts::mount(
        "/root.erofs",
        "/sysroot",
        "erofs",
        MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV,
        None,
    )?;
    switch::prepare_run()?;
    Ok(switch::into_root("/sysroot")?)
}
