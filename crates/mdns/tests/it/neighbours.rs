//! What boxes hear of each other.

use crate::lan::Lan;
use crate::lan::name;
use crate::lan::wanted;
use mdns::Destination;
use mdns::RData;
use mdns::Record;
use mdns::RecordType;
use mdns::packet::Packet;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

fn pair() -> (Lan, usize, usize) {
    let mut lan = Lan::new(11);
    let hearth = lan.add("hearth");
    let asker = lan.add("asker");
    lan.pass(MINUTE);
    (lan, hearth, asker)
}

fn words(records: &[Record]) -> Vec<String> {
    let mut words: Vec<String> = records.iter().map(|record| record.data.to_string()).collect();
    words.sort_unstable();
    words
}

#[test]
fn addresses_services_and_reverse_names_are_found() {
    let (mut lan, _, asker) = pair();
    assert_eq!(words(&lan.ask(asker, "hearth.local", RecordType::A)), ["10.0.0.2"]);
    assert_eq!(words(&lan.ask(asker, "HEARTH.local", RecordType::AAAA)), ["fe80::2"]);
    let listed = lan.ask(asker, "_https._tcp.local", RecordType::PTR);
    assert_eq!(words(&listed), ["hearth._https._tcp.local."]);
    let text = lan.ask(asker, "hearth._hearth._tcp.local", RecordType::TXT);
    assert!(
        matches!(&text[0].data, RData::TXT(text) if text.txt_data.iter().all(|string| string.is_empty()))
    );
    let service = lan.ask(asker, "hearth._https._tcp.local", RecordType::SRV);
    assert_eq!(words(&service), ["0 0 443 hearth.local."]);
    let kinds = lan.ask(asker, "_services._dns-sd._udp.local", RecordType::PTR);
    assert_eq!(words(&kinds), ["_hearth._tcp.local.", "_https._tcp.local."]);
    let reverse = mdns::Name::from(std::net::IpAddr::from([0xfe80_u16, 0, 0, 0, 0, 0, 0, 2])).to_ascii();
    let reverse = lan.ask(asker, reverse.trim_end_matches('.'), RecordType::PTR);
    assert_eq!(words(&reverse), ["hearth.local."]);
}

#[test]
fn a_type_that_a_name_has_not_is_denied_at_once() {
    let (mut lan, _, asker) = pair();
    let start = lan.now;
    assert!(lan.ask(asker, "hearth.local", RecordType::TXT).is_empty());
    assert!(lan.now - start < SECOND, "{:?}", lan.now - start);
    let start = lan.now;
    assert!(lan.ask(asker, "nobody.local", RecordType::A).is_empty());
    assert_eq!(lan.now - start, 10 * SECOND, "nobody can say that a name does not exist");
}

#[test]
fn the_own_names_are_answered_without_a_packet() {
    let (mut lan, hearth, _) = pair();
    let sent = lan.log.len();
    assert_eq!(words(&lan.ask(hearth, "hearth.local", RecordType::A)), ["10.0.0.2"]);
    assert!(lan.ask(hearth, "hearth.local", RecordType::TXT).is_empty());
    assert_eq!(lan.log.len(), sent);
}

#[test]
fn a_name_that_becomes_the_own_one_is_answered_then() {
    let mut lan = Lan::new(13);
    let hearth = lan.add("hearth");
    let start = lan.now;
    assert_eq!(words(&lan.ask(hearth, "hearth.local", RecordType::A)), ["10.0.0.2"]);
    assert!(lan.now - start < 2 * SECOND, "{:?}", lan.now - start);
}

#[test]
fn a_question_is_repeated_ever_more_slowly() {
    let (mut lan, _, asker) = pair();
    let start = lan.now;
    assert!(lan.ask(asker, "nobody.local", RecordType::A).is_empty());
    let asked: Vec<u128> =
        lan.sent_since(start, asker).iter().map(|(at, _, _)| (*at - start).as_millis()).collect();
    assert_eq!(asked.len(), 4, "{asked:?}");
    let gaps: Vec<u128> = asked.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(gaps, [1000, 2000, 4000]);
}

#[test]
fn a_name_known_is_answered_from_memory_until_its_time_is_over() {
    let (mut lan, hearth, asker) = pair();
    assert_eq!(lan.ask(asker, "hearth.local", RecordType::A).len(), 1);
    lan.machines[hearth].ports.clear();
    lan.pass(MINUTE);
    let sent = lan.log.len();
    let left = lan.ask(asker, "hearth.local", RecordType::A);
    assert!((1..=60).contains(&left[0].ttl), "{left:?}");
    assert_eq!(lan.log.len(), sent, "no packet");
    lan.pass(MINUTE);
    assert!(lan.ask(asker, "hearth.local", RecordType::A).is_empty());
}

