//! Names: questions of clients, answers of upstreams, and everybody on the home network.

use super::ignore;
use super::messages;
use crate::Target;
use mdns::Arrival;
use mdns::Ask;
use mdns::LinkAddress;
use mdns::LinkAddresses;
use mdns::Node;
use mdns::Service;
use mdns::Wanted;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::time::Duration;
use std::time::Instant;

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "dns-question",
        source: "apps, and the home network when it may ask",
        longest: 1024,
        run: |bytes| ignore(resolver::fuzzing::question(bytes)),
    },
    Target {
        name: "dns-answer",
        source: "an upstream, behind its certificate",
        longest: 2048,
        run: |bytes| {
            let mut parts = messages(bytes);
            let question = parts.next().unwrap_or_default();
            ignore(resolver::fuzzing::answer(question, bytes.get(question.len() + 1..).unwrap_or_default()));
        },
    },
    Target {
        name: "mdns-packet",
        source: "anybody on the home network",
        longest: 2048,
        run: |bytes| {
            if let Ok(packet) = mdns::packet::decode(bytes) {
                ignore(packet.encode());
            }
        },
    },
    Target {
        name: "mdns-node",
        source: "the same, packet after packet at a box that has a name and asks for one",
        longest: 2048,
        run: play,
    },
];

const LINK: u32 = 2;
/// Packets that one packet may cause, with all that fell due meanwhile: far more, and the box could be made to flood the network.
const MOST_ANSWERS: usize = 64;

fn play(bytes: &[u8]) {
    let mut now = Instant::now();
    let mut node = Node::new(1);
    let address = LinkAddress { address: Ipv4Addr::new(192, 0, 2, 2).into(), prefix: 24 };
    node.set_links(
        now,
        vec![LinkAddresses { index: LINK, name: "eth0".to_owned(), addresses: vec![address] }],
    );
    let service = Service { kind: "_https._tcp", port: 443, txt: vec!["path=/".to_owned()] };
    let Ok(host) = "hearth".parse() else { return };
    node.want(now, Wanted { host, extra_hosts: Vec::new(), services: vec![service] });
    if let Ok(name) = mdns::Name::from_ascii("printer.local.") {
        ignore(node.ask(
            now,
            Ask { id: 1, name, record_type: mdns::RecordType::A, timeout: Duration::from_secs(5) },
        ));
    }
    for packet in messages(bytes) {
        let Some((how, packet)) = packet.split_first() else { continue };
        let source = SocketAddr::from((Ipv4Addr::new(192, 0, 2, how >> 1), 5353));
        node.receive(now, &Arrival { link: LINK, source, was_multicast: how & 1 == 0 }, packet);
        now += Duration::from_millis(300);
        node.elapse(now);
        let sent = node.take_transmits().len();
        assert!(sent <= MOST_ANSWERS, "one packet caused {sent}");
        ignore(node.take_answers());
    }
    let name = node.announced().name;
    assert!(name.starts_with("hearth"), "the box calls itself {name}");
}
