//! The tasks of every Ethernet link, started, told and ended as links come and go and as the owner chooses.

use crate::dhcp::frame::Mac;
use crate::dhcp6;
use crate::dhcp6::client::Client;
use crate::dhcp6::machine::Mode;
use crate::follow::replace;
use crate::identity::Identity;
use crate::ipv4;
use crate::ipv4::driver::Driver;
use crate::ipv4::driver::Port;
use crate::moment::Clock;
use crate::observe::Kind;
use crate::observe::Link;
use crate::routers;
use model::names::HostName;
use model::network::link_settings::Ipv4Settings;
use model::network::link_settings::Ipv6Settings;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::error::Error;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Notices that a task may lag behind.
const NOTICE_QUEUE: usize = 8;

/// A link and what is wanted of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The link.
    pub link: Link,
    /// How it gets its IPv4 addresses.
    pub ipv4: Ipv4Settings,
    /// How it gets its IPv6 addresses.
    pub ipv6: Ipv6Settings,
    /// The IPv4 address that it had before the start.
    pub remembered: Option<Ipv4Addr>,
}

/// What the reconciler needs of the tasks.
pub trait Clients {
    /// Makes tasks match the links.
    fn follow(&mut self, wanted: &[Wanted]);
    /// Tells all tasks to renew now.
    fn renew(&mut self);
    /// Asks the routers of a link for an advertisement now.
    fn ask_routers(&mut self, link: &Link);
    /// Another device has an IPv6 address of this link.
    fn note_duplicate(&mut self, index: u32, address: Ipv6Addr);
}

/// The real tasks.
#[derive(Debug)]
pub struct LinkTasks {
    clock: Clock,
    identity: Identity,
    host_name: watch::Receiver<HostName>,
    own_macs: watch::Sender<BTreeSet<Mac>>,
    ipv4: watch::Sender<ipv4::Views>,
    dhcp6: watch::Sender<dhcp6::Views>,
    running: BTreeMap<u32, Running>,
}

#[derive(Debug)]
struct Running {
    port: Port,
    ipv4: Told<ipv4::driver::Notice>,
    dhcp6: Told<dhcp6::client::Notice>,
}

/// A task and what it was last told.
#[derive(Debug)]
struct Told<N> {
    notices: mpsc::Sender<N>,
    task: JoinHandle<()>,
    has_carrier: bool,
    mode: Option<Ipv4Settings>,
    offer: Option<Mode>,
}

impl LinkTasks {
    /// No tasks yet.
    #[must_use]
    pub fn new(
        clock: Clock,
        identity: Identity,
        host_name: watch::Receiver<HostName>,
        ipv4: watch::Sender<ipv4::Views>,
        dhcp6: watch::Sender<dhcp6::Views>,
    ) -> Self {
        let own_macs = watch::Sender::new(BTreeSet::new());
        Self { clock, identity, host_name, own_macs, ipv4, dhcp6, running: BTreeMap::new() }
    }

    fn start(&self, port: Port, wanted: &Wanted) -> Running {
        let (notices, received) = mpsc::channel(NOTICE_QUEUE);
        let driver = Driver {
            mode: wanted.ipv4.clone(),
            remembered: wanted.remembered,
            clock: self.clock,
            client_id: self.identity.client_id(port.mac),
            host_name: self.host_name.clone(),
            own_macs: self.own_macs.subscribe(),
            notices: received,
            views: self.ipv4.clone(),
            port: port.clone(),
        };
        let ipv4 = Told::new(notices, tokio::spawn(driver.run()), Some(wanted.ipv4.clone()));
        let (notices, received) = mpsc::channel(NOTICE_QUEUE);
        let client = Client {
            clock: self.clock,
            duid: self.identity.duid(),
            host_name: self.host_name.clone(),
            notices: received,
            views: self.dhcp6.clone(),
            port: port.clone(),
        };
        let dhcp6 = Told::new(notices, tokio::spawn(client.run()), None);
        Running { port, ipv4, dhcp6 }
    }

    fn end(&self, running: &Running) {
        running.ipv4.task.abort();
        running.dhcp6.task.abort();
        self.ipv4.send_if_modified(|views| views.remove(&running.port.index).is_some());
        self.dhcp6.send_if_modified(|views| views.remove(&running.port.index).is_some());
    }
}

impl<N> Told<N> {
    const fn new(notices: mpsc::Sender<N>, task: JoinHandle<()>, mode: Option<Ipv4Settings>) -> Self {
        Self { notices, task, has_carrier: false, mode, offer: None }
    }

