//! One link, packet by packet.

use super::*;
use crate::packet::decode;
use crate::wanted::Destination;
use crate::wanted::LinkAddress;
use crate::wanted::Service;
use hickory_proto::op::Query;
use hickory_proto::rr::RData;
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::rdata::PTR;
use std::net::SocketAddr;

const HOST: &[&str] = &["hearth"];
const LISTING: &[&str] = &["_https", "_tcp"];

/// A responder that has its name, and a clock.
struct Hearth {
    responder: Responder,
    now: Instant,
}

fn name(labels: &[&str]) -> Name {
    names::local(labels).unwrap()
}

fn question(labels: &[&str], record_type: RecordType) -> Query {
    Query::query(name(labels), record_type)
}

fn unicast(labels: &[&str], record_type: RecordType) -> Query {
    let mut question = question(labels, record_type);
    question.mdns_unicast_response = true;
    question
}

fn query(questions: Vec<Query>) -> Packet {
    Packet { questions, ..Packet::default() }
}

fn own_pointer(ttl: u32) -> Record {
    Record::from_rdata(name(LISTING), ttl, RData::PTR(PTR(name(&["hearth", "_https", "_tcp"]))))
}

fn own_address() -> Record {
    let mut record = Record::from_rdata(name(HOST), 120, RData::A(A::new(10, 0, 0, 2)));
    record.mdns_cache_flush = true;
    record
}

impl Hearth {
    /// Announced, and silent since an hour.
    fn new() -> Self {
        let mut this = Self { responder: Responder::new(5), now: Instant::now() };
        let service = Service { kind: "_https._tcp", port: 443, txt: Vec::new() };
        let wanted =
            Wanted { host: "hearth".parse().unwrap(), extra_hosts: Vec::new(), services: vec![service] };
        let addresses = vec![LinkAddress { address: [10, 0, 0, 2].into(), prefix: 24 }];
        this.responder.want(this.now, wanted);
        this.responder.set_links(this.now, &[LinkAddresses { index: 2, name: "eth0".to_owned(), addresses }]);
        this.pass(3_600_000);
        this
    }

    /// Lets milliseconds pass and returns what was sent: when, to whom and what.
    fn pass(&mut self, millis: u64) -> Vec<(u128, Destination, Packet)> {
        let (start, end) = (self.now, self.now + Duration::from_millis(millis));
        let mut sent = Vec::new();
        loop {
            self.responder.elapse(self.now);
            for transmit in self.responder.take_transmits() {
                let after = (self.now - start).as_millis();
                sent.push((after, transmit.to, decode(&transmit.bytes).unwrap()));
            }
            match self.responder.next_wake() {
                Some(wake) if wake <= end => self.now = self.now.max(wake),
                _ => {
                    self.now = end;
                    return sent;
                }
            }
        }
    }

    fn hear_from(&mut self, source: &str, was_multicast: bool, packet: &Packet) {
        let source: SocketAddr = source.parse().unwrap();
        let arrival = Arrival { link: 2, source, was_multicast };
        if packet.is_response {
            self.responder.response(self.now, &arrival, packet);
        } else {
            self.responder.query(self.now, &arrival, packet);
        }
    }

    fn hear(&mut self, packet: &Packet) {
        self.hear_from("10.0.0.9:5353", true, packet);
    }
}

fn to_group(sent: &[(u128, Destination, Packet)]) -> usize {
    sent.iter().filter(|(_, to, _)| *to == Destination::Group).count()
}

fn to_one(sent: &[(u128, Destination, Packet)]) -> usize {
    sent.len() - to_group(sent)
}

#[test]
fn three_probes_then_three_announcements() {
    let mut this = Hearth::new();
    let wanted = Wanted { host: "attic".parse().unwrap(), extra_hosts: Vec::new(), services: Vec::new() };
    this.responder.want(this.now, wanted);
    let sent = this.pass(60_000);
    let (goodbyes, sent): (Vec<_>, Vec<_>) =
        sent.into_iter().partition(|(_, _, packet)| packet.answers.iter().any(|record| record.ttl == 0));
    assert_eq!(goodbyes.len(), 1);
    let (probes, announcements): (Vec<_>, Vec<_>) =
        sent.into_iter().partition(|(_, _, packet)| !packet.is_response);
    let gaps = |sent: &[(u128, Destination, Packet)]| -> Vec<u128> {
        sent.windows(2).map(|pair| pair[1].0 - pair[0].0).collect()
    };
    assert!(probes[0].0 <= 250, "{}", probes[0].0);
    assert_eq!((gaps(&probes), gaps(&announcements)), (vec![250, 250], vec![1000, 2000]));
    assert_eq!(announcements[0].0 - probes[2].0, 250);
    let probe = &probes[0].2;
    assert!(probe.questions[0].mdns_unicast_response && probe.questions[0].query_type == RecordType::ANY);
    assert_eq!(probe.authorities.len(), 1);
    assert!(announcements[0].2.answers.iter().all(|record| record.record_type() != RecordType::NSEC));
}

