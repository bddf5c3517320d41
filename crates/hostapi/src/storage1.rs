//! `org.hearthos.Storage1`: how the data partition was opened, and what one may ask of storaged.
//!
//! storaged implements [`Storage1Backend`] and calls [`serve`] for every accepted stream; others call [`connect`] and use
//! [`Storage1Proxy`]. As with [`crate::net1`], a caller that is not on the list is refused before a byte of it is read. Who among the
//! people at home may ask for what is the caller's to decide (hostd).
//!
//! The reports travel as the JSON of [`StorageReport`] and [`HealthReport`]. What is typed is bounded here and never shown.

use crate::peer;
use crate::peer::AllowedUids;
use crate::peer::ConnectError;
use crate::peer::ServeError;
use model::paths::HOSTD_UID;
use model::storage::StorageReport;
use model::storage::backup_disk::BackupDisk;
use model::storage::health::HealthReport;
use serde::Serialize;
use serde::de::DeserializeOwned;
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
/// hostd's store.
pub const HOSTD_STORE: &str = "hostd";
/// How long a caller waits for an answer. A change of keys is half a dozen runs of a program that syncs the disk each time, and a
/// security chip takes seconds for each command. A disk for backups may take half a minute to come up, and a minute and a half to be mounted.
pub const METHOD_TIMEOUT: Duration = Duration::from_secs(180);
/// Longest text that somebody types, in bytes; the longest passphrase that is sensible is far shorter.
pub const MAX_TYPED: usize = 512;
/// Longest name of a disk's file system, in bytes.
pub const MAX_LABEL: usize = 64;
/// Bytes of the key of a store.
pub const STORE_KEY: usize = 32;
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
    /// The store is not one of the caller's.
    NotYours(String),
    /// This box has nothing that counts.
    NoCounter(String),
    /// There is no disk for backups; the text says why.
    NoDisk(String),
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

/// Who may call, and which stores are whose: a daemon gets the keys of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callers {
    allowed: AllowedUids,
    stores: Vec<(u32, &'static str)>,
}

impl Callers {
    /// Exactly these users, and the stores that belong to some of them.
    #[must_use]
    pub fn new(
        allowed: impl IntoIterator<Item = u32>,
        stores: impl IntoIterator<Item = (u32, &'static str)>,
    ) -> Self {
        Self { allowed: AllowedUids::new(allowed), stores: stores.into_iter().collect() }
    }

    /// The names of one user's stores.
    fn stores_of(&self, uid: u32) -> Vec<&'static str> {
        self.stores.iter().filter(|(owner, _)| *owner == uid).map(|(_, name)| *name).collect()
    }
}

impl Default for Callers {
    fn default() -> Self {
        Self::new([0, HOSTD_UID], [(HOSTD_UID, HOSTD_STORE)])
    }
}

/// The key of a store; wiped from memory when dropped, and never shown.
#[derive(Clone)]
pub struct StoreKey(Zeroizing<[u8; STORE_KEY]>);

impl StoreKey {
    /// Takes the key's bytes.
    #[must_use]
    pub fn from_bytes(bytes: Zeroizing<[u8; STORE_KEY]>) -> Self {
        Self(bytes)
    }

    /// Reads what came over the bus.
    ///
    /// # Errors
    /// When it has another length.
    pub fn read(bytes: Vec<u8>) -> Result<Self, Storage1Error> {
        let bytes = Zeroizing::new(bytes);
        let key: Result<[u8; STORE_KEY], _> = bytes.as_slice().try_into();
        let wrong = |_length| Storage1Error::Refused(format!("a key of {} bytes", bytes.len()));
        key.map(|key| Self(Zeroizing::new(key))).map_err(wrong)
    }

    /// The bytes.
    #[must_use]
    pub fn expose(&self) -> &[u8; STORE_KEY] {
        &self.0
    }
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("StoreKey(…)")
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

    /// How the disk is and how much room is left.
    fn health(&self) -> impl Future<Output = Result<HealthReport, Storage1Error>> + Send;

    /// Opens a locked partition with what somebody typed. When this returns it is open, and is about to be mounted.
    fn unlock(&self, typed: Typed) -> impl Future<Output = Result<(), Storage1Error>> + Send;

    /// Makes a new recovery key beside the one there may be; the text in groups, to be shown once.
    fn new_recovery_key(&self) -> impl Future<Output = Result<Zeroizing<String>, Storage1Error>> + Send;

    /// Somebody typed the end of the new recovery key; earlier ones open nothing any more.
    fn confirm_recovery_key(&self, end: Typed) -> impl Future<Output = Result<(), Storage1Error>> + Send;

    /// Seals a new key to this box as it is now, so that the next boot opens by itself.
    fn seal_anew(&self) -> impl Future<Output = Result<(), Storage1Error>> + Send;

    /// Has the box ask for a passphrase at each start, in place of the key on the boot partition.
    fn set_passphrase(&self, passphrase: Typed) -> impl Future<Output = Result<(), Storage1Error>> + Send;

    /// Says whether somebody typed a recovery key of the open partition; an error when not.
    fn check_recovery_key(&self, typed: Typed) -> impl Future<Output = Result<(), Storage1Error>> + Send;

