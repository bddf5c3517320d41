//! All or nothing; who is to blame; what lasts; that something changed.

use crate::rooted::lab::Namespace;
use netlink::nft::field::*;
use netlink::nft::*;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn input(rules: impl IntoIterator<Item = Rule>) -> Chain {
    let base = Base { kind: ChainKind::Filter, hook: Hook::Input, priority: 0, policy: Policy::Accept };
    Chain::base(name("in"), base, rules)
}

fn ruleset(rules: impl IntoIterator<Item = Rule>) -> Ruleset {
    let mut table = Table::new(Family::Inet, name("hearth"));
    table.chains.push(input(rules));
    Ruleset { tables: vec![table] }
}

fn commented(comment: &str) -> Rule {
    Rule::new().count().comment(Comment::new(comment).unwrap())
}

#[test]
fn what_is_refused_changes_nothing_and_is_named() {
    let namespace = Namespace::new();
    let good = ruleset([commented("stays")]);
    namespace.inside(|| Firewall::open().unwrap().replace(&good)).unwrap();
    let before = namespace.nft("list ruleset", "");
    let refused = |ruleset: Ruleset| {
        let error = namespace.inside(|| Firewall::open().unwrap().replace(&ruleset)).unwrap_err();
        assert_eq!(namespace.nft("list ruleset", ""), before);
        match error {
            ApplyError::Refused { what, source, .. } => (what, source.kind()),
            other @ (ApplyError::Invalid(_) | ApplyError::Socket(_)) => panic!("{other:?}"),
        }
    };
    let not_found = std::io::ErrorKind::NotFound;
    let nowhere = Rule::new().then(Verdict::Jump(name("nowhere")));
    let rules = [
        commented("a"),
        nowhere.clone().comment(Comment::new("to nowhere").unwrap()),
        nowhere,
        commented("b"),
    ];
    assert_eq!(
        refused(ruleset(rules)),
        ("table inet hearth chain in rule 2 (to nowhere)".to_owned(), not_found)
    );

    let masquerade = ruleset([commented("a"), Rule::new().then(Statement::Masquerade)]);
    assert_eq!(refused(masquerade).0, "table inet hearth chain in rule 2");

    let mut no_such_hook = ruleset([]);
    let base = Base { kind: ChainKind::Nat, hook: Hook::Forward, priority: 0, policy: Policy::Accept };
    no_such_hook.tables[0].chains.push(Chain::base(name("wrong"), base, []));
    assert_eq!(refused(no_such_hook).0, "table inet hearth chain wrong");

    let mut overlapping = ruleset([]);
    let span = |first: u16, last| Element::new(Span::between(first, last).unwrap());
    let map = Set::verdict_map(name("ports"), [Kind::Service])
        .interval()
        .elements([span(1, 5).verdict(Verdict::Accept), span(4, 9).verdict(Verdict::Drop)]);
    overlapping.tables[0].sets.push(map);
    assert_eq!(refused(overlapping).0, "table inet hearth elements of set ports");

    let every_rule_is_wrong = ruleset((0..10_000).map(|_| Rule::new().then(Verdict::Jump(name("nowhere")))));
    assert_eq!(refused(every_rule_is_wrong), ("table inet hearth chain in rule 1".to_owned(), not_found));
}

#[test]
fn one_socket_goes_on_after_a_refusal() {
    Namespace::new().inside(|| {
        let mut firewall = Firewall::open().unwrap();
        for _ in 0..3 {
            let wrong = ruleset([Rule::new().then(Statement::Masquerade)]);
            assert!(matches!(firewall.replace(&wrong), Err(ApplyError::Refused { .. })));
            assert_eq!(firewall.counters(Family::Inet, &name("hearth")).unwrap(), []);
            firewall.replace(&ruleset([commented("a")])).unwrap();
            assert_eq!(firewall.counters(Family::Inet, &name("hearth")).unwrap().len(), 1);
            firewall.apply(Batch::new().delete_table(Family::Inet, &name("hearth"))).unwrap();
            firewall.apply(Batch::new().delete_table(Family::Inet, &name("hearth"))).unwrap();
            firewall.apply(Batch::new()).unwrap();
        }
    });
}

