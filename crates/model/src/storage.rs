//! The data partition: how it was opened, what can open it, and how the disk under it is.

pub mod backup_disk;
pub mod health;

use serde::Deserialize;
use serde::Serialize;

/// What opens the data partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// This box's TPM, for a system that the policy key signed.
    Tpm,
    /// A file on the boot partition: whoever has the disk can open it.
    BootKey,
    /// What the owner types at each boot.
    Passphrase,
    /// The recovery key on paper.
    Recovery,
}

impl KeyKind {
    /// What it is called in sentences.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Tpm => "the security chip (TPM)",
            Self::BootKey => "the key on the boot partition",
            Self::Passphrase => "the passphrase",
            Self::Recovery => "the recovery key",
        }
    }
}

/// What came of opening the data partition at boot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
pub enum UnlockReport {
    /// It is open.
    Opened {
        /// What opened it.
        by: KeyKind,
        /// What did not go as it should, in plain words.
        reasons: Vec<String>,
    },
    /// It waits for somebody to type a key.
    Locked {
        /// Why it did not open by itself, in plain words.
        reasons: Vec<String>,
        /// What can be typed.
        takes: Vec<KeyKind>,
    },
    /// It cannot be opened by anything that is typed.
    Failed {
        /// Why, in plain words.
        reason: String,
    },
}

/// The data partition and what opens it, as storaged tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageReport {
    /// What came of opening it.
    pub unlock: UnlockReport,
    /// One entry for each slot of its header, in their order.
    pub keys: Vec<KeySlot>,
    /// Whether a recovery key was shown whose end nobody has typed yet.
    pub is_waiting_for_confirmation: bool,
    /// Whether data that was put back to an older copy is noticed; none until somebody has asked the security chip.
    #[serde(default)]
    pub older_copies: Option<OlderCopies>,
    /// How far a change of the volume key is; none when there is none under way.
    #[serde(default)]
    pub rotation: Option<VolumeKeyRotation>,
}

/// A change of the volume key that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeKeyRotation {
    /// How much is encrypted with the new key; none while it rests.
    pub percent: Option<u8>,
    /// Why it rests, in plain words; the next start goes on with it.
    pub problem: Option<String>,
}

/// Whether data that was put back to an older copy of itself is noticed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum OlderCopies {
    /// A counter in the security chip tells.
    Noticed,
    /// Nothing tells.
    Unnoticed {
        /// Why, in plain words.
        reason: String,
    },
}

/// One slot of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySlot {
    /// What opens it.
    pub kind: KeyKind,
    /// Whether it is known to work: only of a recovery key that nobody has shown to have written down it is not.
    pub is_confirmed: bool,
}
