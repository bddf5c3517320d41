//! What hostd keeps in its store: which tables there are, what a record of each is, and which change together.
//!
//! | table | key | value |
//! |---|---|---|
//! | `household` | `authority`, `leaf` | certificates with their keys |
//! | `household` | `owner` | name of the owner; its presence *is* "set up" |
//! | `household` | `host_name` | chosen name of the box |
//! | `users` | name | [`User`], the owner |
//! | `members` | name | [`User`], a member |
//! | `sessions` | SHA-256 of the token | [`Session`] of the owner |
//! | `member_sessions` | SHA-256 of the token | [`Session`] of a member |
//! | `time` | `ledger` | [`Ledger`] |
//! | `vaults` | name of the user | [`VaultRecord`] |
//! | `backups` | `key` | `BackupKeyRecord` |
//! | `backups` | `kept` | `BackupsRecord`: settings, and how it went |
//! | `private_archives` | id of the vault | `ArchiveRecord`: the key of its files in backups, wrapped |
//! | `vaults_put_by` | id of the vault | [`VaultRecord`] of a vault that nobody could open any more when its user began anew |
//! | `vaults_doomed` | id of a vault, or that, a slash and the number of a vault key | [`Doomed`]: directories that are to be destroyed |
//! | `updates` | `kept` | `UpdatesRecord`: settings, and how updates went |
//! | `update_logs` | number of the update, 4 bytes, big-endian | the last log lines of the system that failed |
//! | `apps` | key of the app | `AppRecord`: whose it is, what runs, what is being done to it |
//!
//! Values are JSON. Everything is read once at start, and later reads come from memory; vaults are read when they are opened.
//!
//! This is schema 1. A change that older programs would misread is a step in [`migrations`]. Members have tables of their own because
//! programs from before them read all sessions, and know no role but the owner's: they leave these alone.

mod apps;
mod archives;
mod backups;
mod members;
mod registries;
mod updates;
mod vaults;

pub use backups::BackupKeyRecord;
pub use backups::BackupsRecord;
pub(crate) use backups::EXPORTED_AS;
pub use backups::Ended;
pub use backups::ExportError;
pub use backups::PrivateRecord;
pub use members::Member;
pub use updates::UpdatesRecord;
pub use vaults::Doomed;

use crate::accounts::credentials::UserName;
use crate::accounts::password::StoredHash;
use crate::accounts::session::Session;
use crate::accounts::session::TokenHash;
use crate::clock::Ledger;
use crate::household::authority::StoredAuthority;
use crate::household::leaf::Leaf;
use crate::vaults::record::VaultRecord;
use model::names::HostName;
use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use store::Batch;
use store::CommitError;
use store::Migrations;
use store::ReadError;
use store::SledStore;
use store::Store;
use tokio::sync::Mutex;
use tokio::sync::watch;

const HOUSEHOLD: &str = "household";
const USERS: &str = "users";
const MEMBERS: &str = "members";
const SESSIONS: &str = "sessions";
const MEMBER_SESSIONS: &str = "member_sessions";
const TIME: &str = "time";
const VAULTS: &str = "vaults";
const OWNER: &[u8] = b"owner";
const HOST_NAME: &[u8] = b"host_name";
const AUTHORITY: &[u8] = b"authority";
const LEAF: &[u8] = b"leaf";
const LEDGER: &[u8] = b"ledger";

/// Returns the schemas of these records that this program knows.
pub fn migrations() -> Migrations {
    Migrations::new()
}

/// What a user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Owner,
    /// Whatever concerns nobody else: their own account, and their vault.
    Member,
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Name to log in with.
    pub name: UserName,
    /// What they may do.
    pub role: Role,
    /// Hash of the password.
    pub password: StoredHash,
}

/// Everything that was kept.
#[derive(Debug, Default)]
pub struct Kept {
    /// The household authority.
    pub authority: Option<StoredAuthority>,
    /// The box's own certificate.
    pub leaf: Option<Leaf>,
    /// The owner, when the box is set up.
    pub owner: Option<User>,
    /// Everybody else who may log in.
    pub members: Vec<User>,
    /// The chosen name.
    pub host_name: Option<HostName>,
    /// Logged-in sessions.
    pub sessions: Vec<(TokenHash, Session)>,
    /// Passage of time.
    pub ledger: Ledger,
}

/// Why records could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The store could not read them.
    #[error("read what was kept")]
    Read {
        /// Why.
        #[source]
        source: ReadError,
    },
    /// A record is not what it should be.
    #[error("understand the record {key} of table {table}")]
    Malformed {
        /// Table of the record.
        table: &'static str,
        /// Its key.
        key: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The owner is named and their user record is not there.
    #[error("find the user record of the owner")]
    OwnerWithoutRecord,
}

