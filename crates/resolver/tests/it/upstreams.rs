//! Which upstream is asked, and what happens when it is no good.

use crate::clients::addresses;
use crate::clients::ask_plainly;
use crate::clients::open_resolver;
use crate::clients::reason;
use crate::clients::surroundings;
use crate::clients::with;
use crate::fake::Fake;
use crate::fake::Manner;
use crate::support::Authority;
use crate::support::free_port;
use crate::support::over_https;
use crate::support::over_tls;
use crate::support::settings;
use crate::support::timing;
use crate::support::wait_until;
use crate::unbound::Unbound;
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use resolver::DomainName;
use resolver::Resolver;
use resolver::Surroundings;
use resolver::TrustAnchors;
use resolver::config::Timing;
use resolver::resolver::ResolveError;
use resolver::upstream::Failure;
use resolver::upstream::UpstreamState;
use resolver::validate::LookupError;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

const NO_REACHABLE_AUTHORITY: u16 = 22;

fn failure(state: &UpstreamState) -> Failure {
    match state {
        UpstreamState::Failing { reason } => reason.clone(),
        UpstreamState::Ok => panic!("it is not failing"),
    }
}

#[tokio::test]
async fn a_bad_upstream_is_passed_over_and_remembered() {
    let unbound = Unbound::start().await;
    let manners = [
        (Manner::Mute, Some(Failure::Silent)),
        (Manner::Silent, Some(Failure::Silent)),
        (Manner::Late, Some(Failure::Silent)),
        (Manner::Closes, Some(Failure::Closes)),
        (Manner::HangsUp, Some(Failure::Closes)),
        // Bytes that are no message have no id to belong to: the question stays without an answer.
        (Manner::Garbage, Some(Failure::Silent)),
        (Manner::Elsewhere, Some(Failure::Nonsense)),
        (Manner::Code(ResponseCode::Refused), Some(Failure::RefusesQuestions)),
        (Manner::Code(ResponseCode::FormErr), Some(Failure::Nonsense)),
        (Manner::Plaintext, None),
    ];
    for (manner, expected) in manners {
        let fake = Fake::start("bad", &unbound.authority, manner).await;
        let both = settings(&unbound.authority, vec![fake.upstream.clone(), unbound.over_tls()]);
        let resolver = open_resolver(both, &unbound.zones.anchors);
        let answer = ask_plainly(&resolver, "host.plain.", RecordType::A).await;
        assert_eq!(addresses(&answer), ["192.0.2.4"], "{manner:?}");
        let status = resolver.stats().upstreams;
        assert_eq!(status[1].state, UpstreamState::Ok, "{manner:?}");
        assert!(status[0].failures >= 1 && status[0].queries >= status[0].failures);
        let failure = failure(&status[0].state);
        match expected {
            Some(expected) => assert_eq!(failure, expected, "{manner:?}"),
            None => assert!(matches!(failure, Failure::Encryption { .. }), "{manner:?}: {failure:?}"),
        }
        // It rests now: the next questions go straight to the good one.
        let connections = fake.connections.load(Ordering::SeqCst);
        ask_plainly(&resolver, "time.plain.", RecordType::A).await;
        assert_eq!(fake.connections.load(Ordering::SeqCst), connections, "{manner:?}");
    }
}

#[tokio::test]
async fn without_any_good_upstream_the_answer_is_failure() {
    let authority = Authority::new();
    let closed = over_tls("closed", free_port());
    let mute = Fake::start("mute", &authority, Manner::Mute).await;
    let anchors = Arc::new(TrustAnchors::default());
    let resolver = open_resolver(settings(&authority, vec![closed, mute.upstream.clone()]), &anchors);
    let mut message = crate::clients::question("www.example.", RecordType::A);
    message.edns.get_or_insert_default();
    let answer = crate::clients::send(&resolver, &message, crate::clients::CLIENT).await;
    assert_eq!(answer.metadata.response_code, ResponseCode::ServFail);
    assert_eq!(reason(&answer), Some(NO_REACHABLE_AUTHORITY));
    let status = resolver.stats().upstreams;
    assert_eq!(failure(&status[0].state), Failure::RefusesConnections);
    assert_eq!(failure(&status[0].state).to_string(), "it refuses connections");
    assert_eq!(failure(&status[1].state), Failure::Silent);
}

