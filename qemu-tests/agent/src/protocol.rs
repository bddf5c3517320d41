//! The lines that go over the port.

use crate::network::order::Order;
use crate::network::order::Outcome;
use serde::Deserialize;
use serde::Serialize;
use std::path::PathBuf;

/// Longest request or answer in bytes, newline included: a program of 15 MiB, in hexadecimal digits.
pub const MAX_LINE: usize = 32 * 1024 * 1024;
/// Most bytes of a file that one answer carries.
pub const MAX_FILE: usize = 1024 * 1024;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Whether the agent is there.
    Ping,
    /// The first [`MAX_FILE`] bytes of a file; bytes that are no UTF-8 are replaced.
    ReadFile {
        /// Absolute path.
        path: PathBuf,
    },
    /// Writes to an existing file, such as a control file in `/sys`.
    WriteFile {
        /// Absolute path.
        path: PathBuf,
        /// What to write, in one call.
        text: String,
    },
    /// Makes a file that takes the room that is left on its file system.
    Fill {
        /// Absolute path; the file must not be there.
        path: PathBuf,
        /// Whether it takes what is set aside too, to the last block.
        wholly: bool,
    },
    /// Copies a file and makes the copy durable; what is there is replaced.
    Copy {
        /// Absolute path.
        from: PathBuf,
        /// Absolute path.
        to: PathBuf,
    },
    /// Removes a file.
    RemoveFile {
        /// Absolute path.
        path: PathBuf,
    },
    /// Makes one folder.
    MakeFolder {
        /// Absolute path.
        path: PathBuf,
    },
    /// Everything below a folder, without following links or entering other file systems.
    Walk {
        /// Absolute path.
        path: PathBuf,
    },
    /// Where below a folder, on the same file system, a text stands in a name or in a file.
    Find {
        /// Absolute path.
        path: PathBuf,
        /// What to look for.
        text: String,
    },
    /// All processes.
    Processes,
    /// Sends a signal.
    Kill {
        /// Process.
        pid: u32,
        /// Number of the signal.
        signal: i32,
    },
    /// Passes one line to init's control socket and returns the line that comes back.
    Control {
        /// A `ControlRequest` of the crate `model`.
        line: String,
    },
    /// Writes everything in the page cache to the disks.
    Sync,
    /// The time of day in seconds since 1970.
    Clock,
    /// Places a program on a file system in memory that is mounted on its folder, where there is none yet: everything else that may be
    /// written on a box runs no programs.
    Install {
        /// Absolute path.
        path: PathBuf,
        /// Its bytes as hexadecimal digits.
        bytes: String,
    },
    /// Runs a program to its end, as the agent: root, and confined by nothing.
    Run {
        /// Absolute path.
        program: PathBuf,
        /// Its arguments.
        arguments: Vec<String>,
        /// Its standard input.
        input: String,
    },
    /// Does something in the networks of the box.
    Network {
        /// What.
        order: Order,
    },
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// Done, and nothing to tell.
    Done,
    /// A file or a line.
    Text {
        /// What was read.
        text: String,
    },
    /// What lies below a folder.
    Entries {
        /// In the order of the walk: a folder before what lies in it.
        entries: Vec<Entry>,
    },
    /// Where a text was found.
    Found {
        /// Whose name or content has it.
        paths: Vec<PathBuf>,
        /// Files whose content nobody can read, because the kernel has no key.
        locked: u32,
    },
    /// All processes.
    Processes {
        /// By process id.
        processes: Vec<Process>,
    },
    /// What came of an order.
    Network {
        /// What.
        outcome: Outcome,
    },
    /// How a program ended; what is no UTF-8 is replaced.
    Ran {
        /// Its code; none when it was ended by a signal.
        code: Option<i32>,
        /// Its standard output.
        output: String,
        /// Its standard error.
        errors: String,
    },
    /// The time of day.
    Clock {
        /// Seconds since 1970.
        seconds: i64,
    },
    /// It could not be done.
    Failed {
        /// What was being done and why it failed.
        reason: String,
    },
}

/// One file, folder, link or node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Absolute path.
    pub path: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// Permission bits with setuid, setgid and sticky.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes.
    pub size: u64,
    /// The first bytes of a file, as hexadecimal digits; what tells a program or a script from data.
    pub head: String,
    /// Where a link points.
    pub target: Option<PathBuf>,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Regular file.
    File,
    /// Folder.
    Folder,
    /// Symbolic link.
    Link,
    /// Device, pipe or socket.
    Node,
}

/// One process as the kernel tells (proc(5)).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// Its parent.
    pub parent: u32,
    /// Name, at most 15 bytes.
    pub name: String,
    /// State letter, such as `S` or `T`.
    pub state: String,
    /// Real, effective, saved and file system user.
    pub uids: Vec<u32>,
    /// Real, effective, saved and file system group.
    pub gids: Vec<u32>,
    /// Capability sets: inheritable, permitted, effective, bounding, ambient.
    pub capabilities: Vec<u64>,
    /// Whether `no_new_privs` is set.
    pub no_new_privs: bool,
    /// Seccomp mode: 0 off, 1 strict, 2 filter.
    pub seccomp: u32,
    /// The program; none for threads of the kernel.
    pub program: Option<PathBuf>,
    /// Proportional set size in KiB; none for threads of the kernel.
    pub pss_kib: Option<u64>,
}
