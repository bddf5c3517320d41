//! Who the box says it is to DHCP servers, and the secret behind its IPv6 addresses. Made once and kept.
//!
//! One DUID for the whole box and both families (RFC 4361): a UUID of its own (RFC 6355) stays when a network card is replaced and
//! tells no hardware address. Servers that know a box by its hardware address still see that in every DHCPv4 message.

use crate::dhcp::frame::Mac;
use crate::documents;
use crate::documents::DocumentError;
use crate::documents::Lasting;
use serde::Deserialize;
use serde::Serialize;
use std::error::Error;
use std::fmt;
use std::net::Ipv6Addr;
use std::path::Path;

/// Version of the file.
const VERSION: u8 = 1;
/// Type of a client id that has an IAID and a DUID (RFC 4361 section 6.1).
const CLIENT_ID: u8 = 255;
/// DUID-UUID (RFC 6355 section 4).
const DUID_UUID: [u8; 2] = [0, 4];

/// The box's identity on networks.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    uuid: [u8; 16],
    secret: [u8; 16],
}

/// Why there is no identity from before.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file could not be read or written.
    #[error("keep the identity")]
    Keep {
        /// Why.
        #[source]
        source: DocumentError,
    },
    /// There are no random bits.
    #[error("make an identity")]
    Random {
        /// What the kernel said.
        #[source]
        source: getrandom::Error,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u8,
    uuid: String,
    ipv6_secret: String,
}

impl Identity {
    /// The identity kept in a file; made and written when there is none or none that can be read.
    ///
    /// # Errors
    ///
    /// When it cannot be kept: the caller may go on with [`Identity::fleeting`].
    pub fn load(path: &Path) -> Result<Self, IdentityError> {
        match documents::read::<Written>(path) {
            Ok(Some(written)) => match Self::of(&written) {
                Some(identity) => return Ok(identity),
                None => {
                    tracing::warn!(path = %path.display(), "the identity is not readable; making another");
                }
            },
            Ok(None) => {}
            Err(error @ DocumentError::Understand { .. }) => {
                tracing::warn!(error = &error as &dyn Error, "making another identity");
            }
            Err(source) => return Err(IdentityError::Keep { source }),
        }
        let fresh = Self::fleeting()?;
        documents::write(path, &fresh.written(), Lasting::ForGood)
            .map_err(|source| IdentityError::Keep { source })?;
        Ok(fresh)
    }

    /// A new identity that lasts as long as the value.
    ///
    /// # Errors
    ///
    /// When there are no random bits.
    pub fn fleeting() -> Result<Self, IdentityError> {
        let (mut uuid, mut secret) = ([0; 16], [0; 16]);
        getrandom::fill(&mut uuid).map_err(|source| IdentityError::Random { source })?;
        getrandom::fill(&mut secret).map_err(|source| IdentityError::Random { source })?;
        // Version 4, variant 1 (RFC 9562 section 5.4).
        uuid[6] = uuid[6] & 0x0f | 0x40;
        uuid[8] = uuid[8] & 0x3f | 0x80;
        Ok(Self { uuid, secret })
    }

    /// For a kernel without random bits, which does not happen once it has booted.
    #[must_use]
    pub const fn nameless() -> Self {
        Self { uuid: [0; 16], secret: [0; 16] }
    }

    fn of(written: &Written) -> Option<Self> {
        let number = |text: &str| {
            let is_hex = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
            is_hex.then(|| u128::from_str_radix(text, 16).ok()).flatten().map(u128::to_be_bytes)
        };
        let identity = Self { uuid: number(&written.uuid)?, secret: number(&written.ipv6_secret)? };
        (written.version == VERSION).then_some(identity)
    }

    fn written(&self) -> Written {
        let hex = |bytes| format!("{:032x}", u128::from_be_bytes(bytes));
        Written { version: VERSION, uuid: hex(self.uuid), ipv6_secret: hex(self.secret) }
    }

    /// The box's DUID.
    #[must_use]
    pub fn duid(&self) -> Vec<u8> {
        [DUID_UUID.as_slice(), &self.uuid].concat()
    }

    /// DHCPv4 client id of one link.
    #[must_use]
    pub fn client_id(&self, mac: Mac) -> Vec<u8> {
        [[CLIENT_ID].as_slice(), &iaid(mac).to_be_bytes(), &self.duid()].concat()
    }

    /// The secret for stable private addresses (RFC 7217 section 5), in the form in which the kernel takes it.
    #[must_use]
    pub fn ipv6_secret(&self) -> Ipv6Addr {
        Ipv6Addr::from(self.secret)
    }
}

/// Tells the links of one box apart: the part of the hardware address that its maker counts, and one byte more.
#[must_use]
pub const fn iaid(mac: Mac) -> u32 {
    u32::from_be_bytes([mac[2], mac[3], mac[4], mac[5]])
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::any;
    use proptest::proptest;

    #[test]
    fn an_identity_is_made_once_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity.json");
        let first = Identity::load(&path).unwrap();
        assert_eq!(Identity::load(&path).unwrap(), first);
        assert_eq!(first.duid().len(), 18);
        let mac = [0x52, 0x54, 0, 1, 2, 3];
        let id = first.client_id(mac);
        assert_eq!((&id[..5], &id[5..]), ([255, 0, 1, 2, 3].as_slice(), first.duid().as_slice()));
        assert_ne!(id, first.client_id([0x52, 0x54, 0, 1, 2, 4]));
        assert!(!format!("{first:?}").contains(&first.ipv6_secret().to_string()));
        std::fs::write(&path, "{}").unwrap();
        assert_ne!(Identity::load(&path).unwrap(), first, "a damaged file is replaced");
    }

    #[test]
    fn an_identity_that_cannot_be_kept_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let error = Identity::load(&folder.path().join("absent/identity.json")).unwrap_err();
        assert!(matches!(error, IdentityError::Keep { .. }), "{error}");
    }

    fn parse(text: &str) -> Option<Identity> {
        serde_json::from_str(text).ok().as_ref().and_then(Identity::of)
    }

    proptest! {
        #[test]
        fn any_numbers_are_read_without_a_panic(uuid in ".{0,40}", ipv6_secret in ".{0,40}", version in any::<u8>()) {
            let _outcome = Identity::of(&Written { version, uuid, ipv6_secret });
        }
    }

    #[test]
    fn only_the_form_that_is_written_is_read() {
        let good = Identity { uuid: [7; 16], secret: [9; 16] };
        let written = serde_json::to_string(&good.written()).unwrap();
        assert_eq!(parse(&written), Some(good));
        for (from, to) in [
            ("\"version\":1", "\"version\":2"),
            ("07", "+7"),
            ("0707", ""),
            ("\"ipv6_secret\"", "\"x\":1,\"ipv6_secret\""),
        ] {
            let text = written.replacen(from, to, 1);
            assert_eq!(parse(&text), None, "{text}");
        }
    }
}
