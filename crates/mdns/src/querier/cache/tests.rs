use super::*;
use crate::names;
use hickory_proto::rr::RData;
use hickory_proto::rr::rdata::A;

fn name(label: &str) -> Name {
    names::local(&[label]).unwrap()
}

fn record(label: &str, last: u8, ttl: u32, flush: bool) -> Record {
    let mut record = Record::from_rdata(name(label), ttl, RData::A(A::new(10, 0, 0, last)));
    record.mdns_cache_flush = flush;
    record
}

fn lasts(found: Found) -> Vec<u8> {
    let last = |record: &Record| {
        let RData::A(address) = &record.data else { panic!("{record:?}") };
        address.octets()[3]
    };
    found.records().iter().map(last).collect()
}

#[test]
fn records_are_used_as_long_as_they_say() {
    let (mut cache, start) = (Cache::default(), Instant::now());
    let at = |seconds| start + Duration::from_secs(seconds);
    cache.heard(start, 2, &record("a", 1, 120, true));
    assert_eq!(cache.find(at(119), &name("A"), RecordType::A).records()[0].ttl, 1);
    assert_eq!(cache.find(at(120), &name("a"), RecordType::A), Found::Nothing);
    cache.heard(start, 2, &record("b", 1, u32::MAX, true));
    assert_eq!(cache.find(at(4499), &name("b"), RecordType::ANY).records().len(), 1);
    assert_eq!(
        cache.find(at(4500), &name("b"), RecordType::ANY),
        Found::Nothing,
        "nobody is believed for ever"
    );
}

#[test]
fn a_flush_clears_older_records_of_that_link_after_a_second() {
    let (mut cache, start) = (Cache::default(), Instant::now());
    let at = |millis| start + Duration::from_millis(millis);
    let find = |cache: &Cache, millis| lasts(cache.find(at(millis), &name("a"), RecordType::A));
    cache.heard(at(0), 2, &record("a", 1, 120, true));
    cache.heard(at(0), 3, &record("a", 9, 120, true));
    cache.heard(at(100), 2, &record("a", 2, 120, true));
    assert_eq!(find(&cache, 5000), [1, 9, 2], "of one answer in two packets nothing is flushed");
    cache.heard(at(6000), 2, &record("a", 3, 120, true));
    assert_eq!(find(&cache, 6500), [1, 9, 2, 3]);
    assert_eq!(find(&cache, 7001), [9, 3]);
}

#[test]
fn a_goodbye_ends_one_record_after_a_second() {
    let (mut cache, start) = (Cache::default(), Instant::now());
    cache.heard(start, 2, &record("a", 1, 120, false));
    cache.heard(start, 2, &record("a", 2, 120, false));
    cache.heard(start, 2, &record("a", 1, 0, false));
    cache.heard(start, 2, &record("a", 3, 0, false));
    assert_eq!(lasts(cache.find(start, &name("a"), RecordType::A)), [1, 2]);
    let later = start + Duration::from_secs(1);
    assert_eq!(lasts(cache.find(later, &name("a"), RecordType::A)), [2]);
}

#[test]
fn only_shared_records_with_time_left_are_told_as_known() {
    let (mut cache, start) = (Cache::default(), Instant::now());
    cache.heard(start, 2, &record("a", 1, 120, false));
    cache.heard(start, 2, &record("a", 2, 120, true));
    let known = |seconds| {
        let known = cache.known(start + Duration::from_secs(seconds), 2, &name("a"), RecordType::A);
        known.iter().map(|record| record.ttl).collect::<Vec<_>>()
    };
    assert_eq!(known(10), [110]);
    assert_eq!(known(60), [0_u32; 0]);
    assert!(cache.known(start, 3, &name("a"), RecordType::A).is_empty(), "another link");
}

#[test]
fn memory_is_bounded_and_comes_back() {
    let (mut cache, start) = (Cache::default(), Instant::now());
    for last in 0..=255 {
        cache.heard(start, 2, &record("a", last, 120, false));
    }
    assert_eq!(cache.count, MAX_OF_NAME);
    for number in 0..5000 {
        cache.heard(start, 2, &record(&format!("n{number}"), 1, 120, false));
    }
    assert_eq!(cache.count, MAX_RECORDS);
    let kept: usize = cache.names.values().map(Vec::len).sum();
    assert_eq!(kept, MAX_RECORDS);
    assert_eq!(cache.names.len(), MAX_RECORDS - MAX_OF_NAME + 1);
    let later = start + Duration::from_secs(121);
    cache.heard(later, 2, &record("late", 1, 120, false));
    assert_eq!((cache.count, cache.names.len()), (1, 1), "what is over makes room");
    cache.keep_links(&[3]);
    assert_eq!((cache.count, cache.names.len()), (0, 0));
}
