//! The difference between what the kernel has and what it should have. Pure.

use crate::desired::Desired;
use crate::desired::Granted;
use crate::knob::NewKnob;
use crate::moment::Moment;
use crate::observe::Address;
use crate::observe::Maker;
use crate::observe::Observed;
use crate::observe::Route;
use crate::observe::RouteOrigin;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

/// How far the kernel's idea of an address's end may be from ours: it counts in whole seconds and from when it was told.
const TOLERANCE: Duration = Duration::from_secs(3);

/// What to do, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Settings of links. First: some count from when the link is switched on.
    pub knobs: Vec<NewKnob>,
    /// Links to switch on.
    pub switch_on: Vec<u32>,
    /// Largest packets of links.
    pub mtus: Vec<(u32, u32)>,
    /// Routes to take away.
    pub remove_routes: Vec<Route>,
    /// Addresses to take away. Before new ones come: with the first address of a network the kernel drops all others in it.
    pub remove_addresses: Vec<Address>,
    /// Addresses to add, or whose end to move.
    pub put_addresses: Vec<NewAddress>,
    /// Routes to add. Last: a gateway is only accepted when an address makes it reachable.
    pub put_routes: Vec<Route>,
}

/// An address to add, or whose end to move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewAddress {
    /// Index of the link.
    pub index: u32,
    /// The address.
    pub address: IpAddr,
    /// Prefix length.
    pub prefix: u8,
    /// How long it is valid; none means for ever.
    pub valid_for: Option<Duration>,
    /// How long new connections may use it; none means as long as it is valid.
    pub preferred_for: Option<Duration>,
}

impl Plan {
    /// Whether the kernel has what it should have.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The links that it changes.
    #[must_use]
    pub fn links(&self) -> BTreeSet<u32> {
        let Self { knobs, switch_on, mtus, remove_routes, remove_addresses, put_addresses, put_routes } =
            self;
        (knobs.iter().map(|knob| knob.index))
            .chain(switch_on.iter().copied())
            .chain(mtus.iter().map(|(index, _)| *index))
            .chain(remove_routes.iter().chain(put_routes).map(|route| route.index))
            .chain(remove_addresses.iter().map(|address| address.index))
            .chain(put_addresses.iter().map(|address| address.index))
            .collect()
    }

    /// The plan without what it would do to these links.
    #[must_use]
    pub fn without(mut self, links: &BTreeSet<u32>) -> Self {
        self.knobs.retain(|knob| !links.contains(&knob.index));
        self.switch_on.retain(|index| !links.contains(index));
        self.mtus.retain(|(index, _)| !links.contains(index));
        self.remove_routes.retain(|route| !links.contains(&route.index));
        self.remove_addresses.retain(|address| !links.contains(&address.index));
        self.put_addresses.retain(|address| !links.contains(&address.index));
        self.put_routes.retain(|route| !links.contains(&route.index));
        self
    }
}

/// Works out what to do. What the kernel makes of router advertisements is left to it, except where these count for nothing.
#[must_use]
pub fn plan(desired: &Desired, observed: &Observed, now: Moment) -> Plan {
    let is_down = |index: &u32| observed.link(*index).is_some_and(|link| !link.is_up);
    let differs = |new: &&NewKnob| {
        observed.link(new.index).is_some_and(|link| link.knobs.get(&new.knob) != Some(&new.value))
    };
    let has_other_mtu =
        |(index, mtu): &&(u32, u32)| observed.link(*index).is_some_and(|link| link.mtu != *mtu);
    Plan {
        knobs: desired.knobs.iter().filter(differs).cloned().collect(),
        switch_on: desired.up.iter().copied().filter(is_down).collect(),
        mtus: desired.mtus.iter().filter(has_other_mtu).copied().collect(),
        remove_routes: observed
            .routes
            .iter()
            .filter(|have| is_surplus_route(have, desired))
            .copied()
            .collect(),
        remove_addresses: observed
            .addresses
            .iter()
            .filter(|have| is_surplus_address(have, desired))
            .copied()
            .collect(),
        put_addresses: desired
            .addresses
            .iter()
            .filter(|want| {
                !observed.addresses.iter().any(|have| is_same(want, have) && ends_with(want, have, now))
            })
            // The kernel is at it.
            .filter(|want| !observed.tentative.iter().any(|have| is_same(want, have)))
            .filter(|want| want.ends_at.is_none_or(|end| end.since(now) >= Duration::from_secs(1)))
            .map(|want| new_address(want, observed, now))
            .collect(),
        put_routes: desired.routes.iter().filter(|route| !observed.routes.contains(route)).copied().collect(),
    }
}

/// When the kernel finds that another device has an IPv6 address, it forgets the address if that has an end, and keeps it for us to
/// see if it has none (`addrconf_dad_stop` of net/ipv6/addrconf.c). So the end comes once the address is sure.
fn new_address(want: &Granted, observed: &Observed, now: Moment) -> NewAddress {
    let is_there = observed.addresses.iter().any(|have| is_same(want, have));
    let end = |end: Option<Moment>| end.filter(|_| is_there || want.address.is_ipv4());
    // One that is valid for ever shows no end by which to see that it has to be renewed.
    let preferred_until = want.preferred_until.filter(|_| want.ends_at.is_some());
    NewAddress {
        index: want.index,
        address: want.address,
        prefix: want.prefix,
        valid_for: end(want.ends_at).map(|end| end.since(now)),
        preferred_for: end(preferred_until).map(|end| end.since(now)),
    }
}

fn is_surplus_route(have: &Route, desired: &Desired) -> bool {
    let index = have.index;
    if !desired.managed.contains(&index) || desired.routes.contains(have) {
        return false;
    }
    match have.origin {
        RouteOrigin::RouterAdvertisement => desired.deaf_to_routers.contains(&index),
        RouteOrigin::Dhcp if have.destination.address.is_ipv4() => !desired.undecided.contains(&index),
        RouteOrigin::Dhcp | RouteOrigin::Static | RouteOrigin::Foreign(_) => true,
    }
}

fn is_surplus_address(have: &Address, desired: &Desired) -> bool {
    let index = have.index;
    if !desired.managed.contains(&index)
        || desired.addresses.iter().any(|want| is_same(want, have))
        || desired.tolerated.contains(&(index, have.address))
    {
        return false;
    }
    match have.address {
        IpAddr::V4(_) => !(desired.undecided.contains(&index) && have.valid_for.is_some()),
        IpAddr::V6(address) if address.is_unicast_link_local() => false,
        IpAddr::V6(_) => match have.maker {
            Maker::Kernel => desired.deaf_to_routers.contains(&index),
            Maker::Netd => !desired.undecided_6.contains(&index),
            // Kernels before 5.18 do not say which addresses they made of advertisements; all of these have an end.
            Maker::Unknown => have.valid_for.is_none() || desired.deaf_to_routers.contains(&index),
        },
    }
}

fn is_same(want: &Granted, have: &Address) -> bool {
    (want.index, want.address, want.prefix) == (have.index, have.address, have.prefix)
}

fn ends_with(want: &Granted, have: &Address, now: Moment) -> bool {
    if have.is_duplicate {
        return true;
    }
    match (want.ends_at.map(|end| end.since(now)), have.valid_for) {
        (None, None) => true,
        (Some(want), Some(have)) => want.abs_diff(have) <= TOLERANCE,
        (None, Some(_)) | (Some(_), None) => false,
    }
}

#[cfg(test)]
mod tests;
