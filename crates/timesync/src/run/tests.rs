//! The loop with real sockets on loopback.

pub(crate) mod lab;

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::RootCertStore;
use tokio::sync::watch;

use crate::CertificateDates;
use crate::Outputs;
use crate::Server;
use crate::TimeSettings;
use crate::Timestamp;
use crate::clock::fake::FakeClock;
use crate::discipline::Effect;
use crate::nts::certificate::Dates;
use crate::packet;
use crate::query::Means;
use crate::run::Keeper;
use crate::run::tests::lab::Lab;
use crate::run::tests::lab::Names;
use crate::run::tests::lab::Truth;
use crate::run::tests::lab::honest;
use crate::run::tests::lab::serve;
use crate::start;
use crate::time::Span;

const EPOCH: Timestamp = Timestamp::from_secs(0);

fn lab(clock: FakeClock, servers: Vec<Server>) -> Lab {
    Lab::start(clock, servers, Names::default(), RootCertStore::empty())
}

/// The inside of a loop with one server.
fn keeper(clock: FakeClock) -> Keeper<Names, FakeClock> {
    let started = start(&clock, lab::BUILT, Path::new("/nonexistent")).unwrap();
    let means = Means {
        resolver: Names::default(),
        clock,
        roots: Arc::new(RootCertStore::empty()),
        built: started.built,
    };
    let outputs = Outputs {
        status: watch::Sender::default(),
        synchronised: watch::Sender::default(),
        state_file: PathBuf::default(),
    };
    let mut keeper = Keeper::new(&started, means, outputs);
    keeper.servers = vec![Server::plain("a.example")];
    keeper
}

fn kiss(question: &[u8], code: &[u8; 4]) -> Vec<Vec<u8>> {
    let mut answers = honest(question, lab::BUILT);
    answers[0][1] = 0;
    answers[0][12..16].copy_from_slice(code);
    answers
}

#[tokio::test]
async fn the_clock_is_set_from_1970_in_spite_of_a_liar_and_written_down() {
    let truth = Truth::begin();
    let servers = vec![
        serve("127.0.0.1", truth, Span::ZERO, honest).await,
        serve("127.0.0.2", truth, Span::from_secs(86_400 * 400), honest).await,
        serve("127.0.0.3", truth, Span::ZERO, honest).await,
    ];
    let mut lab = lab(FakeClock::new(EPOCH), servers);
    let status = lab.wait_until("synchronised", |status| status.synchronised).await;
    assert!(*lab.synchronised.borrow());
    assert!(!status.authenticated);
    assert_eq!(status.reason, None);
    let states: Vec<_> = status.sources.iter().map(|source| source.state.as_str()).collect();
    assert_eq!(states, ["used", "not used: it contradicts the others", "used"]);
    assert!(lab.error(truth.now()) < Span::from_millis(400), "{}", lab.error(truth.now()));
    // Out of 1970 at the start, and once more by the servers.
    assert_eq!(lab.clock.steps().len(), 2);
    assert_eq!(lab.clock.marks().len(), 1);
    let known = lab.stop().await.unwrap();
    assert!(known.time.since(truth.now()).abs() < Span::from_secs(60));
    assert_eq!(known.proved, None);
}

#[tokio::test]
async fn answers_of_strangers_are_skipped() {
    let truth = Truth::begin();
    let servers = vec![
        serve("127.0.0.1", truth, Span::ZERO, |question, time| {
            let answer = honest(question, time).remove(0);
            let mut forged = honest(question, time + Span::from_secs(7_000)).remove(0);
            forged[30] ^= 1;
            let no_answer = packet::question(7).to_vec();
            vec![Vec::new(), vec![0x24; 3], no_answer, forged.clone(), forged, answer]
        })
        .await,
    ];
    let mut lab = lab(FakeClock::new(truth.now()), servers);
    lab.wait_until("synchronised", |status| status.synchronised).await;
    assert!(lab.clock.steps().is_empty());
    lab.stop().await;
}

#[tokio::test]
async fn every_server_says_in_plain_words_why_it_is_not_used() {
    let truth = Truth::begin();
    let servers = vec![
        serve("127.0.0.1", truth, Span::ZERO, |question, _| kiss(question, b"RATE")).await,
        serve("127.0.0.2", truth, Span::ZERO, |question, _| kiss(question, b"DENY")).await,
        serve("127.0.0.3", truth, Span::ZERO, |_, _| Vec::new()).await,
        serve("127.0.0.4", truth, Span::ZERO, |question, time| {
            let mut answers = honest(question, time);
            answers[0][0] |= 0xc0;
            answers
        })
        .await,
        Server::plain("unknown.example"),
        Server::nts("unknown.example"),
    ];
    let mut lab = lab(FakeClock::new(truth.now()), servers);
    let status =
        lab.wait_until("told", |status| status.reason.as_deref() == Some("no time server answers")).await;
    let states: Vec<_> = status.sources.iter().map(|source| source.state.as_str()).collect();
    let unknown = "its name cannot be looked up: looking the name up: there is no such name";
    assert_eq!(
        states,
        [
            "its answer does not count: the server answers that it is asked too often",
            "its answer does not count: the server answers that it does not serve this network",
            "it does not answer",
            "its answer does not count: the server's own clock is not synchronised",
            unknown,
            unknown,
        ]
    );
    assert!(!*lab.synchronised.borrow());
    assert_eq!(lab.stop().await, None);
}