    /// A full queue is tried again in the next pass: what was told stays as it is.
    fn tell(&self, notice: N) -> bool {
        self.notices.try_send(notice).is_ok()
    }
}

impl Running {
    fn is_finished(&self) -> bool {
        self.ipv4.task.is_finished() || self.dhcp6.task.is_finished()
    }

    fn update(&mut self, wanted: &Wanted) {
        use crate::dhcp6::client::Notice as Notice6;
        use crate::ipv4::driver::Notice as Notice4;
        let has_carrier = wanted.link.is_up && wanted.link.has_carrier;
        let ipv4 = &mut self.ipv4;
        if ipv4.mode.as_ref() != Some(&wanted.ipv4) && ipv4.tell(Notice4::Mode(wanted.ipv4.clone())) {
            ipv4.mode = Some(wanted.ipv4.clone());
        }
        let notice = if has_carrier { Notice4::LinkUp } else { Notice4::LinkDown };
        if ipv4.has_carrier != has_carrier && ipv4.tell(notice) {
            ipv4.has_carrier = has_carrier;
        }
        let dhcp6 = &mut self.dhcp6;
        let offer = match &wanted.ipv6 {
            Ipv6Settings::Static(_) | Ipv6Settings::Off => None,
            Ipv6Settings::Automatic if wanted.link.dhcpv6.addresses => Some(Mode::Addresses),
            Ipv6Settings::Automatic if wanted.link.dhcpv6.information => Some(Mode::Information),
            Ipv6Settings::Automatic => Some(Mode::Off),
        };
        let notice = match (has_carrier, offer) {
            (_, None) => Notice6::Release,
            (true, Some(mode)) => Notice6::Begin(mode),
            (false, Some(_)) => Notice6::LinkDown,
        };
        if (dhcp6.has_carrier, dhcp6.offer) != (has_carrier, offer) && dhcp6.tell(notice) {
            // The kernel has asked when the link came up, which may have been before netd's start.
            if has_carrier && offer.is_some() && !(dhcp6.has_carrier && dhcp6.offer.is_some()) {
                ask_routers(&wanted.link);
            }
            (dhcp6.has_carrier, dhcp6.offer) = (has_carrier, offer);
        }
    }
}

fn ask_routers(link: &Link) {
    if let Err(error) = routers::solicit(&link.name, link.index) {
        tracing::debug!(link = link.name, error = &error as &dyn Error, "routers not asked");
    }
}

impl Clients for LinkTasks {
    fn follow(&mut self, wanted: &[Wanted]) {
        let ports: BTreeMap<u32, (Port, &Wanted)> = wanted.iter().filter_map(port).collect();
        let macs: BTreeSet<Mac> = ports.values().map(|(port, _)| port.mac).collect();
        self.own_macs.send_if_modified(|known| replace(known, macs));
        let is_stale = |index: &u32, running: &Running| {
            running.is_finished() || ports.get(index).is_none_or(|(port, _)| *port != running.port)
        };
        let stale: Vec<u32> = self.running.iter().filter(|(i, r)| is_stale(i, r)).map(|(i, _)| *i).collect();
        for running in stale.iter().filter_map(|index| self.running.remove(index)).collect::<Vec<_>>() {
            self.end(&running);
        }
        for (index, (port, wanted)) in ports {
            let mut running = self.running.remove(&index).unwrap_or_else(|| self.start(port, wanted));
            running.update(wanted);
            self.running.insert(index, running);
        }
    }

    fn renew(&mut self) {
        for running in self.running.values() {
            let both = running.ipv4.tell(ipv4::driver::Notice::Renew)
                & running.dhcp6.tell(dhcp6::client::Notice::Renew);
            if !both {
                tracing::warn!(link = running.port.name, "the DHCP client is busy");
            }
        }
    }

    fn ask_routers(&mut self, link: &Link) {
        ask_routers(link);
    }

    fn note_duplicate(&mut self, index: u32, address: Ipv6Addr) {
        if let Some(running) = self.running.get(&index) {
            running.dhcp6.tell(dhcp6::client::Notice::Duplicate(address));
        }
    }
}

fn port(wanted: &Wanted) -> Option<(u32, (Port, &Wanted))> {
    let link = &wanted.link;
    match link.kind {
        Kind::Ethernet { mac } => {
            let port = Port { index: link.index, name: link.name.clone(), mac };
            Some((link.index, (port, wanted)))
        }
        Kind::Loopback | Kind::Other => None,
    }
}
