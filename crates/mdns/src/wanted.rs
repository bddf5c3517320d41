//! What the caller hands in and gets back.

use model::names::HostName;
use std::net::IpAddr;
use std::net::SocketAddr;

/// Most names of apps that are announced; more are left out, and the problem says so.
pub const MAX_EXTRA_HOSTS: usize = 256;
/// Most addresses of a link that are announced.
pub const MAX_ADDRESSES: usize = 16;

/// What shall be announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The box: `<host>.local`, or with a number behind it when that is taken.
    pub host: HostName,
    /// Names below the box, for apps: `<extra>.<host>.local`, with the same addresses.
    pub extra_hosts: Vec<HostName>,
    /// Services, listed under the box's name.
    pub services: Vec<Service>,
}

/// A service (RFC 6763).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Such as `_https._tcp`. One that is no pair of labels is not announced.
    pub kind: &'static str,
    /// TCP or UDP port.
    pub port: u16,
    /// `key=value` each, at most 255 bytes (section 6); longer ones are left out.
    pub txt: Vec<String>,
}

/// A link and its addresses that may be announced: up, with carrier, no address tentative.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkAddresses {
    /// The kernel's index.
    pub index: u32,
    /// The kernel's name.
    pub name: String,
    /// Its addresses, link-local ones too.
    pub addresses: Vec<LinkAddress>,
}

/// An address with its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkAddress {
    /// The address.
    pub address: IpAddr,
    /// Length of the network's prefix.
    pub prefix: u8,
}

impl LinkAddress {
    /// Whether another address is of the same network.
    #[must_use]
    pub fn reaches(&self, other: IpAddr) -> bool {
        let differing = match (self.address, other) {
            (IpAddr::V4(own), IpAddr::V4(other)) => (own.to_bits() ^ other.to_bits()).leading_zeros(),
            (IpAddr::V6(own), IpAddr::V6(other)) => (own.to_bits() ^ other.to_bits()).leading_zeros(),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
        };
        differing >= u32::from(self.prefix)
    }
}

impl LinkAddresses {
    /// Whether an address is on the link, so that a packet from there may be answered to it (RFC 6762 section 11).
    #[must_use]
    pub fn reaches(&self, other: IpAddr) -> bool {
        let is_link_local = matches!(other, IpAddr::V6(other) if other.is_unicast_link_local());
        is_link_local || self.addresses.iter().any(|own| own.reaches(other))
    }
}

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// No link has an address.
    #[default]
    Idle,
    /// On some link it is not yet known whether the name is free.
    Probing,
    /// The name is the box's on every link.
    Announced,
}

/// What became of the wish.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Announced {
    /// The name announced now: the one wished for, or with a number behind it when that was taken.
    pub name: String,
    /// How far it is.
    pub state: State,
    /// Why something is not announced, in plain words.
    pub problem: Option<String>,
    /// Who took the name wished for; none while the box has that name.
    pub rival: Option<IpAddr>,
}

/// How a packet came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Index of the link.
    pub link: u32,
    /// Who sent it.
    pub source: SocketAddr,
    /// Whether it was sent to all, or to this box alone.
    pub was_multicast: bool,
}

/// A packet to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Index of the link.
    pub link: u32,
    /// To whom.
    pub to: Destination,
    /// The message.
    pub bytes: Vec<u8>,
}

/// Where a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// To all on the link, by both IPv4 and IPv6 as far as the link has them.
    Group,
    /// To one.
    Host(SocketAddr),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_compared_by_their_prefix() {
        let own = |address: &str, prefix| LinkAddress { address: address.parse().unwrap(), prefix };
        for (own, other, reaches) in [
            (own("192.168.1.2", 24), "192.168.1.255", true),
            (own("192.168.1.2", 24), "192.168.2.1", false),
            (own("192.168.1.2", 0), "8.8.8.8", true),
            (own("192.168.1.2", 32), "192.168.1.3", false),
            (own("fd00::1", 64), "fd00::ffff:1", true),
            (own("fd00::1", 64), "fd00:0:0:1::1", false),
            (own("fd00::1", 64), "192.168.1.2", false),
        ] {
            assert_eq!(own.reaches(other.parse().unwrap()), reaches, "{own:?} {other}");
        }
        let link = LinkAddresses { index: 2, name: "eth0".to_owned(), addresses: vec![own("10.0.0.1", 8)] };
        assert!(link.reaches("fe80::5".parse().unwrap()) && link.reaches("10.9.9.9".parse().unwrap()));
        assert!(!link.reaches("2001:db8::1".parse().unwrap()));
    }
}
