//! Who may resolve what, and what happens before an answer goes out.

use crate::clients::CLIENT;
use crate::clients::addresses;
use crate::clients::question;
use crate::clients::send;
use crate::clients::surroundings;
use crate::clients::view;
use crate::support::settings;
use crate::support::timing;
use crate::support::wait_until;
use crate::unbound::Unbound;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hickory_proto::op::Message;
use hickory_proto::op::ResponseCode;
use hickory_proto::op::ResponseCode::NXDomain;
use hickory_proto::op::ResponseCode::NoError;
use hickory_proto::op::ResponseCode::Refused;
use hickory_proto::op::ResponseCode::ServFail;
use hickory_proto::rr::RData;
use hickory_proto::rr::RecordType;
use proptest::prelude::*;
use resolver::DomainName;
use resolver::Granted;
use resolver::MdnsResolver;
use resolver::Observer;
use resolver::Resolver;
use resolver::Settings;
use resolver::Surroundings;
use resolver::Views;
use resolver::config::Limits;
use resolver::config::Timing;
use resolver::resolver::ResolveError;
use resolver::view::Allow;
use resolver::view::Prefix;
use resolver::view::View;
use std::collections::BTreeMap;
use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

const STRANGER: [u8; 4] = [10, 9, 9, 9];

/// Two apps with a name of the box each, and what else they may resolve.
fn views() -> Views {
    let app = |number: u8, patterns: &[&str]| {
        let allow = Allow::Names(patterns.iter().map(|pattern| pattern.parse().unwrap()).collect());
        let local = [(format!("app{number}.box").parse().unwrap(), vec![IpAddr::from([10, 0, number, 1])])];
        let view = View { local: local.into_iter().collect(), ..view(&format!("app{number}"), allow) };
        (Prefix::from(IpAddr::from([10, 0, 0, number])), Arc::new(view))
    };
    let home = View { mdns: true, ..view("home", Allow::All) };
    let home = (Prefix::new(IpAddr::from([192, 168, 0, 0]), 16).unwrap(), Arc::new(home));
    Views::new(BTreeMap::from([app(1, &["*.plain", "www.example"]), app(2, &["alias.example"]), home]))
}

async fn code(resolver: &Resolver, client: [u8; 4], name: &str) -> ResponseCode {
    send(resolver, &question(name, RecordType::A), client.into()).await.metadata.response_code
}

#[tokio::test]
async fn a_view_sees_its_own_names_and_what_it_is_allowed() {
    let unbound = Unbound::start().await;
    let settings = settings(&unbound.authority, vec![unbound.over_tls()]);
    let resolver = Resolver::new(settings, surroundings(&unbound.zones.anchors)).unwrap();
    let (one, two, home) = ([10, 0, 0, 1], [10, 0, 0, 2], [192, 168, 1, 1]);
    // Nobody is known before there are views.
    assert_eq!(code(&resolver, one, "host.plain.").await, Refused);
    resolver.set_views(views());

    let answer = send(&resolver, &question("App1.box.", RecordType::A), one.into()).await;
    assert_eq!(addresses(&answer), ["10.0.1.1"]);
    let pointer = send(&resolver, &question("1.1.0.10.in-addr.arpa.", RecordType::PTR), one.into()).await;
    assert!(matches!(&pointer.answers[0].data, RData::PTR(name) if name.0.to_ascii() == "app1.box."));
    // The other app sees neither: the name is not its own, the address has no name.
    assert_eq!(code(&resolver, two, "app1.box.").await, Refused);
    let pointer = send(&resolver, &question("1.1.0.10.in-addr.arpa.", RecordType::PTR), two.into()).await;
    assert_eq!(pointer.metadata.response_code, NXDomain);

    assert_eq!(code(&resolver, one, "host.plain.").await, NoError);
    assert_eq!(code(&resolver, one, "www.example.").await, NoError);
    assert_eq!(code(&resolver, one, "host.example.").await, Refused);
    assert_eq!(code(&resolver, one, "secret.in.a.name.evil.example.").await, Refused);
    // Kept for the first app, refused to the second all the same.
    assert_eq!(code(&resolver, two, "host.plain.").await, Refused);
    // An alias may lead out of what is allowed.
    let answer = send(&resolver, &question("alias.example.", RecordType::A), two.into()).await;
    assert_eq!(addresses(&answer), ["192.0.2.1"]);
    assert_eq!(code(&resolver, home, "www.other.").await, NoError);
    assert_eq!(code(&resolver, STRANGER, "www.other.").await, Refused);
    assert_eq!(unbound.asked("evil.example."), 0);

    let stats = resolver.stats();
    assert_eq!((stats.views["app1"].queries, stats.views["app1"].refused), (6, 2));
    assert_eq!((stats.views["app2"].queries, stats.views["app2"].refused), (4, 2));
    resolver.set_views(Views::default());
    assert!(resolver.stats().views.is_empty());
}

