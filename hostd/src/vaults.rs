//! Vaults of users: what only their user reads on a running box (docs/adr/0017-key-tree.md, docs/spec/storage.md).
//!
//! ```text
//! log-in, unlock ── record (store) ── password or recovery code ── open vault ── key to the kernel ── files
//! log-out, idle, stop, lock ───────── files in use end ──────────── key back from the kernel
//! ```
//!
//! A vault is open only in memory: after a restart its user types the password again, though the session lives on. The store is
//! the truth about documents, and one change or opening runs at a time. Whoever works on a vault's files holds a lease; locking
//! first lets nobody else in, waits for those leases, and then takes the key away.

mod change;
pub mod directories;
mod error;
pub mod files;
pub mod record;
mod recovery;

pub use error::VaultError;

use crate::accounts::Storage;
use crate::accounts::credentials::Password;
use crate::accounts::credentials::UserName;
use crate::accounts::password::Hasher;
use crate::records::Records;
use directories::Directories;
use record::VaultRecord;
use recovery::Shown;
use std::collections::HashMap;
use std::error::Error;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::sync::OwnedRwLockReadGuard;
use tokio::sync::RwLock;
use vault::Credential;
use vault::OpenVault;
use vault::VaultDocument;
use vault::directory::DirectoryError;
use vault::directory::Locking;

/// How long locking waits for files that are being sent or received. What is still in use then stays readable to its user only
/// for as long as that lasts, and locking is tried again.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often vaults of users who have gone are looked for.
pub const WATCH_EVERY: Duration = Duration::from_secs(60);

/// What a vault shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VaultState {
    /// Everything, to its user.
    Open,
    /// Nothing.
    Locked,
    /// Only files that were in use when it was locked.
    Busy,
    /// It is made when its user logs in next.
    None,
}

/// What may be told of a vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// What it shows.
    pub state: VaultState,
    /// Whether somebody has shown to have its recovery code on paper.
    pub has_code: bool,
    /// Whether a new code was shown whose end nobody has typed back yet.
    pub is_waiting_for_confirmation: bool,
    /// Why it could not be opened at the last attempt with a right key, in plain words.
    pub problem: Option<String>,
}

/// The vaults of all users.
#[derive(Debug)]
pub struct Vaults {
    storage: Storage,
    hasher: Hasher,
    folder: PathBuf,
    directories: Arc<dyn Directories>,
    turn: tokio::sync::Mutex<()>,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    open: HashMap<UserName, Open>,
    /// Locked, with files still in use.
    busy: HashMap<UserName, PathBuf>,
    /// Left open by a run before, with files still in use.
    left_open: Vec<PathBuf>,
    shown: HashMap<UserName, Shown>,
    problems: HashMap<UserName, String>,
}

#[derive(Debug)]
struct Open {
    folder: PathBuf,
    lease: Arc<RwLock<()>>,
}

/// The right to work on the files of an open vault; it is not locked while this lives.
#[derive(Debug)]
pub struct Lease {
    folder: PathBuf,
    _held: OwnedRwLockReadGuard<()>,
}

impl Lease {
    /// Where the files are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Vaults {
    /// Vaults whose directories lie in a folder.
    #[must_use]
    pub fn new(storage: Storage, hasher: Hasher, folder: PathBuf, directories: Arc<dyn Directories>) -> Self {
        Self {
            storage,
            hasher,
            folder,
            directories,
            turn: tokio::sync::Mutex::default(),
            memory: Mutex::default(),
        }
    }

