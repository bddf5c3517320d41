//! What backups and a restore ask of storaged.

use super::KeysError;
use super::Storaged;
use hostapi::storage1;
use hostapi::storage1::HOSTD_STORE;
use hostapi::storage1::Storage1Error;
use hostapi::storage1::read_report;
use model::storage::backup_disk::BackupDisk;
use store::StoreKey;

impl Storaged {
    /// Mounts the disk for backups: of this name, or without one the first that can be pulled out.
    ///
    /// # Errors
    ///
    /// When there is none, or it cannot be mounted.
    pub async fn mount_backup_disk(&self, label: String) -> Result<BackupDisk, KeysError> {
        let refused = |source| KeysError::Refused { what: "mount the backup disk", source };
        let answer = self.proxy()?.mount_backup_disk(label).await.map_err(refused)?;
        read_report(&answer).map_err(|source| KeysError::Strange { source })
    }

    /// Unmounts it again.
    ///
    /// # Errors
    ///
    /// When that fails.
    pub async fn unmount_backup_disk(&self) -> Result<(), KeysError> {
        let refused = |source| KeysError::Refused { what: "unmount the backup disk", source };
        self.proxy()?.unmount_backup_disk().await.map_err(refused)
    }

    /// The key of hostd's own store.
    ///
    /// # Errors
    ///
    /// When storaged does not give it.
    pub async fn own_store_key(&self) -> Result<StoreKey, KeysError> {
        let refused = |source| KeysError::Refused { what: "give the key of the store", source };
        let key = self.proxy()?.store_key(HOSTD_STORE.to_owned()).await;
        let key = key.and_then(storage1::StoreKey::read).map_err(refused)?;
        Ok(StoreKey::from_bytes(*key.expose()))
    }

    /// The number that guards against older copies of the store; none where this box has nothing that counts, or nothing was counted.
    ///
    /// # Errors
    ///
    /// When storaged does not say.
    pub async fn anchor(&self) -> Result<Option<u64>, KeysError> {
        match self.proxy()?.read_anchor().await {
            Ok((is_set, number)) => Ok(is_set.then_some(number)),
            Err(Storage1Error::NoCounter(_)) => Ok(None),
            Err(source) => Err(KeysError::Refused { what: "read its counter", source }),
        }
    }
}
