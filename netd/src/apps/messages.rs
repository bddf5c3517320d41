//! The rtnetlink messages of an app's link. Pure.

use crate::dhcp::frame::Mac;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::AddressAttribute;
use netlink_packet_route::address::AddressHeaderFlags;
use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::address::AddressScope;
use netlink_packet_route::link::AfSpecInet6;
use netlink_packet_route::link::AfSpecUnspec;
use netlink_packet_route::link::In6AddrGenMode;
use netlink_packet_route::link::InfoData;
use netlink_packet_route::link::InfoKind;
use netlink_packet_route::link::InfoVeth;
use netlink_packet_route::link::LinkAttribute;
use netlink_packet_route::link::LinkFlags;
use netlink_packet_route::link::LinkInfo;
use netlink_packet_route::link::LinkMessage;
use netlink_packet_route::neighbour::NeighbourAttribute;
use netlink_packet_route::neighbour::NeighbourMessage;
use netlink_packet_route::neighbour::NeighbourState;
use netlink_packet_route::route::RouteAttribute;
use netlink_packet_route::route::RouteFlags;
use netlink_packet_route::route::RouteHeader;
use netlink_packet_route::route::RouteMessage;
use netlink_packet_route::route::RouteProtocol;
use netlink_packet_route::route::RouteScope;
use netlink_packet_route::route::RouteType;
use std::net::IpAddr;
use std::os::fd::RawFd;

/// One end of a pair.
#[derive(Clone, Copy, Debug)]
pub struct End<'a> {
    /// Kernel name.
    pub name: &'a str,
    /// Hardware address.
    pub mac: Mac,
}

/// A new pair of links, the second end in another network namespace.
#[must_use]
pub fn pair(ours: End<'_>, theirs: End<'_>, namespace: RawFd) -> RouteNetlinkMessage {
    let mut peer = named(theirs);
    peer.attributes.push(LinkAttribute::NetNsFd(namespace));
    let mut message = named(ours);
    message.attributes.push(LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(InfoKind::Veth),
        LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
    ]));
    RouteNetlinkMessage::NewLink(message)
}

fn named(end: End<'_>) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(end.name.to_owned()));
    message.attributes.push(LinkAttribute::Address(end.mac.to_vec()));
    message
}

/// The question for a link's index.
#[must_use]
pub fn find(name: &str) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(name.to_owned()));
    RouteNetlinkMessage::GetLink(message)
}

/// The index in the answer.
#[must_use]
pub fn index(answer: RouteNetlinkMessage) -> Option<u32> {
    if let RouteNetlinkMessage::NewLink(link) = answer { Some(link.header.index) } else { None }
}

/// Takes a link away by name.
#[must_use]
pub fn remove(name: &str) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(name.to_owned()));
    RouteNetlinkMessage::DelLink(message)
}

/// The kernel gives the link no IPv6 address of its own making.
#[must_use]
pub fn no_own_addresses(index: u32) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    let mode = AfSpecInet6::AddrGenMode(In6AddrGenMode::None);
    message.attributes.push(LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet6(vec![mode])]));
    RouteNetlinkMessage::SetLink(message)
}

/// Switches a link on.
#[must_use]
pub fn up(index: u32) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    RouteNetlinkMessage::SetLink(message)
}

/// An address that is alone on its link; used at once, since nobody else can have it.
#[must_use]
pub fn address(index: u32, address: IpAddr) -> RouteNetlinkMessage {
    let mut message = AddressMessage::default();
    message.header.family = family(address);
    message.header.prefix_len = host_prefix(address);
    message.header.index = index;
    message.header.scope = AddressScope::Universe;
    if address.is_ipv6() {
        message.header.flags = AddressHeaderFlags::Nodad;
    }
    message.attributes.push(AddressAttribute::Local(address));
    message.attributes.push(AddressAttribute::Address(address));
    RouteNetlinkMessage::NewAddress(message)
}

/// A neighbour whose hardware address is fixed, so that nobody is asked for it and nobody can claim it.
#[must_use]
pub fn neighbour(index: u32, address: IpAddr, mac: Mac) -> RouteNetlinkMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = family(address);
    message.header.ifindex = index;
    message.header.state = NeighbourState::Permanent;
    message.attributes.push(NeighbourAttribute::Destination(address.into()));
    message.attributes.push(NeighbourAttribute::LinkLayerAddress(mac.to_vec()));
    RouteNetlinkMessage::NewNeighbour(message)
}

/// The app's way to everywhere; the gateway is on no network of the link.
#[must_use]
pub fn default_route(index: u32, gateway: IpAddr) -> RouteNetlinkMessage {
    let mut message = route(index, gateway, RouteScope::Universe);
    message.header.destination_prefix_length = 0;
    message.header.flags = RouteFlags::Onlink;
    message.attributes.push(RouteAttribute::Gateway(gateway.into()));
    RouteNetlinkMessage::NewRoute(message)
}

/// The box's way to an app.
#[must_use]
pub fn host_route(index: u32, app: IpAddr, source: IpAddr) -> RouteNetlinkMessage {
    // IPv6 knows no scope of routes.
    let scope = if app.is_ipv4() { RouteScope::Link } else { RouteScope::Universe };
    let mut message = route(index, app, scope);
    message.header.destination_prefix_length = host_prefix(app);
    message.attributes.push(RouteAttribute::Destination(app.into()));
    message.attributes.push(RouteAttribute::PrefSource(source.into()));
    RouteNetlinkMessage::NewRoute(message)
}

fn route(index: u32, address: IpAddr, scope: RouteScope) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family(address);
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = RouteProtocol::Static;
    message.header.scope = scope;
    message.header.kind = RouteType::Unicast;
    message.attributes.push(RouteAttribute::Oif(index));
    message
}

const fn family(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}

const fn host_prefix(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}
