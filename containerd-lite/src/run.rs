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
mod filter;
pub mod helper;
mod launcher;
mod network;
mod order;
pub(crate) mod overlay;
mod places;
mod record;
mod spec;
mod talk;
mod user;

use crate::runtime::Start;
use serde_json::Value;
use std::path::Path;

pub use launcher::Launcher;

/// The OCI specification of a container whose program runs as root of its image, without its volumes, over a root that somebody else made ready:
/// what other runtimes are compared with.
#[must_use]
pub fn specification(start: &Start, root: &Path, init: &Path, cgroup: &str) -> Value {
    let user = user::User { uid: 0, gid: 0, groups: Vec::new(), home: "/".to_owned() };
    let mut all = spec::spec(start, &user, &spec::Ready { cgroup, root, init, volumes: &[] });
    if let Some(linux) = all.get_mut("linux").and_then(Value::as_object_mut) {
        linux.insert("seccomp".to_owned(), calls::specification());
    }
    all
}
