//! A storaged in memory, behind the real D-Bus interface: keys are texts, and nothing is encrypted.

use hostapi::storage1::Callers;
use hostapi::storage1::HOSTD_STORE;
use hostapi::storage1::STORE_KEY;
use hostapi::storage1::Storage1Backend;
use hostapi::storage1::Storage1Error;
use hostapi::storage1::Storage1Proxy;
use hostapi::storage1::StoreKey;
use hostapi::storage1::Typed;
use model::storage::KeyKind;
use model::storage::KeySlot;
use model::storage::StorageReport;
use model::storage::UnlockReport;
use model::storage::VolumeKeyRotation;
use model::storage::backup_disk::BackupDisk;
use model::storage::health::HealthReport;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::net::UnixStream;
use tokio::task::JoinSet;
use zeroize::Zeroizing;

/// The recovery key that it makes.
pub const RECOVERY_KEY: &str = "7Q2M-XVD9-FTHK-3WPZ-80RC-N5JE-B6YA-T4GK-1VSX";
/// The end of that.
pub const ITS_END: &str = "T4GK-1VSX";
/// A key that is typed too often.
pub const TYPED_TOO_OFTEN: &str = "too often";
/// Name of its disk for backups.
pub const LABEL: &str = "attic";
/// How long it then makes everybody wait.
pub const WAIT: Duration = Duration::from_secs(30);

/// A storaged that tests describe.
#[derive(Debug)]
pub struct FakeStoraged(Mutex<Memory>);

#[derive(Debug)]
struct Memory {
    report: StorageReport,
    health: HealthReport,
    seals: u32,
    store_key: Option<[u8; STORE_KEY]>,
    number: Option<u64>,
    rotations: u32,
    has_chip: bool,
    is_stopping: bool,
    disk: Option<PathBuf>,
    disk_is_mounted: bool,
}

impl Default for FakeStoraged {
    /// Opened by its TPM, without a recovery key.
    fn default() -> Self {
        let report = StorageReport {
            unlock: UnlockReport::Opened { by: KeyKind::Tpm, reasons: vec![] },
            keys: vec![KeySlot { kind: KeyKind::Tpm, is_confirmed: true }],
            is_waiting_for_confirmation: false,
            older_copies: None,
            rotation: None,
        };
        Self(Mutex::new(Memory {
            report,
            health: HealthReport::default(),
            seals: 0,
            store_key: None,
            number: None,
            rotations: 0,
            has_chip: true,
            is_stopping: false,
            disk: None,
            disk_is_mounted: false,
        }))
    }
}

impl FakeStoraged {
    /// One whose data [`RECOVERY_KEY`] opens and nothing else.
    #[must_use]
    pub fn locked() -> Self {
        let storaged = Self::default();
        storaged.memory().report = StorageReport {
            unlock: UnlockReport::Locked {
                reasons: vec!["this key was sealed by another TPM".to_owned()],
                takes: vec![KeyKind::Recovery],
            },
            keys: vec![KeySlot { kind: KeyKind::Recovery, is_confirmed: true }],
            is_waiting_for_confirmation: false,
            older_copies: None,
            rotation: None,
        };
        storaged
    }

    /// How often it sealed.
    pub fn seals(&self) -> u32 {
        self.memory().seals
    }

    /// How often the system key was changed.
    pub fn rotations(&self) -> u32 {
        self.memory().rotations
    }

    /// The key of hostd's store, when it has one.
    pub fn store_key(&self) -> Option<[u8; STORE_KEY]> {
        self.memory().store_key
    }

    /// The number that guards against older copies.
    pub fn number(&self) -> Option<u64> {
        self.memory().number
    }

    /// Its counter is another one from now on.
    pub fn set_number(&self, number: Option<u64>) {
        self.memory().number = number;
    }

    /// Whether its data is open.
    pub fn is_open(&self) -> bool {
        matches!(self.memory().report.unlock, UnlockReport::Opened { .. })
    }

    /// From now on its disk is so.
    pub fn set_health(&self, health: HealthReport) {
        self.memory().health = health;
    }

