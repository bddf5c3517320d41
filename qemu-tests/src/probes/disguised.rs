//! Packets to the granted port that a filter could take for something else, or for nothing.

use super::Ends;
use super::Fate;
use super::GRANTED;
use super::IPV4;
use super::IPV6;
use super::Ipv4;
use super::Probe;
use super::TCP;
use super::Token;
use crate::frames;

/// `MF` of RFC 791 section 3.1.
const MORE: u16 = 0x2000;
/// Next headers (RFC 8200 section 4): hop-by-hop, routing, fragment, destination options.
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const DESTINATION: u8 = 60;

/// In the order in which they are sent.
pub(super) const PROBES: &[Probe] = &[
    Probe {
        name: "a first fragment",
        fate: Fate::Refused,
        frames: |ends, token| vec![fragment4(ends, &segments(ends, token)[0], MORE)],
    },
    Probe {
        name: "a last fragment alone",
        fate: Fate::Refused,
        frames: |ends, token| vec![fragment4(ends, &token.repeat(2), 3)],
    },
    Probe {
        name: "two fragments that make a connection attempt",
        fate: Fate::Refused,
        frames: |ends, token| split4(ends, token, 24),
    },
    Probe {
        name: "a first fragment with ports only",
        fate: Fate::Refused,
        frames: |ends, token| split4(ends, token, 8),
    },
    Probe {
        name: "a fragment that overwrites the ports",
        fate: Fate::Refused,
        frames: |ends, token| {
            let [segment, _] = segments(ends, token);
            let tail = segment.get(24..).unwrap_or_default();
            let other = frames::tcp(ends.pseudo4(), super::OWN_PORT, super::CLOSED, super::SYN, &token);
            vec![
                fragment4(ends, other.get(..24).unwrap_or_default(), MORE),
                fragment4(ends, segment.get(..16).unwrap_or_default(), MORE),
                fragment4(ends, tail, 3),
            ]
        },
    },
    Probe {
        name: "fragments that overlap",
        fate: Fate::Refused,
        frames: |ends, token| {
            let [segment, _] = segments(ends, token);
            let part = |range: std::ops::Range<usize>| segment.get(range).unwrap_or_default().to_vec();
            vec![
                fragment4(ends, &part(0..24), MORE),
                fragment4(ends, &part(8..32), 1 | MORE),
                fragment4(ends, &part(16..44), 2),
            ]
        },
    },
    Probe {
        name: "IPv6 fragments",
        fate: Fate::Refused,
        frames: |ends, token| {
            let [_, segment] = segments(ends, token);
            let (head, tail) = segment.split_at(24);
            vec![fragment6(ends, head, 1), fragment6(ends, tail, 24)]
        },
    },
    Probe {
        name: "a single IPv6 fragment that is whole",
        fate: Fate::Refused,
        frames: |ends, token| vec![fragment6(ends, &segments(ends, token)[1], 0)],
    },
    Probe {
        name: "IPv6 fragments with the ports in the second",
        fate: Fate::Refused,
        frames: |ends, token| {
            let padding = [&[TCP, 0, 1, 4, 0, 0, 0, 0][..], &segments(ends, token)[1]].concat();
            let (head, tail) = padding.split_at(8);
            let fragment = |part: &[u8], place: u16| {
                let header = [&[DESTINATION, 0][..], &place.to_be_bytes(), &[0, 0, 0x48, 0x66]].concat();
                ends.v6(FRAGMENT, &[&header[..], part].concat())
            };
            vec![fragment(head, 1), fragment(tail, 8)]
        },
    },
    Probe {
        name: "IPv4 options: no operation, record route, timestamp, router alert",
        fate: Fate::Refused,
        frames: |ends, token| {
            let options: [&[u8]; 4] =
                [&[1, 1, 1, 0], &[7, 7, 4, 0, 0, 0, 0, 0], &[68, 8, 5, 0, 0, 0, 0, 0], &[148, 4, 0, 0]];
            options.map(|options| optional(ends, options, token)).into()
        },
    },
    Probe {
        name: "IPv4 source routes",
        fate: Fate::Refused,
        frames: |ends, token| {
            let [a, b, c, d] = ends.to.ipv4.octets();
            // Loose and strict, to the box and from there to the one probed.
            [131, 137]
                .map(|kind| {
                    let options = [kind, 7, 4, a, b, c, d, 0];
                    let header =
                        Ipv4 { options: &options, ..Ipv4::plain(ends.from.ipv4, ends.gateway.ipv4, TCP) };
                    ends.v4_with(&header, &segments(ends, token)[0])
                })
                .into()
        },
    },
    Probe {
        name: "hop-by-hop options",
        fate: Fate::Refused,
        // Router alert (RFC 2711), padding.
        frames: |ends, token| vec![extended(ends, HOP_BY_HOP, &[0, 5, 2, 0, 0, 1, 0], token)],
    },
    Probe {
        name: "destination options",
        fate: Fate::Refused,
        frames: |ends, token| vec![extended(ends, DESTINATION, &[0, 1, 4, 0, 0, 0, 0], token)],
    },
    Probe {
        name: "routing headers",
        fate: Fate::Refused,
        frames: |ends, token| {
            let header =
                |kind: u8, left: u8| [&[2, kind, left, 0, 0, 0, 0][..], &ends.to.ipv6.octets()].concat();
            // Type 0 (RFC 5095), 2 (mobile), 4 (segments), with and without hops left.
            [(0, 1), (0, 0), (2, 1), (4, 0)]
                .map(|(kind, left)| extended(ends, ROUTING, &header(kind, left), token))
                .into()
        },
    },
    Probe {
        name: "many extension headers",
        fate: Fate::Refused,
        frames: |ends, token| {
            let mut chain = Vec::new();
            for index in 0..8 {
                let next = if index == 7 { TCP } else { DESTINATION };
                chain.extend_from_slice(&[next, 0, 1, 4, 0, 0, 0, 0]);
            }
            chain.extend_from_slice(&segments(ends, token)[1]);
            vec![ends.v6(DESTINATION, &chain)]
        },
    },
    Probe { name: "no next header", fate: Fate::Refused, frames: |ends, token| vec![ends.v6(59, &token)] },
    Probe {
        name: "with a tag for a virtual network",
        fate: Fate::Unseen("there is no such network on the link (__netif_receive_skb_core)"),
        frames: |ends, token| tagged(ends, &[0x81, 0, 0, 5], token),
    },
    Probe {
        name: "with a tag for priority alone",
        // Network 0 is none (IEEE 802.1Q section 9.6): the kernel takes the tag off before any filter.
        fate: Fate::Grantable,
        frames: |ends, token| tagged(ends, &[0x81, 0, 0xe0, 0], token),
    },
    Probe {
        name: "with two tags",
        fate: Fate::Unseen("there is no such network on the link (__netif_receive_skb_core)"),
        frames: |ends, token| tagged(ends, &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 5], token),
    },
    Probe {
        name: "IPv4 with a wrong checksum, a wrong length, a wrong version",
        fate: Fate::Unseen("no packet (ip_rcv_core)"),
        frames: |ends, token| {
            let [segment, _] = segments(ends, token);
            let plain = Ipv4::plain(ends.from.ipv4, ends.to.ipv4, TCP);
            let wrong_sum = Ipv4 { checksum_error: 1, ..plain }.packet(&segment);
            let [mut long, mut version] = [plain.packet(&segment), plain.packet(&segment)];
            long[2] = 0xff;
            version[0] = 0x65;
            [wrong_sum, long, version]
                .map(|packet| frames::ethernet(ends.gateway.mac, ends.from.mac, IPV4, &packet))
                .into()
        },
    },
    Probe {
        name: "a packet of one family under the name of the other",
        fate: Fate::Unseen("the version is the other's (ip_rcv_core, ip6_rcv_core)"),
        frames: |ends, token| {
            let [four, six] = segments(ends, token);
            let four = Ipv4::plain(ends.from.ipv4, ends.to.ipv4, TCP).packet(&four);
            let six = frames::ipv6(ends.from.ipv6, ends.to.ipv6, TCP, 64, &six);
            vec![
                frames::ethernet(ends.gateway.mac, ends.from.mac, IPV6, &four),
                frames::ethernet(ends.gateway.mac, ends.from.mac, IPV4, &six),
            ]
        },
    },
];

