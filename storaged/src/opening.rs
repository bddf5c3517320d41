//! Opening the data partition at boot, or making it.
//!
//! ```text
//! make: counter cleared → key → sealed, or written to the boot partition → header → token → open
//! open: each slot that opens by itself, the TPM's first → open → what cuts and changes of keys left is tidied
//! ```
//! Whatever comes of it, the TPM gives nothing more in this boot afterwards. Nothing that the box acknowledges lies on the partition
//! before `make` is through: a cut inside of it begins it anew (`init`, the name of the partition's entry).

use crate::boot_key::BootKey;
use crate::boot_key::BootKeyError;
use crate::counter::Counter;
use crate::key::Key;
use crate::luks::Cost;
use crate::luks::Luks;
use crate::luks::LuksError;
use crate::luks::metadata::Metadata;
use crate::luks::metadata::Slot;
use crate::luks::token::Purpose;
use crate::luks::token::Token;
use crate::sealer::SealError;
use crate::sealer::Sealer;
use crate::words::chain;
use model::storage::KeyKind;
use model::storage::UnlockReport;

/// Why a new partition could not be made or opened.
#[derive(Debug, thiserror::Error)]
pub enum OpeningError {
    /// No random numbers.
    #[error("make a key")]
    Random(#[source] getrandom::Error),
    /// The encrypted partition.
    #[error(transparent)]
    Luks(#[from] LuksError),
    /// The key file.
    #[error(transparent)]
    BootKey(#[from] BootKeyError),
    /// Neither header nor data.
    #[error("the data partition is not encrypted as this system does it")]
    NoHeader,
}

/// An opened partition.
#[derive(Debug)]
pub struct Opened {
    /// What opened it.
    pub by: KeyKind,
    /// The key that did.
    pub key: Key,
    /// What did not go as it should, in plain words.
    pub reasons: Vec<String>,
}

/// What came of it.
#[derive(Debug)]
pub enum Outcome {
    /// It is open.
    Opened(Opened),
    /// Somebody has to type a key.
    Locked {
        /// Why, in plain words.
        reasons: Vec<String>,
        /// What can be typed.
        takes: Vec<KeyKind>,
    },
}

/// The parts that opening needs.
#[derive(Debug)]
pub struct Opening<S> {
    /// The partition.
    pub luks: Luks,
    /// The boot partition.
    pub boot_key: BootKey,
    /// The TPM.
    pub sealer: S,
}

impl Outcome {
    /// For hostd and init.
    #[must_use]
    pub fn report(&self) -> UnlockReport {
        match self {
            Self::Opened(opened) => UnlockReport::Opened { by: opened.by, reasons: opened.reasons.clone() },
            Self::Locked { reasons, takes } => {
                UnlockReport::Locked { reasons: reasons.clone(), takes: takes.clone() }
            }
        }
    }
}

impl<S: Sealer + Counter> Opening<S> {
    /// Encrypts the partition, with what the box has to open it by itself, and opens it. What was on it is lost.
    ///
    /// # Errors
    /// When a step fails; the next boot begins anew.
    pub fn make(&mut self) -> Result<Outcome, OpeningError> {
        let key = Key::random().map_err(OpeningError::Random)?;
        let mut reasons = Vec::new();
        // It guarded what is lost now: a new store in front of a number would be taken for one that somebody emptied.
        if let Err(SealError::Refused(reason)) = self.sealer.clear() {
            reasons
                .push(format!("the number that guards against older copies could not be cleared: {reason}"));
        }
        let purpose = match self.sealer.seal(&key) {
            Ok(sealed) => Purpose::Tpm { sealed },
            Err(error) => {
                if let SealError::Refused(reason) = &error {
                    reasons
                        .push(format!("the key of the data partition lies on the boot partition: {reason}"));
                }
                self.boot_key.write(&key)?;
                Purpose::BootKey {}
            }
        };
        let by = purpose.kind();
        self.luks.format(&key, Cost::Random)?;
        self.luks.import(&Token { slot: Slot(0), purpose }, None)?;
        self.luks.open(&key)?;
        Ok(Outcome::Opened(Opened { by, key, reasons }))
    }

    /// Opens the partition with what needs nobody, or says why it does not open.
    ///
    /// # Errors
    /// When it cannot be opened by anything.
    pub fn open(&mut self) -> Result<Outcome, OpeningError> {
        if !self.luks.is_there()? {
            return Err(OpeningError::NoHeader);
        }
        let mut metadata = self.luks.metadata()?;
        if metadata.is_reencrypting && self.luks.finish_reencryption()? {
            metadata = self.luks.metadata()?;
        }
        let mut reasons = Vec::new();
        if is_key_file_stale(&metadata)
            && let Err(error) = self.boot_key.destroy()
        {
            reasons.push(chain(&error));
        }
        for token in by_themselves(&metadata) {
            let by = token.purpose.kind();
            match self
                .key(token)
                .and_then(|key| self.luks.open(&key).map(|()| key).map_err(|error| chain(&error)))
            {
                Ok(key) => {
                    if let Err(error) = self.luks.tidy() {
                        reasons.push(format!(
                            "the keys of the data partition could not be tidied: {}",
                            chain(&error)
                        ));
                    }
                    return Ok(Outcome::Opened(Opened { by, key, reasons }));
                }
                Err(reason) => reasons.push(reason),
            }
        }
        if reasons.is_empty() && metadata.of_kind(KeyKind::Passphrase).next().is_some() {
            reasons.push("the box asks for its passphrase at each start".to_owned());
        }
        Ok(Outcome::Locked { reasons, takes: typed(&metadata) })
    }

    fn key(&mut self, token: &Token) -> Result<Key, String> {
        match &token.purpose {
            Purpose::Tpm { sealed } => self.sealer.unseal(sealed).map_err(|error| error.to_string()),
            Purpose::BootKey {} => self.boot_key.read().map_err(|error| chain(&error)),
            Purpose::Passphrase {} | Purpose::Recovery { .. } => Err("it is typed".to_owned()),
        }
    }
}

/// Slots that open without anybody, the TPM's first.
fn by_themselves(metadata: &Metadata) -> Vec<&Token> {
    let mut tokens: Vec<&Token> = metadata.tokens.values().collect();
    tokens.retain(|token| matches!(token.purpose.kind(), KeyKind::Tpm | KeyKind::BootKey));
    tokens.sort_by_key(|token| token.purpose.kind());
    tokens
}

/// Whether a key file opens nothing: a change of keys took its slot away. A token that this version does not understand may speak of it.
fn is_key_file_stale(metadata: &Metadata) -> bool {
    metadata.foreign.is_empty() && metadata.of_kind(KeyKind::BootKey).next().is_none()
}

/// What somebody can type. A recovery key that nobody has shown to have written down counts too: somebody may have.
fn typed(metadata: &Metadata) -> Vec<KeyKind> {
    let mut kinds: Vec<KeyKind> = metadata.tokens.values().map(|token| token.purpose.kind()).collect();
    kinds.retain(|kind| matches!(kind, KeyKind::Passphrase | KeyKind::Recovery));
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

#[cfg(test)]
mod tests;
