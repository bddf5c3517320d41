//! What who joins the box's own network finds there: an address, and the box under every name. Runs while that network is on.

use super::captive;
use super::leases;
use super::leases::Leases;
use super::leases::OWN;
use crate::dhcp::frame::CLIENT_PORT;
use crate::dhcp::frame::SERVER_PORT;
use crate::moment::Clock;
use crate::moment::Moment;
use std::error::Error;
use std::io;
use std::net::Ipv4Addr;
use std::net::SocketAddrV4;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// Port of plaintext DNS.
const DNS_PORT: u16 = 53;
/// Wait before a socket that could not be opened is tried again: the address comes to the link a moment after the network.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// Both servers; they end with the value.
#[derive(Debug)]
pub struct Servers {
    tasks: [JoinHandle<()>; 2],
    used_until: watch::Receiver<Option<Moment>>,
}

impl Servers {
    /// Starts them on the link of this name; must run inside the runtime.
    #[must_use]
    pub fn start(link: &str, clock: Clock) -> Self {
        let used = watch::Sender::new(None);
        let used_until = used.subscribe();
        let tasks = [
            tokio::spawn(give_addresses(link.to_owned(), clock, used)),
            tokio::spawn(answer_names(link.to_owned())),
        ];
        Self { tasks, used_until }
    }

    /// Whether somebody has an address.
    #[must_use]
    pub fn are_used(&self, now: Moment) -> bool {
        self.used_until.borrow().is_some_and(|until| until > now)
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn give_addresses(link: String, clock: Clock, used: watch::Sender<Option<Moment>>) {
    let socket = open(&link, SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, SERVER_PORT)).await;
    let everybody = SocketAddrV4::new(Ipv4Addr::BROADCAST, CLIENT_PORT);
    let mut held = Leases::default();
    let mut buffer = vec![0; leases::LONGEST + 1];
    loop {
        let Ok((length, _)) = socket.recv_from(&mut buffer).await else {
            sleep(TRY_AGAIN).await;
            continue;
        };
        let now = clock.now();
        if let Some(answer) = held.answer(buffer.get(..length).unwrap_or_default(), now)
            && let Err(error) = socket.send_to(&answer, everybody).await
        {
            tracing::debug!(error = &error as &dyn Error, link, "an address was not given");
        }
        used.send_replace(held.used_until());
    }
}

async fn answer_names(link: String) {
    let socket = open(&link, SocketAddrV4::new(OWN.0, DNS_PORT)).await;
    let mut buffer = vec![0; captive::LONGEST + 1];
    loop {
        let Ok((length, asker)) = socket.recv_from(&mut buffer).await else {
            sleep(TRY_AGAIN).await;
            continue;
        };
        if let Some(answer) = captive::answer(buffer.get(..length).unwrap_or_default(), OWN.0)
            && let Err(error) = socket.send_to(&answer, asker).await
        {
            tracing::debug!(error = &error as &dyn Error, link, "a name was not answered");
        }
    }
}

/// Tries until it works.
async fn open(link: &str, address: SocketAddrV4) -> UdpSocket {
    let mut is_told = false;
    loop {
        match try_open(link, address) {
            Ok(socket) => return socket,
            Err(error) => {
                if !is_told {
                    is_told = true;
                    tracing::debug!(error = &error as &dyn Error, link, %address, "not served there yet");
                }
                sleep(TRY_AGAIN).await;
            }
        }
    }
}

fn try_open(link: &str, address: SocketAddrV4) -> io::Result<UdpSocket> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None)?;
    socket.set_nonblocking(true)?;
    // Nobody on another link is heard.
    socket.bind_device(Some(link.as_bytes()))?;
    socket.set_broadcast(true)?;
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}
