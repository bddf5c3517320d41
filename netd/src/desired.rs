//! What the kernel should have: every link up, and what the leases grant. Pure.

use crate::dhcp::client::Leases;
use crate::dhcp::lease::Network;
use crate::moment::Moment;
use crate::observe::Kind;
use crate::observe::Observed;
use crate::observe::Route;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// Metric of a route on the link with index 0; links that came first are preferred, as their index is lower. Above what people
/// set by hand (0 to 1000), so that a route of theirs wins.
const FIRST_METRIC: u32 = 1024;

/// What the kernel should have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Desired {
    /// Links that are up, by index.
    pub up: Vec<u32>,
    /// Links whose IPv4 addresses and DHCP routes are exactly those below.
    pub managed: Vec<u32>,
    /// Of these, links on which there was no lease yet since netd started: what an earlier run left there with an end stays until
    /// then, so that a restart of netd breaks no connection.
    pub undecided: Vec<u32>,
    /// IPv4 addresses.
    pub addresses: Vec<Granted>,
    /// IPv4 routes.
    pub routes: Vec<Route>,
}

/// An IPv4 address from a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    /// Index of the link.
    pub index: u32,
    /// The address.
    pub address: Ipv4Addr,
    /// Prefix length.
    pub prefix: u8,
    /// When it ends; none means never.
    pub ends_at: Option<Moment>,
}

/// Works out what the kernel should have, from its links, the leases on them, and which links ever had one.
#[must_use]
pub fn desired(observed: &Observed, leases: &Leases, had_lease: &BTreeSet<u32>) -> Desired {
    let mut desired = Desired::default();
    for link in &observed.links {
        match link.kind {
            Kind::Other => continue,
            Kind::Loopback => desired.up.push(link.index),
            Kind::Ethernet { .. } => {
                desired.up.push(link.index);
                desired.managed.push(link.index);
                if !had_lease.contains(&link.index) {
                    desired.undecided.push(link.index);
                }
            }
        }
    }
    for (index, lease) in leases.iter().filter(|(index, _)| desired.managed.contains(index)) {
        let (address, prefix) = (lease.terms.address, lease.terms.prefix);
        desired.addresses.push(Granted { index: *index, address, prefix, ends_at: lease.ends_at() });
        // The kernel itself adds the route to the link's own network, and would not have a second one.
        let own = Network::of(address, prefix);
        let routes =
            lease.terms.routes.iter().filter(|via| !(via.destination == own && via.gateway.is_none()));
        for via in routes {
            let route = Route {
                index: *index,
                destination: via.destination,
                gateway: via.gateway,
                metric: FIRST_METRIC.saturating_add(*index),
                source: Some(address),
            };
            // A server may name a destination twice; the kernel takes one.
            if !desired.routes.iter().any(|r| (r.index, r.destination) == (route.index, route.destination)) {
                desired.routes.push(route);
            }
        }
    }
    desired
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dhcp::lease::Lease;
    use crate::dhcp::lease::Terms;
    use crate::dhcp::lease::Via;
    use crate::observe::Link;

    fn link(index: u32, kind: Kind) -> Link {
        Link {
            index,
            name: format!("link{index}"),
            kind,
            is_up: false,
            has_carrier: false,
            heeds_routers: false,
        }
    }

    fn observed() -> Observed {
        let links = vec![
            link(1, Kind::Loopback),
            link(2, Kind::Ethernet { mac: [2; 6] }),
            link(3, Kind::Other),
            link(4, Kind::Ethernet { mac: [4; 6] }),
        ];
        Observed { links, ..Observed::default() }
    }

    fn lease(address: [u8; 4], routes: Vec<Via>) -> Lease {
        let terms =
            Terms { address: address.into(), prefix: 24, routes, dns: Vec::new(), domain: None, times: None };
        Lease { terms, server: [10, 0, 0, 1].into(), since: Moment::default() }
    }

    #[test]
    fn loopback_and_ethernet_are_up_and_other_links_are_left_alone() {
        let desired = desired(&observed(), &Leases::new(), &BTreeSet::from([4]));
        assert_eq!((desired.up, desired.managed, desired.undecided), (vec![1, 2, 4], vec![2, 4], vec![2]));
    }

    #[test]
    fn a_lease_gives_an_address_and_its_routes_and_the_first_link_is_preferred() {
        let default = Via { destination: Network::DEFAULT, gateway: Some([10, 0, 0, 1].into()) };
        let own = Via { destination: Network::of([10, 0, 0, 0].into(), 24), gateway: None };
        let leases = Leases::from([
            (2, lease([10, 0, 0, 2], vec![default, default, own])),
            (4, lease([10, 0, 0, 4], vec![default])),
            (9, lease([10, 0, 0, 9], vec![default])),
        ]);
        let desired = desired(&observed(), &leases, &BTreeSet::from([2, 4]));
        assert_eq!(desired.addresses.iter().map(|a| a.index).collect::<Vec<_>>(), [2, 4], "link 9 is gone");
        assert_eq!(
            desired.routes.iter().map(|r| (r.index, r.metric)).collect::<Vec<_>>(),
            [(2, 1026), (4, 1028)]
        );
    }
}
