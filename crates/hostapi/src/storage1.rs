//! `org.hearthos.Storage1`: how the data partition was opened, and what one may ask of storaged.
//!
//! storaged implements [`Storage1Backend`] and calls [`serve`] for every accepted stream; others call [`connect`] and use
//! [`Storage1Proxy`]. As with [`crate::net1`], a caller that is not on the list is refused before a byte of it is read. Who among the
//! people at home may ask for what is the caller's to decide (hostd).
//!
//! The report travels as the JSON of [`StorageReport`]. What is typed is bounded here and never shown.

use crate::peer;
use crate::peer::AllowedUids;
use crate::peer::ConnectError;
use crate::peer::ServeError;
use model::storage::StorageReport;
use std::fmt;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixStream;
use zbus::DBusError;
use zeroize::Zeroizing;

/// Where the interface lives on every connection.
pub const PATH: &str = "/org/hearthos/Storage1";
/// How long a caller waits for an answer. A change of keys is half a dozen runs of a program that syncs the disk each time, and a
/// security chip takes seconds for each command.
pub const METHOD_TIMEOUT: Duration = Duration::from_secs(120);
/// Longest text that somebody types, in bytes; the longest passphrase that is sensible is far shorter.
pub const MAX_TYPED: usize = 512;
/// Longest report, in bytes: 32 slots and reasons in plain words.
pub const MAX_REPORT: usize = 64 << 10;

/// What a method may answer instead of a result.
#[derive(Debug, DBusError)]
#[zbus(prefix = "org.hearthos.Storage1.Error")]
pub enum Storage1Error {
    /// An error of the transport.
    #[zbus(error)]
    ZBus(zbus::Error),
    /// What was typed opens nothing; nothing was written.
    WrongKey(String),
    /// Too many wrong keys: the text is the number of seconds to wait, see [`Self::seconds_to_wait`].
    Wait(String),
    /// The data partition is not locked.
    NotLocked(String),
    /// The data partition has to be opened first.
    Locked(String),
    /// It cannot be done, for the reason told; nothing has changed.
    Refused(String),
    /// No new recovery key waits to be confirmed.
    NothingToConfirm(String),
    /// These are not the last letters of the new recovery key.
    NotItsEnd(String),
    /// storaged is stopping and takes no more requests.
    Stopping(String),
}

impl Storage1Error {
    /// The next key may be tried after this time; told in whole seconds, never too few.
    #[must_use]
    pub fn wait(left: Duration) -> Self {
        let seconds = left.as_secs().saturating_add(u64::from(left.subsec_nanos() > 0));
        Self::Wait(seconds.max(1).to_string())
    }

    /// How long to wait, when that is what it says.
    #[must_use]
    pub fn seconds_to_wait(&self) -> Option<u64> {
        if let Self::Wait(seconds) = self { seconds.parse().ok() } else { None }
    }
}

/// What somebody typed; wiped from memory when dropped, and never shown.
pub struct Typed(Zeroizing<String>);

impl Typed {
    /// Checks its length.
    ///
    /// # Errors
    /// When it is longer than [`MAX_TYPED`]; then it is no key.
    pub fn new(text: String) -> Result<Self, Storage1Error> {
        let text = Zeroizing::new(text);
        if text.len() <= MAX_TYPED {
            return Ok(Self(text));
        }
        Err(Storage1Error::WrongKey(format!("it has {} bytes; at most {MAX_TYPED} can be typed", text.len())))
    }

    /// The text.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Typed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Typed(…)")
    }
}

/// What storaged does behind the interface.
pub trait Storage1Backend: Send + Sync + 'static {
    /// How the data partition is.
    fn report(&self) -> impl Future<Output = Result<StorageReport, Storage1Error>> + Send;

    /// Opens a locked partition with what somebody typed. When this returns it is open, and is about to be mounted.
    fn unlock(&self, typed: Typed) -> impl Future<Output = Result<(), Storage1Error>> + Send;

    /// Makes a new recovery key beside the one there may be; the text in groups, to be shown once.
    fn new_recovery_key(&self) -> impl Future<Output = Result<Zeroizing<String>, Storage1Error>> + Send;

    /// Somebody typed the end of the new recovery key; earlier ones open nothing any more.
    fn confirm_recovery_key(&self, end: Typed) -> impl Future<Output = Result<(), Storage1Error>> + Send;

    /// Seals a new key to this box as it is now, so that the next boot opens by itself.
    fn seal_anew(&self) -> impl Future<Output = Result<(), Storage1Error>> + Send;
}

