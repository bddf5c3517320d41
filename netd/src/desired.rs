//! What the kernel should have: every link up, and the addresses that leases and the owner give it. Pure.

use crate::dhcp::lease::Lease;
use crate::dhcp6;
use crate::ipv4;
use crate::ipv4::link_local;
use crate::knob::Knob;
use crate::knob::NewKnob;
use crate::moment::Moment;
use crate::observe::Kind;
use crate::observe::Link;
use crate::observe::Observed;
use crate::observe::Route;
use crate::observe::RouteOrigin;
use crate::observe::Subnet;
use model::network::link_settings::Ipv4Settings;
use model::network::link_settings::Ipv6Settings;
use model::network::link_settings::LinkSettings;
use model::network::link_settings::MacAddress;
use model::network::link_settings::SMALLEST_IPV6_MTU;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::net::Ipv6Addr;

/// Metric of a route on the link with index 0; links that came first are preferred, as their index is lower. Above what people
/// set by hand (0 to 1000), so that a route of theirs wins.
const FIRST_METRIC: u32 = 1024;
/// Added to the metric of a way over a router that does not answer; above all metrics that the owner can choose.
const SILENT: u32 = 10_000;

/// What the kernel should have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Desired {
    /// Links that are up, by index.
    pub up: Vec<u32>,
    /// Links whose addresses and routes are exactly those below, but for what the kernel makes of router advertisements.
    pub managed: Vec<u32>,
    /// Of these, links on which there was no lease yet since netd started: what an earlier run left there with an end stays until
    /// then, so that a restart of netd breaks no connection.
    pub undecided: Vec<u32>,
    /// The same for DHCPv6.
    pub undecided_6: Vec<u32>,
    /// Of the managed ones, links on which advertisements count for nothing.
    pub deaf_to_routers: Vec<u32>,
    /// Addresses that are being asked for: they stay if they are there.
    pub tolerated: Vec<(u32, IpAddr)>,
    /// Addresses.
    pub addresses: Vec<Granted>,
    /// Routes.
    pub routes: Vec<Route>,
    /// Largest packets, by link.
    pub mtus: Vec<(u32, u32)>,
    /// Settings of links.
    pub knobs: Vec<NewKnob>,
}

/// An address from a lease or from the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    /// Index of the link.
    pub index: u32,
    /// The address.
    pub address: IpAddr,
    /// Prefix length.
    pub prefix: u8,
    /// When it ends; none means never.
    pub ends_at: Option<Moment>,
    /// Until when new connections may use it; none means until it ends.
    pub preferred_until: Option<Moment>,
}

/// What besides the kernel's state decides.
#[derive(Clone, Copy, Debug)]
pub struct Wishes<'a> {
    /// What the owner chose.
    pub settings: &'a [LinkSettings],
    /// IPv4 addresses.
    pub ipv4: &'a ipv4::Views,
    /// Leases of DHCPv6.
    pub dhcp6: &'a dhcp6::Views,
    /// Links that had a DHCPv4 lease since netd started.
    pub had_lease: &'a BTreeSet<u32>,
    /// The same for DHCPv6.
    pub had_lease_6: &'a BTreeSet<u32>,
    /// What the largest packet of links was before netd changed it.
    pub mtu_before: &'a BTreeMap<u32, u32>,
    /// The secret behind IPv6 addresses.
    pub ipv6_secret: Ipv6Addr,
}

impl<'a> Wishes<'a> {
    /// The settings of a link.
    #[must_use]
    pub fn settings_of(&self, link: &Link) -> Option<&'a LinkSettings> {
        find_settings(self.settings, link)
    }
}

/// The settings of a link among all.
#[must_use]
pub fn find_settings<'a>(all: &'a [LinkSettings], link: &Link) -> Option<&'a LinkSettings> {
    let Kind::Ethernet { mac } = link.kind else {
        return None;
    };
    LinkSettings::find(all, MacAddress::new(mac).ok()?, &link.name)
}