    /// From now on so much is encrypted with the new volume key; nothing when no change is under way.
    pub fn set_rotation(&self, percent: Option<u8>) {
        let rotation = percent.map(|percent| VolumeKeyRotation { percent: Some(percent), problem: None });
        self.memory().report.rotation = rotation;
    }

    /// From now on it has no TPM.
    pub fn lose_chip(&self) {
        self.memory().has_chip = false;
    }

    /// A folder is its disk for backups from now on, by the name of [`LABEL`]; or none is.
    pub fn plug_in(&self, disk: Option<PathBuf>) {
        self.memory().disk = disk;
    }

    /// Whether that is mounted.
    pub fn disk_is_mounted(&self) -> bool {
        self.memory().disk_is_mounted
    }

    /// From now on it does nothing, because it stops.
    pub fn stop(&self) {
        self.memory().is_stopping = true;
    }

    /// Serves at a path until the set of tasks is dropped.
    ///
    /// # Errors
    ///
    /// When the path cannot be listened on.
    pub fn serve(self: &Arc<Self>, path: &Path) -> std::io::Result<JoinSet<()>> {
        let listener = UnixListener::bind(path)?;
        let backend = Arc::clone(self);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut streams = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                streams.spawn(Arc::clone(&backend).attend(stream));
            }
        });
        Ok(tasks)
    }

    /// A connection to it without a path; it lasts as long as the set of tasks.
    ///
    /// # Panics
    ///
    /// When the kernel gives no sockets, or D-Bus fails between them.
    #[expect(clippy::unwrap_used, reason = "a test without its fake cannot go on")]
    pub async fn connect(self: &Arc<Self>) -> (Storage1Proxy<'static>, JoinSet<()>) {
        let (near, far) = UnixStream::pair().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(self).attend(far));
        (hostapi::storage1::open(near).await.unwrap(), tasks)
    }

    async fn attend(self: Arc<Self>, stream: UnixStream) {
        let uid = rustix::process::getuid().as_raw();
        let anybody = Callers::new([uid], [(uid, HOSTD_STORE)]);
        if let Err(error) = hostapi::storage1::serve(stream, self, &anybody).await {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "a connection to the fake storaged ended"
            );
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn at_work(&self) -> Result<MutexGuard<'_, Memory>, Storage1Error> {
        let memory = self.memory();
        if memory.is_stopping { Err(Storage1Error::Stopping("it stops".to_owned())) } else { Ok(memory) }
    }

    fn opened(&self) -> Result<MutexGuard<'_, Memory>, Storage1Error> {
        let memory = self.at_work()?;
        match memory.report.unlock {
            UnlockReport::Opened { .. } => Ok(memory),
            UnlockReport::Locked { .. } | UnlockReport::Failed { .. } => {
                Err(Storage1Error::Locked("the data is locked".to_owned()))
            }
        }
    }
}

impl Storage1Backend for FakeStoraged {
    async fn report(&self) -> Result<StorageReport, Storage1Error> {
        Ok(self.at_work()?.report.clone())
    }

    async fn health(&self) -> Result<HealthReport, Storage1Error> {
        Ok(self.at_work()?.health.clone())
    }

    async fn unlock(&self, typed: Typed) -> Result<(), Storage1Error> {
        let mut memory = self.at_work()?;
        if !matches!(memory.report.unlock, UnlockReport::Locked { .. }) {
            return Err(Storage1Error::NotLocked("it is open".to_owned()));
        }
        match typed.expose() {
            RECOVERY_KEY => {
                memory.report.unlock = UnlockReport::Opened { by: KeyKind::Recovery, reasons: vec![] };
                Ok(())
            }
            TYPED_TOO_OFTEN => Err(Storage1Error::wait(WAIT)),
            _ => Err(Storage1Error::WrongKey("nothing opens".to_owned())),
        }
    }

    async fn new_recovery_key(&self) -> Result<Zeroizing<String>, Storage1Error> {
        let report = &mut self.opened()?.report;
        report.keys.retain(|key| key.is_confirmed);
        report.keys.push(KeySlot { kind: KeyKind::Recovery, is_confirmed: false });
        report.is_waiting_for_confirmation = true;
        Ok(Zeroizing::new(RECOVERY_KEY.to_owned()))
    }

