//! Everything that is known of the links, for a page that shows it. Pure.

use crate::desired::find_settings;
use crate::dhcp::frame::Mac;
use crate::dhcp6;
use crate::ipv4;
use crate::moment::Moment;
use crate::observe::Address;
use crate::observe::Kind;
use crate::observe::Link;
use crate::observe::Maker;
use crate::observe::Observed;
use crate::routers;
use crate::status::WallClock;
use model::network::link_report::AddressOrigin;
use model::network::link_report::AddressReport;
use model::network::link_report::GatewayReport;
use model::network::link_report::LinkKind;
use model::network::link_report::LinkReport;
use model::network::link_report::LinkState;
use model::network::link_settings::Ipv6Settings;
use model::network::link_settings::LinkSettings;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// What is known besides the kernel's state.
#[derive(Clone, Copy, Debug)]
pub struct Knowledge<'a> {
    /// What the owner chose.
    pub settings: &'a [LinkSettings],
    /// IPv4 addresses.
    pub ipv4: &'a ipv4::Views,
    /// DHCPv6.
    pub dhcp6: &'a dhcp6::Views,
    /// What routers told.
    pub told: &'a routers::Told,
    /// Links that are left alone for now, because another program keeps changing them.
    pub resting: &'a BTreeSet<u32>,
    /// For dates.
    pub wall: WallClock,
    /// The present.
    pub now: Moment,
}

/// Every Ethernet link, in order of the kernel index.
#[must_use]
pub fn reports(observed: &Observed, knowledge: &Knowledge<'_>) -> Vec<LinkReport> {
    observed.links.iter().filter_map(|link| report(link, observed, knowledge)).collect()
}

/// What keeps the network from being as the owner wants it, of all links.
#[must_use]
pub fn reasons(observed: &Observed, knowledge: &Knowledge<'_>) -> Vec<String> {
    let is_ours = |link: &&Link| matches!(link.kind, Kind::Ethernet { .. });
    let of_link = |link: &Link| {
        let name = link.name.clone();
        troubles(link, observed, knowledge).into_iter().map(move |trouble| format!("{name}: {trouble}"))
    };
    observed.links.iter().filter(is_ours).flat_map(of_link).collect()
}

fn report(link: &Link, observed: &Observed, knowledge: &Knowledge<'_>) -> Option<LinkReport> {
    let Kind::Ethernet { mac } = link.kind else {
        return None;
    };
    let view = knowledge.ipv4.get(&link.index);
    let lease = view.and_then(|view| view.lease.as_ref());
    let information = knowledge.dhcp6.get(&link.index).and_then(|view| view.information.as_ref());
    let told = knowledge.told.get(&link.index);
    let dns = lease.into_iter().flat_map(|lease| lease.terms.dns.iter().copied().map(IpAddr::V4));
    let dns = dns.chain(information.into_iter().flat_map(|all| all.dns.iter().copied().map(IpAddr::V6)));
    let dns =
        dns.chain(told.into_iter().flat_map(|told| told.dns.iter().map(|(server, _)| IpAddr::V6(*server))));
    let ntp = lease.into_iter().flat_map(|lease| lease.terms.ntp.iter().map(ToString::to_string));
    let ntp = ntp.chain(information.into_iter().flat_map(|all| all.ntp.iter().cloned()));
    let domains = lease.into_iter().filter_map(|lease| lease.terms.domain.clone());
    let domains = domains.chain(information.into_iter().flat_map(|all| all.domains.iter().cloned()));
    let domains =
        domains.chain(told.into_iter().flat_map(|told| told.domains.iter().map(|(d, _)| d.clone())));
    let mut problems = troubles(link, observed, knowledge);
    if view.is_some_and(|view| view.is_unanswered) {
        problems.push("no DHCP server answers; only devices on the same cable can be reached".to_owned());
    }
    Some(LinkReport {
        name: link.name.clone(),
        kind: LinkKind::Ethernet,
        mac: mac_words(mac),
        state: match (link.is_up, link.has_carrier) {
            (false, _) => LinkState::Down,
            (true, false) => LinkState::NoCarrier,
            (true, true) => LinkState::Up,
        },
        speed_mbit: link.speed,
        mtu: link.mtu,
        addresses: own(link, observed).map(|address| shown(address, link, knowledge)).collect(),
        gateways: gateways(link, observed, knowledge),
        dns: once(dns),
        ntp: once(ntp),
        domains: once(domains),
        problems,
    })
}

