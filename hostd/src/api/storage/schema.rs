//! How the documents of `model::storage` look, for the OpenAPI document alone: `model` knows nothing of it. A test compares real
//! answers with these, member by member.
#![expect(dead_code, reason = "these types describe; none of them is ever made")]

use serde::Serialize;
use utoipa::ToSchema;

/// The encrypted data and what opens it.
#[derive(Serialize, ToSchema)]
pub(crate) struct StorageReport {
    /// What came of opening it.
    unlock: UnlockReport,
    /// Everything that opens it.
    keys: Vec<KeySlot>,
    /// Whether a recovery key was made whose end nobody has typed back yet.
    is_waiting_for_confirmation: bool,
    /// Whether data that was put back to an older copy is noticed; nothing until the security chip was asked.
    older_copies: Option<OlderCopies>,
    /// How far a change of the volume key is; nothing when none is under way.
    rotation: Option<VolumeKeyRotation>,
}

/// A change of the volume key that is under way.
#[derive(Serialize, ToSchema)]
pub(crate) struct VolumeKeyRotation {
    /// How much is encrypted with the new key; nothing while it rests.
    percent: Option<u8>,
    /// Why it rests, in plain words; the next start goes on with it.
    problem: Option<String>,
}

/// Whether data that was put back to an older copy of itself is noticed.
#[derive(Serialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(crate) enum OlderCopies {
    /// A counter in the security chip tells.
    Noticed,
    /// Nothing tells.
    Unnoticed {
        /// Why, in plain words.
        reason: String,
    },
}

/// What came of opening the data at this start.
#[derive(Serialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(crate) enum UnlockReport {
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

/// What opens the data.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KeyKind {
    /// This box's security chip.
    Tpm,
    /// A file on the boot partition: whoever has the disk can open it.
    BootKey,
    /// What somebody types at each start.
    Passphrase,
    /// The recovery key on paper.
    Recovery,
}

/// One of the things that open the data.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeySlot {
    /// What it is.
    kind: KeyKind,
    /// Whether it is known to work; a recovery key that nobody has shown to have written down is not.
    is_confirmed: bool,
}
