//! What the daemon needs of whatever runs containers. The module `run` is the real one; tests of the daemon have one in memory.
//!
//! A container outlives the process that started it, and the daemon: nothing here depends on a process of ours that stays.

use model::containers::ContainerLimits;
use model::containers::End;
use model::containers::PartName;
use model::containers::StopSignal;
use model::containers::TemporaryFolder;
use model::containers::Traffic;
use model::containers::Usage;
use model::network::names::AppKey;
use serde::Deserialize;
use serde::Serialize;
use std::fmt;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

/// On the disk, user 0 of every image and every volume is this user of the box, and 65,535 more follow: no process ever has them. A mount maps
/// them to the range of the app.
pub const IMAGE_IDS: u32 = 0x1000_0000;
/// Ranges of 65,536 ids for apps begin here; the last of 4,096 ends below what the kernel takes for "nobody".
pub const APP_IDS: u32 = 0x2000_0000;

/// Which container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContainerId {
    /// Its app.
    pub app: AppKey,
    /// Its name among the app's.
    pub name: PartName,
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.app, self.name)
    }
}

/// Everything that a container is started with; its image's wishes are worked in already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// Folders of the image's layers, the lowest first (`Store::layers`).
    pub layers: Vec<PathBuf>,
    /// Program and arguments.
    pub words: Vec<String>,
    /// All variables, `NAME=value`.
    pub environment: Vec<String>,
    /// `user[:group]` by name or number, as the image or the owner says; empty for root of the container.
    pub user: String,
    /// Where it starts.
    pub working_folder: String,
    /// Folders that last.
    pub volumes: Vec<Volume>,
    /// Folders in memory.
    pub temporary: Vec<TemporaryFolder>,
    /// Bytes of a throw-away layer; none has the root read-only.
    pub scratch_bytes: Option<u64>,
    /// What it may use up.
    pub limits: ContainerLimits,
    /// Signal that the box sends to have it end, and for how long it then may go on when the box itself stops.
    pub stop_signal: StopSignal,
    /// See there.
    pub stop_grace: Duration,
    /// User 0 of the container is this user of the box; 65,536 ids belong to the app.
    pub first_id: u32,
    /// Host name inside.
    pub host_name: String,
    /// Text of `/etc/resolv.conf`.
    pub resolv_conf: String,
    /// Text of `/etc/hosts`.
    pub hosts: String,
}

/// A folder that lasts, as one container sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    /// Folder on the data partition; its files belong to ids 0 to 65,535 *of the image* plus [`IMAGE_IDS`], as
    /// those of layers do.
    pub source: PathBuf,
    /// Absolute path in the container.
    pub target: String,
    /// Whether this container only reads it.
    pub read_only: bool,
}

/// The network namespace of an app, before anything runs in it.
#[derive(Debug)]
pub struct Network {
    /// The namespace.
    pub namespace: OwnedFd,
    /// An rtnetlink socket opened inside of it, for netd.
    pub route_socket: OwnedFd,
}

/// A container that runs, or ran.
#[derive(Debug)]
pub struct Running {
    /// Readable when its first process has ended (`pidfd_open(2)`).
    pub ended: OwnedFd,
    /// Reading ends of standard output and standard error: named pipes that stay open for the container whoever reads.
    pub output: [OwnedFd; 2],
    /// When it was started, by the clock that counts since boot.
    pub since_boot: Duration,
}

/// Why something could not be done; nothing is left of a start that failed.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The image or the specification does not allow it: trying again does not help.
    #[error("{0}")]
    Impossible(String),
    /// A step failed.
    #[error("{step} for {what}")]
    Failed {
        /// What was being done.
        step: String,
        /// For which container or app.
        what: String,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Runs containers. Calls block; those for one container come one after another.
pub trait Runtime: Send + Sync + 'static {
    /// The network namespace of an app, made when there is none; only loopback is in it.
    ///
    /// # Errors
    /// What the kernel refused.
    fn network(&self, app: &AppKey) -> Result<Network, RuntimeError>;

    /// What went over it so far; none when there is none.
    ///
    /// # Errors
    /// What the kernel refused.
    fn traffic(&self, app: &AppKey) -> Result<Option<Traffic>, RuntimeError>;

    /// Takes it away; fine when there is none.
    ///
    /// # Errors
    /// What the kernel refused.
    fn remove_network(&self, app: &AppKey) -> Result<(), RuntimeError>;

    /// Starts a container in its app's network, which must be there.
    ///
    /// # Errors
    /// When some step fails; then nothing is left of it.
    fn start(&self, id: &ContainerId, start: &Start) -> Result<Running, RuntimeError>;

    /// A container that somebody started before, running or ended; none when there is nothing of it.
    ///
    /// # Errors
    /// What the kernel refused.
    fn find(&self, id: &ContainerId) -> Result<Option<Running>, RuntimeError>;

    /// All containers of which there is something.
    ///
    /// # Errors
    /// What the kernel refused.
    fn list(&self) -> Result<Vec<ContainerId>, RuntimeError>;

    /// Asks a container to end.
    ///
    /// # Errors
    /// What the kernel refused; that it has ended is none.
    fn stop(&self, id: &ContainerId) -> Result<(), RuntimeError>;

    /// Ends all of a container at once.
    ///
    /// # Errors
    /// What the kernel refused.
    fn kill(&self, id: &ContainerId) -> Result<(), RuntimeError>;

    /// How a container ended; asked when [`Running::ended`] is readable.
    fn end(&self, id: &ContainerId) -> End;

    /// Removes everything of a container that has ended; fine when there is nothing.
    ///
    /// # Errors
    /// What the kernel refused; the rest is tried nonetheless.
    fn remove(&self, id: &ContainerId) -> Result<(), RuntimeError>;

    /// Runs a program in a container, as its user; how it ended, and the first 4 KiB that it printed. It is killed after that time.
    ///
    /// # Errors
    /// When it cannot be started, or was killed for the time it took.
    fn run_inside(
        &self,
        id: &ContainerId,
        words: &[String],
        patience: Duration,
    ) -> Result<(End, String), RuntimeError>;

    /// What a container uses.
    ///
    /// # Errors
    /// When it does not run.
    fn usage(&self, id: &ContainerId) -> Result<Usage, RuntimeError>;
}