/// Why records could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The box is set up already (only when a set-up is kept).
    #[error("an owner exists already")]
    AlreadySetUp,
    /// There is a user of that name (only when a member is kept).
    #[error("a user of that name exists already")]
    UserExists,
    /// The store did not commit.
    #[error("commit to the store")]
    Commit {
        /// Why.
        #[source]
        source: CommitError,
    },
    /// A value cannot be written as JSON.
    #[error("write a record as JSON")]
    Encode {
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The store panicked.
    #[error("wait for the store")]
    Thread {
        /// The runtime's account.
        #[source]
        source: tokio::task::JoinError,
    },
}

/// The records of one store.
#[derive(Clone)]
pub struct Records {
    store: Arc<dyn Store>,
    /// The same, where it can be exported.
    exported: Option<Arc<SledStore>>,
    /// Set once the store refuses all further commits.
    stopped: Arc<watch::Sender<bool>>,
    /// Set once another store is to take this one's place.
    retired: Arc<AtomicBool>,
    /// Held by the commit that runs; one whose task was ended runs on.
    turn: Arc<Mutex<()>>,
}

impl std::fmt::Debug for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Records(…)")
    }
}

/// What one set-up changes, all at once.
#[derive(Debug)]
pub struct SetUp<'a> {
    /// The new owner.
    pub owner: &'a User,
    /// The chosen name.
    pub host_name: &'a HostName,
    /// Their first session.
    pub session: (&'a TokenHash, &'a Session),
    /// Their vault.
    pub vault: &'a VaultRecord,
}

