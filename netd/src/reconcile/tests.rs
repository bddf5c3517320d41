//! The loop over a kernel in memory.

use super::*;
use crate::clients::Wanted;
use crate::dhcp::lease::Lease;
use crate::dhcp::lease::Network;
use crate::dhcp::lease::Terms;
use crate::dhcp::lease::Times;
use crate::dhcp::lease::Via;
use crate::kernel::fake::FakeKernel;
use crate::knob::Knob;
use crate::observe::Address;
use crate::observe::Kind;
use crate::observe::Link;
use crate::observe::Maker;
use crate::observe::Observed;
use crate::observe::Route;
use crate::observe::RouteOrigin;
use crate::observe::Subnet;
use crate::testing;
use hostapi::net1::State;
use model::network::link_settings::Ipv4Settings;
use std::net::IpAddr;
use std::net::Ipv6Addr;
use std::sync::Mutex;
use tokio::task::JoinHandle;

#[derive(Clone, Debug, Default)]
struct FakeClients {
    followed: Arc<Mutex<Vec<Wanted>>>,
    renewals: Arc<Mutex<u32>>,
    asked: Arc<Mutex<Vec<u32>>>,
    duplicates: Arc<Mutex<Vec<(u32, Ipv6Addr)>>>,
}

impl Clients for FakeClients {
    fn follow(&mut self, wanted: &[Wanted]) {
        *self.followed.lock().unwrap() = wanted.to_vec();
    }

    fn renew(&mut self) {
        *self.renewals.lock().unwrap() += 1;
    }

    fn ask_routers(&mut self, link: &Link) {
        self.asked.lock().unwrap().push(link.index);
    }

    fn note_duplicate(&mut self, index: u32, address: Ipv6Addr) {
        self.duplicates.lock().unwrap().push((index, address));
    }
}

struct World {
    kernel: FakeKernel,
    clients: FakeClients,
    changed: Arc<Notify>,
    settings: watch::Sender<Arc<[LinkSettings]>>,
    ipv4: watch::Sender<ipv4::Views>,
    _dhcp6: watch::Sender<dhcp6::Views>,
    _told: watch::Sender<routers::Told>,
    reports: watch::Receiver<Arc<[LinkReport]>>,
    announced: watch::Sender<Announced>,
    commands: mpsc::Sender<Command>,
    status: watch::Receiver<Arc<Status>>,
    host_name: watch::Receiver<HostName>,
    folder: tempfile::TempDir,
    pulses: watch::Receiver<Vec<Pulse>>,
    running: JoinHandle<()>,
}

fn link(index: u32, name: &str, kind: Kind) -> Link {
    Link { is_up: false, ..testing::link(index, name, kind) }
}

