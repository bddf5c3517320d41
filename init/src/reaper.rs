//! The only caller of wait(2).
//!
//! PID 1 is the parent of every orphan. Two places that wait would take each other's children away, so there is one,
//! and `std::process::Child` is dropped right after the start (dropping it does not wait). Between starting a child and
//! opening its pidfd nobody can reap it, because init has one thread.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::process::Command;
use std::time::Duration;
use std::time::Instant;

use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::Timespec;
use rustix::io::Errno;
use rustix::process::Pid;
use rustix::process::PidfdFlags;
use rustix::process::Signal;
use rustix::process::WaitOptions;
use rustix::process::WaitStatus;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It exited with this status.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
}

/// A process that is no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Its former id.
    pub pid: Pid,
    /// How it ended.
    pub ending: Ending,
}

/// Why a program's run has no ending to look at.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It could not be started.
    #[error("starting {program}")]
    Start {
        /// Which.
        program: String,
        /// What the kernel says.
        source: io::Error,
    },
    /// It took too long and was killed, or does not even react to that.
    #[error("{program} did not end within {} s", limit.as_secs())]
    TooLong {
        /// Which.
        program: String,
        /// How long it had.
        limit: Duration,
    },
}

/// A started child: its id, and a descriptor that becomes readable at its end.
#[derive(Debug)]
pub struct Child {
    /// Its id; valid until the reaper hands out its [`Exit`].
    pub pid: Pid,
    /// Readable when it has ended.
    pub pidfd: OwnedFd,
}

/// Collects what ended.
#[derive(Debug, Default)]
pub struct Reaper {
    ended: VecDeque<Exit>,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with status {code}"),
            Self::Signal(signal) => write!(f, "was ended by signal {signal}"),
        }
    }
}

/// Starts a program without waiting for it.
///
/// # Errors
/// When it cannot be started.
pub fn start(command: &mut Command) -> Result<Child, RunError> {
    let program = || command_name(command);
    let failed = |program: String, source: io::Error| RunError::Start { program, source };
    let name = program();
    let child = command.spawn().map_err(|source| failed(name.clone(), source))?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| failed(name.clone(), io::Error::other("no process id")))?;
    let pidfd =
        rustix::process::pidfd_open(pid, PidfdFlags::empty()).map_err(|error| failed(name, error.into()))?;
    Ok(Child { pid, pidfd })
}

impl Reaper {
    /// Everything that ended since the last call; never blocks.
    pub fn collect(&mut self) -> Vec<Exit> {
        self.reap();
        self.ended.drain(..).collect()
    }

    /// Runs a program to its end. `while_waiting` is called at least once a second, to pet the watchdog.
    ///
    /// # Errors
    /// When it does not start, or is killed because it takes longer than `limit`.
    pub fn run(
        &mut self,
        command: &mut Command,
        limit: Duration,
        while_waiting: &mut dyn FnMut(),
    ) -> Result<Ending, RunError> {
        let child = start(command)?;
        let deadline = Instant::now() + limit;
        // After the kill a healthy process is gone at once; one that hangs in the kernel must not hold up PID 1.
        let last_wait = deadline + Duration::from_secs(2);
        let mut killed = false;
        loop {
            let second = Timespec { tv_sec: 1, tv_nsec: 0 };
            let poll = rustix::event::poll(&mut [PollFd::new(&child.pidfd, PollFlags::IN)], Some(&second));
            while_waiting();
            self.reap();
            if let Some(place) = self.ended.iter().position(|exit| exit.pid == child.pid)
                && let Some(exit) = self.ended.remove(place)
                && !killed
            {
                return Ok(exit.ending);
            }
            let now = Instant::now();
            if killed && (now >= last_wait || poll == Ok(1)) {
                return Err(RunError::TooLong { program: command_name(command), limit });
            }
            if now >= deadline && !killed {
                killed = true;
                let _gone_already = rustix::process::pidfd_send_signal(&child.pidfd, Signal::KILL);
            }
        }
    }

    fn reap(&mut self) {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => {
                    self.ended.extend(ending(status).map(|ending| Exit { pid, ending }));
                }
                Err(Errno::INTR) => {}
                Ok(None) | Err(_) => return,
            }
        }
    }
}

fn ending(status: WaitStatus) -> Option<Ending> {
    let code = status.exit_status().map(Ending::Code);
    code.or_else(|| status.terminating_signal().map(Ending::Signal))
}

fn command_name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}
