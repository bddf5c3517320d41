//! Opens the repository of a household, or says whose it is.
//!
//! The master key is derived from the household's; the key file is for restic and rustic with the derived password,
//! and for this: it names, in fields that restic keeps for the user, the household (`hostname`) and the fingerprint of the
//! key (`username`). They are not secret and not authenticated: they only choose the message. What is read is
//! authenticated by the key, and each snapshot is labelled with the household inside.

use crate::control::Cancel;
use crate::engine::EngineError;
use crate::engine::call;
use crate::guard::Guard;
use crate::guard::Watch;
use crate::key::BackupKey;
use crate::key::HouseholdId;
use crate::key::sha256_hex;
use crate::place;
use crate::place::Place;
use crate::place::PlaceError;
use crate::targets::Target;
use crate::targets::TargetError;
use bytesize::ByteSize;
use rustic_core::ConfigOptions;
use rustic_core::Credentials;
use rustic_core::IndexedFullStatus;
use rustic_core::KeyOptions;
use rustic_core::OpenStatus;
use rustic_core::Repository;
use rustic_core::RepositoryBackends;
use rustic_core::RepositoryOptions;
use rustic_core::repofile::KeyFile;
use std::sync::Arc;

/// Key files are below 1 KiB; a repository of ours has one, after an interrupted beginning two.
const MAX_KEY_FILE: u64 = 64 * 1024;
const MAX_KEY_FILES: usize = 16;
/// Packs stay this small so that few of them in memory are little: rustic lets them grow without end otherwise.
const DATA_PACK: u64 = 16 * 1024 * 1024;
const TREE_PACK: u64 = 4 * 1024 * 1024;

pub(crate) type Opened = Repository<OpenStatus>;
pub(crate) type Indexed = Repository<IndexedFullStatus>;

/// Whose backups: what every task needs to know.
#[derive(Clone, Debug)]
pub struct Owner {
    /// The household.
    pub household: HouseholdId,
    /// Its key.
    pub key: BackupKey,
}

