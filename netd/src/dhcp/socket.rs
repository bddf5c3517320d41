//! The sockets of IPv4's tasks, each bound to one link.
//!
//! [`RawSocket`] (AF_PACKET) works without an address and sees answers to an address the link does not have yet. For IPv4 it
//! receives every packet of the link, so it is open only while an address is being acquired; [`open_udp`] serves the rest of a
//! lease. For ARP it is open as long as there are addresses to guard.

use crate::dhcp::frame;
use nix::sys::socket::LinkAddr;
use nix::sys::socket::SockaddrLike;
use rustix::net::AddressFamily;
use rustix::net::Protocol;
use rustix::net::SocketFlags;
use rustix::net::SocketType;
use std::io;
use std::net::Ipv4Addr;
use std::net::SocketAddrV4;
use std::num::NonZero;
use std::os::fd::AsRawFd;
use tokio::net::UdpSocket;
use tokio::net::UnixDatagram;

/// `ETH_P_IP` of linux/if_ether.h.
pub const ETHERTYPE_IPV4: u16 = 0x0800;
/// `ETH_P_ARP` of linux/if_ether.h.
pub const ETHERTYPE_ARP: u16 = 0x0806;

/// Why a socket could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The list of links could not be read.
    #[error("look up the link {link}")]
    LookUp {
        /// Kernel name.
        link: String,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// There is no such link any more.
    #[error("the link {link} is gone")]
    Gone {
        /// Kernel name.
        link: String,
    },
    /// The socket could not be made.
    #[error("open a {kind} socket on {link}")]
    Open {
        /// Kernel name.
        link: String,
        /// Which of the two.
        kind: &'static str,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

/// A packet socket on one link.
#[derive(Debug)]
pub struct RawSocket {
    /// Stands in for a packet socket type that tokio does not have: `send` and `recv` of a connected datagram socket are the same
    /// system calls for both, and tokio's own `AsyncFd` can only be made with unsafe code.
    socket: UnixDatagram,
}

impl RawSocket {
    /// Opens a socket for packets of one protocol on the link of this name and kernel index. Needs CAP_NET_RAW.
    ///
    /// # Errors
    ///
    /// When the link is gone or the kernel refuses.
    pub fn open(link: &str, index: u32, ethertype: u16) -> Result<Self, OpenError> {
        let address = link_address(link, index)?;
        let open = || {
            // In network byte order (packet(7)).
            let protocol = NonZero::new(u32::from(ethertype.to_be())).map(Protocol::from_raw);
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let fd = rustix::net::socket_with(AddressFamily::PACKET, SocketType::RAW, flags, protocol)?;
            nix::sys::socket::bind(fd.as_raw_fd(), &address)?;
            UnixDatagram::from_std(fd.into())
        };
        let socket =
            open().map_err(|source| OpenError::Open { link: link.to_owned(), kind: "packet", source })?;
        Ok(Self { socket })
    }

    /// Sends one frame.
    ///
    /// # Errors
    ///
    /// What the kernel said; the link may have gone down.
    pub async fn send(&self, frame: &[u8]) -> io::Result<()> {
        self.socket.send(frame).await.map(drop)
    }

    /// Receives one frame; what does not fit is cut off. Cancel safe.
    ///
    /// # Errors
    ///
    /// What the kernel said; the link may have gone down.
    pub async fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.recv(buffer).await
    }
}

/// The link's address as the kernel lists it. Its protocol is zero, and binding to that keeps the socket's own (packet(7)).
fn link_address(link: &str, index: u32) -> Result<LinkAddr, OpenError> {
    nix::ifaddrs::getifaddrs()
        .map_err(|errno| OpenError::LookUp { link: link.to_owned(), source: errno.into() })?
        .filter(|entry| entry.interface_name == link)
        .filter_map(|entry| entry.address.and_then(|address| address.as_link_addr().copied()))
        .find(|address| u32::try_from(address.ifindex()) == Ok(index) && address.len() > 0)
        .ok_or_else(|| OpenError::Gone { link: link.to_owned() })
}

/// Opens the client's UDP port on one link; broadcasts (a server's denial is one) arrive too. Needs CAP_NET_BIND_SERVICE.
///
/// # Errors
///
/// When the link is gone or the kernel refuses.
pub fn open_udp(link: &str) -> Result<UdpSocket, OpenError> {
    let open = || {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None)?;
        socket.set_nonblocking(true)?;
        // Before the port: two links may both have a client on port 68, but not unless the kernel knows that they differ.
        socket.bind_device(Some(link.as_bytes()))?;
        socket.set_reuse_address(true)?;
        socket.set_broadcast(true)?;
        socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, frame::CLIENT_PORT).into())?;
        UdpSocket::from_std(socket.into())
    };
    open().map_err(|source| OpenError::Open { link: link.to_owned(), kind: "UDP", source })
}