    /// The key of a store, which belongs to the caller; made when there is none.
    fn store_key(&self, name: &'static str) -> impl Future<Output = Result<StoreKey, Storage1Error>> + Send;

    /// Keeps the key that a store, which belongs to the caller, had elsewhere until now.
    fn adopt_store_key(
        &self,
        name: &'static str,
        key: StoreKey,
    ) -> impl Future<Output = Result<(), Storage1Error>> + Send;

    /// The number that guards against older copies; none where it was never raised.
    fn read_anchor(&self) -> impl Future<Output = Result<Option<u64>, Storage1Error>> + Send;

    /// Raises it to at least this.
    fn advance_anchor(&self, number: u64) -> impl Future<Output = Result<(), Storage1Error>> + Send;

    /// Puts another system key in the place of the one that the stores' keys are under.
    fn rotate_system_key(&self) -> impl Future<Output = Result<(), Storage1Error>> + Send;

    /// Begins to encrypt the open partition with another volume key; somebody typed its recovery key, which goes on to open it.
    fn rotate_volume_key(&self, typed: Typed) -> impl Future<Output = Result<(), Storage1Error>> + Send;

    /// Mounts the disk for backups: the one whose file system has this name, or the first that can be pulled out.
    fn mount_backup_disk(
        &self,
        label: Option<String>,
    ) -> impl Future<Output = Result<BackupDisk, Storage1Error>> + Send;

    /// Unmounts it again.
    fn unmount_backup_disk(&self) -> impl Future<Output = Result<(), Storage1Error>> + Send;
}

/// The object on one connection; made by [`serve`] alone, after the caller was checked.
#[derive(Debug)]
pub struct Storage1<B> {
    backend: Arc<B>,
    /// Names of the caller's stores.
    stores: Vec<&'static str>,
}

impl<B> Storage1<B> {
    fn own_store(&self, name: &str) -> Result<&'static str, Storage1Error> {
        let own = self.stores.iter().copied().find(|own| *own == name);
        own.ok_or_else(|| Storage1Error::NotYours("the store is not one of the caller's".to_owned()))
    }
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
        document(&self.backend.report().await?)
    }

    /// How the disk is and how much room is left: `model::storage::health::HealthReport` as JSON.
    async fn health(&self) -> Result<String, Storage1Error> {
        document(&self.backend.health().await?)
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

    /// Has the box ask for this passphrase at each start, in place of the key on the boot partition or of an earlier passphrase.
    async fn set_passphrase(&self, passphrase: String) -> Result<(), Storage1Error> {
        self.backend.set_passphrase(Typed::new(passphrase)?).await
    }

    /// Says whether this is a recovery key of the open partition; an error when not, and when there were too many wrong ones.
    async fn check_recovery_key(&self, typed: String) -> Result<(), Storage1Error> {
        self.backend.check_recovery_key(Typed::new(typed)?).await
    }

    /// The key of one of the caller's stores; made when there is none.
    async fn store_key(&self, name: String) -> Result<Vec<u8>, Storage1Error> {
        Ok(self.backend.store_key(self.own_store(&name)?).await?.expose().to_vec())
    }

    /// Keeps the key that one of the caller's stores had elsewhere until now. A store that has another one here is refused.
    async fn adopt_store_key(&self, name: String, key: Vec<u8>) -> Result<(), Storage1Error> {
        let key = StoreKey::read(key)?;
        self.backend.adopt_store_key(self.own_store(&name)?, key).await
    }

    /// The number that guards against older copies, and whether it was ever raised.
    async fn read_anchor(&self) -> Result<(bool, u64), Storage1Error> {
        let number = self.backend.read_anchor().await?;
        Ok((number.is_some(), number.unwrap_or_default()))
    }

    /// Raises that number to at least this, by at most 256.
    async fn advance_anchor(&self, number: u64) -> Result<(), Storage1Error> {
        self.backend.advance_anchor(number).await
    }

    /// Puts another system key in the place of the one that the stores' keys are under; they stay what they are.
    async fn rotate_system_key(&self) -> Result<(), Storage1Error> {
        self.backend.rotate_system_key().await
    }

    /// Begins to encrypt the open partition with another volume key. The report tells how far it is.
    async fn rotate_volume_key(&self, recovery_key: String) -> Result<(), Storage1Error> {
        self.backend.rotate_volume_key(Typed::new(recovery_key)?).await
    }

    /// Mounts the disk for backups: the one whose file system has this name; without a name, the first that can be pulled out. The
    /// answer is `model::storage::backup_disk::BackupDisk` as JSON.
    async fn mount_backup_disk(&self, label: String) -> Result<String, Storage1Error> {
        if label.len() > MAX_LABEL {
            return Err(Storage1Error::NoDisk(format!("no disk has a name of {} bytes", label.len())));
        }
        document(&self.backend.mount_backup_disk(Some(label).filter(|label| !label.is_empty())).await?)
    }

    /// Unmounts it again; fine when it is not mounted.
    async fn unmount_backup_disk(&self) -> Result<(), Storage1Error> {
        self.backend.unmount_backup_disk().await
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

fn document(report: &impl Serialize) -> Result<String, Storage1Error> {
    let text = serde_json::to_string(report)
        .map_err(|error| Storage1Error::Refused(format!("no report: {error}")))?;
    if text.len() > MAX_REPORT {
        return Err(Storage1Error::Refused(format!("the report has {} bytes", text.len())));
    }
    Ok(text)
}

/// Reads what [`Storage1Proxy::report`] or [`Storage1Proxy::health`] answered.
///
/// # Errors
/// When it is longer than [`MAX_REPORT`] or not understood.
pub fn read_report<T: DeserializeOwned>(text: &str) -> Result<T, StrangeReport> {
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
    callers: &Callers,
) -> Result<(), ServeError> {
    let object_for = |uid| Storage1 { backend, stores: callers.stores_of(uid) };
    let connection = peer::accept(stream, &callers.allowed, PATH, object_for).await?;
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