/// The object on one connection; made by [`serve`] alone, after the caller was checked.
#[derive(Debug)]
pub struct Storage1<B> {
    backend: Arc<B>,
}

#[zbus::interface(
    name = "org.hearthos.Storage1",
    proxy(
        default_service = "org.hearthos.Storage1",
        default_path = "/org/hearthos/Storage1",
        visibility = "pub"
    )
)]
impl<B: Storage1Backend> Storage1<B> {
    /// How the data partition was opened and what opens it: `model::storage::StorageReport` as JSON.
    async fn report(&self) -> Result<String, Storage1Error> {
        let report = self.backend.report().await?;
        let text = serde_json::to_string(&report)
            .map_err(|error| Storage1Error::Refused(format!("no report: {error}")))?;
        if text.len() > MAX_REPORT {
            return Err(Storage1Error::Refused(format!("the report has {} bytes", text.len())));
        }
        Ok(text)
    }

    /// Opens the locked data partition. It is mounted right afterwards, for which the daemons that keep state on it are restarted.
    async fn unlock(&self, typed: String) -> Result<(), Storage1Error> {
        self.backend.unlock(Typed::new(typed)?).await
    }

    /// Makes a new recovery key; the old one works until the new one is confirmed.
    async fn new_recovery_key(&self) -> Result<String, Storage1Error> {
        Ok(self.backend.new_recovery_key().await?.to_string())
    }

    /// Confirms the new recovery key by its last eight letters.
    async fn confirm_recovery_key(&self, end: String) -> Result<(), Storage1Error> {
        self.backend.confirm_recovery_key(Typed::new(end)?).await
    }

    /// Seals a new key to the security chip and to the firmware as it is now, in place of what opened the partition by itself before.
    async fn seal_anew(&self) -> Result<(), Storage1Error> {
        self.backend.seal_anew().await
    }
}

/// Why a report of storaged cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StrangeReport {
    /// It is too long.
    #[error("the report has {0} bytes; at most {MAX_REPORT} are possible")]
    TooLong(usize),
    /// It is no report.
    #[error("the report is not understood")]
    NotUnderstood(#[source] serde_json::Error),
}

/// Reads what [`Storage1Proxy::report`] answered.
///
/// # Errors
/// When it is longer than [`MAX_REPORT`] or not understood.
pub fn read_report(text: &str) -> Result<StorageReport, StrangeReport> {
    if text.len() > MAX_REPORT {
        return Err(StrangeReport::TooLong(text.len()));
    }
    serde_json::from_str(text).map_err(StrangeReport::NotUnderstood)
}

/// Serves the interface on one accepted stream until the peer closes it.
///
/// # Errors
/// When the peer is not allowed, does not speak D-Bus, or the connection breaks.
pub async fn serve<B: Storage1Backend>(
    stream: UnixStream,
    backend: Arc<B>,
    allowed: &AllowedUids,
) -> Result<(), ServeError> {
    let connection = peer::accept(stream, allowed, PATH, Storage1 { backend }).await?;
    connection.closed().await;
    Ok(())
}

/// Connects to storaged's socket; the proxy holds the connection. See [`model::paths::STORAGE_BUS_SOCKET`].
///
/// # Errors
/// When storaged does not listen, refuses the caller or does not answer the handshake.
pub async fn connect(path: &Path) -> Result<Storage1Proxy<'static>, ConnectError> {
    open(peer::connect(path).await?).await
}

/// Makes a proxy over a connected stream; every method call ends after [`METHOD_TIMEOUT`] at the latest.
///
/// # Errors
/// When the other side refuses the caller or does not answer the handshake.
pub async fn open(stream: UnixStream) -> Result<Storage1Proxy<'static>, ConnectError> {
    let connection = peer::open(stream, METHOD_TIMEOUT).await?;
    Storage1Proxy::new(&connection).await.map_err(|source| ConnectError::Bus { source })
}
