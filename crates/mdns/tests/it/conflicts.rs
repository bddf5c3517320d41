//! Who is called what when several want the same.

use crate::lan::Lan;
use crate::lan::Weather;
use crate::lan::addresses;
use crate::lan::name;
use crate::lan::wanted;
use mdns::Announced;
use mdns::RData;
use mdns::Record;
use mdns::RecordType;
use mdns::State;
use mdns::packet::Packet;
use proptest::prelude::ProptestConfig;
use proptest::prop_assert;
use proptest::proptest;
use std::collections::BTreeSet;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

fn all_differ(names: &[String]) -> bool {
    names.iter().collect::<BTreeSet<_>>().len() == names.len()
}

fn all_announced(lan: &Lan) -> bool {
    (0..lan.machines.len()).all(|machine| lan.announced(machine).state == State::Announced)
}

/// An answer of a device that is none of ours.
fn claim(host: &str, address: [u8; 4]) -> Packet {
    let mut record = Record::from_rdata(name(host), 120, RData::A(std::net::Ipv4Addr::from(address).into()));
    record.mdns_cache_flush = true;
    Packet { is_response: true, answers: vec![record], ..Packet::default() }
}

#[test]
fn alone_a_box_has_its_name_within_two_seconds() {
    let mut lan = Lan::new(1);
    let hearth = lan.add("hearth");
    assert_eq!(lan.announced(hearth).state, State::Probing);
    lan.pass(Duration::from_secs(2));
    let announced = lan.announced(hearth);
    assert_eq!((announced.name.as_str(), announced.state), ("hearth", State::Announced));
    assert_eq!((announced.problem, announced.rival), (None, None));
}

#[test]
fn the_later_of_two_takes_a_number_and_tells_who_has_the_name() {
    let mut lan = Lan::new(2);
    let first = lan.add("hearth");
    lan.pass(MINUTE);
    let second = lan.add("hearth");
    assert!(lan.pass_until(MINUTE, |lan| lan.announced(second).state == State::Announced));
    assert_eq!(lan.names(), ["hearth", "hearth-2"]);
    let own = addresses(2);
    assert!(own.iter().any(|own| Some(own.address) == lan.announced(second).rival));
    assert_eq!(lan.announced(first), Announced { rival: None, ..lan.announced(first) });

    let third = lan.add("hearth");
    assert!(lan.pass_until(MINUTE, |lan| lan.announced(third).state == State::Announced));
    assert_eq!(lan.names(), ["hearth", "hearth-2", "hearth-3"]);
}

#[test]
fn a_name_given_up_is_free_for_others_and_a_new_wish_begins_anew() {
    let mut lan = Lan::new(3);
    let first = lan.add("hearth");
    lan.pass(MINUTE);
    let second = lan.add("hearth");
    lan.pass(MINUTE);
    lan.want(first, wanted("attic", &[]));
    lan.pass(MINUTE);
    assert_eq!(lan.names(), ["attic", "hearth-2"], "nobody changes a name that works");
    lan.want(second, wanted("cellar", &[]));
    lan.pass(MINUTE);
    lan.want(second, wanted("hearth", &[]));
    lan.pass(MINUTE);
    assert_eq!(lan.names(), ["attic", "hearth"]);
    assert_eq!(lan.announced(second).rival, None);
}

#[test]
fn two_networks_with_equal_names_are_joined() {
    for seed in 1..40 {
        let mut lan = Lan::new(seed);
        let here = lan.add("hearth");
        let there = lan.add_on("hearth", &[(2, 1)]);
        let asker = lan.add("asker");
        lan.pass(MINUTE);
        assert_eq!(lan.names(), ["hearth", "hearth", "asker"]);
        lan.machines[there].ports.get_mut(&2).unwrap().0 = 0;
        // Nobody notices until somebody asks, and then both answer.
        lan.pass(MINUTE);
        assert_eq!(lan.names(), ["hearth", "hearth", "asker"]);
        assert!(!lan.ask(asker, "hearth.local", RecordType::A).is_empty());
        assert!(
            lan.pass_until(MINUTE, |lan| all_differ(&lan.names()) && all_announced(lan)),
            "{:?}",
            lan.names()
        );
        let names = lan.names();
        let mut pair = [names[here].as_str(), names[there].as_str()];
        pair.sort_unstable();
        assert_eq!(pair, ["hearth", "hearth-2"], "one of both keeps the name");
    }
}

