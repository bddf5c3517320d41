//! Chains, sets and maps.

use super::*;

#[test]
fn chains_of_all_families() {
    let judge = Judge::new();
    let hooks = [Hook::Prerouting, Hook::Input, Hook::Forward, Hook::Output, Hook::Postrouting];
    for family in [Family::Inet, Family::Ip, Family::Ip6] {
        let mut table = Table::new(family, name("all-hooks"));
        for (index, hook) in hooks.iter().enumerate() {
            let policy = if index % 2 == 0 { Policy::Drop } else { Policy::Accept };
            let priority = [-300, -150, 0, 7, i32::MAX][index];
            let base = Base { kind: ChainKind::Filter, hook: hook.clone(), priority, policy };
            table.chains.push(Chain::base(name(&format!("c{index}")), base, [Rule::new().count()]));
        }
        judge.compare("hooks", &Ruleset { tables: vec![table] });
    }
    let devices = vec![interface("eth0"), interface("eth1")];
    let early = |hook| base(ChainKind::Filter, hook, -500);
    let rules = || {
        each([
            IP_SADDR.is_in_network(v4("10.0.0.0"), 8),
            IP_FRAG_OFF.has_any(Number16(0x1fff)),
            IP6_SADDR.is(v6("fd00::1")),
            TCP_DPORT.is(80),
            ICMP_TYPE.is(IcmpType::ECHO_REQUEST),
            ETHER_SADDR.is(EtherAddr([2, 0, 0, 0, 0, 1])),
            ARP_OPERATION.is(ArpOperation::REQUEST),
            ARP_SADDR_IP.is_in_network(v4("192.0.2.0"), 24),
            FIB_DADDR_IIF_TYPE.is_not(AddressType::LOCAL),
            PKTTYPE.is(PacketType::BROADCAST),
            Match::has(Header::Fragment),
        ])
    };
    judge.compare(
        "netdev",
        &table(Family::Netdev, early(Hook::Ingress(vec![interface("eth0")])), vec![], rules()),
    );
    judge.compare(
        "two devices",
        &table(Family::Netdev, early(Hook::Ingress(devices.clone())), vec![], vec![]),
    );
    judge.compare(
        "egress",
        &table(Family::Netdev, early(Hook::Egress(vec![interface("eth1")])), vec![], vec![]),
    );
    judge.compare(
        "inet ingress",
        &table(Family::Inet, early(Hook::Ingress(vec![interface("eth0")])), vec![], each([TCP_DPORT.is(1)])),
    );
    judge.compare(
        "arp",
        &table(
            Family::Arp,
            base(ChainKind::Filter, Hook::Input, 0),
            vec![],
            each([
                ARP_OPERATION.is(ArpOperation::REQUEST),
                ARP_OPERATION.is_one_of([ArpOperation::REQUEST, ArpOperation::REPLY]),
                ARP_SADDR_IP.is(v4("192.0.2.1")),
                ARP_SADDR_ETHER.is(EtherAddr([2, 0, 0, 0, 0, 1])),
                ETHER_SADDR.is(EtherAddr([2, 0, 0, 0, 0, 1])),
                IIFNAME.is(interface("eth0")),
            ]),
        ),
    );
    let mut several = inet(vec![]);
    several.tables.push(Table::new(Family::Ip, name("hearth")));
    several.tables.push(Table::new(Family::Inet, name("empty")));
    judge.compare("several tables", &several);
}

