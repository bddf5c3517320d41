//! What router advertisements tell besides addresses: name servers and domains (RFC 8106).
//!
//! The kernel reads advertisements and passes on what it has no use for itself. [`decode`] is pure; [`listen`] keeps what every link
//! was told, as long as it lasts. Nobody but the kernel and programs with CAP_NET_ADMIN can send to that socket.

pub mod decode;

use crate::moment::Clock;
use crate::moment::Moment;
use crate::routers::decode::Advice;
use rustix::net::AddressFamily;
use rustix::net::SocketFlags;
use rustix::net::SocketType;
use rustix::net::netlink::SocketAddrNetlink;
use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::net::Ipv6Addr;
use std::net::SocketAddrV6;
use std::time::Duration;
use tokio::net::UnixDatagram;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio::time::sleep_until;

/// `RTNLGRP_ND_USEROPT` of linux/rtnetlink.h as a bit of the socket's groups.
const USER_OPTIONS: u32 = 1 << (20 - 1);
/// Entries of each kind on one link, at most; the oldest goes first.
const MOST_ENTRIES: usize = 8;
/// Wait after a failure, so that a lasting one does not spin.
const PAUSE: Duration = Duration::from_secs(5);
/// Router Solicitation without options (RFC 4861 section 4.1); the kernel fills in the checksum.
const SOLICITATION: [u8; 8] = [133, 0, 0, 0, 0, 0, 0, 0];
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

/// What every link was told, by kernel index.
pub type Told = BTreeMap<u32, ToldLink>;

/// What one link was told, each with its end; none means for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToldLink {
    /// Name servers.
    pub dns: Vec<(Ipv6Addr, Option<Moment>)>,
    /// Domains in which short names are looked up.
    pub domains: Vec<(String, Option<Moment>)>,
}

impl ToldLink {
    fn take(&mut self, advice: &Advice, now: Moment) {
        let end = advice.lifetime.map(|lifetime| now + lifetime);
        let is_over = advice.lifetime == Some(Duration::ZERO);
        put(&mut self.dns, &advice.dns, end, is_over);
        put(&mut self.domains, &advice.domains, end, is_over);
    }

    fn forget(&mut self, now: Moment) {
        let lasts = |end: &Option<Moment>| end.is_none_or(|end| now < end);
        self.dns.retain(|(_, end)| lasts(end));
        self.domains.retain(|(_, end)| lasts(end));
    }

    fn next_end(&self) -> Option<Moment> {
        let ends = self.dns.iter().map(|(_, end)| end).chain(self.domains.iter().map(|(_, end)| end));
        ends.flatten().min().copied()
    }
}

fn put<T: Clone + PartialEq>(
    entries: &mut Vec<(T, Option<Moment>)>,
    told: &[T],
    end: Option<Moment>,
    is_over: bool,
) {
    for new in told {
        match entries.iter_mut().find(|(known, _)| known == new) {
            Some(entry) if !is_over => entry.1 = end,
            Some(_) => entries.retain(|(known, _)| known != new),
            None if !is_over => entries.push((new.clone(), end)),
            None => {}
        }
    }
    let surplus = entries.len().saturating_sub(MOST_ENTRIES);
    entries.drain(..surplus);
}

/// Listens for ever.
pub async fn listen(clock: Clock, told: watch::Sender<Told>) {
    let mut buffer = vec![0; 8192];
    loop {
        let socket = match open() {
            Ok(socket) => socket,
            Err(error) => {
                tracing::warn!(error = &error as &dyn Error, "name servers of routers are not seen");
                sleep(PAUSE).await;
                continue;
            }
        };
        loop {
            let next_end = told.borrow().values().filter_map(ToldLink::next_end).min();
            // Both only receive or sleep.
            let received = tokio::select! {
                received = socket.recv(&mut buffer) => Some(received),
                () = async {
                    match next_end {
                        Some(end) => sleep_until(clock.instant(end)).await,
                        None => std::future::pending().await,
                    }
                } => None,
            };
            let advices = match received {
                None => Vec::new(),
                Some(Ok(length)) => decode::advices(&buffer[..length]),
                Some(Err(error)) => {
                    // Too much news at once is lost; routers repeat themselves.
                    tracing::debug!(error = &error as &dyn Error, "advertisements lost");
                    sleep(PAUSE).await;
                    break;
                }
            };
            let now = clock.now();
            told.send_if_modified(|told| {
                let before = told.clone();
                for advice in &advices {
                    told.entry(advice.index).or_default().take(advice, now);
                }
                told.values_mut().for_each(|link| link.forget(now));
                told.retain(|_, link| *link != ToldLink::default());
                *told != before
            });
        }
    }
}

/// Held as a connected datagram socket, as the packet sockets are (`dhcp/socket.rs`).
fn open() -> io::Result<UnixDatagram> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let fd = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    rustix::net::bind(&fd, &SocketAddrNetlink::new(0, USER_OPTIONS))?;
    UnixDatagram::from_std(fd.into())
}

/// Asks the routers of a link for an advertisement now: the kernel asks only when a link comes up. Needs CAP_NET_RAW.
///
/// # Errors
///
/// What the kernel said; the link-local address may not be sure yet, and then the kernel's own question is still to come.
pub fn solicit(link: &str, index: u32) -> io::Result<()> {
    let socket =
        socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::RAW, Some(socket2::Protocol::ICMPV6))?;
    socket.bind_device(Some(link.as_bytes()))?;
    socket.set_multicast_hops_v6(255)?;
    socket.set_nonblocking(true)?;
    let to = SocketAddrV6::new(ALL_ROUTERS, 0, 0, index);
    socket.send_to(&SOLICITATION, &to.into()).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advice(dns: &[u16], lifetime: Option<u64>) -> Advice {
        Advice {
            index: 2,
            lifetime: lifetime.map(Duration::from_secs),
            dns: dns.iter().map(|last| Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, *last)).collect(),
            domains: vec!["home".to_owned()],
        }
    }

    #[test]
    fn entries_are_renewed_end_and_are_taken_back() {
        let mut link = ToldLink::default();
        link.take(&advice(&[1, 2], Some(100)), Moment::from_secs(0));
        link.take(&advice(&[1], Some(100)), Moment::from_secs(50));
        assert_eq!((link.dns.len(), link.domains.len()), (2, 1));
        assert_eq!(link.next_end(), Some(Moment::from_secs(100)));
        link.forget(Moment::from_secs(100));
        assert_eq!((link.dns.len(), link.domains.len()), (1, 1));
        link.take(&advice(&[1, 9], Some(0)), Moment::from_secs(110));
        assert_eq!(link, ToldLink::default());
        link.take(&advice(&[1], None), Moment::from_secs(120));
        assert_eq!(link.next_end(), None);
    }

    #[test]
    fn a_router_that_never_stops_fills_nothing() {
        let mut link = ToldLink::default();
        for last in 0..100 {
            link.take(&advice(&[last], Some(100)), Moment::from_secs(0));
        }
        assert_eq!(link.dns.len(), MOST_ENTRIES);
        assert_eq!(link.dns[7].0, Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 99), "the newest stay");
    }
}