#[tokio::test]
async fn nobody_to_ask_is_failure() {
    let resolver = open_resolver(settings(&Authority::new(), Vec::new()), &Arc::new(TrustAnchors::default()));
    let answer = ask_plainly(&resolver, "www.example.", RecordType::A).await;
    assert_eq!(answer.metadata.response_code, ResponseCode::ServFail);
}

#[tokio::test]
async fn an_upstream_that_cannot_find_out_is_not_failing() {
    let unbound = Unbound::start().await;
    let fake = Fake::start("lame", &unbound.authority, Manner::Code(ResponseCode::ServFail)).await;
    let both = settings(&unbound.authority, vec![fake.upstream.clone(), unbound.over_tls()]);
    let resolver = open_resolver(both, &unbound.zones.anchors);
    assert_eq!(addresses(&ask_plainly(&resolver, "host.plain.", RecordType::A).await), ["192.0.2.4"]);
    assert_eq!(resolver.stats().upstreams[0].state, UpstreamState::Ok);
    // Alone, it decides.
    let alone =
        open_resolver(settings(&unbound.authority, vec![fake.upstream.clone()]), &unbound.zones.anchors);
    let answer = ask_plainly(&alone, "host.plain.", RecordType::A).await;
    assert_eq!(answer.metadata.response_code, ResponseCode::ServFail);
}

#[tokio::test]
async fn a_wrong_certificate_is_not_spoken_to() {
    let unbound = Unbound::start().await;
    let other_name = unbound.authority.issue("other.upstream.example").server_config();
    let stranger = Authority::new().issue(crate::support::SERVER_NAME).server_config();
    for certificate in [other_name, stranger] {
        let fake = Fake::with_certificate("forged", certificate, Manner::Code(ResponseCode::NXDomain)).await;
        let both = settings(&unbound.authority, vec![fake.upstream.clone(), unbound.over_tls()]);
        let resolver = open_resolver(both, &unbound.zones.anchors);
        assert_eq!(addresses(&ask_plainly(&resolver, "host.plain.", RecordType::A).await), ["192.0.2.4"]);
        let failure = failure(&resolver.stats().upstreams[0].state);
        assert!(matches!(failure, Failure::Certificate { .. }), "{failure}");
        // Over HTTPS, and alone: failure, not an answer.
        let https = over_https("forged", fake.upstream.port);
        let alone = open_resolver(settings(&unbound.authority, vec![https]), &unbound.zones.anchors);
        let answer = ask_plainly(&alone, "host.plain.", RecordType::A).await;
        assert_eq!(answer.metadata.response_code, ResponseCode::ServFail);
    }
}

#[tokio::test]
async fn another_address_of_the_same_upstream_is_tried() {
    let unbound = Unbound::start().await;
    let mut upstream = unbound.over_tls();
    // Nobody listens on the first two.
    upstream.addresses =
        vec!["127.0.0.2".parse().unwrap(), "127.0.0.3".parse().unwrap(), "127.0.0.1".parse().unwrap()];
    let resolver = open_resolver(settings(&unbound.authority, vec![upstream]), &unbound.zones.anchors);
    assert_eq!(addresses(&ask_plainly(&resolver, "host.plain.", RecordType::A).await), ["192.0.2.4"]);
    assert_eq!(resolver.stats().upstreams[0].state, UpstreamState::Ok);
}

#[tokio::test]
async fn a_connection_is_shared_and_closed_when_idle() {
    let unbound = Unbound::start().await;
    let timing = Timing { idle_upstream: Duration::from_millis(300), ..timing() };
    let surroundings = Surroundings { timing, ..surroundings(&unbound.zones.anchors) };
    let upstream = unbound.over_tls();
    let port = upstream.port;
    let resolver = with(settings(&unbound.authority, vec![upstream]), surroundings);
    let names = ["host.plain.", "time.plain.", "www.other.", "missing.example."];
    futures_util::future::join_all(names.map(|name| ask_plainly(&resolver, name, RecordType::A))).await;
    assert!(established_to(port) <= 1);
    wait_until("the idle connection is closed", || established_to(port) == 0).await;
    // And made anew, without a failure.
    assert_eq!(addresses(&ask_plainly(&resolver, "service.plain.", RecordType::HTTPS).await).len(), 0);
    assert_eq!(resolver.stats().upstreams[0].failures, 0);
}

/// Connections of this machine to a loopback port, by the kernel's table.
fn established_to(port: u16) -> usize {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let remote = format!("0100007F:{port:04X}");
    table
        .lines()
        .filter_map(|line| line.split_whitespace().skip(2).take(2).collect::<Vec<_>>().try_into().ok())
        .filter(|[address, state]: &[&str; 2]| *address == remote && *state == "01")
        .count()
}

