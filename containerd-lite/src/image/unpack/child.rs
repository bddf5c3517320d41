//! The program `containerd-lite-unpack`, and what it and its parent say to each other.
//!
//! ```text
//!  parent                                  child
//!  starts it, with two descriptors   ──►   its own user, network, mount, … namespaces
//!                                    ◄──   "ready"
//!  writes which ids it has           ──►   the order, one line
//!                                          becomes root there, limits and confines itself, unpacks
//!                                    ◄──   the answer, one line
//! ```

use crate::image::Refused;
use crate::image::unpack::Order;
use crate::image::unpack::UnpackError;
use crate::image::unpack::Unpacked;
use crate::image::unpack::confine;
use crate::image::unpack::layer;
use anyhow::Context as _;
use nix::sched::CloneFlags;
use nix::unistd::Gid;
use nix::unistd::Uid;
use rustix::fs::Mode;
use rustix::process::Signal;
use rustix::process::set_parent_process_death_signal;
use serde::Deserialize;
use serde::Serialize;
use std::fs::File;
use std::io::BufRead as _;
use std::io::Read as _;
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::path::Path;

/// Where the child finds the layer.
pub const LAYER: i32 = 3;
/// Where the child finds the folder.
pub const FOLDER: i32 = 4;
/// What the child says when it is in its namespaces.
pub(super) const READY: &str = "ready";
/// Longest line either way.
pub(super) const MAX_LINE: u64 = 64 << 10;

/// How it ended.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Answer {
    Unpacked(Unpacked),
    Refused(Refused),
    Failed(String),
}

/// Runs the child; for its `main` only, in a process with one thread.
///
/// # Errors
/// When the parent does not keep to the protocol, or the system does not confine. What the layer is at fault for is an answer.
pub fn run() -> anyhow::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL)).context("die with the parent")?;
    let namespaces = CloneFlags::CLONE_NEWUSER
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWCGROUP;
    nix::sched::unshare(namespaces).context("leave the namespaces of the box")?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{READY}").context("tell the parent")?;
    let mut line = String::new();
    std::io::stdin().lock().take(MAX_LINE).read_line(&mut line).context("read the order")?;
    let order: Order = serde_json::from_str(&line).context("understand the order")?;
    let layer_file = opened(LAYER).context("take the layer")?;
    let folder = opened(FOLDER).context("take the folder")?;
    become_root(order.set_owners).context("become root of the namespace")?;
    rustix::process::umask(Mode::empty());
    confine::confine(folder.as_fd(), &order.limits).context("confine the program")?;
    let answer = match layer(layer_file, folder.as_fd(), &order) {
        Ok(unpacked) => Answer::Unpacked(unpacked),
        Err(UnpackError::Refused(refused)) => Answer::Refused(refused),
        Err(error) => Answer::Failed(format!("{:#}", anyhow::Error::new(error))),
    };
    let mut line = serde_json::to_string(&answer).context("write the answer")?;
    line.push('\n');
    stdout.write_all(line.as_bytes()).context("answer")
}

/// Opens a descriptor anew that the parent left: owning one by its number would need `unsafe`. Read-only is enough to place things in a folder.
fn opened(number: i32) -> std::io::Result<File> {
    File::open(Path::new("/proc/self/fd").join(number.to_string()))
}

/// Without a range of ids there is but one, which this process has already.
fn become_root(with_range: bool) -> nix::Result<()> {
    if with_range {
        nix::unistd::setgroups(&[])?;
        nix::unistd::setresgid(Gid::from_raw(0), Gid::from_raw(0), Gid::from_raw(0))?;
        nix::unistd::setresuid(Uid::from_raw(0), Uid::from_raw(0), Uid::from_raw(0))?;
    }
    Ok(())
}
