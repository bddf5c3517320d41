//! The difference between what the kernel has and what it should have. Pure.

use crate::desired::Desired;
use crate::desired::Granted;
use crate::moment::Moment;
use crate::observe::Address;
use crate::observe::Link;
use crate::observe::Observed;
use crate::observe::Route;
use std::net::IpAddr;
use std::time::Duration;

/// How far the kernel's idea of an address's end may be from ours: it counts in whole seconds and from when it was told.
const TOLERANCE: Duration = Duration::from_secs(3);

/// What to do, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Links to switch on.
    pub switch_on: Vec<u32>,
    /// Links on which to heed IPv6 router advertisements.
    pub heed_routers: Vec<Link>,
    /// Routes to take away.
    pub remove_routes: Vec<Route>,
    /// Addresses to take away. Before new ones come: with the first address of a network the kernel drops all others in it.
    pub remove_addresses: Vec<Address>,
    /// Addresses to add, or whose end to move.
    pub put_addresses: Vec<NewAddress>,
    /// Routes to add. Last: a gateway is only accepted when an address makes it reachable.
    pub put_routes: Vec<Route>,
}

/// An IPv4 address to add, or whose end to move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewAddress {
    /// Index of the link.
    pub index: u32,
    /// The address.
    pub address: std::net::Ipv4Addr,
    /// Prefix length.
    pub prefix: u8,
    /// How long it is valid; none means for ever.
    pub valid_for: Option<Duration>,
}

impl Plan {
    /// Whether the kernel has what it should have.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Works out what to do. IPv6 addresses are never touched: the kernel makes and renews them from router advertisements.
#[must_use]
pub fn plan(desired: &Desired, observed: &Observed, now: Moment) -> Plan {
    let is_managed = |index: u32| desired.managed.contains(&index);
    let is_undecided = |index: u32| desired.undecided.contains(&index);
    let is_down = |index: &u32| observed.link(*index).is_some_and(|link| !link.is_up);
    Plan {
        switch_on: desired.up.iter().copied().filter(is_down).collect(),
        heed_routers: observed
            .links
            .iter()
            .filter(|link| is_managed(link.index) && !link.heeds_routers)
            .cloned()
            .collect(),
        remove_routes: observed
            .routes
            .iter()
            .filter(|route| is_managed(route.index) && !is_undecided(route.index))
            .filter(|route| !desired.routes.contains(route))
            .copied()
            .collect(),
        remove_addresses: observed
            .addresses
            .iter()
            .filter(|have| is_managed(have.index) && have.address.is_ipv4())
            .filter(|have| !(is_undecided(have.index) && have.valid_for.is_some()))
            .filter(|have| !desired.addresses.iter().any(|want| is_same(want, have)))
            .copied()
            .collect(),
        put_addresses: desired
            .addresses
            .iter()
            .filter(|want| {
                !observed.addresses.iter().any(|have| is_same(want, have) && ends_with(want, have, now))
            })
            .map(|want| NewAddress {
                index: want.index,
                address: want.address,
                prefix: want.prefix,
                valid_for: want.ends_at.map(|end| end.since(now)),
            })
            .filter(|new| new.valid_for.is_none_or(|valid_for| valid_for >= Duration::from_secs(1)))
            .collect(),
        put_routes: desired.routes.iter().filter(|route| !observed.routes.contains(route)).copied().collect(),
    }
}

fn is_same(want: &Granted, have: &Address) -> bool {
    (want.index, IpAddr::V4(want.address), want.prefix) == (have.index, have.address, have.prefix)
}

fn ends_with(want: &Granted, have: &Address, now: Moment) -> bool {
    match (want.ends_at.map(|end| end.since(now)), have.valid_for) {
        (None, None) => true,
        (Some(want), Some(have)) => want.abs_diff(have) <= TOLERANCE,
        (None, Some(_)) | (Some(_), None) => false,
    }
}

#[cfg(test)]
mod tests;
