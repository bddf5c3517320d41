//! What storaged knows of the data partition while the box runs, and what it does when asked: one request at a time, blocking.
//!
//! ```text
//! Locked ── the right key ──> Open ── new recovery key, confirm, seal anew ──> Open
//! ```
//! What is told of every change is written down before it is told ([`crate::notes`]): storaged may end at any moment and begin anew.

use crate::counter::Counter;
use crate::key::Key;
use crate::key_tree::Folder;
use crate::key_tree::KeyTree;
use crate::key_tree::KeyTreeError;
use crate::keyring;
use crate::keyring::Keep;
use crate::keyring::Keyring;
use crate::keyring::KeyringError;
use crate::luks::Luks;
use crate::luks::LuksError;
use crate::notes::Notes;
use crate::notes::NotesError;
use crate::rotation::Worker;
use crate::sealer::SealError;
use crate::sealer::Sealer;
use crate::tries::Tries;
use crate::words::chain;
use model::storage::KeyKind;
use model::storage::KeySlot;
use model::storage::OlderCopies;
use model::storage::StorageReport;
use model::storage::UnlockReport;
use std::io;
use std::path::Path;
use std::time::Duration;
use vault::KeyName;
use vault::RecoveryCode;
use vault::StoreKey;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// Too many wrong keys.
    #[error("there were too many wrong keys; the next may be tried in {} s", .0.as_secs())]
    Wait(Duration),
    /// It is open.
    #[error("the data partition is not locked")]
    NotLocked,
    /// It is not open.
    #[error("the data partition is locked")]
    Locked,
    /// Nothing opens it.
    #[error("the data partition cannot be opened: {0}")]
    Failed(String),
    /// The header is in use.
    #[error("the volume key of the data is being changed; no other key changes until that is through")]
    Rotating,
    /// There would be no way back.
    #[error(
        "make and confirm a recovery key first: whether the box opens its data by itself shows only at the next start"
    )]
    NoRecoveryKey,
    /// The keys.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// What the next run has to know.
    #[error(transparent)]
    Notes(#[from] NotesError),
    /// The box's own keys.
    #[error(transparent)]
    KeyTree(#[from] KeyTreeError),
    /// The counter.
    #[error(transparent)]
    Counter(SealError),
}

/// How the partition is.
#[derive(Debug)]
enum State {
    Open { ring: Keyring, by: KeyKind, reasons: Vec<String> },
    Locked { luks: Luks, reasons: Vec<String>, takes: Vec<KeyKind> },
    Failed { reason: String },
}

/// The partition's keeper.
#[derive(Debug)]
pub struct Keeper<S> {
    notes: Notes,
    sealer: S,
    state: State,
    own_keys: Folder,
    keys: Vec<KeySlot>,
    tries: Tries,
    older_copies: Option<OlderCopies>,
    rotation: Worker,
}

impl<S: Sealer + Counter> Keeper<S> {
    /// Takes up where the run before, or `storaged open`, left off. `own_keys` is where the box's own keys are once the partition is
    /// mounted; `on` says how a device's encrypted partition is reached.
    ///
    /// # Errors
    /// When the partition is open and the key that opened it is gone.
    pub fn begin(
        notes: Notes,
        sealer: S,
        own_keys: Folder,
        on: impl FnOnce(&Path) -> Luks,
    ) -> Result<Self, NotesError> {
        let mut keys = Vec::new();
        let state = match notes.device()? {
            None => State::Failed { reason: "no data partition was found".to_owned() },
            Some(device) => {
                let luks = on(&device);
                match notes.told() {
                    Ok(UnlockReport::Opened { by, reasons }) => {
                        keys = told(&luks);
                        State::Open { ring: Keyring::new(luks, notes.opening_key()?), by, reasons }
                    }
                    Ok(UnlockReport::Locked { reasons, takes }) => {
                        keys = told(&luks);
                        State::Locked { luks, reasons, takes }
                    }
                    Ok(UnlockReport::Failed { reason }) => State::Failed { reason },
                    Err(error) => State::Failed { reason: chain(&error) },
                }
            }
        };
        let (tries, older_copies, rotation) = (Tries::default(), None, Worker::default());
        let keeper = Self { notes, sealer, state, own_keys, keys, tries, older_copies, rotation };
        keeper.go_on_rotating();
        Ok(keeper)
    }

    /// How everything is.
    #[must_use]
    pub fn report(&self) -> StorageReport {
        let (unlock, is_waiting_for_confirmation) = match &self.state {
            State::Open { ring, by, reasons } => (
                UnlockReport::Opened { by: *by, reasons: reasons.clone() },
                ring.is_waiting_for_confirmation(),
            ),
            State::Locked { reasons, takes, .. } => {
                (UnlockReport::Locked { reasons: reasons.clone(), takes: takes.clone() }, false)
            }
            State::Failed { reason } => (UnlockReport::Failed { reason: reason.clone() }, false),
        };
        let (keys, older_copies, rotation) =
            (self.keys.clone(), self.older_copies.clone(), self.rotation.report());
        StorageReport { unlock, keys, is_waiting_for_confirmation, older_copies, rotation }
    }

    /// Opens the locked partition with a recovery key or passphrase that somebody typed. A wrong one writes nothing.
    ///
    /// # Errors
    /// When it is not locked, the key is wrong, or there were too many wrong ones.
    pub fn unlock(&mut self, typed: &str, now: Duration) -> Result<(), KeeperError> {
        let (luks, reasons) = match &self.state {
            State::Locked { luks, reasons, .. } => (luks.clone(), reasons.clone()),
            State::Open { .. } => return Err(KeeperError::NotLocked),
            State::Failed { reason } => return Err(KeeperError::Failed(reason.clone())),
        };
        self.tries.check(now).map_err(KeeperError::Wait)?;
        let (key, by) = keyring::unlock(&luks, typed).inspect_err(|error| {
            if is_wrong_key(error) {
                self.tries.note(false, now);
            }
        })?;
        self.tries.note(true, now);
        self.notes.keep_opening_key(&key)?;
        // Why it did not open by itself stays told: the owner may want to seal anew.
        self.notes.tell(&UnlockReport::Opened { by, reasons: reasons.clone() })?;
        if let Err(error) = luks.tidy() {
            tracing::warn!(error = &error as &dyn std::error::Error, "the keys could not be tidied");
        }
        self.keys = told(&luks);
        self.state = State::Open { ring: Keyring::new(luks, key), by, reasons };
        Ok(())
    }

    /// Makes a recovery key that works at once; earlier ones go when it is confirmed.
    ///
    /// # Errors
    /// When the partition is not open, or its header cannot be changed.
    pub fn new_recovery_key(&mut self) -> Result<RecoveryCode, KeeperError> {
        self.change(|ring, _, keep| ring.new_recovery_key(keep))
    }

    /// Somebody typed the end of the new recovery key.
    ///
    /// # Errors
    /// When none waits, or it ends otherwise.
    pub fn confirm_recovery_key(&mut self, end: &str) -> Result<(), KeeperError> {
        self.change(|ring, _, keep| ring.confirm_recovery_key(end, keep))
    }

    /// Seals a new key to this box as it is now. It cannot be tried in this boot, in which the TPM gives nothing more; hence somebody
    /// must have a recovery key.
    ///
    /// # Errors
    /// When the partition is not open, there is no recovery key, or the TPM refuses; then nothing has changed.
    pub fn seal_anew(&mut self) -> Result<(), KeeperError> {
        let has_one = |slot: &KeySlot| slot.kind == KeyKind::Recovery && slot.is_confirmed;
        let was_typed = matches!(self.state, State::Open { by: KeyKind::Recovery, .. });
        if matches!(self.state, State::Open { .. }) && !was_typed && !self.keys.iter().any(has_one) {
            return Err(KeeperError::NoRecoveryKey);
        }
        self.change(|ring, sealer, keep| ring.seal_anew(sealer, keep))
    }

    /// Has the box ask for a passphrase at each start, in place of the key on the boot partition.
    ///
    /// # Errors
    /// When the partition is not open, there is no recovery key, or it is no passphrase; then nothing has changed.
    pub fn set_passphrase(&mut self, text: &str) -> Result<(), KeeperError> {
        self.change(|ring, _, keep| ring.set_passphrase(text, keep))
    }

    /// Says whether somebody has a recovery key of the open partition. Wrong ones count as those that are typed to open it.
    ///
    /// # Errors
    /// When it is not open, that is none of its recovery keys, or there were too many wrong ones.
    pub fn check_recovery_key(&mut self, typed: &str, now: Duration) -> Result<(), KeeperError> {
        self.with_recovery_key(now, |ring| ring.check_recovery_key(typed))
    }

    /// Begins to change the volume key, and goes on with it beside everything else. It takes as long as writing the whole partition.
    ///
    /// # Errors
    /// As [`Self::check_recovery_key`], and when a key would be lost by it.
    pub fn rotate_volume_key(&mut self, typed: &str, now: Duration) -> Result<(), KeeperError> {
        self.with_recovery_key(now, |ring| ring.begin_rotation(typed))?;
        self.go_on_rotating();
        Ok(())
    }

    /// The change of the volume key, for whoever ends storaged.
    #[must_use]
    pub fn rotation(&self) -> Worker {
        self.rotation.clone()
    }

    fn go_on_rotating(&self) {
        let State::Open { ring, .. } = &self.state else { return };
        match ring.luks().metadata() {
            Ok(metadata) if metadata.is_reencrypting => {
                self.rotation.start(ring.luks(), ring.opening_key());
            }
            Ok(_at_rest) => {}
            Err(error) => untold(&error),
        }
    }

    /// What somebody typed is tried as often as when it is to open the partition.
    fn with_recovery_key(
        &mut self,
        now: Duration,
        act: impl FnOnce(&mut Keyring) -> Result<(), KeyringError>,
    ) -> Result<(), KeeperError> {
        self.require_open()?;
        self.tries.check(now).map_err(KeeperError::Wait)?;
        let checked = self.change(|ring, _, _| act(ring));
        match &checked {
            Ok(()) => self.tries.note(true, now),
            Err(KeeperError::Keyring(error)) if is_wrong_key(error) => self.tries.note(false, now),
            Err(_other) => {}
        }
        checked
    }

    /// The key of a store of the box itself.
    ///
    /// # Errors
    /// When the partition is not open, or the key cannot be read or made.
    pub fn store_key(&self, name: &KeyName) -> Result<StoreKey, KeeperError> {
        Ok(self.own_keys()?.store_key(name)?)
    }

    /// Takes in the key of a store that kept it by itself until now.
    ///
    /// # Errors
    /// When the partition is not open, the store has another key here, or the disk does not take it.
    pub fn adopt_store_key(&self, name: &KeyName, key: &StoreKey) -> Result<(), KeeperError> {
        Ok(self.own_keys()?.adopt_store_key(name, key)?)
    }

    /// Gives the box another system key.
    ///
    /// # Errors
    /// When the partition is not open, or the disk does not take it.
    pub fn rotate_system_key(&self) -> Result<(), KeeperError> {
        Ok(self.own_keys()?.rotate()?)
    }

    /// The number that guards against older copies; none where nothing was counted yet.
    ///
    /// # Errors
    /// When the box has no counter, or it does not answer.
    pub fn count(&mut self) -> Result<Option<u64>, KeeperError> {
        let counted = self.sealer.count();
        self.older_copies = Some(match &counted {
            Ok(_number) => OlderCopies::Noticed,
            Err(error) => OlderCopies::Unnoticed { reason: error.to_string() },
        });
        counted.map_err(KeeperError::Counter)
    }

    /// Raises that number to at least this.
    ///
    /// # Errors
    /// When the box has no counter, it is too far, or the counter refuses.
    pub fn raise_to(&mut self, number: u64) -> Result<(), KeeperError> {
        self.sealer.raise_to(number).map_err(KeeperError::Counter)
    }

    fn own_keys(&self) -> Result<KeyTree<Folder>, KeeperError> {
        self.require_open()?;
        Ok(KeyTree::open(self.own_keys.clone())?)
    }

    fn require_open(&self) -> Result<(), KeeperError> {
        match &self.state {
            State::Open { .. } => Ok(()),
            State::Locked { .. } => Err(KeeperError::Locked),
            State::Failed { reason } => Err(KeeperError::Failed(reason.clone())),
        }
    }

    fn change<T>(
        &mut self,
        act: impl FnOnce(&mut Keyring, &mut S, Keep<'_>) -> Result<T, KeyringError>,
    ) -> Result<T, KeeperError> {
        let ring = match &mut self.state {
            State::Open { ring, .. } => ring,
            State::Locked { .. } => return Err(KeeperError::Locked),
            State::Failed { reason } => return Err(KeeperError::Failed(reason.clone())),
        };
        if self.rotation.report().is_some() {
            return Err(KeeperError::Rotating);
        }
        let keep = |key: &Key| self.notes.keep_opening_key(key).map_err(io::Error::other);
        let done = act(ring, &mut self.sealer, &keep);
        // Also after a failure: some of the change may have come about.
        match ring.slots() {
            Ok(keys) => self.keys = keys,
            Err(error) => untold(&error),
        }
        Ok(done?)
    }
}

/// Whether what was typed is at fault.
#[must_use]
pub fn is_wrong_key(error: &KeyringError) -> bool {
    matches!(error, KeyringError::Typed(_) | KeyringError::Luks(LuksError::WrongKey(_)))
}

/// What opens the partition; a header that cannot be read now is told by whatever needs it.
fn told(luks: &Luks) -> Vec<KeySlot> {
    luks.metadata().map(|metadata| metadata.told()).inspect_err(untold).unwrap_or_default()
}

fn untold(error: &LuksError) {
    tracing::warn!(error = error as &dyn std::error::Error, "the header cannot be read: {}", chain(error));
}

#[cfg(test)]
mod rotation_tests;
#[cfg(test)]
mod tests;
