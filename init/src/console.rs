//! What PID 1 says, and where: the fixed lines on every console, its own messages in the kernel log.
//!
//! Consoles are opened for each line and written without blocking: a serial line with flow control must not be able
//! to stop PID 1. Everything here swallows its own failures, for there is nowhere left to tell them.

use std::error::Error;
use std::fs;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::Timespec;
use rustix::fs::OFlags;

/// How bad a message is; the numbers are those of syslog (RFC 5424, table 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Something is broken.
    Error = 3,
    /// Something is not as it should be.
    Warning = 4,
    /// Worth knowing.
    Info = 6,
}

/// Writes one line on every console.
pub fn announce(text: &str) {
    let line = format!("{}\r\n", printable(text));
    let active = fs::read_to_string("/sys/class/tty/console/active").unwrap_or_default();
    let mut reached = false;
    for name in names(&active) {
        reached |= write_console(&format!("/dev/{name}"), &line);
    }
    if !reached {
        write_console("/dev/console", &line);
    }
}

/// Writes one line on every console and into the kernel log.
pub fn proclaim(text: &str) {
    announce(text);
    // Level 7 keeps it out of the consoles, which have it already.
    write_kmsg(7, text);
}

/// Writes a message of init's own into the kernel log.
pub fn note(level: Level, text: &str) {
    write_kmsg(level as u8, &format!("init: {text}"));
}

/// An error with its causes, as one clause after the other.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

/// Names in `/sys/class/tty/console/active`, restricted to what can be a device name.
pub fn names(active: &str) -> impl Iterator<Item = &str> {
    active
        .split_ascii_whitespace()
        .filter(|name| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'))
}

/// The text with everything but printable ASCII replaced, so that no text can steer a terminal.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }).collect()
}

fn write_console(path: &str, line: &str) -> bool {
    let flags = (OFlags::NOCTTY | OFlags::NONBLOCK).bits().cast_signed();
    let Ok(mut console) = OpenOptions::new().write(true).custom_flags(flags).open(path) else {
        return false;
    };
    let mut rest = line.as_bytes();
    while !rest.is_empty() {
        match console.write(rest) {
            Ok(0) => return false,
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                let patience = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };
                let ready =
                    rustix::event::poll(&mut [PollFd::new(&console, PollFlags::OUT)], Some(&patience));
                if !matches!(ready, Ok(1)) {
                    return false;
                }
            }
            Err(_) => return false,
        }
    }
    true
}

fn write_kmsg(level: u8, text: &str) {
    if let Ok(mut kmsg) = OpenOptions::new().write(true).open("/dev/kmsg") {
        // One write is one record; the kernel cuts it at about 1000 bytes.
        let _lost_when_full = kmsg.write(format!("<{level}>{}", printable(text)).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("reading the table")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn only_device_names_are_taken_from_the_kernels_list() {
        let found: Vec<&str> = names("tty0 ttyS0 ../mem hvc0\n").collect();
        assert_eq!(found, ["tty0", "ttyS0", "hvc0"]);
    }

    #[test]
    fn terminal_escapes_do_not_survive() {
        assert_eq!(printable("a\u{1b}[2Jb\r\nc\u{e9}"), "a?[2Jb??c?");
    }

    #[test]
    fn a_chain_names_every_cause_once() {
        assert_eq!(chain(&Outer(std::io::Error::other("no disk"))), "reading the table: no disk");
    }

    #[test]
    fn a_line_reaches_a_file_in_full() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(write_console(file.path().to_str().unwrap(), "hearth: x\r\n"));
        assert_eq!(fs::read_to_string(file.path()).unwrap(), "hearth: x\r\n");
    }
}
