//! `org.hearthos.Containers1`: images and running apps, as containerd-lite has them.
//!
//! containerd-lite implements [`Containers1Backend`] and calls [`serve`] for every accepted stream; others call [`connect`] and use
//! [`Containers1Proxy`]. As with [`crate::net1`], a caller that is not on the list is refused before a byte of it is read. Who among the
//! people at home may ask for what is the caller's to decide (hostd).
//!
//! What takes long is begun by a call and seen in a report: [`Containers1Backend::wait_for_change`] tells when to look again. Documents
//! travel as the JSON of their `model::containers` type, bounded and checked here.

use crate::peer;
use crate::peer::AllowedUids;
use crate::peer::ConnectError;
use crate::peer::ServeError;
use model::containers::AppReport;
use model::containers::AppSpec;
use model::containers::ImageReport;
use model::containers::LogPage;
use model::containers::MAX_LOG_LINES;
use model::containers::PartName;
use model::containers::PullReport;
use model::containers::Registries;
use model::network::names::AppKey;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::Future;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixStream;
use zbus::DBusError;
use zeroize::Zeroizing;

/// Where the interface lives on every connection.
pub const PATH: &str = "/org/hearthos/Containers1";
/// How long a caller waits for an answer. Snapshots of volumes and imports copy files; all else is answered from memory.
pub const METHOD_TIMEOUT: Duration = Duration::from_secs(3600);
/// How long [`Containers1Backend::wait_for_change`] waits at most.
pub const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// Longest specification, in bytes: 16 containers with all the text they may have are longer, and nobody has them.
pub const MAX_SPEC: usize = 1 << 20;
/// Longest answer, in bytes: 1,000 lines of a log, or some hundred apps.
pub const MAX_ANSWER: usize = 16 << 20;
/// Longest name of an image, in bytes.
pub const MAX_IMAGE_NAME: usize = 1024;

/// Bytes of the key of an app's data.
pub const DATA_KEY: usize = 64;

/// The key of an app's data.
pub type DataKey = Zeroizing<[u8; DATA_KEY]>;

/// What a method may answer instead of a result.
#[derive(Debug, DBusError)]
#[zbus(prefix = "org.hearthos.Containers1.Error")]
pub enum Containers1Error {
    /// An error of the transport.
    #[zbus(error)]
    ZBus(zbus::Error),
    /// The document or name is too long, not understood, or contradicts itself.
    Invalid(String),
    /// There is no such app.
    UnknownApp(String),
    /// The app has no such container.
    UnknownContainer(String),
    /// The store has no such image.
    UnknownImage(String),
    /// The app has no such snapshot.
    UnknownSnapshot(String),
    /// It can be done only when nothing of the app runs.
    Running(String),
    /// The data of the app is locked: it needs its key first.
    Locked(String),
    /// An app still uses it.
    InUse(String),
    /// The disk or the kernel does not allow it; nothing has changed.
    Refused(String),
    /// containerd-lite is stopping and takes no more requests.
    Stopping(String),
}

