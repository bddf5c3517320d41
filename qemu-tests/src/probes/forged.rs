//! Packets under addresses of others.

use super::BROADCAST;
use super::Ends;
use super::Fate;
use super::GRANTED;
use super::IPV4;
use super::IPV6;
use super::Ipv4;
use super::OWN_PORT;
use super::Probe;
use super::SYN;
use super::TCP;
use super::Token;
use crate::frames;
use crate::frames::Mac;
use crate::frames::Pseudo;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

/// In the order in which they are sent.
pub(super) const PROBES: &[Probe] = &[
    Probe {
        name: "hardware address of another app, of the one probed, of nobody, of a group",
        fate: Fate::Refused,
        frames: |ends, token| {
            [ends.neighbour.mac, ends.to.mac, [2, 9, 9, 9, 9, 9], [3, 0, 0, 0, 0, 1]]
                .into_iter()
                .flat_map(|mac| through(ends, ends.gateway.mac, mac, token))
                .collect()
        },
    },
    Probe {
        name: "the box's own hardware address",
        fate: Fate::Refused,
        frames: |ends, token| through(ends, ends.gateway.mac, ends.gateway.mac, token),
    },
    Probe {
        name: "unicast packets in a broadcast frame",
        fate: Fate::Refused,
        frames: |ends, token| through(ends, BROADCAST, ends.from.mac, token),
    },
    Probe {
        name: "unicast packets in a frame to a group",
        fate: Fate::Refused,
        frames: |ends, token| through(ends, [0x33, 0x33, 0, 0, 0, 1], ends.from.mac, token),
    },
    Probe {
        name: "IPv4 address of another app",
        fate: Fate::Refused,
        frames: |ends, token| vec![v4_as(ends, ends.neighbour.ipv4, token)],
    },
    Probe {
        name: "IPv4 address of the one probed",
        fate: Fate::Refused,
        frames: |ends, token| vec![v4_as(ends, ends.to.ipv4, token)],
    },
    Probe {
        name: "IPv4 address of the box",
        fate: Fate::Refused,
        frames: |ends, token| vec![v4_as(ends, ends.gateway.ipv4, token)],
    },
    Probe {
        name: "IPv4 address of the home network",
        fate: Fate::Refused,
        frames: |ends, token| vec![v4_as(ends, ends.lan.ipv4, token)],
    },
    Probe {
        name: "IPv4 addresses that are nobody's",
        fate: Fate::Refused,
        frames: |ends, token| {
            let nobody = [
                Ipv4Addr::UNSPECIFIED,
                Ipv4Addr::LOCALHOST,
                Ipv4Addr::BROADCAST,
                Ipv4Addr::new(224, 0, 0, 1),
                Ipv4Addr::new(169, 254, 1, 1),
                Ipv4Addr::new(192, 0, 2, 1),
            ];
            nobody.map(|from| v4_as(ends, from, token)).into()
        },
    },
    Probe {
        name: "IPv6 address of another app, of the one probed, of the box",
        fate: Fate::Refused,
        frames: |ends, token| {
            [ends.neighbour.ipv6, ends.to.ipv6, ends.gateway.ipv6].map(|from| v6_as(ends, from, token)).into()
        },
    },
    Probe {
        name: "IPv6 address of the home network",
        fate: Fate::Refused,
        frames: |ends, token| vec![v6_as(ends, ends.lan.ipv6, token)],
    },
    Probe {
        name: "IPv6 addresses that are nobody's",
        fate: Fate::Refused,
        frames: |ends, token| {
            let nobody = [
                Ipv6Addr::UNSPECIFIED,
                Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2),
                ends.from.ipv4.to_ipv6_mapped(),
                Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1),
            ];
            nobody.map(|from| v6_as(ends, from, token)).into()
        },
    },
    Probe {
        name: "IPv6 addresses that no packet may have",
        fate: Fate::Unseen("loopback and group sources are refused at once (ip6_rcv_core)"),
        frames: |ends, token| {
            [Ipv6Addr::LOCALHOST, Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1)]
                .map(|from| v6_as(ends, from, token))
                .into()
        },
    },
];

/// Connection attempts at the granted port in frames with these hardware addresses.
fn through(ends: &Ends, to: Mac, from: Mac, token: Token) -> Vec<Vec<u8>> {
    let [four, six] = ends.syn(GRANTED, token);
    let four = Ipv4::plain(ends.from.ipv4, ends.to.ipv4, TCP).packet(&four);
    let six = frames::ipv6(ends.from.ipv6, ends.to.ipv6, TCP, 64, &six);
    vec![frames::ethernet(to, from, IPV4, &four), frames::ethernet(to, from, IPV6, &six)]
}

fn v4_as(ends: &Ends, from: Ipv4Addr, token: Token) -> Vec<u8> {
    let segment = frames::tcp(Pseudo::V4(from, ends.to.ipv4), OWN_PORT, GRANTED, SYN, &token);
    ends.v4_with(&Ipv4::plain(from, ends.to.ipv4, TCP), &segment)
}

fn v6_as(ends: &Ends, from: Ipv6Addr, token: Token) -> Vec<u8> {
    let segment = frames::tcp(Pseudo::V6(from, ends.to.ipv6), OWN_PORT, GRANTED, SYN, &token);
    ends.v6_from_to(from, ends.to.ipv6, TCP, &segment)
}