fn start() -> World {
    let links = vec![link(1, "lo", Kind::Loopback), link(2, "eth0", Kind::Ethernet { mac: [2; 6] })];
    let kernel = FakeKernel::new(Observed { links, ..Observed::default() });
    let clients = FakeClients::default();
    let changed = Arc::new(Notify::new());
    let settings = watch::Sender::new(Arc::from([]));
    let ipv4 = watch::Sender::new(ipv4::Views::from([(2, ipv4::View::default())]));
    let dhcp6 = watch::Sender::new(dhcp6::Views::new());
    let told = watch::Sender::new(routers::Told::new());
    let reports = watch::Sender::new(Arc::from([]));
    let seen_reports = reports.subscribe();
    let announced = watch::Sender::new(Announced { name: "hearth".to_owned(), ..Announced::default() });
    let (commands, received) = mpsc::channel(4);
    let folder = tempfile::tempdir().unwrap();
    let status = watch::Sender::new(Arc::new(Status::default()));
    let host_name = watch::Sender::new(HostName::default());
    let (shown, name) = (status.subscribe(), host_name.subscribe());
    let outputs = Outputs {
        kernel: watch::Sender::new(KernelView::default()),
        status,
        reports,
        host_name,
        link_addresses: watch::Sender::new(Vec::new()),
        resolv_conf: folder.path().join("resolv.conf"),
        leases: Saver::start(folder.path().join("leases.json")),
    };
    let memory = Memory {
        book: LeaseBook::default(),
        mtu_before: MtuBefore::load(&folder.path().join("mtu.json")),
        ipv6_secret: Ipv6Addr::LOCALHOST,
        problems: Vec::new(),
    };
    let inputs = Inputs {
        kernel: Arc::clone(&changed),
        settings: settings.subscribe(),
        ipv4: ipv4.subscribe(),
        dhcp6: dhcp6.subscribe(),
        told: told.subscribe(),
        announced: announced.subscribe(),
        commands: received,
    };
    let beats = watch::Sender::new(Vec::new());
    let pulses = beats.subscribe();
    let reconciler = Reconciler::new(kernel.clone(), clients.clone(), Clock::start(), memory, outputs);
    let running = tokio::spawn(reconciler.run(inputs, move |pulse| beats.send_modify(|all| all.push(pulse))));
    World {
        kernel,
        clients,
        changed,
        settings,
        ipv4,
        _dhcp6: dhcp6,
        _told: told,
        reports: seen_reports,
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
        let shown = shown.await.map(|status| Arc::clone(&*status.unwrap()));
        shown.unwrap_or_else(|_elapsed| panic!("{:?}, {:?}", self.status.borrow(), self.kernel.snapshot()))
    }

    fn grant(&self, host: u8) {
        let terms = Terms {
            address: [10, 0, 0, host].into(),
            prefix: 24,
            routes: vec![Via { destination: Network::DEFAULT, gateway: Some([10, 0, 0, 1].into()) }],
            dns: vec![[10, 0, 0, 1].into()],
            domain: None,
            ntp: Vec::new(),
            mtu: None,
            times: Times::new(Duration::from_secs(3600), None, None),
        };
        let lease = Lease { terms, server: [10, 0, 0, 1].into(), since: crate::moment::Moment::default() };
        let view = ipv4::View { lease: Some(lease), ..ipv4::View::default() };
        self.ipv4.send_replace(ipv4::Views::from([(2, view)]));
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
    let followed = world.clients.followed.lock().unwrap().clone();
    assert_eq!(followed.iter().map(|wanted| wanted.link.name.as_str()).collect::<Vec<_>>(), ["lo", "eth0"]);
    assert_eq!(followed[1].ipv4, Ipv4Settings::Dhcp);
    let knobs = world.kernel.snapshot().links[1].knobs.clone();
    assert_eq!(knobs[&Knob::AcceptRouters], "2");
    assert_eq!(*world.clients.asked.lock().unwrap(), [2], "a new preference is asked for at once");
}

#[tokio::test(start_paused = true)]
async fn a_lease_becomes_an_address_a_route_and_a_name_server() {
    let mut world = start();
    world.grant(50);
    world.shows(|status| addresses(status) == ["10.0.0.50/24"]).await;
    assert_eq!(world.kernel.snapshot().routes.len(), 1);
    let written = std::fs::read_to_string(world.folder.path().join("resolv.conf")).unwrap();
    assert_eq!(written, crate::resolv::TEXT, "what DHCP offers is plaintext");
    world.ipv4.send_replace(ipv4::Views::from([(2, ipv4::View::default())]));
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

fn foreign(index: u32) -> Address {
    Address {
        index,
        address: IpAddr::from([10, 9, 9, 9]),
        prefix: 24,
        valid_for: None,
        maker: Maker::Unknown,
        is_duplicate: false,
    }
}

#[tokio::test(start_paused = true)]
async fn what_others_add_goes() {
    let mut world = start();
    world.grant(50);
    world.shows(|status| addresses(status) == ["10.0.0.50/24"]).await;
    let v6 = Address { address: "fd99::9".parse().unwrap(), prefix: 64, ..foreign(2) };
    let route = Route {
        index: 2,
        destination: Subnet { address: IpAddr::from([10, 77, 0, 0]), prefix: 16 },
        gateway: Some(IpAddr::from([10, 0, 0, 66])),
        metric: 0,
        source: None,
        origin: RouteOrigin::Foreign(3),
    };
    let good = world.kernel.snapshot();
    world.kernel.change(|state| {
        state.addresses.extend([foreign(2), v6]);
        state.routes.push(route);
    });
    world.changed.notify_one();
    sleep(Duration::from_secs(1)).await;
    let healed = world.kernel.snapshot();
    assert_eq!((healed.addresses, healed.routes), (good.addresses, good.routes));
}

/// The rival puts its address back whenever it is gone; a pass costs nothing here, so without a guard there would be thousands.
#[tokio::test(start_paused = true)]
async fn a_rival_is_not_fought_without_end() {
    let mut world = start();
    world.grant(50);
    // For ever: in this kernel addresses do not grow older, and correcting that would count as a repair.
    world.ipv4.send_modify(|views| {
        for lease in views.values_mut().filter_map(|view| view.lease.as_mut()) {
            lease.terms.times = None;
        }
    });
    world.shows(|status| addresses(status) == ["10.0.0.50/24"]).await;
    let mut removals = 0;
    let mut was_said = false;
    for _ in 0..6000 {
        let state = world.kernel.snapshot();
        if !state.addresses.contains(&foreign(2)) {
            removals += 1;
            world.kernel.change(|state| state.addresses.push(foreign(2)));
            world.changed.notify_one();
        }
        sleep(Duration::from_millis(100)).await;
        let status = world.status.borrow().clone();
        was_said |= status.state == State::Degraded
            && status
                .reasons
                .iter()
                .any(|reason| reason.contains("eth0: another program keeps changing this link"));
    }
    assert!(was_said);
    assert!((5..30).contains(&removals), "{removals} in ten minutes");
    world.kernel.change(|state| state.addresses.retain(|address| *address != foreign(2)));
    world.changed.notify_one();
    world.shows(|status| status.state == State::Ready).await;
}

#[tokio::test(start_paused = true)]
async fn what_the_kernel_refuses_again_and_again_is_no_fight() {
    let mut world = start();
    world.kernel.refuse_routes(true);
    world.grant(50);
    world.shows(|status| status.state == State::Degraded).await;
    for _ in 0..100 {
        world.changed.notify_one();
        sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(world.status.borrow().reasons, ["add a route: A netlink request failed"]);
    world.kernel.refuse_routes(false);
    world.shows(|status| status.state == State::Ready).await;
}

#[tokio::test(start_paused = true)]
async fn settings_change_one_link_and_leave_the_other_untouched() {
    let mut world = start();
    world.kernel.change(|state| state.links.push(link(4, "eth1", Kind::Ethernet { mac: [4; 6] })));
    world.grant(50);
    world.ipv4.send_modify(|views| drop(views.insert(4, ipv4::View::default())));
    world.shows(|status| addresses(status) == ["10.0.0.50/24"]).await;
    let before = world.kernel.snapshot();
    let text = r#"{"matching":{"name":"eth1"},"ipv6":{"static":{"addresses":["2001:db8::5/64"]}},"mtu":1400,"metric":7}"#;
    let settings: LinkSettings = serde_json::from_str(text).unwrap();
    world.settings.send_replace(Arc::from([settings]));
    world.shows(|status| addresses(status).contains(&"2001:db8::5/64".to_owned())).await;
    let after = world.kernel.snapshot();
    assert_eq!(after.links[1], before.links[1]);
    assert!(before.addresses.iter().all(|address| after.addresses.contains(address)));
    assert_eq!((after.links[2].mtu, after.links[2].knobs[&Knob::RouterMetric].as_str()), (1400, "7"));
    world.settings.send_replace(Arc::from([]));
    world.shows(|status| addresses(status) == ["10.0.0.50/24"]).await;
    assert_eq!(world.kernel.snapshot().links[2].mtu, 1500, "back to what it was");
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_is_told_to_the_client_and_the_owner() {
    let mut world = start();
    let v6: Ipv6Addr = "2001:db8::5".parse().unwrap();
    let duplicate = Address { address: v6.into(), is_duplicate: true, maker: Maker::Kernel, ..foreign(2) };
    world.kernel.change(|state| state.addresses.push(duplicate));
    world.changed.notify_one();
    let degraded = world.shows(|status| status.state == State::Degraded).await;
    assert_eq!(degraded.reasons, ["eth0: another device uses the address 2001:db8::5"]);
    assert_eq!(world.clients.duplicates.lock().unwrap().last(), Some(&(2, v6)));
    assert_eq!(world.reports.borrow()[0].problems, ["another device uses the address 2001:db8::5"]);
}

#[tokio::test(start_paused = true)]
async fn the_address_of_a_link_is_remembered_over_a_start() {
    let mut world = start();
    world.grant(50);
    world.shows(|status| addresses(status) == ["10.0.0.50/24"]).await;
    world.changed.notify_one();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(world.clients.followed.lock().unwrap()[1].remembered, Some([10, 0, 0, 50].into()));
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