/// A resolver whose clock is not set: time servers' names are asked as they are, each a question of two.
fn asking_for_time(authority: &Authority, fake: &Fake) -> Resolver {
    let surroundings = Surroundings { timing: timing(), ..Surroundings::default() };
    with(settings(authority, vec![fake.upstream.clone()]), surroundings)
}

#[tokio::test]
async fn one_slow_name_is_not_held_against_an_upstream_that_answers_others() {
    let authority = Authority::new();
    let fake = Fake::start("mostly quick", &authority, Manner::SlowNames).await;
    let resolver = asking_for_time(&authority, &fake);
    let (slow, quick): (DomainName, DomainName) =
        ("slow.plain".parse().unwrap(), "quick.plain".parse().unwrap());
    let mut waiting = std::pin::pin!(resolver.resolve_for_time(&slow));
    loop {
        tokio::select! {
            found = &mut waiting => {
                assert!(matches!(found, Err(ResolveError::Lookup { source: LookupError::Unreachable, .. })), "{found:?}");
                break;
            }
            found = resolver.resolve_for_time(&quick) => {
                assert!(matches!(found, Err(ResolveError::NoAddress { .. })), "{found:?}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
    let status = resolver.stats().upstreams.remove(0);
    assert_eq!((status.state, status.failures), (UpstreamState::Ok, 0));
    assert_eq!(fake.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_connection_that_the_other_side_closed_is_replaced_without_failure() {
    let authority = Authority::new();
    let fake = Fake::start("brief", &authority, Manner::OneEach).await;
    let resolver = asking_for_time(&authority, &fake);
    for number in 0..5 {
        let name: DomainName = format!("n{number}.plain").parse().unwrap();
        let found = resolver.resolve_for_time(&name).await;
        assert!(matches!(found, Err(ResolveError::NoAddress { .. })), "{number}: {found:?}");
    }
    assert!(fake.connections.load(Ordering::SeqCst) >= 5);
    assert_eq!(resolver.stats().upstreams[0].state, UpstreamState::Ok);
}

#[tokio::test]
async fn who_asks_after_a_change_does_not_wait_for_what_was_asked_before_it() {
    let unbound = Unbound::start().await;
    let mute = Fake::start("mute", &unbound.authority, Manner::Mute).await;
    let dead = settings(&unbound.authority, vec![mute.upstream.clone()]);
    let resolver = open_resolver(dead, &unbound.zones.anchors);
    let before = tokio::spawn({
        let resolver = resolver.clone();
        async move { ask_plainly(&resolver, "host.plain.", RecordType::A).await }
    });
    wait_until("the dead one is asked", || mute.connections.load(Ordering::SeqCst) > 0).await;
    resolver.set_settings(settings(&unbound.authority, vec![unbound.over_tls()])).unwrap();
    assert_eq!(addresses(&ask_plainly(&resolver, "host.plain.", RecordType::A).await), ["192.0.2.4"]);
    assert_eq!(resolver.stats().cached.0, 1);
    // What the dead one did not say is not kept either.
    assert_eq!(before.await.unwrap().metadata.response_code, ResponseCode::ServFail);
    assert_eq!(addresses(&ask_plainly(&resolver, "host.plain.", RecordType::A).await), ["192.0.2.4"]);
}

#[tokio::test]
async fn settings_that_make_no_sense_change_nothing() {
    let unbound = Unbound::start().await;
    let good = settings(&unbound.authority, vec![unbound.over_tls()]);
    let resolver = open_resolver(good.clone(), &unbound.zones.anchors);
    let mut bad = good.clone();
    bad.upstreams[0].port = 53;
    resolver.set_settings(bad).unwrap_err();
    assert_eq!(addresses(&ask_plainly(&resolver, "host.plain.", RecordType::A).await), ["192.0.2.4"]);
    let cached = resolver.stats().cached;
    resolver.set_settings(good.clone()).unwrap();
    assert_eq!(resolver.stats().cached, cached);
    let mut other = good;
    other.upstreams = vec![unbound.over_https()];
    resolver.set_settings(other).unwrap();
    assert_eq!(resolver.stats().cached, (0, 0));
    assert_eq!(addresses(&ask_plainly(&resolver, "host.plain.", RecordType::A).await), ["192.0.2.4"]);
}
