//! What devices on the home network send before the box has an address.

use super::ignore;
use crate::Target;
use netd::dhcp::frame;
use netd::dhcp::message;
use netd::dhcp6;
use netd::ipv4::arp::Arp;
use netd::moment::Moment;
use netd::routers::decode;
use netd::wifi::captive;
use netd::wifi::leases::Leases;
use netd::wifi::leases::OWN;

const MAC: frame::Mac = [0x52, 0x54, 0, 0x12, 0x34, 0x56];

/// A DUID of kind 4 (RFC 6355).
const DUID: [u8; 18] = [0, 4, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "dhcp4-frame",
        source: "any frame with IPv4 while a lease is sought",
        longest: 1600,
        run: |bytes| {
            if let Ok(datagram) = frame::parse(bytes) {
                ignore(message::parse(datagram, MAC));
            }
        },
    },
    Target {
        name: "dhcp4-message",
        source: "any datagram to port 68",
        longest: 1600,
        run: |bytes| ignore(message::parse(bytes, MAC)),
    },
    Target {
        name: "dhcp6-message",
        source: "any datagram to port 546",
        longest: 1600,
        run: |bytes| {
            let Ok(host_name) = "hearth".parse() else { return };
            let identity = dhcp6::message::Identity { duid: DUID.to_vec(), iaid: 1, host_name };
            ignore(dhcp6::message::parse(bytes, &identity));
        },
    },
    Target {
        name: "own-network-lease",
        source: "any datagram to port 67 of the box's own wireless network",
        longest: 1600,
        run: |bytes| {
            let mut leases = Leases::default();
            let now = Moment::from_secs(1);
            ignore(leases.answer(bytes, now));
            ignore(leases.answer(bytes, now));
        },
    },
    Target {
        name: "own-network-name",
        source: "any datagram to port 53 there",
        longest: 600,
        run: |bytes| {
            let Some(answer) = captive::answer(bytes, OWN.0) else { return };
            assert!(answer.len() <= bytes.len() + 16, "an answer that is worth forging a question for");
        },
    },
    Target {
        name: "arp",
        source: "any frame with ARP while an address is probed or defended",
        longest: 128,
        run: |bytes| {
            let Some(packet) = Arp::parse(bytes) else { return };
            let again = Arp::parse(&packet.frame());
            assert_eq!(again, Some(packet), "a packet is written otherwise than it was read");
        },
    },
    Target {
        name: "router-advice",
        source: "the kernel, with options of router advertisements as anybody on the link sent them",
        longest: 2048,
        run: |bytes| ignore(decode::advices(bytes)),
    },
];
