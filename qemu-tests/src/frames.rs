//! Writes Ethernet frames, right and wrong ones (RFC 791, 8200, 768, 9293, 792, 4443, 826).

use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

/// A hardware address.
pub type Mac = [u8; 6];

/// `ETH_P_…` of linux/if_ether.h.
pub const IPV4: u16 = 0x0800;
/// ARP.
pub const ARP: u16 = 0x0806;
/// IPv6.
pub const IPV6: u16 = 0x86dd;

/// Protocol numbers (IANA, "Assigned Internet Protocol Numbers").
pub const ICMP: u8 = 1;
/// TCP.
pub const TCP: u8 = 6;
/// UDP.
pub const UDP: u8 = 17;
/// ICMPv6.
pub const ICMPV6: u8 = 58;

/// A frame; shorter ones than Ethernet has are padded.
#[must_use]
pub fn ethernet(to: Mac, from: Mac, ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = [&to[..], &from, &ethertype.to_be_bytes(), payload].concat();
    frame.resize(frame.len().max(60), 0);
    frame
}

/// An IPv4 header without its defaults.
#[derive(Clone, Copy, Debug)]
pub struct Ipv4<'a> {
    /// Source.
    pub from: Ipv4Addr,
    /// Destination.
    pub to: Ipv4Addr,
    /// What it carries.
    pub protocol: u8,
    /// Hops it may take.
    pub ttl: u8,
    /// Flags and fragment offset as on the wire: `0x2000` says that more fragments follow; an offset counts eight bytes.
    pub fragment: u16,
    /// Options, a multiple of four bytes.
    pub options: &'a [u8],
    /// Put on top of the right checksum.
    pub checksum_error: u16,
}

impl Ipv4<'_> {
    /// A plain header.
    #[must_use]
    pub const fn plain(from: Ipv4Addr, to: Ipv4Addr, protocol: u8) -> Self {
        Self { from, to, protocol, ttl: 64, fragment: 0, options: &[], checksum_error: 0 }
    }

    /// The packet. All fragments have the same identification.
    #[must_use]
    pub fn packet(&self, payload: &[u8]) -> Vec<u8> {
        let words = 5 + self.options.len() / 4;
        let mut header = vec![0x40 | low(words), 0];
        header.extend_from_slice(&short(words * 4 + payload.len()).to_be_bytes());
        header.extend_from_slice(&[0x48, 0x65]);
        header.extend_from_slice(&self.fragment.to_be_bytes());
        header.extend_from_slice(&[self.ttl, self.protocol, 0, 0]);
        header.extend_from_slice(&self.from.octets());
        header.extend_from_slice(&self.to.octets());
        header.extend_from_slice(self.options);
        let sum = checksum(&[&header]).wrapping_add(self.checksum_error).to_be_bytes();
        header.splice(10..12, sum);
        header.extend_from_slice(payload);
        header
    }
}

/// An IPv6 packet; extension headers are part of the payload.
#[must_use]
pub fn ipv6(from: Ipv6Addr, to: Ipv6Addr, next_header: u8, hop_limit: u8, payload: &[u8]) -> Vec<u8> {
    let length = short(payload.len()).to_be_bytes();
    let head = [0x60, 0, 0, 0, length[0], length[1], next_header, hop_limit];
    [&head[..], &from.octets(), &to.octets(), payload].concat()
}

/// Addresses over which checksums of TCP, UDP and ICMPv6 go.
#[derive(Clone, Copy, Debug)]
pub enum Pseudo {
    /// IPv4 (RFC 768).
    V4(Ipv4Addr, Ipv4Addr),
    /// IPv6 (RFC 8200 section 8.1).
    V6(Ipv6Addr, Ipv6Addr),
}

impl Pseudo {
    fn sum(self, protocol: u8, payload: &[u8]) -> u16 {
        let length = short(payload.len()).to_be_bytes();
        let tail = [0, protocol, length[0], length[1]];
        match self {
            Self::V4(from, to) => checksum(&[&from.octets(), &to.octets(), &tail, payload]),
            Self::V6(from, to) => checksum(&[&from.octets(), &to.octets(), &tail, payload]),
        }
    }
}

/// A UDP datagram.
#[must_use]
pub fn udp(ends: Pseudo, from: u16, to: u16, payload: &[u8]) -> Vec<u8> {
    let mut datagram = Vec::new();
    for number in [from, to, short(payload.len() + 8), 0] {
        datagram.extend_from_slice(&number.to_be_bytes());
    }
    datagram.extend_from_slice(payload);
    with_sum(datagram, 6, ends, UDP)
}