#[test]
fn totals_outlive_a_replacement() {
    let namespace = Namespace::new();
    namespace.nft("-f -", "table inet other {\n chain c {\n counter packets 5 bytes 6\n }\n}\n");
    namespace.inside(|| {
        let mut firewall = Firewall::open().unwrap();
        let table = name("hearth");
        let mut rules = ruleset([
            Rule::new()
                .then(Statement::Counter { packets: 7, bytes: 700 })
                .comment(Comment::new("first").unwrap()),
            Rule::new().when(UDP_DPORT.is(9)).count().comment(Comment::new("discard").unwrap()),
            Rule::new().then(Verdict::Return),
        ]);
        firewall.replace(&rules).unwrap();
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..3 {
            // Nobody listens; what comes back is of no interest.
            drop(socket.send_to(b"four", "127.0.0.1:9"));
        }
        let told = |firewall: &mut Firewall| {
            let counters = firewall.counters(Family::Inet, &table).unwrap();
            assert!(counters.iter().all(|counter| counter.table == "hearth" && counter.chain == "in"));
            counters
                .into_iter()
                .map(|counter| (counter.comment.unwrap(), counter.packets, counter.bytes))
                .collect::<Vec<_>>()
        };
        let before = told(&mut firewall);
        assert_eq!(before[1].0, "discard");
        assert!(before[1].1 >= 1 && before[1].2 >= 32, "{before:?}");
        assert!(before[0].1 > 7, "{before:?}");
        rules.carry_over(&firewall.counters(Family::Inet, &table).unwrap());
        firewall.replace(&rules).unwrap();
        assert_eq!(told(&mut firewall), before);
    });
    assert!(namespace.nft("list table inet other", "").contains("counter packets 5 bytes 6"));
}

#[test]
fn a_generation_goes_by_with_every_batch_that_is_carried_out() {
    let namespace = Namespace::new();
    namespace.inside(|| {
        let mut firewall = Firewall::open().unwrap();
        firewall.replace(&ruleset([commented("a")])).unwrap();
        let ours = firewall.generation().unwrap();
        assert_eq!(firewall.generation().unwrap(), ours);

        namespace.nft("-f -", "table inet intruder {\n chain c {\n accept\n }\n}\n");
        assert_eq!(firewall.generation().unwrap(), ours + 1);

        // A refused batch is no change.
        firewall.replace(&ruleset([Rule::new().then(Statement::Masquerade)])).unwrap_err();
        assert_eq!(firewall.generation().unwrap(), ours + 1);
        firewall.replace(&ruleset((0..1000).map(|_| commented("many")))).unwrap();
        assert_eq!(firewall.generation().unwrap(), ours + 2);
    });
}

#[test]
fn ten_thousand_rules_and_elements_load() {
    let namespace = Namespace::new();
    let mut rules = ruleset((0..10_000_u32).map(|number| {
        let address = std::net::Ipv4Addr::from_bits(0x0a00_0000 + number);
        Rule::new().when(IP_SADDR.is(address)).when(TCP_DPORT.is(443)).count().then(Verdict::Accept)
    }));
    let elements = |count: u32| {
        (0..count).map(|number| Element::new(std::net::Ipv6Addr::from_bits(u128::from(number) * 7)))
    };
    rules.tables[0].sets.push(Set::new(name("many"), [Kind::Ipv6Addr]).elements(elements(10_000)));
    rules.tables[0].sets.push(Set::new(name("more"), [Kind::Ipv6Addr]).interval().elements(elements(10_000)));
    namespace.inside(|| {
        let mut firewall = Firewall::open().unwrap();
        firewall.replace(&rules).unwrap();
        firewall.replace(&rules).unwrap();
        assert_eq!(firewall.counters(Family::Inet, &name("hearth")).unwrap().len(), 10_000);
        for set in &rules.tables[0].sets {
            let mut live = firewall.elements(&rules.tables[0], set).unwrap();
            live.sort_by_key(|element| element.key[0].to_string());
            let mut wanted: Vec<_> = set.elements.iter().map(|element| element.key.clone()).collect();
            wanted.sort_by_key(|key| key[0].to_string());
            assert!(live.into_iter().map(|element| element.key).eq(wanted));
        }
    });
}
