//! The vaults of users, as they are kept.

use super::KeepError;
use super::LoadError;
use super::Records;
use super::VAULTS;
use super::archives::ARCHIVES;
use super::json;
use super::parse;
use crate::accounts::credentials::UserName;
use crate::vaults::archive::ArchiveRecord;
use crate::vaults::record::VaultRecord;
use serde::Deserialize;
use serde::Serialize;
use std::path::PathBuf;
use store::Batch;
use vault::UserId;

pub(super) const PUT_BY: &str = "vaults_put_by";
const DOOMED: &str = "vaults_doomed";

/// Directories that nothing needs any more. They are named in the commit after which that is so, and forgotten when they are gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doomed {
    vault: UserId,
    key_number: Option<u64>,
}

/// A vault that its user gave up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PutBy {
    /// Not known of those that were put by before this was kept: the owner's, for nobody else had one.
    #[serde(default)]
    pub(super) user: Option<UserName>,
    #[serde(flatten)]
    pub(super) vault: VaultRecord,
}

/// Has a directory destroyed, once the batch is kept.
pub(super) fn doom(batch: Batch, doomed: &Doomed) -> Result<Batch, KeepError> {
    Ok(batch.put(DOOMED, doomed.key(), json(doomed)?))
}

impl Doomed {
    /// The directory under one vault key.
    #[must_use]
    pub fn directory(vault: &UserId, key_number: u64) -> Self {
        Self { vault: vault.clone(), key_number: Some(key_number) }
    }

    /// A whole vault.
    #[must_use]
    pub fn vault_of(vault: &UserId) -> Self {
        Self { vault: vault.clone(), key_number: None }
    }

    pub(super) fn vault(&self) -> &str {
        self.vault.as_str()
    }

    /// Whether it is a whole vault.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.key_number.is_none()
    }

    /// Where it lies, below the folder of all vaults.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        let vault = PathBuf::from(self.vault.as_str());
        self.key_number.map_or_else(|| vault.clone(), |number| vault.join(number.to_string()))
    }

    fn key(&self) -> String {
        let vault = self.vault.as_str();
        self.key_number.map_or_else(|| vault.to_owned(), |number| format!("{vault}/{number}"))
    }
}

impl Records {
    /// Reads a user's vault; blocks on the disk.
    ///
    /// # Errors
    ///
    /// When the store cannot read it, or it is not what it should be.
    pub fn vault_blocking(&self, user: &UserName) -> Result<Option<VaultRecord>, LoadError> {
        self.get(VAULTS, user.as_str().as_bytes())
    }

    /// Keeps a user's vault.
    ///
    /// # Errors
    ///
    /// When the store does not commit.
    pub async fn keep_vault(&self, user: &UserName, vault: &VaultRecord) -> Result<(), KeepError> {
        self.commit(Batch::new().put(VAULTS, user.as_str().as_bytes(), json(vault)?)).await
    }

    /// Keeps a user's vault under another key, whose files lie in another directory, and what lies under the vault key with it.
    ///
    /// # Errors
    ///
    /// When the store does not commit.
    pub async fn switch_vault(
        &self,
        user: &UserName,
        vault: &VaultRecord,
        archive: Option<&ArchiveRecord>,
        old: &Doomed,
    ) -> Result<(), KeepError> {
        let mut batch = Batch::new().put(VAULTS, user.as_str().as_bytes(), json(vault)?);
        if let Some(archive) = archive {
            batch = batch.put(ARCHIVES, old.vault().as_bytes(), json(archive)?);
        }
        self.commit(doom(batch, old)?).await
    }

    /// Lists the directories that are to be destroyed; blocks on the disk.
    ///
    /// # Errors
    ///
    /// When the store cannot read them, or one is not what it should be.
    pub fn doomed_blocking(&self) -> Result<Vec<Doomed>, LoadError> {
        let records = self.store.scan(DOOMED).map_err(|source| LoadError::Read { source })?;
        records.iter().map(|(key, value)| parse(DOOMED, key, value)).collect()
    }

    /// Forgets a directory that is gone.
    ///
    /// # Errors
    ///
    /// When the store does not commit.
    pub async fn forget_doomed(&self, gone: &Doomed) -> Result<(), KeepError> {
        self.commit(Batch::new().delete(DOOMED, gone.key())).await
    }

    /// Keeps a vault in the place of another, which is put by under its id.
    ///
    /// # Errors
    ///
    /// When the store does not commit.
    pub async fn exchange_vault(
        &self,
        user: &UserName,
        old: (&str, &VaultRecord),
        new: &VaultRecord,
    ) -> Result<(), KeepError> {
        let put_by = PutBy { user: Some(user.clone()), vault: old.1.clone() };
        let batch = Batch::new().put(PUT_BY, old.0.as_bytes(), json(&put_by)?).put(
            VAULTS,
            user.as_str().as_bytes(),
            json(new)?,
        );
        self.commit(batch).await
    }
}
