//! Changes of what opens the data partition. Each adds the new before it takes the old away: a cut leaves one of them, or both.

mod asking;

pub use asking::NotAsked;

use crate::key::Key;
use crate::luks::Cost;
use crate::luks::Luks;
use crate::luks::LuksError;
use crate::luks::metadata::Slot;
use crate::luks::token::Purpose;
use crate::luks::token::Token;
use crate::rotation;
use crate::rotation::NotRotatable;
use crate::sealer::SealError;
use crate::sealer::Sealer;
use model::storage::KeyKind;
use model::storage::KeySlot;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use vault::RecoveryCode;
use vault::RecoveryCodeError;

/// Letters at the end of the recovery key that show that it was written down: its last two groups.
const SHOWN_LETTERS: usize = 8;

/// Why a change did not come about.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// What was typed is no recovery key.
    #[error(transparent)]
    Typed(#[from] RecoveryCodeError),
    /// The encrypted partition.
    #[error(transparent)]
    Luks(#[from] LuksError),
    /// The new key could not be kept for further changes.
    #[error("keep the key that opens the partition")]
    Keep(#[source] io::Error),
    /// The TPM.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// There is no passphrase to ask for.
    #[error(transparent)]
    Passphrase(#[from] NotAsked),
    /// The volume key is not changed.
    #[error(transparent)]
    Rotation(#[from] NotRotatable),
    /// No random numbers.
    #[error("make a key: {0}")]
    Random(String),
    /// There is no recovery key that waits to be confirmed.
    #[error("there is no new recovery key to confirm")]
    NothingToConfirm,
    /// What was typed is not the end of the new recovery key.
    #[error("these are not the last {SHOWN_LETTERS} letters of the new recovery key")]
    NotItsEnd,
}

/// A recovery key that was shown and has not been confirmed.
pub struct Shown {
    slot: Slot,
    code: RecoveryCode,
}

impl fmt::Debug for Shown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Shown(slot {}, …)", self.slot.0)
    }
}

/// Keeps the key for further changes where the next run finds it, before the one it had opens nothing any more.
pub type Keep<'a> = &'a dyn Fn(&Key) -> io::Result<()>;

/// What opens the partition, and a key that does.
#[derive(Debug)]
pub struct Keyring {
    luks: Luks,
    opening: Key,
    shown: Option<Shown>,
}

/// The key that the letters of a recovery key stand for.
fn key_of(code: &RecoveryCode) -> Key {
    Key::from_bytes(code.expose().to_vec())
}

/// One that can be carried over to another volume key ([`Key::is_a_line`]).
pub(crate) fn random_code() -> Result<RecoveryCode, KeyringError> {
    loop {
        let code = RecoveryCode::random().map_err(|error| KeyringError::Random(error.to_string()))?;
        if key_of(&code).is_a_line() {
            return Ok(code);
        }
    }
}

/// What opens the box at each start, as it is typed.
#[derive(Debug)]
pub struct Passphrase(Key);

impl Passphrase {
    /// Whatever somebody typed; the header says whether it is the one.
    fn typed(text: &str) -> Self {
        Self(Key::from_bytes(text.as_bytes().to_vec()))
    }
}

/// Opens a locked partition with a recovery key or passphrase that somebody typed; returns the key for further changes.
///
/// # Errors
/// When it is none of this partition's; then nothing was written.
pub fn unlock(luks: &Luks, typed: &str) -> Result<(Key, KeyKind), KeyringError> {
    let (key, kind) = try_typed(luks, typed)?;
    // It may be open: a run before this one may have ended between opening it and saying so.
    if !luks.is_open() {
        luks.open(&key)?;
    }
    Ok((key, kind))
}

/// Without opening: a wrong key is told from a partition that cannot be opened.
fn try_typed(luks: &Luks, typed: &str) -> Result<(Key, KeyKind), KeyringError> {
    let is_asked = luks.metadata()?.of_kind(KeyKind::Passphrase).next().is_some();
    match RecoveryCode::parse(typed) {
        Ok(code) => match luks.test(&key_of(&code)) {
            Ok(()) => return Ok((key_of(&code), KeyKind::Recovery)),
            // Somebody's passphrase may look like one.
            Err(LuksError::WrongKey(_)) if is_asked => {}
            Err(error) => return Err(error.into()),
        },
        Err(_no_code) if is_asked => {}
        Err(no_code) => return Err(no_code.into()),
    }
    let Passphrase(key) = Passphrase::typed(typed);
    luks.test(&key)?;
    Ok((key, KeyKind::Passphrase))
}

impl Keyring {
    /// With a key that opens the partition.
    #[must_use]
    pub fn new(luks: Luks, opening: Key) -> Self {
        Self { luks, opening, shown: None }
    }

    /// Makes a new recovery key beside the one there may be, which goes on working until the new one is confirmed. One that was
    /// shown before and never confirmed is taken away.
    ///
    /// # Errors
    /// When the header cannot be changed.
    pub fn new_recovery_key(&mut self, keep: Keep<'_>) -> Result<RecoveryCode, KeyringError> {
        let code = random_code()?;
        let purpose = Purpose::Recovery { is_confirmed: false };
        let key = key_of(&code);
        let slot = self.luks.add(&self.opening, &key, Cost::Random, purpose)?;
        self.retire_recovery(&key, keep, |other, is_confirmed| other != slot && !is_confirmed)?;
        self.shown = Some(Shown { slot, code: code.clone() });
        Ok(code)
    }

    /// Somebody typed the last letters of the key that was shown: it is written down. Earlier recovery keys open nothing any more.
    ///
    /// # Errors
    /// When none waits, or the letters are others.
    pub fn confirm_recovery_key(&mut self, end: &str, keep: Keep<'_>) -> Result<(), KeyringError> {
        let shown = self.shown.as_ref().ok_or(KeyringError::NothingToConfirm)?;
        let text = plain(&shown.code.to_text());
        let wanted = text.get(text.len().saturating_sub(SHOWN_LETTERS)..).unwrap_or_default();
        if plain(end) != wanted {
            return Err(KeyringError::NotItsEnd);
        }
        let (slot, key) = (shown.slot, key_of(&shown.code));
        let metadata = self.luks.metadata()?;
        let mut of_slot = metadata.of_kind(KeyKind::Recovery).filter(|(_, token)| token.slot == slot);
        let (id, _) = of_slot.next().ok_or(KeyringError::NothingToConfirm)?;
        let token = Token { slot, purpose: Purpose::Recovery { is_confirmed: true } };
        self.luks.import(&token, Some(id))?;
        self.retire_recovery(&key, keep, |other, _| other != slot)?;
        self.shown = None;
        Ok(())
    }

    /// Whether somebody typed a recovery key of this partition. Writes nothing.
    ///
    /// # Errors
    /// When it is none.
    pub fn check_recovery_key(&self, typed: &str) -> Result<(), KeyringError> {
        let key = key_of(&RecoveryCode::parse(typed)?);
        for (_, token) in self.luks.metadata()?.of_kind(KeyKind::Recovery) {
            if self.luks.opens(&key, token.slot)? {
                return Ok(());
            }
        }
        Err(LuksError::WrongKey(self.luks.device().to_owned()).into())
    }

    /// Begins to change the volume key; the recovery key is carried over, as is what opens the box by itself. To be gone on with by
    /// [`crate::rotation::Worker::start`].
    ///
    /// # Errors
    /// When that is no recovery key of this partition, or there is a key that would be lost.
    pub fn begin_rotation(&self, typed: &str) -> Result<(), KeyringError> {
        let recovery = key_of(&RecoveryCode::parse(typed)?);
        if self.luks.metadata()?.is_reencrypting {
            return Err(NotRotatable::UnderWay.into());
        }
        self.check_recovery_key(typed)?;
        self.luks.tidy()?;
        let metadata = self.luks.metadata()?;
        let mut keys = BTreeMap::new();
        for slot in &metadata.slots {
            for key in [&self.opening, &recovery] {
                if self.luks.opens(key, *slot)? {
                    keys.insert(*slot, key.clone());
                }
            }
        }
        self.luks.begin_reencryption(&rotation::plan(&metadata, &keys)?)?;
        Ok(())
    }

    /// Seals a new key to the TPM and to the firmware as it is now, in place of what opened the partition by itself until now.
    ///
    /// A key file on the boot partition opens nothing any more afterwards; the next boot destroys it.
    ///
    /// # Errors
    /// When the TPM refuses; then nothing has changed.
    pub fn seal_anew(&mut self, sealer: &mut impl Sealer, keep: Keep<'_>) -> Result<(), KeyringError> {
        let key = Key::random().map_err(|error| KeyringError::Random(error.to_string()))?;
        let sealed = sealer.seal(&key)?;
        let slot = self.luks.add(&self.opening, &key, Cost::Random, Purpose::Tpm { sealed })?;
        self.adopt(&key, keep)?;
        let metadata = self.luks.metadata()?;
        for kind in [KeyKind::Tpm, KeyKind::BootKey] {
            for (_, token) in metadata.of_kind(kind).filter(|(_, token)| token.slot != slot) {
                self.luks.remove(token.slot)?;
            }
        }
        Ok(())
    }

    /// What opens the partition, in the order of the slots.
    ///
    /// # Errors
    /// When the header cannot be read.
    pub fn slots(&self) -> Result<Vec<KeySlot>, LuksError> {
        Ok(self.luks.metadata()?.told())
    }

    /// Whether a recovery key was shown that nobody has confirmed.
    #[must_use]
    pub fn is_waiting_for_confirmation(&self) -> bool {
        self.shown.is_some()
    }

    /// The partition.
    #[must_use]
    pub fn luks(&self) -> &Luks {
        &self.luks
    }

    /// The key that opens the partition now.
    #[must_use]
    pub fn opening_key(&self) -> &Key {
        &self.opening
    }

    /// Takes recovery keys away. Where one of them is the key for further changes, another takes over before.
    fn retire_recovery(
        &mut self,
        instead: &Key,
        keep: Keep<'_>,
        which: impl Fn(Slot, bool) -> bool,
    ) -> Result<(), KeyringError> {
        for token in self.luks.metadata()?.tokens.values() {
            if let Purpose::Recovery { is_confirmed } = token.purpose
                && which(token.slot, is_confirmed)
            {
                if self.luks.opens(&self.opening, token.slot)? {
                    self.adopt(instead, keep)?;
                }
                self.luks.remove(token.slot)?;
            }
        }
        Ok(())
    }

    fn adopt(&mut self, key: &Key, keep: Keep<'_>) -> Result<(), KeyringError> {
        keep(key).map_err(KeyringError::Keep)?;
        self.opening = key.clone();
        Ok(())
    }
}

/// Letters and digits alone, as they are on paper.
fn plain(text: &str) -> String {
    let letters = text.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_uppercase());
    letters
        .map(|letter| match letter {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests;
