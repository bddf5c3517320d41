//! Drives one [`Agent`]: carries packets, time and notices to it and what it sends out.
//!
//! A failure to open a socket or to send is reported and made good by the machines' own repetition; the driver never ends by
//! itself. It owns the link's entry in the shared [`Views`].

use crate::dhcp::frame;
use crate::dhcp::frame::Mac;
use crate::dhcp::machine::Circumstances;
use crate::dhcp::machine::Outgoing;
use crate::dhcp::message;
use crate::dhcp::message::Identity;
use crate::dhcp::socket::ETHERTYPE_ARP;
use crate::dhcp::socket::RawSocket;
use crate::dhcp::transport::SendError;
use crate::dhcp::transport::Transport;
use crate::ipv4::Views;
use crate::ipv4::agent::Agent;
use crate::ipv4::agent::Event;
use crate::ipv4::agent::Send;
use crate::ipv4::arp::Arp;
use crate::moment::Clock;
use model::names::HostName;
use model::network::link_settings::Ipv4Settings;
use std::collections::BTreeSet;
use std::error::Error;
use std::io;
use std::net::Ipv4Addr;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::time::sleep_until;

/// The link that a task works on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Kernel index.
    pub index: u32,
    /// Kernel name.
    pub name: String,
    /// Hardware address.
    pub mac: Mac,
}

/// What a driver is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The link has a carrier.
    LinkUp,
    /// The link lost its carrier.
    LinkDown,
    /// Renew now.
    Renew,
    /// Get addresses of this kind from now on.
    Mode(Ipv4Settings),
}

/// What a driver works with.
#[derive(Debug)]
pub struct Driver {
    /// Its link.
    pub port: Port,
    /// How the link gets its addresses at first.
    pub mode: Ipv4Settings,
    /// The address that the link had before the start.
    pub remembered: Option<Ipv4Addr>,
    /// Where time comes from.
    pub clock: Clock,
    /// Who the box says it is on this link.
    pub client_id: Vec<u8>,
    /// The name to give to servers.
    pub host_name: watch::Receiver<HostName>,
    /// Hardware addresses of all links of the box: what comes from these is no rival.
    pub own_macs: watch::Receiver<BTreeSet<Mac>>,
    /// What it is told.
    pub notices: mpsc::Receiver<Notice>,
    /// Where its addresses are shown.
    pub views: watch::Sender<Views>,
}

enum Woken {
    Notice(Notice),
    NoticesEnded,
    Timer,
    Dhcp(io::Result<usize>),
    Arp(io::Result<usize>),
}

/// Where packets are received.
struct Buffers {
    dhcp: [u8; frame::LONGEST],
    arp: [u8; 64],
}

impl Driver {
    /// Runs until the sender of its notices is dropped, then takes its addresses back.
    #[tracing::instrument(name = "ipv4", skip_all, fields(link = %self.port.name))]
    pub async fn run(mut self) {
        let mut agent = Agent::new(self.port.mac, self.mode.clone(), self.remembered);
        let mut transport = Transport::Closed;
        let mut arp: Option<RawSocket> = None;
        let mut buffers = Box::new(Buffers { dhcp: [0; frame::LONGEST], arp: [0; 64] });
        self.show(&agent);
        loop {
            let event = match self.wait(&agent, &transport, arp.as_ref(), &mut buffers).await {
                Woken::NoticesEnded => break,
                Woken::Notice(Notice::LinkUp) => Event::LinkUp,
                Woken::Notice(Notice::LinkDown) => Event::LinkDown,
                Woken::Notice(Notice::Renew) => Event::RenewNow,
                Woken::Notice(Notice::Mode(mode)) => Event::SetMode(mode),
                Woken::Timer => Event::Timer,
                Woken::Dhcp(Ok(length)) => match self.read_dhcp(&transport, &buffers.dhcp[..length]) {
                    Some(event) => event,
                    None => continue,
                },
                Woken::Arp(Ok(length)) => match self.read_arp(&agent, &buffers.arp[..length]) {
                    Some(event) => event,
                    None => continue,
                },
                Woken::Dhcp(Err(error)) => {
                    tracing::debug!(error = &error as &dyn Error, "socket closed");
                    transport = Transport::Closed;
                    continue;
                }
                Woken::Arp(Err(error)) => {
                    tracing::debug!(error = &error as &dyn Error, "socket closed");
                    arp = None;
                    continue;
                }
            };
            let before = std::mem::discriminant(agent.dhcp());
            let sends = agent.step(event, self.circumstances());
            if before != std::mem::discriminant(agent.dhcp()) {
                tracing::debug!(state = ?agent.dhcp(), "state changed");
            }
            self.fit_arp(&agent, &mut arp);
            for send in sends {
                self.send(send, &mut transport, arp.as_ref()).await;
            }
            if agent.dhcp().is_idle() {
                transport = Transport::Closed;
            }
            self.show(&agent);
        }
        self.views.send_if_modified(|views| views.remove(&self.port.index).is_some());
    }

