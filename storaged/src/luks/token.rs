//! What each key slot is for, as a token in the header (LUKS2 On-Disk Format Specification, section 3.5): an object with `type`
//! and `keyslots`, and what the type adds. A slot and its token travel with the partition. Pure.

use super::metadata::Slot;
use model::storage::KeyKind;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

/// The `type` of our tokens.
const TYPE: &str = "hearth";
/// The only version there is.
const VERSION: u32 = 1;

/// A token of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its slot.
    pub slot: Slot,
    /// What opens the slot.
    pub purpose: Purpose,
}

/// What opens a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Purpose {
    /// Random bytes that this box's TPM gives to a system that the policy key signed.
    Tpm {
        /// What the TPM made, as `crates/tpm` writes it.
        sealed: Value,
    },
    /// Random bytes in a file on the boot partition: whoever has the disk can open it.
    BootKey {},
    /// What the owner types at each boot.
    Passphrase {},
    /// The recovery key on paper.
    Recovery {
        /// Whether the owner has shown that it was written down.
        is_confirmed: bool,
    },
}

/// Why a token is of no use to us.
#[derive(Debug, thiserror::Error)]
pub enum NotOurs {
    /// Another type, version or shape.
    #[error("understand a token of the header")]
    Shape(#[source] serde_json::Error),
    /// For no slot, or for more than one and its twin.
    #[error("a token is for {0} slots")]
    Slots(usize),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(rename = "type")]
    _type: TypeName,
    keyslots: Vec<String>,
    #[serde(rename = "version")]
    _version: Version,
    purpose: Purpose,
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct TypeName;

#[derive(Deserialize)]
#[serde(try_from = "u32")]
struct Version;

impl TryFrom<String> for TypeName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == TYPE { Ok(Self) } else { Err(format!("the type {text:?} is not ours")) }
    }
}

impl TryFrom<u32> for Version {
    type Error = String;

    fn try_from(number: u32) -> Result<Self, String> {
        if number == VERSION { Ok(Self) } else { Err(format!("version {number} is not known")) }
    }
}

impl Purpose {
    /// What it is called elsewhere.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        match self {
            Self::Tpm { .. } => KeyKind::Tpm,
            Self::BootKey {} => KeyKind::BootKey,
            Self::Passphrase {} => KeyKind::Passphrase,
            Self::Recovery { .. } => KeyKind::Recovery,
        }
    }
}

impl Token {
    /// Reads one.
    ///
    /// # Errors
    /// When it is not one of ours, or of a later version.
    pub fn from_json(value: &Value) -> Result<Self, NotOurs> {
        let document = Document::deserialize(value).map_err(NotOurs::Shape)?;
        // While the volume key changes the slot has a twin behind it, which takes its place in the end.
        let ([slot] | [slot, _]) = document.keyslots.as_slice() else {
            return Err(NotOurs::Slots(document.keyslots.len()));
        };
        let slot =
            Slot::try_from(slot.clone()).map_err(|error| NotOurs::Shape(serde::de::Error::custom(error)))?;
        Ok(Self { slot, purpose: document.purpose })
    }

    /// Writes it, for `cryptsetup token import`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let Self { slot, purpose } = self;
        serde_json::json!({"type": TYPE, "keyslots": [slot.0.to_string()], "version": VERSION, "purpose": purpose})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_purpose_survives_the_header() {
        for purpose in [
            Purpose::Tpm { sealed: json!({"public": "AAA="}) },
            Purpose::BootKey {},
            Purpose::Passphrase {},
            Purpose::Recovery { is_confirmed: true },
        ] {
            let token = Token { slot: Slot(7), purpose };
            assert_eq!(Token::from_json(&token.to_json()).unwrap(), token);
            let mut twins = token.to_json();
            twins["keyslots"] = json!(["7", "2"]);
            assert_eq!(Token::from_json(&twins).unwrap(), token);
        }
    }

    #[test]
    fn what_is_not_exactly_ours_is_left_alone() {
        let good = Token { slot: Slot(1), purpose: Purpose::BootKey {} }.to_json();
        let with = |key: &str, value: Value| {
            let mut changed = good.clone();
            changed[key] = value;
            changed
        };
        for bad in [
            with("type", json!("systemd-tpm2")),
            with("version", json!(2)),
            with("keyslots", json!([])),
            with("keyslots", json!(["1", "2", "3"])),
            with("keyslots", json!(["99"])),
            with("extra", json!(1)),
            with("purpose", json!({"kind": "boot_key", "path": "/x"})),
        ] {
            assert!(Token::from_json(&bad).is_err(), "{bad}");
        }
    }
}
