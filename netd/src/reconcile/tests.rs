//! The loop over a kernel in memory.

use super::*;
use crate::dhcp::lease::Lease;
use crate::dhcp::lease::Network;
use crate::dhcp::lease::Terms;
use crate::dhcp::lease::Times;
use crate::dhcp::lease::Via;
use crate::kernel::fake::FakeKernel;
use crate::observe::Kind;
use crate::observe::Link;
use hostapi::net1::State;
use std::sync::Mutex;
use tokio::task::JoinHandle;

#[derive(Clone, Debug, Default)]
struct FakeClients {
    followed: Arc<Mutex<Vec<String>>>,
    renewals: Arc<Mutex<u32>>,
}

impl Clients for FakeClients {
    fn follow(&mut self, links: &[Link]) {
        *self.followed.lock().unwrap() = links.iter().map(|link| link.name.clone()).collect();
    }

    fn renew(&mut self) {
        *self.renewals.lock().unwrap() += 1;
    }
}

struct World {
    kernel: FakeKernel,
    clients: FakeClients,
    changed: Arc<Notify>,
    leases: watch::Sender<Leases>,
    announced: watch::Sender<Announced>,
    commands: mpsc::Sender<Command>,
    status: watch::Receiver<Arc<Status>>,
    host_name: watch::Receiver<HostName>,
    folder: tempfile::TempDir,
    pulses: watch::Receiver<Vec<Pulse>>,
    running: JoinHandle<()>,
}

fn link(index: u32, name: &str, kind: Kind) -> Link {
    Link { index, name: name.to_owned(), kind, is_up: false, has_carrier: true, heeds_routers: false }
}

fn start() -> World {
    let links = vec![link(1, "lo", Kind::Loopback), link(2, "eth0", Kind::Ethernet { mac: [2; 6] })];
    let kernel = FakeKernel::new(Observed { links, ..Observed::default() });
    let clients = FakeClients::default();
    let changed = Arc::new(Notify::new());
    let leases = watch::Sender::new(Leases::new());
    let announced = watch::Sender::new(Announced { name: "hearth".to_owned(), ..Announced::default() });
    let (commands, received) = mpsc::channel(4);
    let folder = tempfile::tempdir().unwrap();
    let status = watch::Sender::new(Arc::new(Status::default()));
    let host_name = watch::Sender::new(HostName::default());
    let (shown, name) = (status.subscribe(), host_name.subscribe());
    let outputs = Outputs {
        kernel: watch::Sender::new(KernelView::default()),
        status,
        host_name,
        link_addresses: watch::Sender::new(Vec::new()),
        resolv_conf: folder.path().join("resolv.conf"),
    };
    let inputs = Inputs {
        kernel: Arc::clone(&changed),
        leases: leases.subscribe(),
        announced: announced.subscribe(),
        commands: received,
    };
    let beats = watch::Sender::new(Vec::new());
    let pulses = beats.subscribe();
    let reconciler = Reconciler::new(kernel.clone(), clients.clone(), Clock::start(), outputs);
    let running = tokio::spawn(reconciler.run(inputs, move |pulse| beats.send_modify(|all| all.push(pulse))));
    World {
        kernel,
        clients,
        changed,
        leases,
        announced,
        commands,
        status: shown,
        host_name: name,
        folder,
        pulses,
        running,
    }
}

impl World {
    async fn shows(&mut self, what: impl FnMut(&Arc<Status>) -> bool) -> Arc<Status> {
        let shown = tokio::time::timeout(Duration::from_secs(600), self.status.wait_for(what));
        Arc::clone(&*shown.await.expect("the status never came").unwrap())
    }

    fn grant(&self, host: u8) {
        let terms = Terms {
            address: [10, 0, 0, host].into(),
            prefix: 24,
            routes: vec![Via { destination: Network::DEFAULT, gateway: Some([10, 0, 0, 1].into()) }],
            dns: vec![[10, 0, 0, 1].into()],
            domain: None,
            times: Times::new(Duration::from_secs(3600), None, None),
        };
        let lease = Lease { terms, server: [10, 0, 0, 1].into(), since: crate::moment::Moment::default() };
        self.leases.send_replace(Leases::from([(2, lease)]));
    }
}