impl Records {
    /// Keeps records in this store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, exported: None, stopped: Arc::default(), retired: Arc::default(), turn: Arc::default() }
    }

    /// Keeps records in a store that backups are made of.
    #[must_use]
    pub fn in_sled(store: Arc<SledStore>) -> Self {
        let exported = Some(Arc::clone(&store));
        Self { store, exported, stopped: Arc::default(), retired: Arc::default(), turn: Arc::default() }
    }

    /// Reads everything; blocks on the disk.
    ///
    /// # Errors
    ///
    /// When the store cannot read a record, or a record is not what it should be.
    pub fn load_blocking(&self) -> Result<Kept, LoadError> {
        let owner_name: Option<UserName> = self.get(HOUSEHOLD, OWNER)?;
        let owner = match owner_name {
            Some(name) => {
                Some(self.get(USERS, name.as_str().as_bytes())?.ok_or(LoadError::OwnerWithoutRecord)?)
            }
            None => None,
        };
        Ok(Kept {
            authority: self.get(HOUSEHOLD, AUTHORITY)?,
            leaf: self.get(HOUSEHOLD, LEAF)?,
            owner,
            members: self.members()?,
            host_name: self.get(HOUSEHOLD, HOST_NAME)?,
            sessions: self.sessions()?,
            ledger: self.get(TIME, LEDGER)?.unwrap_or_default(),
        })
    }

    /// Keeps a new authority, unless there is one.
    ///
    /// # Errors
    ///
    /// When the store does not commit.
    pub async fn keep_authority(&self, authority: &StoredAuthority) -> Result<(), KeepError> {
        let batch =
            Batch::new().require_absent(HOUSEHOLD, AUTHORITY).put(HOUSEHOLD, AUTHORITY, json(authority)?);
        self.commit(batch).await
    }

    /// Keeps the box's certificate.
    ///
    /// # Errors
    ///
    /// When the store does not commit.
    pub async fn keep_leaf(&self, leaf: &Leaf) -> Result<(), KeepError> {
        self.commit(Batch::new().put(HOUSEHOLD, LEAF, json(leaf)?)).await
    }

    /// Keeps owner, their vault, name and first session, or nothing.
    ///
    /// # Errors
    ///
    /// When an owner exists, or the store does not commit.
    pub async fn keep_set_up(&self, set_up: SetUp<'_>) -> Result<(), KeepError> {
        let (token, session) = set_up.session;
        let batch = Batch::new()
            .require_absent(HOUSEHOLD, OWNER)
            .put(HOUSEHOLD, OWNER, json(&set_up.owner.name)?)
            .put(HOUSEHOLD, HOST_NAME, json(set_up.host_name)?)
            .put(USERS, set_up.owner.name.as_str().as_bytes(), json(set_up.owner)?)
            .put(VAULTS, set_up.owner.name.as_str().as_bytes(), json(set_up.vault)?)
            .put(SESSIONS, token.as_bytes(), json(session)?);
        match self.commit(batch).await {
            Err(KeepError::Commit { source: CommitError::Precondition { .. } }) => {
                Err(KeepError::AlreadySetUp)
            }
            other => other,
        }
    }

    /// Writes and removes sessions, and the ledger with them.
    ///
    /// # Errors
    ///
    /// When the store does not commit.
    pub async fn keep_sessions(
        &self,
        written: &[(TokenHash, Session)],
        removed: &[TokenHash],
        ledger: Ledger,
    ) -> Result<(), KeepError> {
        let mut batch = Batch::new().put(TIME, LEDGER, json(&ledger)?);
        for (token, session) in written {
            batch = batch.put(sessions_of(session.role), token.as_bytes(), json(session)?);
        }
        self.commit(without_sessions(batch, removed)).await
    }

    /// Keeps a user with another password, what that changes of their vault, and ends sessions, all at once.
    ///
    /// # Errors
    ///
    /// When the store does not commit.
    pub async fn keep_password(
        &self,
        user: &User,
        vault: Option<&VaultRecord>,
        ended: &[TokenHash],
    ) -> Result<(), KeepError> {
        let name = user.name.as_str().as_bytes();
        let mut batch = Batch::new().put(users_of(user.role), name, json(user)?);
        if let Some(vault) = vault {
            batch = batch.put(VAULTS, name, json(vault)?);
        }
        self.commit(without_sessions(batch, ended)).await
    }

    /// Whether the store takes no commits any more, until hostd is started again.
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        *self.stopped.borrow()
    }

    /// Says that the disk did not confirm something else that lies beside the store.
    pub fn disk_failed(&self) {
        self.stopped.send_replace(true);
    }

    /// Ends when the store takes no commits any more.
    pub async fn wait_stopped(&self) {
        let mut stopped = self.stopped.subscribe();
        // The sender lives as long as these records.
        if stopped.wait_for(|stopped| *stopped).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// From now on nothing is committed any more: another store is about to take this one's place.
    pub async fn retire(&self) {
        let _turn = self.turn.lock().await;
        self.retired.store(true, Ordering::Relaxed);
    }

    /// No other store takes its place after all.
    pub fn resume(&self) {
        self.retired.store(false, Ordering::Relaxed);
    }

    async fn commit(&self, batch: Batch) -> Result<(), KeepError> {
        let store = Arc::clone(&self.store);
        let turn = Arc::clone(&self.turn).lock_owned().await;
        if self.retired.load(Ordering::Relaxed) {
            return Err(KeepError::Commit { source: CommitError::Stopped });
        }
        let commit = move || {
            let committed = store.commit(batch);
            // In this order: after the last turn nobody has the store open.
            drop(store);
            drop(turn);
            committed
        };
        let committed =
            tokio::task::spawn_blocking(commit).await.map_err(|source| KeepError::Thread { source })?;
        if matches!(committed, Err(CommitError::Unconfirmed { .. } | CommitError::Stopped)) {
            self.stopped.send_replace(true);
        }
        committed.map(|_generation| ()).map_err(|source| KeepError::Commit { source })
    }

    fn get<T: DeserializeOwned>(&self, table: &'static str, key: &[u8]) -> Result<Option<T>, LoadError> {
        let value = self.store.get(table, key).map_err(|source| LoadError::Read { source })?;
        value.map(|value| parse(table, key, &value)).transpose()
    }

    fn sessions(&self) -> Result<Vec<(TokenHash, Session)>, LoadError> {
        let mut sessions = Vec::new();
        for table in [SESSIONS, MEMBER_SESSIONS] {
            for (key, value) in self.store.scan(table).map_err(|source| LoadError::Read { source })? {
                // A key of another length cannot belong to a token, so nobody can use it.
                if let Ok(token) = <[u8; 32]>::try_from(key.as_slice()) {
                    sessions.push((TokenHash::from_bytes(token), parse(table, &key, &value)?));
                }
            }
        }
        Ok(sessions)
    }
}

const fn users_of(role: Role) -> &'static str {
    match role {
        Role::Owner => USERS,
        Role::Member => MEMBERS,
    }
}

const fn sessions_of(role: Role) -> &'static str {
    match role {
        Role::Owner => SESSIONS,
        Role::Member => MEMBER_SESSIONS,
    }
}

/// A token is in one of the two tables; removing what is not there changes nothing.
fn without_sessions(batch: Batch, ended: &[TokenHash]) -> Batch {
    let tables = |token: &TokenHash| [(SESSIONS, *token), (MEMBER_SESSIONS, *token)];
    ended.iter().flat_map(tables).fold(batch, |batch, (table, token)| batch.delete(table, token.as_bytes()))
}

fn parse<T: DeserializeOwned>(table: &'static str, key: &[u8], value: &[u8]) -> Result<T, LoadError> {
    serde_json::from_slice(value).map_err(|source| LoadError::Malformed {
        table,
        key: key.escape_ascii().to_string(),
        source,
    })
}

fn json(value: &impl Serialize) -> Result<zeroize::Zeroizing<Vec<u8>>, KeepError> {
    serde_json::to_vec(value).map(zeroize::Zeroizing::new).map_err(|source| KeepError::Encode { source })
}
