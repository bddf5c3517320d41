//! Vaults of users: what only their user reads on a running box (docs/adr/0017-key-tree.md, docs/spec/storage.md).
//!
//! ```text
//! log-in, unlock ── record (store) ── password or recovery code ── open vault ── key to the kernel ── files
//! log-out, idle, stop, lock ───────── files in use end ──────────── key back from the kernel
//! ```
//!
//! A vault is open only in memory: after a restart its user types the password again, though the session lives on. The store is
//! the truth about documents, and one change or opening runs at a time. Whoever works on a vault's files holds a lease; locking
//! first lets nobody else in, waits for those leases, and then takes the key away. Files from a backup are opened before anybody is let in
//! ([`restored`]).

pub mod apps;
pub mod archive;
mod change;
pub mod directories;
mod doomed;
mod error;
pub mod files;
mod members;
pub mod record;
mod recovery;
pub mod restored;
mod rotation;
pub mod show;

pub use error::VaultError;
pub use rotation::Rotation;

use crate::accounts::Storage;
use crate::accounts::credentials::Password;
use crate::accounts::credentials::UserName;
use crate::accounts::password::Hasher;
use crate::records::Records;
use crate::records::Role;
use apps::AppsSecrets;
use backup::ArchiveKey;
use backup::Cancel;
use directories::Directories;
use record::VaultRecord;
use recovery::Shown;
use restored::Opening;
use restored::SEALED_FOLDER;
use rotation::Progress;
use std::collections::HashMap;
use std::error::Error;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::OwnedRwLockReadGuard;
use tokio::sync::RwLock;
use tokio::sync::watch;
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
    /// Only files that were in use when it was locked; nothing while its key is being changed; while it is being opened, those from a backup
    /// that are opened already.
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
    /// Why it could not be opened, or its key not be changed, at the last attempt with a right key, or which files from a backup could not be
    /// opened, in plain words.
    pub problem: Option<String>,
    /// How far the opening of files from a backup is, while that runs.
    pub opening: Option<restored::Progress>,
    /// How much is done of the change of its key, in percent.
    pub rotation: Option<u8>,
}

