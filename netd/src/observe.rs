//! What the kernel has, in netd's words; no decisions.

use crate::dhcp::frame::Mac;
use crate::knob::Knob;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::time::Duration;

/// Links, addresses and routes at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// All links, by index.
    pub links: Vec<Link>,
    /// All addresses that are ready for use, or turned out to be another device's.
    pub addresses: Vec<Address>,
    /// IPv6 addresses of which the kernel does not know yet whether another device has them.
    pub tentative: Vec<Address>,
    /// Routes of the main table that the kernel did not make by itself from an address.
    pub routes: Vec<Route>,
    /// What is on the links: networks of the main table without a gateway, whoever put them there.
    pub on_link: Vec<OnLink>,
}

/// A network whose devices are reached on a link without a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnLink {
    /// Index of the link.
    pub index: u32,
    /// The network.
    pub network: Subnet,
}

/// A link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Kernel index.
    pub index: u32,
    /// Kernel name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Whether it is switched on.
    pub is_up: bool,
    /// Whether a cable or its like is in.
    pub has_carrier: bool,
    /// Largest packet in bytes.
    pub mtu: u32,
    /// Speed in millions of bits a second, if the hardware tells.
    pub speed: Option<u32>,
    /// What the newest router advertisement says of DHCPv6.
    pub dhcpv6: Dhcpv6Offer,
    /// Settings that this kernel has for the link, with their values.
    pub knobs: BTreeMap<Knob, String>,
}

/// What a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `lo`.
    Loopback,
    /// An Ethernet link to the home network.
    Ethernet {
        /// Its hardware address.
        mac: Mac,
    },
    /// Anything else; not netd's to manage in this version.
    Other,
}

/// Flags of a router advertisement (RFC 4861 section 4.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dhcpv6Offer {
    /// Addresses are to be had by DHCPv6 ("M").
    pub addresses: bool,
    /// Other things, such as name servers, are ("O").
    pub information: bool,
}

/// An address of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// Index of the link.
    pub index: u32,
    /// The address.
    pub address: IpAddr,
    /// Prefix length.
    pub prefix: u8,
    /// How long it is still valid; none means for ever.
    pub valid_for: Option<Duration>,
    /// Who made it.
    pub maker: Maker,
    /// Whether the kernel found that another device has it (IPv6 only).
    pub is_duplicate: bool,
}

/// Who made an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// The kernel: link-local, loopback, or from a router advertisement.
    Kernel,
    /// netd, as the kernel remembers for IPv6 (since 5.18).
    Netd,
    /// Not known: netd, for IPv4, or somebody else.
    Unknown,
}

/// A network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subnet {
    /// Its address, host bits zero.
    pub address: IpAddr,
    /// Prefix length.
    pub prefix: u8,
}

/// A route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Route {
    /// Index of the link.
    pub index: u32,
    /// Where to.
    pub destination: Subnet,
    /// Through whom; none when the destination is on the link.
    pub gateway: Option<IpAddr>,
    /// Preference, lower is better.
    pub metric: u32,
    /// Source address of packets that take it.
    pub source: Option<IpAddr>,
    /// Who put it there.
    pub origin: RouteOrigin,
}

/// Who put a route there (`rtm_protocol`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RouteOrigin {
    /// netd, for a lease.
    Dhcp,
    /// netd, for the owner.
    Static,
    /// The kernel, from a router advertisement.
    RouterAdvertisement,
    /// Somebody else.
    Foreign(u8),
}

impl Observed {
    /// The link with this index.
    #[must_use]
    pub fn link(&self, index: u32) -> Option<&Link> {
        self.links.iter().find(|link| link.index == index)
    }
}

impl Subnet {
    /// All of IPv4.
    pub const DEFAULT_4: Self = Self { address: IpAddr::V4(Ipv4Addr::UNSPECIFIED), prefix: 0 };
    /// All of IPv6.
    pub const DEFAULT_6: Self = Self { address: IpAddr::V6(Ipv6Addr::UNSPECIFIED), prefix: 0 };

    /// Whether it is everything.
    #[must_use]
    pub const fn is_default(&self) -> bool {
        self.prefix == 0
    }
}

impl Route {
    /// Whether another route has the same place in the kernel's table: of two such it keeps the last one.
    #[must_use]
    pub fn takes_place_of(&self, other: &Self) -> bool {
        let place = |route: &Self| match route.destination.address {
            // IPv6 keeps one for every link and gateway.
            IpAddr::V6(_) => (route.destination, route.metric, Some((route.index, route.gateway))),
            IpAddr::V4(_) => (route.destination, route.metric, None),
        };
        place(self) == place(other)
    }
}
