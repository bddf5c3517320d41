//! The keys of private files in backups, and whose vaults there are.

use super::KeepError;
use super::LoadError;
use super::Records;
use super::VAULTS;
use super::json;
use super::parse;
use crate::accounts::credentials::UserName;
use crate::vaults::archive::ArchiveRecord;
use crate::vaults::record::VaultRecord;
use store::Batch;

pub(super) const ARCHIVES: &str = "private_archives";

impl Records {
    /// Reads the vaults of all users; blocks on the disk.
    ///
    /// # Errors
    ///
    /// When the store cannot read them, or one is not what it should be.
    pub fn vaults_blocking(&self) -> Result<Vec<(UserName, VaultRecord)>, LoadError> {
        let records = self.store.scan(VAULTS).map_err(|source| LoadError::Read { source })?;
        let mut vaults = Vec::with_capacity(records.len());
        for (key, value) in records {
            // A key that is no name belongs to nobody who could log in.
            let name = String::from_utf8_lossy(&key).into_owned();
            if let Ok(user) = UserName::try_from(name) {
                vaults.push((user, parse(VAULTS, &key, &value)?));
            }
        }
        Ok(vaults)
    }

    /// Reads the key of a vault's archive; blocks on the disk.
    ///
    /// # Errors
    ///
    /// When the store cannot read it, or it is not what it should be.
    pub fn archive_blocking(&self, vault: &str) -> Result<Option<ArchiveRecord>, LoadError> {
        self.get(ARCHIVES, vault.as_bytes())
    }

    /// Keeps the key of a vault's archive.
    ///
    /// # Errors
    ///
    /// When the store does not commit.
    pub async fn keep_archive(&self, vault: &str, archive: &ArchiveRecord) -> Result<(), KeepError> {
        self.commit(Batch::new().put(ARCHIVES, vault.as_bytes(), json(archive)?)).await
    }
}