#[tokio::test]
async fn what_others_asked_is_nobodys_business() {
    let resolver =
        Resolver::new(Settings { upstreams: Vec::new(), ..Settings::default() }, Surroundings::default())
            .unwrap();
    resolver.set_views(crate::clients::everything());
    let mut message = question("www.example.", RecordType::A);
    message.metadata.recursion_desired = false;
    assert_eq!(send(&resolver, &message, CLIENT).await.metadata.response_code, Refused);
}

/// Writes down what it is told, and obeys.
#[derive(Default)]
struct Notebook {
    seen: Mutex<Vec<String>>,
    manner: Mutex<Manner>,
}

#[derive(Clone, Copy, Default)]
enum Manner {
    #[default]
    Agrees,
    Fails,
    Hangs,
}

impl Observer for Notebook {
    fn granted<'a>(
        &'a self,
        granted: Granted<'a>,
    ) -> BoxFuture<'a, Result<(), Box<dyn Error + Send + Sync>>> {
        let line = format!(
            "{} {} {} {:?} {:?}",
            granted.view, granted.client, granted.name, granted.permission, granted.addresses
        );
        assert!(granted.ttl <= Duration::from_secs(300) && !granted.ttl.is_zero());
        self.seen.lock().unwrap().push(line);
        let manner = *self.manner.lock().unwrap();
        async move {
            match manner {
                Manner::Agrees => Ok(()),
                Manner::Fails => Err("no room in the set".into()),
                Manner::Hangs => std::future::pending().await,
            }
        }
        .boxed()
    }
}

#[tokio::test]
async fn the_observer_hears_of_every_address_before_the_client() {
    let unbound = Unbound::start().await;
    let notebook = Arc::new(Notebook::default());
    let timing = Timing { helper: Duration::from_millis(200), ..timing() };
    let surroundings = Surroundings {
        observer: Some(Arc::<Notebook>::clone(&notebook)),
        timing,
        ..surroundings(&unbound.zones.anchors)
    };
    let resolver =
        Resolver::new(settings(&unbound.authority, vec![unbound.over_tls()]), surroundings).unwrap();
    resolver.set_views(views());
    let ask = |name: &'static str, kind| {
        let resolver = resolver.clone();
        async move { send(&resolver, &question(name, kind), [10, 0, 0, 1].into()).await }
    };
    let seen = || std::mem::take(&mut *notebook.seen.lock().unwrap());

    // From upstream, then from the cache.
    for _ in 0..2 {
        assert_eq!(addresses(&ask("host.plain.", RecordType::A).await), ["192.0.2.4"]);
        assert_eq!(seen(), ["app1 10.0.0.1 host.plain Pattern(Below(plain)) [192.0.2.4]"]);
    }
    ask("service.plain.", RecordType::HTTPS).await;
    assert_eq!(seen(), ["app1 10.0.0.1 service.plain Pattern(Below(plain)) [192.0.2.6]"]);
    ask("app1.box.", RecordType::A).await;
    assert_eq!(seen(), ["app1 10.0.0.1 app1.box Local [10.0.1.1]"]);
    // Nothing to tell.
    ask("missing.plain.", RecordType::A).await;
    ask("inside.plain.", RecordType::A).await;
    ask("host.example.", RecordType::A).await;
    assert!(seen().is_empty());
    // What the observer did not take, the client does not get.
    for manner in [Manner::Fails, Manner::Hangs] {
        *notebook.manner.lock().unwrap() = manner;
        for name in ["host.plain.", "app1.box.", "time.plain."] {
            let answer = ask(name, RecordType::A).await;
            assert_eq!((answer.metadata.response_code, answer.answers.len()), (ServFail, 0));
        }
    }
}

/// A home network with one printer. Some names are never answered, and some cannot be asked for.
struct Home;

impl MdnsResolver for Home {
    fn resolve<'a>(
        &'a self,
        name: &'a DomainName,
    ) -> BoxFuture<'a, Result<Vec<IpAddr>, Box<dyn Error + Send + Sync>>> {
        async move {
            match name.to_string().split('.').next() {
                Some("printer") => Ok(vec![IpAddr::from([192, 168, 1, 20])]),
                Some("crowd") => Err("too many ask already".into()),
                Some(slow) if slow.starts_with("slow") => std::future::pending().await,
                _ => Ok(Vec::new()),
            }
        }
        .boxed()
    }
}

