//! What stands in a LUKS2 header, as `cryptsetup luksDump --dump-json-metadata` prints it (LUKS2 On-Disk Format Specification,
//! section 3). Pure.

use super::token::Purpose;
use super::token::Token;
use model::storage::KeyKind;
use model::storage::KeySlot;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

/// Number of a key slot, 0 to 31.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Slot(pub u8);

/// Number of a token, 0 to 31.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct TokenId(pub u8);

/// Most slots and most tokens of a header (section 3.1).
const MOST: u8 = 32;

/// What is of interest here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Slots that hold the volume key.
    pub slots: BTreeSet<Slot>,
    /// Our tokens.
    pub tokens: BTreeMap<TokenId, Token>,
    /// Tokens that are not ours, or that this version does not understand, with their slots.
    pub foreign: BTreeMap<TokenId, BTreeSet<Slot>>,
    /// Whether the volume key is being changed.
    pub is_reencrypting: bool,
    /// Slots of another volume key than the one that is in use: a change of it that a cut kept from beginning.
    pub unused: BTreeSet<Slot>,
}

/// Why the header's description is of no use.
#[derive(Debug, thiserror::Error)]
#[error("understand the header of the encrypted partition")]
pub struct NotUnderstood(#[source] serde_json::Error);

#[derive(Deserialize)]
struct Document {
    keyslots: BTreeMap<Slot, Keyslot>,
    #[serde(default)]
    tokens: BTreeMap<TokenId, serde_json::Value>,
    #[serde(default)]
    digests: BTreeMap<String, Digest>,
    config: Config,
}

#[derive(Deserialize)]
struct Keyslot {
    #[serde(rename = "type")]
    kind: String,
}

/// Tells a volume key, and what is encrypted with it.
#[derive(Deserialize)]
struct Digest {
    #[serde(default)]
    keyslots: BTreeSet<Slot>,
    #[serde(default)]
    segments: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    requirements: Requirements,
}

/// Written as a list before it had a name for what must be there.
#[derive(Default, Deserialize)]
struct Requirements {
    #[serde(default)]
    mandatory: Vec<String>,
}

#[derive(Deserialize)]
struct Bearer {
    #[serde(default)]
    keyslots: BTreeSet<Slot>,
}

fn number(text: &str) -> Result<u8, String> {
    let number: u8 = text.parse().map_err(|error| format!("{text:?}: {error}"))?;
    if number < MOST { Ok(number) } else { Err(format!("{number} is beyond {}", MOST - 1)) }
}

impl TryFrom<String> for Slot {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        number(&text).map(Self)
    }
}

impl TryFrom<String> for TokenId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        number(&text).map(Self)
    }
}

impl Metadata {
    /// Reads the JSON.
    ///
    /// # Errors
    /// When it is no LUKS2 metadata.
    pub fn parse(text: &[u8]) -> Result<Self, NotUnderstood> {
        let document: Document = serde_json::from_slice(text).map_err(NotUnderstood)?;
        let mut metadata = Self {
            // While the volume key changes there is a slot of the type `reencrypt` beside the others.
            slots: document
                .keyslots
                .iter()
                .filter(|(_, slot)| slot.kind == "luks2")
                .map(|(n, _)| *n)
                .collect(),
            is_reencrypting: document
                .config
                .requirements
                .mandatory
                .iter()
                .any(|one| one.starts_with("online-reencrypt")),
            ..Self::default()
        };
        if !metadata.is_reencrypting {
            let unused = document.digests.into_values().filter(|digest| digest.segments.is_empty());
            metadata.unused = unused.flat_map(|digest| digest.keyslots).collect();
            metadata.slots.retain(|slot| !metadata.unused.contains(slot));
        }
        for (id, value) in document.tokens {
            if let Ok(token) = Token::from_json(&value) {
                metadata.tokens.insert(id, token);
            } else {
                let bearer = serde_json::from_value(value).unwrap_or(Bearer { keyslots: BTreeSet::new() });
                metadata.foreign.insert(id, bearer.keyslots);
            }
        }
        Ok(metadata)
    }

    /// Slots that no token speaks of: a cut came between making the slot and saying what it is for.
    #[must_use]
    pub fn orphans(&self) -> BTreeSet<Slot> {
        let claimed: BTreeSet<Slot> = self
            .tokens
            .values()
            .map(|token| token.slot)
            .chain(self.foreign.values().flatten().copied())
            .collect();
        self.slots.difference(&claimed).copied().collect()
    }