#[tokio::test]
async fn a_clock_that_cannot_be_set_is_never_called_right() {
    let truth = Truth::begin();
    let servers = vec![serve("127.0.0.1", truth, Span::ZERO, honest).await];
    let clock = FakeClock::new(truth.now() + Span::from_secs(-30));
    clock.refuse();
    let mut lab = lab(clock, servers);
    let problem = "stepping the clock: permission denied";
    let status = lab.wait_until("told", |status| status.reason.as_deref() == Some(problem)).await;
    assert!(!status.synchronised && !*lab.synchronised.borrow());
    assert_eq!(lab.stop().await, None);
}

#[tokio::test]
async fn a_clock_that_cannot_be_read_for_a_while_is_kept_again_afterwards() {
    let truth = Truth::begin();
    let servers = vec![serve("127.0.0.1", truth, Span::ZERO, honest).await];
    let mut lab = lab(FakeClock::new(truth.now()), servers);
    lab.clock.make_unreadable(true);
    // A question was under way or is asked meanwhile, and fails.
    let problem = "reading the clock: other error";
    lab.wait_until("told", |status| {
        status.reason.as_deref() == Some(problem) && status.sources[0].state.contains("clock")
    })
    .await;
    lab.clock.make_unreadable(false);
    lab.wait_until("synchronised", |status| status.synchronised).await;
    lab.stop().await;
}

#[tokio::test]
async fn servers_are_asked_although_the_clock_refuses() {
    let clock = FakeClock::new(lab::BUILT);
    clock.refuse();
    let mut keeper = keeper(clock);
    let ask = Effect::Ask { source: 0, dates: Dates::Known(lab::BUILT) };
    let effects = vec![Effect::Slew(7.0), ask, Effect::Step(Span::ZERO), ask];
    assert_eq!(keeper.carry_out(effects).await.unwrap_err().doing, "changing the speed of the clock");
    assert_eq!(keeper.questions.len(), 2);
}

#[tokio::test]
async fn names_are_looked_up_without_trust_in_the_clock() {
    let truth = Truth::begin();
    let server = serve("127.0.0.1", truth, Span::ZERO, honest).await;
    let named = Server { name: "time.example".to_owned(), ..server };
    let names = Names::of(&[("time.example", "127.0.0.1")]);
    let mut lab = Lab::start(FakeClock::new(EPOCH), vec![named], names.clone(), RootCertStore::empty());
    let status = lab.wait_until("synchronised", |status| status.synchronised).await;
    assert_eq!(status.sources[0].address, Some("127.0.0.1".parse().unwrap()));
    assert_eq!(names.asked(), [("time.example".to_owned(), CertificateDates::Doubtful)]);
    lab.stop().await;
}

#[tokio::test]
async fn settings_count_at_once() {
    let truth = Truth::begin();
    let server = serve("127.0.0.1", truth, Span::ZERO, honest).await;
    let mut lab = lab(FakeClock::new(truth.now()), vec![Server::plain("unknown.example")]);
    lab.wait_until("in vain", |status| status.reason.as_deref() == Some("no time server answers")).await;
    lab.settings.send_replace(TimeSettings { enabled: true, servers: vec![server] });
    lab.wait_until("synchronised", |status| status.synchronised).await;
    lab.settings.send_replace(TimeSettings { enabled: false, servers: Vec::new() });
    let status = lab.wait_until("off", |status| status.sources.is_empty()).await;
    assert!(status.reason.unwrap().contains("switched off"));
    // Built-in servers, whose names nobody knows here, and the one that the home network offers.
    lab.offered.send_replace(vec!["127.0.0.9".parse().unwrap()]);
    lab.settings.send_replace(TimeSettings::default());
    let status = lab.wait_until("on", |status| status.sources.len() == 4).await;
    assert_eq!(status.sources[3].name, "127.0.0.9");
    assert!(!status.sources[3].authenticated);
    lab.stop().await;
}

#[tokio::test]
async fn a_network_that_comes_late_is_used_when_it_comes() {
    let truth = Truth::begin();
    let server = serve("127.0.0.1", truth, Span::ZERO, |_, _| Vec::new()).await;
    let port = server.port.unwrap().get();
    let mut lab = lab(FakeClock::new(truth.now()), vec![Server { name: "::1".to_owned(), ..server.clone() }]);
    lab.wait_until("in vain", |status| status.reason.as_deref() == Some("no time server answers")).await;
    let late = tokio::net::UdpSocket::bind(("::1", port)).await.unwrap();
    lab.network_changed.notify_one();
    let mut buffer = [0; 48];
    let (length, _) = late.recv_from(&mut buffer).await.unwrap();
    assert_eq!(length, packet::HEADER);
    lab.stop().await;
}