/// Works out what the kernel should have.
#[must_use]
pub fn desired(observed: &Observed, wishes: &Wishes<'_>) -> Desired {
    let mut desired = Desired::default();
    let mut metrics = BTreeSet::new();
    for link in &observed.links {
        match link.kind {
            Kind::Other => continue,
            Kind::Loopback => desired.up.push(link.index),
            Kind::Ethernet { .. } => {
                desired.up.push(link.index);
                // Before its task has said what it has, nothing is taken off a link: an earlier run may have put it there.
                if wishes.ipv4.contains_key(&link.index) {
                    desired.managed.push(link.index);
                }
                let settings = wishes.settings_of(link);
                let wished = settings.and_then(LinkSettings::metric);
                let metric = free(
                    wished.map_or_else(|| FIRST_METRIC.saturating_add(link.index), |metric| metric.number()),
                    &mut metrics,
                );
                let automatic = Ipv6Settings::Automatic;
                let ipv6 = settings.map_or(&automatic, LinkSettings::ipv6);
                add_ipv4(link, metric, observed, wishes, &mut desired);
                add_ipv6(link, metric, ipv6, wishes, &mut desired);
                add_mtu(link, settings, wishes, &mut desired);
                add_knobs(link, metric, ipv6, wishes, &mut desired);
            }
        }
    }
    desired
}

/// Two links with one metric would take each other's default route away: the later one comes after.
fn free(wish: u32, taken: &mut BTreeSet<u32>) -> u32 {
    let metric = (wish..).find(|metric| !taken.contains(metric)).unwrap_or(wish);
    taken.insert(metric);
    metric
}

fn add_ipv4(link: &Link, metric: u32, observed: &Observed, wishes: &Wishes<'_>, desired: &mut Desired) {
    let index = link.index;
    let Some(view) = wishes.ipv4.get(&index) else {
        return;
    };
    let is_undecided = view.mode == Ipv4Settings::Dhcp && !wishes.had_lease.contains(&index);
    if is_undecided {
        desired.undecided.push(index);
    }
    desired.tolerated.extend(view.pending.iter().map(|address| (index, IpAddr::V4(*address))));
    let for_ever = |address, prefix| Granted { index, address, prefix, ends_at: None, preferred_until: None };
    desired.addresses.extend(view.fixed.iter().map(|own| for_ever(own.address().into(), own.prefix())));
    let is_left = |address: &crate::observe::Address| {
        address.index == index && address.address.is_ipv4() && address.valid_for.is_some()
    };
    // One left by an earlier run is better than one that only the link's neighbours can reach.
    if !(is_undecided && observed.addresses.iter().any(is_left)) {
        let made_up = view.link_local.map(|address| for_ever(address.into(), link_local::PREFIX));
        desired.addresses.extend(made_up);
    }
    if let Some(lease) = &view.lease {
        let (address, prefix) = (lease.terms.address.into(), lease.terms.prefix);
        desired.addresses.push(Granted {
            index,
            address,
            prefix,
            ends_at: lease.ends_at(),
            preferred_until: None,
        });
        add_lease_routes(index, metric, view, lease, desired);
    }
    if let (Ipv4Settings::Static(_), Some(gateway)) = (&view.mode, view.gateway()) {
        desired.routes.push(Route {
            index,
            destination: Subnet::DEFAULT_4,
            gateway: Some(gateway.into()),
            metric: metric_of(metric, Subnet::DEFAULT_4, view),
            source: None,
            origin: RouteOrigin::Static,
        });
    }
}

fn metric_of(metric: u32, destination: Subnet, view: &ipv4::View) -> u32 {
    if destination.is_default() && view.silent_router.is_some() {
        metric.saturating_add(SILENT)
    } else {
        metric
    }
}

fn add_lease_routes(index: u32, metric: u32, view: &ipv4::View, lease: &Lease, desired: &mut Desired) {
    // The kernel itself adds the route to the link's own network, and would not have a second one.
    for via in lease.foreign_routes() {
        let destination = Subnet { address: via.destination.address.into(), prefix: via.destination.prefix };
        let route = Route {
            index,
            destination,
            gateway: via.gateway.map(IpAddr::V4),
            metric: metric_of(metric, destination, view),
            source: Some(lease.terms.address.into()),
            origin: RouteOrigin::Dhcp,
        };
        // A server may name a destination twice; the kernel takes one.
        if !desired.routes.iter().any(|r| (r.index, r.destination) == (route.index, route.destination)) {
            desired.routes.push(route);
        }
    }
}

