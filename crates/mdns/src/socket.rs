//! One socket per link and protocol, on port 5353.
//!
//! Bound to its device, a socket gets packets of its link only and sends on it without any route. The destination of each packet
//! comes as a control message: it tells what was said to all from what was sent to this box (RFC 6762 section 11).

use crate::packet::MAX_BYTES;
use crate::responder::answer::PORT;
use crate::wanted::LinkAddresses;
use nix::sys::socket::ControlMessageOwned;
use nix::sys::socket::MsgFlags;
use nix::sys::socket::SockaddrStorage;
use nix::sys::socket::recvmsg;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt;
use socket2::Domain;
use socket2::InterfaceIndexOrAddress;
use socket2::Type;
use std::io;
use std::io::IoSliceMut;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::net::SocketAddrV4;
use std::net::SocketAddrV6;
use std::os::fd::AsRawFd;
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// Where all listen (section 3).
const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);
/// Hop limit of everything sent (section 11).
const HOPS: u32 = 255;
/// One more than is looked at, so that a longer packet is seen to be longer.
pub(crate) const BUFFER: usize = MAX_BYTES + 1;

/// IPv4 or IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    pub(crate) const ALL: [Self; 2] = [Self::V4, Self::V6];

    pub(crate) const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    pub(crate) fn group(self, link: u32) -> SocketAddr {
        match self {
            Self::V4 => SocketAddrV4::new(GROUP_V4, PORT).into(),
            Self::V6 => SocketAddrV6::new(GROUP_V6, PORT, 0, link).into(),
        }
    }
}

/// What came with a packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received {
    pub(crate) length: usize,
    pub(crate) source: SocketAddr,
    pub(crate) was_multicast: bool,
}

/// Opens the socket of a link.
pub(crate) fn open(link: &LinkAddresses, family: Family) -> io::Result<UdpSocket> {
    let domain = match family {
        Family::V4 => Domain::IPV4,
        Family::V6 => Domain::IPV6,
    };
    let socket = socket2::Socket::new(domain, Type::DGRAM, None)?;
    socket.set_nonblocking(true)?;
    // The sockets of other links have the port too. On Linux this alone shares a port among multicast listeners.
    socket.set_reuse_address(true)?;
    socket.bind_device(Some(link.name.as_bytes()))?;
    // Nothing else on the box listens: it would only hear itself.
    match family {
        Family::V4 => {
            socket.set_multicast_loop_v4(false)?;
            socket.set_multicast_ttl_v4(HOPS)?;
            socket.set_ttl_v4(HOPS)?;
            setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
            socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, PORT).into())?;
            socket.join_multicast_v4_n(&GROUP_V4, &InterfaceIndexOrAddress::Index(link.index))?;
        }
        Family::V6 => {
            socket.set_only_v6(true)?;
            socket.set_multicast_loop_v6(false)?;
            socket.set_multicast_hops_v6(HOPS)?;
            socket.set_unicast_hops_v6(HOPS)?;
            socket.set_multicast_if_v6(link.index)?;
            setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
            socket.bind(&SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, PORT, 0, 0).into())?;
            socket.join_multicast_v6(&GROUP_V6, link.index)?;
        }
    }
    UdpSocket::from_std(socket.into())
}

/// Waits for a packet.
pub(crate) async fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<Received> {
    socket.async_io(Interest::READABLE, || receive_now(socket, buffer)).await
}

fn receive_now(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<Received> {
    let mut control = nix::cmsg_space!(nix::libc::in_pktinfo, nix::libc::in6_pktinfo);
    let mut parts = [IoSliceMut::new(buffer)];
    let flags = MsgFlags::MSG_DONTWAIT;
    let message = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags)?;
    let source = message.address.as_ref().and_then(socket_address);
    let to = message.cmsgs()?.find_map(|control| destination(&control));
    match (source, to) {
        (Some(source), Some(to)) => {
            Ok(Received { length: message.bytes, source, was_multicast: to.is_multicast() })
        }
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "a packet without addresses")),
    }
}

fn socket_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| SocketAddr::V4((*v4).into()));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| SocketAddr::V6((*v6).into())))
}

fn destination(control: &ControlMessageOwned) -> Option<IpAddr> {
    if let ControlMessageOwned::Ipv4PacketInfo(info) = control {
        return Some(Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes()).into());
    }
    if let ControlMessageOwned::Ipv6PacketInfo(info) = control {
        return Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into());
    }
    None
}
