//! Address ranges with a meaning (IANA special-purpose registries, RFC 6890). Pure data.

use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

/// An IPv4 network.
pub type Network4 = (Ipv4Addr, u8);
/// An IPv6 network.
pub type Network6 = (Ipv6Addr, u8);

/// The first address of the network of this length that an address lies in.
#[must_use]
pub fn first6(address: Ipv6Addr, prefix: u8) -> Ipv6Addr {
    let hosts = u128::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
    Ipv6Addr::from_bits(address.to_bits() & !hosts)
}

/// Where homes have their devices (RFC 1918, RFC 3927). A home with several networks routes between such.
pub const PRIVATE4: [Network4; 4] = [
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
];

/// The same for IPv6 (RFC 4193, RFC 4291 section 2.5.6).
pub const PRIVATE6: [Network6; 2] =
    [(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7), (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10)];

/// IPv4 that is not the Internet.
pub const NOT_INTERNET4: [Network4; 15] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    // Shared by customers of a carrier (RFC 6598).
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    // Documentation (RFC 5737).
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// The Internet of IPv6 (RFC 3587) lies in here.
pub const GLOBAL6: Network6 = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Everything but [`GLOBAL6`].
pub const NOT_GLOBAL6: [Network6; 3] = [
    (Ipv6Addr::UNSPECIFIED, 3),
    (Ipv6Addr::new(0x4000, 0, 0, 0, 0, 0, 0, 0), 2),
    (Ipv6Addr::new(0x8000, 0, 0, 0, 0, 0, 0, 0), 1),
];

/// Parts of [`GLOBAL6`] that are not: tunnels that carry IPv4 addresses (Teredo, 6to4), documentation.
pub const NOT_INTERNET6: [Network6; 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Where a packet of an app cannot go in one piece and to one receiver: this host, loopback, link-local, multicast, reserved.
pub const NOT_ONE_HOST4: [Network4; 5] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// The same for IPv6.
pub const NOT_ONE_HOST6: [Network6; 3] = [
    (Ipv6Addr::UNSPECIFIED, 127),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8),
];
