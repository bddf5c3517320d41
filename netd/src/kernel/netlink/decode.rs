//! From the kernel's messages to netd's words. Pure.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the kernel sends many more attributes than netd reads, and new ones with every release"
)]

use super::FOR_EVER;
use super::NETD;
use crate::apps::addressing::LINK_PREFIX;
use crate::observe::Address;
use crate::observe::Dhcpv6Offer;
use crate::observe::Kind;
use crate::observe::Link;
use crate::observe::Maker;
use crate::observe::OnLink;
use crate::observe::Route;
use crate::observe::RouteOrigin;
use crate::observe::Subnet;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::AddressAttribute;
use netlink_packet_route::address::AddressFlags;
use netlink_packet_route::address::AddressHeaderFlags;
use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::address::AddressProtocol;
use netlink_packet_route::link::AfSpecInet6;
use netlink_packet_route::link::AfSpecUnspec;
use netlink_packet_route::link::Inet6IfaceFlags;
use netlink_packet_route::link::InfoKind;
use netlink_packet_route::link::LinkAttribute;
use netlink_packet_route::link::LinkFlags;
use netlink_packet_route::link::LinkInfo;
use netlink_packet_route::link::LinkLayerType;
use netlink_packet_route::link::LinkMessage;
use netlink_packet_route::route::RouteAddress;
use netlink_packet_route::route::RouteAttribute;
use netlink_packet_route::route::RouteHeader;
use netlink_packet_route::route::RouteMessage;
use netlink_packet_route::route::RouteProtocol;
use netlink_packet_route::route::RouteType;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::time::Duration;

/// A link; none when the kernel gives it no name.
pub(super) fn link(message: &LinkMessage) -> Option<Link> {
    let mut name = None;
    let mut hardware_address = None;
    let mut info_kind = None;
    let mut mtu = 0;
    let mut dhcpv6 = Dhcpv6Offer::default();
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(text) => name = Some(text.clone()),
            LinkAttribute::Address(bytes) => hardware_address = <[u8; 6]>::try_from(bytes.as_slice()).ok(),
            LinkAttribute::Mtu(bytes) => mtu = *bytes,
            LinkAttribute::AfSpecUnspec(families) => dhcpv6 = dhcpv6_offer(families),
            LinkAttribute::LinkInfo(infos) => {
                info_kind = infos.iter().find_map(|info| match info {
                    LinkInfo::Kind(kind) => Some(kind.clone()),
                    _ => None,
                });
            }
            _ => {}
        }
    }
    let name = name?;
    let flags = message.header.flags;
    let kind = if flags.contains(LinkFlags::Loopback) {
        Kind::Loopback
    } else {
        match hardware_address {
            Some(mac)
                if message.header.link_layer_type == LinkLayerType::Ether
                    && is_to_home_network(&name, info_kind.as_ref()) =>
            {
                Kind::Ethernet { mac }
            }
            _ => Kind::Other,
        }
    };
    Some(Link {
        index: message.header.index,
        name,
        kind,
        is_up: flags.contains(LinkFlags::Up),
        has_carrier: flags.contains(LinkFlags::LowerUp),
        mtu,
        dhcpv6,
        // Not in the message; the caller adds them.
        speed: None,
        knobs: BTreeMap::new(),
    })
}

fn dhcpv6_offer(families: &[AfSpecUnspec]) -> Dhcpv6Offer {
    let inet6 = families.iter().filter_map(|family| match family {
        AfSpecUnspec::Inet6(attributes) => Some(attributes),
        _ => None,
    });
    let flags = inet6.flatten().find_map(|attribute| match attribute {
        AfSpecInet6::Flags(flags) => Some(*flags),
        _ => None,
    });
    let has = |flag| flags.is_some_and(|flags| flags.contains(flag));
    Dhcpv6Offer { addresses: has(Inet6IfaceFlags::RaManaged), information: has(Inet6IfaceFlags::Otherconf) }
}

