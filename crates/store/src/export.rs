//! A whole store as one authenticated stretch of bytes, for backups.
//!
//! An export is sealed under a key of its own and for a store of a certain name, so that a backup outlives a rotation of the
//! store's key and is never restored into the wrong place. Its format is that of a snapshot under other labels; what is
//! the store's identity there is the first half of SHA-256 over the name here.

use std::error::Error;
use std::io;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use sha2::Digest as _;
use sha2::Sha256;

use crate::Generation;
use crate::Limits;
use crate::SledStore;
use crate::StoreKey;
use crate::anchor::Epoch;
use crate::layout;
use crate::medium::Folder;
use crate::medium::Medium;
use crate::name::RecordName;
use crate::open;
use crate::own::OwnRecord;
use crate::rekey;
use crate::rekey::ResealError;
use crate::seal::Keys;
use crate::seal::StoreId;
use crate::snapshot;
use crate::snapshot::Form;
use crate::snapshot::Note;
use crate::state::State;
use crate::wire::Preamble;
use crate::wire::Reader;
use crate::wire::VERSION;

/// What an export is sealed with.
#[derive(Clone, Copy, Debug)]
pub struct Sealing<'a> {
    /// Key of the backup, not of the store.
    pub key: &'a StoreKey,
    /// Name of the store; an export of a store of another name is refused.
    pub store: &'a str,
}

