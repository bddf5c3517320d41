//! Frames to all on a link: names, neighbours, routers, leases, and what is no IP at all.

use super::BROADCAST;
use super::Ends;
use super::Fate;
use super::ICMP;
use super::ICMPV6;
use super::IPV4;
use super::IPV6;
use super::Ipv4;
use super::OWN_PORT;
use super::Probe;
use super::Token;
use super::UDP;
use super::echo;
use crate::frames;
use crate::frames::ARP;
use crate::frames::Mac;
use crate::frames::Pseudo;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
const MDNS4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const MDNS6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);
const DHCP_SERVERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);
const LISTENERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16);
const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);
const GATEWAY_LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

/// In the order in which they are sent.
pub(super) const PROBES: &[Probe] = &[
    Probe {
        name: "mDNS question",
        fate: Fate::Refused,
        frames: |ends, token| {
            let four = Pseudo::V4(ends.from.ipv4, MDNS4);
            let six = Pseudo::V6(ends.from.ipv6, MDNS6);
            let [four, six] = [four, six].map(|ends| frames::udp(ends, 5353, 5353, &question(token)));
            vec![group4(ends, MDNS4, UDP, &four), group6(ends, ends.from.ipv6, MDNS6, UDP, &six)]
        },
    },
    Probe {
        name: "mDNS answer that takes the box's name",
        fate: Fate::Refused,
        frames: |ends, token| {
            let answer = [
                &[0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0][..],
                b"\x06hearth\x05local\0\0\x01\x80\x01\0\0\0\x78\0\x04",
                &ends.from.ipv4.octets(),
                &token,
            ]
            .concat();
            vec![group4(
                ends,
                MDNS4,
                UDP,
                &frames::udp(Pseudo::V4(ends.from.ipv4, MDNS4), 5353, 5353, &answer),
            )]
        },
    },
    Probe {
        name: "other groups: all hosts, SSDP, LLMNR",
        fate: Fate::Refused,
        frames: |ends, token| {
            let groups = [([224, 0, 0, 1], 5353), ([239, 255, 255, 250], 1900), ([224, 0, 0, 252], 5355)];
            let send = |(group, port): ([u8; 4], u16)| {
                let group = Ipv4Addr::from(group);
                let datagram = frames::udp(Pseudo::V4(ends.from.ipv4, group), OWN_PORT, port, &token);
                group4(ends, group, UDP, &datagram)
            };
            groups.map(send).into()
        },
    },
    Probe {
        name: "echo to all nodes and routers",
        fate: Fate::Refused,
        frames: |ends, token| {
            let message = |to| frames::icmpv6(ends.from.ipv6, to, 128, 0, &echo(token));
            [ALL_NODES, ALL_ROUTERS].map(|to| group6(ends, ends.from.ipv6, to, ICMPV6, &message(to))).into()
        },
    },
    Probe {
        name: "broadcast of the world and of the workspace",
        fate: Fate::Refused,
        frames: |ends, token| {
            let [a, b, c, _] = ends.from.ipv4.octets();
            let send = |to| {
                let datagram = frames::udp(Pseudo::V4(ends.from.ipv4, to), OWN_PORT, 9, &token);
                broadcast(ends, IPV4, &Ipv4::plain(ends.from.ipv4, to, UDP).packet(&datagram))
            };
            [Ipv4Addr::BROADCAST, Ipv4Addr::new(a, b, c, 255)].map(send).into()
        },
    },
    Probe {
        name: "echo to everybody",
        fate: Fate::Refused,
        frames: |ends, token| {
            let header = Ipv4::plain(ends.from.ipv4, Ipv4Addr::BROADCAST, ICMP);
            vec![broadcast(ends, IPV4, &header.packet(&frames::icmp(8, 0, &echo(token))))]
        },
    },
    Probe {
        name: "link-local to one",
        fate: Fate::Refused,
        frames: |ends, token| {
            let to = Ipv4Addr::new(169, 254, 7, 7);
            let four = frames::udp(Pseudo::V4(ends.from.ipv4, to), OWN_PORT, 9, &token);
            let six = |from: Ipv6Addr| {
                let datagram = frames::udp(Pseudo::V6(from, GATEWAY_LINK_LOCAL), OWN_PORT, 9, &token);
                ends.v6_from_to(from, GATEWAY_LINK_LOCAL, UDP, &datagram)
            };
            vec![
                ends.v4_with(&Ipv4::plain(ends.from.ipv4, to, UDP), &four),
                six(LINK_LOCAL),
                six(ends.from.ipv6),
            ]
        },
    },
    Probe {
        name: "who has the other's address, who has the gateway's",
        fate: Fate::Refused,
        frames: |ends, token| {
            let own = (ends.from.mac, ends.from.ipv4);
            [ends.to.ipv4, ends.gateway.ipv4, ends.lan.ipv4]
                .map(|wanted| broadcast(ends, ARP, &frames::arp(1, own, ([0; 6], wanted), &token)))
                .into()
        },
    },
    Probe {
        name: "the other's and the gateway's address are here",
        fate: Fate::Refused,
        frames: |ends, token| {
            let stolen = [ends.to.ipv4, ends.gateway.ipv4];
            let claim = |address| {
                let own = (ends.from.mac, address);
                // Gratuitous, as question and as answer (RFC 5227 section 3).
                [(1, [0; 6]), (2, BROADCAST)].map(|(operation, mac)| {
                    broadcast(ends, ARP, &frames::arp(operation, own, (mac, address), &token))
                })
            };
            stolen.into_iter().flat_map(claim).collect()
        },
    },
    Probe {
        name: "the other's address is here, told to the box alone",
        fate: Fate::Refused,
        frames: |ends, token| {
            let packet =
                frames::arp(2, (ends.from.mac, ends.to.ipv4), (ends.gateway.mac, ends.gateway.ipv4), &token);
            vec![frames::ethernet(ends.gateway.mac, ends.from.mac, ARP, &packet)]
        },
    },
    Probe {
        name: "neighbour solicitation",
        fate: Fate::Refused,
        frames: |ends, token| {
            let [.., a, b, c] = ends.to.ipv6.octets();
            let group = Ipv6Addr::from_octets([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c]);
            [group, GATEWAY_LINK_LOCAL, ends.gateway.ipv6]
                .map(|to| neighbour(ends, to, 135, &[&[0; 4][..], &ends.to.ipv6.octets()].concat(), token))
                .into()
        },
    },
    Probe {
        name: "neighbour advertisement of the other's and the gateway's address",
        fate: Fate::Refused,
        frames: |ends, token| {
            [ends.to.ipv6, ends.gateway.ipv6, GATEWAY_LINK_LOCAL]
                .map(|stolen| {
                    // Override (RFC 4861 section 4.4).
                    neighbour(ends, ALL_NODES, 136, &[&[0x20, 0, 0, 0][..], &stolen.octets()].concat(), token)
                })
                .into()
        },
    },
    Probe {
        name: "router solicitation",
        fate: Fate::Refused,
        frames: |ends, token| vec![neighbour(ends, ALL_ROUTERS, 133, &[0; 4], token)],
    },
    Probe {
        name: "router advertisement",
        fate: Fate::Refused,
        frames: |ends, token| {
            vec![neighbour(ends, ALL_NODES, 134, &[64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0], token)]
        },
    },
    Probe {
        name: "redirects",
        fate: Fate::Refused,
        frames: |ends, token| {
            let body = [&[0; 4][..], &ends.from.ipv6.octets(), &ends.lan.ipv6.octets()].concat();
            let quoted = Ipv4::plain(ends.gateway.ipv4, ends.lan.ipv4, UDP).packet(&frames::udp(
                Pseudo::V4(ends.gateway.ipv4, ends.lan.ipv4),
                OWN_PORT,
                9,
                &token,
            ));
            let rest = [&ends.from.ipv4.octets()[..], &quoted].concat();
            let header = Ipv4::plain(ends.from.ipv4, ends.gateway.ipv4, ICMP);
            vec![
                neighbour(ends, GATEWAY_LINK_LOCAL, 137, &body, token),
                ends.v4_with(&header, &frames::icmp(5, 1, &rest)),
            ]
        },
    },
    Probe {
        name: "reports of group members",
        fate: Fate::Refused,
        frames: |ends, token| {
            let report = [&[0, 0, 0, 1, 4, 0, 0, 0][..], &MDNS6.octets()].concat();
            let igmp = Ipv4 { ttl: 1, ..Ipv4::plain(ends.from.ipv4, MDNS4, 2) };
            let igmp = igmp.packet(&[&frames::icmp(0x16, 0, &MDNS4.octets())[..], &token].concat());
            vec![
                neighbour(ends, LISTENERS, 143, &report, token),
                frames::ethernet([1, 0, 0x5e, 0, 0, 0xfb], ends.from.mac, IPV4, &igmp),
            ]
        },
    },
    Probe {
        name: "DHCP discover and offer",
        fate: Fate::Refused,
        frames: |ends, token| {
            let none = Ipv4Addr::UNSPECIFIED;
            let send = |(kind, from, ports): (u8, Ipv4Addr, [u16; 2])| {
                let payload = bootp(ends, kind, token);
                let datagram =
                    frames::udp(Pseudo::V4(from, Ipv4Addr::BROADCAST), ports[0], ports[1], &payload);
                broadcast(ends, IPV4, &Ipv4::plain(from, Ipv4Addr::BROADCAST, UDP).packet(&datagram))
            };
            [(1, none, [68, 67]), (2, ends.from.ipv4, [67, 68])].map(send).into()
        },
    },
    Probe {
        name: "DHCPv6 solicit and advertise",
        fate: Fate::Refused,
        frames: |ends, token| {
            let send = |(to, kind, ports): (Ipv6Addr, u8, [u16; 2])| {
                let payload = [&[kind, 1, 2, 3, 0, 1, 0, 8][..], &token].concat();
                let datagram = frames::udp(Pseudo::V6(LINK_LOCAL, to), ports[0], ports[1], &payload);
                group6(ends, LINK_LOCAL, to, UDP, &datagram)
            };
            [(DHCP_SERVERS, 1, [546, 547]), (ALL_NODES, 2, [547, 546])].map(send).into()
        },
    },
    Probe {
        name: "what is no IP",
        fate: Fate::Unseen("nobody takes these protocols (__netif_receive_skb_core)"),
        frames: |ends, token| {
            // For experiments, 802.1X, LLDP, PPPoE discovery, MPLS, RARP, IPX, FCoE, loopback, PTP.
            let types = [0x88b5, 0x888e, 0x88cc, 0x8863, 0x8847, 0x8035, 0x8137, 0x8906, 0x9000, 0x88f7];
            types.into_iter().map(|kind| broadcast(ends, kind, &token)).collect()
        },
    },
    Probe {
        name: "802.3: spanning tree",
        fate: Fate::Unseen("nobody takes these protocols (__netif_receive_skb_core)"),
        frames: |ends, token| {
            // A length instead of a type; LLC 0x42.
            let payload = [&[0x42, 0x42, 3, 0, 0, 0, 0][..], &token].concat();
            vec![frames::ethernet([1, 0x80, 0xc2, 0, 0, 0], ends.from.mac, 38, &payload)]
        },
    },
];