/// What containerd-lite does behind the interface.
pub trait Containers1Backend: Send + Sync + 'static {
    /// Keeps how an app is to run, for ever. What runs and differs is stopped and started anew; a new app is stopped.
    fn set_app(
        &self,
        app: AppKey,
        spec: AppSpec,
    ) -> impl Future<Output = Result<(), Containers1Error>> + Send;

    /// How an app is to run.
    fn spec(&self, app: AppKey) -> impl Future<Output = Result<AppSpec, Containers1Error>> + Send;

    /// Shows the data of an app with its key, and the app runs if it is to; fine when it is shown. Data that is not there yet is encrypted
    /// with this key from its beginning.
    fn unlock_data(
        &self,
        app: AppKey,
        key: DataKey,
    ) -> impl Future<Output = Result<(), Containers1Error>> + Send;

    /// Hides the data of an app; what runs of it is stopped first. It is hidden when a report says so.
    fn lock_data(&self, app: AppKey) -> impl Future<Output = Result<(), Containers1Error>> + Send;

    /// The app is to run, from now on and after each reboot. Counts of restarts begin anew.
    fn start_app(&self, app: AppKey) -> impl Future<Output = Result<(), Containers1Error>> + Send;

    /// The app is to stop, and stays so.
    fn stop_app(&self, app: AppKey) -> impl Future<Output = Result<(), Containers1Error>> + Send;

    /// The app is stopped and started again.
    fn restart_app(&self, app: AppKey) -> impl Future<Output = Result<(), Containers1Error>> + Send;

    /// The app is stopped and forgotten; its volumes, snapshots and logs go only with `delete_data`. It is gone when no report has it.
    fn remove_app(
        &self,
        app: AppKey,
        delete_data: bool,
    ) -> impl Future<Output = Result<(), Containers1Error>> + Send;

    /// How all apps are.
    fn apps(&self) -> impl Future<Output = Result<Vec<AppReport>, Containers1Error>> + Send;

    /// Waits until the number of changes to apps and pulls is another than `seen`, at most [`LONGEST_WAIT`]; the number.
    fn wait_for_change(&self, seen: u64) -> impl Future<Output = Result<u64, Containers1Error>> + Send;

    /// Lines of a container's log from a number on, at most [`MAX_LOG_LINES`]. With number 0, the last ones.
    fn logs(
        &self,
        app: AppKey,
        container: PartName,
        from: u64,
        limit: usize,
    ) -> impl Future<Output = Result<LogPage, Containers1Error>> + Send;

    /// Begins to pull an image; fine when that is already being done. What the owner said of registries goes with it and is not kept.
    fn pull_image(
        &self,
        name: String,
        registries: Registries,
    ) -> impl Future<Output = Result<(), Containers1Error>> + Send;

    /// Pulls that are under way, and how the last ones ended.
    fn pulls(&self) -> impl Future<Output = Result<Vec<PullReport>, Containers1Error>> + Send;

    /// Ends a pull; fine when there is none.
    fn cancel_pull(&self, name: String) -> impl Future<Output = Result<(), Containers1Error>> + Send;

    /// Takes an image out of an archive (`docker save`, `oci-archive`) under this name.
    fn import_image(
        &self,
        name: String,
        archive: OwnedFd,
    ) -> impl Future<Output = Result<ImageReport, Containers1Error>> + Send;

    /// All images.
    fn images(&self) -> impl Future<Output = Result<Vec<ImageReport>, Containers1Error>> + Send;

    /// Forgets an image that no app uses.
    fn remove_image(&self, name: String) -> impl Future<Output = Result<(), Containers1Error>> + Send;

    /// Takes away what no image needs any more; the number of layers and documents.
    fn collect_images(&self) -> impl Future<Output = Result<u64, Containers1Error>> + Send;

    /// Copies the volumes of a stopped app, all or none, in place of an earlier snapshot of that name.
    fn snapshot_volumes(
        &self,
        app: AppKey,
        snapshot: PartName,
    ) -> impl Future<Output = Result<(), Containers1Error>> + Send;

    /// Puts a snapshot in the place of a stopped app's volumes; the snapshot is used up.
    fn restore_volumes(
        &self,
        app: AppKey,
        snapshot: PartName,
    ) -> impl Future<Output = Result<(), Containers1Error>> + Send;

    /// Removes a snapshot; fine when there is none.
    fn remove_snapshot(
        &self,
        app: AppKey,
        snapshot: PartName,
    ) -> impl Future<Output = Result<(), Containers1Error>> + Send;
}

/// The object on one connection; made by [`serve`] alone, after the caller was checked.
#[derive(Debug)]
pub struct Containers1<B> {
    backend: Arc<B>,
}

#[zbus::interface(
    name = "org.hearthos.Containers1",
    proxy(
        default_service = "org.hearthos.Containers1",
        default_path = "/org/hearthos/Containers1",
        visibility = "pub"
    )
)]
impl<B: Containers1Backend> Containers1<B> {
    /// Keeps how an app is to run: `model::containers::AppSpec` as JSON.
    async fn set_app(&self, app: &str, spec: &str) -> Result<(), Containers1Error> {
        at_most("a specification", spec.len(), MAX_SPEC)?;
        let spec: AppSpec = serde_json::from_str(spec).map_err(|error| invalid(&error))?;
        spec.check().map_err(|error| invalid(&error))?;
        self.backend.set_app(key_of(app)?, spec).await
    }

