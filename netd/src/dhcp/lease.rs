//! What a DHCP server grants.

use crate::moment::Moment;
use std::net::Ipv4Addr;
use std::time::Duration;

/// An IPv4 network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    /// Its address, host bits zero.
    pub address: Ipv4Addr,
    /// Prefix length, 0 to 32.
    pub prefix: u8,
}

impl Network {
    /// The network in which an address lies; a prefix over 32 counts as 32.
    #[must_use]
    pub fn of(address: Ipv4Addr, prefix: u8) -> Self {
        let prefix = prefix.min(32);
        let mask = u32::MAX.checked_shl(u32::from(32 - prefix)).unwrap_or(0);
        Self { address: Ipv4Addr::from(u32::from(address) & mask), prefix }
    }

    /// Everything.
    pub const DEFAULT: Self = Self { address: Ipv4Addr::UNSPECIFIED, prefix: 0 };

    /// Whether an address lies in it.
    #[must_use]
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        Self::of(address, self.prefix) == *self
    }
}

/// A route that came with a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Via {
    /// Where to.
    pub destination: Network,
    /// Through whom; none when the destination is on the link itself.
    pub gateway: Option<Ipv4Addr>,
}

/// What a DHCPOFFER or DHCPACK grants, with times relative to its arrival.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The address granted.
    pub address: Ipv4Addr,
    /// Prefix length of the link's network, 1 to 32.
    pub prefix: u8,
    /// Routes, the default route among them.
    pub routes: Vec<Via>,
    /// Name servers, best first.
    pub dns: Vec<Ipv4Addr>,
    /// Domain in which short names are looked up.
    pub domain: Option<String>,
    /// Time servers, best first.
    pub ntp: Vec<Ipv4Addr>,
    /// Largest packet of the link in bytes, 576 to 9000.
    pub mtu: Option<u16>,
    /// How long it is granted; none means for ever.
    pub times: Option<Times>,
}

/// Length of a lease and of its parts; `t1 < t2 < length`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// When to ask the server that granted it for more time.
    pub t1: Duration,
    /// When to ask any server.
    pub t2: Duration,
    /// When the address must no longer be used.
    pub length: Duration,
}

impl Times {
    /// Shortest lease that leaves room for a renewal.
    pub const SHORTEST: Duration = Duration::from_secs(4);

    /// Times of a lease, with the defaults of RFC 2131 section 4.4.5 where the server's own values are absent or out of order.
    #[must_use]
    pub fn new(length: Duration, t1: Option<Duration>, t2: Option<Duration>) -> Option<Self> {
        if length < Self::SHORTEST {
            return None;
        }
        let t2 = t2.filter(|t2| *t2 > Duration::from_secs(1) && *t2 < length).unwrap_or(length / 8 * 7);
        let t1 = t1.filter(|t1| !t1.is_zero() && *t1 < t2).unwrap_or(if length / 2 < t2 {
            length / 2
        } else {
            t2 / 2
        });
        Some(Self { t1, t2, length })
    }
}

/// A lease in use, with times on the daemon's own clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What was granted.
    pub terms: Terms,
    /// Who granted it.
    pub server: Ipv4Addr,
    /// When its times began to run.
    pub since: Moment,
}

impl Lease {
    /// When to start renewing.
    #[must_use]
    pub fn renew_at(&self) -> Option<Moment> {
        self.terms.times.map(|times| self.since + times.t1)
    }

    /// When to start rebinding.
    #[must_use]
    pub fn rebind_at(&self) -> Option<Moment> {
        self.terms.times.map(|times| self.since + times.t2)
    }

    /// When it ends.
    #[must_use]
    pub fn ends_at(&self) -> Option<Moment> {
        self.terms.times.map(|times| self.since + times.length)
    }

    /// Whether it has ended.
    #[must_use]
    pub fn has_ended(&self, now: Moment) -> bool {
        self.ends_at().is_some_and(|end| now >= end)
    }

    /// Routes but for the one to the link's own network.
    pub fn foreign_routes(&self) -> impl Iterator<Item = &Via> {
        let own = Network::of(self.terms.address, self.terms.prefix);
        self.terms.routes.iter().filter(move |via| !(via.destination == own && via.gateway.is_none()))
    }

    /// The default gateway.
    #[must_use]
    pub fn gateway(&self) -> Option<Ipv4Addr> {
        self.terms.routes.iter().find(|via| via.destination == Network::DEFAULT).and_then(|via| via.gateway)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_mask_their_host_bits_at_every_prefix() {
        let address = Ipv4Addr::new(192, 168, 7, 200);
        for (prefix, network) in [
            (0, Ipv4Addr::UNSPECIFIED),
            (16, Ipv4Addr::new(192, 168, 0, 0)),
            (25, Ipv4Addr::new(192, 168, 7, 128)),
            (32, address),
        ] {
            assert_eq!(Network::of(address, prefix), Network { address: network, prefix });
            assert!(Network::of(address, prefix).contains(address));
        }
        assert!(!Network::of(address, 25).contains(Ipv4Addr::new(192, 168, 7, 1)));
    }

    #[test]
    fn times_of_a_lease_are_in_order_whatever_the_server_says() {
        let s = Duration::from_secs;
        let times = |length, t1, t2| Times::new(s(length), t1, t2).map(|t| (t.t1.as_secs(), t.t2.as_secs()));
        assert_eq!(times(3600, None, None), Some((1800, 3150)));
        assert_eq!(times(60, Some(s(4)), Some(s(40))), Some((4, 40)));
        assert_eq!(times(60, Some(s(50)), Some(s(40))), Some((30, 40)), "T1 after T2");
        assert_eq!(times(60, Some(s(0)), Some(s(90))), Some((30, 52)), "T1 zero, T2 after the end");
        assert_eq!(times(3, None, None), None);
        for length in 4..200 {
            let times = Times::new(s(length), None, None).unwrap();
            assert!(!times.t1.is_zero() && times.t1 < times.t2 && times.t2 < times.length, "{times:?}");
        }
    }
}
