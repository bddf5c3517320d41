//! What the rules depend on besides the policy. Pure data.

use crate::apps::addressing::Place;
use crate::apps::addressing::Prefix6;
use crate::dhcp::lease::Network;
use crate::firewall::learned::Learned;
use crate::firewall::permission::Permission;
use crate::firewall::ranges;
use crate::firewall::ranges::GLOBAL6;
use crate::firewall::ranges::NOT_INTERNET4;
use crate::firewall::ranges::NOT_INTERNET6;
use crate::firewall::ranges::Network4;
use crate::firewall::ranges::Network6;
use crate::moment::Moment;
use model::network::names::AppKey;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// The home network as the links show it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Home {
    /// Links to it.
    pub links: BTreeSet<String>,
    /// Networks that are on these links, IPv4.
    pub networks4: BTreeSet<Network4>,
    /// The same, IPv6.
    pub networks6: BTreeSet<Network6>,
    /// The link that is the box's own network for set-up now (docs/spec/wifi.md).
    pub own_network: Option<String>,
}

/// No home has a wider network than its provider gives it (RFC 6177 for IPv6); who advertises one would make the Internet a home.
const WIDEST4: u8 = 8;
const WIDEST6: u8 = 48;

impl Home {
    /// Takes note of the network that an address on a link lies in.
    pub fn add_network(&mut self, address: IpAddr, prefix: u8) {
        match address {
            IpAddr::V4(address) if prefix >= WIDEST4 => {
                let network = Network::of(address, prefix);
                self.networks4.insert((network.address, network.prefix));
            }
            IpAddr::V6(address) if prefix >= WIDEST6 => {
                self.networks6.insert((ranges::first6(address, prefix), prefix));
            }
            IpAddr::V4(_) | IpAddr::V6(_) => {}
        }
    }

    /// Whether an address is one of the Internet, as the grant for it has it.
    #[must_use]
    pub fn has_in_internet(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => {
                let mut others = NOT_INTERNET4.iter().chain(&self.networks4);
                !others.any(|(network, prefix)| Network::of(address, *prefix).address == *network)
            }
            IpAddr::V6(address) => {
                let lies_in = |(network, prefix): &Network6| ranges::first6(address, *prefix) == *network;
                lies_in(&GLOBAL6) && !NOT_INTERNET6.iter().chain(&self.networks6).any(lies_in)
            }
        }
    }
}

/// Everything that rules are made of.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// What is allowed.
    pub permissions: &'a BTreeSet<Permission>,
    /// Where the apps are that have a network.
    pub places: &'a BTreeMap<AppKey, Place>,
    /// The home network.
    pub home: &'a Home,
    /// The box's own IPv6 prefix.
    pub prefix6: Prefix6,
    /// Addresses of names.
    pub learned: &'a Learned,
    /// Now.
    pub now: Moment,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> Home {
        let mut home = Home::default();
        for (address, prefix) in [("1.2.3.4", 24), ("2620:fe::1:2", 64), ("9.9.9.9", 0), ("2620:fe::1", 32)] {
            home.add_network(address.parse().unwrap(), prefix);
        }
        home
    }

    #[test]
    fn networks_have_no_host_bits_and_the_internet_is_no_home() {
        let home = home();
        assert_eq!(home.networks4, [([1, 2, 3, 0].into(), 24)].into());
        assert_eq!(home.networks6, [("2620:fe::".parse().unwrap(), 64)].into());
    }

    #[test]
    fn what_lies_at_home_is_not_in_the_internet() {
        let home = home();
        for outside in ["1.2.4.4", "9.9.9.9", "2620:fe:0:1::9", "2600::1"] {
            assert!(home.has_in_internet(outside.parse().unwrap()), "{outside}");
        }
        let inside =
            ["1.2.3.255", "192.168.9.9", "127.0.0.1", "2620:fe::9", "fd00::1", "fe80::1", "::1", "2002::1"];
        for inside in inside {
            assert!(!home.has_in_internet(inside.parse().unwrap()), "{inside}");
        }
    }
}
