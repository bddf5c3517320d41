//! Against a real server: Debian's chronyd with NTS and a private issuer of certificates.

mod chrony;

use rustls::RootCertStore;
use tokio::time::sleep;

use super::*;
use crate::LinuxClock;
use crate::TimeSettings;
use crate::clock::fake::FakeClock;
use crate::query::rooted::chrony::Chrony;
use crate::query::rooted::chrony::NAME;
use crate::query::rooted::chrony::enter_network;
use crate::run::tests::lab::BUILT;
use crate::run::tests::lab::Lab;
use crate::run::tests::lab::Names;

const DEADLINE: Duration = Duration::from_secs(120);

/// What the machine's clock shows, and chronyd says.
fn truth() -> Timestamp {
    LinuxClock.read().unwrap()
}

fn means(roots: &RootCertStore, clock: FakeClock) -> Means<Names, FakeClock> {
    Means { resolver: Names::of(&[(NAME, "127.0.0.1")]), clock, roots: Arc::new(roots.clone()), built: BUILT }
}

fn doubtful(clock: &FakeClock) -> Dates {
    Dates::Doubtful { shown: clock.read().unwrap(), past: BUILT }
}

/// Asks until there is a measurement: a server takes a while to start.
async fn wait_until_measured(server: &Server, peer: &mut Peer, means: &Means<Names, FakeClock>) -> Sample {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match query(server, peer, means, doubtful(&means.clock)).await.1 {
            Outcome::Measured(sample) => return sample,
            Outcome::Failed { why, .. } => assert!(Instant::now() < deadline, "{why}"),
        }
        sleep(Duration::from_millis(50)).await;
    }
}

fn is_right(sample: &Sample, clock: &FakeClock) -> bool {
    let error = (clock.read().unwrap() + sample.offset).since(truth()).abs();
    error < Span::from_secs(1) && sample.stratum == 3
}

#[tokio::test]
async fn cookies_last_for_more_questions_than_there_are_cookies() {
    enter_network();
    let chrony = Chrony::start();
    let clock = FakeClock::new(BUILT);
    let means = means(&chrony.roots, clock.clone());
    let (server, mut peer) = (Server::nts(NAME), Peer::default());
    wait_until_measured(&server, &mut peer, &means).await;
    let key = peer.keys.as_ref().unwrap().session.client_key.0.clone();
    for question in 0..30 {
        // A few answers are lost: the cookies run low, and more are asked for.
        if question % 10 == 0 {
            peer.keys.as_mut().unwrap().session.cookies.truncate(3);
        }
        let (address, outcome) = query(&server, &mut peer, &means, doubtful(&clock)).await;
        assert_eq!(address, Some(Ipv4Addr::LOCALHOST.into()));
        assert!(matches!(&outcome, Outcome::Measured(sample) if is_right(sample, &clock)), "{outcome:?}");
        let keys = peer.keys.as_ref().unwrap();
        assert_eq!(keys.session.client_key.0, key, "one exchange is enough");
        assert_eq!(keys.session.cookies.len(), crate::nts::COOKIES);
    }
}

#[tokio::test]
async fn a_server_that_forgot_its_keys_is_asked_for_new_ones() {
    enter_network();
    let mut chrony = Chrony::start();
    let clock = FakeClock::new(BUILT);
    let means = means(&chrony.roots, clock.clone());
    let (server, mut peer) = (Server::nts(NAME), Peer::default());
    wait_until_measured(&server, &mut peer, &means).await;
    let cookies = peer.keys.as_ref().unwrap().session.cookies.clone();
    chrony.forget_keys();
    let deadline = Instant::now() + DEADLINE;
    let why = loop {
        match query(&server, &mut peer, &means, doubtful(&clock)).await.1 {
            // While it starts again nobody took the cookie.
            Outcome::Failed { why, .. } if !why.starts_with("its answer") => {
                peer.keys.as_mut().unwrap().session.cookies.clone_from(&cookies);
                assert!(Instant::now() < deadline, "{why}");
            }
            Outcome::Failed { why, .. } => break why,
            Outcome::Measured(sample) => panic!("measured without keys: {sample:?}"),
        }
        sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(why, "its answer does not count: the server forgot our keys");
    let sample = wait_until_measured(&server, &mut peer, &means).await;
    assert!(is_right(&sample, &clock));
}

#[tokio::test]
async fn a_time_outside_the_certificate_is_not_taken() {
    enter_network();
    let chrony = Chrony::start();
    let clock = FakeClock::new(BUILT);
    let means = means(&chrony.roots, clock.clone());
    let (server, mut peer) = (Server::nts(NAME), Peer::default());
    wait_until_measured(&server, &mut peer, &means).await;
    peer.keys.as_mut().unwrap().session.validity.until = BUILT;
    let (_, outcome) = query(&server, &mut peer, &means, doubtful(&clock)).await;
    let why = "its time is not within the dates of its certificate".to_owned();
    assert_eq!(outcome, Outcome::Failed { why, pause: Pause::Growing });
    assert!(peer.keys.is_none());
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_is_not_asked() {
    enter_network();
    let chrony = Chrony::start();
    let clock = FakeClock::new(BUILT);
    let trusting = means(&chrony.roots, clock.clone());
    wait_until_measured(&Server::nts(NAME), &mut Peer::default(), &trusting).await;
    let wary = means(&chrony::other_roots(), clock.clone());
    let (_, outcome) = query(&Server::nts(NAME), &mut Peer::default(), &wary, doubtful(&clock)).await;
    let Outcome::Failed { why, pause } = outcome else { panic!("{outcome:?}") };
    assert!(why.contains("certificate") && pause == Pause::Growing, "{why}");
}

#[tokio::test]
async fn the_clock_is_set_from_1970_with_a_proof() {
    enter_network();
    let chrony = Chrony::start();
    let names = Names::of(&[(NAME, "127.0.0.1")]);
    let clock = FakeClock::new(Timestamp::from_secs(0));
    let mut lab = Lab::start(clock, vec![Server::nts(NAME)], names, chrony.roots.clone());
    let status = lab.wait_until("synchronised", |status| status.synchronised).await;
    assert!(status.authenticated);
    assert_eq!((status.sources[0].state.as_str(), status.sources[0].stratum), ("used", Some(3)));
    assert!(lab.error(truth()) < Span::from_millis(500), "{}", lab.error(truth()));
    let known = lab.stop().await.unwrap();
    assert_eq!(known.proved, Some(known.time));
}

#[tokio::test]
async fn the_home_networks_server_helps_out_when_no_other_answers() {
    enter_network();
    let _chrony = Chrony::start();
    let clock = FakeClock::new(Timestamp::from_secs(0));
    let mut lab = Lab::start(clock, Vec::new(), Names::default(), RootCertStore::empty());
    lab.offered.send_replace(vec![Ipv4Addr::LOCALHOST.into()]);
    let status = lab.wait_until("synchronised", |status| status.synchronised).await;
    assert!(!status.authenticated);
    let states: Vec<_> = status.sources.iter().map(|source| source.state.as_str()).collect();
    assert_eq!(states.len(), TimeSettings::default().effective(&[]).len() + 1);
    assert_eq!(states[3], "used");
    assert!(states[..3].iter().all(|state| state.starts_with("its name cannot be looked up")), "{states:?}");
    assert!(lab.error(truth()) < Span::from_millis(500), "{}", lab.error(truth()));
    lab.stop().await;
}
