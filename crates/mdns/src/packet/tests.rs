use super::*;
use crate::names;
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::rdata::PTR;
use proptest::collection::vec;
use proptest::prelude::ProptestConfig;
use proptest::prelude::any;
use proptest::prop_assert;
use proptest::proptest;

fn host() -> Name {
    names::local(&["hearth"]).unwrap()
}

fn address() -> Record {
    let mut record = Record::from_rdata(host(), 120, RData::A(A::new(10, 0, 0, 1)));
    record.mdns_cache_flush = true;
    record
}

fn packet() -> Packet {
    let mut question = Query::query(host(), RecordType::ANY);
    question.mdns_unicast_response = true;
    let pointer =
        Record::from_rdata(names::local(&["_http", "_tcp"]).unwrap(), 4500, RData::PTR(PTR(host())));
    Packet {
        id: 7,
        is_response: true,
        is_truncated: true,
        questions: vec![question],
        answers: vec![address(), pointer.clone()],
        authorities: vec![pointer],
        additionals: vec![address()],
    }
}

/// A header with these counts.
fn header(flags: u16, counts: [u16; 4]) -> Vec<u8> {
    [0, flags].into_iter().chain(counts).flat_map(u16::to_be_bytes).collect()
}

#[test]
fn a_packet_survives_the_wire() {
    let bytes = packet().encode().unwrap();
    assert_eq!(decode(&bytes).unwrap(), packet());
}

#[test]
fn the_two_borrowed_bits_are_on_the_wire() {
    let bytes = Packet { answers: vec![], authorities: vec![], additionals: vec![address()], ..packet() };
    let bytes = bytes.encode().unwrap();
    // Type ANY and class Internet with the bit for unicast; type A and class Internet with the bit for cache flush.
    assert!(bytes.windows(4).any(|window| window == [0, 255, 0x80, 1]), "{bytes:02x?}");
    assert!(bytes.windows(4).any(|window| window == [0, 1, 0x80, 1]), "{bytes:02x?}");
}

#[test]
fn what_is_no_message_for_us_is_refused() {
    assert!(matches!(decode(&[0; MAX_BYTES + 1]), Err(Malformed::TooLong { .. })));
    assert!(matches!(decode(&[0; 11]), Err(Malformed::TooShort)));
    assert!(matches!(decode(&header(0x2800, [0; 4])), Err(Malformed::Flags { .. })), "an update");
    assert!(matches!(decode(&header(0x8003, [0; 4])), Err(Malformed::Flags { .. })), "an error");
    assert!(matches!(decode(&header(0, [257, 0, 0, 0])), Err(Malformed::TooMany { .. })));
    assert!(matches!(decode(&header(0, [0, 200, 200, 200])), Err(Malformed::TooMany { .. })));
    assert!(matches!(decode(&header(0, [1, 0, 0, 0])), Err(Malformed::Part { part: 0, .. })));
    let bytes = packet().encode().unwrap();
    assert!(matches!(decode(&bytes[..bytes.len() - 1]), Err(Malformed::Part { part: 4, .. })));
    assert_eq!(decode(&header(0, [0; 4])).unwrap(), Packet::default());
}

#[test]
fn an_unreadable_record_costs_only_itself() {
    let mut bytes = header(0x8400, [0, 3, 0, 0]);
    // A of three bytes; nothing at all; and a good one.
    bytes.extend(b"\x01a\x00\x00\x01\x00\x01\x00\x00\x00\x78\x00\x03\x01\x02\x03");
    bytes.extend(b"\x01a\x00\x00\x01\x00\x01\x00\x00\x00\x78\x00\x00");
    bytes.extend(b"\x01a\x00\x00\x01\x80\x01\x00\x00\x00\x78\x00\x04\x01\x02\x03\x04");
    let packet = decode(&bytes).unwrap();
    assert_eq!(packet.answers.len(), 1);
    assert_eq!((packet.answers[0].ttl, packet.answers[0].mdns_cache_flush), (120, true));
}