fn add_ipv6(link: &Link, metric: u32, ipv6: &Ipv6Settings, wishes: &Wishes<'_>, desired: &mut Desired) {
    let index = link.index;
    match ipv6 {
        Ipv6Settings::Automatic => {
            let lease = wishes.dhcp6.get(&index).and_then(|view| view.lease.as_ref());
            if lease.is_none() && link.dhcpv6.addresses && !wishes.had_lease_6.contains(&index) {
                desired.undecided_6.push(index);
            }
            desired.addresses.extend(lease.into_iter().flat_map(|lease| {
                lease.addresses.iter().map(move |held| Granted {
                    index,
                    address: held.address.into(),
                    // What else is on the link is the router's to say (RFC 5942 section 4).
                    prefix: 128,
                    ends_at: held.valid.map(|valid| lease.since + valid),
                    preferred_until: held.preferred.map(|preferred| lease.since + preferred),
                })
            }));
        }
        Ipv6Settings::Static(fixed) => {
            desired.deaf_to_routers.push(index);
            desired.addresses.extend(fixed.addresses.iter().map(|own| Granted {
                index,
                address: own.address().into(),
                prefix: own.prefix(),
                ends_at: None,
                preferred_until: None,
            }));
            desired.routes.extend(fixed.gateway.map(|gateway| Route {
                index,
                destination: Subnet::DEFAULT_6,
                gateway: Some(gateway.into()),
                metric,
                source: None,
                origin: RouteOrigin::Static,
            }));
        }
        Ipv6Settings::Off => desired.deaf_to_routers.push(index),
    }
}

fn add_mtu(link: &Link, settings: Option<&LinkSettings>, wishes: &Wishes<'_>, desired: &mut Desired) {
    let has_ipv6 = settings.is_none_or(|settings| *settings.ipv6() != Ipv6Settings::Off);
    // A server of IPv4 must not take IPv6 off the link.
    let smallest = if has_ipv6 { SMALLEST_IPV6_MTU } else { 0 };
    let chosen = settings.and_then(LinkSettings::mtu).map(|mtu| u32::from(mtu.bytes()));
    let lease = wishes.ipv4.get(&link.index).and_then(|view| view.lease.as_ref());
    let offered = lease.and_then(|lease| lease.terms.mtu).map(|mtu| u32::from(mtu.max(smallest)));
    let before = wishes.mtu_before.get(&link.index).copied();
    desired.mtus.extend(chosen.or(offered).or(before).map(|mtu| (link.index, mtu)));
}

fn add_knobs(link: &Link, metric: u32, ipv6: &Ipv6Settings, wishes: &Wishes<'_>, desired: &mut Desired) {
    let secret = wishes.ipv6_secret.to_string();
    let values: Vec<(Knob, String)> = match ipv6 {
        Ipv6Settings::Off => {
            vec![(Knob::IgnoreDeadRoutes4, "1".to_owned()), (Knob::DisableIpv6, "1".to_owned())]
        }
        Ipv6Settings::Automatic | Ipv6Settings::Static(_) => {
            // 2: also while the box forwards packets, which it does for apps.
            let accept = if *ipv6 == Ipv6Settings::Automatic { "2" } else { "0" };
            vec![
                (Knob::IgnoreDeadRoutes4, "1".to_owned()),
                (Knob::IgnoreDeadRoutes6, "1".to_owned()),
                (Knob::StableSecret, secret),
                (Knob::AcceptRouters, accept.to_owned()),
                (Knob::RouterMetric, metric.to_string()),
                // On a link that is up, the kernel makes an address and asks routers at once.
                (Knob::DisableIpv6, "0".to_owned()),
            ]
        }
    };
    let known = values.into_iter().filter(|(knob, _)| link.knobs.contains_key(knob));
    desired.knobs.extend(known.map(|(knob, value)| NewKnob {
        index: link.index,
        link: link.name.clone(),
        knob,
        value,
    }));
}

#[cfg(test)]
mod tests;
