//! Starts a service's process: init itself once more, as the trampoline that confines itself and becomes the program.

use std::io;
use std::io::PipeReader;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use command_fds::CommandFdExt;
use command_fds::FdMapping;

use super::cgroup;
use super::cgroup::CgroupError;
use super::table::Input;
use super::table::Service;
use crate::disk::bring_up::BOOT;
use crate::efi;
use crate::reaper;
use crate::reaper::Child;
use crate::reaper::RunError;

/// Our own program, in the root.
pub const SELF: &str = "/usr/lib/hearth/init";
/// First descriptor that is handed over (sd_listen_fds(3), `SD_LISTEN_FDS_START`).
const FIRST_SOCKET: i32 = 3;

/// Why a service did not start.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// Its control group.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    /// Its output or sockets.
    #[error("preparing its descriptors")]
    Descriptors(#[source] io::Error),
    /// The process.
    #[error(transparent)]
    Start(#[from] RunError),
}

/// A running service.
#[derive(Debug)]
pub struct Process {
    /// The process; the program keeps the trampoline's id.
    pub child: Child,
    /// What it prints on both outputs, until it closes them.
    pub output: Option<PipeReader>,
}

/// Starts the trampoline for a row. A socket of the row that could not be opened makes the start fail: a service
/// whose descriptors have shifted would listen on the wrong port.
///
/// # Errors
/// When the group, the descriptors or the process cannot be made.
pub fn spawn(service: &Service, sockets: &[OwnedFd]) -> Result<Process, SpawnError> {
    cgroup::make(service.name, &service.limits)?;
    if sockets.len() != service.sockets.len() {
        return Err(SpawnError::Descriptors(io::Error::other("a socket is missing")));
    }
    let (output, input) = io::pipe().map_err(SpawnError::Descriptors)?;
    rustix::io::ioctl_fionbio(&output, true).map_err(|error| SpawnError::Descriptors(error.into()))?;
    let error_input = input.try_clone().map_err(SpawnError::Descriptors)?;
    let mut command = Command::new(SELF);
    command
        .args(["service", service.name])
        .env_clear()
        .stdin(standard_input(service.input))
        .stdout(input)
        .stderr(error_input);
    let mut mappings = Vec::with_capacity(sockets.len());
    for (child_fd, socket) in (FIRST_SOCKET..).zip(sockets) {
        let parent_fd = socket.try_clone().map_err(SpawnError::Descriptors)?;
        mappings.push(FdMapping { parent_fd, child_fd });
    }
    let mapped = command.fd_mappings(mappings).map(drop);
    mapped.map_err(|collision| SpawnError::Descriptors(io::Error::other(collision)))?;
    let child = reaper::start(&mut command)?;
    Ok(Process { child, output: Some(output) })
}

/// Opened for each start, and not kept here: the boot partition is unmounted when services are gone.
fn standard_input(input: Input) -> Stdio {
    match input {
        Input::Nothing => Stdio::null(),
        Input::RunningSystem => efi::running_system(Path::new(efi::EFIVARS), Path::new(BOOT))
            .map_or_else(Stdio::null, Stdio::from),
    }
}