#[test]
fn unique_records_are_answered_at_once_and_shared_ones_after_a_while() {
    let mut this = Hearth::new();
    this.hear(&query(vec![question(HOST, RecordType::A)]));
    let sent = this.pass(2000);
    assert_eq!((sent.len(), sent[0].0), (1, 0));
    assert!(sent[0].2.answers[0].mdns_cache_flush);
    this.hear(&query(vec![question(LISTING, RecordType::PTR)]));
    let sent = this.pass(2000);
    assert!(sent.len() == 1 && (20..=120).contains(&sent[0].0), "{}", sent[0].0);
    assert!(!sent[0].2.answers[0].mdns_cache_flush && sent[0].2.additionals.len() >= 3);
    this.hear(&query(vec![question(HOST, RecordType::A), question(&["other"], RecordType::A)]));
    assert!(this.pass(2000)[0].0 >= 20, "another device has a say in it");
}

#[test]
fn no_record_is_multicast_twice_in_a_second_but_to_defend_the_name() {
    let mut this = Hearth::new();
    for _ in 0..5 {
        this.hear(&query(vec![question(HOST, RecordType::A)]));
        this.pass(100);
    }
    let sent = this.pass(5000);
    assert_eq!((sent.len(), sent[0].0), (1, 500), "the second one a second after the first");
    this.hear(&query(vec![question(HOST, RecordType::A)]));
    assert_eq!(this.pass(100).len(), 1);
    let theirs = Record::from_rdata(name(HOST), 120, RData::A(A::new(10, 0, 0, 200)));
    let probe = Packet { authorities: vec![theirs], ..query(vec![question(HOST, RecordType::ANY)]) };
    this.hear(&probe);
    let sent = this.pass(5000);
    assert_eq!((sent.len(), sent[0].0), (1, 150), "a quarter of a second after the last");
}

#[test]
fn known_answers_are_left_out_unless_they_are_old() {
    let mut this = Hearth::new();
    let ask =
        |ttl| Packet { answers: vec![own_pointer(ttl)], ..query(vec![question(LISTING, RecordType::PTR)]) };
    this.hear(&ask(2250));
    assert!(this.pass(2000).is_empty());
    this.hear(&ask(2249));
    assert_eq!(this.pass(2000).len(), 1);
}

#[test]
fn the_rest_of_known_answers_is_waited_for() {
    let mut this = Hearth::new();
    let first = Packet { is_truncated: true, ..query(vec![question(LISTING, RecordType::PTR)]) };
    let rest = Packet { answers: vec![own_pointer(4500)], ..Packet::default() };
    this.hear(&first);
    assert!(this.pass(300).is_empty());
    this.hear(&rest);
    assert!(this.pass(5000).is_empty(), "it was known");

    this.hear(&first);
    this.hear_from("10.0.0.10:5353", true, &rest);
    let sent = this.pass(5000);
    assert!(sent.len() == 1 && (400..=500).contains(&sent[0].0), "somebody else knew it: {}", sent[0].0);

    for _ in 0..100 {
        this.hear(&first);
    }
    assert!(this.responder.links[&2].parked.len() <= 16);
}

#[test]
fn an_answer_of_another_device_makes_ours_needless() {
    let mut this = Hearth::new();
    this.hear(&query(vec![question(LISTING, RecordType::PTR)]));
    let heard = |ttl| Packet { is_response: true, answers: vec![own_pointer(ttl)], ..Packet::default() };
    this.hear(&heard(4500));
    assert!(this.pass(2000).is_empty());
    this.hear(&heard(10));
    let sent = this.pass(2000);
    assert_eq!((sent.len(), sent[0].2.answers[0].ttl), (1, 4500), "said too short, it would be forgotten");
}

