//! Addresses, names and hardware addresses of apps' links. Pure.
//!
//! Each workspace has a network, each app an address in it; nothing is on the link but the app and the box. IPv4 comes from
//! 198.18.0.0/15 (RFC 2544: for measurements between two machines, never routed in the Internet, and unlike 10/8, 172.16/12 and
//! 192.168/16 hardly ever in a home); IPv6 from the box's own /48 of fd00::/8 (RFC 4193).

use crate::dhcp::frame::Mac;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

/// First two bytes of the IPv4 pool, 198.18.0.0/15.
const POOL4: [u8; 2] = [198, 18];
/// The pool as network.
pub const POOL4_NETWORK: (Ipv4Addr, u8) = (Ipv4Addr::new(POOL4[0], POOL4[1], 0, 0), 15);
/// The box as apps see it: gateway and name server.
pub const GATEWAY4: Ipv4Addr = Ipv4Addr::new(POOL4[0], POOL4[1], 0, 1);
/// Next hop of IPv6 packets of apps; reached by a fixed neighbour entry, so nobody need have the address.
pub const NEXT_HOP6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
/// Begin of the names of the box's ends of the links.
pub const LINK_PREFIX: &str = "ha";
/// Workspaces have the networks 1 to 511; 0 is the box's.
pub const LAST_WORKSPACE: u16 = 511;
/// Apps have the addresses 2 to 254 of their workspace.
pub const APP_NUMBERS: std::ops::RangeInclusive<u8> = 2..=254;

/// The box's own IPv6 prefix, /48.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prefix6(pub [u8; 6]);

impl Prefix6 {
    /// From random bytes: the first one says that it is local (RFC 4193 section 3.1, the L bit).
    #[must_use]
    pub const fn from_random(random: [u8; 5]) -> Self {
        let [a, b, c, d, e] = random;
        Self([0xfd, a, b, c, d, e])
    }

    /// The prefix as network.
    #[must_use]
    pub const fn network(self) -> (Ipv6Addr, u8) {
        (self.address(0, 0), 48)
    }

    /// The box as apps see it.
    #[must_use]
    pub const fn gateway(self) -> Ipv6Addr {
        self.address(0, 1)
    }

    const fn address(self, subnet: u16, host: u16) -> Ipv6Addr {
        let [a, b, c, d, e, f] = self.0;
        let [high, low] = subnet.to_be_bytes();
        let [first, last] = host.to_be_bytes();
        Ipv6Addr::from_octets([a, b, c, d, e, f, high, low, 0, 0, 0, 0, 0, 0, first, last])
    }
}

/// An app's place: workspace and number in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Place {
    /// Number of the workspace, 1 to 511.
    pub workspace: u16,
    /// Number of the app in it, 2 to 254.
    pub app: u8,
}

impl Place {
    /// The app's IPv4 address.
    #[must_use]
    pub const fn ipv4(self) -> Ipv4Addr {
        let [high, low] = self.workspace.to_be_bytes();
        Ipv4Addr::new(POOL4[0], POOL4[1] + high, low, self.app)
    }

    /// The app's IPv6 address.
    #[must_use]
    pub const fn ipv6(self, prefix: Prefix6) -> Ipv6Addr {
        prefix.address(self.workspace, self.app as u16)
    }

    /// Name of the box's end of the link; at most 9 of the 15 characters that the kernel takes.
    #[must_use]
    pub fn link(self) -> String {
        format!("{LINK_PREFIX}{}-{}", self.workspace, self.app)
    }

    /// Hardware address of the app's end; the second bit of the first byte says that it is not a manufacturer's.
    #[must_use]
    pub const fn app_mac(self) -> Mac {
        self.mac(0x61)
    }

    /// Hardware address of the box's end.
    #[must_use]
    pub const fn box_mac(self) -> Mac {
        self.mac(0x68)
    }

    const fn mac(self, side: u8) -> Mac {
        let [high, low] = self.workspace.to_be_bytes();
        [0x02, 0x68, side, high, low, self.app]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_says_all_addresses() {
        let prefix = Prefix6::from_random([1, 2, 3, 4, 5]);
        let place = Place { workspace: 257, app: 7 };
        assert_eq!(place.ipv4().to_string(), "198.19.1.7");
        assert_eq!(place.ipv6(prefix).to_string(), "fd01:203:405:101::7");
        assert_eq!(place.link(), "ha257-7");
        assert_eq!(place.app_mac(), [2, 0x68, 0x61, 1, 1, 7]);
        assert_ne!(place.app_mac(), place.box_mac());
        assert_eq!(prefix.gateway().to_string(), "fd01:203:405::1");
        assert_eq!(prefix.network().0.to_string(), "fd01:203:405::");
    }

    #[test]
    fn the_last_place_is_in_the_pool_and_has_a_name_for_the_kernel() {
        let place = Place { workspace: LAST_WORKSPACE, app: *APP_NUMBERS.end() };
        assert_eq!(place.ipv4().to_string(), "198.19.255.254");
        assert!(place.link().len() <= 15);
    }
}
