//! Flows between two namespaces, listed and forgotten.

use crate::rooted::lab::Namespace;
use netlink::conntrack::Conntrack;
use netlink::conntrack::Entry;
use netlink::conntrack::Transport;
use netlink::nft::field::*;
use netlink::nft::*;
use std::io::Read;
use std::io::Write;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::net::UdpSocket;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// `near` follows flows, marks them, and sends port 7000 to port 7001; `far` answers.
struct Lab {
    near: Namespace,
    far: Namespace,
}

impl Lab {
    fn new() -> Self {
        let lab = Self { near: Namespace::new(), far: Namespace::new() };
        lab.near.ip(&format!("link add eth0 type veth peer name eth0 netns {}", lab.far.name));
        for (namespace, number) in [(&lab.near, 1), (&lab.far, 2)] {
            namespace.ip(&format!("addr add 192.0.2.{number}/24 dev eth0"));
            namespace.ip(&format!("addr add fd00::{number}/64 dev eth0 nodad"));
            namespace.ip("link set eth0 up");
        }
        let mut table = Table::new(Family::Inet, name("hearth"));
        let base = |kind| Base { kind, hook: Hook::Output, priority: 0, policy: Policy::Accept };
        let mark = Rule::new()
            .when(CT_STATE.has_any(CtState::NEW))
            .then(Statement::SetCtMark(MarkSource::Value(Mark(0x77))));
        let redirect = Rule::new()
            .when(OIFNAME.is(InterfaceName::new("eth0").unwrap()))
            .when(TCP_DPORT.is(7000))
            .then(Statement::Nat(Nat {
                end: NatEnd::Destination,
                target: NatTarget::Ipv4([192, 0, 2, 2].into(), Some(7001)),
            }));
        table.chains.push(Chain::base(name("mark"), base(ChainKind::Filter), [mark]));
        table.chains.push(Chain::base(name("redirect"), base(ChainKind::Nat), [redirect]));
        let ruleset = Ruleset { tables: vec![table] };
        lab.near.inside(|| Firewall::open().unwrap().replace(&ruleset)).unwrap();
        lab
    }

    /// Sends one datagram there and back.
    fn udp(&self, address: &str) -> (UdpSocket, SocketAddr) {
        let server = self.far.inside(|| UdpSocket::bind((address, 0)).unwrap());
        let there = server.local_addr().unwrap();
        let any = if there.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let client = self.near.inside(|| UdpSocket::bind(any).unwrap());
        client.connect(there).unwrap();
        let mut buffer = [0; 16];
        client.send(b"ask").unwrap();
        let (_, from) = server.recv_from(&mut buffer).unwrap();
        server.send_to(b"tell", from).unwrap();
        assert_eq!(client.recv(&mut buffer).unwrap(), 4);
        (client, there)
    }
}

fn is_to(entry: &Entry, there: SocketAddr) -> bool {
    let Transport::Ports { destination, .. } = entry.original.transport else { return false };
    entry.original.destination == there.ip() && destination == there.port()
}

