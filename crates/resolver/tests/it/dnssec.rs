//! What is proved, what is not, and what is false.

use crate::clients::addresses;
use crate::clients::ask;
use crate::clients::ask_plainly;
use crate::clients::open_resolver;
use crate::clients::reason;
use crate::clients::surroundings;
use crate::clients::verdict;
use crate::clients::with;
use crate::support::settings;
use crate::unbound::Unbound;
use hickory_proto::op::ResponseCode::NXDomain;
use hickory_proto::op::ResponseCode::NoError;
use hickory_proto::op::ResponseCode::ServFail;
use hickory_proto::rr::RecordType;
use resolver::Surroundings;
use resolver::TrustAnchors;
use resolver::resolver::ResolveError;
use resolver::validate::LookupError;
use std::sync::Arc;

const BOGUS: u16 = 6;

#[tokio::test]
async fn signed_names_are_proved_and_said_to_be_only_to_who_asks() {
    let unbound = Unbound::start().await;
    for upstream in [unbound.over_tls(), unbound.over_https()] {
        let resolver = open_resolver(settings(&unbound.authority, vec![upstream]), &unbound.zones.anchors);
        let answer = ask(&resolver, "www.example.", RecordType::A).await;
        assert_eq!((verdict(&answer), addresses(&answer)), ((NoError, true), vec!["192.0.2.1".into()]));
        assert!(answer.answers.iter().any(|record| record.record_type() == RecordType::RRSIG));
        let answer = ask_plainly(&resolver, "www.example.", RecordType::AAAA).await;
        assert_eq!((verdict(&answer), addresses(&answer)), ((NoError, false), vec!["2001:db8::1".into()]));
        assert_eq!(answer.answers.len(), 1);
        // A name under a signed zone with NSEC3.
        assert_eq!(verdict(&ask(&resolver, "www.other.", RecordType::A).await), (NoError, true));
        assert_eq!(resolver.stats().bogus, 0);
    }
}

#[tokio::test]
async fn unsigned_names_are_answered_without_proof() {
    let unbound = Unbound::start().await;
    let resolver =
        open_resolver(settings(&unbound.authority, vec![unbound.over_tls()]), &unbound.zones.anchors);
    let answer = ask(&resolver, "host.plain.", RecordType::A).await;
    assert_eq!((verdict(&answer), addresses(&answer)), ((NoError, false), vec!["192.0.2.4".into()]));
    assert_eq!(verdict(&ask(&resolver, "missing.plain.", RecordType::A).await), (NXDomain, false));
    assert_eq!(verdict(&ask(&resolver, "host.plain.", RecordType::AAAA).await), (NoError, false));
}

#[tokio::test]
async fn absence_is_proved() {
    let unbound = Unbound::start().await;
    let resolver =
        open_resolver(settings(&unbound.authority, vec![unbound.over_tls()]), &unbound.zones.anchors);
    assert_eq!(verdict(&ask(&resolver, "missing.example.", RecordType::A).await), (NXDomain, true));
    assert_eq!(verdict(&ask(&resolver, "www.example.", RecordType::TXT).await), (NoError, true));
    // Opt-out leaves room for unsigned names: there is no proof, and no falsehood.
    assert_eq!(verdict(&ask(&resolver, "missing.other.", RecordType::A).await), (NXDomain, false));
    assert_eq!(verdict(&ask(&resolver, "www.other.", RecordType::TXT).await), (NoError, false));
    assert_eq!(resolver.stats().bogus, 0);
}

#[tokio::test]
async fn aliases_lead_across_zones() {
    let unbound = Unbound::start().await;
    let resolver =
        open_resolver(settings(&unbound.authority, vec![unbound.over_tls()]), &unbound.zones.anchors);
    let answer = ask(&resolver, "alias.example.", RecordType::A).await;
    assert_eq!((verdict(&answer), addresses(&answer)), ((NoError, true), vec!["192.0.2.1".into()]));
    // From a signed zone to an unsigned one: the whole is not proved.
    let answer = ask(&resolver, "across.example.", RecordType::A).await;
    assert_eq!((verdict(&answer), addresses(&answer)), ((NoError, false), vec!["192.0.2.4".into()]));
    // From a signed zone into another that has no such name or data.
    assert_eq!(ask(&resolver, "nowhere.example.", RecordType::A).await.metadata.response_code, NXDomain);
    let answer = ask(&resolver, "empty.example.", RecordType::AAAA).await;
    assert_eq!((answer.metadata.response_code, addresses(&answer).len()), (NoError, 0));
    // Made from wildcards.
    let answer = ask(&resolver, "a.wild.example.", RecordType::A).await;
    assert_eq!((verdict(&answer), addresses(&answer)), ((NoError, true), vec!["192.0.2.9".into()]));
    let answer = ask(&resolver, "a.b.wild.example.", RecordType::A).await;
    assert_eq!((verdict(&answer), addresses(&answer)), ((NoError, true), vec!["192.0.2.9".into()]));
    assert_eq!(verdict(&ask(&resolver, "a.wild.example.", RecordType::TXT).await).0, NoError);
    for name in ["a.wild.other.", "a.b.wild.other."] {
        let answer = ask(&resolver, name, RecordType::A).await;
        assert_eq!(
            (verdict(&answer), addresses(&answer)),
            ((NoError, true), vec!["192.0.2.9".into()]),
            "{name}"
        );
    }
    let answer = ask(&resolver, "a.wildalias.example.", RecordType::A).await;
    assert_eq!((verdict(&answer), addresses(&answer)), ((NoError, true), vec!["192.0.2.2".into()]));
    // Made from a DNAME, which bears the only signature.
    let answer = ask(&resolver, "host.old.example.", RecordType::A).await;
    assert_eq!((verdict(&answer), addresses(&answer)), ((NoError, true), vec!["192.0.2.77".into()]));
    assert_eq!(resolver.stats().bogus, 0);
}