fn addresses(status: &Status) -> Vec<String> {
    status.links.iter().flat_map(|link| link.addresses.clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn links_are_switched_on_and_followed() {
    let mut world = start();
    world.shows(|status| status.links.first().is_some_and(|link| link.state == "up")).await;
    assert!(world.kernel.snapshot().links.iter().all(|link| link.is_up));
    assert_eq!(*world.clients.followed.lock().unwrap(), ["lo", "eth0"]);
}

#[tokio::test(start_paused = true)]
async fn a_lease_becomes_an_address_a_route_and_a_name_server() {
    let mut world = start();
    world.grant(50);
    world.shows(|status| addresses(status) == ["10.0.0.50/24"]).await;
    assert_eq!(world.kernel.snapshot().routes.len(), 1);
    let written = std::fs::read_to_string(world.folder.path().join("resolv.conf")).unwrap();
    assert!(written.contains("nameserver 10.0.0.1\n"), "{written}");
    world.leases.send_replace(Leases::new());
    world.shows(|status| addresses(status).is_empty()).await;
    assert_eq!(world.kernel.snapshot().routes, [], "the route went with the lease");
}

#[tokio::test(start_paused = true)]
async fn what_others_change_heals() {
    let mut world = start();
    world.grant(50);
    world.shows(|status| addresses(status) == ["10.0.0.50/24"]).await;
    let good = world.kernel.snapshot();
    world.kernel.change(|state| {
        state.addresses.clear();
        state.routes.clear();
        state.links.iter_mut().for_each(|link| link.is_up = false);
    });
    world.changed.notify_one();
    sleep(Duration::from_secs(1)).await;
    let healed = world.kernel.snapshot();
    assert_eq!((healed.links, healed.routes), (good.links, good.routes));
    assert_eq!(healed.addresses.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_a_reason_and_is_tried_again() {
    let mut world = start();
    world.kernel.refuse_routes(true);
    world.grant(50);
    let degraded = world.shows(|status| status.state == State::Degraded).await;
    assert_eq!(degraded.reasons, ["add a route: A netlink request failed"]);
    assert_eq!(addresses(&degraded), ["10.0.0.50/24"], "the rest was done");
    world.kernel.refuse_routes(false);
    world.shows(|status| status.state == State::Ready).await;
}

#[tokio::test(start_paused = true)]
async fn commands_reach_the_clients_and_the_announcer() {
    let mut world = start();
    world.shows(|status| !status.links.is_empty()).await;
    world.commands.send(Command::RenewLeases).await.unwrap();
    world.commands.send(Command::SetHostName("attic".parse().unwrap())).await.unwrap();
    world.host_name.wait_for(|name| name.as_str() == "attic").await.unwrap();
    assert_eq!(*world.clients.renewals.lock().unwrap(), 1);
    world.announced.send_replace(Announced { name: "attic-2".to_owned(), ..Announced::default() });
    world.shows(|status| status.host_name == "attic-2").await;
}

#[tokio::test(start_paused = true)]
async fn the_loop_gives_signs_of_life_while_nothing_happens() {
    let mut world = start();
    let pulses = world.pulses.wait_for(|pulses| pulses.len() >= 4);
    let pulses = tokio::time::timeout(HEARTBEAT * 4, pulses).await.expect("no heartbeat").unwrap().clone();
    assert_eq!(pulses[0], Pulse::First);
    assert!(pulses[1..].iter().all(|pulse| *pulse == Pulse::Next));
}

#[tokio::test(start_paused = true)]
async fn the_loop_ends_with_its_commanders() {
    let world = start();
    drop(world.commands);
    tokio::time::timeout(Duration::from_secs(600), world.running).await.unwrap().unwrap();
}
