//! Ethernet, IPv4 and UDP around one DHCP message, for a link that has no address yet (RFC 894, RFC 791, RFC 768).
//!
//! The UDP checksum of what arrives is not verified: a packet from the same machine (a bridge, a virtual pair) reaches a packet
//! socket before the checksum is filled in. Ethernet's own check covers the wire, and an answer must carry our transaction id.

use std::net::Ipv4Addr;

/// UDP port of a DHCP client.
pub const CLIENT_PORT: u16 = 68;
/// UDP port of a DHCP server.
pub const SERVER_PORT: u16 = 67;
/// Longest frame that is looked at, in bytes: one Ethernet frame with a VLAN tag.
pub const LONGEST: usize = 1518;

const ETHERNET_HEADER: usize = 14;
const IP_HEADER: usize = 20;
const UDP_HEADER: usize = 8;
const ETHERTYPE_IPV4: [u8; 2] = [0x08, 0x00];
const PROTOCOL_UDP: u8 = 17;
const HOPS: u8 = 64;

/// Hardware address of a link.
pub type Mac = [u8; 6];

/// Why a frame carries no DHCP answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// It ends within a header, or before the length a header gives.
    #[error("the frame is cut off")]
    CutOff,
    /// Not IPv4 in Ethernet.
    #[error("the frame is not IPv4")]
    NotIpv4,
    /// Not UDP, or a fragment.
    #[error("the packet is not a whole UDP datagram")]
    NotUdp,
    /// The IPv4 header is damaged.
    #[error("the IPv4 header has a wrong checksum")]
    Checksum,
    /// Not from a server's port to a client's port.
    #[error("the datagram is not for a DHCP client")]
    NotForClient,
}

/// A frame with a message from a client without address to every server on the link; none when the message is longer than a
/// frame can be.
#[must_use]
pub fn broadcast(from: Mac, message: &[u8]) -> Option<Vec<u8>> {
    let udp_length = u16::try_from(UDP_HEADER + message.len()).ok()?;
    let ip_length = udp_length.checked_add(20)?;
    let (source, destination) = (Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST);

    let mut ip = [0; IP_HEADER];
    ip[0] = 0x45;
    ip[2..4].copy_from_slice(&ip_length.to_be_bytes());
    ip[8] = HOPS;
    ip[9] = PROTOCOL_UDP;
    ip[12..16].copy_from_slice(&source.octets());
    ip[16..20].copy_from_slice(&destination.octets());
    let checksum = fold(sum(&ip));
    ip[10..12].copy_from_slice(&checksum.to_be_bytes());

    let mut udp = [0; UDP_HEADER];
    udp[0..2].copy_from_slice(&CLIENT_PORT.to_be_bytes());
    udp[2..4].copy_from_slice(&SERVER_PORT.to_be_bytes());
    udp[4..6].copy_from_slice(&udp_length.to_be_bytes());
    let pseudo_header =
        sum(&source.octets()) + sum(&destination.octets()) + u32::from(PROTOCOL_UDP) + u32::from(udp_length);
    // Zero would mean "no checksum"; its other form in ones' complement is sent instead (RFC 768).
    let checksum = match fold(pseudo_header + sum(&udp) + sum(message)) {
        0 => 0xffff,
        checksum => checksum,
    };
    udp[6..8].copy_from_slice(&checksum.to_be_bytes());

    Some([[0xff; 6].as_slice(), &from, &ETHERTYPE_IPV4, &ip, &udp, message].concat())
}

/// The DHCP message in a frame from a server.
///
/// # Errors
///
/// When the frame carries anything else.
pub fn parse(frame: &[u8]) -> Result<&[u8], FrameError> {
    let (ethernet, packet) = frame.split_at_checked(ETHERNET_HEADER).ok_or(FrameError::CutOff)?;
    if ethernet[12..14] != ETHERTYPE_IPV4 {
        return Err(FrameError::NotIpv4);
    }
    let first = *packet.first().ok_or(FrameError::CutOff)?;
    let header_length = usize::from(first & 0x0f) * 4;
    if first >> 4 != 4 || header_length < IP_HEADER {
        return Err(FrameError::NotIpv4);
    }
    let header = packet.get(..header_length).ok_or(FrameError::CutOff)?;
    let total_length = usize::from(u16_at(header, 2));
    let datagram = packet.get(header_length..total_length).ok_or(FrameError::CutOff)?;
    // Everything but "don't fragment" must be zero: more fragments to come, or an offset.
    let is_fragment = u16_at(header, 6) & 0xbfff != 0;
    if header[9] != PROTOCOL_UDP || is_fragment {
        return Err(FrameError::NotUdp);
    }
    if fold(sum(header)) != 0 {
        return Err(FrameError::Checksum);
    }
    let (udp, rest) = datagram.split_at_checked(UDP_HEADER).ok_or(FrameError::CutOff)?;
    if u16_at(udp, 0) != SERVER_PORT || u16_at(udp, 2) != CLIENT_PORT {
        return Err(FrameError::NotForClient);
    }
    let length = usize::from(u16_at(udp, 4)).checked_sub(UDP_HEADER).ok_or(FrameError::CutOff)?;
    rest.get(..length).ok_or(FrameError::CutOff)
}

