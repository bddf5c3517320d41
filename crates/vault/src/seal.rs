//! Wrapping a key: under another key, or for whoever holds a credential that is not at hand.
//!
//! The first is XChaCha20-Poly1305 with a random nonce. The second puts an X25519 exchange before it, so that a user who
//! rotates the vault key with the password alone still wraps the new key for the recovery code; the key of that wrap also
//! needs the vault's anchor, a secret that only credentials of the user open. So the public keys in a document alone
//! let nobody slip in a key, and an X25519 that is broken one day opens nothing by itself.

use chacha20poly1305::AeadInPlace;
use chacha20poly1305::KeyInit;
use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::XNonce;
use serde::Deserialize;
use serde::Serialize;
use x25519_dalek::PublicKey;
use x25519_dalek::StaticSecret;
use zeroize::Zeroizing;

use crate::encoding::Base64;
use crate::secret::KEY_BYTES;
use crate::secret::RandomError;
use crate::secret::Secret;
use crate::secret::derive;
use crate::secret::random;

const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
const TAG_START: usize = NONCE_BYTES + KEY_BYTES;

/// A wrapped key: nonce, ciphertext, tag.
pub(crate) type Wrap = Base64<{ TAG_START + TAG_BYTES }>;

/// A key wrapped for the holder of a private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WrapFor {
    /// Public half of a key pair that is used once.
    ephemeral: Base64<KEY_BYTES>,
    wrap: Wrap,
}

/// Wraps a key under another.
pub(crate) fn wrap(key: &Secret, associated: &[u8], secret: &[u8; KEY_BYTES]) -> Result<Wrap, RandomError> {
    let nonce = random::<NONCE_BYTES>()?;
    let mut wrapped = [0; TAG_START + TAG_BYTES];
    wrapped[..NONCE_BYTES].copy_from_slice(nonce.as_slice());
    wrapped[NONCE_BYTES..TAG_START].copy_from_slice(secret);
    let tag = XChaCha20Poly1305::new(key.as_slice().into())
        .encrypt_in_place_detached(
            XNonce::from_slice(nonce.as_slice()),
            associated,
            &mut wrapped[NONCE_BYTES..TAG_START],
        )
        .map_err(|chacha20poly1305::Error| RandomError { source: getrandom::Error::UNEXPECTED })?;
    wrapped[TAG_START..].copy_from_slice(&tag);
    Ok(Base64(wrapped))
}

/// Opens what [`wrap`] made with the same key and associated data; `None` is all that can be said otherwise.
pub(crate) fn unwrap(key: &Secret, associated: &[u8], wrapped: &Wrap) -> Option<Secret> {
    let (nonce, rest) = wrapped.0.split_at_checked(NONCE_BYTES)?;
    let (text, tag) = rest.split_at_checked(KEY_BYTES)?;
    let mut secret = Zeroizing::new([0; KEY_BYTES]);
    secret.copy_from_slice(text);
    XChaCha20Poly1305::new(key.as_slice().into())
        .decrypt_in_place_detached(XNonce::from_slice(nonce), associated, secret.as_mut_slice(), tag.into())
        .ok()?;
    Some(secret)
}

/// Returns the public half of a private key.
pub(crate) fn public_of(private: &Secret) -> Base64<KEY_BYTES> {
    Base64(PublicKey::from(&StaticSecret::from(**private)).to_bytes())
}

/// Wraps a key for the holder of the private half of `public`.
pub(crate) fn wrap_for(
    public: &Base64<KEY_BYTES>,
    anchor: &Secret,
    associated: &[u8],
    secret: &[u8; KEY_BYTES],
) -> Result<WrapFor, RandomError> {
    let private = random()?;
    let ephemeral = public_of(&private);
    let key = exchange(&private, public, anchor, [&ephemeral, public]);
    Ok(WrapFor { ephemeral, wrap: wrap(&key, associated, secret)? })
}

/// Opens what [`wrap_for`] made.
pub(crate) fn unwrap_with(
    private: &Secret,
    anchor: &Secret,
    associated: &[u8],
    wrapped: &WrapFor,
) -> Option<Secret> {
    let public = public_of(private);
    let key = exchange(private, &wrapped.ephemeral, anchor, [&wrapped.ephemeral, &public]);
    unwrap(&key, associated, &wrapped.wrap)
}

/// Agrees on a key. A public key of small order would make the exchange known to all, and the anchor is what is left then;
/// such a key cannot come into a document unseen, because the document is authenticated as a whole.
fn exchange(
    private: &Secret,
    other: &Base64<KEY_BYTES>,
    anchor: &Secret,
    [ephemeral, public]: [&Base64<KEY_BYTES>; 2],
) -> Secret {
    let shared = StaticSecret::from(**private).diffie_hellman(&PublicKey::from(other.0));
    derive(anchor.as_slice(), "hearth vault wrap 1", &[shared.as_bytes(), &ephemeral.0, &public.0])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(byte: u8) -> Secret {
        Zeroizing::new([byte; KEY_BYTES])
    }

    #[test]
    fn opens_only_with_its_key_and_its_associated_data() {
        let wrapped = wrap(&secret(1), b"here", &secret(9)).unwrap();
        assert_eq!(unwrap(&secret(1), b"here", &wrapped), Some(secret(9)));
        assert_eq!(unwrap(&secret(2), b"here", &wrapped), None);
        assert_eq!(unwrap(&secret(1), b"there", &wrapped), None);
        for bit in 0..wrapped.0.len() * 8 {
            let mut flipped = wrapped;
            flipped.0[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(unwrap(&secret(1), b"here", &flipped), None, "bit {bit}");
        }
    }

    #[test]
    fn opens_only_for_the_private_key_and_with_the_anchor() {
        let wrapped = wrap_for(&public_of(&secret(1)), &secret(5), b"here", &secret(9)).unwrap();
        assert_eq!(unwrap_with(&secret(1), &secret(5), b"here", &wrapped), Some(secret(9)));
        assert_eq!(unwrap_with(&secret(2), &secret(5), b"here", &wrapped), None);
        assert_eq!(unwrap_with(&secret(1), &secret(6), b"here", &wrapped), None);
        assert_eq!(unwrap_with(&secret(1), &secret(5), b"there", &wrapped), None);
        let another = wrap_for(&public_of(&secret(1)), &secret(5), b"here", &secret(9)).unwrap();
        assert_ne!(another.ephemeral, wrapped.ephemeral);
        let mixed = WrapFor { ephemeral: another.ephemeral, ..wrapped };
        assert_eq!(unwrap_with(&secret(1), &secret(5), b"here", &mixed), None);
    }
}