    /// What may be told of a user's vault.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn summary(&self, user: &UserName) -> Result<Summary, VaultError> {
        let record = self.record(user).await?;
        let memory = self.memory();
        let state = match &record {
            _ if memory.open.contains_key(user) => VaultState::Open,
            _ if memory.busy.contains_key(user) => VaultState::Busy,
            Some(_) => VaultState::Locked,
            None => VaultState::None,
        };
        Ok(Summary {
            state,
            has_code: record.is_some_and(|record| record.is_code_confirmed),
            is_waiting_for_confirmation: memory.shown.contains_key(user),
            problem: memory.problems.get(user).cloned(),
        })
    }

    /// Opens a user's vault with the password that they just logged in with. Who has none yet gets one.
    ///
    /// # Errors
    ///
    /// [`VaultError::WrongKey`] when the vault has another password, because the account's was reset.
    pub async fn admit(&self, user: &UserName, password: &str) -> Result<(), VaultError> {
        let _turn = self.turn.lock().await;
        if self.memory().open.contains_key(user) {
            return Ok(());
        }
        let record = match self.record(user).await? {
            Some(record) => record,
            None => {
                // Older than vaults, so of any length that a password had.
                let Ok(password) = Password::try_from(password.to_owned()) else {
                    return Err(VaultError::None);
                };
                let record = self.hasher.in_turn(move || record::make(&password)).await??;
                self.records()?.keep_vault(user, &record).await?;
                record
            }
        };
        let (document, vault) = self.try_key(&record, Box::new(vault::Password::new(password))).await?;
        self.show(user, &document, &vault).await
    }

    /// Opens a user's vault with a key that they typed.
    ///
    /// # Errors
    ///
    /// [`VaultError::WrongKey`], [`VaultError::None`], and why its files cannot be shown.
    pub async fn unlock(&self, user: &UserName, key: Box<dyn Credential + Send>) -> Result<(), VaultError> {
        let _turn = self.turn.lock().await;
        let record = self.record(user).await?.ok_or(VaultError::None)?;
        let (document, vault) = self.try_key(&record, key).await?;
        self.show(user, &document, &vault).await
    }

    /// Locks a user's vault; nothing changes if it is locked.
    ///
    /// # Errors
    ///
    /// When the kernel does not take the key back.
    pub async fn lock(&self, user: &UserName) -> Result<Locking, VaultError> {
        let _turn = self.turn.lock().await;
        self.lock_in_turn(user).await
    }

    /// Locks the vaults of all users who are not present, and those that were in use when they were to be locked.
    pub async fn lock_absent(&self, is_present: impl Fn(&UserName) -> bool) {
        self.lock_left_open().await;
        let _turn = self.turn.lock().await;
        let absent: Vec<UserName> = {
            let memory = self.memory();
            let open = memory.open.keys().filter(|user| !is_present(user));
            open.chain(memory.busy.keys()).cloned().collect()
        };
        for user in absent {
            match self.lock_in_turn(&user).await {
                Ok(Locking::Locked) => tracing::info!("a vault was locked"),
                Ok(Locking::Busy) => tracing::warn!("a vault is locked, and files of it are still in use"),
                Err(error) => tracing::error!(error = &error as &dyn Error, "a vault could not be locked"),
            }
        }
    }

    /// Takes back the keys of a run before that did not come to it; called before anybody is let in.
    pub async fn lock_all(&self) {
        let folder = self.folder.clone();
        match tokio::task::spawn_blocking(move || directories_below(&folder)).await {
            Ok(left) => self.memory().left_open = left,
            Err(error) => tracing::error!(error = &error as &dyn Error, "the vaults could not be listed"),
        }
        self.lock_left_open().await;
    }

    /// Those that are still in use stay listed.
    async fn lock_left_open(&self) {
        let _turn = self.turn.lock().await;
        let left = std::mem::take(&mut self.memory().left_open);
        let directories = Arc::clone(&self.directories);
        let closed = tokio::task::spawn_blocking(move || {
            let mut busy = Vec::new();
            for path in left {
                match directories.close(&path) {
                    // Nothing is in a plain one: it was being made when the power went.
                    Ok(Locking::Locked) | Err(DirectoryError::Plain { .. }) => {}
                    Ok(Locking::Busy) => {
                        tracing::warn!("a vault is locked, and files of it are still in use");
                        busy.push(path);
                    }
                    Err(error) => {
                        tracing::error!(error = &error as &dyn Error, "a vault could not be locked");
                    }
                }
            }
            busy
        });
        match closed.await {
            Ok(busy) => self.memory().left_open = busy,
            Err(error) => tracing::error!(error = &error as &dyn Error, "locking vaults ended early"),
        }
    }

    /// Lets somebody work on the files of a user's vault.
    ///
    /// # Errors
    ///
    /// [`VaultError::Locked`].
    pub fn enter(&self, user: &UserName) -> Result<Lease, VaultError> {
        let memory = self.memory();
        let open = memory.open.get(user).ok_or(VaultError::Locked)?;
        let held = Arc::clone(&open.lease).try_read_owned().map_err(|_locking| VaultError::Locked)?;
        Ok(Lease { folder: open.folder.clone(), _held: held })
    }

    async fn lock_in_turn(&self, user: &UserName) -> Result<Locking, VaultError> {
        let folder = {
            let mut memory = self.memory();
            memory.shown.remove(user);
            let open = memory.open.remove(user);
            let open = open.map(|open| (open.folder, Some(open.lease)));
            open.or_else(|| memory.busy.get(user).map(|folder| (folder.clone(), None)))
        };
        let Some((folder, lease)) = folder else { return Ok(Locking::Locked) };
        self.memory().busy.insert(user.clone(), folder.clone());
        if let Some(lease) = lease {
            // Late or not: the key goes, and the kernel says whether something is still in use.
            drop(tokio::time::timeout(PATIENCE, lease.write()).await);
        }
        let directories = Arc::clone(&self.directories);
        let closed = tokio::task::spawn_blocking(move || directories.close(&folder)).await??;
        if closed == Locking::Locked {
            self.memory().busy.remove(user);
        }
        Ok(closed)
    }

    /// Opens the document; nothing is shown yet.
    async fn try_key(
        &self,
        record: &VaultRecord,
        key: Box<dyn Credential + Send>,
    ) -> Result<(VaultDocument, OpenVault), VaultError> {
        let document = record.document()?;
        let opened = self.hasher.in_turn(move || document.open(&*key).map(|vault| (document, vault))).await?;
        opened.map_err(VaultError::from)
    }

    /// Shows the files of a vault that was opened.
    async fn show(
        &self,
        user: &UserName,
        document: &VaultDocument,
        vault: &OpenVault,
    ) -> Result<(), VaultError> {
        let folder = self.folder.join(document.user().as_str()).join(document.key_number().to_string());
        let (directories, key, path) =
            (Arc::clone(&self.directories), vault.current().clone(), folder.clone());
        // Where it is open already, somebody may be writing.
        let is_open = self.memory().open.contains_key(user);
        let shown = tokio::task::spawn_blocking(move || {
            directories.open(&path, &key)?;
            if !is_open {
                files::remove_asides(&path)?;
            }
            Ok::<_, VaultError>(())
        });
        let shown = shown.await.map_err(VaultError::from).flatten();
        let mut memory = self.memory();
        match &shown {
            Ok(()) => {
                memory.problems.remove(user);
                memory.busy.remove(user);
                memory.left_open.retain(|left| *left != folder);
                memory.open.entry(user.clone()).or_insert_with(|| Open { folder, lease: Arc::default() });
            }
            Err(error) => {
                memory.problems.insert(user.clone(), error::chain(error));
            }
        }
        shown
    }

    async fn record(&self, user: &UserName) -> Result<Option<VaultRecord>, VaultError> {
        let (records, user) = (self.records()?.clone(), user.clone());
        Ok(tokio::task::spawn_blocking(move || records.vault_blocking(&user)).await??)
    }

    fn records(&self) -> Result<&Records, VaultError> {
        match &self.storage {
            Storage::Usable(records) => Ok(records),
            Storage::Unavailable { reason } => Err(VaultError::StorageUnavailable { reason: reason.clone() }),
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // Every change is a single insertion or removal, so a panic leaves nothing half done.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `<folder>/<vault>/<number>`, as far as they can be listed.
fn directories_below(folder: &Path) -> Vec<PathBuf> {
    let list = |path: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(path).into_iter().flatten().filter_map(Result::ok);
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
    };
    list(folder).iter().flat_map(|vault| list(vault)).collect()
}
