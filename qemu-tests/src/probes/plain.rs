//! Packets that pretend nothing: they only go where nothing was granted.

use super::ACK;
use super::CLOSED;
use super::Fate;
use super::GRANTED;
use super::ICMP;
use super::ICMPV6;
use super::IPV4;
use super::Ipv4;
use super::OWN_PORT;
use super::Probe;
use super::RST;
use super::SYN;
use super::TCP;
use super::UDP;
use super::echo;
use crate::frames;
use crate::frames::Pseudo;
use std::net::Ipv4Addr;

/// In the order in which they are sent.
pub(super) const PROBES: &[Probe] = &[
    Probe {
        name: "TCP over IPv4 to the granted port",
        fate: Fate::Grantable,
        frames: |ends, token| vec![ends.v4(TCP, &ends.syn(GRANTED, token)[0])],
    },
    Probe {
        name: "TCP over IPv6 to the granted port",
        fate: Fate::Grantable,
        frames: |ends, token| vec![ends.v6(TCP, &ends.syn(GRANTED, token)[1])],
    },
    Probe {
        name: "TCP to another port",
        fate: Fate::Refused,
        frames: |ends, token| ends.tcp(OWN_PORT, CLOSED, SYN, token),
    },
    Probe {
        name: "UDP to the granted port's number",
        fate: Fate::Refused,
        frames: |ends, token| ends.udp(OWN_PORT, GRANTED, token),
    },
    Probe {
        name: "UDP to port 443",
        fate: Fate::Refused,
        frames: |ends, token| ends.udp(OWN_PORT, 443, token),
    },
    Probe { name: "DNS over UDP", fate: Fate::Refused, frames: |ends, token| ends.udp(OWN_PORT, 53, token) },
    Probe {
        name: "DNS over TCP",
        fate: Fate::Refused,
        frames: |ends, token| ends.tcp(OWN_PORT, 53, SYN, token),
    },
    Probe { name: "mDNS to one", fate: Fate::Refused, frames: |ends, token| ends.udp(5353, 5353, token) },
    Probe {
        name: "TCP to the console's ports",
        fate: Fate::Refused,
        frames: |ends, token| {
            [80, 443].into_iter().flat_map(|port| ends.tcp(OWN_PORT, port, SYN, token)).collect()
        },
    },
    Probe {
        name: "the middle of a TCP connection",
        fate: Fate::Refused,
        frames: |ends, token| ends.tcp(OWN_PORT, CLOSED, ACK, token),
    },
    Probe {
        name: "an answer to a connection nobody asked for",
        fate: Fate::Refused,
        // From a port that the other probes do not ask from: an answer to those would be one.
        frames: |ends, token| ends.tcp(GRANTED, OWN_PORT + 1, SYN | ACK, token),
    },
    Probe {
        name: "the end of a connection that is not there",
        fate: Fate::Refused,
        frames: |ends, token| ends.tcp(OWN_PORT, CLOSED, RST, token),
    },
    Probe {
        name: "TCP with no flag and with all",
        fate: Fate::Refused,
        frames: |ends, token| {
            [0, 0x3f].into_iter().flat_map(|flags| ends.tcp(OWN_PORT, CLOSED, flags, token)).collect()
        },
    },
    Probe {
        name: "ICMP echo",
        fate: Fate::Refused,
        frames: |ends, token| vec![ends.v4(ICMP, &frames::icmp(8, 0, &echo(token)))],
    },
    Probe {
        name: "ICMP echo reply, timestamp, unknown type",
        fate: Fate::Refused,
        frames: |ends, token| {
            [0, 13, 253].map(|kind| ends.v4(ICMP, &frames::icmp(kind, 0, &echo(token)))).into()
        },
    },
    Probe {
        name: "ICMPv6 echo, its reply, unknown type",
        fate: Fate::Refused,
        frames: |ends, token| {
            let message = |kind| frames::icmpv6(ends.from.ipv6, ends.to.ipv6, kind, 0, &echo(token));
            [128, 129, 200].map(|kind| ends.v6(ICMPV6, &message(kind))).into()
        },
    },
    Probe {
        name: "ICMP errors about a packet nobody sent",
        fate: Fate::Refused,
        frames: |ends, token| {
            let quoted = frames::udp(Pseudo::V4(ends.to.ipv4, ends.from.ipv4), CLOSED, OWN_PORT, &token);
            let quoted = Ipv4::plain(ends.to.ipv4, ends.from.ipv4, UDP).packet(&quoted);
            let rest = [&[0; 4][..], &quoted].concat();
            // Unreachable, fragmentation needed, time exceeded.
            [(3, 1), (3, 4), (11, 0)]
                .map(|(kind, code)| ends.v4(ICMP, &frames::icmp(kind, code, &rest)))
                .into()
        },
    },
    Probe {
        name: "ICMPv6 errors about a packet nobody sent",
        fate: Fate::Refused,
        frames: |ends, token| {
            let quoted = frames::udp(Pseudo::V6(ends.to.ipv6, ends.from.ipv6), CLOSED, OWN_PORT, &token);
            let quoted = frames::ipv6(ends.to.ipv6, ends.from.ipv6, UDP, 64, &quoted);
            let rest = [&[0, 0, 5, 0][..], &quoted].concat();
            // Unreachable, too big, time exceeded.
            let message = |kind| frames::icmpv6(ends.from.ipv6, ends.to.ipv6, kind, 0, &rest);
            [1, 2, 3].map(|kind| ends.v6(ICMPV6, &message(kind))).into()
        },
    },
    Probe {
        name: "IPv4 in IPv4 and in IPv6",
        fate: Fate::Refused,
        frames: |ends, token| {
            let inner = Ipv4::plain(ends.from.ipv4, ends.to.ipv4, TCP).packet(&ends.syn(GRANTED, token)[0]);
            vec![ends.v4(4, &inner), ends.v6(4, &inner)]
        },
    },
    Probe {
        name: "IPv6 in IPv4 and in IPv6",
        fate: Fate::Refused,
        frames: |ends, token| {
            let inner = frames::ipv6(ends.from.ipv6, ends.to.ipv6, TCP, 64, &ends.syn(GRANTED, token)[1]);
            vec![ends.v4(41, &inner), ends.v6(41, &inner)]
        },
    },
    Probe {
        name: "other transports",
        fate: Fate::Refused,
        frames: |ends, token| {
            // IGMP, GRE, ESP, AH, SCTP, UDP-Lite, the two for experiments, 255.
            let body = [&[0; 8][..], &token].concat();
            let numbers = [2, 47, 50, 51, 132, 136, 253, 254, 255];
            numbers.into_iter().map(|number| ends.v4(number, &body)).collect()
        },
    },
    Probe {
        name: "other transports over IPv6",
        fate: Fate::Refused,
        frames: |ends, token| {
            let body = [&[0; 8][..], &token].concat();
            [47, 132, 136, 253, 254].map(|number| ends.v6(number, &body)).into()
        },
    },
    Probe {
        name: "the last hop is reached at the box",
        fate: Fate::Refused,
        // ip_forward answers before its filter is asked (net/ipv4/ip_forward.c).
        frames: |ends, token| {
            let header = Ipv4 { ttl: 1, ..Ipv4::plain(ends.from.ipv4, ends.to.ipv4, UDP) };
            let datagram = frames::udp(ends.pseudo4(), OWN_PORT, CLOSED, &token);
            let six = frames::udp(ends.pseudo6(), OWN_PORT, CLOSED, &token);
            let six = frames::ipv6(ends.from.ipv6, ends.to.ipv6, UDP, 1, &six);
            vec![
                ends.v4_with(&header, &datagram),
                frames::ethernet(ends.gateway.mac, ends.from.mac, frames::IPV6, &six),
            ]
        },
    },
    Probe {
        name: "to another app of the pool that does not exist",
        fate: Fate::Refused,
        frames: |ends, token| {
            let nobody = Ipv4Addr::new(198, 19, 250, 250);
            let datagram = frames::udp(Pseudo::V4(ends.from.ipv4, nobody), OWN_PORT, CLOSED, &token);
            vec![ends.v4_with(&Ipv4::plain(ends.from.ipv4, nobody, UDP), &datagram)]
        },
    },
    Probe {
        name: "to the one at the other end, past the box's hardware address",
        fate: Fate::Unseen(
            "a frame for another hardware address is not for this host (ip_rcv_core, PACKET_OTHERHOST)",
        ),
        frames: |ends, token| {
            let packet = Ipv4::plain(ends.from.ipv4, ends.to.ipv4, TCP).packet(&ends.syn(GRANTED, token)[0]);
            vec![frames::ethernet(ends.to.mac, ends.from.mac, IPV4, &packet)]
        },
    },
];
