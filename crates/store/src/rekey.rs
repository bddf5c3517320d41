//! A new key for a whole store: every record opened and sealed again, in a folder aside that then takes the old one's place.
//!
//! ```text
//! folder aside: snapshot, empty journal (each written aside, synced, renamed; folder synced)
//!   → the two folders change places (renameat2, RENAME_EXCHANGE)  → parent synced  → the old folder is removed
//! ```
//!
//! At every instant the name stands for one whole store under one key. The new store has an identity of its own, so no
//! file of the old one ever passes for one of the new, and its generation goes on beyond the old one's.

use std::error::Error;
use std::fs::File;
use std::io;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::Limits;
use crate::SledStore;
use crate::StoreKey;
use crate::layout;
use crate::log::Log;
use crate::log::RotateError;
use crate::medium::Aside;
use crate::medium::Medium;
use crate::name::RecordName;
use crate::recovery::Finding;
use crate::seal::Forged;
use crate::seal::Keys;
use crate::sled_index::SledIndex;
use crate::state::State;
use crate::values::Values;

/// Why a store did not get a new key. Unless the variant says otherwise it has the old one and goes on.
#[derive(Debug, thiserror::Error)]
pub enum RotateKeyError {
    /// An earlier write failed in a way that only opening the store again can clear up.
    #[error("store takes no changes until it is opened again")]
    Stopped,
    /// The present records could not be read back.
    #[error("could not read back the present records")]
    Load {
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The kernel gave no random bytes.
    #[error("could not get random bytes to seal the records")]
    Random {
        /// Why.
        #[source]
        source: getrandom::Error,
    },
    /// The store under the new key could not be written, usually for want of room.
    #[error("could not write the store under its new key")]
    Write {
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The disk did not confirm the change: the store has the old key or the new one, which shows when it is opened with
    /// both ([`crate::OpenOptions::next_key`]). Until then it takes no commits.
    #[error("the disk did not confirm the change to the new key")]
    Unconfirmed {
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Why records could not be sealed again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResealError {
    #[error("a record does not open")]
    Forged,
    #[error("could not get random bytes")]
    Random {
        #[source]
        source: getrandom::Error,
    },
}

impl SledStore {
    /// Seals everything under a new key. Commits wait meanwhile; reads go on but for a moment at the end.
    ///
    /// The caller has the new key on the disk before, beside the old one, and destroys the old one afterwards. When the power
    /// goes in between, the store opens with one of the two: [`crate::OpenOptions::next_key`].
    pub fn rotate_key(&self, new: &StoreKey) -> Result<(), RotateKeyError> {
        let mut log = self.log();
        if log.is_stopped() {
            return Err(RotateKeyError::Stopped);
        }
        let (old, present) = {
            let view = self.view();
            (view.keys.clone(), view.index.summary())
        };
        let loaded =
            log.read_whole(&present).map_err(|error| RotateKeyError::Load { source: error.into() })?;
        let keys = Keys::generate(new).map_err(|source| RotateKeyError::Random { source })?;
        let state = reseal(&loaded, &old, &keys, |_| true).map_err(|error| match error {
            ResealError::Random { source } => RotateKeyError::Random { source },
            ResealError::Forged => RotateKeyError::Load { source: Forged.into() },
        })?;
        let (renewed, lock) = write_aside(&self.medium, &keys, self.limits, &state)
            .map_err(|error| RotateKeyError::Write { source: error.into() })?;
        exchange(&*self.medium).map_err(|error| match error {
            ExchangeError::NotDone { source } => RotateKeyError::Write { source: source.into() },
            ExchangeError::Unconfirmed { source } => {
                log.stop();
                RotateKeyError::Unconfirmed { source }
            }
        })?;
        *log = renewed;
        self.set_lock(lock);
        self.go_on_with(keys, state);
        clear(&*self.medium);
        Ok(())
    }

    /// Lets readers see the state under its new key.
    fn go_on_with(&self, keys: Keys, state: State) {
        let state = Arc::new(state);
        let mut view = self.view_mut();
        if let Values::Sled(index) = std::mem::replace(&mut view.values, Values::Gone)
            && let Err(fault) = index.close()
        {
            tracing::debug!(fault = &fault as &dyn Error, "sled under the old key was not closed in order");
        }
        let index = self.folder.as_deref().map(|folder| SledIndex::create(folder, &state));
        view.values = match index {
            Some(Ok(index)) => Values::Sled(index),
            Some(Err(fault)) => {
                let finding = Finding::SledUnusable { reason: fault.in_words() };
                self.add_recovery(|recovery| recovery.findings.push(finding));
                Values::Memory(state.values.clone())
            }
            None => Values::Memory(state.values.clone()),
        };
        view.index = state.index.clone();
        view.keys = keys;
    }
}

/// Opens every record that is to be kept, and seals it under other keys at the next generation.
pub(crate) fn reseal(
    state: &State,
    from: &Keys,
    to: &Keys,
    is_kept: impl Fn(&RecordName) -> bool,
) -> Result<State, ResealError> {
    let generation = state.index.generation + 1;
    let mut sealed_again = State::default();
    for (name, sealed) in state.values.iter().filter(|(name, _)| is_kept(name)) {
        let written = state.index.records.get(name).ok_or(ResealError::Forged)?;
        let value = from.open(name, written.generation, sealed).map_err(|Forged| ResealError::Forged)?;
        let value = Zeroizing::new(value);
        let sealed = to.seal(name, generation, &value).map_err(|source| ResealError::Random { source })?;
        sealed_again.add(to, name.clone(), generation, sealed);
    }
    sealed_again.index.generation = generation;
    Ok(sealed_again)
}

/// Writes a state into the folder aside; returns the log that goes on there once it has taken its place.
pub(crate) fn write_aside(
    medium: &Arc<dyn Medium>,
    keys: &Keys,
    limits: Limits,
    state: &State,
) -> Result<(Log, Option<File>), RotateError> {
    let written = medium
        .make_aside()
        .map_err(|source| RotateError::Write { file: layout::ASIDE_FOLDER.to_owned(), source })
        .and_then(|Aside { medium: aside, lock }| {
            let log = Log::begin_aside(&*aside, Arc::clone(medium), keys.clone(), limits, state)?;
            Ok((log, lock))
        });
    if written.is_err() {
        clear(&**medium);
    }
    written
}

/// Why the folder aside did not take its place.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExchangeError {
    #[error("could not exchange the folders")]
    NotDone {
        #[source]
        source: io::Error,
    },
    /// It did, and nobody knows whether that survives a power cut.
    #[error("the disk did not confirm the exchange of the folders")]
    Unconfirmed {
        #[source]
        source: io::Error,
    },
}

/// Lets the folder aside take its place.
pub(crate) fn exchange(medium: &dyn Medium) -> Result<(), ExchangeError> {
    if let Err(source) = medium.exchange_aside() {
        clear(medium);
        return Err(ExchangeError::NotDone { source });
    }
    medium.sync_beside().map_err(|source| ExchangeError::Unconfirmed { source })
}

/// Removes the folder aside; where that fails, the next opening does it.
pub(crate) fn clear(medium: &dyn Medium) {
    if let Err(error) = medium.remove_aside() {
        tracing::debug!(error = &error as &dyn Error, "folder aside could not be removed");
    }
}