#[test]
fn named_sets_and_maps() {
    let judge = Judge::new();
    let hour = Duration::from_secs(3600);
    let net = |text: &str, prefix| Span::network(v4(text), prefix).unwrap();
    let net6 = |text: &str, prefix| Span::network(v6(text), prefix).unwrap();
    let ports = |first: u16, last: u16| Span::between(first, last).unwrap();
    let plain: Vec<Set> = vec![
        Set::new(name("v4"), [Kind::Ipv4Addr]).elements([v4("192.0.2.1"), v4("192.0.2.2")].map(Element::new)),
        Set::new(name("v6"), [Kind::Ipv6Addr]).elements([Element::new(v6("fd00::1"))]),
        Set::new(name("ethers"), [Kind::EtherAddr]).elements([Element::new(EtherAddr([2, 0, 0, 0, 0, 1]))]),
        Set::new(name("protocols"), [Kind::Protocol])
            .elements([Protocol::TCP, Protocol(132)].map(Element::new)),
        Set::new(name("ports"), [Kind::Service]).elements([22, 443].map(Element::new)),
        Set::new(name("links"), [Kind::InterfaceName]).elements([Element::new(interface("eth0"))]),
        Set::new(name("marks"), [Kind::Mark]).elements([Element::new(Mark(0x10))]),
        Set::new(name("nothing"), [Kind::Ipv4Addr]).size(100),
        Set::new(name("pairs"), [Kind::Ipv4Addr, Kind::Service])
            .elements([Element::concatenated([v4("192.0.2.1").into(), 80.into()])]),
        Set::new(name("wide"), [Kind::InterfaceName, Kind::Ipv6Addr, Kind::Protocol, Kind::Service])
            .elements([Element::concatenated([
                interface("eth0").into(),
                v6("fd00::1").into(),
                Protocol::TCP.into(),
                80.into(),
            ])]),
    ];
    let looked_up = [
        IP_SADDR.is_in(&name("v4")),
        IP_DADDR.is_not_in(&name("v4")),
        IP6_SADDR.is_in(&name("v6")),
        ETHER_SADDR.is_in(&name("ethers")),
        L4PROTO.is_in(&name("protocols")),
        TCP_DPORT.is_in(&name("ports")),
        IIFNAME.is_in(&name("links")),
        META_MARK.is_in(&name("marks")),
        CT_MARK.is_in(&name("marks")),
        concat([IP_SADDR.into(), TCP_DPORT.into()]).are_in(&name("pairs")),
        concat([IP_SADDR.into(), UDP_DPORT.into()]).are_not_in(&name("pairs")),
        concat([IIFNAME.into(), IP6_DADDR.into(), L4PROTO.into(), TCP_DPORT.into()]).are_in(&name("wide")),
        concat([IP_SADDR.into(), TCP_DPORT.into()])
            .are_within([vec![v4("192.0.2.1").into(), 80.into()], vec![v4("192.0.2.2").into(), 81.into()]]),
        concat([IP_SADDR.into(), TCP_DPORT.into()])
            .are_within([vec![net("10.0.0.0", 8), ports(80, 90)], vec![v4("192.0.2.2").into(), 81.into()]]),
    ];
    let filter = || base(ChainKind::Filter, Hook::Prerouting, -150);
    judge.compare("sets", &table(Family::Inet, filter(), plain, each(looked_up)));

    let intervals: Vec<Set> = vec![
        Set::new(name("v4"), [Kind::Ipv4Addr]).interval().elements(
            [
                net("10.0.0.0", 8),
                net("10.1.0.0", 16),
                net("11.0.0.0", 8),
                net("0.0.0.0", 8),
                net("255.255.255.0", 24),
                v4("192.0.2.1").into(),
            ]
            .map(Element::new),
        ),
        Set::new(name("everything"), [Kind::Ipv4Addr]).interval().elements([Element::new(net("0.0.0.0", 0))]),
        Set::new(name("v6"), [Kind::Ipv6Addr])
            .interval()
            .elements([net6("fd00::", 8), net6("fe80::", 10)].map(Element::new)),
        Set::new(name("ports"), [Kind::Service])
            .interval()
            .elements([ports(0, 21), ports(23, 1023), ports(8080, 65535)].map(Element::new)),
        Set::new(name("marks"), [Kind::Mark])
            .interval()
            .elements([Element::new(Span::between(Mark(0x100), Mark(0x1ff)).unwrap())]),
        Set::new(name("timed"), [Kind::Ipv4Addr])
            .interval()
            .timeout(Timeout::PerElement)
            .elements([Element::new(net("10.0.0.0", 8)).timeout(hour), Element::new(net("11.0.0.0", 8))]),
        Set::new(name("pairs"), [Kind::Ipv4Addr, Kind::Service]).interval().elements([
            Element::concatenated([net("10.0.0.0", 8), ports(1, 1023)]),
            Element::concatenated([v4("192.0.2.1").into(), 443.into()]),
            Element::concatenated([Span::between(v4("192.0.2.3"), v4("192.0.2.9")).unwrap(), 443.into()]),
        ]),
        Set::new(name("wide"), [Kind::InterfaceName, Kind::Ipv6Addr, Kind::Service])
            .interval()
            .timeout(Timeout::PerElement)
            .elements([Element::concatenated([interface("eth0").into(), net6("fd00::", 8), ports(1, 2)])
                .timeout(hour)]),
    ];
    let looked_up = [
        IP_SADDR.is_in(&name("v4")),
        IP_SADDR.is_in(&name("everything")),
        IP_SADDR.is_not_in(&name("timed")),
        IP6_SADDR.is_in(&name("v6")),
        UDP_DPORT.is_in(&name("ports")),
        META_MARK.is_in(&name("marks")),
        concat([IP_SADDR.into(), TCP_DPORT.into()]).are_in(&name("pairs")),
        concat([IIFNAME.into(), IP6_DADDR.into(), UDP_DPORT.into()]).are_in(&name("wide")),
    ];
    judge.compare("intervals", &table(Family::Inet, filter(), intervals, each(looked_up)));

    let timed: Vec<Set> = vec![
        Set::new(name("per"), [Kind::Ipv4Addr])
            .timeout(Timeout::PerElement)
            .elements([Element::new(v4("192.0.2.1")).timeout(hour), Element::new(v4("192.0.2.2"))]),
        Set::new(name("default"), [Kind::Ipv6Addr])
            .timeout(Timeout::Default(hour))
            .elements([Element::new(v6("fd00::1")).timeout(2 * hour), Element::new(v6("fd00::2"))]),
        Set::new(name("seen"), [Kind::Ipv4Addr]).dynamic().timeout(Timeout::Default(hour)).size(1000),
        Set::new(name("rated"), [Kind::Ipv4Addr, Kind::Service])
            .dynamic()
            .timeout(Timeout::PerElement)
            .size(1000),
    ];
    let remember = |set: &str, key: &[Field], timeout, limit| {
        Rule::new().then(Statement::Remember(Remember { set: name(set), key: key.to_vec(), timeout, limit }))
    };
    let rules = vec![
        remember("seen", &[IP_SADDR.into()], None, None),
        remember("seen", &[IP_SADDR.into()], Some(hour / 2), None).count(),
        remember(
            "rated",
            &[IP_SADDR.into(), TCP_DPORT.into()],
            Some(Duration::from_millis(1500)),
            Some(LIMIT),
        )
        .then(Verdict::Accept),
        remember("rated", &[IP_SADDR.into(), UDP_DPORT.into()], None, Some(Limit { over: true, ..LIMIT }))
            .then(Verdict::Drop),
    ];
    judge.compare("timeouts", &table(Family::Inet, filter(), timed, rules));

    let elsewhere = || Verdict::Jump(name("elsewhere"));
    let maps: Vec<Set> = vec![
        Set::verdict_map(name("by-link"), [Kind::InterfaceName]).elements([
            Element::new(interface("eth0")).verdict(elsewhere()),
            Element::new(interface("eth1")).verdict(Verdict::Goto(name("elsewhere"))),
            Element::new(interface("lo")).verdict(Verdict::Accept),
            Element::new(interface("eth3")).verdict(Verdict::Return),
        ]),
        Set::verdict_map(name("by-net"), [Kind::Ipv4Addr]).interval().elements([
            Element::new(net("10.0.0.0", 8)).verdict(Verdict::Drop),
            Element::new(net("11.0.0.0", 8)).verdict(elsewhere()),
        ]),
        Set::verdict_map(name("by-pair"), [Kind::Ipv4Addr, Kind::Service])
            .interval()
            .elements([Element::concatenated([net("10.0.0.0", 8), ports(1, 9)]).verdict(Verdict::Drop)]),
        Set::verdict_map(name("timed"), [Kind::Ipv4Addr, Kind::Ipv4Addr])
            .timeout(Timeout::PerElement)
            .elements([Element::concatenated([v4("192.0.2.1").into(), v4("192.0.2.2").into()])
                .verdict(Verdict::Accept)
                .timeout(hour)]),
        Set::map(name("marks"), [Kind::InterfaceName], [Kind::Mark])
            .elements([Element::new(interface("eth0")).values([Mark(7).into()])]),
        Set::map(name("net-marks"), [Kind::Ipv4Addr], [Kind::Mark])
            .interval()
            .elements([Element::new(net("10.0.0.0", 8)).values([Mark(7).into()])]),
        Set::map(name("empty"), [Kind::Ipv6Addr], [Kind::Ipv6Addr]),
    ];
    let vmap = |key: &[Field], map: &str| {
        Rule::new().then(Statement::VerdictMap { key: key.to_vec(), map: name(map) })
    };
    let marks = |key: &[Field], map: &str| MarkSource::Map { key: key.to_vec(), map: name(map) };
    let rules = vec![
        vmap(&[IIFNAME.into()], "by-link"),
        vmap(&[IP_SADDR.into()], "by-net"),
        vmap(&[IP_SADDR.into(), TCP_DPORT.into()], "by-pair"),
        vmap(&[IP_SADDR.into(), IP_DADDR.into()], "timed"),
        Rule::new().then(Statement::SetMark(marks(&[IIFNAME.into()], "marks"))),
        Rule::new().then(Statement::SetCtMark(marks(&[IIFNAME.into()], "marks"))),
        Rule::new().then(Statement::SetMark(marks(&[IP_DADDR.into()], "net-marks"))),
    ];
    judge.compare("maps", &table(Family::Inet, filter(), maps, rules));
}