fn own<'a>(link: &Link, observed: &'a Observed) -> impl Iterator<Item = &'a Address> {
    let index = link.index;
    observed.addresses.iter().filter(move |address| address.index == index)
}

fn shown(address: &Address, link: &Link, knowledge: &Knowledge<'_>) -> AddressReport {
    let view = knowledge.ipv4.get(&link.index);
    let lease = view
        .and_then(|view| view.lease.as_ref())
        .filter(|lease| IpAddr::V4(lease.terms.address) == address.address);
    let is_static_6 = find_settings(knowledge.settings, link)
        .is_some_and(|settings| matches!(settings.ipv6(), Ipv6Settings::Static(_)));
    let origin = match address.address {
        IpAddr::V4(_) if lease.is_some() => AddressOrigin::Dhcp,
        IpAddr::V4(v4) if view.is_some_and(|view| view.fixed.iter().any(|own| own.address() == v4)) => {
            AddressOrigin::Static
        }
        IpAddr::V4(v4) if v4.is_link_local() => AddressOrigin::LinkLocal,
        IpAddr::V4(_) => AddressOrigin::Unknown,
        IpAddr::V6(v6) if v6.is_unicast_link_local() => AddressOrigin::LinkLocal,
        IpAddr::V6(_) => match (address.maker, address.valid_for) {
            (Maker::Kernel, _) | (Maker::Unknown, Some(_)) => AddressOrigin::Slaac,
            (Maker::Netd, _) if is_static_6 => AddressOrigin::Static,
            (Maker::Netd, _) => AddressOrigin::Dhcpv6,
            (Maker::Unknown, None) => AddressOrigin::Unknown,
        },
    };
    let by_kernel = address.valid_for.map(|left| {
        let end = knowledge.wall.unix_seconds(knowledge.now + left);
        // The kernel counts whole seconds: to the minute, so that the date shown does not flutter.
        end.saturating_add(30) / 60 * 60
    });
    let valid_until_unix = match lease {
        Some(lease) => lease.ends_at().map(|end| knowledge.wall.unix_seconds(end)),
        None => by_kernel,
    };
    AddressReport { address: address.address, prefix: address.prefix, origin, valid_until_unix }
}

fn gateways(link: &Link, observed: &Observed, knowledge: &Knowledge<'_>) -> Vec<GatewayReport> {
    let silent = knowledge.ipv4.get(&link.index).and_then(|view| view.silent_router).map(IpAddr::V4);
    let routes = observed.routes.iter().filter(|route| route.index == link.index);
    let mut gateways: Vec<GatewayReport> = routes
        .filter(|route| route.destination.is_default())
        .filter_map(|route| {
            let address = route.gateway?;
            let answers = link.has_carrier && Some(address) != silent;
            Some(GatewayReport { address, metric: route.metric, answers })
        })
        .collect();
    gateways.sort_by_key(|gateway| (gateway.metric, gateway.address));
    gateways
}

fn troubles(link: &Link, observed: &Observed, knowledge: &Knowledge<'_>) -> Vec<String> {
    let view = knowledge.ipv4.get(&link.index);
    let mut troubles: Vec<String> = view
        .into_iter()
        .flat_map(|view| &view.conflicts)
        .map(|conflict| {
            format!("another device ({}) uses the address {}", mac_words(conflict.rival), conflict.address)
        })
        .collect();
    if let Some(router) = view.and_then(|view| view.silent_router) {
        troubles.push(format!("the router {router} does not answer"));
    }
    let duplicates = own(link, observed).filter(|address| address.is_duplicate);
    troubles.extend(duplicates.map(|address| format!("another device uses the address {}", address.address)));
    if knowledge.resting.contains(&link.index) {
        troubles.push("another program keeps changing this link; it is left alone for a while".to_owned());
    }
    troubles
}

fn once<T: Clone + Ord>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = BTreeSet::new();
    all.filter(|item| seen.insert(item.clone())).collect()
}

pub(crate) fn mac_words(mac: Mac) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

#[cfg(test)]
mod tests;