#[test]
fn who_asks_for_unicast_gets_it_if_all_have_heard_it_lately() {
    let mut this = Hearth::new();
    let ask = query(vec![unicast(HOST, RecordType::A)]);
    this.hear(&ask);
    let sent = this.pass(2000);
    assert_eq!((to_group(&sent), to_one(&sent)), (1, 0), "nobody heard it for an hour");
    this.hear(&ask);
    let sent = this.pass(2000);
    assert_eq!((to_group(&sent), to_one(&sent)), (0, 1));
    this.pass(30_000);
    this.hear(&ask);
    let sent = this.pass(2000);
    assert_eq!((to_group(&sent), to_one(&sent)), (1, 0), "a quarter of 120 s is over");
    this.hear_from("10.0.0.9:5353", false, &query(vec![question(HOST, RecordType::A)]));
    let sent = this.pass(2000);
    assert_eq!((to_group(&sent), to_one(&sent)), (0, 1), "asked directly");
    this.hear_from("192.168.9.9:5353", true, &ask);
    let sent = this.pass(2000);
    assert_eq!((to_group(&sent), to_one(&sent)), (1, 0), "nothing is sent to where the link does not reach");
}

#[test]
fn a_plain_resolver_gets_a_plain_answer() {
    let mut this = Hearth::new();
    let ask = Packet { id: 99, ..query(vec![question(HOST, RecordType::A)]) };
    this.hear_from("10.0.0.9:40000", true, &ask);
    let sent = this.pass(2000);
    assert_eq!(sent[0].1, Destination::Host("10.0.0.9:40000".parse().unwrap()));
    let answer = &sent[0].2;
    assert_eq!((answer.id, &answer.questions), (99, &ask.questions));
    assert!(answer.answers.iter().all(|record| record.ttl == 10 && !record.mdns_cache_flush));
    this.hear_from("192.168.9.9:40000", true, &ask);
    assert!(this.pass(2000).is_empty(), "an address not on the link may be made up");
    this.hear_from("10.0.0.9:40000", true, &query(vec![question(HOST, RecordType::TXT)]));
    assert!(this.pass(2000).is_empty());
}

#[test]
fn what_the_name_has_not_is_denied() {
    let mut this = Hearth::new();
    this.hear(&query(vec![question(HOST, RecordType::AAAA)]));
    let sent = this.pass(2000);
    let denial = &sent[0].2.answers[0];
    assert!(crate::zone::denies(denial, RecordType::AAAA) && !crate::zone::denies(denial, RecordType::A));
    this.hear(&query(vec![question(HOST, RecordType::A)]));
    let sent = this.pass(2000);
    assert!(sent[0].2.additionals.iter().any(|record| record.record_type() == RecordType::NSEC));
    this.hear(&query(vec![question(HOST, RecordType::ANY)]));
    assert_eq!(this.pass(2000)[0].2.answers, [own_address()]);
}

#[test]
fn strangers_names_and_classes_are_not_answered() {
    let mut this = Hearth::new();
    let mut chaos = question(HOST, RecordType::A);
    chaos.query_class = DNSClass::CH;
    for packet in [
        query(vec![question(&["other"], RecordType::A)]),
        query(vec![chaos]),
        query(vec![Query::query(Name::root(), RecordType::ANY)]),
        Packet::default(),
    ] {
        this.hear(&packet);
        assert!(this.pass(2000).is_empty(), "{packet:?}");
    }
}

#[test]
fn the_loser_of_a_tie_waits_and_the_winner_goes_on() {
    for (theirs, is_won) in [([10, 0, 0, 1], true), ([10, 0, 0, 3], false)] {
        let mut this = Hearth::new();
        this.responder.links.clear();
        let addresses = vec![LinkAddress { address: [10, 0, 0, 2].into(), prefix: 24 }];
        this.responder.set_links(this.now, &[LinkAddresses { index: 2, name: "eth0".to_owned(), addresses }]);
        this.pass(300);
        let theirs = Record::from_rdata(name(HOST), 120, RData::A(A(theirs.into())));
        let probe = Packet { authorities: vec![theirs], ..query(vec![unicast(HOST, RecordType::ANY)]) };
        this.hear(&probe);
        let sent = this.pass(900);
        let is_host = |packet: &Packet| packet.questions.iter().any(|question| question.name == name(HOST));
        let goes_on = sent.iter().any(|(_, _, packet)| is_host(packet));
        assert_eq!(goes_on, is_won);
        this.pass(3000);
        assert_eq!(this.responder.announced().name, "hearth", "the other one has not claimed it after all");
    }
}

#[test]
fn stopping_takes_everything_back_once() {
    let mut this = Hearth::new();
    this.responder.stop(this.now);
    let sent = this.pass(5000);
    let records: Vec<&Record> = sent.iter().flat_map(|(_, _, packet)| &packet.answers).collect();
    // A, that there is no AAAA, the reverse name, SRV, TXT, and two lists.
    assert_eq!((sent.len(), records.len()), (1, 7));
    assert!(records.iter().all(|record| record.ttl == 0));
    this.hear(&query(vec![question(HOST, RecordType::A)]));
    assert!(this.pass(5000).is_empty());
}