#[test]
fn two_links_to_one_network_are_no_conflict() {
    for seed in 1..20 {
        let mut lan = Lan::new(seed);
        let hearth = lan.add_on("hearth", &[(2, 0), (3, 0)]);
        lan.pass(MINUTE);
        let asker = lan.add("asker");
        lan.pass(MINUTE);
        let found = lan.ask(asker, "hearth.local", RecordType::ANY);
        assert_eq!(found.len(), 4, "the addresses of both links: {found:?}");
        lan.pass(MINUTE);
        let announced = lan.announced(hearth);
        assert_eq!(
            (announced.name.as_str(), announced.state, announced.rival),
            ("hearth", State::Announced, None)
        );
        assert_eq!(lan.machines[hearth].node.counters().malformed, 0);
        assert!(lan.machines[hearth].node.counters().own > 0, "it did hear itself");
    }
}

#[test]
fn the_own_word_repeated_by_a_router_is_no_conflict() {
    let mut lan = Lan::new(4);
    let hearth = lan.add_on("hearth", &[(2, 0), (3, 1)]);
    lan.pass(MINUTE);
    // The router repeats on network 0 what the box said on network 1.
    let other_address = [10, 0, 0, 3];
    lan.inject("10.0.0.254:5353", None, &claim("hearth.local", other_address));
    lan.pass(Duration::from_millis(10));
    assert_eq!(lan.announced(hearth).state, State::Announced);
    lan.inject("10.0.0.254:5353", None, &claim("hearth.local", [10, 0, 0, 77]));
    lan.pass(Duration::from_millis(10));
    assert_eq!(lan.announced(hearth).state, State::Probing, "somebody else's address is another matter");
}

#[test]
fn a_rival_that_does_not_insist_only_costs_a_question() {
    let mut lan = Lan::new(5);
    let hearth = lan.add("hearth");
    lan.pass(MINUTE);
    lan.inject("10.0.0.99:5353", None, &claim("hearth.local", [10, 0, 0, 99]));
    lan.inject("[fe80::99]:5353", None, &claim("hearth.local", [10, 0, 0, 99]));
    lan.pass(Duration::from_millis(10));
    assert_eq!(lan.announced(hearth).state, State::Probing);
    lan.pass(Duration::from_secs(2));
    let announced = lan.announced(hearth);
    assert_eq!((announced.name.as_str(), announced.state), ("hearth", State::Announced));
}

#[test]
fn a_goodbye_and_a_unicast_answer_nobody_asked_for_are_no_conflict() {
    let mut lan = Lan::new(6);
    let hearth = lan.add("hearth");
    lan.pass(MINUTE);
    let mut goodbye = claim("hearth.local", [10, 0, 0, 99]);
    goodbye.answers[0].ttl = 0;
    lan.inject("10.0.0.99:5353", None, &goodbye);
    lan.inject("10.0.0.99:5353", Some(hearth), &claim("hearth.local", [10, 0, 0, 99]));
    lan.inject("10.0.0.99:9999", None, &claim("hearth.local", [10, 0, 0, 99]));
    lan.pass(Duration::from_millis(10));
    assert_eq!(lan.announced(hearth).state, State::Announced);
}