#[test]
fn sets_and_maps_that_count() {
    let judge = Judge::new();
    let seen = Count { packets: 3, bytes: 5_000_000_000 };
    let sets = vec![
        Set::new(name("live"), [Kind::Mark])
            .counting()
            .elements([Element::new(Mark(1)), Element::new(Mark(2)).count(seen)]),
        Set::new(name("nothing"), [Kind::Ipv4Addr]).counting(),
        Set::map(name("links"), [Kind::InterfaceName, Kind::Protocol, Kind::Service], [Kind::Mark])
            .counting()
            .timeout(Timeout::PerElement)
            .elements([Element::concatenated([interface("eth0").into(), Protocol::TCP.into(), 443.into()])
                .values([Mark(7).into()])
                .count(seen)
                .timeout(Duration::from_hours(1))]),
    ];
    let key = vec![IIFNAME.into(), L4PROTO.into(), TH_DPORT.into()];
    let rules = vec![
        Rule::new().when(CT_MARK.is_in(&name("live"))).then(Verdict::Accept),
        Rule::new()
            .when(L4PROTO.is_one_of([Protocol::TCP, Protocol::UDP]))
            .then(Statement::SetCtMark(MarkSource::Map { key, map: name("links") }))
            .then(Verdict::Goto(name("elsewhere"))),
    ];
    judge.compare(
        "counts",
        &table(Family::Inet, base(ChainKind::Filter, Hook::Prerouting, -150), sets, rules),
    );
}