    async fn confirm_recovery_key(&self, end: Typed) -> Result<(), Storage1Error> {
        let report = &mut self.opened()?.report;
        if !report.is_waiting_for_confirmation {
            return Err(Storage1Error::NothingToConfirm("nothing waits".to_owned()));
        }
        if end.expose() != ITS_END {
            return Err(Storage1Error::NotItsEnd("another end".to_owned()));
        }
        report.is_waiting_for_confirmation = false;
        report.keys.retain(|key| key.kind != KeyKind::Recovery);
        report.keys.push(KeySlot { kind: KeyKind::Recovery, is_confirmed: true });
        Ok(())
    }

    async fn seal_anew(&self) -> Result<(), Storage1Error> {
        let mut memory = self.opened()?;
        if !memory.has_chip {
            return Err(Storage1Error::Refused("there is no TPM".to_owned()));
        }
        memory.seals += 1;
        Ok(())
    }

    async fn set_passphrase(&self, passphrase: Typed) -> Result<(), Storage1Error> {
        let mut memory = self.opened()?;
        if memory.has_chip {
            return Err(Storage1Error::Refused("this box has a security chip".to_owned()));
        }
        if passphrase.expose().len() < 12 {
            return Err(Storage1Error::Refused("it is too short".to_owned()));
        }
        let is_replaced = |kind| matches!(kind, KeyKind::BootKey | KeyKind::Passphrase | KeyKind::Tpm);
        memory.report.keys.retain(|key| !is_replaced(key.kind));
        memory.report.keys.push(KeySlot { kind: KeyKind::Passphrase, is_confirmed: true });
        Ok(())
    }

    async fn check_recovery_key(&self, typed: Typed) -> Result<(), Storage1Error> {
        drop(self.opened()?);
        match typed.expose() {
            RECOVERY_KEY => Ok(()),
            TYPED_TOO_OFTEN => Err(Storage1Error::wait(WAIT)),
            _ => Err(Storage1Error::WrongKey("nothing opens".to_owned())),
        }
    }

    async fn store_key(&self, _name: &'static str) -> Result<StoreKey, Storage1Error> {
        let key = *self.opened()?.store_key.get_or_insert([0x5e; STORE_KEY]);
        Ok(StoreKey::from_bytes(Zeroizing::new(key)))
    }

    async fn adopt_store_key(&self, _name: &'static str, key: StoreKey) -> Result<(), Storage1Error> {
        let mut memory = self.opened()?;
        if memory.store_key.is_some_and(|known| known != *key.expose()) {
            return Err(Storage1Error::Refused("the store has another key already".to_owned()));
        }
        memory.store_key = Some(*key.expose());
        Ok(())
    }

    async fn read_anchor(&self) -> Result<Option<u64>, Storage1Error> {
        let memory = self.at_work()?;
        if !memory.has_chip {
            return Err(Storage1Error::NoCounter("there is no TPM".to_owned()));
        }
        Ok(memory.number)
    }

    async fn advance_anchor(&self, number: u64) -> Result<(), Storage1Error> {
        let mut memory = self.at_work()?;
        memory.number = Some(memory.number.unwrap_or_default().max(number));
        Ok(())
    }

    async fn rotate_system_key(&self) -> Result<(), Storage1Error> {
        self.opened()?.rotations += 1;
        Ok(())
    }

    async fn rotate_volume_key(&self, typed: Typed) -> Result<(), Storage1Error> {
        self.check_recovery_key(typed).await?;
        self.set_rotation(Some(0));
        Ok(())
    }

    async fn mount_backup_disk(&self, label: Option<String>) -> Result<BackupDisk, Storage1Error> {
        let mut memory = self.opened()?;
        let none = || Storage1Error::NoDisk("no disk is plugged in".to_owned());
        let folder = memory.disk.clone().filter(|_folder| label.is_none_or(|label| label == LABEL));
        let folder = folder.ok_or_else(none)?.to_string_lossy().into_owned();
        memory.disk_is_mounted = true;
        Ok(BackupDisk { folder, mounted_at: None })
    }

    async fn unmount_backup_disk(&self) -> Result<(), Storage1Error> {
        self.memory().disk_is_mounted = false;
        Ok(())
    }
}
