//! Drives one [`State`] machine: carries packets, time and notices to it and its effects out.
//!
//! A failure to open a socket or to send is reported and made good by the machine's own repetition: shortly after the carrier comes
//! the kernel still asks whether the link-local address is free, and nothing can be sent from it. The client never ends by itself.
//! It owns the link's entry in the shared [`Views`].

use crate::dhcp::machine::Circumstances;
use crate::dhcp6::View;
use crate::dhcp6::Views;
use crate::dhcp6::machine::Effect;
use crate::dhcp6::machine::Event;
use crate::dhcp6::machine::Mode;
use crate::dhcp6::machine::Outgoing;
use crate::dhcp6::machine::State;
use crate::dhcp6::message;
use crate::dhcp6::message::Identity;
use crate::ipv4::driver::Port;
use crate::ipv4::driver::random;
use crate::moment::Clock;
use model::names::HostName;
use std::error::Error;
use std::io;
use std::net::Ipv6Addr;
use std::net::SocketAddrV6;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::time::sleep_until;

/// UDP port of a client.
const CLIENT_PORT: u16 = 546;
/// UDP port of a server.
const SERVER_PORT: u16 = 547;
/// All servers and relays of the link (RFC 8415 section 7.1).
const ALL_SERVERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);

/// What a client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The link has a carrier and advertisements offer this.
    Begin(Mode),
    /// The link lost its carrier.
    LinkDown,
    /// Renew now.
    Renew,
    /// Another device has this address.
    Duplicate(Ipv6Addr),
    /// Give up the lease: the owner wants other addresses.
    Release,
}

/// What a client works with.
#[derive(Debug)]
pub struct Client {
    /// Its link.
    pub port: Port,
    /// Where time comes from.
    pub clock: Clock,
    /// The box's DUID.
    pub duid: Vec<u8>,
    /// The name to give to servers.
    pub host_name: watch::Receiver<HostName>,
    /// What it is told.
    pub notices: mpsc::Receiver<Notice>,
    /// Where its lease is shown.
    pub views: watch::Sender<Views>,
}

enum Woken {
    Notice(Notice),
    NoticesEnded,
    Timer,
    Packet(io::Result<usize>),
}

/// Why a message was not sent.
#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error("write the message")]
    Build {
        #[source]
        source: message::BuildError,
    },
    #[error("open a UDP socket")]
    Open {
        #[source]
        source: io::Error,
    },
    #[error("send the message")]
    Send {
        #[source]
        source: io::Error,
    },
}

impl Client {
    /// Runs until the sender of its notices is dropped, then takes its lease back.
    #[tracing::instrument(name = "dhcp6", skip_all, fields(link = %self.port.name))]
    pub async fn run(mut self) {
        let mut state = State::START;
        let mut view = View::default();
        let mut socket: Option<UdpSocket> = None;
        let mut buffer = Box::new([0; message::LONGEST]);
        loop {
            let event = match self.wait(&state, socket.as_ref(), &mut buffer[..]).await {
                Woken::NoticesEnded => break,
                Woken::Notice(Notice::Begin(mode)) => Event::Begin(mode),
                Woken::Notice(Notice::LinkDown) => Event::LinkDown,
                Woken::Notice(Notice::Renew) => Event::RenewNow,
                Woken::Notice(Notice::Duplicate(address)) => Event::Duplicate(address),
                Woken::Notice(Notice::Release) => Event::Release,
                Woken::Timer => Event::Timer,
                Woken::Packet(Ok(length)) => match message::parse(&buffer[..length], &self.identity()) {
                    Ok(reply) => Event::Received(reply),
                    Err(error) => {
                        tracing::debug!(error = &error as &dyn Error, "answer ignored");
                        continue;
                    }
                },
                Woken::Packet(Err(error)) => {
                    tracing::debug!(error = &error as &dyn Error, "socket closed");
                    socket = None;
                    continue;
                }
            };
            let before = std::mem::discriminant(&state);
            let at = Circumstances { now: self.clock.now(), random: random(self.port.mac) };
            let (next, effects) = state.step(event, at);
            state = next;
            if before != std::mem::discriminant(&state) {
                tracing::debug!(?state, "state changed");
            }
            for effect in effects {
                self.carry_out(effect, &mut view, &mut socket).await;
            }
            if state.exchange().is_none() {
                socket = None;
            }
            if state == State::START {
                view.information = None;
            }
            let shown = view.clone();
            self.views.send_if_modified(|views| {
                views.insert(self.port.index, shown.clone()).is_none_or(|before| before != shown)
            });
        }
        self.views.send_if_modified(|views| views.remove(&self.port.index).is_some());
    }

    /// Every arm only receives or sleeps, so a future that loses the race has taken nothing with it.
    async fn wait(&mut self, state: &State, socket: Option<&UdpSocket>, buffer: &mut [u8]) -> Woken {
        let due = state.wake_at().map(|moment| self.clock.instant(moment));
        tokio::select! {
            notice = self.notices.recv() => notice.map_or(Woken::NoticesEnded, Woken::Notice),
            outcome = async {
                match socket {
                    Some(socket) => socket.recv_from(buffer).await.map(|(length, _from)| length),
                    None => std::future::pending().await,
                }
            } => Woken::Packet(outcome),
            () = async {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            } => Woken::Timer,
        }
    }

    fn identity(&self) -> Identity {
        Identity {
            duid: self.duid.clone(),
            iaid: crate::identity::iaid(self.port.mac),
            host_name: self.host_name.borrow().clone(),
        }
    }

    async fn carry_out(&self, effect: Effect, view: &mut View, socket: &mut Option<UdpSocket>) {
        match effect {
            Effect::Configure(lease) => {
                let known = view.lease.as_ref().map(crate::dhcp6::lease::Lease::plain);
                if known != Some(lease.plain()) {
                    tracing::info!(addresses = ?lease.plain(), "lease acquired");
                }
                view.lease = Some(lease);
            }
            Effect::Unconfigure => {
                tracing::info!("lease given up");
                view.lease = None;
            }
            Effect::Inform(information) => view.information = Some(information),
            Effect::Send(outgoing) => {
                if let Err(error) = self.send(&outgoing, socket).await {
                    tracing::info!(error = &error as &dyn Error, "message not sent");
                    *socket = None;
                }
            }
        }
    }

    async fn send(&self, outgoing: &Outgoing, socket: &mut Option<UdpSocket>) -> Result<(), SendError> {
        let bytes =
            message::build(outgoing, &self.identity()).map_err(|source| SendError::Build { source })?;
        let open = match socket.take() {
            Some(open) => open,
            None => self.open().map_err(|source| SendError::Open { source })?,
        };
        tracing::debug!(question = ?outgoing.question, "sending");
        let to = SocketAddrV6::new(ALL_SERVERS, SERVER_PORT, 0, self.port.index);
        let sent = open.send_to(&bytes, to).await;
        *socket = Some(open);
        sent.map(drop).map_err(|source| SendError::Send { source })
    }

    /// Bound to the link, so that two links may both have a client. Needs CAP_NET_BIND_SERVICE.
    fn open(&self) -> io::Result<UdpSocket> {
        let socket = socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::DGRAM, None)?;
        socket.set_nonblocking(true)?;
        socket.set_only_v6(true)?;
        socket.bind_device(Some(self.port.name.as_bytes()))?;
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, CLIENT_PORT, 0, 0).into())?;
        UdpSocket::from_std(socket.into())
    }
}