#[test]
fn whoever_claims_every_name_only_makes_the_box_slow_to_ask() {
    let mut lan = Lan::new(7);
    let hearth = lan.add("hearth");
    let start = lan.now;
    for _ in 0..3000 {
        let now = lan.announced(hearth).name;
        lan.inject("10.0.0.99:5353", None, &claim(&format!("{now}.local"), [10, 0, 0, 99]));
        lan.pass(Duration::from_millis(100));
    }
    let probes =
        lan.sent_since(start, hearth).into_iter().filter(|(_, _, packet)| !packet.is_response).count();
    // 15 conflicts at once, then one name every 5 s for 300 s, as RFC 6762 section 8.1 has it; lost before the second probe.
    assert!((1..=200).contains(&probes), "{probes}");
    assert!(lan.log.len() < 1000, "{} packets", lan.log.len());
}

#[test]
fn a_service_listed_under_the_same_name_gets_a_number_of_its_own() {
    let mut lan = Lan::new(8);
    let hearth = lan.add("hearth");
    let server = RData::SRV(hickory_srv("other.local"));
    let instance = name("hearth._https._tcp.local");
    let mut record = Record::from_rdata(instance, 120, server);
    record.mdns_cache_flush = true;
    let packet = Packet { is_response: true, answers: vec![record], ..Packet::default() };
    lan.inject("10.0.0.99:5353", None, &packet);
    lan.pass(Duration::from_secs(5));
    assert_eq!(lan.announced(hearth).name, "hearth", "the box itself keeps its name");
    let asker = lan.add("asker");
    lan.pass(Duration::from_secs(5));
    let listed = lan.ask(asker, "_hearth._tcp.local", RecordType::PTR);
    let listed: Vec<String> = listed.iter().map(|record| record.data.to_string()).collect();
    assert!(listed.iter().any(|name| name.starts_with("hearth\\040\\(2")), "{listed:?}");
}

fn hickory_srv(target: &str) -> hickory_proto::rr::rdata::SRV {
    hickory_proto::rr::rdata::SRV::new(0, 0, 80, name(target))
}

#[test]
fn the_name_of_an_app_that_is_taken_is_given_up_and_said_so() {
    let mut lan = Lan::new(9);
    let hearth = lan.add("hearth");
    lan.want(hearth, wanted("hearth", &["notes", "photos"]));
    lan.pass(Duration::from_millis(10));
    lan.inject("10.0.0.99:5353", None, &claim("notes.hearth.local", [10, 0, 0, 99]));
    lan.pass(Duration::from_secs(5));
    let announced = lan.announced(hearth);
    assert_eq!(announced.name, "hearth");
    assert_eq!(announced.problem.as_deref(), Some("another device uses the name notes.hearth.local"));
    let asker = lan.add("asker");
    lan.pass(Duration::from_secs(5));
    assert_eq!(lan.ask(asker, "photos.hearth.local", RecordType::A).len(), 1);
    assert!(lan.ask(asker, "notes.hearth.local", RecordType::A).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the network loses, doubles and delays: in the end all names differ, and the name wished for is in use.
    #[test]
    fn boxes_that_start_together_end_with_different_names(
        seed in 1_u64..u64::MAX, count in 2_usize..6, lost in 0_u64..30, doubled in 0_u64..30, slowest in 0_u64..80,
    ) {
        let mut lan = Lan::new(seed);
        lan.weather = Weather { lost, doubled, slowest: Duration::from_millis(slowest) };
        for _ in 0..count {
            lan.add("hearth");
        }
        let asker = lan.add("asker");
        let is_settled = |lan: &Lan| all_differ(&lan.names()) && all_announced(lan);
        for _ in 0..60 {
            lan.pass(Duration::from_secs(5));
            // Whoever lost every packet of the others is found out when somebody asks.
            for number in 2..8 {
                lan.begin(asker, &format!("hearth-{number}.local"), RecordType::A, Duration::from_secs(1));
            }
            lan.begin(asker, "hearth.local", RecordType::A, Duration::from_secs(1));
        }
        prop_assert!(is_settled(&lan), "{:?}", lan.names());
        let names = lan.names();
        prop_assert!(names.iter().any(|name| name == "hearth" || name == "hearth-2"), "{:?}", names);
    }
}