fn broadcast(ends: &Ends, ethertype: u16, payload: &[u8]) -> Vec<u8> {
    frames::ethernet(BROADCAST, ends.from.mac, ethertype, payload)
}

fn group4(ends: &Ends, group: Ipv4Addr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let [_, b, c, d] = group.octets();
    // RFC 1112 section 6.4.
    let mac: Mac = [1, 0, 0x5e, b & 0x7f, c, d];
    let header = Ipv4 { ttl: 255, ..Ipv4::plain(ends.from.ipv4, group, protocol) };
    frames::ethernet(mac, ends.from.mac, IPV4, &header.packet(payload))
}

fn group6(ends: &Ends, from: Ipv6Addr, group: Ipv6Addr, next_header: u8, payload: &[u8]) -> Vec<u8> {
    let mac = if group.is_multicast() { frames::group_mac(group) } else { ends.gateway.mac };
    frames::ethernet(mac, ends.from.mac, IPV6, &frames::ipv6(from, group, next_header, 255, payload))
}

/// A message of neighbour discovery from a link-local address, with the prober's hardware address and the token as options.
fn neighbour(ends: &Ends, to: Ipv6Addr, kind: u8, body: &[u8], token: Token) -> Vec<u8> {
    let code = if kind == 135 { 1 } else { 2 };
    // An option of a kind for experiments (RFC 4727 section 6): 16 bytes.
    let rest = [body, &[code, 1], &ends.from.mac, &[253, 2, 0, 0, 0, 0, 0, 0], &token].concat();
    group6(ends, LINK_LOCAL, to, ICMPV6, &frames::icmpv6(LINK_LOCAL, to, kind, 0, &rest))
}

fn question(token: Token) -> Vec<u8> {
    [&[0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], b"\x06hearth\x05local\0\0\xff\0\x01", &token].concat()
}

/// A message of RFC 2131 with the token in place of the server's name.
fn bootp(ends: &Ends, operation: u8, token: Token) -> Vec<u8> {
    let mut message = vec![operation, 1, 6, 0, 0x48, 0x65, 0x61, 0x72];
    message.resize(28, 0);
    message.extend_from_slice(&ends.from.mac);
    message.resize(44, 0);
    message.extend_from_slice(&token);
    message.resize(236, 0);
    message.extend_from_slice(&[99, 130, 83, 99, 53, 1, operation, 255]);
    message
}