#[test]
fn a_goodbye_is_heeded_after_a_second() {
    let (mut lan, hearth, asker) = pair();
    assert_eq!(lan.ask(asker, "hearth.local", RecordType::A).len(), 1);
    let now = lan.now;
    lan.machines[hearth].node.stop(now);
    lan.pass(2 * SECOND);
    assert!(lan.ask(asker, "hearth.local", RecordType::A).is_empty());
}

#[test]
fn a_new_address_replaces_the_old_one() {
    let (mut lan, hearth, asker) = pair();
    assert_eq!(words(&lan.ask(asker, "hearth.local", RecordType::A)), ["10.0.0.2"]);
    let address = &mut lan.machines[hearth].ports.get_mut(&2).unwrap().1[0].address;
    *address = [10, 0, 0, 42].into();
    lan.replug(hearth);
    lan.pass(5 * SECOND);
    assert_eq!(words(&lan.ask(asker, "hearth.local", RecordType::A)), ["10.0.0.42"]);
}

#[test]
fn another_name_takes_the_old_one_back() {
    let (mut lan, hearth, asker) = pair();
    assert_eq!(lan.ask(asker, "hearth.local", RecordType::A).len(), 1);
    lan.want(hearth, wanted("attic", &[]));
    lan.pass(5 * SECOND);
    assert!(lan.ask(asker, "hearth.local", RecordType::A).is_empty());
    assert_eq!(words(&lan.ask(asker, "attic.local", RecordType::A)), ["10.0.0.2"]);
}

#[test]
fn names_of_apps_come_and_go_while_the_box_stays() {
    let (mut lan, hearth, asker) = pair();
    let start = lan.now;
    lan.want(hearth, wanted("hearth", &["notes"]));
    lan.pass(5 * SECOND);
    let probed: Vec<String> = lan
        .sent_since(start, hearth)
        .iter()
        .flat_map(|(_, _, packet)| packet.questions.iter().map(|question| question.name.to_ascii()))
        .collect();
    assert_eq!(probed, ["notes.hearth.local."; 3], "only what is new is asked for");
    assert_eq!(words(&lan.ask(asker, "notes.hearth.local", RecordType::A)), ["10.0.0.2"]);
    lan.want(hearth, wanted("hearth", &[]));
    lan.pass(2 * SECOND);
    assert!(lan.ask(asker, "notes.hearth.local", RecordType::A).is_empty());
    assert_eq!(words(&lan.ask(asker, "hearth.local", RecordType::A)), ["10.0.0.2"]);
}

#[test]
fn many_apps_are_announced_in_packets_that_fit() {
    let (mut lan, hearth, asker) = pair();
    let names: Vec<String> = (0..300).map(|number| format!("app-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    lan.want(hearth, wanted("hearth", &names));
    lan.pass(10 * SECOND);
    let problem = lan.announced(hearth).problem;
    assert_eq!(problem.as_deref(), Some("only the first 256 names of apps are announced"));
    assert_eq!(lan.ask(asker, "app-255.hearth.local", RecordType::A).len(), 1);
}

#[test]
fn a_first_address_of_the_other_kind_makes_the_box_ask_again() {
    let mut lan = Lan::new(12);
    let hearth = lan.add("hearth");
    let both = lan.machines[hearth].ports[&2].1.clone();
    lan.machines[hearth].ports.get_mut(&2).unwrap().1 = both[1..].to_vec();
    lan.replug(hearth);
    lan.pass(MINUTE);
    let start = lan.now;
    lan.machines[hearth].ports.get_mut(&2).unwrap().1 = both;
    lan.replug(hearth);
    lan.pass(5 * SECOND);
    let probes =
        lan.sent_since(start, hearth).into_iter().filter(|(_, _, packet)| !packet.is_response).count();
    assert_eq!(probes, 3);
}

#[test]
fn a_flood_costs_no_more_than_its_budget() {
    let (mut lan, hearth, _) = pair();
    let question = hickory_proto::op::Query::query(name("hearth.local"), RecordType::A);
    let packet = Packet { questions: vec![question], ..Packet::default() };
    let (before, start) = (lan.machines[hearth].node.counters(), lan.now);
    for number in 0..20_000_u32 {
        lan.inject(&format!("10.0.0.{}:5353", 100 + number % 100), None, &packet);
        lan.inject("10.0.0.99:7777", None, &packet);
    }
    lan.pass(SECOND);
    let after = lan.machines[hearth].node.counters();
    assert_eq!(after.heeded - before.heeded, 800);
    assert_eq!(after.over_budget - before.over_budget, 39_200);
    let sent = lan.sent_since(start, hearth);
    let to_all = sent.iter().filter(|(_, to, _)| *to == Destination::Group).count();
    assert!(to_all <= 2, "{to_all}");
    assert!(sent.len() <= 102, "{}", sent.len());
}
