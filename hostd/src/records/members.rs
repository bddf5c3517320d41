//! Members of the household, as they are kept: account and vault come and go in one commit.

use super::KeepError;
use super::LoadError;
use super::MEMBERS;
use super::Records;
use super::User;
use super::VAULTS;
use super::archives::ARCHIVES;
use super::json;
use super::parse;
use super::vaults::Doomed;
use super::vaults::PUT_BY;
use super::vaults::PutBy;
use super::vaults::doom;
use super::without_sessions;
use crate::accounts::credentials::UserName;
use crate::accounts::session::TokenHash;
use crate::vaults::record::VaultRecord;
use store::Batch;
use store::CommitError;

/// Somebody new.
#[derive(Debug)]
pub struct Member<'a> {
    /// Their account.
    pub user: &'a User,
    /// Their vault.
    pub vault: &'a VaultRecord,
}

impl Records {
    /// Keeps a new member and their vault, or nothing.
    ///
    /// # Errors
    ///
    /// [`KeepError::UserExists`] when a member of that name is kept, and when the store does not commit.
    pub async fn keep_member(&self, new: Member<'_>) -> Result<(), KeepError> {
        let name = new.user.name.as_str().as_bytes();
        let batch = Batch::new().require_absent(MEMBERS, name).put(MEMBERS, name, json(new.user)?).put(
            VAULTS,
            name,
            json(new.vault)?,
        );
        match self.commit(batch).await {
            Err(KeepError::Commit { source: CommitError::Precondition { .. } }) => Err(KeepError::UserExists),
            other => other,
        }
    }

    /// Removes a member with their sessions and the documents of their vaults, and dooms the directories of these.
    ///
    /// # Errors
    ///
    /// When the store does not commit.
    pub async fn remove_member(
        &self,
        name: &UserName,
        ended: &[TokenHash],
        vaults: &[Doomed],
    ) -> Result<(), KeepError> {
        let key = name.as_str().as_bytes();
        let mut batch = Batch::new().delete(MEMBERS, key).delete(VAULTS, key);
        for vault in vaults {
            batch = doom(batch.delete(PUT_BY, vault.vault()).delete(ARCHIVES, vault.vault()), vault)?;
        }
        self.commit(without_sessions(batch, ended)).await
    }

    /// Lists the vaults of a user that were put by; blocks on the disk.
    ///
    /// # Errors
    ///
    /// When the store cannot read them, or one is not what it should be.
    pub fn put_by_blocking(&self, user: &UserName) -> Result<Vec<VaultRecord>, LoadError> {
        let records = self.store.scan(PUT_BY).map_err(|source| LoadError::Read { source })?;
        let mut theirs = Vec::new();
        for (key, value) in records {
            let put_by: PutBy = parse(PUT_BY, &key, &value)?;
            theirs.extend((put_by.user.as_ref() == Some(user)).then_some(put_by.vault));
        }
        Ok(theirs)
    }

    pub(super) fn members(&self) -> Result<Vec<User>, LoadError> {
        let records = self.store.scan(MEMBERS).map_err(|source| LoadError::Read { source })?;
        records.iter().map(|(key, value)| parse(MEMBERS, key, value)).collect()
    }
}
