//! Any two policies switch without a moment in which a packet passes that neither of them lets through; and what the policy says,
//! the explanation says, and the kernel does.

use crate::rooted::app::App;
use crate::rooted::app::connect;
use crate::rooted::app::policy;
use crate::rooted::lab::Lab;
use hostapi::net1;
use hostapi::net1::Net1Proxy;
use model::network::explanation::Answer;
use model::network::explanation::Explanation;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::Config;
use proptest::test_runner::RngAlgorithm;
use proptest::test_runner::TestRng;
use proptest::test_runner::TestRunner;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

const APPS: [&str; 3] = ["a", "b", "c"];
const PORTS: [u16; 2] = [7001, 7002];
/// Policies that are switched through, one after the other.
const SWITCHES: usize = 60;
/// Policies that are compared with explanations.
const EXPLAINED: usize = 8;
const IN_VAIN: Duration = Duration::from_millis(300);

/// From which app to which, at which port.
type Way = (usize, usize, u16);

fn ways() -> Vec<Way> {
    let pairs = (0..APPS.len()).flat_map(|from| (0..APPS.len()).map(move |to| (from, to)));
    pairs.filter(|(from, to)| from != to).flat_map(|(from, to)| PORTS.map(|port| (from, to, port))).collect()
}

fn document(open: &BTreeSet<Way>, protocol: &str) -> String {
    let apps = APPS.iter().enumerate().map(|(number, app)| {
        let grants = open.iter().filter(|(from, _, _)| *from == number);
        let grants: Vec<String> = grants
            .map(|(_, to, port)| {
                format!(r#"{{"to":"app","app":"{}","port":"{protocol}/{port}"}}"#, APPS[*to])
            })
            .collect();
        format!(r#""{app}":{{"grants":[{}]}}"#, grants.join(","))
    });
    policy(&apps.collect::<Vec<_>>().join(","))
}

/// Random sets of open ways; the seed is shown when the test fails.
fn choices(count: usize) -> Vec<BTreeSet<Way>> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).unwrap();
    eprintln!("seed: {seed:?}");
    let mut runner =
        TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let strategy = proptest::sample::subsequence(ways(), 0..=ways().len());
    let sample = |runner: &mut TestRunner| strategy.new_tree(runner).unwrap().current().into_iter().collect();
    (0..count).map(|_| sample(&mut runner)).collect()
}

async fn attach_all(net1: &Net1Proxy<'_>) -> Vec<App> {
    net1.set_app_policy(&document(&BTreeSet::new(), "udp")).await.unwrap();
    let mut apps = Vec::new();
    for app in APPS {
        apps.push(App::attach(net1, app).await);
    }
    apps
}

/// A datagram that arrived: its way, the phase in which it was sent, and the phase in which it arrived.
type Arrival = (Way, usize, usize);

