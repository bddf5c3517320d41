//! The keys: random or derived, overwritten in memory when dropped, never shown.

use std::fmt;

use hmac::Hmac;
use hmac::Mac;
use sha2::Sha256;
use sha2::Sha512;
use zeroize::Zeroizing;

/// Length of every key but those of directories, in bytes.
pub(crate) const KEY_BYTES: usize = 32;

/// A secret that is a key or becomes one.
pub(crate) type Secret = Zeroizing<[u8; KEY_BYTES]>;

/// The kernel gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("could not get random bytes")]
pub struct RandomError {
    /// Why.
    #[source]
    pub source: getrandom::Error,
}

macro_rules! key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(Secret);

        impl $name {
            /// Makes a new one.
            ///
            /// # Errors
            /// When the kernel gives no random bytes.
            pub fn random() -> Result<Self, RandomError> {
                random().map(Self)
            }

            /// Takes one that is kept elsewhere.
            #[must_use]
            pub fn from_bytes(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
                Self(bytes)
            }

            /// Shows the key to what keeps or uses it.
            #[must_use]
            pub fn expose(&self) -> &[u8; KEY_BYTES] {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    };
}

key! {
    /// The root of what the box itself may read; kept by `storaged` in a sealed file.
    SystemKey
}

key! {
    /// The key of one store; goes to the daemon that owns it.
    StoreKey
}

key! {
    /// Makes names that can be looked up and not guessed: without the key nobody can tell whose a tag is, even with a list
    /// of all that it could be.
    LookupKey
}

key! {
    /// The root of what one user may read.
    VaultKey
}

impl LookupKey {
    /// Returns the tag of something, for example of an address at an app: each part counts by itself.
    #[must_use]
    pub fn tag(&self, parts: &[&[u8]]) -> [u8; KEY_BYTES] {
        *derive(self.expose(), "hearth lookup tag 1", parts)
    }
}

impl VaultKey {
    /// Returns the key of one of the user's stores or tables.
    #[must_use]
    pub fn store_key(&self, name: &str) -> StoreKey {
        StoreKey(derive(self.expose(), "hearth vault store 1", &[name.as_bytes()]))
    }
}

/// Fills a secret with random bytes.
pub(crate) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, RandomError> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|source| RandomError { source })?;
    Ok(bytes)
}

/// Derives a key: HMAC-SHA256 over the label and the parts, each with its length before it.
pub(crate) fn derive(key: &[u8], label: &str, parts: &[&[u8]]) -> Secret {
    Zeroizing::new(mac::<Hmac<Sha256>>(key, label, parts).finalize().into_bytes().into())
}

/// The same with SHA-512 and twice the length.
pub(crate) fn derive_long(key: &[u8], label: &str, parts: &[&[u8]]) -> Zeroizing<[u8; 64]> {
    Zeroizing::new(mac::<Hmac<Sha512>>(key, label, parts).finalize().into_bytes().into())
}

/// Says in constant time whether a tag is what [`derive`] gives.
pub(crate) fn is_derived(key: &[u8], label: &str, parts: &[&[u8]], tag: &[u8]) -> bool {
    mac::<Hmac<Sha256>>(key, label, parts).verify_slice(tag).is_ok()
}

/// Joins a label and parts so that no two lists give the same bytes.
pub(crate) fn joined(label: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in std::iter::once(label.as_bytes()).chain(parts.iter().copied()) {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of every length, the error cannot occur")]
fn mac<M: Mac + hmac::digest::KeyInit>(key: &[u8], label: &str, parts: &[&[u8]]) -> M {
    let mut mac = <M as Mac>::new_from_slice(key).expect("HMAC takes any key");
    for part in std::iter::once(label.as_bytes()).chain(parts.iter().copied()) {
        mac.update(&(part.len() as u64).to_le_bytes());
        mac.update(part);
    }
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_not_shown() {
        let key = VaultKey::from_bytes(Zeroizing::new([0x41; KEY_BYTES]));
        assert_eq!(format!("{key:?}"), "VaultKey(…)");
    }

    #[test]
    fn labels_and_parts_cannot_flow_into_each_other() {
        let tags = [
            derive(b"key", "ab", &[b"c"]),
            derive(b"key", "a", &[b"bc"]),
            derive(b"key", "ab", &[b"c", b""]),
            derive(b"kez", "ab", &[b"c"]),
        ];
        for (index, tag) in tags.iter().enumerate() {
            assert!(tags[..index].iter().all(|other| other != tag));
        }
        assert_ne!(joined("a", &[b"bc"]), joined("ab", &[b"c"]));
    }

    /// Computed apart from this code, with Python's hmac, so that a change of the derivation cannot go unnoticed.
    #[test]
    fn derives_the_same_keys_as_ever() {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let key = VaultKey::from_bytes(Zeroizing::new([3; KEY_BYTES]));
        assert_eq!(
            hex(key.store_key("notes").expose()),
            "865c6fcf80cc29da6cceca67f5fe54b72742a7f3d9395fe4afdf67bcdd76b358"
        );
        assert_eq!(
            hex(&derive_long(&[3; 32], "label", &[b"part"])[..16]),
            "acfd14d9b3762da5636bc1e352ead012"
        );
    }
}