#[tokio::test]
async fn names_of_the_home_are_found_by_who_may() {
    let mut surroundings = Surroundings { mdns: Some(Arc::new(Home)), ..Surroundings::default() };
    surroundings.timing = timing();
    let resolver =
        Resolver::new(Settings { upstreams: Vec::new(), ..Settings::default() }, surroundings).unwrap();
    resolver.set_views(views());
    let home = [192, 168, 1, 1];
    let answer = send(&resolver, &question("Printer.local.", RecordType::A), home.into()).await;
    assert_eq!(addresses(&answer), ["192.168.1.20"]);
    assert_eq!(code(&resolver, home, "scanner.local.").await, NXDomain);
    let answer = send(&resolver, &question("printer.local.", RecordType::AAAA), home.into()).await;
    assert_eq!((answer.metadata.response_code, answer.answers.len()), (NoError, 0));
    assert_eq!(code(&resolver, [10, 0, 0, 1], "printer.local.").await, Refused);
    assert_eq!(
        resolver.resolve(&"printer.local".parse().unwrap()).await.unwrap(),
        [IpAddr::from([192, 168, 1, 20])]
    );
    // Not asked is not "there is none".
    assert_eq!(code(&resolver, home, "crowd.local.").await, ServFail);
    let asked = resolver.resolve(&"crowd.local".parse().unwrap()).await;
    assert!(matches!(asked, Err(ResolveError::HomeNotAsked { .. })), "{asked:?}");
}

#[tokio::test]
async fn one_client_cannot_take_all_of_multicast_dns() {
    let limits = Limits { multicast: 5, multicast_per_client: 2, ..Limits::default() };
    let timing = Timing { helper: Duration::from_secs(600), ..timing() };
    let surroundings = Surroundings { mdns: Some(Arc::new(Home)), limits, timing, ..Surroundings::default() };
    let resolver =
        Resolver::new(Settings { upstreams: Vec::new(), ..Settings::default() }, surroundings).unwrap();
    resolver.set_views(views());
    let client = |last| [192, 168, 1, last];
    let slow: Vec<_> = (0..5)
        .map(|number| {
            let (resolver, name) = (resolver.clone(), format!("slow{number}.local."));
            tokio::spawn(async move { code(&resolver, client(number / 2), &name).await })
        })
        .collect();
    wait_until("all places are taken", || resolver.stats().queries == 5).await;
    // The third of one client, and any beyond the whole, are told at once to ask again.
    assert_eq!(code(&resolver, client(0), "printer.local.").await, ServFail);
    assert_eq!(code(&resolver, client(9), "printer.local.").await, ServFail);
    slow[4].abort();
    wait_until("a place is given back", || slow[4].is_finished()).await;
    assert_eq!(code(&resolver, client(9), "printer.local.").await, NoError);
    assert_eq!(code(&resolver, client(0), "printer.local.").await, ServFail);
    // Names of the Internet have places of their own.
    assert_eq!(code(&resolver, client(0), "localhost.").await, NoError);
}

#[tokio::test]
async fn a_client_that_floods_is_refused_and_others_are_not() {
    let authority = crate::support::Authority::new();
    let mute = crate::fake::Fake::start("mute", &authority, crate::fake::Manner::Mute).await;
    let limits = Limits { questions: 6, questions_per_client: 4, ..Limits::default() };
    let surroundings =
        Surroundings { limits, timing: timing(), clock_synchronised: true, ..Surroundings::default() };
    let resolver = crate::clients::with(settings(&authority, vec![mute.upstream.clone()]), surroundings);
    let flood = (0..20).map(|number| {
        let resolver = resolver.clone();
        async move {
            let client = if number < 10 { [10, 0, 0, 1] } else { [10, 0, 0, 2] };
            code(&resolver, client, &format!("n{number}.example.")).await
        }
    });
    let codes = futures_util::future::join_all(flood).await;
    let answered = |codes: &[ResponseCode]| codes.iter().filter(|code| **code == ServFail).count();
    assert_eq!((answered(&codes[..10]), answered(&codes[10..])), (4, 2));
    assert!(codes.iter().all(|code| matches!(code, &ServFail | &Refused)));
    assert_eq!(resolver.stats().refused, 14);
}

proptest! {
    #[test]
    fn any_bytes_are_answered_or_not(bytes in proptest::collection::vec(any::<u8>(), 0..700), client in any::<[u8; 4]>()) {
        check(&bytes, client);
    }

    #[test]
    fn damaged_questions_are_answered_or_not(
        name in "[a-z]{1,12}(\\.[a-z]{1,12}){0,4}\\.",
        kind in any::<u16>(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut message = question(&name, RecordType::from(kind));
        message.edns.get_or_insert_default().set_dnssec_ok(true);
        let mut bytes = message.to_vec().unwrap();
        for (place, value) in damage {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        check(&bytes, [10, 0, 0, 1]);
    }
}

/// Nobody to ask: the answer, if any, comes at once, is a message, and is short.
fn check(bytes: &[u8], client: [u8; 4]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let resolver =
            Resolver::new(Settings { upstreams: Vec::new(), ..Settings::default() }, Surroundings::default())
                .unwrap();
        resolver.set_views(crate::clients::everything());
        if let Some(answer) = resolver.answer(bytes, client.into()).await {
            let answer_read = Message::from_vec(&answer).unwrap();
            assert_eq!(answer_read.metadata.id.to_be_bytes(), bytes[..2]);
            assert!(answer.len() <= 600);
        }
    });
}
