//! One container of an app. What is left out is as the image says, or as the box gives it to every container.

use crate::schema;
use crate::text::Argument;
use crate::text::ContainerName;
use crate::text::ContainerPath;
use crate::text::EnvName;
use crate::text::EnvValue;
use crate::text::HttpPath;
use crate::text::ImageReference;
use crate::text::Signal;
use crate::text::User;
use crate::text::VolumeName;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;
use std::collections::BTreeMap;
use std::num::NonZeroU16;

/// Most variables of one container.
pub const MAX_VARIABLES: usize = 256;

/// One container of an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Container {
    /// Its image: `[registry/]repository[:tag][@sha256:digest]`.
    pub image: ImageReference,
    /// In place of the image's entry point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub entrypoint: Option<Vec<Argument>>,
    /// In place of the image's arguments. With an entry point here and no arguments the image's are left out, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub arguments: Option<Vec<Argument>>,
    /// Variables, added to the image's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "environment")]
    pub environment: BTreeMap<EnvName, EnvValue>,
    /// In place of the image's user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<User>,
    /// In place of the image's folder to start in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_folder: Option<ContainerPath>,
    /// Folders that last. Containers of an app share those of the same name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub volumes: Vec<Volume>,
    /// Folders in memory, gone at each start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub temporary: Vec<Temporary>,
    /// Bytes of a throw-away layer in memory, for an image that writes into its root; none has the root read-only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 4096, max = 17_179_869_184_u64))]
    pub scratch_bytes: Option<u64>,
    /// What it may use up.
    #[serde(default, skip_serializing_if = "Limits::is_usual")]
    pub limits: Limits,
    /// Containers that it is started after.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub after: Vec<After>,
    /// How it is seen to work; none takes a running one for healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// When it is started again after it ended by itself.
    #[serde(default)]
    pub restart: Restart,
    /// How it is stopped.
    #[serde(default, skip_serializing_if = "Stop::is_usual")]
    pub stop: Stop,
}

fn environment(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schema::map_of::<EnvName, EnvValue>(generator, 0, MAX_VARIABLES)
}

/// A folder that lasts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    /// Its name among the app's.
    pub name: VolumeName,
    /// Where the container sees it.
    pub target: ContainerPath,
    /// Whether this container may only read it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub read_only: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's shape")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// A folder in memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Temporary {
    /// Where the container sees it.
    pub target: ContainerPath,
    /// Most bytes in it; they count as the container's memory.
    #[serde(default = "usual_temporary")]
    #[schemars(range(min = 4096, max = 17_179_869_184_u64))]
    pub size_bytes: u64,
}

pub(crate) fn usual_temporary() -> u64 {
    64 << 20
}

/// What a container may use up at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Memory in bytes, with its folders in memory.
    #[schemars(range(min = 4_194_304, max = 68_719_476_736_u64))]
    pub memory_bytes: u64,
    /// Thousandths of one processor; none for as much as there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 10, max = 64_000))]
    pub cpu_millis: Option<u32>,
    /// Processes and threads.
    #[schemars(range(min = 2, max = 32_768))]
    pub tasks: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory_bytes: 512 << 20, cpu_millis: None, tasks: 512 }
    }
}

impl Limits {
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// Another container that comes first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct After {
    /// Which.
    pub container: ContainerName,
    /// How far it must have come.
    #[serde(default)]
    pub until: Until,
}

/// How far a container must have come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// It runs.
    #[default]
    Started,
    /// Its health check succeeded.
    Healthy,
    /// It ended with code 0.
    Completed,
}

/// How a container is seen to work: by a program inside of it, or by a page that it serves; one of both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// Program and arguments; code 0 is healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub command: Option<Vec<Argument>>,
    /// A page that answers with 200 to 399.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HealthPage>,
    /// Seconds between the end of one check and the next.
    #[serde(default = "thirty")]
    #[schemars(range(min = 1, max = 86_400))]
    pub interval_seconds: u32,
    /// Seconds that one check may take.
    #[serde(default = "thirty")]
    #[schemars(range(min = 1, max = 3_600))]
    pub timeout_seconds: u32,
    /// So many in a row that fail make it unhealthy.
    #[serde(default = "three")]
    #[schemars(range(min = 1, max = 100))]
    pub retries: u32,
    /// Seconds after the start in which failures do not count.
    #[serde(default)]
    #[schemars(range(max = 86_400))]
    pub start_seconds: u32,
}

pub(crate) fn thirty() -> u32 {
    30
}

pub(crate) fn three() -> u32 {
    3
}

/// A page by which a container is seen to work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthPage {
    /// TCP port.
    pub port: NonZeroU16,
    /// Path.
    #[serde(default = "HttpPath::root")]
    pub path: HttpPath,
}

/// When a container is started again after it ended by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Restart {
    /// Not: it does its work once.
    Never,
    /// When it failed.
    OnFailure,
    /// Always.
    #[default]
    Always,
}

/// How a container is stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Stop {
    /// The signal that asks it to end; none for the image's own, else SIGTERM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<Signal>,
    /// Seconds until it is killed.
    #[schemars(range(max = 600))]
    pub grace_seconds: u32,
}

impl Default for Stop {
    fn default() -> Self {
        Self { signal: None, grace_seconds: 10 }
    }
}

impl Stop {
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}