/// Why a store was not exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The present records could not be read back.
    #[error("could not read back the present records")]
    Load {
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The records could not be sealed for the export.
    #[error("could not seal the records")]
    Seal {
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The writer took no more.
    #[error("could not write the export")]
    Write {
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Why an export was not imported. Nothing has been written, unless the variant says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The limits ask for more than the formats can hold.
    #[error("limits are beyond what the store's formats can hold")]
    Limits,
    /// The reader gave nothing more.
    #[error("could not read the export")]
    Read {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The bytes are longer than the largest store, or more than the limits allow.
    #[error("export is larger than the store may be")]
    TooLarge,
    /// The bytes are no export, were cut short or changed.
    #[error("export is damaged or is none")]
    Damaged,
    /// The export was written by a newer version.
    #[error("export has format version {version}, this program reads version {VERSION}")]
    Version {
        /// Version found.
        version: u8,
    },
    /// The export is one of another store.
    #[error("export is of another store than {expected}")]
    OtherStore {
        /// Name of the store that was to be restored.
        expected: String,
    },
    /// The key is not the one the export was sealed with: another household's, or an older one.
    #[error("key does not fit the export")]
    WrongKey,
    /// The kernel gave no random bytes.
    #[error("could not get random bytes to seal the records")]
    Random {
        /// Why.
        #[source]
        source: getrandom::Error,
    },
    /// There is something in the folder already.
    #[error("{} is not empty", path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// The folder could not be made, locked or listed.
    #[error("could not use {} as a store's folder", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The store could not be written. The folder is empty; where the disk did not confirm the very last step, it may hold
    /// the whole store.
    #[error("could not write the store")]
    Write {
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl SledStore {
    /// Writes all records as they are now, consistent and authenticated. Commits wait until the records are read.
    pub fn export(&self, sealing: &Sealing<'_>, out: &mut dyn Write) -> Result<Generation, ExportError> {
        let (keys, state) = {
            let log = self.log();
            let (keys, present) = {
                let view = self.view();
                (view.keys.clone(), view.index.summary())
            };
            let state =
                log.read_whole(&present).map_err(|error| ExportError::Load { source: error.into() })?;
            (keys, state)
        };
        let generation = Generation(state.index.generation);
        let to = keys_of(sealing);
        let sealed = rekey::reseal(&state, &keys, &to, is_portable)
            .map_err(|error| ExportError::Seal { source: error.into() })?;
        snapshot::encode(&to, Form::Export, &sealed, Note::Routine, |bytes| out.write_all(bytes))
            .and_then(|()| out.flush())
            .map_err(|source| ExportError::Write { source })?;
        Ok(generation)
    }

    /// Makes a store out of an export, in a folder that is empty or not there. All of the export is checked first.
    ///
    /// The new store is sealed under `key` and has an identity of its own. It is not anchored yet: where the anchor remembers the
    /// store that was lost, its first opening needs [`crate::OpenOptions::accept_rollback`].
    pub fn import(
        path: &Path,
        key: &StoreKey,
        limits: Limits,
        sealing: &Sealing<'_>,
        from: &mut dyn Read,
    ) -> Result<Generation, ImportError> {
        let (keys, state) = check(key, limits, sealing, from)?;
        let folder =
            |source: Box<dyn Error + Send + Sync>| ImportError::Folder { path: path.to_owned(), source };
        let is_there = path.is_dir();
        let lock = open::lock_folder(path).map_err(|error| folder(error.into()))?;
        let medium: Arc<dyn Medium> = Arc::new(Folder::new(path));
        let names = medium.names().map_err(|error| folder(error.into()))?;
        if is_there && names.iter().any(|name| name != layout::LOCK) {
            return Err(ImportError::NotEmpty { path: path.to_owned() });
        }
        place(&medium, &keys, limits, &state)?;
        drop(lock);
        Ok(Generation(state.index.generation))
    }
}

/// Reads an export, checks every byte and opens every record; seals them under new keys.
pub(crate) fn check(
    key: &StoreKey,
    limits: Limits,
    sealing: &Sealing<'_>,
    from: &mut dyn Read,
) -> Result<(Keys, State), ImportError> {
    if !limits.are_possible() {
        return Err(ImportError::Limits);
    }
    let mut bytes = Vec::new();
    let limit = limits.file_bytes();
    from.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|source| ImportError::Read { source })?;
    if bytes.len() as u64 > limit {
        return Err(ImportError::TooLarge);
    }
    let from = keys_of(sealing);
    let state = parse(&from, sealing, &bytes)?;
    if state.index.bytes > limits.total_bytes {
        return Err(ImportError::TooLarge);
    }
    let keys = Keys::generate(key).map_err(|source| ImportError::Random { source })?;
    let state = rekey::reseal(&state, &from, &keys, is_portable).map_err(|error| match error {
        ResealError::Forged => ImportError::Damaged,
        ResealError::Random { source } => ImportError::Random { source },
    })?;
    Ok((keys, state))
}

fn parse(keys: &Keys, sealing: &Sealing<'_>, bytes: &[u8]) -> Result<State, ImportError> {
    let preamble =
        Preamble::read(Form::Export.kind(), &mut Reader::new(bytes)).ok_or(ImportError::Damaged)?;
    if preamble.version > VERSION {
        return Err(ImportError::Version { version: preamble.version });
    }
    let expected = Preamble::of(keys);
    if preamble.store != expected.store {
        return Err(ImportError::OtherStore { expected: sealing.store.to_owned() });
    }
    if preamble.check != expected.check {
        return Err(ImportError::WrongKey);
    }
    let (state, _note) = snapshot::decode(keys, Form::Export, bytes).map_err(|_bad| ImportError::Damaged)?;
    Ok(state)
}

/// Writes a state aside and lets it take its place.
pub(crate) fn place(
    medium: &Arc<dyn Medium>,
    keys: &Keys,
    limits: Limits,
    state: &State,
) -> Result<(), ImportError> {
    let failed = |source: Box<dyn Error + Send + Sync>| ImportError::Write { source };
    rekey::write_aside(medium, keys, limits, state).map_err(|error| failed(error.into()))?;
    rekey::exchange(&**medium).map_err(|error| failed(error.into()))?;
    rekey::clear(&**medium);
    Ok(())
}

/// Says whether a record goes along: the epoch does not, it is of one folder and its anchor.
fn is_portable(name: &RecordName) -> bool {
    *name != RecordName::own(Epoch::KEY)
}

fn keys_of(sealing: &Sealing<'_>) -> Keys {
    let hash: [u8; 32] = Sha256::digest(sealing.store.as_bytes()).into();
    let mut id = StoreId::default();
    let length = id.len();
    id.copy_from_slice(&hash[..length]);
    Keys::new(sealing.key, id)
}