#[test]
fn flows_are_listed_and_forgotten() {
    let lab = Lab::new();
    let (four, there_four) = lab.udp("192.0.2.2");
    let (_six, there_six) = lab.udp("fd00::2");
    let listener = lab.far.inside(|| TcpListener::bind("192.0.2.2:7001").unwrap());
    let mut stream = lab.near.inside(|| TcpStream::connect("192.0.2.2:7000").unwrap());
    let (mut accepted, _) = listener.accept().unwrap();
    stream.write_all(b"x").unwrap();
    accepted.read_exact(&mut [0]).unwrap();

    lab.near.inside(|| {
        let mut conntrack = Conntrack::open().unwrap();
        let entries = conntrack.entries().unwrap();
        let find = |there: SocketAddr| entries.iter().find(|entry| is_to(entry, there)).unwrap();

        let entry = find(there_four);
        assert_eq!(entry.original.protocol, Protocol::UDP);
        assert_eq!(entry.original.source, IpAddr::from([192, 0, 2, 1]));
        let source = four.local_addr().unwrap().port();
        assert_eq!(entry.original.transport, Transport::Ports { source, destination: there_four.port() });
        assert_eq!(
            entry.reply.transport,
            Transport::Ports { source: there_four.port(), destination: source }
        );
        assert_eq!((entry.mark, entry.zone), (Mark(0x77), 0));
        assert!(entry.status.contains(CtStatus::SEEN_REPLY | CtStatus::CONFIRMED));
        assert!(!entry.status.contains(CtStatus::DNAT));
        assert!(entry.timeout.is_some());
        assert!(find(there_six).original.source.is_ipv6());

        let entry = find("192.0.2.2:7000".parse().unwrap());
        assert_eq!(entry.original.protocol, Protocol::TCP);
        assert!(matches!(entry.reply.transport, Transport::Ports { source: 7001, .. }));
        assert!(entry.status.contains(CtStatus::DNAT | CtStatus::ASSURED));

        // One, by its tuple and number: of another number it is another flow.
        let other = Entry { id: find(there_four).id ^ 1, ..find(there_four).clone() };
        assert!(!conntrack.delete(&other).unwrap());
        assert!(conntrack.delete(find(there_four)).unwrap());
        assert!(!conntrack.delete(find(there_four)).unwrap());
        let left = conntrack.entries().unwrap();
        assert!(!left.iter().any(|entry| is_to(entry, there_four)));
        assert!(left.iter().any(|entry| is_to(entry, there_six)));

        assert_eq!(conntrack.delete_where(|entry| is_to(entry, there_six)).unwrap(), 1);
        assert_eq!(conntrack.delete_where(|entry| is_to(entry, there_six)).unwrap(), 0);
        assert!(conntrack.delete_where(|_| true).unwrap() >= 1);
        assert!(!conntrack.entries().unwrap().iter().any(|entry| entry.original.protocol == Protocol::TCP));
    });
}

/// Sends a question that may be answered or not: the flow is there from its first packet on.
fn ping(there: SocketAddr, protocol: rustix::net::Protocol, message: &[u8]) {
    let family =
        if there.is_ipv4() { rustix::net::AddressFamily::INET } else { rustix::net::AddressFamily::INET6 };
    let socket = rustix::net::socket(family, rustix::net::SocketType::RAW, Some(protocol)).unwrap();
    let sent = rustix::net::sendto(&socket, message, rustix::net::SendFlags::empty(), &there).unwrap();
    assert_eq!(sent, message.len());
}

#[test]
fn pings_and_zones_are_flows_too() {
    let lab = Lab::new();
    lab.near.nft("-f -", "table inet zones {\n chain c {\n type filter hook output priority -300\n udp dport 9 ct zone set 5\n }\n}\n");
    lab.near.inside(|| {
        ping("192.0.2.2:0".parse().unwrap(), rustix::net::ipproto::ICMP, &[8, 0, 0xf7, 0xfd, 0, 1, 0, 1]);
        // The kernel fills in the checksum of ICMPv6.
        ping("[fd00::2]:0".parse().unwrap(), rustix::net::ipproto::ICMPV6, &[128, 0, 0, 0, 0, 1, 0, 1]);
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.send_to(b"x", "192.0.2.2:9").unwrap();
        let mut conntrack = Conntrack::open().unwrap();
        let entries = conntrack.entries().unwrap();
        let echo = |kind: u8| {
            let is_it = |entry: &&Entry| matches!(entry.original.transport, Transport::Echo { kind: found, .. } if found == kind);
            entries.iter().find(is_it).unwrap()
        };
        assert_eq!(echo(8).original.protocol, Protocol::ICMP);
        assert_eq!(echo(128).original.protocol, Protocol::ICMPV6);
        let zoned = entries.iter().find(|entry| is_to(entry, "192.0.2.2:9".parse().unwrap())).unwrap();
        assert_eq!(zoned.zone, 5);
        for entry in [echo(8), echo(128), zoned] {
            assert!(conntrack.delete(entry).unwrap(), "{entry:?}");
        }
    });
}
