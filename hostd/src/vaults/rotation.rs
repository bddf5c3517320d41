//! Another vault key, while the box is used.
//!
//! ```text
//! new directory, files copied into it, all on the disk ── one commit: document under the new key, old directory doomed
//!     └─ until here nothing has changed                       └─ old directory destroyed ── forgotten
//! ```
//!
//! The document never lies in the store with two keys: it is changed twice in memory and kept once. A rotation that ends before the
//! commit was none; its directory is removed at once, or when the vault is opened next. One that ends after it is finished at the next start.
//! Nobody else has files of the vault open meanwhile, and whoever locks it breaks the rotation off.

#[cfg(test)]
mod tests;

use super::PATIENCE;
use super::Vaults;
use super::archive::ArchiveError;
use super::archive::ArchiveRecord;
use super::error;
use super::error::VaultError;
use super::files::FileError;
use super::files::PrivateFile;
use super::files::copying;
use super::files::copying::Copied;
use super::record;
use super::record::VaultRecord;
use crate::accounts::Accounts;
use crate::accounts::credentials::UserName;
use crate::records::Doomed;
use crate::records::KeepError;
use std::error::Error;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use store::CommitError;
use tokio::sync::OwnedRwLockWriteGuard;
use tokio::sync::watch;
use vault::OpenVault;
use vault::VaultKey;

/// Room that must be left beside the copies, in bytes: a disk with less counts as full (docs/spec/storage.md, "Health of the disk").
const SPARE: u64 = 64 << 20;

/// How far a rotation is, and the way to break it off.
#[derive(Debug)]
pub(super) struct Progress {
    total: u64,
    done: AtomicU64,
    broken_off: watch::Sender<bool>,
}

/// A rotation that has begun: nothing has changed yet, and nobody else works on the files.
#[derive(Debug)]
pub struct Rotation {
    user: UserName,
    before: VaultRecord,
    after: VaultRecord,
    old: PathBuf,
    new: PathBuf,
    key: VaultKey,
    /// The key of the files in backups, wrapped anew; nothing when there is none.
    archive: Option<ArchiveRecord>,
    doomed: Doomed,
    files: Vec<PrivateFile>,
    progress: Arc<Progress>,
    held: OwnedRwLockWriteGuard<()>,
}

impl Progress {
    fn new(total: u64) -> Self {
        Self { total, done: AtomicU64::default(), broken_off: watch::Sender::new(false) }
    }

    /// From 0 to 100.
    pub(super) fn percent(&self) -> u8 {
        let done = self.done.load(Ordering::Relaxed).min(self.total);
        let percent = done.saturating_mul(100).checked_div(self.total).unwrap_or(0);
        u8::try_from(percent).unwrap_or(100)
    }

    /// Ends it, if what it does can still be left.
    pub(super) fn break_off(&self) {
        self.broken_off.send_replace(true);
    }

    fn goes_on(&self) -> bool {
        !*self.broken_off.borrow()
    }

    async fn ends(&self) {
        // The sender lives as long as this.
        drop(self.broken_off.subscribe().wait_for(|is_over| *is_over).await);
    }
}

impl Vaults {
    /// Begins to change a user's vault key; [`Self::rotate`] does it.
    ///
    /// # Errors
    ///
    /// [`VaultError::Locked`], [`VaultError::WrongKey`], [`VaultError::Rotating`], [`VaultError::InUse`], [`FileError::Full`], and
    /// what limits tries.
    pub async fn begin_rotation(
        &self,
        accounts: &Accounts,
        (user, from): (&UserName, IpAddr),
        password: &str,
    ) -> Result<Rotation, VaultError> {
        let _turn = self.turn.lock().await;
        self.require_settled(user)?;
        let (old, lease) = {
            let memory = self.memory();
            let open = memory.open.get(user).ok_or(VaultError::Locked)?;
            (open.folder.clone(), Arc::clone(&open.lease))
        };
        let before = self.record(user).await?.ok_or(VaultError::None)?;
        accounts.count_try(user.as_str(), from)?;
        let (document, vault) = self.try_key(&before, Box::new(vault::Password::new(password))).await?;
        accounts.was_right(user.as_str(), from);
        let (next, rotated) = record::rotate(&document, &vault)?;
        let archive = self.archive_under(&vault, &rotated).await?;
        let held = tokio::time::timeout(PATIENCE, lease.write_owned()).await;
        let held = held.map_err(|_elapsed| VaultError::InUse)?;
        let (directories, folder) = (Arc::clone(&self.directories), old.clone());
        let files = tokio::task::spawn_blocking(move || {
            let files = copying::inventory(&folder)?;
            let needed = copying::room_of(&files).saturating_add(SPARE);
            if directories.room(&folder)? < needed {
                return Err(FileError::Full.into());
            }
            Ok::<_, VaultError>(files)
        });
        let files = files.await??;
        let progress = Arc::new(Progress::new(files.iter().map(|file| file.bytes).sum()));
        let mut memory = self.memory();
        memory.rotating.insert(user.clone(), Arc::clone(&progress));
        memory.problems.remove(user);
        // It was made for a document that is about to go.
        memory.shown.remove(user);
        Ok(Rotation {
            user: user.clone(),
            after: VaultRecord::of(&next, before.is_code_confirmed),
            before,
            new: self.directory_of(&next),
            old,
            key: rotated.current().clone(),
            archive,
            doomed: Doomed::directory(document.user(), document.key_number()),
            files,
            progress,
            held,
        })
    }

