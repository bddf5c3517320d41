//! Elements put in, taken out and read back.

use crate::rooted::lab::Namespace;
use netlink::nft::*;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::time::Duration;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn v4(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

fn table(sets: Vec<Set>) -> Table {
    let mut table = Table::new(Family::Inet, name("hearth"));
    table.sets = sets;
    table.chains.push(Chain::new(name("elsewhere"), []));
    table
}

/// Keys and data, in an order of their own.
fn shown(elements: &[Element]) -> Vec<String> {
    let mut lines: Vec<String> =
        elements.iter().map(|element| format!("{:?} {:?}", element.key, element.data)).collect();
    lines.sort();
    lines
}

fn alive(firewall: &mut Firewall, table: &Table, set: &Set) -> Vec<String> {
    let live = firewall.elements(table, set).unwrap();
    let elements: Vec<Element> = live
        .into_iter()
        .map(|live| Element { key: live.key, data: live.data, timeout: None, count: None })
        .collect();
    shown(&elements)
}

fn all_kinds() -> Vec<(Set, Vec<Element>)> {
    let net = |text: &str, prefix| Span::network(v4(text), prefix).unwrap();
    let ports = |first: u16, last: u16| Span::between(first, last).unwrap();
    let eth0 = InterfaceName::new("eth0").unwrap();
    vec![
        (
            Set::new(name("plain"), [Kind::Ipv4Addr]),
            ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(|text| Element::new(v4(text))).into(),
        ),
        (
            Set::new(name("nets"), [Kind::Ipv4Addr]).interval(),
            // Two that touch, and both ends of the address space.
            [
                net("10.0.0.0", 9),
                net("10.128.0.0", 9),
                net("0.0.0.0", 8),
                net("255.0.0.0", 8),
                v4("192.0.2.1").into(),
            ]
            .map(Element::new)
            .into(),
        ),
        (
            Set::new(name("marks"), [Kind::Mark]).interval(),
            [Span::between(Mark(0x100), Mark(0x1ff)).unwrap(), Mark(0x1_0000).into()]
                .map(Element::new)
                .into(),
        ),
        (
            Set::new(name("pairs"), [Kind::Ipv6Addr, Kind::InterfaceName, Kind::Service]).interval(),
            vec![
                Element::concatenated([
                    Span::network(Ipv6Addr::from_bits(0xfd << 120), 8).unwrap(),
                    eth0.clone().into(),
                    ports(1, 9),
                ]),
                Element::concatenated([Ipv6Addr::LOCALHOST.into(), eth0.clone().into(), 443.into()]),
            ],
        ),
        (
            Set::verdict_map(name("links"), [Kind::InterfaceName]),
            vec![
                Element::new(eth0.clone()).verdict(Verdict::Jump(name("elsewhere"))),
                Element::new(InterfaceName::new("fifteencharsabc").unwrap()).verdict(Verdict::Drop),
            ],
        ),
        (
            Set::map(name("targets"), [Kind::Service], [Kind::Ipv4Addr, Kind::Service]).interval(),
            vec![
                Element::new(ports(0, 9)).values([v4("192.0.2.1").into(), 80.into()]),
                Element::new(ports(10, 65535)).values([v4("192.0.2.2").into(), 81.into()]),
            ],
        ),
    ]
}

#[test]
fn what_is_put_in_is_read_back_and_taken_out() {
    let kinds = all_kinds();
    let table = table(kinds.iter().map(|(set, _)| set.clone()).collect());
    Namespace::new().inside(|| {
        let mut firewall = Firewall::open().unwrap();
        firewall.replace(&Ruleset { tables: vec![table.clone()] }).unwrap();
        for (set, elements) in &kinds {
            assert_eq!(firewall.elements(&table, set).unwrap(), []);
            firewall.apply(Batch::new().add_elements(&table, set, elements).unwrap()).unwrap();
            assert_eq!(alive(&mut firewall, &table, set), shown(elements));
            // Once more changes nothing.
            firewall.apply(Batch::new().add_elements(&table, set, elements).unwrap()).unwrap();
            assert_eq!(alive(&mut firewall, &table, set), shown(elements));
            for gone in 0..elements.len() {
                let batch = Batch::new().delete_elements(&table, set, &elements[gone..=gone]).unwrap();
                firewall.apply(batch).unwrap();
                assert_eq!(alive(&mut firewall, &table, set), shown(&elements[gone + 1..]), "{}", set.name);
            }
            let error = firewall
                .apply(Batch::new().delete_elements(&table, set, &elements[..1]).unwrap())
                .unwrap_err();
            let ApplyError::Refused { what, source, .. } = error else { panic!("{error:?}") };
            assert_eq!(what, format!("table inet hearth elements of set {}", set.name));
            assert_eq!(source.kind(), std::io::ErrorKind::NotFound);
        }
    });
}

#[test]
fn elements_count_on_and_may_go_whether_they_are_there_or_not() {
    let set = Set::map(name("counted"), [Kind::Ipv4Addr], [Kind::Mark]).counting();
    let element = |text: &str, mark: u32| Element::new(v4(text)).values([Mark(mark).into()]);
    let seen = Count { packets: 7, bytes: 1 << 40 };
    let first = [element("192.0.2.1", 1).count(seen), element("192.0.2.2", 2)];
    let table = table(vec![set.clone().elements(first)]);
    Namespace::new().inside(|| {
        let mut firewall = Firewall::open().unwrap();
        firewall.replace(&Ruleset { tables: vec![table.clone()] }).unwrap();
        let counts = |firewall: &mut Firewall| {
            let live = firewall.elements(&table, &set).unwrap();
            let mut counts: Vec<_> = live
                .into_iter()
                .map(|live| (live.key[0].to_string(), live.data, live.count.unwrap()))
                .collect();
            counts.sort_by_key(|(key, ..)| key.clone());
            counts
        };
        let row = |address: &str, mark: u32, count| {
            (address.to_owned(), ElementData::Values(vec![Mark(mark).into()]), count)
        };
        assert_eq!(counts(&mut firewall), [row("192.0.2.1", 1, seen), row("192.0.2.2", 2, Count::default())]);
        // One that is there maps to something else now, one was never there.
        let renewed = [element("192.0.2.1", 3), element("192.0.2.3", 4)];
        firewall.apply(Batch::new().renew_elements(&table, &set, &renewed).unwrap()).unwrap();
        let gone = [element("192.0.2.2", 2), element("192.0.2.9", 9)];
        firewall.apply(Batch::new().clear_elements(&table, &set, &gone).unwrap()).unwrap();
        assert_eq!(
            counts(&mut firewall),
            [row("192.0.2.1", 3, Count::default()), row("192.0.2.3", 4, Count::default())]
        );
    });
    let silent = Set::new(name("silent"), [Kind::Ipv4Addr]);
    let counted = [Element::new(v4("192.0.2.1")).count(seen)];
    let error = Batch::new().add_elements(&table, &silent, &counted).unwrap_err();
    assert_eq!(error.problem, Problem::NoCounts("silent".to_owned()));
}

#[test]
fn timeouts_run_and_are_renewed() {
    let minute = Duration::from_secs(60);
    let address = || Element::new(v4("192.0.2.1"));
    let sets = vec![
        Set::new(name("per"), [Kind::Ipv4Addr]).timeout(Timeout::PerElement),
        Set::new(name("default"), [Kind::Ipv4Addr]).timeout(Timeout::Default(minute)),
        Set::new(name("nets"), [Kind::Ipv4Addr]).interval().timeout(Timeout::PerElement),
        Set::new(name("pairs"), [Kind::Ipv4Addr]).interval().timeout(Timeout::Default(minute)),
    ];
    let table = table(sets.clone());
    Namespace::new().inside(|| {
        let mut firewall = Firewall::open().unwrap();
        firewall.replace(&Ruleset { tables: vec![table.clone()] }).unwrap();
        for set in &sets {
            let only = |firewall: &mut Firewall| {
                let mut live = firewall.elements(&table, set).unwrap();
                assert_eq!(live.len(), 1, "{live:?}");
                live.remove(0)
            };
            let has_default = set.timeout == Timeout::Default(minute);
            firewall.apply(Batch::new().add_elements(&table, set, &[address()]).unwrap()).unwrap();
            let live = only(&mut firewall);
            assert_eq!(live.expires.is_some(), has_default, "{live:?}");
            assert!(live.expires.is_none_or(|expires| expires <= minute));

            for longer in [5, 10] {
                let renewed = [address().timeout(longer * minute)];
                firewall.apply(Batch::new().renew_elements(&table, set, &renewed).unwrap()).unwrap();
                let live = only(&mut firewall);
                assert_eq!(live.timeout, Some(longer * minute));
                let expires = live.expires.unwrap();
                assert!(expires > (longer - 1) * minute && expires <= longer * minute, "{live:?}");
            }
            let short = [address().timeout(Duration::from_millis(50))];
            firewall.apply(Batch::new().renew_elements(&table, set, &short).unwrap()).unwrap();
            let deadline = std::time::Instant::now() + minute;
            while !firewall.elements(&table, set).unwrap().is_empty() {
                assert!(std::time::Instant::now() < deadline, "{} is still there", set.name);
                std::thread::yield_now();
            }
        }
    });
}

#[test]
fn a_set_that_is_not_there_is_an_error() {
    let table = table(vec![]);
    let set = Set::new(name("absent"), [Kind::Ipv4Addr]);
    Namespace::new().inside(|| {
        let mut firewall = Firewall::open().unwrap();
        firewall.elements(&table, &set).unwrap_err();
        firewall.replace(&Ruleset { tables: vec![table.clone()] }).unwrap();
        firewall.elements(&table, &set).unwrap_err();
        let batch = Batch::new().add_elements(&table, &set, &[Element::new(v4("192.0.2.1"))]).unwrap();
        assert!(matches!(firewall.apply(batch), Err(ApplyError::Refused { .. })));
    });
}
