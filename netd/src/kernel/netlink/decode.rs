//! From the kernel's messages to netd's words. Pure.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the kernel sends many more attributes than netd reads, and new ones with every release"
)]

use super::FOR_EVER;
use crate::dhcp::lease::Network;
use crate::observe::Address;
use crate::observe::Kind;
use crate::observe::Link;
use crate::observe::Route;
use netlink_packet_route::address::AddressAttribute;
use netlink_packet_route::address::AddressHeaderFlags;
use netlink_packet_route::address::AddressMessage;
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
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::time::Duration;

/// A link; none when the kernel gives it no name.
pub(super) fn link(message: &LinkMessage) -> Option<Link> {
    let mut name = None;
    let mut hardware_address = None;
    let mut info_kind = None;
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(text) => name = Some(text.clone()),
            LinkAttribute::Address(bytes) => hardware_address = <[u8; 6]>::try_from(bytes.as_slice()).ok(),
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
        // Not in the message; the caller adds it.
        heeds_routers: true,
    })
}

/// Hardware has no link kind. A virtual pair counts when it is called like hardware: whoever made this network namespace gave it
/// to us as its network (a container, a test). Hearth's own bridges and pairs have other names.
fn is_to_home_network(name: &str, kind: Option<&InfoKind>) -> bool {
    kind.is_none_or(|kind| *kind == InfoKind::Veth && name.starts_with("eth"))
}

/// An address; none when the message has none that is ready for use.
pub(super) fn address(message: &AddressMessage) -> Option<Address> {
    // An IPv6 address that may turn out to be somebody else's cannot be used yet; there is news when it can.
    let flags = message.header.flags;
    if flags.contains(AddressHeaderFlags::Tentative) && !flags.contains(AddressHeaderFlags::Dadfailed) {
        return None;
    }
    let mut local = None;
    let mut peer = None;
    let mut valid_for = None;
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(address) => local = Some(*address),
            AddressAttribute::Address(address) => peer = Some(*address),
            AddressAttribute::CacheInfo(info) if info.ifa_valid != FOR_EVER => {
                valid_for = Some(Duration::from_secs(u64::from(info.ifa_valid)));
            }
            _ => {}
        }
    }
    // IPv6 gives only ADDRESS, IPv4 both, where ADDRESS is the other end of a point-to-point link.
    let address = local.or(peer)?;
    Some(Address { index: message.header.index, address, prefix: message.header.prefix_len, valid_for })
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

/// A route of the main table that DHCP put there.
pub(super) fn dhcp_route(message: &RouteMessage) -> Option<Route> {
    if !is_in_main_table(message) || message.header.protocol != RouteProtocol::Dhcp {
        return None;
    }
    let mut index = None;
    let mut address = Ipv4Addr::UNSPECIFIED;
    let mut gateway = None;
    let mut metric = 0;
    let mut source = None;
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Oif(oif) => index = Some(*oif),
            RouteAttribute::Destination(RouteAddress::Inet(destination)) => address = *destination,
            RouteAttribute::Gateway(RouteAddress::Inet(router)) => gateway = Some(*router),
            RouteAttribute::Priority(priority) => metric = *priority,
            RouteAttribute::PrefSource(RouteAddress::Inet(preferred)) => source = Some(*preferred),
            _ => {}
        }
    }
    let destination = Network { address, prefix: message.header.destination_prefix_length };
    Some(Route { index: index?, destination, gateway, metric, source })
}

/// An IPv6 default gateway, with the index of its link.
pub(super) fn gateway6(message: &RouteMessage) -> Option<(u32, Ipv6Addr)> {
    if !is_in_main_table(message) || message.header.destination_prefix_length != 0 {
        return None;
    }
    let mut index = None;
    let mut gateway = None;
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Oif(oif) => index = Some(*oif),
            RouteAttribute::Gateway(RouteAddress::Inet6(router)) => gateway = Some(*router),
            _ => {}
        }
    }
    Some((index?, gateway?))
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
    fn only_routes_of_dhcp_in_the_main_table_are_ours() {
        let message = |protocol, table: u8| {
            let mut message = RouteMessage::default();
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
        let route = dhcp_route(&message(RouteProtocol::Dhcp, RouteHeader::RT_TABLE_MAIN)).unwrap();
        let expected = Route {
            index: 2,
            destination: Network::DEFAULT,
            gateway: Some(Ipv4Addr::new(10, 0, 0, 1)),
            metric: 1026,
            source: None,
        };
        assert_eq!(route, expected);
        assert_eq!(dhcp_route(&message(RouteProtocol::Static, RouteHeader::RT_TABLE_MAIN)), None);
        assert_eq!(dhcp_route(&message(RouteProtocol::Dhcp, 100)), None);
    }
}
