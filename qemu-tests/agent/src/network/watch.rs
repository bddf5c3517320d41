//! Frames out of packet sockets, and the notes of those that carry a token.

use super::namespaces::Place;
use super::namespaces::within;
use super::order::LinkFacts;
use super::order::Sighting;
use super::order::Way;
use nix::sys::socket::LinkAddr;
use nix::sys::socket::MsgFlags;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt;
use nix::sys::time::TimeVal;
use rustix::net::AddressFamily;
use rustix::net::Protocol;
use rustix::net::SocketFlags;
use rustix::net::SocketType;
use std::collections::BTreeMap;
use std::io;
use std::num::NonZero;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;

/// Begin of a token. Eight bytes in all, the least payload of a fragment.
const MAGIC: [u8; 4] = *b"HeP!";
/// `ETH_P_ALL` of linux/if_ether.h, in network byte order as the protocol of a packet socket is.
const EVERY_PROTOCOL: u32 = 0x0300;
/// `PACKET_OUTGOING` of linux/if_packet.h.
const OUTGOING: u8 = 4;
/// A burst of frames must not be lost while others run: bytes that may wait.
const ROOM: usize = 16 << 20;
/// How long a watcher waits before it looks whether it is still wanted, in microseconds.
const LOOK: i64 = 200_000;
/// Longest frame looked at.
const LONGEST: usize = 64 << 10;
/// Transports whose packets, once past all filters, are noted too: ICMP, IGMP, TCP, UDP, GRE, ICMPv6, SCTP, UDP-Lite, and the two
/// for experiments (RFC 3692). Raw sockets get what the input filter lets through.
const DELIVERED: [u8; 10] = [1, 2, 6, 17, 47, 58, 132, 136, 253, 254];

/// The eight bytes of a token.
#[must_use]
pub fn token(number: u16) -> [u8; 8] {
    let [a, b, c, d] = MAGIC;
    let [high, low] = number.to_be_bytes();
    [a, b, c, d, high, low, !high, !low]
}

/// The numbers of all tokens in some bytes.
pub fn tokens(bytes: &[u8]) -> impl Iterator<Item = u16> {
    bytes.windows(8).filter_map(|window| {
        let number = u16::from_be_bytes([*window.get(4)?, *window.get(5)?]);
        (*window == token(number)).then_some(number)
    })
}

/// Notes what comes to a place until it goes.
#[derive(Debug)]
pub struct Watcher {
    noted: Arc<Mutex<Vec<Sighting>>>,
    is_over: Arc<AtomicBool>,
}

impl Watcher {
    /// Begins to watch all links of a place, those included that are made later, and in the box's own also what its sockets get.
    ///
    /// # Errors
    /// When a socket cannot be opened.
    pub fn start(place: &Place) -> io::Result<Self> {
        let watcher = Self { noted: Arc::default(), is_over: Arc::default() };
        let mut sockets = vec![(packet_socket(place, EVERY_PROTOCOL)?, true)];
        // What an app's own sockets get is the app's affair.
        let families = [AddressFamily::INET, AddressFamily::INET6];
        for family in families.into_iter().filter(|_| place.is_none()) {
            for protocol in DELIVERED {
                sockets.push((raw_socket(place, family, protocol)?, false));
            }
        }
        for (socket, is_frames) in sockets {
            let (noted, is_over) = (Arc::clone(&watcher.noted), Arc::clone(&watcher.is_over));
            let place = place.clone();
            thread::spawn(move || {
                let mut names = BTreeMap::new();
                while !is_over.load(Ordering::Relaxed) {
                    let seen = if is_frames {
                        note_frame(&socket, &place, &mut names)
                    } else {
                        note_packet(&socket)
                    };
                    lock(&noted).extend(seen);
                }
            });
        }
        Ok(watcher)
    }

