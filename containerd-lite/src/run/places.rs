//! Where what belongs to an app and its containers lies while it runs.
//!
//! ```text
//! /run/hearth/containers/system-calls.bpf       the compiled list of system calls, the same for all
//! /run/hearth/containers/<app>/net              its network namespace
//! /run/hearth/containers/<app>/c/<container>/   record   which process it is, and how it runs
//!                                               end      how it ended, written by its first process
//!                                               stdout stderr   named pipes
//!                                               stage/   what its root is put together from; only its starter sees anything in it
//! ```

use crate::runtime::ContainerId;
use model::network::names::AppKey;
use model::paths;
use std::path::Path;
use std::path::PathBuf;

/// Folder of the containers beside the app's network.
pub(crate) const CONTAINERS: &str = "c";

/// The compiled list of system calls. With a dot: no name of an app.
pub(crate) fn system_calls() -> PathBuf {
    Path::new(paths::CONTAINERS_RUN).join("system-calls.bpf")
}

/// Folder of an app.
pub(crate) fn app(app: &AppKey) -> PathBuf {
    Path::new(paths::CONTAINERS_RUN).join(app.as_str())
}

/// Where an app's network namespace is pinned.
pub(crate) fn network(key: &AppKey) -> PathBuf {
    app(key).join("net")
}

/// Folder of a container.
pub(crate) fn container(id: &ContainerId) -> PathBuf {
    app(&id.app).join(CONTAINERS).join(id.name.as_str())
}

/// Where its root is put together.
pub(crate) fn stage(id: &ContainerId) -> PathBuf {
    container(id).join("stage")
}

/// Its [`super::record::Record`].
pub(crate) fn record(id: &ContainerId) -> PathBuf {
    container(id).join("record")
}

/// How it ended.
pub(crate) fn end(id: &ContainerId) -> PathBuf {
    container(id).join("end")
}

/// Its pipes: standard output, standard error.
pub(crate) fn pipes(id: &ContainerId) -> [PathBuf; 2] {
    ["stdout", "stderr"].map(|name| container(id).join(name))
}