/// The vaults of all users.
#[derive(Debug)]
pub struct Vaults {
    storage: Storage,
    hasher: Hasher,
    folder: PathBuf,
    /// Files from a backup that wait for their vaults.
    sealed: PathBuf,
    directories: Arc<dyn Directories>,
    turn: tokio::sync::Mutex<()>,
    memory: Arc<Mutex<Memory>>,
    opened: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Memory {
    open: HashMap<UserName, Open>,
    /// Being opened, with files from a backup.
    opening: HashMap<UserName, Arc<Opening>>,
    /// Locked, with files still in use.
    busy: HashMap<UserName, PathBuf>,
    /// Left open by a run before, with files still in use.
    left_open: Vec<PathBuf>,
    shown: HashMap<UserName, Shown>,
    problems: HashMap<UserName, String>,
    rotating: HashMap<UserName, Arc<Progress>>,
    apps: watch::Sender<AppsSecrets>,
}

#[derive(Debug)]
struct Open {
    folder: PathBuf,
    lease: Arc<RwLock<()>>,
    /// Seals its files for the backups; nothing when it could not be had.
    archive: Option<ArchiveKey>,
    /// Stops who saves them now.
    saving: Option<Cancel>,
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
            sealed: folder.with_file_name(SEALED_FOLDER),
            folder,
            directories,
            turn: tokio::sync::Mutex::default(),
            memory: Arc::default(),
            opened: Arc::default(),
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
            _ if memory.rotating.contains_key(user) => VaultState::Busy,
            _ if memory.open.contains_key(user) => VaultState::Open,
            _ if memory.busy.contains_key(user) || memory.opening.contains_key(user) => VaultState::Busy,
            Some(_) => VaultState::Locked,
            None => VaultState::None,
        };
        Ok(Summary {
            state,
            has_code: record.is_some_and(|record| record.is_code_confirmed),
            is_waiting_for_confirmation: memory.shown.contains_key(user),
            problem: memory.problems.get(user).cloned(),
            rotation: memory.rotating.get(user).map(|progress| progress.percent()),
            opening: memory.opening.get(user).map(|opening| opening.progress()),
        })
    }

    /// Opens a user's vault with the password that they just logged in with. An owner who has none yet gets one; members have theirs from
    /// the beginning.
    ///
    /// # Errors
    ///
    /// [`VaultError::WrongKey`] when the vault has another password, because the account's was reset.
    pub async fn admit(&self, (user, role): (&UserName, Role), password: &str) -> Result<(), VaultError> {
        let _turn = self.turn.lock().await;
        if self.memory().is_shown(user) {
            return Ok(());
        }
        self.require_settled(user)?;
        let record = match self.record(user).await? {
            Some(record) => record,
            None if role == Role::Member => return Err(VaultError::None),
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
        self.require_settled(user)?;
        let record = self.record(user).await?.ok_or(VaultError::None)?;
        let (document, vault) = self.try_key(&record, key).await?;
        self.show(user, &document, &vault).await
    }

    /// Locks a user's vault, and from now on the data of their apps; nothing changes if it is locked.
    ///
    /// # Errors
    ///
    /// When the kernel does not take the key back.
    pub async fn lock(&self, user: &UserName) -> Result<Locking, VaultError> {
        let _turn = self.turn.lock().await;
        self.close_apps(user);
        self.lock_in_turn(user).await
    }

    /// Locks the files of a user who has gone; their apps run on.
    ///
    /// # Errors
    ///
    /// When the kernel does not take the key back.
    pub async fn lock_files(&self, user: &UserName) -> Result<Locking, VaultError> {
        let _turn = self.turn.lock().await;
        self.lock_in_turn(user).await
    }

    /// Locks the vaults of all users who are not present, and those that were in use when they were to be locked.
    pub async fn lock_absent(&self, is_present: impl Fn(&UserName) -> bool) {
        self.lock_left_open().await;
        let _turn = self.turn.lock().await;
        let absent: Vec<UserName> = {
            let memory = self.memory();
            let shown = memory.open.keys().chain(memory.opening.keys());
            let open = shown.filter(|user| !is_present(user));
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

    /// Destroys and locks what a run before did not come to; called before anybody is let in.
    pub async fn take_over(&self) {
        self.destroy_doomed().await;
        let (folder, sealed) = (self.folder.clone(), self.sealed.clone());
        drop(tokio::task::spawn_blocking(move || restored::remove_opened(&sealed)).await);
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
        let opening = self.memory().opening.remove(user);
        if let Some(opening) = &opening {
            opening.cancel.cancel();
            opening.ended().await;
        }
        let folder = {
            let mut memory = self.memory();
            memory.shown.remove(user);
            if let Some(progress) = memory.rotating.get(user) {
                progress.break_off();
            }
            let open = memory.open.remove(user);
            if let Some(saving) = open.as_ref().and_then(|open| open.saving.as_ref()) {
                saving.cancel();
            }
            let open = open.map(|open| (open.folder, Some(open.lease)));
            let open = open.or_else(|| opening.map(|opening| (opening.folder.clone(), None)));
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

    fn directory_of(&self, document: &VaultDocument) -> PathBuf {
        self.folder.join(document.user().as_str()).join(document.key_number().to_string())
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
        lock(&self.memory)
    }
}

impl Memory {
    fn is_shown(&self, user: &UserName) -> bool {
        self.open.contains_key(user) || self.opening.contains_key(user)
    }
}

fn lock(memory: &Mutex<Memory>) -> MutexGuard<'_, Memory> {
    // Every change is a single insertion or removal, so a panic leaves nothing half done.
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `<folder>/<vault>/<number>`, as far as they can be listed.
fn directories_below(folder: &Path) -> Vec<PathBuf> {
    folders_in(folder).iter().flat_map(|vault| folders_in(vault)).collect()
}

fn folders_in(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).into_iter().flatten().filter_map(Result::ok);
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}
