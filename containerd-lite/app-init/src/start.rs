//! Starts the app's program as a login would: no signal blocked, SIGPIPE as usual, its input empty.
//!
//! By `posix_spawn(3)`: a child of `std::process::Command` has the blocked signals of its parent, and this process blocks two. A server whose SIGTERM
//! and SIGCHLD are blocked neither stops nor sees its workers end.

use crate::words::Words;
use nix::fcntl::OFlag;
use nix::spawn::PosixSpawnAttr;
use nix::spawn::PosixSpawnFileActions;
use nix::spawn::PosixSpawnFlags;
use nix::spawn::posix_spawnp;
use nix::sys::signal::SigSet;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use rustix::process::Pid;
use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt as _;

/// Starts it with the environment of this process; a program without a slash is looked for in `PATH`.
///
/// # Errors
/// When there is no such program, or it cannot be run.
pub(crate) fn start(words: &Words) -> io::Result<Pid> {
    let program = text(words.program.as_bytes())?;
    let further = words.arguments.iter().map(|word| text(word.as_bytes()));
    let all: Vec<CString> = std::iter::once(Ok(program.clone())).chain(further).collect::<io::Result<_>>()?;
    let variables =
        std::env::vars_os().map(|(name, value)| text(&[name.as_bytes(), b"=", value.as_bytes()].concat()));
    let variables: Vec<CString> = variables.collect::<io::Result<_>>()?;
    let mut input = PosixSpawnFileActions::init()?;
    input.add_open(0, "/dev/null", OFlag::O_RDONLY, Mode::empty())?;
    let mut signals = PosixSpawnAttr::init()?;
    signals.set_flags(PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF)?;
    signals.set_sigmask(&SigSet::empty())?;
    // Rust's runtime has this process ignore it.
    signals.set_sigdefault(&SigSet::from(Signal::SIGPIPE))?;
    let child = posix_spawnp(&program, &input, &signals, &all, &variables)?;
    Pid::from_raw(child.as_raw()).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
}

fn text(bytes: &[u8]) -> io::Result<CString> {
    CString::new(bytes).map_err(io::Error::from)
}
