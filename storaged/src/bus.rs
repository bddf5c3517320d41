//! `org.hearthos.Storage1` in front of the keeper: every request is a job in its queue.

use crate::backup_disk::BackupDisks;
use crate::counter::Counter;
use crate::health::Gauge;
use crate::keeper::Keeper;
use crate::keeper::KeeperError;
use crate::keeper::is_wrong_key;
use crate::keyring::KeyringError;
use crate::sealer::SealError;
use crate::sealer::Sealer;
use crate::words::chain;
use hostapi::peer;
use hostapi::storage1;
use hostapi::storage1::Callers;
use hostapi::storage1::Storage1Backend;
use hostapi::storage1::Storage1Error;
use hostapi::storage1::StoreKey;
use hostapi::storage1::Typed;
use model::storage::StorageReport;
use model::storage::backup_disk::BackupDisk;
use model::storage::health::HealthReport;
use rustix::time::ClockId;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::sync::Notify;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use vault::KeyName;
use vault::NameError;
use zeroize::Zeroizing;

/// Connections served at once: hostd's, and some to spare.
const MOST_CONNECTIONS: usize = 4;

/// Something that the keeper does for somebody who waits.
pub type Job<S> = Box<dyn FnOnce(&mut Keeper<S>) + Send>;

/// storaged as seen from the bus.
pub struct Backend<S> {
    /// The keeper's queue.
    pub jobs: mpsc::Sender<Job<S>>,
    /// Told when the partition was opened.
    pub opened: Arc<Notify>,
    /// How the disk is; not in the queue, because a disk that hangs must not keep anybody from unlocking another.
    pub gauge: Arc<Gauge>,
    /// The disk for backups; likewise.
    pub disks: BackupDisks,
}

impl<S> fmt::Debug for Backend<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Backend").finish_non_exhaustive()
    }
}

impl<S: Sealer + Counter + Send + 'static> Backend<S> {
    async fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Keeper<S>) -> Result<T, KeeperError> + Send + 'static,
    ) -> Result<T, Storage1Error> {
        let (answer, answered) = oneshot::channel();
        let job: Job<S> = Box::new(move |keeper| drop(answer.send(job(keeper))));
        self.jobs.send(job).await.map_err(|_closed| stopping())?;
        answered.await.map_err(|_gone| stopping())?.map_err(|error| refused(&error))
    }
}

fn stopping() -> Storage1Error {
    Storage1Error::Stopping("storaged is stopping".to_owned())
}

fn refused(error: &KeeperError) -> Storage1Error {
    let said = chain(error);
    match error {
        KeeperError::Wait(left) => Storage1Error::wait(*left),
        KeeperError::NotLocked => Storage1Error::NotLocked(said),
        KeeperError::Locked => Storage1Error::Locked(said),
        KeeperError::Keyring(KeyringError::NothingToConfirm) => Storage1Error::NothingToConfirm(said),
        KeeperError::Keyring(KeyringError::NotItsEnd) => Storage1Error::NotItsEnd(said),
        KeeperError::Keyring(error) if is_wrong_key(error) => Storage1Error::WrongKey(said),
        KeeperError::Counter(SealError::Absent(_)) => Storage1Error::NoCounter(said),
        KeeperError::Failed(_)
        | KeeperError::NoRecoveryKey
        | KeeperError::Rotating
        | KeeperError::Keyring(_)
        | KeeperError::Notes(_)
        | KeeperError::KeyTree(_)
        | KeeperError::Counter(SealError::Refused(_)) => Storage1Error::Refused(said),
    }
}

fn key_name(name: &str) -> Result<KeyName, Storage1Error> {
    name.parse().map_err(|error: NameError| Storage1Error::Refused(chain(&error)))
}

/// Time since boot. Waits go on while nobody may change the clock under them.
pub(crate) fn uptime() -> Duration {
    rustix::time::clock_gettime(ClockId::Boottime).try_into().unwrap_or_default()
}

impl<S: Sealer + Counter + Send + 'static> Storage1Backend for Backend<S> {
    async fn report(&self) -> Result<StorageReport, Storage1Error> {
        self.ask(|keeper| Ok(keeper.report())).await
    }

    async fn health(&self) -> Result<HealthReport, Storage1Error> {
        let gauge = Arc::clone(&self.gauge);
        let looked = tokio::task::spawn_blocking(move || gauge.look(uptime())).await;
        looked.map_err(|_ended| stopping())
    }

    async fn unlock(&self, typed: Typed) -> Result<(), Storage1Error> {
        let opened = Arc::clone(&self.opened);
        // Told inside of the job: it also holds when the caller has gone meanwhile.
        self.ask(move |keeper| keeper.unlock(typed.expose(), uptime()).inspect(|()| opened.notify_one()))
            .await
    }

    async fn new_recovery_key(&self) -> Result<Zeroizing<String>, Storage1Error> {
        self.ask(|keeper| Ok(keeper.new_recovery_key()?.to_text())).await
    }

    async fn confirm_recovery_key(&self, end: Typed) -> Result<(), Storage1Error> {
        self.ask(move |keeper| keeper.confirm_recovery_key(end.expose())).await
    }

    async fn seal_anew(&self) -> Result<(), Storage1Error> {
        self.ask(Keeper::seal_anew).await
    }

    async fn set_passphrase(&self, passphrase: Typed) -> Result<(), Storage1Error> {
        self.ask(move |keeper| keeper.set_passphrase(passphrase.expose())).await
    }

    async fn check_recovery_key(&self, typed: Typed) -> Result<(), Storage1Error> {
        self.ask(move |keeper| keeper.check_recovery_key(typed.expose(), uptime())).await
    }

    async fn store_key(&self, name: &'static str) -> Result<StoreKey, Storage1Error> {
        let name = key_name(name)?;
        let key = self.ask(move |keeper| keeper.store_key(&name)).await?;
        Ok(StoreKey::from_bytes(Zeroizing::new(*key.expose())))
    }

    async fn adopt_store_key(&self, name: &'static str, key: StoreKey) -> Result<(), Storage1Error> {
        let (name, key) = (key_name(name)?, vault::StoreKey::from_bytes(Zeroizing::new(*key.expose())));
        self.ask(move |keeper| keeper.adopt_store_key(&name, &key)).await
    }

    async fn read_anchor(&self) -> Result<Option<u64>, Storage1Error> {
        self.ask(Keeper::count).await
    }

    async fn advance_anchor(&self, number: u64) -> Result<(), Storage1Error> {
        self.ask(move |keeper| keeper.raise_to(number)).await
    }

    async fn rotate_system_key(&self) -> Result<(), Storage1Error> {
        self.ask(|keeper| keeper.rotate_system_key()).await
    }

    async fn rotate_volume_key(&self, typed: Typed) -> Result<(), Storage1Error> {
        self.ask(move |keeper| keeper.rotate_volume_key(typed.expose(), uptime())).await
    }

    async fn mount_backup_disk(&self, label: Option<String>) -> Result<BackupDisk, Storage1Error> {
        self.disks.mount(label).await
    }

    async fn unmount_backup_disk(&self) -> Result<(), Storage1Error> {
        self.disks.unmount().await
    }
}

/// Accepts and serves connections for ever.
pub async fn serve_all<B: Storage1Backend>(listener: UnixListener, backend: B, callers: Callers) {
    let backend = Arc::new(backend);
    peer::serve_all(listener, MOST_CONNECTIONS, |stream| {
        let (backend, callers) = (Arc::clone(&backend), callers.clone());
        async move { storage1::serve(stream, backend, &callers).await }
    })
    .await;
}
