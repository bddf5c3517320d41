//! Drives one [`State`] machine: carries packets, time and commands to it and its effects out.
//!
//! A failure to open a socket or to send is reported and tried again by the machine's own retransmission; the client never ends
//! by itself. It owns the link's entry in the shared [`Leases`].

use crate::dhcp::frame;
use crate::dhcp::frame::Mac;
use crate::dhcp::lease::Lease;
use crate::dhcp::machine::Circumstances;
use crate::dhcp::machine::Effect;
use crate::dhcp::machine::Event;
use crate::dhcp::machine::Outgoing;
use crate::dhcp::machine::Question;
use crate::dhcp::machine::State;
use crate::dhcp::message;
use crate::dhcp::message::Identity;
use crate::dhcp::socket;
use crate::dhcp::socket::OpenError;
use crate::dhcp::socket::RawSocket;
use crate::moment::Clock;
use model::names::HostName;
use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::net::Ipv4Addr;
use std::net::SocketAddrV4;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::time::sleep_until;

/// Leases in use, by kernel index of their link.
pub type Leases = BTreeMap<u32, Lease>;

/// The link a client works on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Kernel index.
    pub index: u32,
    /// Kernel name.
    pub name: String,
    /// Hardware address.
    pub mac: Mac,
}

/// What a client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The link has a carrier.
    LinkUp,
    /// The link lost its carrier.
    LinkDown,
    /// Renew now.
    Renew,
}

/// What a client works with.
#[derive(Debug)]
pub struct Client {
    /// Its link.
    pub port: Port,
    /// Where time comes from.
    pub clock: Clock,
    /// The name to give to servers.
    pub host_name: watch::Receiver<HostName>,
    /// What it is told.
    pub notices: mpsc::Receiver<Notice>,
    /// Where its lease is shown.
    pub leases: watch::Sender<Leases>,
}

/// How a client reaches servers at present.
enum Transport {
    Closed,
    Raw(RawSocket),
    Udp(UdpSocket),
}

enum Woken {
    Notice(Notice),
    NoticesEnded,
    Timer,
    Packet(io::Result<usize>),
}

impl Client {
    /// Runs until the sender of its notices is dropped, then takes its lease back.
    #[tracing::instrument(name = "dhcp", skip_all, fields(link = %self.port.name))]
    pub async fn run(mut self) {
        let mut state = State::START;
        let mut transport = Transport::Closed;
        let mut buffer = [0; frame::LONGEST];
        loop {
            let event = match self.wait(&state, &transport, &mut buffer).await {
                Woken::NoticesEnded => break,
                Woken::Notice(Notice::LinkUp) => Event::LinkUp,
                Woken::Notice(Notice::LinkDown) => Event::LinkDown,
                Woken::Notice(Notice::Renew) => Event::RenewNow,
                Woken::Timer => Event::Timer,
                Woken::Packet(Ok(length)) => match self.read(&transport, &buffer[..length]) {
                    Some(event) => event,
                    None => continue,
                },
                Woken::Packet(Err(error)) => {
                    tracing::debug!(error = &error as &dyn Error, "socket closed");
                    transport = Transport::Closed;
                    continue;
                }
            };
            let before = std::mem::discriminant(&state);
            let (next, effects) = state.step(event, self.circumstances());
            state = next;
            if before != std::mem::discriminant(&state) {
                tracing::debug!(?state, "state changed");
            }
            self.carry_out(effects, &state, &mut transport).await;
            let is_idle = matches!(state, State::Down { .. } | State::Bound { .. });
            if is_idle {
                transport = Transport::Closed;
            }
        }
        self.show(None);
    }

    /// Every arm only receives or sleeps, so a future that loses the race has taken nothing with it.
    async fn wait(&mut self, state: &State, transport: &Transport, buffer: &mut [u8]) -> Woken {
        let due = state.wake_at().map(|moment| self.clock.instant(moment));
        tokio::select! {
            notice = self.notices.recv() => notice.map_or(Woken::NoticesEnded, Woken::Notice),
            outcome = transport.receive(buffer) => Woken::Packet(outcome),
            () = async {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            } => Woken::Timer,
        }
    }

    fn read(&self, transport: &Transport, bytes: &[u8]) -> Option<Event> {
        let payload = match transport {
            // Everything else on the link comes by here as well; it is no news.
            Transport::Raw(_) => frame::parse(bytes).ok()?,
            Transport::Udp(_) | Transport::Closed => bytes,
        };
        match message::parse(payload, self.port.mac) {
            Ok(reply) => Some(Event::Received(reply)),
            Err(error) => {
                tracing::debug!(error = &error as &dyn Error, "answer ignored");
                None
            }
        }
    }