    /// How an app is to run: `model::containers::AppSpec` as JSON.
    async fn spec(&self, app: &str) -> Result<String, Containers1Error> {
        document(&self.backend.spec(key_of(app)?).await?)
    }

    /// Shows the data of an app, with its key of 64 bytes.
    async fn unlock_data(&self, app: &str, key: Vec<u8>) -> Result<(), Containers1Error> {
        let given = Zeroizing::new(key);
        let given: &[u8; DATA_KEY] = given.as_slice().try_into().map_err(|_length| {
            Containers1Error::Invalid(format!("the key of an app's data has {DATA_KEY} bytes"))
        })?;
        self.backend.unlock_data(key_of(app)?, Zeroizing::new(*given)).await
    }

    /// Hides the data of an app, when nothing of it runs any more.
    async fn lock_data(&self, app: &str) -> Result<(), Containers1Error> {
        self.backend.lock_data(key_of(app)?).await
    }

    /// The app is to run, from now on and after each reboot.
    async fn start_app(&self, app: &str) -> Result<(), Containers1Error> {
        self.backend.start_app(key_of(app)?).await
    }

    /// The app is to stop, and stays so.
    async fn stop_app(&self, app: &str) -> Result<(), Containers1Error> {
        self.backend.stop_app(key_of(app)?).await
    }

    /// The app is stopped and started again.
    async fn restart_app(&self, app: &str) -> Result<(), Containers1Error> {
        self.backend.restart_app(key_of(app)?).await
    }

    /// The app is stopped and forgotten, with or without its data.
    async fn remove_app(&self, app: &str, delete_data: bool) -> Result<(), Containers1Error> {
        self.backend.remove_app(key_of(app)?, delete_data).await
    }

    /// How all apps are: a list of `model::containers::AppReport` as JSON.
    async fn apps(&self) -> Result<String, Containers1Error> {
        document(&self.backend.apps().await?)
    }

    /// Waits for a change of apps or pulls, at most 20 seconds; the number of changes so far.
    async fn wait_for_change(&self, seen: u64) -> Result<u64, Containers1Error> {
        self.backend.wait_for_change(seen).await
    }

    /// Lines of a container's log: `model::containers::LogPage` as JSON.
    async fn logs(
        &self,
        app: &str,
        container: &str,
        from: u64,
        limit: u32,
    ) -> Result<String, Containers1Error> {
        let limit = usize::try_from(limit).unwrap_or(MAX_LOG_LINES).clamp(1, MAX_LOG_LINES);
        document(&self.backend.logs(key_of(app)?, part(container)?, from, limit).await?)
    }

    /// Begins to pull an image, with what the owner said of registries: `model::containers::Registries` as JSON.
    async fn pull_image(&self, name: &str, registries: &str) -> Result<(), Containers1Error> {
        at_most("what was said of registries", registries.len(), MAX_SPEC)?;
        let registries: Registries = serde_json::from_str(registries).map_err(|error| invalid(&error))?;
        registries.check().map_err(|error| invalid(&error))?;
        self.backend.pull_image(image(name)?, registries).await
    }

    /// Pulls: a list of `model::containers::PullReport` as JSON.
    async fn pulls(&self) -> Result<String, Containers1Error> {
        document(&self.backend.pulls().await?)
    }

    /// Ends a pull.
    async fn cancel_pull(&self, name: &str) -> Result<(), Containers1Error> {
        self.backend.cancel_pull(image(name)?).await
    }

    /// Takes an image out of an archive: `model::containers::ImageReport` as JSON.
    async fn import_image(&self, name: &str, archive: zbus::OwnedFd) -> Result<String, Containers1Error> {
        document(&self.backend.import_image(image(name)?, archive.into()).await?)
    }

    /// All images: a list of `model::containers::ImageReport` as JSON.
    async fn images(&self) -> Result<String, Containers1Error> {
        document(&self.backend.images().await?)
    }

    /// Forgets an image that no app uses.
    async fn remove_image(&self, name: &str) -> Result<(), Containers1Error> {
        self.backend.remove_image(image(name)?).await
    }

    /// Takes away what no image needs any more; the number of layers and documents.
    async fn collect_images(&self) -> Result<u64, Containers1Error> {
        self.backend.collect_images().await
    }

