//! What is kept of backups, and the store as one file for them.

use super::KeepError;
use super::LoadError;
use super::Records;
use super::json;
use crate::backups::settings::BackupSettings;
use backup::BackupKey;
use serde::Deserialize;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use store::Batch;
use store::Sealing;
use store::StoreKey;
use tokio::runtime::Handle;
use zeroize::Zeroizing;

const BACKUPS: &str = "backups";
const KEY: &[u8] = b"key";
const KEPT: &[u8] = b"kept";
/// Name of hostd's store in its exports; never changes.
pub(crate) const EXPORTED_AS: &str = "hostd";

/// The household's name in its backups, and their key. Both go to the paper and never change.
#[derive(Clone, Serialize, Deserialize)]
pub struct BackupKeyRecord {
    /// The household.
    pub household: backup::HouseholdId,
    key: Zeroizing<[u8; BackupKey::LENGTH]>,
}

/// Everything else about backups.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupsRecord {
    /// What the owner chose.
    pub settings: BackupSettings,
    /// When the place was chosen, in seconds since 1970.
    pub chosen: Option<u64>,
    /// When a recovery kit was told last.
    pub kit_told: Option<u64>,
    /// How it went, for the schedule.
    pub state: backup::State,
    /// How the last backup ended.
    pub last_backup: Option<Ended>,
    /// How the last drill ended.
    pub last_drill: Option<Ended>,
    /// The private files of users, by their names.
    #[serde(default)]
    pub private: BTreeMap<String, PrivateRecord>,
}

/// A user's private files in the backups.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrivateRecord {
    /// Id of the vault that they are in.
    pub vault: String,
    /// When they were saved, in seconds since 1970; nothing when they never were.
    pub at: Option<u64>,
    /// How many they were.
    pub files: u64,
    /// How long they were together.
    pub bytes: u64,
    /// Why they were not saved at the last attempt, in plain words.
    pub problem: Option<String>,
}

/// How a task ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Ended {
    /// When, in seconds since 1970 by the box's clock.
    pub at: u64,
    /// Why it failed, in plain words; nothing when it went well.
    pub problem: Option<String>,
    /// Whether that says that what was saved is damaged, and not just out of reach.
    pub shows_damage: bool,
    /// Files in the backup.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Bytes that were written to the place.
    pub written_bytes: u64,
}

/// Why the records were not written to a file.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// These records lie in a store that cannot.
    #[error("these records cannot be exported")]
    NotExportable,
    /// The store did not.
    #[error("export the store")]
    Store(#[source] store::ExportError),
}

impl BackupKeyRecord {
    /// Keeps this key of this household.
    #[must_use]
    pub fn new(household: backup::HouseholdId, key: &BackupKey) -> Self {
        Self { household, key: Zeroizing::new(*key.expose()) }
    }

    /// What every backup task needs to know.
    #[must_use]
    pub fn owner(&self) -> backup::Owner {
        backup::Owner { household: self.household.clone(), key: BackupKey::from_bytes(*self.key) }
    }
}

impl fmt::Debug for BackupKeyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackupKeyRecord").field("household", &self.household).finish_non_exhaustive()
    }
}

impl Records {
    /// Reads the key of backups; blocks on the disk.
    ///
    /// # Errors
    ///
    /// When the store cannot read it, or it is not what it should be.
    pub fn backup_key_blocking(&self) -> Result<Option<BackupKeyRecord>, LoadError> {
        self.get(BACKUPS, KEY)
    }

    /// Reads what is kept of backups; blocks on the disk.
    ///
    /// # Errors
    ///
    /// When the store cannot read it, or it is not what it should be.
    pub fn backups_blocking(&self) -> Result<Option<BackupsRecord>, LoadError> {
        self.get(BACKUPS, KEPT)
    }

    /// Keeps the key of backups, unless there is one.
    ///
    /// # Errors
    ///
    /// When the store does not commit.
    pub async fn keep_backup_key(&self, key: &BackupKeyRecord) -> Result<(), KeepError> {
        self.commit(Batch::new().require_absent(BACKUPS, KEY).put(BACKUPS, KEY, json(key)?)).await
    }

    /// Keeps everything else about backups.
    ///
    /// # Errors
    ///
    /// When the store does not commit.
    pub async fn keep_backups(&self, kept: &BackupsRecord) -> Result<(), KeepError> {
        self.commit(Batch::new().put(BACKUPS, KEPT, json(kept)?)).await
    }

    /// Keeps everything else about backups, for a store that was restored. Blocks.
    ///
    /// # Errors
    ///
    /// When the store does not commit.
    pub fn keep_backups_blocking(&self, kept: &BackupsRecord) -> Result<(), KeepError> {
        let batch = Batch::new().put(BACKUPS, KEPT, json(kept)?);
        self.store.commit(batch).map(|_generation| ()).map_err(|source| KeepError::Commit { source })
    }

    /// Ends all sessions, for a store that was restored: who had one when it was saved may have lost it since. Blocks.
    ///
    /// # Errors
    ///
    /// When the store cannot be read, or does not commit.
    pub fn end_sessions_blocking(&self) -> Result<(), KeepError> {
        let mut batch = Batch::new();
        for table in [super::SESSIONS, super::MEMBER_SESSIONS] {
            let sessions = self
                .store
                .scan(table)
                .map_err(|source| KeepError::Commit { source: store::CommitError::Read { source } })?;
            batch = sessions.iter().fold(batch, |batch, (key, _)| batch.delete(table, key));
        }
        self.store.commit(batch).map(|_generation| ()).map_err(|source| KeepError::Commit { source })
    }

    /// Writes all records as they are now, sealed for backups; blocks.
    ///
    /// # Errors
    ///
    /// When the store cannot be exported, or the file takes no more.
    pub fn export_blocking(&self, key: &BackupKey, out: &mut dyn Write) -> Result<(), ExportError> {
        // No commit may run when hostd ends: it would still have the store open.
        let _turn = Handle::try_current().ok().map(|runtime| runtime.block_on(self.turn.lock()));
        let exported = self.exported.as_ref().ok_or(ExportError::NotExportable)?;
        let key = StoreKey::from_bytes(*key.export_key());
        let sealing = Sealing { key: &key, store: EXPORTED_AS };
        exported.export(&sealing, out).map(|_generation| ()).map_err(ExportError::Store)
    }
}
