use super::*;
use crate::wanted::Service;

fn link() -> Vec<LinkAddress> {
    let address = |text: &str, prefix| LinkAddress { address: text.parse().unwrap(), prefix };
    vec![address("10.0.0.2", 24), address("fe80::2", 64), address("fd00::2", 64)]
}

fn wanted(extras: &[&str], services: Vec<Service>) -> Wanted {
    let extra_hosts = extras.iter().map(|extra| extra.parse().unwrap()).collect();
    Wanted { host: "hearth".parse().unwrap(), extra_hosts, services }
}

fn identity() -> Identity {
    Identity { host_label: "hearth".to_owned(), instance_label: "hearth".to_owned(), lost: BTreeSet::new() }
}

fn https(txt: &[&str]) -> Service {
    let txt = txt.iter().map(|text| (*text).to_owned()).collect();
    Service { kind: "_https._tcp", port: 443, txt }
}

fn name(labels: &[&str]) -> Name {
    names::local(labels).unwrap()
}

fn types(zone: &Zone, name: &Name) -> Vec<(RecordType, usize)> {
    zone.at(name).map(|(_, set)| (set.record_type, set.records.len())).collect()
}

#[test]
fn a_link_has_its_own_addresses_and_their_reverse_names() {
    let zone = Zone::build(&wanted(&["notes"], vec![https(&[])]), &identity(), &link());
    let addresses = [(RecordType::A, 1), (RecordType::AAAA, 2), (RecordType::NSEC, 1)];
    assert_eq!(types(&zone, &name(&["hearth"])), addresses);
    assert_eq!(types(&zone, &name(&["notes", "hearth"])), addresses);
    let reverse = Name::from_ascii("2.0.0.10.in-addr.arpa.").unwrap();
    assert_eq!(types(&zone, &reverse), [(RecordType::PTR, 1), (RecordType::NSEC, 1)]);
    let instance = name(&["hearth", "_https", "_tcp"]);
    assert_eq!(types(&zone, &instance), [(RecordType::SRV, 1), (RecordType::TXT, 1), (RecordType::NSEC, 1)]);
    assert_eq!(types(&zone, &name(&["_https", "_tcp"])), [(RecordType::PTR, 1)]);
    assert_eq!(types(&zone, &name(&["_services", "_dns-sd", "_udp"])), [(RecordType::PTR, 1)]);
    assert_eq!(zone.claims.len(), 3, "the reverse names are nobody else's anyway");
    let unique = zone.sets.iter().filter(|set| set.kind != Kind::Shared);
    assert!(unique.flat_map(|set| &set.records).all(|record| record.mdns_cache_flush));
    assert!(zone.proposed(&instance).iter().all(|record| !record.mdns_cache_flush));
}

#[test]
fn without_addresses_nothing_is_said() {
    assert!(Zone::build(&wanted(&[], vec![https(&[])]), &identity(), &[]).sets.is_empty());
}

#[test]
fn texts_are_kept_as_far_as_they_are_allowed() {
    let long = "x".repeat(256);
    let many = vec!["k=".to_owned() + &"v".repeat(250); 10];
    let texts = |txt: &[&str]| {
        let zone = Zone::build(&wanted(&[], vec![https(txt)]), &identity(), &link());
        let set = zone.sets.into_iter().find(|set| set.record_type == RecordType::TXT).unwrap();
        let RData::TXT(text) = &set.records[0].data else { panic!("{set:?}") };
        text.txt_data.iter().map(|text| text.to_vec()).collect::<Vec<_>>()
    };
    assert_eq!(texts(&["path=/", "", &long, "v=1"]), [b"path=/".to_vec(), b"v=1".to_vec()]);
    assert_eq!(texts(&[]), [Vec::<u8>::new()]);
    assert_eq!(texts(&many.iter().map(String::as_str).collect::<Vec<_>>()).len(), 5);
}

#[test]
fn a_service_that_is_no_pair_of_labels_or_comes_twice_is_left_out() {
    let odd = |kind| Service { kind, port: 1, txt: Vec::new() };
    let services = vec![https(&[]), https(&[]), odd("_https"), odd("._tcp"), odd("")];
    let zone = Zone::build(&wanted(&["hearth", "hearth"], services), &identity(), &link());
    assert_eq!(zone.claims.len(), 3, "{:?}", zone.claims);
}

#[test]
fn what_comes_next_rides_along() {
    let zone = Zone::build(&wanted(&[], vec![https(&[])]), &identity(), &link());
    let position = |name: &Name, record_type| {
        zone.at(name).find(|(_, set)| set.record_type == record_type).map(|(at, _)| at).unwrap()
    };
    let host = name(&["hearth"]);
    let instance = name(&["hearth", "_https", "_tcp"]);
    let (a, aaaa) = (position(&host, RecordType::A), position(&host, RecordType::AAAA));
    let (srv, txt) = (position(&instance, RecordType::SRV), position(&instance, RecordType::TXT));
    assert_eq!(
        zone.additional(&[position(&name(&["_https", "_tcp"]), RecordType::PTR)]),
        [srv, txt, a, aaaa]
    );
    assert_eq!(zone.additional(&[srv]), [a, aaaa]);
    assert_eq!(zone.additional(&[aaaa]), [a]);
    assert!(zone.additional(&[txt]).is_empty());

    let only_v4 = Zone::build(&wanted(&[], Vec::new()), &identity(), &link()[..1]);
    let denial = only_v4.at(&host).find(|(_, set)| set.kind == Kind::Denial).unwrap().0;
    assert_eq!(only_v4.additional(&[0]), [denial], "that there is no IPv6 address");
    assert!(denies(&only_v4.sets[denial].records[0], RecordType::AAAA));
}

#[test]
fn a_denial_that_is_not_ours_to_read_denies_nothing() {
    let zone = Zone::build(&wanted(&[], Vec::new()), &identity(), &link());
    let good = zone.sets.iter().find(|set| set.kind == Kind::Denial).unwrap().records[0].clone();
    assert!(denies(&good, RecordType::TXT) && !denies(&good, RecordType::A));
    let mut other_name = good.clone();
    other_name.name = name(&["attic"]);
    assert!(!denies(&other_name, RecordType::TXT));
    for cut in 0..20 {
        let mut short = good.clone();
        let RData::Unknown { rdata, .. } = &mut short.data else { panic!() };
        rdata.anything.truncate(cut);
        assert!(!denies(&short, RecordType::TXT), "{cut}");
    }
}
