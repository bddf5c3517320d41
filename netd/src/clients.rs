//! One DHCP client per Ethernet link, started and ended as links come and go.

use crate::dhcp::client::Client;
use crate::dhcp::client::Leases;
use crate::dhcp::client::Notice;
use crate::dhcp::client::Port;
use crate::moment::Clock;
use crate::observe::Kind;
use crate::observe::Link;
use model::names::HostName;
use std::collections::BTreeMap;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Notices that a client may lag behind.
const NOTICE_QUEUE: usize = 8;

/// What the reconciler needs of the clients.
pub trait Clients {
    /// Makes clients match the links.
    fn follow(&mut self, links: &[Link]);
    /// Tells all clients to renew now.
    fn renew(&mut self);
}

/// The real clients.
#[derive(Debug)]
pub struct DhcpClients {
    clock: Clock,
    host_name: watch::Receiver<HostName>,
    leases: watch::Sender<Leases>,
    running: BTreeMap<u32, Running>,
}

#[derive(Debug)]
struct Running {
    port: Port,
    notices: mpsc::Sender<Notice>,
    task: JoinHandle<()>,
    /// What the client was last told.
    has_carrier: bool,
}

impl DhcpClients {
    /// No clients yet.
    #[must_use]
    pub const fn new(
        clock: Clock,
        host_name: watch::Receiver<HostName>,
        leases: watch::Sender<Leases>,
    ) -> Self {
        Self { clock, host_name, leases, running: BTreeMap::new() }
    }

    fn start(&self, port: Port) -> Running {
        let (notices, received) = mpsc::channel(NOTICE_QUEUE);
        let client = Client {
            port: port.clone(),
            clock: self.clock,
            host_name: self.host_name.clone(),
            notices: received,
            leases: self.leases.clone(),
        };
        Running { port, notices, task: tokio::spawn(client.run()), has_carrier: false }
    }

    fn end(&self, running: &Running) {
        running.task.abort();
        self.leases.send_if_modified(|leases| leases.remove(&running.port.index).is_some());
    }
}

impl Clients for DhcpClients {
    fn follow(&mut self, links: &[Link]) {
        let ports: BTreeMap<u32, (Port, bool)> = links.iter().filter_map(port).collect();
        let is_stale = |index: &u32, running: &Running| {
            running.task.is_finished() || ports.get(index).is_none_or(|(port, _)| *port != running.port)
        };
        let stale: Vec<u32> = self.running.iter().filter(|(i, r)| is_stale(i, r)).map(|(i, _)| *i).collect();
        for running in stale.iter().filter_map(|index| self.running.remove(index)).collect::<Vec<_>>() {
            self.end(&running);
        }
        for (index, (port, has_carrier)) in ports {
            let mut running = self.running.remove(&index).unwrap_or_else(|| self.start(port));
            if running.has_carrier != has_carrier {
                let notice = if has_carrier { Notice::LinkUp } else { Notice::LinkDown };
                // A full queue is tried again in the next pass: what was told stays as it is.
                if running.notices.try_send(notice).is_ok() {
                    running.has_carrier = has_carrier;
                }
            }
            self.running.insert(index, running);
        }
    }

    fn renew(&mut self) {
        for running in self.running.values() {
            if running.notices.try_send(Notice::Renew).is_err() {
                tracing::warn!(link = running.port.name, "the DHCP client is busy");
            }
        }
    }
}

fn port(link: &Link) -> Option<(u32, (Port, bool))> {
    match link.kind {
        Kind::Ethernet { mac } => {
            let port = Port { index: link.index, name: link.name.clone(), mac };
            Some((link.index, (port, link.is_up && link.has_carrier)))
        }
        Kind::Loopback | Kind::Other => None,
    }
}