/// Attempts at the granted port that fill two fragments and more.
fn segments(ends: &Ends, token: Token) -> [Vec<u8>; 2] {
    let payload = token.repeat(3);
    [ends.pseudo4(), ends.pseudo6()]
        .map(|pseudo| frames::tcp(pseudo, super::OWN_PORT, GRANTED, super::SYN, &payload))
}

fn fragment4(ends: &Ends, part: &[u8], fragment: u16) -> Vec<u8> {
    ends.v4_with(&Ipv4 { fragment, ..Ipv4::plain(ends.from.ipv4, ends.to.ipv4, TCP) }, part)
}

fn split4(ends: &Ends, token: Token, at: usize) -> Vec<Vec<u8>> {
    let [segment, _] = segments(ends, token);
    let (head, tail) = segment.split_at(at);
    let offset = u16::try_from(at / 8).unwrap_or_default();
    vec![fragment4(ends, head, MORE), fragment4(ends, tail, offset)]
}

/// The place is the offset in bytes, a multiple of eight, with 1 for "more follow" (RFC 8200 section 4.5).
fn fragment6(ends: &Ends, part: &[u8], place: u16) -> Vec<u8> {
    let header = [&[TCP, 0][..], &place.to_be_bytes(), &[0, 0, 0x48, 0x65]].concat();
    ends.v6(FRAGMENT, &[&header[..], part].concat())
}

fn optional(ends: &Ends, options: &[u8], token: Token) -> Vec<u8> {
    let header = Ipv4 { options, ..Ipv4::plain(ends.from.ipv4, ends.to.ipv4, TCP) };
    ends.v4_with(&header, &segments(ends, token)[0])
}

/// An extension header, without its first byte which says what follows, before the attempt.
fn extended(ends: &Ends, header: u8, rest: &[u8], token: Token) -> Vec<u8> {
    ends.v6(header, &[&[TCP][..], rest, &segments(ends, token)[1]].concat())
}

fn tagged(ends: &Ends, tags: &[u8], token: Token) -> Vec<Vec<u8>> {
    let frame = ends.v4(TCP, &segments(ends, token)[0]);
    let (macs, rest) = frame.split_at(12);
    vec![[macs, tags, rest].concat()]
}
