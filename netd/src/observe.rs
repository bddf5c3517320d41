//! What the kernel has, in netd's words; no decisions.

use crate::dhcp::frame::Mac;
use crate::dhcp::lease::Network;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::time::Duration;

/// Links, addresses and routes at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// All links, by index.
    pub links: Vec<Link>,
    /// All addresses.
    pub addresses: Vec<Address>,
    /// IPv4 routes of the main table that DHCP put there.
    pub routes: Vec<Route>,
    /// IPv6 default gateways, with the index of their link.
    pub gateways6: Vec<(u32, Ipv6Addr)>,
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
    /// Whether IPv6 router advertisements are heeded even while the box forwards packets; true where there is no IPv6.
    pub heeds_routers: bool,
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
}

/// An IPv4 route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Route {
    /// Index of the link.
    pub index: u32,
    /// Where to.
    pub destination: Network,
    /// Through whom; none when the destination is on the link.
    pub gateway: Option<Ipv4Addr>,
    /// Preference, lower is better.
    pub metric: u32,
    /// Source address of packets that take it.
    pub source: Option<Ipv4Addr>,
}

impl Observed {
    /// The link with this index.
    #[must_use]
    pub fn link(&self, index: u32) -> Option<&Link> {
        self.links.iter().find(|link| link.index == index)
    }
}
