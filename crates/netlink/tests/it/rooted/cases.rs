//! Every expression, set, map and chain, each judged by nft(8).

use crate::rooted::judge::Judge;
use netlink::nft::field::*;
use netlink::nft::*;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::time::Duration;

mod containers;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn interface(text: &str) -> InterfaceName {
    InterfaceName::new(text).unwrap()
}

fn v4(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

fn v6(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

fn base(kind: ChainKind, hook: Hook, priority: i32) -> Base {
    Base { kind, hook, priority, policy: Policy::Accept }
}

/// A table with one base chain, another chain to go to, and these sets.
fn table(family: Family, base: Base, sets: Vec<Set>, rules: Vec<Rule>) -> Ruleset {
    let mut table = Table::new(family, name("hearth"));
    table.sets = sets;
    table.chains.push(Chain::new(name("elsewhere"), []));
    table.chains.push(Chain::base(name("here"), base, rules));
    Ruleset { tables: vec![table] }
}

fn inet(rules: Vec<Rule>) -> Ruleset {
    table(Family::Inet, base(ChainKind::Filter, Hook::Prerouting, -150), vec![], rules)
}

fn each(tests: impl IntoIterator<Item = Match>) -> Vec<Rule> {
    tests.into_iter().map(|test| Rule::new().when(test).count()).collect()
}

fn nat(end: NatEnd, target: NatTarget) -> Statement {
    Statement::Nat(Nat { end, target })
}

const LIMIT: Limit = Limit { rate: 5, per: Per::Second, burst: 7, over: false };

#[test]
fn meta_and_ct() {
    let judge = Judge::new();
    judge.compare(
        "meta",
        &inet(each([
            IIFNAME.is(interface("eth0")),
            IIFNAME.is_not(interface("fifteencharsabc")),
            IIFNAME.is_one_of([interface("eth0"), interface("eth1")]),
            IIFNAME.starts_with("app-"),
            IIFTYPE.is(LinkType::ETHER),
            IIFTYPE.is_one_of([LinkType::ETHER, LinkType::LOOPBACK]),
            L4PROTO.is(Protocol::TCP),
            L4PROTO.is_not(Protocol(132)),
            L4PROTO.is_one_of([Protocol::TCP, Protocol::UDP]),
            NFPROTO.is(NfFamily::IPV4),
            NFPROTO.is_not(NfFamily::IPV6),
            META_MARK.is(Mark(0x1234)),
            META_MARK.is_between(Mark(0x100), Mark(0x1ff)),
            META_MARK.is_not_between(Mark(0x100), Mark(0x1ff)),
            META_MARK.masked(Mark(0xff00), Mark(0x1200)),
            META_MARK.has_any(Mark(0xf0)),
            META_MARK.has_none(Mark(0xf0)),
            META_MARK.is_one_of([Mark(1), Mark(2)]),
            META_MARK.is_within([Span::between(Mark(1), Mark(0x200)).unwrap(), Mark(0x1000).into()]),
            PKTTYPE.is(PacketType::BROADCAST),
            PKTTYPE.is_one_of([PacketType::MULTICAST, PacketType::OTHER]),
        ])),
    );
    judge.compare(
        "output",
        &table(
            Family::Inet,
            base(ChainKind::Route, Hook::Output, -150),
            vec![],
            each([
                OIFNAME.is(interface("eth0")),
                OIFNAME.starts_with("eth"),
                SKUID.is(Uid(64_901)),
                SKUID.is_not(Uid(64_902)),
                SKUID.is_one_of([Uid(64_901), Uid(64_902)]),
            ]),
        ),
    );
    judge.compare(
        "ct",
        &inet(each([
            CT_STATE.has_any(CtState::ESTABLISHED | CtState::RELATED),
            CT_STATE.has_any(CtState::INVALID),
            CT_STATE.has_any(CtState::NEW | CtState::UNTRACKED),
            CT_STATE.has_none(CtState::NEW),
            CT_MARK.is(Mark(5)),
            CT_MARK.masked(Mark(0xf), Mark(3)),
            CT_DIRECTION.is(Direction::ORIGINAL),
            CT_DIRECTION.is(Direction::REPLY),
            CT_STATUS.has_any(CtStatus::DNAT),
            CT_STATUS.has_any(CtStatus::SNAT | CtStatus::ASSURED),
            CT_STATUS.has_none(CtStatus::SEEN_REPLY),
        ])),
    );
}

#[test]
fn headers() {
    let judge = Judge::new();
    let span = |first: u16, last: u16| Span::between(first, last).unwrap();
    judge.compare(
        "addresses",
        &inet(each([
            IP_SADDR.is(v4("192.0.2.1")),
            IP_DADDR.is_not(v4("192.0.2.1")),
            IP_SADDR.is_in_network(v4("10.0.0.0"), 8),
            IP_SADDR.is_not_in_network(v4("172.16.0.0"), 12),
            IP_DADDR.is_in_network(v4("192.168.1.0"), 24),
            IP_DADDR.is_in_network(v4("0.0.0.0"), 0),
            IP_DADDR.is_in_network(v4("128.0.0.0"), 1),
            IP_DADDR.is_between(v4("192.0.2.3"), v4("192.0.2.9")),
            IP_DADDR.is_not_between(v4("192.0.2.3"), v4("192.0.2.9")),
            IP_DADDR.is_one_of([v4("192.0.2.3"), v4("192.0.2.9")]),
            IP_DADDR.is_none_of([v4("192.0.2.3"), v4("192.0.2.9")]),
            IP_SADDR.is_within([
                Span::network(v4("10.0.0.0"), 8).unwrap(),
                Span::network(v4("192.168.0.0"), 16).unwrap(),
                Span::between(v4("192.0.2.3"), v4("192.0.2.9")).unwrap(),
                v4("255.255.255.255").into(),
            ]),
            IP6_SADDR.is(v6("2001:db8::1")),
            IP6_DADDR.is_in_network(v6("fe80::"), 10),
            IP6_DADDR.is_in_network(v6("fd00::"), 8),
            IP6_DADDR.is_not_in_network(v6("2001:db8::"), 32),
            IP6_DADDR.is_between(v6("fd00::1"), v6("fd00::ffff")),
            IP6_SADDR.is_not_within([
                Span::network(v6("ff00::"), 8).unwrap(),
                Span::network(v6("fe80::"), 10).unwrap(),
            ]),
        ])),
    );
    judge.compare(
        "ports and types",
        &inet(each([
            TCP_DPORT.is(443),
            TCP_SPORT.is_not(22),
            UDP_DPORT.is_between(33434, 33500),
            UDP_SPORT.is_not_between(0, 1023),
            TCP_DPORT.is_one_of([80, 443, 80]),
            TCP_DPORT.is_one_of([80]),
            TCP_DPORT.is_within([span(22, 22), span(80, 90), span(85, 95), span(96, 99), span(60000, 65535)]),
            TCP_DPORT.is_not_within([span(0, 1023), span(8080, 8080)]),
            ICMP_TYPE.is(IcmpType::ECHO_REQUEST),
            ICMP_TYPE.is_one_of([
                IcmpType::DESTINATION_UNREACHABLE,
                IcmpType::TIME_EXCEEDED,
                IcmpType::PARAMETER_PROBLEM,
            ]),
            ICMPV6_TYPE.is(Icmpv6Type::ROUTER_ADVERTISEMENT),
            ICMPV6_TYPE.is_one_of([
                Icmpv6Type::DESTINATION_UNREACHABLE,
                Icmpv6Type::PACKET_TOO_BIG,
                Icmpv6Type::TIME_EXCEEDED,
                Icmpv6Type::PARAMETER_PROBLEM,
                Icmpv6Type::ECHO_REQUEST,
                Icmpv6Type::ECHO_REPLY,
                Icmpv6Type::LISTENER_QUERY,
                Icmpv6Type::LISTENER_REPORT,
                Icmpv6Type::LISTENER_DONE,
                Icmpv6Type::ROUTER_SOLICITATION,
                Icmpv6Type::NEIGHBOR_SOLICITATION,
                Icmpv6Type::NEIGHBOR_ADVERTISEMENT,
                Icmpv6Type::REDIRECT,
                Icmpv6Type::LISTENER_REPORT_V2,
            ]),
            ETHER_SADDR.is(EtherAddr([2, 0, 0, 0, 0, 1])),
            ETHER_SADDR.is_one_of([EtherAddr([2, 0, 0, 0, 0, 1]), EtherAddr([2, 0, 0, 0, 0, 2])]),
            IP_HDRLENGTH.is_not(Number8(5)),
            IP_FRAG_OFF.masked(Number16(0x1fff), Number16(0)),
            IP_FRAG_OFF.has_any(Number16(0x1fff)),
            IP_FRAG_OFF.has_any(Number16(0x3fff)),
            IP6_NEXTHDR.is(Protocol::ICMPV6),
        ])),
    );
    judge.compare(
        "extension headers and routing",
        &inet(each([
            Match::has(Header::Fragment),
            Match::lacks(Header::Fragment),
            Match::has(Header::HopByHop),
            Match::has(Header::Destination),
            Match::has(Header::Routing),
            Match::has(Header::LooseSourceRoute),
            Match::has(Header::StrictSourceRoute),
            Match::has(Header::RecordRoute),
            Match::lacks(Header::RouterAlert),
            Match::reverse_path_is_missing(),
            Match::reverse_path_is_there(),
            FIB_DADDR_TYPE.is(AddressType::LOCAL),
            FIB_DADDR_TYPE.is_one_of([AddressType::BROADCAST, AddressType::MULTICAST, AddressType::ANYCAST]),
            FIB_DADDR_IIF_TYPE.is_not(AddressType::LOCAL),
            FIB_DADDR_IIF_TYPE.is_none_of([AddressType::LOCAL, AddressType::UNICAST]),
        ])),
    );
}

#[test]
fn what_is_compared_once_is_not_compared_again() {
    let judge = Judge::new();
    let rule = Rule::new;
    judge.compare_meaning(
        "dependencies",
        &inet(vec![
            rule()
                .when(IP_SADDR.is(v4("192.0.2.1")))
                .when(IP_DADDR.is(v4("192.0.2.2")))
                .when(TCP_SPORT.is(1))
                .when(TCP_DPORT.is(2)),
            rule().when(NFPROTO.is(NfFamily::IPV4)).when(ICMP_TYPE.is(IcmpType::ECHO_REQUEST)),
            rule()
                .when(NFPROTO.is(NfFamily::IPV6))
                .when(UDP_DPORT.is(546))
                .when(IP6_SADDR.is_in_network(v6("fe80::"), 10)),
            rule().when(L4PROTO.is_one_of([Protocol::TCP, Protocol::UDP])).when(TH_DPORT.is(53)),
            rule()
                .when(L4PROTO.is(Protocol::UDP))
                .when(TH_SPORT.is_between(1, 1023))
                .when(TH_DPORT.is_one_of([53, 123])),
            rule()
                .when(UDP_SPORT.is(53))
                .when(ETHER_SADDR.is(EtherAddr([2, 0, 0, 0, 0, 1])))
                .when(IIFTYPE.is(LinkType::ETHER)),
        ]),
    );
}

#[test]
fn statements() {
    let judge = Judge::new();
    let rule = Rule::new;
    let tcp = || rule().when(TCP_DPORT.is(1));
    let log = |prefix: Option<&str>, group| Statement::Log {
        prefix: prefix.map(|text| LogPrefix::new(text).unwrap()),
        group,
    };
    judge.compare(
        "statements",
        &inet(vec![
            rule()
                .then(Statement::Counter { packets: 12, bytes: u64::from(u32::MAX) + 5 })
                .comment(Comment::new("counts on").unwrap()),
            rule().then(Verdict::Accept),
            rule()
                .when(L4PROTO.is(Protocol(99)))
                .then(Verdict::Drop)
                .comment(Comment::new(&"x".repeat(127)).unwrap()),
            tcp().then(Verdict::Return),
            tcp().then(Verdict::Jump(name("elsewhere"))),
            tcp().then(Verdict::Goto(name("elsewhere"))),
            rule().then(LIMIT).count().then(Verdict::Accept),
            rule().then(Limit { per: Per::Minute, burst: 5, ..LIMIT }),
            rule().then(Limit { per: Per::Hour, over: true, ..LIMIT }).then(Verdict::Drop),
            rule().then(Limit { per: Per::Day, ..LIMIT }),
            rule().then(log(None, None)),
            rule().then(log(Some("hearth drop: "), None)),
            rule().then(log(Some("hearth: "), Some(7))),
            rule().then(log(None, Some(65535))),
            rule().then(Statement::SetMark(MarkSource::Value(Mark(0x10)))),
            rule().then(Statement::SetMark(MarkSource::Other)),
            rule().then(Statement::SetMark(MarkSource::Replace { mask: Mark(0xff), value: Mark(0x123) })),
            rule().then(Statement::SetCtMark(MarkSource::Value(Mark(0x10)))),
            rule().then(Statement::SetCtMark(MarkSource::Other)),
            rule().then(Statement::SetCtMark(MarkSource::Replace {
                mask: Mark(0xff00_0000),
                value: Mark(0x1100_0000),
            })),
        ]),
    );
    judge.compare(
        "notrack",
        &table(
            Family::Inet,
            base(ChainKind::Filter, Hook::Prerouting, -300),
            vec![],
            vec![rule().when(IIFNAME.is(interface("lo"))).then(Statement::NoTrack)],
        ),
    );
    let kinds = [Reject::PortUnreachable, Reject::AdminProhibited, Reject::HostUnreachable, Reject::NoRoute];
    for family in [Family::Inet, Family::Ip, Family::Ip6] {
        let mut rules: Vec<Rule> =
            kinds.iter().map(|kind| rule().when(IIFNAME.is(interface("lo"))).then(*kind)).collect();
        // nft(8) puts what a reset needs first.
        rules.push(rule().then(Reject::TcpReset));
        rules.push(tcp().then(Reject::TcpReset));
        rules.push(rule().when(UDP_DPORT.is(1)).then(Reject::PortUnreachable));
        judge.compare("reject", &table(family, base(ChainKind::Filter, Hook::Input, 0), vec![], rules));
    }
    let one_family = vec![
        rule().when(NFPROTO.is(NfFamily::IPV4)).then(Reject::PortUnreachable),
        rule().when(IP6_SADDR.is(v6("fd00::1"))).then(Reject::AdminProhibited),
    ];
    judge.compare(
        "reject of one family",
        &table(Family::Inet, base(ChainKind::Filter, Hook::Input, 0), vec![], one_family),
    );
}

#[test]
fn rewriting_addresses() {
    let judge = Judge::new();
    let rule = Rule::new;
    let maps = || {
        let port = |port: u16| Element::new(port);
        vec![
            Set::map(name("to4"), [Kind::Service], [Kind::Ipv4Addr]).elements([
                port(80).values([v4("192.0.2.1").into()]),
                port(81).values([v4("192.0.2.2").into()]),
            ]),
            Set::map(name("to4port"), [Kind::Service], [Kind::Ipv4Addr, Kind::Service])
                .elements([port(80).values([v4("192.0.2.1").into(), 8080.into()])]),
            Set::map(name("to6port"), [Kind::Service], [Kind::Ipv6Addr, Kind::Service])
                .elements([port(80).values([v6("fd00::1").into(), 8080.into()])]),
            Set::map(name("both"), [Kind::Protocol, Kind::Service], [Kind::Ipv4Addr, Kind::Service])
                .elements([
                    Element::concatenated([Protocol::TCP.into(), 80.into()])
                        .values([v4("192.0.2.1").into(), 8080.into()]),
                    Element::concatenated([Protocol::UDP.into(), 53.into()])
                        .values([v4("192.0.2.1").into(), 5353.into()]),
                ]),
        ]
    };
    let map = |key: &[Field], map: &str| NatTarget::Map { key: key.to_vec(), map: name(map) };
    judge.compare(
        "dnat",
        &table(
            Family::Inet,
            base(ChainKind::Nat, Hook::Prerouting, -100),
            maps(),
            vec![
                rule().then(nat(NatEnd::Destination, NatTarget::Ipv4(v4("192.0.2.1"), None))),
                rule()
                    .when(TCP_DPORT.is(80))
                    .then(nat(NatEnd::Destination, NatTarget::Ipv4(v4("192.0.2.1"), Some(8080)))),
                rule()
                    .when(IP_DADDR.is(v4("192.0.2.9")))
                    .when(TCP_DPORT.is(80))
                    .then(nat(NatEnd::Destination, NatTarget::Ipv4(v4("192.0.2.1"), Some(8080)))),
                rule().then(nat(NatEnd::Destination, NatTarget::Ipv6(v6("fd00::1"), None))),
                rule()
                    .when(TCP_DPORT.is(80))
                    .then(nat(NatEnd::Destination, NatTarget::Ipv6(v6("fd00::1"), Some(8080)))),
                rule().then(nat(NatEnd::Destination, map(&[TCP_DPORT.into()], "to4"))),
                rule().then(nat(NatEnd::Destination, map(&[TCP_DPORT.into()], "to4port"))),
                rule().then(nat(NatEnd::Destination, map(&[UDP_DPORT.into()], "to6port"))),
                rule()
                    .when(L4PROTO.is_one_of([Protocol::TCP, Protocol::UDP]))
                    .then(nat(NatEnd::Destination, map(&[L4PROTO.into(), TH_DPORT.into()], "both"))),
                rule().then(Statement::Redirect { port: None }),
                rule().when(UDP_DPORT.is(53)).then(Statement::Redirect { port: Some(5353) }),
                rule()
                    .when(L4PROTO.is_one_of([Protocol::TCP, Protocol::UDP]))
                    .when(TH_DPORT.is(53))
                    .then(Statement::Redirect { port: Some(53) }),
            ],
        ),
    );
    for family in [Family::Inet, Family::Ip, Family::Ip6] {
        let mut rules = vec![rule().when(OIFNAME.is(interface("eth0"))).then(Statement::Masquerade)];
        if family != Family::Ip6 {
            rules.push(rule().then(nat(NatEnd::Source, NatTarget::Ipv4(v4("192.0.2.1"), None))));
            rules.push(
                rule()
                    .when(UDP_SPORT.is(1))
                    .then(nat(NatEnd::Source, NatTarget::Ipv4(v4("192.0.2.1"), Some(2)))),
            );
        }
        if family != Family::Ip {
            rules.push(rule().then(nat(NatEnd::Source, NatTarget::Ipv6(v6("fd00::1"), None))));
        }
        judge.compare("snat", &table(family, base(ChainKind::Nat, Hook::Postrouting, 100), vec![], rules));
    }
}