/// Flags of TCP.
pub const SYN: u8 = 2;
/// Reset.
pub const RST: u8 = 4;
/// Acknowledgement.
pub const ACK: u8 = 16;

/// A TCP segment.
#[must_use]
pub fn tcp(ends: Pseudo, from: u16, to: u16, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut segment = [from.to_be_bytes(), to.to_be_bytes()].concat();
    segment.extend_from_slice(&[0, 0, 16, 0, 0, 0, 0, u8::from(flags & ACK != 0)]);
    segment.extend_from_slice(&[0x50, flags, 0x20, 0, 0, 0, 0, 0]);
    segment.extend_from_slice(payload);
    with_sum(segment, 16, ends, TCP)
}

/// An ICMP message: type, code, then everything behind the checksum.
#[must_use]
pub fn icmp(kind: u8, code: u8, rest: &[u8]) -> Vec<u8> {
    let mut message = [&[kind, code, 0, 0], rest].concat();
    let sum = checksum(&[&message]).to_be_bytes();
    message.splice(2..4, sum);
    message
}

/// An ICMPv6 message.
#[must_use]
pub fn icmpv6(from: Ipv6Addr, to: Ipv6Addr, kind: u8, code: u8, rest: &[u8]) -> Vec<u8> {
    with_sum([&[kind, code, 0, 0], rest].concat(), 2, Pseudo::V6(from, to), ICMPV6)
}

/// An ARP packet (RFC 826) with something behind it: 1 asks, 2 answers.
#[must_use]
pub fn arp(operation: u8, sender: (Mac, Ipv4Addr), target: (Mac, Ipv4Addr), behind: &[u8]) -> Vec<u8> {
    let head = [0, 1, 8, 0, 6, 4, 0, operation];
    [&head[..], &sender.0, &sender.1.octets(), &target.0, &target.1.octets(), behind].concat()
}

/// The hardware address of an IPv6 multicast group (RFC 2464 section 7).
#[must_use]
pub fn group_mac(group: Ipv6Addr) -> Mac {
    let [.., a, b, c, d] = group.octets();
    [0x33, 0x33, a, b, c, d]
}

fn with_sum(mut bytes: Vec<u8>, at: usize, ends: Pseudo, protocol: u8) -> Vec<u8> {
    // 0 means none in UDP over IPv4, and is refused over IPv6.
    let sum = match ends.sum(protocol, &bytes) {
        0 => u16::MAX,
        sum => sum,
    };
    bytes.splice(at..at + 2, sum.to_be_bytes());
    bytes
}

/// The Internet checksum (RFC 1071) of parts of even length each.
fn checksum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let mut sum: u32 =
        words.map(|word| u32::from(word[0]) << 8 | word.get(1).copied().map_or(0, u32::from)).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or_default()
}

fn short(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

fn low(number: usize) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX) & 0xf
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
    const B: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2);

    #[test]
    fn checksums_make_the_whole_come_out_even() {
        for (protocol, bytes) in [
            (UDP, udp(Pseudo::V6(A, B), 1, 2, b"odd")),
            (TCP, tcp(Pseudo::V6(A, B), 1, 2, SYN, b"even")),
            (ICMPV6, icmpv6(A, B, 128, 0, b"echo")),
        ] {
            assert_eq!(Pseudo::V6(A, B).sum(protocol, &bytes), 0, "{protocol}");
        }
        let header =
            Ipv4 { options: &[1, 1, 1, 0], ..Ipv4::plain([192, 0, 2, 1].into(), [192, 0, 2, 2].into(), UDP) };
        let packet = header.packet(b"payload");
        assert_eq!(packet[0], 0x46);
        assert_eq!(checksum(&[&packet[..24]]), 0);
        assert_eq!(packet.len(), 31);
    }

    #[test]
    fn the_checksum_of_the_standard_example_is_right() {
        // RFC 1071 section 3: the sum is 0xddf2.
        assert_eq!(!checksum(&[&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]]), 0xddf2);
    }

    #[test]
    fn a_frame_is_never_shorter_than_ethernet_has_them() {
        let frame =
            ethernet([1; 6], [2; 6], ARP, &arp(1, ([2; 6], [0; 4].into()), ([0; 6], [1; 4].into()), &[]));
        assert_eq!(frame.len(), 60);
        assert_eq!(&frame[12..14], [8, 6]);
    }
}
