//! Runs containers: the real [`Runtime`](crate::runtime::Runtime).
//!
//! ```text
//!  daemon: Launcher ── containerd-lite-run ── libcontainer ── container
//!            │           starts one container, or runs          PID 1: app-init
//!            │           one program in one, and ends             └ the app's program
//!            └── cgroups, pidfds, named pipes, records: no process of ours stays for a container
//! ```
//!
//! Decided by pure modules: the specification (`spec`), system calls (`calls`), users (`user`), how a container ended (`ending`), limits and use
//! (`cgroup`). What a container has and has not: docs/spec/containers.md.

mod calls;
mod cgroup;
mod ending;
pub mod helper;
mod launcher;
mod network;
mod order;
mod places;
mod record;
mod spec;
mod talk;
mod user;

pub use launcher::Launcher;