    /// Every arm only receives or sleeps, so a future that loses the race has taken nothing with it.
    async fn wait(
        &mut self,
        agent: &Agent,
        transport: &Transport,
        arp: Option<&RawSocket>,
        buffers: &mut Buffers,
    ) -> Woken {
        let due = agent.wake_at().map(|moment| self.clock.instant(moment));
        tokio::select! {
            notice = self.notices.recv() => notice.map_or(Woken::NoticesEnded, Woken::Notice),
            outcome = transport.receive(&mut buffers.dhcp) => Woken::Dhcp(outcome),
            outcome = async {
                match arp {
                    Some(socket) => socket.receive(&mut buffers.arp).await,
                    None => std::future::pending().await,
                }
            } => Woken::Arp(outcome),
            () = async {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            } => Woken::Timer,
        }
    }

    fn read_dhcp(&self, transport: &Transport, bytes: &[u8]) -> Option<Event> {
        let payload = match transport {
            // Everything else on the link comes by here as well; it is no news.
            Transport::Raw(_) => frame::parse(bytes).ok()?,
            Transport::Udp(_) | Transport::Closed => bytes,
        };
        match message::parse(payload, self.port.mac) {
            Ok(reply) => Some(Event::Dhcp(reply)),
            Err(error) => {
                tracing::debug!(error = &error as &dyn Error, "answer ignored");
                None
            }
        }
    }

    fn read_arp(&self, agent: &Agent, bytes: &[u8]) -> Option<Event> {
        let arp = Arp::parse(bytes)?;
        let is_own = self.own_macs.borrow().contains(&arp.sender_mac);
        (!is_own && agent.heeds(&arp)).then_some(Event::Arp(arp))
    }

    fn circumstances(&self) -> Circumstances {
        Circumstances { now: self.clock.now(), random: random(self.port.mac) }
    }

    /// Without the socket conflicts are not seen, but the box still has addresses: that is the lesser evil.
    fn fit_arp(&self, agent: &Agent, arp: &mut Option<RawSocket>) {
        match (agent.listens(), arp.is_some()) {
            (true, false) => match RawSocket::open(&self.port.name, self.port.index, ETHERTYPE_ARP) {
                Ok(socket) => *arp = Some(socket),
                Err(error) => tracing::warn!(error = &error as &dyn Error, "conflicts are not seen"),
            },
            (false, true) => *arp = None,
            (true, true) | (false, false) => {}
        }
    }

    async fn send(&self, send: Send, transport: &mut Transport, arp: Option<&RawSocket>) {
        let outcome = match send {
            Send::Dhcp(outgoing) => self.send_dhcp(&outgoing, transport).await,
            Send::Arp(packet) => match arp {
                Some(socket) => {
                    socket.send(&packet.frame()).await.map_err(|source| SendError::Send { source })
                }
                None => return,
            },
        };
        if let Err(error) = outcome {
            // It is sent again; the reason is worth a line each time, as it says why there is no address.
            tracing::warn!(error = &error as &dyn Error, "message not sent");
            if matches!(send, Send::Dhcp(_)) {
                *transport = Transport::Closed;
            }
        }
    }

    async fn send_dhcp(&self, outgoing: &Outgoing, transport: &mut Transport) -> Result<(), SendError> {
        let identity = Identity {
            mac: self.port.mac,
            client_id: self.client_id.clone(),
            host_name: self.host_name.borrow().clone(),
        };
        let bytes = message::build(outgoing, &identity).map_err(|source| SendError::Build { source })?;
        transport.fit(outgoing.question, &self.port)?;
        tracing::debug!(question = ?outgoing.question, "sending");
        transport.send(&bytes, outgoing.question, self.port.mac).await
    }

    fn show(&self, agent: &Agent) {
        let view = agent.view();
        let lease = |views: &Views| {
            let lease = views.get(&self.port.index).and_then(|view| view.lease.as_ref());
            lease.map(|lease| (lease.terms.address, lease.server))
        };
        let before = lease(&self.views.borrow());
        self.views.send_if_modified(|views| {
            views.insert(self.port.index, view.clone()).is_none_or(|before| before != view)
        });
        match (before, lease(&self.views.borrow())) {
            (before, Some((address, server))) if before != Some((address, server)) => {
                tracing::info!(%address, %server, "lease acquired");
            }
            (Some((address, _)), None) => tracing::info!(%address, "lease given up"),
            _ => {}
        }
    }
}

/// Ids must differ between boxes, not be secret; the kernel gives random bits from early boot on.
pub(crate) fn random(mac: Mac) -> u64 {
    getrandom::u64().unwrap_or_else(|error| {
        tracing::warn!(error = &error as &dyn Error, "no random bits");
        let [a, b, c, d, e, f] = mac;
        u64::from_be_bytes([a, b, c, d, e, f, a, b])
    })
}