/// Hardware has no link kind. A virtual pair counts when it is called like hardware: whoever made this network namespace gave it
/// to us as its network (a container, a test). Hearth's own bridges and pairs have other names; links of apps are never part of it.
fn is_to_home_network(name: &str, kind: Option<&InfoKind>) -> bool {
    !name.starts_with(LINK_PREFIX)
        && kind.is_none_or(|kind| *kind == InfoKind::Veth && name.starts_with("eth"))
}

/// Whether the address may yet turn out to be another device's; there is news when it is known.
pub(super) fn is_tentative(message: &AddressMessage) -> bool {
    let flags = message.header.flags;
    flags.contains(AddressHeaderFlags::Tentative) && !flags.contains(AddressHeaderFlags::Dadfailed)
}

/// An address; none when the message has none.
pub(super) fn address(message: &AddressMessage) -> Option<Address> {
    let mut local = None;
    let mut peer = None;
    let mut valid_for = None;
    let mut maker = Maker::Unknown;
    let mut flags = AddressFlags::from_bits_retain(u32::from(message.header.flags.bits()));
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(address) => local = Some(*address),
            AddressAttribute::Address(address) => peer = Some(*address),
            AddressAttribute::CacheInfo(info) if info.ifa_valid != FOR_EVER => {
                valid_for = Some(Duration::from_secs(u64::from(info.ifa_valid)));
            }
            AddressAttribute::Flags(all) => flags = *all,
            AddressAttribute::Protocol(AddressProtocol::Other(NETD)) => maker = Maker::Netd,
            AddressAttribute::Protocol(AddressProtocol::Other(_)) => {}
            AddressAttribute::Protocol(_) => maker = Maker::Kernel,
            _ => {}
        }
    }
    // IPv6 gives only ADDRESS, IPv4 both, where ADDRESS is the other end of a point-to-point link.
    let address = local.or(peer)?;
    // A temporary address comes of an advertisement, whatever else is said of it.
    if flags.contains(AddressFlags::Secondary) && address.is_ipv6() {
        maker = Maker::Kernel;
    }
    Some(Address {
        index: message.header.index,
        address,
        prefix: message.header.prefix_len,
        valid_for,
        maker,
        is_duplicate: flags.contains(AddressFlags::Dadfailed),
    })
}

fn is_in_main_table(message: &RouteMessage) -> bool {
    let table = message.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Table(table) => Some(*table),
        _ => None,
    });
    let main = RouteHeader::RT_TABLE_MAIN;
    table.unwrap_or_else(|| u32::from(message.header.table)) == u32::from(main)
        && message.header.kind == RouteType::Unicast
}

/// A route of the main table that the kernel did not make by itself from an address.
pub(super) fn route(message: &RouteMessage) -> Option<Route> {
    let origin = match message.header.protocol {
        RouteProtocol::Kernel => return None,
        RouteProtocol::Dhcp => RouteOrigin::Dhcp,
        RouteProtocol::Static => RouteOrigin::Static,
        RouteProtocol::Ra => RouteOrigin::RouterAdvertisement,
        other => RouteOrigin::Foreign(other.into()),
    };
    let Way { index, destination, gateway, metric, source } = way(message)?;
    Some(Route { index, destination, gateway, metric, source, origin })
}

/// A network without a gateway. A router may advertise one that the box has no address in (RFC 4861 section 6.3.4: flag L without A),
/// which then is in a route of the kernel's alone. A way to everywhere is no network.
pub(super) fn on_link(message: &RouteMessage) -> Option<OnLink> {
    let Way { index, destination: network, gateway, .. } = way(message)?;
    // An IPv4 network may have an IPv6 gateway (RFC 5549).
    let is_via = message.attributes.iter().any(|attribute| matches!(attribute, RouteAttribute::Via(_)));
    (gateway.is_none() && !is_via && !network.is_default()).then_some(OnLink { index, network })
}

