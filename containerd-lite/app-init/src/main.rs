//! The first process of a container: starts the app's program, buries whoever is left to it, and passes on the wish to stop.
//!
//! ```text
//! /.hearth/init SIGNAL GRACE_MS program arguments…
//! ```
//!
//! `SIGNAL` is the number of the app's stop signal. SIGTERM, from the box, becomes that signal for the program; when it still runs `GRACE_MS`
//! later, everything ends. Standard input is a file of the box in which this process writes how the program ended; the program itself reads
//! from `/dev/null`. When this process ends, the kernel ends all others of the container.

mod ending;
mod start;
mod words;

use crate::ending::Ending;
use crate::words::Words;
use nix::sys::signal::SigSet;
use nix::sys::signal::Signal;
use nix::sys::signalfd::SfdFlags;
use nix::sys::signalfd::SignalFd;
use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::Timespec;
use rustix::event::poll;
use rustix::process::DumpableBehavior;
use rustix::process::Pid;
use rustix::process::WaitOptions;
use std::io;
use std::os::fd::AsFd as _;
use std::process::ExitCode;
use std::time::Duration;
use std::time::Instant;

fn main() -> ExitCode {
    let ending = run().unwrap_or_else(|error| {
        say(&format!("cannot look after the app: {error}"));
        Ending::Code(ending::BROKEN)
    });
    // Whoever reads that file takes an empty one for an end that nobody saw.
    if let Err(error) = rustix::io::write(rustix::stdio::stdin(), ending.line().as_bytes()) {
        say(&format!("cannot tell the box how the app ended: {error}"));
    }
    ExitCode::from(ending.code())
}

fn run() -> io::Result<Ending> {
    // Before anything of the app runs: nobody in the container may look into this process or reach its descriptors.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let words = match Words::parse(std::env::args()) {
        Ok(words) => words,
        Err(error) => {
            say(&error.to_string());
            return Ok(Ending::Code(ending::BROKEN));
        }
    };
    let mut wanted = SigSet::empty();
    wanted.add(Signal::SIGCHLD);
    wanted.add(Signal::SIGTERM);
    wanted.thread_block()?;
    let signals = SignalFd::with_flags(&wanted, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
    match start::start(&words) {
        Ok(child) => look_after(child, &words, &signals),
        Err(error) => {
            say(&format!("cannot start {:?}: {error}", words.program));
            Ok(Ending::of_failed_start(&error))
        }
    }
}

/// Until the app's program has ended, or its grace.
fn look_after(child: Pid, words: &Words, signals: &SignalFd) -> io::Result<Ending> {
    let stop_wish = rustix::process::Signal::TERM.as_raw().cast_unsigned();
    let mut end_at: Option<Instant> = None;
    loop {
        if let Some(ending) = bury(child)? {
            return Ok(ending);
        }
        let left = end_at.map(|at| at.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(Ending::Signal(9));
        }
        wait(signals, left)?;
        while let Some(signal) = signals.read_signal()? {
            // Only the first wish counts: the grace is not prolonged by asking again.
            if signal.ssi_signo == stop_wish && end_at.is_none() {
                end_at = Some(Instant::now() + words.grace);
                if let Err(error) = rustix::process::kill_process(child, words.stop) {
                    say(&format!("cannot ask the app to stop: {error}"));
                }
            }
        }
    }
}

fn wait(signals: &SignalFd, left: Option<Duration>) -> io::Result<()> {
    let timeout = left.map(Timespec::try_from).transpose().map_err(io::Error::other)?;
    match poll(&mut [PollFd::from_borrowed_fd(signals.as_fd(), PollFlags::IN)], timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Takes up every process that has ended; how the app's program did, when it is among them.
fn bury(child: Pid) -> io::Result<Option<Ending>> {
    let mut ending = None;
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == child => ending = Some(Ending::of(status)),
            Ok(Some(_)) => {}
            Ok(None) | Err(rustix::io::Errno::CHILD) => return Ok(ending),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Tells whoever reads the app's log.
#[expect(clippy::print_stderr, reason = "standard error is the app's log, the only place to be heard")]
fn say(text: &str) {
    eprintln!("hearth: {text}");
}
