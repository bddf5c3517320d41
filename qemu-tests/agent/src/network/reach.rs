//! Programs with the kernel's own sockets: some that serve and some that want to be served.

use super::namespaces::Place;
use super::namespaces::within;
use super::order::Target;
use super::order::Transport;
use super::order::Use;
use std::io;
use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

/// Between two looks of a server.
const PAUSE: Duration = Duration::from_millis(20);
/// Longest greeting.
const GREETING: usize = 256;
/// What is said to a UDP port: a question for an address of `hearth.local`, so that a name server would answer too (RFC 1035).
const QUESTION: &[u8] = b"\x48\x65\x01\0\0\x01\0\0\0\0\0\0\x06hearth\x05local\0\0\x01\0\x01";

/// Serves until it goes.
#[derive(Debug)]
pub struct Server {
    uses: Arc<Mutex<Vec<Use>>>,
    is_over: Arc<AtomicBool>,
}

impl Server {
    /// Serves ports of a place over TCP and UDP, IPv4 and IPv6; greets with this text.
    ///
    /// # Errors
    /// When a port is taken.
    pub fn start(place: &Place, ports: &[u16], greeting: &str) -> io::Result<Self> {
        let server = Self { uses: Arc::default(), is_over: Arc::default() };
        for port in ports.iter().copied() {
            // Of both families, as `net.ipv6.bindv6only` is 0.
            let address = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
            let (listener, socket) =
                within(place, move || Ok((TcpListener::bind(address)?, UdpSocket::bind(address)?)))?;
            listener.set_nonblocking(true)?;
            socket.set_nonblocking(true)?;
            let (uses, is_over) = (Arc::clone(&server.uses), Arc::clone(&server.is_over));
            let greeting = greeting.to_owned();
            thread::spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    let note = |transport, peer| {
                        let mut uses = uses.lock().unwrap_or_else(PoisonError::into_inner);
                        uses.push(Use { transport, port, peer });
                    };
                    // Nobody there, mostly.
                    drop(greet(&listener, &greeting, |peer| note(Transport::Tcp, peer)));
                    drop(answer(&socket, &greeting, |peer| note(Transport::Udp, peer)));
                    thread::sleep(PAUSE);
                }
            });
        }
        Ok(server)
    }

    /// Who came.
    #[must_use]
    pub fn uses(&self) -> Vec<Use> {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

/// Notes before it greets: whoever was greeted finds themselves noted.
fn greet(listener: &TcpListener, greeting: &str, note: impl FnOnce(SocketAddr)) -> io::Result<()> {
    let (mut stream, peer) = listener.accept()?;
    note(peer);
    // The visitor may have gone: that they came is what counts.
    drop(stream.write_all(greeting.as_bytes()));
    Ok(())
}

fn answer(socket: &UdpSocket, greeting: &str, note: impl FnOnce(SocketAddr)) -> io::Result<()> {
    let (_, peer) = socket.recv_from(&mut [0; GREETING])?;
    note(peer);
    drop(socket.send_to(greeting.as_bytes(), peer));
    Ok(())
}

/// Tries to be greeted by all targets at once.
#[must_use]
pub fn reach(place: &Place, targets: &[Target], patience: Duration) -> Vec<Result<String, String>> {
    let tries: Vec<_> = targets
        .iter()
        .map(|target| {
            let (place, target) = (place.clone(), *target);
            thread::spawn(move || within(&place, move || be_greeted(target, patience)))
        })
        .collect();
    let ended = |thread: thread::JoinHandle<io::Result<String>>| match thread.join() {
        Ok(outcome) => outcome.map_err(|error| error.to_string()),
        Err(_panic) => Err("a thread of the agent panicked".to_owned()),
    };
    tries.into_iter().map(ended).collect()
}

fn be_greeted(target: Target, patience: Duration) -> io::Result<String> {
    let mut greeting = [0; GREETING];
    let length = match target.transport {
        Transport::Tcp => {
            let mut stream = TcpStream::connect_timeout(&target.address, patience)?;
            stream.set_read_timeout(Some(patience))?;
            stream.read(&mut greeting)?
        }
        Transport::Udp => {
            let local = match target.address {
                SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
                SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
            };
            let socket = UdpSocket::bind(local)?;
            socket.set_read_timeout(Some(patience))?;
            socket.connect(target.address)?;
            socket.send(QUESTION)?;
            socket.recv(&mut greeting)?
        }
    };
    Ok(String::from_utf8_lossy(greeting.get(..length).unwrap_or_default()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visitor_is_greeted_and_noted() {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let server = Server::start(&None, &[port], "hello from here").unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let targets = [Transport::Tcp, Transport::Udp].map(|transport| Target { transport, address });
        let greetings = reach(&None, &targets, Duration::from_secs(60));
        assert_eq!(greetings, [Ok("hello from here".to_owned()), Ok("hello from here".to_owned())]);
        assert_eq!(server.uses().len(), 2);
    }
}
