//! A family of rulesets by chance, each judged by nft(8).

use crate::rooted::judge::Judge;
use netlink::nft::field::*;
use netlink::nft::*;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::time::Duration;

/// Each is two programs run twice; the machine is shared.
const CASES: u32 = 60;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn v4_span() -> impl Strategy<Value = Span> {
    (any::<u32>(), 1_u8..=32)
        .prop_map(|(address, prefix)| Span::network(Ipv4Addr::from_bits(address), prefix).unwrap())
}

fn v6_span() -> impl Strategy<Value = Span> {
    (any::<u128>(), 1_u8..=128)
        .prop_map(|(address, prefix)| Span::network(Ipv6Addr::from_bits(address), prefix).unwrap())
}

fn port_span() -> impl Strategy<Value = Span> {
    (any::<u16>(), 0_u16..200)
        .prop_map(|(first, more)| Span::between(first, first.saturating_add(more)).unwrap())
}

fn v4_list() -> impl Strategy<Value = Vec<Span>> {
    proptest::collection::vec(v4_span(), 1..6)
}

fn interface() -> impl Strategy<Value = InterfaceName> {
    "[a-z][a-z0-9-]{0,12}[0-9]".prop_map(|text| InterfaceName::new(&text).unwrap())
}

/// What may come first in a rule: nothing that nft(8) would join with what follows.
fn link_match() -> impl Strategy<Value = Match> {
    prop_oneof![
        interface().prop_map(|link| IIFNAME.is(link)),
        interface().prop_map(|link| IIFNAME.is_not(link)),
        proptest::collection::vec(interface(), 1..4).prop_map(|links| IIFNAME.is_one_of(links)),
        any::<u32>().prop_map(|mark| META_MARK.is(Mark(mark))),
        (1_u32.., any::<u32>()).prop_map(|(mask, value)| CT_MARK.masked(Mark(mask), Mark(value & mask))),
        (1_u32..7).prop_map(|_| CT_STATE.has_any(CtState::ESTABLISHED | CtState::RELATED)),
        Just(FIB_DADDR_TYPE.is(AddressType::LOCAL)),
    ]
}

fn address_match() -> impl Strategy<Value = Match> {
    prop_oneof![
        any::<u32>().prop_map(|address| IP_SADDR.is(Ipv4Addr::from_bits(address))),
        (any::<u32>(), 1_u8..32)
            .prop_map(|(address, prefix)| IP_DADDR.is_in_network(Ipv4Addr::from_bits(address), prefix)),
        (any::<u32>(), 1_u8..32)
            .prop_map(|(address, prefix)| IP_DADDR.is_not_in_network(Ipv4Addr::from_bits(address), prefix)),
        v4_list().prop_map(|spans| IP_SADDR.is_within(spans)),
        v4_list().prop_map(|spans| IP_SADDR.is_not_within(spans)),
        (any::<u128>(), 1_u8..128)
            .prop_map(|(address, prefix)| IP6_SADDR.is_in_network(Ipv6Addr::from_bits(address), prefix)),
        proptest::collection::vec(v6_span(), 1..5).prop_map(|spans| IP6_DADDR.is_within(spans)),
        Just(IP_SADDR.is_in(&name("v4"))),
        Just(IP6_SADDR.is_not_in(&name("v6"))),
        Just(concat([IP_DADDR.into(), TCP_DPORT.into()]).are_in(&name("pairs"))),
    ]
}

fn port_match() -> impl Strategy<Value = Match> {
    prop_oneof![
        any::<u16>().prop_map(|port| TCP_DPORT.is(port)),
        (1_u16..2000, 1_u16..2000).prop_map(|(first, more)| UDP_DPORT.is_between(first, first + more)),
        (1_u16..2000, 1_u16..2000).prop_map(|(first, more)| UDP_DPORT.is_not_between(first, first + more)),
        proptest::collection::vec(any::<u16>(), 1..6).prop_map(|ports| UDP_SPORT.is_one_of(ports)),
        proptest::collection::vec(port_span(), 1..6).prop_map(|spans| TCP_DPORT.is_within(spans)),
        proptest::collection::vec(port_span(), 1..6).prop_map(|spans| TCP_SPORT.is_not_within(spans)),
        any::<u8>().prop_map(|protocol| L4PROTO.is(Protocol(protocol))),
    ]
}

