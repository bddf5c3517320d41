//! What hostd and containerd-lite tell each other: how an app is to run, and how it does.
//!
//! hostd makes an [`AppSpec`] from an app's manifest and what the owner granted; containerd-lite keeps it and runs it. Nothing in here is
//! asked of anybody: grants of the network are netd's, and who may install what is hostd's.

mod check;
mod name;
mod registry;
mod report;
#[cfg(test)]
mod tests;

pub use check::InvalidSpec;
pub use name::InvalidPartName;
pub use name::PartName;
pub use registry::*;
pub use report::*;

use serde::Deserialize;
use serde::Serialize;
use std::collections::BTreeMap;
use std::num::NonZeroU16;

/// Most containers of one app.
pub const MAX_CONTAINERS: usize = 16;
/// Most folders of each kind in one container.
pub const MAX_FOLDERS: usize = 32;
/// Most words of a command.
pub const MAX_WORDS: usize = 256;
/// Most variables of one container, those of its image not counted.
pub const MAX_VARIABLES: usize = 300;
/// Longest word of a command or value of a variable, in bytes.
pub const MAX_TEXT: usize = 32 << 10;

/// How an app is to run: containers that share one network and one range of user ids.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppSpec {
    /// Its containers.
    pub containers: BTreeMap<PartName, ContainerSpec>,
}

/// How one container is to run. What is left out is as the image says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContainerSpec {
    /// Its image.
    pub image: ImageChoice,
    /// In place of the image's entry point; then the image's arguments are left out, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    /// In place of the image's arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Vec<String>>,
    /// Variables, over the image's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// `user`, `user:group`, by names of the image or numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Where it starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_folder: Option<String>,
    /// Folders that last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<VolumeMount>,
    /// Folders in memory.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub temporary: Vec<TemporaryFolder>,
    /// Bytes of a throw-away layer in memory over the image; none has the root read-only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scratch_bytes: Option<u64>,
    /// What it may use up.
    pub limits: ContainerLimits,
    /// Containers that come first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<After>,
    /// How it is seen to work; none takes a running one for healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<HealthCheck>,
    /// When it is started again after it ended by itself.
    #[serde(default)]
    pub restart: RestartPolicy,
    /// How it is stopped.
    #[serde(default)]
    pub stop: StopRule,
}

/// An image that was pulled before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageChoice {
    /// Its name in the image store, `[registry/]repository[:tag][@digest]`.
    pub name: String,
    /// The digest of its manifest, `sha256:…`. When the store has another image under this name by now, the container does not start.
    pub manifest: String,
}

/// A folder of the app that lasts, as one container sees it. Containers with the same name share it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VolumeMount {
    /// Which.
    pub name: PartName,
    /// Absolute path in the container.
    pub target: String,
    /// Whether this container only reads it.
    #[serde(default)]
    pub read_only: bool,
}

/// A folder in memory, empty at each start; what is in it counts as the container's memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemporaryFolder {
    /// Absolute path in the container.
    pub target: String,
    /// Most bytes in it.
    pub size_bytes: u64,
}

/// What a container may use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContainerLimits {
    /// `memory.max`, in bytes; there is no swap.
    pub memory_bytes: u64,
    /// Thousandths of one processor; none for as much as is left over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_millis: Option<u32>,
    /// Processes and threads.
    pub tasks: u32,
}

/// Another container that comes first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct After {
    /// Which.
    pub container: PartName,
    /// How far it must have come.
    pub until: Until,
}

/// How far a container must have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// It runs.
    Started,
    /// Its check succeeded.
    Healthy,
    /// It ended with code 0.
    Completed,
}

/// How a container is seen to work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealthCheck {
    /// What is tried.
    pub probe: Probe,
    /// Seconds between the end of one check and the next.
    pub interval_seconds: u32,
    /// Seconds that one check may take.
    pub timeout_seconds: u32,
    /// So many in a row that fail make it unhealthy.
    pub retries: u32,
    /// Seconds after the start in which failures do not count.
    pub start_seconds: u32,
}

/// What a health check tries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Probe {
    /// A program in the container; code 0 is healthy.
    Command(Vec<String>),
    /// A page at the app's own address; 200 to 399 are healthy.
    Http {
        /// TCP port.
        port: NonZeroU16,
        /// Path and query.
        path: String,
    },
}

/// When a container is started again after it ended by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestartPolicy {
    /// Whenever.
    #[default]
    Always,
    /// Unless it ended with code 0.
    OnFailure,
    /// Never.
    Never,
}

/// How a container is stopped: a signal, and after a while the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StopRule {
    /// None for the image's, or TERM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<StopSignal>,
    /// Seconds until it is killed.
    pub seconds: u32,
}

impl Default for StopRule {
    fn default() -> Self {
        Self { signal: None, seconds: 10 }
    }
}

/// Signals that programs take for a wish to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopSignal {
    /// Hang up.
    #[serde(rename = "SIGHUP")]
    Hup,
    /// Interrupt.
    #[serde(rename = "SIGINT")]
    Int,
    /// Quit.
    #[serde(rename = "SIGQUIT")]
    Quit,
    /// First for the program's own use.
    #[serde(rename = "SIGUSR1")]
    Usr1,
    /// Second for the program's own use.
    #[serde(rename = "SIGUSR2")]
    Usr2,
    /// Terminate.
    #[serde(rename = "SIGTERM")]
    Term,
    /// Window changed; some web servers finish their requests on it.
    #[serde(rename = "SIGWINCH")]
    Winch,
    /// The end, at once.
    #[serde(rename = "SIGKILL")]
    Kill,
}
