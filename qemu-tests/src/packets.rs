//! The other end of a network card: the test speaks Ethernet itself, so that it sees what really goes over the wire. Frames are
//! written by [`crate::frames`].
//!
//! IPv4 with UDP, ARP and the one ICMPv6 message a router sends; no options, no fragments (RFC 791, 768, 826, 4861).

use crate::frames;
use crate::frames::Ipv4;
use crate::frames::Mac;
use crate::frames::Pseudo;
use crate::machine::PacketLink;
use anyhow::Context;
use anyhow::Result;
use std::io;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::Duration;

/// Hardware address of the test's end.
pub const MAC: Mac = [0x52, 0x54, 0, 0x77, 0, 1];
/// To everyone.
pub const BROADCAST: Mac = [0xff; 6];

/// Longest frame looked at, in bytes.
const LONGEST: usize = 64 * 1024;

/// The wire.
#[derive(Debug)]
pub struct Wire {
    socket: UnixDatagram,
    machine: PathBuf,
}

/// What was seen on the wire, as far as tests look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A UDP datagram over IPv4.
    Udp(Udp),
    /// Someone asks who has an address.
    ArpRequest {
        /// Hardware address of who asks.
        from: Mac,
        /// Its address.
        from_address: Ipv4Addr,
        /// The address asked for.
        wanted: Ipv4Addr,
    },
    /// Someone asks who has an IPv6 address.
    NeighbourSolicitation {
        /// Hardware address of who asks.
        from: Mac,
        /// Its address.
        from_address: Ipv6Addr,
        /// The address asked for.
        wanted: Ipv6Addr,
    },
    /// Anything else.
    Other,
}

/// A UDP datagram with its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Udp {
    /// Hardware address it is sent to.
    pub to_mac: Mac,
    /// Hardware address it comes from.
    pub from_mac: Mac,
    /// Address and port it comes from.
    pub from: (Ipv4Addr, u16),
    /// Address and port it is sent to.
    pub to: (Ipv4Addr, u16),
    /// What it carries.
    pub payload: Vec<u8>,
}

impl Wire {
    /// Opens the test's end of a link.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub fn open(link: &PacketLink) -> Result<Self> {
        let socket = UnixDatagram::bind(&link.test).context("cannot make the test's end of the link")?;
        Ok(Self { socket, machine: link.machine.clone() })
    }

    /// The next frame, or none in this time.
    ///
    /// # Errors
    /// When the socket fails.
    pub fn receive(&self, patience: Duration) -> Result<Option<Seen>> {
        self.socket.set_read_timeout(Some(patience)).context("cannot set a time-out")?;
        let mut buffer = vec![0; LONGEST];
        match self.socket.recv(&mut buffer) {
            Ok(length) => Ok(Some(parse(buffer.get(..length).unwrap_or_default()).unwrap_or(Seen::Other))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error).context("cannot receive a frame"),
        }
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// When the machine is gone.
    pub fn send(&self, frame: &[u8]) -> Result<()> {
        self.socket.send_to(frame, &self.machine).context("cannot send a frame")?;
        Ok(())
    }
}

impl Udp {
    /// The frame.
    #[must_use]
    pub fn frame(&self) -> Vec<u8> {
        let ends = Pseudo::V4(self.from.0, self.to.0);
        let datagram = frames::udp(ends, self.from.1, self.to.1, &self.payload);
        // Time to live as multicast DNS wants it (RFC 6762 section 11).
        let header = Ipv4 { ttl: 255, ..Ipv4::plain(self.from.0, self.to.0, frames::UDP) };
        frames::ethernet(self.to_mac, self.from_mac, frames::IPV4, &header.packet(&datagram))
    }
}

/// The answer to an ARP request: this address is here.
#[must_use]
pub fn arp_answer(to: Mac, to_address: Ipv4Addr, ours: Ipv4Addr) -> Vec<u8> {
    frames::ethernet(to, MAC, frames::ARP, &frames::arp(2, (MAC, ours), (to, to_address), &[]))
}

/// The answer to a neighbour solicitation: this address is here (RFC 4861 section 4.4).
#[must_use]
pub fn neighbour_advertisement(to: Mac, to_address: Ipv6Addr, ours: Ipv6Addr) -> Vec<u8> {
    // Router, solicited, override; the target's link-layer address.
    let body = [&[0xe0, 0, 0, 0][..], &ours.octets(), &[2, 1], &MAC].concat();
    let message = frames::icmpv6(ours, to_address, 136, 0, &body);
    frames::ethernet(to, MAC, frames::IPV6, &frames::ipv6(ours, to_address, frames::ICMPV6, 255, &message))
}