fn action() -> impl Strategy<Value = Statement> {
    prop_oneof![
        Just(Statement::from(Verdict::Accept)),
        Just(Verdict::Drop.into()),
        Just(Verdict::Jump(name("elsewhere")).into()),
        any::<u32>().prop_map(|mark| Statement::SetCtMark(MarkSource::Value(Mark(mark)))),
        (1_u64..1000, 1_u32..1000, any::<bool>()).prop_map(|(rate, burst, over)| Limit {
            rate,
            per: Per::Minute,
            burst,
            over
        }
        .into()),
        Just(Reject::PortUnreachable.into()),
        any::<u16>().prop_map(|group| Statement::Log { prefix: None, group: Some(group) }),
    ]
}

fn rule() -> impl Strategy<Value = Rule> {
    let tests = (
        proptest::option::of(link_match()),
        proptest::option::of(address_match()),
        proptest::option::of(port_match()),
    );
    let counter = proptest::option::of((any::<u32>(), any::<u32>()));
    (tests, counter, action(), proptest::option::of("[ !#-\\[\\]-~]{1,127}")).prop_map(
        |((link, address, port), counter, action, comment)| {
            let mut rule = Rule::new();
            for test in [link, address, port].into_iter().flatten() {
                rule = rule.when(test);
            }
            if let Some((packets, bytes)) = counter {
                rule = rule.then(Statement::Counter { packets: packets.into(), bytes: bytes.into() });
            }
            rule = rule.then(action);
            match comment {
                Some(comment) => rule.comment(Comment::new(&comment).unwrap()),
                None => rule,
            }
        },
    )
}

fn sets() -> impl Strategy<Value = Vec<Set>> {
    let timeout =
        proptest::option::of((1_u64..1_000_000).prop_map(|seconds| Duration::from_secs(3600 + seconds)));
    let plain = proptest::collection::vec((any::<u128>(), timeout), 0..20);
    let pairs = proptest::collection::vec((any::<u32>(), port_span()), 0..12);
    (proptest::collection::vec(v4_span(), 0..40), plain, pairs).prop_map(|(spans, addresses, pairs)| {
        let timed = addresses.into_iter().map(|(address, timeout)| {
            let element = Element::new(Ipv6Addr::from_bits(address));
            Element { timeout, ..element }
        });
        // Overlapping pairs are refused by both.
        let mut seen = HashSet::new();
        let pairs = pairs.into_iter().filter(|(address, _)| seen.insert(*address));
        let pairs =
            pairs.map(|(address, ports)| Element::concatenated([Ipv4Addr::from_bits(address).into(), ports]));
        vec![
            Set::new(name("v4"), [Kind::Ipv4Addr]).interval().elements(spans.into_iter().map(Element::new)),
            Set::new(name("v6"), [Kind::Ipv6Addr]).timeout(Timeout::PerElement).elements(timed),
            Set::new(name("pairs"), [Kind::Ipv4Addr, Kind::Service]).interval().elements(pairs),
        ]
    })
}

fn ruleset() -> impl Strategy<Value = Ruleset> {
    let base = (any::<i16>(), any::<bool>()).prop_map(|(priority, drops)| Base {
        kind: ChainKind::Filter,
        hook: Hook::Input,
        priority: priority.into(),
        policy: if drops { Policy::Drop } else { Policy::Accept },
    });
    (base, sets(), proptest::collection::vec(rule(), 0..12)).prop_map(|(base, sets, rules)| {
        let mut table = Table::new(Family::Inet, name("hearth"));
        table.sets = sets;
        table.chains.push(Chain::new(name("elsewhere"), []));
        table.chains.push(Chain::base(name("here"), base, rules));
        // Rules that contradict themselves are refused by both.
        let sets = table.sets.clone();
        table.chains[1].rules.retain(|rule| !contradicts_itself(&sets, rule));
        Ruleset { tables: vec![table] }
    })
}

fn contradicts_itself(sets: &[Set], rule: &Rule) -> bool {
    let mut table = Table::new(Family::Inet, name("hearth"));
    table.sets = sets.to_vec();
    table.chains.push(Chain::new(name("only"), [rule.clone()]));
    match Batch::new().replace(&Ruleset { tables: vec![table] }) {
        Ok(_) => false,
        Err(Invalid { problem: Problem::Conflict(_), .. }) => true,
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn whatever_is_expressed_means_the_same_to_nft() {
    let judge = Judge::new();
    let config = ProptestConfig {
        cases: CASES,
        max_shrink_iters: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let outcome = TestRunner::new(config).run(&ruleset(), |ruleset| {
        // As what it says when it fails.
        judge.compare("by chance", &ruleset);
        Ok(())
    });
    if let Err(error) = outcome {
        let text = error.to_string();
        panic!("{}", text.lines().next().unwrap_or_default());
    }
}