#[tokio::test]
async fn a_circle_of_aliases_fails() {
    let unbound = Unbound::start().await;
    let resolver =
        open_resolver(settings(&unbound.authority, vec![unbound.over_tls()]), &unbound.zones.anchors);
    let answer = ask(&resolver, "loop1.example.", RecordType::A).await;
    assert_eq!(answer.metadata.response_code, ServFail);
}

#[tokio::test]
async fn damaged_and_stale_data_is_not_handed_on() {
    let unbound = Unbound::start().await;
    let resolver =
        open_resolver(settings(&unbound.authority, vec![unbound.over_tls()]), &unbound.zones.anchors);
    for name in ["damaged.example.", "www.stale."] {
        let answer = ask(&resolver, name, RecordType::A).await;
        assert_eq!(
            (verdict(&answer), addresses(&answer), reason(&answer)),
            ((ServFail, false), vec![], Some(BOGUS))
        );
    }
    // "Checking disabled" is repeated and changes nothing.
    let mut message = crate::clients::question("damaged.example.", RecordType::A);
    message.metadata.checking_disabled = true;
    let answer = crate::clients::send(&resolver, &message, crate::clients::CLIENT).await;
    assert_eq!((verdict(&answer), answer.metadata.checking_disabled), ((ServFail, false), true));
    assert!(resolver.stats().bogus >= 2);
    let name = "damaged.example".parse().unwrap();
    assert!(matches!(
        resolver.resolve(&name).await,
        Err(ResolveError::Lookup { source: LookupError::Bogus, .. })
    ));
}

#[tokio::test]
async fn under_another_root_nothing_is_believed() {
    let unbound = Unbound::start().await;
    let real_root = Arc::new(TrustAnchors::default());
    let resolver = open_resolver(settings(&unbound.authority, vec![unbound.over_tls()]), &real_root);
    for name in ["www.example.", "host.plain.", "missing.plain."] {
        assert_eq!(verdict(&ask(&resolver, name, RecordType::A).await), (ServFail, false), "{name}");
    }
}

#[tokio::test]
async fn only_time_servers_resolve_without_proof_and_only_until_the_clock_is_set() {
    let unbound = Unbound::start().await;
    // A root that proves nothing stands for a clock by which no signature is valid.
    let unsettled =
        Surroundings { clock_synchronised: false, ..surroundings(&Arc::new(TrustAnchors::default())) };
    let resolver = with(settings(&unbound.authority, vec![unbound.over_tls()]), unsettled);
    let name = "time.plain".parse().unwrap();
    assert_eq!(
        resolver.resolve_for_time(&name).await.unwrap(),
        ["192.0.2.123".parse::<std::net::IpAddr>().unwrap(), "2001:db8::123".parse().unwrap()]
    );
    assert!(matches!(resolver.resolve(&name).await, Err(ResolveError::Lookup { .. })));
    assert_eq!(verdict(&ask(&resolver, "time.plain.", RecordType::A).await), (ServFail, false));
    let inside = "inside.plain".parse().unwrap();
    assert!(matches!(resolver.resolve_for_time(&inside).await, Err(ResolveError::Blocked { .. })));
    resolver.set_clock_synchronised(true);
    assert!(matches!(resolver.resolve_for_time(&name).await, Err(ResolveError::Lookup { .. })));
}

#[tokio::test]
async fn what_proves_others_can_be_asked_for_itself() {
    let unbound = Unbound::start().await;
    let resolver =
        open_resolver(settings(&unbound.authority, vec![unbound.over_tls()]), &unbound.zones.anchors);
    // Has keys and delegations remembered from proving.
    ask(&resolver, "host.plain.", RecordType::A).await;
    ask(&resolver, "www.example.", RecordType::TXT).await;
    for (name, kind) in [
        ("example.", RecordType::DS),
        ("example.", RecordType::DNSKEY),
        (".", RecordType::DNSKEY),
        (".", RecordType::NS),
        ("old.example.", RecordType::DNAME),
    ] {
        let answer = ask(&resolver, name, kind).await;
        assert_eq!(verdict(&answer), (NoError, true), "{name} {kind}");
        assert!(answer.answers.iter().any(|record| record.record_type() == kind), "{name} {kind}");
    }
    assert_eq!(resolver.stats().bogus, 0);
}
