//! What the daemon and `containerd-lite-run` say to each other: one JSON line each way.

use super::user::User;
use crate::runtime::ContainerId;
use crate::runtime::Start;
use model::containers::End;
use serde::Deserialize;
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;

/// Longest line either way, in bytes: words and variables of a container are up to 32 KiB each.
pub(crate) const MAX_LINE: u64 = 32 << 20;
/// Most bytes of what a program printed.
pub(crate) const MAX_OUTPUT: usize = 4096;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Order {
    /// Starts a container. Its folder with pipes, its control group and its app's network are there.
    Start {
        /// Which.
        id: ContainerId,
        /// The program of its first process, in the box.
        init: PathBuf,
        /// How.
        start: Box<Start>,
    },
    /// Runs a program in a container.
    Inside(Inside),
}

/// A program to run in a container that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Inside {
    /// Which container.
    pub(crate) id: ContainerId,
    /// The container's first process.
    pub(crate) pid: i32,
    /// When that was started, in ticks.
    pub(crate) ticks: u64,
    /// As whom.
    pub(crate) user: User,
    /// Its variables.
    pub(crate) environment: Vec<String>,
    /// Where.
    pub(crate) working_folder: String,
    /// Program and arguments.
    pub(crate) words: Vec<String>,
    /// For how long, at most.
    pub(crate) patience: Duration,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Answer {
    /// The container runs; its record is written.
    Started,
    /// The program ended, and what it printed first.
    Ended {
        /// How.
        end: End,
        /// At most [`MAX_OUTPUT`] bytes; what is no UTF-8 is replaced.
        output: String,
    },
    /// The program was killed for the time it took.
    TooLong,
    /// The image or the specification does not allow it.
    Impossible(String),
    /// A step failed: which, and why.
    Failed(String),
}
