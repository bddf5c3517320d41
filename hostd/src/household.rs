//! The household's certificates: one authority, made when the box first starts, and the box's own certificate signed by it.
//!
//! Why there is an authority of our own, what it may sign and what installing it means: docs/adr/0008-household-ca.md.

pub mod authority;
pub mod leaf;
mod pem;

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

/// First moment of validity of all our certificates, and the last: 1970-01-01 and 9999-12-31 (RFC 5280 section 4.1.2.5: "no
/// well-defined expiration date").
///
/// A box without a battery-backed clock starts in 1970 and may never reach the Internet, so it cannot know the date; a
/// certificate "from now for a year" would be refused by every browser whose clock is right. Clients that limit the life of
/// certificates apply the limit to those that begin after July 2019 (Apple, support article HT210176), which these do not.
/// What expiry gives elsewhere is had otherwise here: the leaf is made anew when names change, and a lost authority is
/// replaced together with the box's data.
pub(crate) const FIRST_YEAR: i32 = 1970;
/// See [`FIRST_YEAR`].
pub(crate) const LAST_YEAR: i32 = 9999;

/// Networks that exist in a home only: address and prefix length. The authority may sign for nothing else.
/// (RFC 1918, RFC 3927, RFC 1122 section 3.2.1.3.)
pub(crate) const HOME_NETWORKS_V4: [(Ipv4Addr, u8); 5] = [
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
];
/// Unique local, link-local and loop-back addresses (RFC 4193, RFC 4291).
pub(crate) const HOME_NETWORKS_V6: [(Ipv6Addr, u8); 3] = [
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10),
    (Ipv6Addr::LOCALHOST, 128),
];

/// Whether an address can exist in a home only, so that the authority may sign for it.
#[must_use]
pub fn is_home_address(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => HOME_NETWORKS_V4.iter().any(|(network, prefix)| {
            let mask = u32::MAX << (32 - u32::from(*prefix));
            v4.to_bits() & mask == network.to_bits()
        }),
        IpAddr::V6(v6) => HOME_NETWORKS_V6.iter().any(|(network, prefix)| {
            let mask = u128::MAX << (128 - u32::from(*prefix));
            v6.to_bits() & mask == network.to_bits()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn home_addresses_are_private_link_local_and_loop_back() {
        for (text, home) in [
            ("10.0.2.15", true),
            ("172.31.255.255", true),
            ("172.32.0.0", false),
            ("192.168.1.1", true),
            ("169.254.9.9", true),
            ("127.0.0.1", true),
            ("8.8.8.8", false),
            ("::1", true),
            ("::2", false),
            ("fd00::1", true),
            ("fe80::1", true),
            ("2001:db8::1", false),
            ("::ffff:192.168.1.1", true),
        ] {
            assert_eq!(is_home_address(text.parse().unwrap()), home, "{text}");
        }
    }
}
