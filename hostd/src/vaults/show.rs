//! Showing the files of a vault that was opened, and letting a backup at them.

use super::Lease;
use super::Memory;
use super::Open;
use super::Vaults;
use super::archive;
use super::doomed;
use super::error;
use super::error::VaultError;
use super::files;
use super::lock;
use super::restored;
use super::restored::Ends;
use super::restored::Opening;
use crate::accounts::credentials::UserName;
use crate::backups::error::chain;
use backup::ArchiveKey;
use backup::Cancel;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::MutexGuard;
use std::time::Duration;
use tokio::sync::Notify;
use vault::OpenVault;
use vault::VaultDocument;
use vault::directory::Outcome;

/// How long who unlocks a vault waits for files from a backup; what takes longer goes on by itself.
const AT_ONCE: Duration = Duration::from_secs(5);

/// The right to save the files of an open vault.
#[derive(Debug)]
pub struct Saving {
    /// Where they are.
    pub lease: Lease,
    /// Seals them.
    pub key: ArchiveKey,
    /// Whether all that is the user's is in there: nothing from an earlier backup is left that did not open.
    pub is_whole: bool,
}

impl Vaults {
    /// Told whenever a vault was opened.
    #[must_use]
    pub fn opened(&self) -> Arc<Notify> {
        Arc::clone(&self.opened)
    }

    /// Whose vaults are open.
    #[must_use]
    pub fn open_users(&self) -> Vec<UserName> {
        self.memory().open.keys().cloned().collect()
    }

    /// Lets a backup at the files of an open vault, as long as it is not to be locked: then the backup is cancelled. `vault` is its id.
    ///
    /// # Errors
    ///
    /// [`VaultError::Locked`], and that its key could not be had.
    pub fn enter_to_save(&self, user: &UserName, vault: &str, cancel: &Cancel) -> Result<Saving, VaultError> {
        let lease = self.enter(user)?;
        let mut memory = self.memory();
        let open = memory.open.get_mut(user).ok_or(VaultError::Locked)?;
        // Another vault may have taken the place of the one that was asked for.
        if lease.folder().parent() != Some(&self.folder.join(vault)) {
            return Err(VaultError::Locked);
        }
        let key = open.archive.clone().ok_or(archive::ArchiveError::NotOfVault)?;
        open.saving = Some(cancel.clone());
        Ok(Saving { lease, key, is_whole: !self.sealed.join(vault).exists() })
    }

    /// Shows the files of a vault that was opened.
    pub(super) async fn show(
        &self,
        user: &UserName,
        document: &VaultDocument,
        vault: &OpenVault,
    ) -> Result<(), VaultError> {
        let folder = self.directory_of(document);
        let (directories, key, path) =
            (Arc::clone(&self.directories), vault.current().clone(), folder.clone());
        // Where it is open already, somebody may be writing.
        let is_shown = self.memory().is_shown(user);
        let shown = tokio::task::spawn_blocking(move || {
            let outcome = directories.open(&path, &key)?;
            if !is_shown {
                files::remove_asides(&path)?;
            }
            // Beside one that has just been made nothing is removed: where the store has lost a change, the files are there.
            if !is_shown && outcome == Outcome::Unchanged {
                doomed::remove_others(&*directories, &path).unwrap_or_else(|error| {
                    tracing::warn!(
                        error = &error as &dyn Error,
                        "an unfinished directory of a vault is left"
                    );
                });
            }
            Ok::<_, VaultError>(())
        });
        if let Err(error) = shown.await.map_err(VaultError::from).flatten() {
            self.memory().problems.insert(user.clone(), error::chain(&error));
            return Err(error);
        }
        if is_shown {
            return Ok(());
        }
        let archive = self.archive_key(vault).await;
        let sealed = self.sealed.join(document.user().as_str());
        let waits = tokio::fs::try_exists(&sealed).await.unwrap_or(true);
        {
            let mut memory = self.memory();
            memory.problems.remove(user);
            memory.busy.remove(user);
            memory.left_open.retain(|left| *left != folder);
        }
        match archive {
            Ok(key) if waits => self.open_restored(user, folder, sealed, key).await,
            Ok(key) => self.let_in(user, folder, Some(key), None),
            Err(error) => {
                tracing::error!(error = &error as &dyn Error, "private files cannot be saved or restored");
                self.let_in(user, folder, None, Some(error::chain(&error)));
            }
        }
        Ok(())
    }

    fn let_in(&self, user: &UserName, folder: PathBuf, archive: Option<ArchiveKey>, problem: Option<String>) {
        self.memory().let_in(user, folder, archive, problem);
        self.opened.notify_one();
    }

    /// Opens files from a backup first. Small ones are there when this returns, others go on by themselves.
    async fn open_restored(&self, user: &UserName, folder: PathBuf, sealed: PathBuf, key: ArchiveKey) {
        let opening = Arc::new(Opening::new(folder.clone()));
        self.memory().opening.insert(user.clone(), Arc::clone(&opening));
        let (memory, opened, user) = (Arc::clone(&self.memory), Arc::clone(&self.opened), user.clone());
        let task = tokio::task::spawn_blocking(move || {
            let ends = Ends(opening);
            let done = restored::open_all(&sealed, &key, &ends.0);
            let problem = done.err().map(|error| {
                tracing::warn!("not all private files from a backup were opened");
                chain(&error)
            });
            let mut memory: MutexGuard<'_, Memory> = lock(&memory);
            // Not there any more: it is to be locked.
            if memory.opening.remove(&user).is_some() {
                memory.let_in(&user, folder, Some(key), problem);
                opened.notify_one();
            }
        });
        drop(tokio::time::timeout(AT_ONCE, task).await);
    }

    /// The key of a vault's archive, made when there is none, and moved under the vault key of now.
    async fn archive_key(&self, vault: &OpenVault) -> Result<ArchiveKey, VaultError> {
        let id = vault.user().as_str().to_owned();
        let records = self.records()?.clone();
        let reader = records.clone();
        let name = id.clone();
        let kept = tokio::task::spawn_blocking(move || reader.archive_blocking(&name)).await??;
        let (key, record) = match kept {
            Some(kept) if kept.is_under_current(vault) => return Ok(kept.open(vault)?),
            Some(kept) => (kept.open(vault)?, kept.rewrap(vault, vault)?),
            None => archive::make(vault)?,
        };
        records.keep_archive(&id, &record).await?;
        Ok(key)
    }
}

impl Memory {
    fn let_in(
        &mut self,
        user: &UserName,
        folder: PathBuf,
        archive: Option<ArchiveKey>,
        problem: Option<String>,
    ) {
        if let Some(problem) = problem {
            self.problems.insert(user.clone(), problem);
        }
        if let Some(archive) = &archive {
            let secret = archive.secret_of_apps();
            self.apps.send_modify(|secrets| secrets.insert(user.clone(), secret));
        }
        let open = Open { folder, lease: Arc::default(), archive, saving: None };
        self.open.entry(user.clone()).or_insert(open);
    }
}