/// Sends datagrams on every way without a pause, and notes what arrives.
struct Flood {
    stop: Arc<AtomicBool>,
    phase: Arc<AtomicUsize>,
    arrivals: Arc<Mutex<BTreeSet<Arrival>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Flood {
    fn start(apps: &[App]) -> Self {
        let mut flood = Self {
            stop: Arc::default(),
            phase: Arc::default(),
            arrivals: Arc::default(),
            threads: Vec::new(),
        };
        for (number, app) in apps.iter().enumerate() {
            for port in PORTS {
                flood.receive(app, number, port);
            }
        }
        for (number, app) in apps.iter().enumerate() {
            flood.send(app, number, apps.iter().map(App::addresses).collect());
        }
        flood
    }

    fn receive(&mut self, app: &App, number: usize, port: u16) {
        let (stop, phase, arrivals) = (self.stop.clone(), self.phase.clone(), self.arrivals.clone());
        self.threads.push(app.namespace.thread(move || {
            let socket = UdpSocket::bind(("::", port)).unwrap();
            socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
            let mut bytes = [0; 16];
            while !stop.load(Ordering::SeqCst) {
                let Ok((9, _)) = socket.recv_from(&mut bytes) else { continue };
                let sent = u64::from_le_bytes(bytes[1..9].try_into().unwrap());
                let arrival = (
                    (bytes[0].into(), number, port),
                    usize::try_from(sent).unwrap(),
                    phase.load(Ordering::SeqCst),
                );
                arrivals.lock().unwrap().insert(arrival);
            }
        }));
    }

    fn send(&mut self, app: &App, number: usize, addresses: Vec<[IpAddr; 2]>) {
        let (stop, phase) = (self.stop.clone(), self.phase.clone());
        self.threads.push(app.namespace.thread(move || {
            // A socket for each datagram would be a new connection each time; two that stay are an old one that must be cut.
            let sockets = ["0.0.0.0:0", "[::]:0"].map(|any| UdpSocket::bind(any).unwrap());
            while !stop.load(Ordering::SeqCst) {
                let fresh = ["0.0.0.0:0", "[::]:0"].map(|any| UdpSocket::bind(any).unwrap());
                let others = addresses.iter().enumerate().filter(|(to, _)| *to != number);
                for (_, theirs) in others {
                    for port in PORTS {
                        for (which, address) in theirs.iter().enumerate() {
                            let mut bytes = vec![u8::try_from(number).unwrap()];
                            bytes.extend(u64::try_from(phase.load(Ordering::SeqCst)).unwrap().to_le_bytes());
                            // What is dropped on the way out is an error here, and as good as lost.
                            drop(sockets[which].send_to(&bytes, (*address, port)));
                            drop(fresh[which].send_to(&bytes, (*address, port)));
                        }
                    }
                }
                to_be_fair();
            }
        }));
    }

    fn end(self) -> BTreeSet<Arrival> {
        self.stop.store(true, Ordering::SeqCst);
        for thread in self.threads {
            thread.join().unwrap();
        }
        let arrivals = self.arrivals.lock().unwrap();
        arrivals.clone()
    }
}

/// Lets others have the processor.
fn to_be_fair() {
    std::thread::sleep(Duration::from_millis(1));
}

#[tokio::test]
async fn no_packet_passes_that_neither_the_old_nor_the_new_policy_lets_through() {
    let lab = Lab::new();
    let net1 = lab.net1().await;
    let apps = attach_all(&net1).await;
    let policies = choices(SWITCHES);
    let flood = Flood::start(&apps);
    // Phase 2n: policy n - 1 is in force. Phase 2n + 1: policy n is being put in force.
    for (number, open) in policies.iter().enumerate() {
        flood.phase.store(2 * number + 1, Ordering::SeqCst);
        net1.set_app_policy(&document(open, "udp")).await.unwrap();
        flood.phase.store(2 * number + 2, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let arrivals = flood.end();
    let is_open = |way: &Way, phase: usize| {
        let in_force = [phase.div_ceil(2), phase / 2].map(|n| n.checked_sub(1).and_then(|n| policies.get(n)));
        in_force.into_iter().flatten().any(|open| open.contains(way))
    };
    for (way, sent, arrived) in &arrivals {
        // In between it may have waited; some policy of that time must have let it through.
        assert!(
            (*sent..=*arrived).any(|phase| is_open(way, phase)),
            "{way:?} sent in {sent}, arrived in {arrived}"
        );
    }
    let settled: BTreeSet<usize> =
        arrivals.iter().filter(|(_, s, a)| s == a).map(|(_, sent, _)| *sent).collect();
    assert!(settled.len() > SWITCHES / 2, "hardly anything was sent: {settled:?}");
}

#[tokio::test]
async fn what_is_explained_is_what_the_kernel_does() {
    let lab = Lab::new();
    let net1 = lab.net1().await;
    let apps = attach_all(&net1).await;
    let listen = |port| move || TcpListener::bind(("::", port)).unwrap();
    let listeners: Vec<TcpListener> = apps
        .iter()
        .flat_map(|app| PORTS.map(|port| app.namespace.thread(listen(port)).join().unwrap()))
        .collect();
    for open in choices(EXPLAINED) {
        net1.set_app_policy(&document(&open, "tcp")).await.unwrap();
        for (from, to, port) in ways() {
            let question = (format!("app:{}", APPS[from]), format!("app:{} tcp/{port}", APPS[to]));
            let answer = net1.explain(&question.0, &question.1).await.unwrap();
            let answer: Explanation = net1::read_answer(&answer).unwrap();
            assert_eq!(answer.answer == Answer::Yes, open.contains(&(from, to, port)), "{answer:?}");
            for address in apps[to].addresses() {
                let patience = if answer.answer == Answer::Yes { Duration::from_secs(30) } else { IN_VAIN };
                let outcome = connect(&apps[from].namespace, SocketAddr::new(address, port), patience);
                assert_eq!(
                    outcome.is_ok(),
                    answer.answer == Answer::Yes,
                    "{question:?} at {address}: {outcome:?}"
                );
            }
        }
    }
    drop(listeners);
}
