use super::*;
use hickory_proto::rr::RData;
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::rdata::PTR;

fn name(label: &str) -> Name {
    names::local(&[label]).unwrap()
}

fn ask(id: u64, label: &str, record_type: RecordType) -> Ask {
    Ask { id, name: name(label), record_type, timeout: Duration::from_secs(5) }
}

fn response(record: Record) -> Packet {
    Packet { is_response: true, answers: vec![record], ..Packet::default() }
}

fn address(label: &str) -> Record {
    let mut record = Record::from_rdata(name(label), 120, RData::A(A::new(10, 0, 0, 1)));
    record.mdns_cache_flush = true;
    record
}

fn querier() -> (Querier, Instant) {
    let mut querier = Querier::new(1);
    querier.set_links(vec![2, 3]);
    (querier, Instant::now())
}

#[test]
fn the_same_question_of_several_is_sent_once_a_second_on_each_link() {
    let (mut querier, start) = querier();
    let at = |millis| start + Duration::from_millis(millis);
    querier.ask(start, ask(1, "a", RecordType::A)).unwrap();
    querier.ask(start, ask(2, "a", RecordType::A)).unwrap();
    querier.elapse(at(100));
    assert_eq!(querier.take_transmits().iter().map(|sent| sent.link).collect::<Vec<_>>(), [2, 3]);
    querier.response(at(200), 2, &response(address("a")));
    querier.elapse(at(300));
    let answers = querier.take_answers();
    assert_eq!(
        answers.iter().map(|(id, records)| (*id, records.len())).collect::<Vec<_>>(),
        [(1, 1), (2, 1)]
    );
    // Another type of the same name is another question; the same one soon after has to wait.
    querier.ask(at(300), ask(3, "a", RecordType::AAAA)).unwrap();
    querier.ask(at(300), ask(4, "b", RecordType::A)).unwrap();
    querier.elapse(at(400));
    assert_eq!(querier.take_transmits().len(), 4);
    querier.forget(4);
    querier.ask(at(500), ask(5, "b", RecordType::A)).unwrap();
    querier.elapse(at(600));
    assert!(querier.take_transmits().is_empty());
    querier.elapse(at(1500));
    assert!(!querier.take_transmits().is_empty());
}

#[test]
fn a_list_is_collected_until_the_time_is_over() {
    let (mut querier, start) = querier();
    querier.ask(start, ask(1, "_http", RecordType::PTR)).unwrap();
    querier.elapse(start + Duration::from_millis(100));
    for target in ["a", "b"] {
        let record = Record::from_rdata(name("_http"), 4500, RData::PTR(PTR(name(target))));
        querier.response(start + Duration::from_millis(200), 2, &response(record));
    }
    querier.elapse(start + Duration::from_secs(4));
    assert!(querier.take_answers().is_empty());
    let known: Vec<usize> = querier
        .take_transmits()
        .iter()
        .map(|sent| crate::packet::decode(&sent.bytes).unwrap().answers.len())
        .collect();
    assert_eq!(known, [0, 0, 2, 0], "at first nothing is known, then what came on that link");
    querier.elapse(start + Duration::from_secs(5));
    assert_eq!(querier.take_answers()[0].1.len(), 2);
}

#[test]
fn what_nobody_asked_for_is_not_kept() {
    let (mut querier, start) = querier();
    querier.response(start, 2, &response(address("a")));
    assert!(!querier.cache.knows(&name("a")));
}

#[test]
fn questions_are_bounded() {
    let (mut querier, start) = querier();
    querier.ask(start, ask(1000, "known", RecordType::A)).unwrap();
    querier.response(start, 2, &response(address("known")));
    querier.forget(1000);
    for id in 0..1000 {
        let asked = querier.ask(start, ask(id, &format!("n{id}"), RecordType::A));
        assert_eq!(asked, if id < 128 { Ok(()) } else { Err(NotAsked::Busy) }, "{id}");
    }
    assert!(querier.take_answers().is_empty(), "to be busy is no answer");
    querier.ask(start, ask(1001, "known", RecordType::A)).unwrap();
    assert_eq!(querier.take_answers()[0].1.len(), 1, "what is known is answered all the same");
    querier.elapse(start + Duration::from_millis(100));
    assert_eq!(querier.take_transmits().len(), 2 * 50, "no more at once");
    querier
        .ask(start, Ask { name: Name::from_ascii("example.org.").unwrap(), ..ask(0, "a", RecordType::A) })
        .unwrap();
    assert_eq!(querier.take_answers(), [(0, Vec::new())], "not a name for multicast");
    querier.elapse(start + Duration::from_secs(5));
    assert_eq!(querier.take_answers().len(), MAX_WAITING);
    querier.elapse(start + Duration::from_secs(7));
    assert!(querier.asking.is_empty() && querier.next_wake().is_none());
}