/// A router's advertisement of a /64 prefix for addresses, to all nodes (RFC 4861 section 4.2).
#[must_use]
pub fn router_advertisement(router: Ipv6Addr, prefix: Ipv6Addr) -> Vec<u8> {
    let all_nodes = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    let lifetimes = 3600_u32.to_be_bytes();
    // Hop limit, no flags, router lifetime 1800 s, reachable and retransmission time unset.
    let head = [64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0];
    // Prefix information: type, length in 8 bytes, prefix length, on-link and autonomous, valid, preferred, reserved.
    let option = [&[3, 4, 64, 0xc0][..], &lifetimes, &lifetimes, &[0; 4], &prefix.octets()].concat();
    // Source link-layer address.
    let body = [&head[..], &option, &[1, 1], &MAC].concat();
    let message = frames::icmpv6(router, all_nodes, 134, 0, &body);
    // Hop limit 255, or it is ignored.
    let packet = frames::ipv6(router, all_nodes, frames::ICMPV6, 255, &message);
    frames::ethernet(frames::group_mac(all_nodes), MAC, frames::IPV6, &packet)
}

fn parse(frame: &[u8]) -> Option<Seen> {
    let to_mac = frame.get(..6)?.try_into().ok()?;
    let from_mac = frame.get(6..12)?.try_into().ok()?;
    let rest = frame.get(14..)?;
    match number(frame, 12)? {
        frames::ARP if rest.get(6..8)? == [0, 1] => Some(Seen::ArpRequest {
            from: rest.get(8..14)?.try_into().ok()?,
            from_address: address(rest, 14)?,
            wanted: address(rest, 24)?,
        }),
        frames::IPV4 if *rest.get(9)? == 17 => {
            let start = usize::from(rest.first()? & 0xf) * 4;
            let udp = rest.get(start..usize::from(number(rest, 2)?))?;
            Some(Seen::Udp(Udp {
                to_mac,
                from_mac,
                from: (address(rest, 12)?, number(udp, 0)?),
                to: (address(rest, 16)?, number(udp, 2)?),
                payload: udp.get(8..)?.to_vec(),
            }))
        }
        // Neighbour solicitation, straight behind the header.
        frames::IPV6 if *rest.get(6)? == 58 && *rest.get(40)? == 135 => Some(Seen::NeighbourSolicitation {
            from: from_mac,
            from_address: address6(rest, 8)?,
            wanted: address6(rest, 48)?,
        }),
        _ => None,
    }
}

fn address6(bytes: &[u8], at: usize) -> Option<Ipv6Addr> {
    let octets: [u8; 16] = bytes.get(at..at + 16)?.try_into().ok()?;
    Some(octets.into())
}

fn address(bytes: &[u8], at: usize) -> Option<Ipv4Addr> {
    let octets: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(octets.into())
}

fn number(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::any;
    use proptest::prelude::proptest;

    #[test]
    fn a_datagram_survives_the_wire() {
        let udp = Udp {
            to_mac: BROADCAST,
            from_mac: MAC,
            from: (Ipv4Addr::new(10, 77, 0, 1), 67),
            to: (Ipv4Addr::BROADCAST, 68),
            payload: b"hello".to_vec(),
        };
        assert_eq!(parse(&udp.frame()), Some(Seen::Udp(udp)));
    }

    #[test]
    fn an_arp_request_is_seen() {
        let (box_address, ours) = (Ipv4Addr::new(10, 77, 0, 50), Ipv4Addr::new(10, 77, 0, 1));
        let mut request = arp_answer(BROADCAST, ours, box_address);
        request[21] = 1;
        assert_eq!(
            parse(&request),
            Some(Seen::ArpRequest { from: MAC, from_address: box_address, wanted: ours })
        );
    }

    #[test]
    fn a_neighbour_is_asked_for_and_answered() {
        let (asker, ours): (Ipv6Addr, Ipv6Addr) = ("fe80::2".parse().unwrap(), "fd77::1".parse().unwrap());
        let answer = neighbour_advertisement(BROADCAST, asker, ours);
        let mut question = answer.clone();
        question[54] = 135;
        assert_eq!(
            parse(&question),
            Some(Seen::NeighbourSolicitation { from: MAC, from_address: ours, wanted: ours })
        );
        assert_eq!(parse(&answer), None);
    }

    proptest! {
        #[test]
        fn any_frame_is_answered(frame in proptest::collection::vec(any::<u8>(), 0..100)) {
            drop(parse(&frame));
            let mut udp = [&[0; 12][..], &frames::IPV4.to_be_bytes(), &frame].concat();
            if let Some(protocol) = udp.get_mut(23) {
                *protocol = 17;
            }
            drop(parse(&udp));
        }
    }
}