#[test]
fn a_compressed_name_in_a_denial_is_written_out() {
    let mut bytes = header(0x8400, [0, 1, 0, 0]);
    bytes.extend(b"\x06hearth\x05local\x00\x00\x2f\x80\x01\x00\x00\x00\x78\x00\x05\xc0\x0c\x00\x01\x40");
    let packet = decode(&bytes).unwrap();
    let RData::Unknown { code: RecordType::NSEC, rdata } = &packet.answers[0].data else {
        panic!("{packet:?}");
    };
    assert_eq!(rdata.anything, b"\x06hearth\x05local\x00\x00\x01\x40");
    let denied = |record_type| crate::zone::denies(&packet.answers[0], record_type);
    assert!(!denied(RecordType::A) && denied(RecordType::AAAA) && denied(RecordType::TXT));
    assert!(!denied(RecordType::ANY));
}

#[test]
fn a_name_that_points_at_itself_is_refused() {
    let mut bytes = header(0, [1, 0, 0, 0]);
    bytes.extend(b"\xc0\x0c\x00\x01\x00\x01");
    assert!(matches!(decode(&bytes), Err(Malformed::Part { .. })));
}

#[test]
fn many_answers_are_spread_over_packets_and_sets_stay_together() {
    let set = |number: u8| -> Vec<Record> {
        let name = names::local(&[&format!("app-{number}"), "hearth"]).unwrap();
        (0..4)
            .map(|last| Record::from_rdata(name.clone(), 120, RData::A(A::new(10, 0, number, last))))
            .collect()
    };
    let packets = batch::responses((0..60).map(set).collect(), vec![set(200)]);
    assert!(packets.len() > 1 && packets.iter().all(|packet| packet.len() <= 1400), "{}", packets.len());
    let packets: Vec<Packet> = packets.iter().map(|bytes| decode(bytes).unwrap()).collect();
    assert!(packets.iter().all(|packet| packet.answers.len() % 4 == 0));
    assert_eq!(packets.iter().map(|packet| packet.answers.len()).sum::<usize>(), 240);
    assert_eq!(packets.iter().map(|packet| packet.additionals.len()).sum::<usize>(), 4);
}

#[test]
fn known_answers_that_do_not_fit_follow_in_further_packets() {
    let name = names::local(&["_http", "_tcp"]).unwrap();
    let known = |number: u16| {
        let instance = names::local(&[&format!("printer number {number}"), "_http", "_tcp"]).unwrap();
        Record::from_rdata(name.clone(), 4500, RData::PTR(PTR(instance)))
    };
    let packets = batch::query(Query::query(name.clone(), RecordType::PTR), (0..100).map(known).collect());
    let packets: Vec<Packet> = packets.iter().map(|bytes| decode(bytes).unwrap()).collect();
    let (last, others) = packets.split_last().unwrap();
    assert!(!others.is_empty() && others.iter().all(|packet| packet.is_truncated) && !last.is_truncated);
    assert!(packets.iter().skip(1).all(|packet| packet.questions.is_empty()));
    assert_eq!(packets.iter().map(|packet| packet.answers.len()).sum::<usize>(), 100);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic_and_stay_bounded(bytes in vec(any::<u8>(), 0..600)) {
        if let Ok(packet) = decode(&bytes) {
            prop_assert!(packet.questions.len() <= MAX_QUESTIONS);
        }
    }

    /// A good packet with some bytes changed and its end cut off gets further than noise.
    #[test]
    fn damaged_packets_never_panic(
        damage in vec((any::<proptest::sample::Index>(), any::<u8>()), 0..6), cut in any::<proptest::sample::Index>(),
    ) {
        let mut bytes = packet().encode().unwrap();
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        if let Ok(packet) = decode(&bytes) {
            let records = packet.answers.len() + packet.authorities.len() + packet.additionals.len();
            prop_assert!(records <= MAX_RECORDS);
            // Whatever was read can be written, and is read the same again.
            if let Some(bytes) = packet.encode() {
                prop_assert!(decode(&bytes).is_ok());
            }
        }
    }
}