    /// Copies the volumes of a stopped app.
    async fn snapshot_volumes(&self, app: &str, snapshot: &str) -> Result<(), Containers1Error> {
        self.backend.snapshot_volumes(key_of(app)?, part(snapshot)?).await
    }

    /// Puts a snapshot in the place of a stopped app's volumes.
    async fn restore_volumes(&self, app: &str, snapshot: &str) -> Result<(), Containers1Error> {
        self.backend.restore_volumes(key_of(app)?, part(snapshot)?).await
    }

    /// Removes a snapshot.
    async fn remove_snapshot(&self, app: &str, snapshot: &str) -> Result<(), Containers1Error> {
        self.backend.remove_snapshot(key_of(app)?, part(snapshot)?).await
    }
}

/// Why an answer of containerd-lite cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StrangeAnswer {
    /// It is too long.
    #[error("it has {0} bytes; at most {MAX_ANSWER} are possible")]
    TooLong(usize),
    /// It is no document of the kind asked for.
    #[error("it is not understood")]
    NotUnderstood(#[source] serde_json::Error),
}

/// Reads a document that containerd-lite answered.
///
/// # Errors
/// When it is longer than [`MAX_ANSWER`] or not understood.
pub fn read_answer<T: DeserializeOwned>(text: &str) -> Result<T, StrangeAnswer> {
    if text.len() > MAX_ANSWER {
        return Err(StrangeAnswer::TooLong(text.len()));
    }
    serde_json::from_str(text).map_err(StrangeAnswer::NotUnderstood)
}

fn document(report: &impl Serialize) -> Result<String, Containers1Error> {
    let text = serde_json::to_string(report)
        .map_err(|error| Containers1Error::Refused(format!("no answer: {error}")))?;
    if text.len() > MAX_ANSWER {
        return Err(Containers1Error::Refused(format!("the answer has {} bytes", text.len())));
    }
    Ok(text)
}

fn invalid(error: &dyn std::error::Error) -> Containers1Error {
    Containers1Error::Invalid(error.to_string())
}

fn at_most(what: &str, length: usize, limit: usize) -> Result<(), Containers1Error> {
    if length <= limit {
        return Ok(());
    }
    Err(Containers1Error::Invalid(format!("{what} of {length} bytes; at most {limit} are possible")))
}

fn key_of(text: &str) -> Result<AppKey, Containers1Error> {
    text.parse().map_err(|error| Containers1Error::UnknownApp(format!("{error}")))
}

fn part(text: &str) -> Result<PartName, Containers1Error> {
    text.parse().map_err(|error| Containers1Error::Invalid(format!("{error}")))
}

fn image(name: &str) -> Result<String, Containers1Error> {
    at_most("a name", name.len(), MAX_IMAGE_NAME)?;
    Ok(name.to_owned())
}

/// Serves the interface on one accepted stream until the peer closes it.
///
/// # Errors
/// When the peer is not allowed, does not speak D-Bus, or the connection breaks.
pub async fn serve<B: Containers1Backend>(
    stream: UnixStream,
    backend: Arc<B>,
    allowed: &AllowedUids,
) -> Result<(), ServeError> {
    let connection = peer::accept(stream, allowed, PATH, |_uid| Containers1 { backend }).await?;
    connection.closed().await;
    Ok(())
}

/// Connects to containerd-lite's socket; the proxy holds the connection. See [`model::paths::CONTAINERS_BUS_SOCKET`].
///
/// # Errors
/// When containerd-lite does not listen, refuses the caller or does not answer the handshake.
pub async fn connect(path: &Path) -> Result<Containers1Proxy<'static>, ConnectError> {
    open(peer::connect(path).await?).await
}

/// Makes a proxy over a connected stream; every method call ends after [`METHOD_TIMEOUT`] at the latest.
///
/// # Errors
/// When the other side refuses the caller or does not answer the handshake.
pub async fn open(stream: UnixStream) -> Result<Containers1Proxy<'static>, ConnectError> {
    let connection = peer::open(stream, METHOD_TIMEOUT).await?;
    Containers1Proxy::new(&connection).await.map_err(|source| ConnectError::Bus { source })
}