    /// Changes the key, or leaves everything as before and says why in what is told of the vault.
    pub async fn rotate(&self, rotation: Rotation) {
        let ended = match self.copy(&rotation).await {
            Ok(()) => self.switch(&rotation).await,
            Err(error) => Err(error),
        };
        let user = rotation.user.clone();
        match ended {
            Ok(()) => {
                tracing::info!("a vault has another key");
                if let Err(error) = self.destroy(&rotation.doomed).await {
                    tracing::error!(error = &error as &dyn Error, "the directory under the old key is left");
                }
            }
            Err(error) if is_in_doubt(&error) => {
                tracing::error!(
                    error = &error as &dyn Error,
                    "whether a vault has another key shows at the next start"
                );
                return self.leave(&user, &rotation).await;
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn Error, "the key of a vault stays");
                let problem = format!("the key was not changed: {}", error::chain(&error));
                self.memory().problems.insert(user.clone(), problem);
                // Whoever wants it locked need not wait for what follows.
                drop(rotation.held);
                self.remove_directory(rotation.new).await;
            }
        }
        self.memory().rotating.remove(&user);
    }

    /// What seals the files in backups stays the same key; one that does not open with the vault is left as it is.
    async fn archive_under(
        &self,
        old: &OpenVault,
        new: &OpenVault,
    ) -> Result<Option<ArchiveRecord>, VaultError> {
        let (records, id) = (self.records()?.clone(), old.user().as_str().to_owned());
        let kept = tokio::task::spawn_blocking(move || records.archive_blocking(&id)).await??;
        let rewrapped = kept.map(|kept| kept.rewrap(old, new)).transpose();
        match rewrapped {
            Err(ArchiveError::NotOfVault) => Ok(None),
            rewrapped => Ok(rewrapped?),
        }
    }

    async fn copy(&self, rotation: &Rotation) -> Result<(), VaultError> {
        let (directories, key) = (Arc::clone(&self.directories), rotation.key.clone());
        let (old, new) = (rotation.old.clone(), rotation.new.clone());
        let (files, progress) = (rotation.files.clone(), Arc::clone(&rotation.progress));
        let copied = tokio::task::spawn_blocking(move || {
            // Another attempt may have left one, under a key that nobody has.
            directories.destroy(&new)?;
            directories.open(&new, &key)?;
            let mut goes_on = |bytes| {
                progress.done.fetch_add(bytes, Ordering::Relaxed);
                progress.goes_on()
            };
            for file in &files {
                if !goes_on(0) || directories.copy(&old, &new, file, &mut goes_on)? == Copied::BrokenOff {
                    return Err(VaultError::BrokenOff);
                }
            }
            directories.settle(&new).map_err(VaultError::from)
        });
        copied.await?
    }

    async fn switch(&self, rotation: &Rotation) -> Result<(), VaultError> {
        let user = &rotation.user;
        // Whoever locks the vault has the turn and waits for this to end.
        let _turn = tokio::select! {
            turn = self.turn.lock() => turn,
            () = rotation.progress.ends() => return Err(VaultError::BrokenOff),
        };
        if !rotation.progress.goes_on() {
            return Err(VaultError::BrokenOff);
        }
        if self.record(user).await?.as_ref() != Some(&rotation.before) {
            return Err(VaultError::Changed);
        }
        let archive = rotation.archive.as_ref();
        self.records()?.switch_vault(user, &rotation.after, archive, &rotation.doomed).await?;
        if let Some(open) = self.memory().open.get_mut(user) {
            open.folder.clone_from(&rotation.new);
        }
        Ok(())
    }

    /// Nobody may write into either directory before the next start has read which one counts, so the rotation never ends in this run.
    async fn leave(&self, user: &UserName, rotation: &Rotation) {
        {
            let mut memory = self.memory();
            memory.open.remove(user);
            let problem = "whether its key was changed is known when the box was started again";
            memory.problems.insert(user.clone(), problem.to_owned());
            memory.left_open.extend([rotation.old.clone(), rotation.new.clone()]);
        }
        self.lock_left_open().await;
    }

    /// The key cannot be changed, nor anything that depends on it, while it is being changed.
    pub(super) fn require_settled(&self, user: &UserName) -> Result<(), VaultError> {
        if self.memory().rotating.contains_key(user) { Err(VaultError::Rotating) } else { Ok(()) }
    }

    async fn remove_directory(&self, path: PathBuf) {
        let directories = Arc::clone(&self.directories);
        let removed = tokio::task::spawn_blocking(move || directories.destroy(&path)).await;
        if let Err(error) = removed.map_err(VaultError::from).and_then(|removed| Ok(removed?)) {
            tracing::warn!(
                error = &error as &dyn Error,
                "an unfinished directory is left until the vault is opened"
            );
        }
    }
}

/// Whether the store may have kept the change all the same.
fn is_in_doubt(error: &VaultError) -> bool {
    matches!(
        error,
        VaultError::Keep(
            KeepError::Commit { source: CommitError::Unconfirmed { .. } } | KeepError::Thread { .. }
        )
    )
}
