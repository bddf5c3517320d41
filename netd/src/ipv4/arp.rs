//! ARP in Ethernet (RFC 826): the packets that ask for and defend addresses.

use crate::dhcp::frame::Mac;
use std::net::Ipv4Addr;

/// Length of what is sent; the card adds the padding.
const LENGTH: usize = 42;
const BROADCAST: Mac = [0xff; 6];
const ETHERTYPE_ARP: [u8; 2] = [0x08, 0x06];
/// Ethernet, IPv4, six and four bytes.
const FORM: [u8; 6] = [0, 1, 0x08, 0, 6, 4];
const REQUEST: [u8; 2] = [0, 1];
const REPLY: [u8; 2] = [0, 2];

/// An ARP packet; whether it asks or answers makes no difference to those who guard an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// Hardware address of the device that sent it.
    pub sender_mac: Mac,
    /// Its address; unspecified in a probe.
    pub sender: Ipv4Addr,
    /// The address that it is about.
    pub target: Ipv4Addr,
}

impl Arp {
    /// Asks whether anybody has this address, without using it (RFC 5227 section 2.1.1).
    #[must_use]
    pub const fn probe(from: Mac, address: Ipv4Addr) -> Self {
        Self { sender_mac: from, sender: Ipv4Addr::UNSPECIFIED, target: address }
    }

    /// Says that this address is ours (RFC 5227 section 2.3).
    #[must_use]
    pub const fn announcement(from: Mac, address: Ipv4Addr) -> Self {
        Self { sender_mac: from, sender: address, target: address }
    }

    /// Asks for the hardware address of a neighbour.
    #[must_use]
    pub const fn request(from: Mac, own: Ipv4Addr, neighbour: Ipv4Addr) -> Self {
        Self { sender_mac: from, sender: own, target: neighbour }
    }

    /// The frame, as a request to all.
    #[must_use]
    pub fn frame(&self) -> Vec<u8> {
        let mut frame = Vec::with_capacity(LENGTH);
        frame.extend(BROADCAST);
        frame.extend(self.sender_mac);
        frame.extend(ETHERTYPE_ARP);
        frame.extend(FORM);
        frame.extend(REQUEST);
        frame.extend(self.sender_mac);
        frame.extend(self.sender.octets());
        frame.extend([0; 6]);
        frame.extend(self.target.octets());
        frame
    }

    /// The packet in a frame; none when it is anything else.
    #[must_use]
    pub fn parse(frame: &[u8]) -> Option<Self> {
        let frame: &[u8; LENGTH] = frame.first_chunk()?;
        let is_arp = frame[12..14] == ETHERTYPE_ARP
            && frame[14..20] == FORM
            && (frame[20..22] == REQUEST || frame[20..22] == REPLY);
        let address = |at: usize| Ipv4Addr::new(frame[at], frame[at + 1], frame[at + 2], frame[at + 3]);
        let mac = || frame[22..28].try_into().ok();
        is_arp.then(mac).flatten().map(|sender_mac| Self {
            sender_mac,
            sender: address(28),
            target: address(38),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::any;
    use proptest::prelude::prop;
    use proptest::proptest;

    const MAC: Mac = [0x52, 0x54, 0, 1, 2, 3];
    const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 7);

    /// Bytes worked out by hand from RFC 826.
    #[test]
    fn a_probe_has_the_fields_of_the_standard() {
        #[rustfmt::skip]
        let expected = [
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0, 1, 2, 3, 0x08, 0x06,
            0, 1, 0x08, 0, 6, 4, 0, 1, 0x52, 0x54, 0, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 7,
        ];
        assert_eq!(Arp::probe(MAC, ADDRESS).frame(), expected);
        assert_eq!(Arp::announcement(MAC, ADDRESS).sender, ADDRESS);
    }

    #[test]
    fn requests_and_replies_are_read_and_other_frames_are_not() {
        let arp = Arp::request(MAC, ADDRESS, Ipv4Addr::new(10, 0, 0, 1));
        let mut frame = arp.frame();
        frame.resize(60, 0xee);
        assert_eq!(Arp::parse(&frame), Some(arp), "with padding");
        for (offset, byte, is_read) in
            [(21, 2, true), (21, 3, false), (13, 0, false), (15, 6, false), (18, 8, false), (19, 16, false)]
        {
            let mut frame = frame.clone();
            frame[offset] = byte;
            assert_eq!(Arp::parse(&frame).is_some(), is_read, "byte {offset}");
        }
        assert_eq!(Arp::parse(&frame[..41]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_without_a_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..80),
            head in 0_usize..23,
        ) {
            let _outcome = Arp::parse(&bytes);
            // With a good head, so that the rest is reached.
            let mut frame = Arp::probe(MAC, ADDRESS).frame();
            frame.truncate(head + 14);
            frame.extend(&bytes);
            let _outcome = Arp::parse(&frame);
        }
    }
}