/// Why a repository cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The target is set wrongly.
    #[error("the backup target cannot be used")]
    Target(#[source] TargetError),
    /// The place fails.
    #[error("the backup place failed")]
    Place(#[source] PlaceError),
    /// There is no repository.
    #[error("there is no backup at {place}")]
    Nothing {
        /// Where.
        place: String,
    },
    /// Another household's repository.
    #[error("the backup at {place} belongs to household {found}, not to {ours}")]
    OtherHousehold {
        /// Where.
        place: String,
        /// Whose.
        found: String,
        /// Who we are.
        ours: HouseholdId,
    },
    /// A repository that no Hearth made.
    #[error("the repository at {place} was not made by this system")]
    NotOurs {
        /// Where.
        place: String,
    },
    /// Our household's, but with another key.
    #[error("the backup at {place} is this household's but has another key: {found}, not {ours}")]
    WrongKey {
        /// Where.
        place: String,
        /// Fingerprint of its key.
        found: String,
        /// Fingerprint of the key at hand.
        ours: String,
    },
    /// The files that open it are damaged.
    #[error("the backup at {place} cannot be opened: {name} is damaged")]
    Damaged {
        /// Where.
        place: String,
        /// Which file.
        name: String,
    },
    /// It opens no further.
    #[error("the backup at {place} cannot be opened")]
    Engine {
        /// Where.
        place: String,
        /// Why.
        #[source]
        source: EngineError,
    },
}

/// A place, and what watches over it.
pub(crate) struct Site {
    pub(crate) place: Arc<dyn Place>,
    pub(crate) watch: Arc<Watch>,
}

/// What the key files say.
pub(crate) enum Keys {
    None,
    Ours,
    Damaged(String),
}

impl Site {
    pub(crate) fn new(target: &Target, cancel: Cancel) -> Result<Self, OpenError> {
        target.check().map_err(OpenError::Target)?;
        let place = place::open(target).map_err(OpenError::Place)?;
        Ok(Self { place, watch: Arc::new(Watch::new(cancel)) })
    }

    /// Opens what is there.
    pub(crate) fn open(&self, owner: &Owner) -> Result<Opened, OpenError> {
        let keys = self.keys(owner)?;
        if !self.has_config()? {
            let nothing = !matches!(keys, Keys::Damaged(_)) && self.is_empty()?;
            return Err(if nothing {
                OpenError::Nothing { place: self.place.describe() }
            } else {
                self.damaged("config")
            });
        }
        match (keys, self.unlock(owner)) {
            (Keys::Ours, opened) => opened,
            // The key file is not needed to open, only to say whose it is.
            (Keys::None | Keys::Damaged(_), Ok(opened)) => Ok(opened),
            (Keys::None, Err(_)) => Err(self.damaged("keys")),
            (Keys::Damaged(name), Err(_)) => Err(self.damaged(&name)),
        }
    }

    /// Opens what is there, or begins a repository; a key file that is missing or damaged is made anew.
    pub(crate) fn open_or_create(&self, owner: &Owner) -> Result<Opened, OpenError> {
        let repository = match self.open(owner) {
            Err(OpenError::Nothing { .. }) => self.create(owner)?,
            other => other?,
        };
        let keys = self.keys(owner)?;
        if let Keys::Damaged(name) = &keys {
            self.place.remove(name).map_err(OpenError::Place)?;
        }
        if !matches!(keys, Keys::Ours) {
            let hint = KeyOptions::default()
                .hostname(Some(owner.household.to_string()))
                .username(Some(owner.key.fingerprint()))
                .with_created(false);
            let password = owner.key.password();
            self.engine(|| repository.add_key(&password, &hint))?;
        }
        Ok(repository)
    }

    fn create(&self, owner: &Owner) -> Result<Opened, OpenError> {
        let config = ConfigOptions::default()
            .set_datapack_size(ByteSize(DATA_PACK))
            .set_datapack_size_limit(ByteSize(DATA_PACK))
            .set_treepack_size(ByteSize(TREE_PACK))
            .set_treepack_size_limit(ByteSize(TREE_PACK));
        let key = Credentials::Masterkey(owner.key.master_key());
        self.engine(|| self.repository()?.init(&key, &KeyOptions::default(), &config))
    }

    fn unlock(&self, owner: &Owner) -> Result<Opened, OpenError> {
        let key = Credentials::Masterkey(owner.key.master_key());
        self.engine(|| self.repository()?.open(&key))
    }

    fn repository(&self) -> rustic_core::RusticResult<Repository<()>> {
        let guard = Guard::new(Arc::clone(&self.place), Arc::clone(&self.watch));
        let mut options = RepositoryOptions::default();
        options.no_cache = true;
        Repository::new(&options, &RepositoryBackends::new(Arc::new(guard), None))
    }

    /// A call of rustic at this place.
    pub(crate) fn engine<T>(
        &self,
        run: impl FnOnce() -> rustic_core::RusticResult<T>,
    ) -> Result<T, OpenError> {
        call(&self.watch, run).map_err(|source| OpenError::Engine { place: self.place.describe(), source })
    }

    /// Whose the repository is, by its key files.
    pub(crate) fn keys(&self, owner: &Owner) -> Result<Keys, OpenError> {
        let mut other: Option<KeyFile> = None;
        let mut damaged = None;
        let files = self.place.list("keys").map_err(OpenError::Place)?;
        let named = files.into_iter().filter(|(name, _)| name.len() == 64);
        for (id, _) in named.take(MAX_KEY_FILES) {
            let name = format!("keys/{id}");
            let content = self.place.read(&name, MAX_KEY_FILE).map_err(OpenError::Place)?;
            match serde_json::from_slice::<KeyFile>(&content) {
                Ok(file) if sha256_hex(&content) == id && is_affordable(&file) => {
                    let household = file.hostname.as_deref() == Some(owner.household.as_str());
                    if household && file.username.as_deref() == Some(owner.key.fingerprint().as_str()) {
                        return Ok(Keys::Ours);
                    }
                    if household || other.is_none() {
                        other = Some(file);
                    }
                }
                Ok(_) | Err(_) => damaged = Some(name),
            }
        }
        match (other, damaged) {
            (Some(file), _) => Err(self.refused(owner, file)),
            (None, Some(name)) => Ok(Keys::Damaged(name)),
            (None, None) => Ok(Keys::None),
        }
    }

    fn refused(&self, owner: &Owner, file: KeyFile) -> OpenError {
        let place = self.place.describe();
        let fingerprint = file
            .username
            .filter(|text| text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match (file.hostname.map(HouseholdId::new), fingerprint) {
            (Some(Ok(found)), Some(key)) if found == owner.household => {
                OpenError::WrongKey { place, found: key, ours: owner.key.fingerprint() }
            }
            (Some(Ok(found)), Some(_)) => {
                OpenError::OtherHousehold { place, found: found.to_string(), ours: owner.household.clone() }
            }
            (Some(_) | None, _) => OpenError::NotOurs { place },
        }
    }

    fn damaged(&self, name: &str) -> OpenError {
        OpenError::Damaged { place: self.place.describe(), name: name.to_owned() }
    }

    fn has_config(&self) -> Result<bool, OpenError> {
        match self.place.read("config", MAX_KEY_FILE) {
            Ok(_) => Ok(true),
            Err(PlaceError::Missing { .. }) => Ok(false),
            Err(error) => Err(OpenError::Place(error)),
        }
    }

    fn is_empty(&self) -> Result<bool, OpenError> {
        for folder in ["snapshots", "index", "data"] {
            if !self.place.list(folder).map_err(OpenError::Place)?.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// scrypt takes 128·N·r bytes (RFC 7914): 128 MiB with the N = 2^17 and r = 8 of rustic's key files.
fn is_affordable(file: &KeyFile) -> bool {
    let memory = u64::from(file.n) * u64::from(file.r) * 128;
    file.kdf == "scrypt"
        && file.n.is_power_of_two()
        && (1..=16).contains(&file.p)
        && (1..=256 << 20).contains(&memory)
}