    fn circumstances(&self) -> Circumstances {
        let random = getrandom::u64().unwrap_or_else(|error| {
            // Ids must differ between boxes, not be secret; the kernel gives random bits from early boot on.
            tracing::warn!(error = &error as &dyn Error, "no random bits");
            u64::from_be_bytes([
                0,
                0,
                self.port.mac[0],
                self.port.mac[1],
                self.port.mac[2],
                self.port.mac[3],
                self.port.mac[4],
                self.port.mac[5],
            ])
        });
        Circumstances { now: self.clock.now(), random }
    }

    async fn carry_out(&self, effects: Vec<Effect>, state: &State, transport: &mut Transport) {
        for effect in effects {
            match effect {
                Effect::Configure(lease) => {
                    let known = self.leases.borrow().get(&self.port.index).map(|lease| lease.terms.address);
                    if known != Some(lease.terms.address) {
                        tracing::info!(address = %lease.terms.address, server = %lease.server, "lease acquired");
                    }
                    self.show(Some(lease));
                }
                Effect::Unconfigure => {
                    tracing::info!("lease given up");
                    self.show(None);
                }
                Effect::Send(outgoing) => {
                    if let Err(error) = self.send(&outgoing, state, transport).await {
                        // The machine sends again; the reason is worth a line each time, as it says why there is no address.
                        tracing::warn!(error = &error as &dyn Error, "message not sent");
                        *transport = Transport::Closed;
                    }
                }
            }
        }
    }

    async fn send(
        &self,
        outgoing: &Outgoing,
        state: &State,
        transport: &mut Transport,
    ) -> Result<(), SendError> {
        let host_name = self.host_name.borrow().clone();
        let identity = Identity { mac: self.port.mac, host_name };
        let bytes = message::build(outgoing, &identity).map_err(|source| SendError::Build { source })?;
        transport.fit(state, &self.port).map_err(|source| SendError::Open { source })?;
        tracing::debug!(question = ?outgoing.question, "sending");
        transport.send(&bytes, outgoing.question, self.port.mac).await
    }

    fn show(&self, lease: Option<Lease>) {
        self.leases.send_if_modified(|leases| match lease {
            Some(lease) => leases.insert(self.port.index, lease.clone()) != Some(lease),
            None => leases.remove(&self.port.index).is_some(),
        });
    }
}

/// Why a message was not sent.
#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error("write the message")]
    Build {
        #[source]
        source: message::BuildError,
    },
    #[error("open a socket")]
    Open {
        #[source]
        source: OpenError,
    },
    #[error("send the message")]
    Send {
        #[source]
        source: io::Error,
    },
    #[error("the message is too long")]
    TooLong,
}

/// How long a send may wait for room in the link's queue.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

impl Transport {
    /// Opens the socket that the state calls for, if it is not open.
    fn fit(&mut self, state: &State, port: &Port) -> Result<(), OpenError> {
        match (&*self, state.needs_raw_socket()) {
            (Self::Raw(_), true) | (Self::Udp(_), false) => Ok(()),
            (_, true) => RawSocket::open(&port.name, port.index).map(|socket| *self = Self::Raw(socket)),
            (_, false) => socket::open_udp(&port.name).map(|socket| *self = Self::Udp(socket)),
        }
    }

    async fn send(&self, bytes: &[u8], question: Question, from: Mac) -> Result<(), SendError> {
        let sending = async {
            match self {
                Self::Closed => Err(SendError::Send { source: io::ErrorKind::NotConnected.into() }),
                Self::Raw(socket) => {
                    let frame = frame::broadcast(from, bytes).ok_or(SendError::TooLong)?;
                    socket.send(&frame).await.map_err(|source| SendError::Send { source })
                }
                Self::Udp(socket) => {
                    let to = match question {
                        Question::Renew { server, .. } => server,
                        Question::Discover { .. }
                        | Question::Select { .. }
                        | Question::Reboot { .. }
                        | Question::Rebind { .. } => Ipv4Addr::BROADCAST,
                    };
                    let to = SocketAddrV4::new(to, frame::SERVER_PORT);
                    socket.send_to(bytes, to).await.map(drop).map_err(|source| SendError::Send { source })
                }
            }
        };
        match tokio::time::timeout(SEND_TIMEOUT, sending).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => Err(SendError::Send { source: io::ErrorKind::TimedOut.into() }),
        }
    }

    async fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Closed => std::future::pending().await,
            Self::Raw(socket) => socket.receive(buffer).await,
            Self::Udp(socket) => socket.recv_from(buffer).await.map(|(length, _from)| length),
        }
    }
}