    /// Slots of a kind, with their tokens.
    pub fn of_kind(&self, kind: KeyKind) -> impl Iterator<Item = (TokenId, &Token)> {
        self.tokens
            .iter()
            .filter(move |(_, token)| token.purpose.kind() == kind)
            .map(|(id, token)| (*id, token))
    }

    /// What opens the partition, in the order of the slots.
    #[must_use]
    pub fn told(&self) -> Vec<KeySlot> {
        let mut tokens: Vec<&Token> = self.tokens.values().collect();
        tokens.sort_by_key(|token| token.slot);
        let told = |token: &Token| KeySlot {
            kind: token.purpose.kind(),
            is_confirmed: token.purpose != Purpose::Recovery { is_confirmed: false },
        };
        tokens.into_iter().map(told).collect()
    }

    /// The first slot that is free.
    #[must_use]
    pub fn free_slot(&self) -> Option<Slot> {
        let is_free = |slot: &Slot| !self.slots.contains(slot) && !self.unused.contains(slot);
        (0..MOST).map(Slot).find(is_free)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = r#"{
      "keyslots":{"0":{"type":"luks2","key_size":64},"1":{"type":"luks2"},"3":{"type":"luks2"},"4":{"type":"reencrypt"}},
      "tokens":{"0":{"type":"hearth","keyslots":["0"],"version":1,"purpose":{"kind":"boot_key"}},
                "1":{"type":"systemd-recovery","keyslots":["3"]},
                "2":{"type":"hearth","keyslots":["1"],"version":2,"purpose":{"kind":"moonlight"}}},
      "segments":{},"digests":{},
      "config":{"json_size":"12288","keyslots_size":"16744448","requirements":{"mandatory":["online-reencrypt-v2"]}}}"#;

    #[test]
    fn slots_tokens_and_what_is_not_ours_are_told_apart() {
        let metadata = Metadata::parse(DUMP.as_bytes()).unwrap();
        assert_eq!(metadata.slots, [Slot(0), Slot(1), Slot(3)].into());
        assert_eq!(
            metadata.tokens,
            [(TokenId(0), Token { slot: Slot(0), purpose: Purpose::BootKey {} })].into()
        );
        assert_eq!(metadata.foreign, [(TokenId(1), [Slot(3)].into()), (TokenId(2), [Slot(1)].into())].into());
        assert!(metadata.is_reencrypting);
        assert!(metadata.orphans().is_empty());
        assert_eq!(metadata.free_slot(), Some(Slot(2)));
    }

    #[test]
    fn slots_are_told_in_their_order_and_only_a_recovery_key_is_ever_unconfirmed() {
        let token = |slot, purpose| Token { slot: Slot(slot), purpose };
        let tokens = [
            (TokenId(0), token(2, Purpose::Recovery { is_confirmed: false })),
            (TokenId(1), token(1, Purpose::Recovery { is_confirmed: true })),
            (TokenId(2), token(0, Purpose::BootKey {})),
        ];
        let metadata = Metadata { tokens: tokens.into(), ..Metadata::default() };
        let told: Vec<(KeyKind, bool)> =
            metadata.told().into_iter().map(|slot| (slot.kind, slot.is_confirmed)).collect();
        let expected = [(KeyKind::BootKey, true), (KeyKind::Recovery, true), (KeyKind::Recovery, false)];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_slot_without_a_token_is_an_orphan() {
        let text = r#"{"keyslots":{"0":{"type":"luks2"},"1":{"type":"luks2"}},"tokens":{"5":{"type":"hearth","keyslots":["1"],
            "version":1,"purpose":{"kind":"boot_key"}}},"config":{}}"#;
        let metadata = Metadata::parse(text.as_bytes()).unwrap();
        assert_eq!(metadata.orphans(), [Slot(0)].into());
        assert!(!metadata.is_reencrypting);
    }

    #[test]
    fn numbers_beyond_the_format_are_refused() {
        for text in [
            "{}",
            "[]",
            "",
            r#"{"keyslots":{"32":{"type":"luks2"}},"config":{}}"#,
            r#"{"keyslots":{"x":{"type":"luks2"}},"config":{}}"#,
        ] {
            Metadata::parse(text.as_bytes()).unwrap_err();
        }
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..512)) {
            drop(Metadata::parse(&bytes));
        }
    }
}