/// Callers have checked the length.
fn u16_at(bytes: &[u8], offset: usize) -> u16 {
    u16::from_be_bytes([bytes[offset], bytes[offset + 1]])
}

/// Sum of 16-bit words (RFC 1071); 32 bits hold that of any frame.
fn sum(bytes: &[u8]) -> u32 {
    bytes.chunks(2).map(|word| (u32::from(word[0]) << 8) | word.get(1).map_or(0, |low| u32::from(*low))).sum()
}

fn fold(sum: u32) -> u16 {
    let once = (sum & 0xffff) + (sum >> 16);
    let twice = (once & 0xffff) + (once >> 16);
    !u16::try_from(twice & 0xffff).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::any;
    use proptest::prelude::prop;
    use proptest::proptest;

    const MAC: Mac = [0x52, 0x54, 0, 1, 2, 3];

    /// A server's answer is a client's frame with the ports swapped; the IPv4 header stays as it is.
    fn answer(message: &[u8]) -> Vec<u8> {
        let mut frame = broadcast(MAC, message).unwrap();
        frame[34..36].copy_from_slice(&SERVER_PORT.to_be_bytes());
        frame[36..38].copy_from_slice(&CLIENT_PORT.to_be_bytes());
        frame
    }

    /// Bytes worked out by hand from RFC 791 and RFC 768.
    #[test]
    fn a_broadcast_has_the_headers_of_the_standards() {
        let frame = broadcast(MAC, &[1, 2, 3]).unwrap();
        #[rustfmt::skip]
        let expected = [
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0, 1, 2, 3, 0x08, 0x00,
            0x45, 0, 0, 31, 0, 0, 0, 0, 64, 17, 0x7a, 0xcf, 0, 0, 0, 0, 255, 255, 255, 255,
            0, 68, 0, 67, 0, 11, 0xfb, 0x4f, 1, 2, 3,
        ];
        assert_eq!(frame, expected);
    }

    #[test]
    fn damaged_and_foreign_frames_are_told_apart() {
        let good = answer(b"hello");
        let with = |offset: usize, byte: u8| {
            let mut frame = good.clone();
            frame[offset] = byte;
            parse(&frame).map(<[u8]>::to_vec)
        };
        assert_eq!(parse(&good).unwrap(), b"hello");
        assert_eq!(with(13, 0xdd), Err(FrameError::NotIpv4));
        assert_eq!(with(14, 0x65), Err(FrameError::NotIpv4));
        assert_eq!(with(14, 0x44), Err(FrameError::NotIpv4), "a header shorter than 20 bytes");
        assert_eq!(with(17, 200), Err(FrameError::CutOff), "longer than the frame");
        assert_eq!(with(20, 0x20), Err(FrameError::NotUdp), "more fragments");
        assert_eq!(with(23, 6), Err(FrameError::NotUdp));
        assert_eq!(with(24, 0), Err(FrameError::Checksum));
        assert_eq!(with(37, 53), Err(FrameError::NotForClient));
        assert_eq!(with(39, 7), Err(FrameError::CutOff), "shorter than the UDP header");
        assert_eq!(with(39, 99), Err(FrameError::CutOff));
    }

    #[test]
    fn the_padding_of_a_short_frame_is_no_part_of_the_message() {
        let mut frame = answer(b"hi");
        frame.resize(60, 0xee);
        assert_eq!(parse(&frame).unwrap(), b"hi");
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _outcome = parse(&bytes);
        }

        /// Random bytes rarely pass the first checks; changed good frames reach all of them.
        #[test]
        fn any_change_of_a_frame_is_parsed_without_a_panic(
            message in prop::collection::vec(any::<u8>(), 0..100),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut frame = answer(&message);
            assert_eq!(parse(&frame).unwrap(), message);
            for (index, byte) in changes {
                let offset = index.index(frame.len());
                frame[offset] = byte;
            }
            frame.truncate(cut.index(frame.len() + 1));
            let _outcome = parse(&frame);
        }
    }
}
