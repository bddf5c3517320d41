//! Members of the household and their vaults: they come and go together, and no password but their own opens one.

use super::Vaults;
use super::error::VaultError;
use super::record;
use crate::accounts::Accounts;
use crate::accounts::credentials::Password;
use crate::accounts::credentials::UserName;
use crate::records::Doomed;
use std::error::Error;

impl Vaults {
    /// Lets somebody in, with an empty vault that their first password opens.
    ///
    /// # Errors
    ///
    /// Why not: the name, the number of users, the store.
    pub async fn add_member(
        &self,
        accounts: &Accounts,
        name: &UserName,
        password: &Password,
    ) -> Result<(), VaultError> {
        let _turn = self.turn.lock().await;
        accounts.require_room(name)?;
        let typed = password.clone();
        let vault = self.hasher.in_turn(move || record::make(&typed)).await??;
        Ok(accounts.add_member(name, password, &vault).await?)
    }

    /// Gives a member another password. Their sessions end and their vault is locked: it has the password that it had, and opens with
    /// that or with their recovery code.
    ///
    /// # Errors
    ///
    /// Who it is, and why the password was not kept.
    pub async fn reset_member(
        &self,
        accounts: &Accounts,
        name: &UserName,
        password: &Password,
    ) -> Result<(), VaultError> {
        let _turn = self.turn.lock().await;
        let user = accounts.member(name)?;
        accounts.replace_password(user, password, None, None).await?;
        self.close_apps(name);
        self.lock_in_turn(name).await.map(|_locking| ())
    }

    /// Lets a member go. Their vaults, also one that they gave up, are destroyed with everything in them.
    ///
    /// # Errors
    ///
    /// Who it is, and why that was not kept. What could not be destroyed then is destroyed at the next start.
    pub async fn remove_member(&self, accounts: &Accounts, name: &UserName) -> Result<(), VaultError> {
        let _turn = self.turn.lock().await;
        let user = accounts.member(name)?;
        let doomed = self.vaults_of(name).await?;
        // Whoever still sends a file to it is waited for, as when it is locked; it goes all the same.
        self.close_apps(name);
        self.lock_in_turn(name).await?;
        accounts.remove_member(&user, &doomed).await?;
        self.forget(name);
        for vault in &doomed {
            if let Err(error) = self.destroy(vault).await {
                tracing::error!(error = &error as &dyn Error, "the vault of somebody who has gone is left");
            }
        }
        Ok(())
    }

    async fn vaults_of(&self, name: &UserName) -> Result<Vec<Doomed>, VaultError> {
        let (records, user) = (self.records()?.clone(), name.clone());
        let put_by = tokio::task::spawn_blocking(move || records.put_by_blocking(&user)).await??;
        let mut doomed = Vec::new();
        for record in self.record(name).await?.iter().chain(&put_by) {
            doomed.push(Doomed::vault_of(record.document()?.user()));
        }
        Ok(doomed)
    }

    /// Nothing of theirs is left for the next of that name.
    fn forget(&self, name: &UserName) {
        let mut memory = self.memory();
        memory.busy.remove(name);
        memory.problems.remove(name);
        memory.shown.remove(name);
    }
}