    /// What was noted so far.
    #[must_use]
    pub fn noted(&self) -> Vec<Sighting> {
        lock(&self.noted).clone()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

/// All links of a place.
///
/// # Errors
/// What the kernel says.
pub fn links(place: &Place) -> io::Result<Vec<LinkFacts>> {
    let found = within(place, || Ok(addresses()?.into_iter().collect::<Vec<_>>()))?;
    Ok(found
        .into_iter()
        .filter_map(|(name, address)| Some(LinkFacts { name, mac: address.addr()? }))
        .collect())
}

/// Sends frames on a link; returns what the kernel refused.
///
/// # Errors
/// When there is no such link.
pub fn send(place: &Place, link: &str, frames: &[Vec<u8>]) -> io::Result<Vec<(usize, String)>> {
    // Of protocol 0: it receives nothing.
    let socket = packet_socket(place, 0)?;
    let found = within(place, addresses)?;
    let to = found
        .get(link)
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("there is no link {link}")))?;
    let send = |frame: &Vec<u8>| nix::sys::socket::sendto(socket.as_raw_fd(), frame, to, MsgFlags::empty());
    Ok(frames
        .iter()
        .enumerate()
        .filter_map(|(index, frame)| send(frame).err().map(|errno| (index, errno.to_string())))
        .collect())
}

fn addresses() -> io::Result<BTreeMap<String, LinkAddr>> {
    Ok(nix::ifaddrs::getifaddrs()?
        .filter_map(|entry| Some((entry.interface_name, *entry.address?.as_link_addr()?)))
        .collect())
}

fn packet_socket(place: &Place, protocol: u32) -> io::Result<OwnedFd> {
    open(place, AddressFamily::PACKET, NonZero::new(protocol))
}

fn raw_socket(place: &Place, family: AddressFamily, protocol: u8) -> io::Result<OwnedFd> {
    open(place, family, NonZero::new(u32::from(protocol)))
}

fn open(place: &Place, family: AddressFamily, protocol: Option<NonZero<u32>>) -> io::Result<OwnedFd> {
    within(place, move || {
        let protocol = protocol.map(Protocol::from_raw);
        let socket = rustix::net::socket_with(family, SocketType::RAW, SocketFlags::CLOEXEC, protocol)?;
        setsockopt(&socket, sockopt::RcvBufForce, &ROOM)?;
        setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::new(0, LOOK))?;
        Ok(socket)
    })
}

fn note_frame(socket: &OwnedFd, place: &Place, names: &mut BTreeMap<usize, String>) -> Vec<Sighting> {
    let mut buffer = vec![0; LONGEST];
    let Ok((length, Some(from))) = nix::sys::socket::recvfrom::<LinkAddr>(socket.as_raw_fd(), &mut buffer)
    else {
        return Vec::new();
    };
    let frame = buffer.get(..length).unwrap_or_default();
    let found: Vec<u16> = tokens(frame).collect();
    if found.is_empty() {
        return Vec::new();
    }
    let way = if from.pkttype() == OUTGOING { Way::Out } else { Way::In };
    let index = from.ifindex();
    let link = names.entry(index).or_insert_with(|| link_name(place, index));
    let frame = (way == Way::Out).then(|| super::to_hex(frame));
    found.into_iter().map(|token| Sighting { token, link: link.clone(), way, frame: frame.clone() }).collect()
}

fn note_packet(socket: &OwnedFd) -> Vec<Sighting> {
    let mut buffer = vec![0; LONGEST];
    let Ok((length, _)) = rustix::net::recv(socket, &mut buffer[..], rustix::net::RecvFlags::empty()) else {
        return Vec::new();
    };
    tokens(buffer.get(..length).unwrap_or_default())
        .map(|token| Sighting { token, link: String::new(), way: Way::Delivered, frame: None })
        .collect()
}

fn link_name(place: &Place, index: usize) -> String {
    let found = within(place, addresses).unwrap_or_default();
    let name = found.into_iter().find(|(_, address)| address.ifindex() == index);
    name.map_or_else(|| format!("link {index}"), |(name, _)| name)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_found_wherever_they_are() {
        let mut bytes = b"HeP!....".to_vec();
        bytes.extend(token(7));
        bytes.push(0);
        bytes.extend(token(65535));
        assert_eq!(tokens(&bytes).collect::<Vec<_>>(), [7, 65535]);
        assert_eq!(tokens(&bytes[..15]).count(), 0);
    }
}
