//! Names of the box, special names, and public names that point inside.

use crate::clients::addresses;
use crate::clients::ask;
use crate::clients::ask_plainly;
use crate::clients::open_resolver;
use crate::clients::reason;
use crate::clients::verdict;
use crate::support::settings;
use crate::unbound::Unbound;
use hickory_proto::op::ResponseCode::NXDomain;
use hickory_proto::op::ResponseCode::NoError;
use hickory_proto::rr::RecordType;
use resolver::resolver::ResolveError;

const BLOCKED: u16 = 15;

#[tokio::test]
async fn public_names_do_not_lead_inside() {
    let unbound = Unbound::start().await;
    let mut settings = settings(&unbound.authority, vec![unbound.over_tls()]);
    let resolver = open_resolver(settings.clone(), &unbound.zones.anchors);
    let inside = [
        ("inside.plain.", RecordType::A),
        ("mixed.plain.", RecordType::A),
        ("toinside.plain.", RecordType::A),
        ("inside6.plain.", RecordType::AAAA),
        ("mapped.plain.", RecordType::AAAA),
        ("nat64.plain.", RecordType::AAAA),
        ("badservice.plain.", RecordType::HTTPS),
        ("badservice6.plain.", RecordType::HTTPS),
    ];
    for (name, kind) in inside {
        let answer = ask(&resolver, name, kind).await;
        assert_eq!(
            (verdict(&answer), answer.answers.len(), reason(&answer)),
            ((NoError, false), 0, Some(BLOCKED)),
            "{name}"
        );
    }
    assert_eq!(resolver.stats().rebinding_blocked, u64::try_from(inside.len()).unwrap());
    let name = "inside.plain".parse().unwrap();
    assert!(matches!(resolver.resolve(&name).await, Err(ResolveError::Blocked { .. })));
    assert_eq!(ask(&resolver, "service.plain.", RecordType::HTTPS).await.answers.len(), 1);

    // The owner trusts this name, and no other.
    settings.rebinding_allowed = vec!["inside.plain".parse().unwrap()];
    resolver.set_settings(settings.clone()).unwrap();
    assert_eq!(addresses(&ask(&resolver, "inside.plain.", RecordType::A).await), ["192.168.1.1"]);
    assert_eq!(ask(&resolver, "mixed.plain.", RecordType::A).await.answers.len(), 0);
    assert_eq!(ask(&resolver, "below.inside.plain.", RecordType::A).await.answers.len(), 0);
    // The names below, and not itself.
    settings.rebinding_allowed = vec!["*.inside.plain".parse().unwrap()];
    resolver.set_settings(settings).unwrap();
    assert_eq!(addresses(&ask(&resolver, "below.inside.plain.", RecordType::A).await), ["192.168.1.2"]);
    assert_eq!(ask(&resolver, "inside.plain.", RecordType::A).await.answers.len(), 0);
}

#[tokio::test]
async fn special_names_never_leave_the_box() {
    let unbound = Unbound::start().await;
    let resolver =
        open_resolver(settings(&unbound.authority, vec![unbound.over_tls()]), &unbound.zones.anchors);
    for name in [
        "nas.",
        "printer.home.arpa.",
        "x.onion.",
        "x.test.",
        "use-application-dns.net.",
        "1.1.168.192.in-addr.arpa.",
        "b._dns-sd._udp.0.1.168.192.in-addr.arpa.",
    ] {
        assert_eq!(ask(&resolver, name, RecordType::A).await.metadata.response_code, NXDomain, "{name}");
    }
    let answer = ask(&resolver, "_dns.resolver.arpa.", RecordType::SVCB).await;
    assert_eq!((answer.metadata.response_code, answer.answers.len()), (NoError, 0));
    assert_eq!(addresses(&ask_plainly(&resolver, "localhost.", RecordType::A).await), ["127.0.0.1"]);
    assert_eq!(addresses(&ask_plainly(&resolver, "x.localhost.", RecordType::AAAA).await), ["::1"]);
    // Nothing of this was asked upstream; a public name is.
    let status = resolver.stats().upstreams.remove(0);
    assert_eq!((status.queries, unbound.asked("")), (0, 0));
    ask(&resolver, "host.plain.", RecordType::A).await;
    assert!(unbound.asked("host.plain. A IN") >= 1);
}

#[tokio::test]
async fn answers_are_kept_for_their_time_and_forgotten_on_demand() {
    let unbound = Unbound::start().await;
    let resolver =
        open_resolver(settings(&unbound.authority, vec![unbound.over_tls()]), &unbound.zones.anchors);
    for _ in 0..5 {
        let answer = ask_plainly(&resolver, "host.plain.", RecordType::A).await;
        assert!(answer.answers[0].ttl <= 300 && answer.answers[0].ttl > 0);
        ask_plainly(&resolver, "missing.plain.", RecordType::A).await;
    }
    assert_eq!((unbound.asked("host.plain. A IN"), unbound.asked("missing.plain. A IN")), (1, 1));
    let stats = resolver.stats();
    assert_eq!((stats.queries, stats.cache_hits, stats.cached.0), (10, 8, 2));
    // Zero is raised to the shortest time that is kept.
    assert_eq!(ask_plainly(&resolver, "brief.plain.", RecordType::A).await.answers[0].ttl, 5);
    // Signatures are another answer.
    ask(&resolver, "host.plain.", RecordType::A).await;
    resolver.flush();
    assert_eq!(resolver.stats().cached, (0, 0));
    ask_plainly(&resolver, "host.plain.", RecordType::A).await;
    assert_eq!(resolver.stats().cached.0, 1);
}

#[tokio::test]
async fn many_askers_make_one_question() {
    let unbound = Unbound::start().await;
    let resolver =
        open_resolver(settings(&unbound.authority, vec![unbound.over_tls()]), &unbound.zones.anchors);
    let asking = (0..50).map(|_| ask_plainly(&resolver, "host.plain.", RecordType::A));
    for answer in futures_util::future::join_all(asking).await {
        assert_eq!(addresses(&answer), ["192.0.2.4"]);
    }
    assert_eq!(unbound.asked("host.plain. A IN"), 1);
}

#[tokio::test]
async fn the_box_itself_resolves_both_families() {
    let unbound = Unbound::start().await;
    let resolver =
        open_resolver(settings(&unbound.authority, vec![unbound.over_https()]), &unbound.zones.anchors);
    let of = |name: &str| {
        let (resolver, name) = (resolver.clone(), name.parse().unwrap());
        async move { resolver.resolve(&name).await }
    };
    let found = of("time.plain").await.unwrap();
    assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), ["192.0.2.123", "2001:db8::123"]);
    assert!(matches!(of("missing.plain").await, Err(ResolveError::NoAddress { .. })));
    assert!(matches!(of("nas").await, Err(ResolveError::NoAddress { .. })));
    assert_eq!(resolver.resolve_for_time(&"time.plain".parse().unwrap()).await.unwrap(), found);
}