/// What a route of the main table says, whoever made it.
struct Way {
    index: u32,
    destination: Subnet,
    gateway: Option<IpAddr>,
    metric: u32,
    source: Option<IpAddr>,
}

fn way(message: &RouteMessage) -> Option<Way> {
    if !is_in_main_table(message) {
        return None;
    }
    let mut index = None;
    let mut address = match message.header.address_family {
        AddressFamily::Inet6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        _ => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    };
    let mut gateway = None;
    let mut metric = 0;
    let mut source = None;
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Oif(oif) => index = Some(*oif),
            RouteAttribute::Destination(destination) => address = ip(destination)?,
            RouteAttribute::Gateway(router) => gateway = Some(ip(router)?),
            RouteAttribute::Priority(priority) => metric = *priority,
            RouteAttribute::PrefSource(preferred) => source = ip(preferred),
            _ => {}
        }
    }
    let destination = Subnet { address, prefix: message.header.destination_prefix_length };
    Some(Way { index: index?, destination, gateway, metric, source })
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some(IpAddr::V4(*address)),
        RouteAddress::Inet6(address) => Some(IpAddr::V6(*address)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ethernet(name: &str, kind: Option<InfoKind>) -> LinkMessage {
        let mut message = LinkMessage::default();
        message.header.index = 7;
        message.header.link_layer_type = LinkLayerType::Ether;
        message.header.flags = LinkFlags::Up;
        message.attributes = vec![LinkAttribute::IfName(name.to_owned()), LinkAttribute::Address(vec![2; 6])];
        message.attributes.extend(kind.map(|kind| LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind)])));
        message
    }

    #[test]
    fn hardware_and_pairs_named_like_it_lead_to_the_home_network() {
        let managed = Kind::Ethernet { mac: [2; 6] };
        for (name, kind, expected) in [
            ("enp1s0", None, managed),
            ("eth0", Some(InfoKind::Veth), managed),
            ("app-photos", Some(InfoKind::Veth), Kind::Other),
            ("ha0123456789", Some(InfoKind::Veth), Kind::Other),
            ("ha0", None, Kind::Other),
            ("eth-bridge", Some(InfoKind::Bridge), Kind::Other),
        ] {
            let link = link(&ethernet(name, kind)).unwrap();
            assert_eq!(link.kind, expected, "{name}");
            assert!(link.is_up && !link.has_carrier);
        }
        let mut loopback = ethernet("lo", None);
        loopback.header.flags = LinkFlags::Loopback | LinkFlags::Up | LinkFlags::LowerUp;
        assert_eq!(link(&loopback).unwrap().kind, Kind::Loopback);
        assert_eq!(link(&LinkMessage::default()), None);
    }

    #[test]
    fn routes_of_the_main_table_are_seen_but_not_the_kernels_own() {
        let message = |protocol, table: u8| {
            let mut message = RouteMessage::default();
            message.header.address_family = AddressFamily::Inet;
            message.header.protocol = protocol;
            message.header.table = table;
            message.header.kind = RouteType::Unicast;
            message.attributes = vec![
                RouteAttribute::Oif(2),
                RouteAttribute::Priority(1026),
                RouteAttribute::Gateway(RouteAddress::Inet(Ipv4Addr::new(10, 0, 0, 1))),
            ];
            message
        };
        let main = RouteHeader::RT_TABLE_MAIN;
        let expected = Route {
            index: 2,
            destination: Subnet::DEFAULT_4,
            gateway: Some(Ipv4Addr::new(10, 0, 0, 1).into()),
            metric: 1026,
            source: None,
            origin: RouteOrigin::Dhcp,
        };
        assert_eq!(route(&message(RouteProtocol::Dhcp, main)), Some(expected));
        let boot = Route { origin: RouteOrigin::Foreign(3), ..expected };
        assert_eq!(route(&message(RouteProtocol::Boot, main)), Some(boot));
        assert_eq!(route(&message(RouteProtocol::Kernel, main)), None);
        assert_eq!(route(&message(RouteProtocol::Dhcp, 100)), None);
        assert_eq!(on_link(&message(RouteProtocol::Dhcp, main)), None, "it has a gateway");
        let mut advertised = message(RouteProtocol::Ra, main);
        advertised.header.address_family = AddressFamily::Inet6;
        advertised.attributes[2] = RouteAttribute::Gateway(RouteAddress::Inet6("fe80::1".parse().unwrap()));
        let advertised = route(&advertised).unwrap();
        assert_eq!(advertised.destination, Subnet::DEFAULT_6);
        assert_eq!(advertised.origin, RouteOrigin::RouterAdvertisement);
    }

    #[test]
    fn networks_without_a_gateway_are_seen_whoever_put_them_there() {
        let message = |protocol, prefix, attributes: &[RouteAttribute]| {
            let mut message = RouteMessage::default();
            message.header.address_family = AddressFamily::Inet6;
            message.header.protocol = protocol;
            message.header.table = RouteHeader::RT_TABLE_MAIN;
            message.header.kind = RouteType::Unicast;
            message.header.destination_prefix_length = prefix;
            let network = RouteAddress::Inet6("2001:db8::".parse().unwrap());
            message.attributes = vec![RouteAttribute::Oif(2), RouteAttribute::Destination(network)];
            message.attributes.extend_from_slice(attributes);
            message
        };
        let network = Subnet { address: "2001:db8::".parse().unwrap(), prefix: 64 };
        for protocol in [RouteProtocol::Kernel, RouteProtocol::Ra, RouteProtocol::Static] {
            assert_eq!(on_link(&message(protocol, 64, &[])), Some(OnLink { index: 2, network }));
        }
        let gateway = RouteAttribute::Gateway(RouteAddress::Inet6("fe80::1".parse().unwrap()));
        assert_eq!(on_link(&message(RouteProtocol::Ra, 64, &[gateway])), None);
        assert_eq!(on_link(&message(RouteProtocol::Kernel, 0, &[])), None, "everywhere is no network");
    }

    #[test]
    fn the_maker_of_an_address_is_told_by_its_marks() {
        let message = |attributes| {
            let mut message = AddressMessage::default();
            message.attributes = vec![AddressAttribute::Address("fd00::1".parse().unwrap())];
            message.attributes.extend(attributes);
            address(&message).unwrap()
        };
        let protocol = AddressAttribute::Protocol;
        assert_eq!(message(vec![]).maker, Maker::Unknown);
        assert_eq!(message(vec![protocol(AddressProtocol::Other(NETD))]).maker, Maker::Netd);
        let mut sure = AddressMessage::default();
        assert!(!is_tentative(&sure));
        sure.header.flags = AddressHeaderFlags::Tentative;
        assert!(is_tentative(&sure));
        sure.header.flags |= AddressHeaderFlags::Dadfailed;
        assert!(!is_tentative(&sure), "it is known to be another device's");
        assert_eq!(message(vec![protocol(AddressProtocol::Other(0))]).maker, Maker::Unknown);
        assert_eq!(message(vec![protocol(AddressProtocol::RouterAnnouncement)]).maker, Maker::Kernel);
        let flags = AddressAttribute::Flags(AddressFlags::Secondary | AddressFlags::Dadfailed);
        let temporary = message(vec![flags]);
        assert_eq!((temporary.maker, temporary.is_duplicate), (Maker::Kernel, true));
    }

    #[test]
    fn flags_of_advertisements_are_read() {
        let mut message = ethernet("eth0", None);
        let flags = Inet6IfaceFlags::RaManaged | Inet6IfaceFlags::RaRcvd;
        message
            .attributes
            .push(LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet6(vec![AfSpecInet6::Flags(flags)])]));
        message.attributes.push(LinkAttribute::Mtu(1400));
        let link = link(&message).unwrap();
        assert_eq!((link.dhcpv6, link.mtu), (Dhcpv6Offer { addresses: true, information: false }, 1400));
    }
}
