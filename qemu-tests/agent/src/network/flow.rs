//! Traffic that goes on and on, so that a test sees at which byte it ends.
//!
//! The sender writes records of eight bytes: the time at which each was sent. So the receiver knows not only how much arrived, but
//! also that nothing arrived that was sent later.

use super::namespaces::Place;
use super::namespaces::within;
use super::order::Progress;
use super::order::Transport;
use rustix::time::ClockId;
use std::io;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

/// Between two records, and between two looks.
const PAUSE: Duration = Duration::from_millis(2);
/// How long the sender waits for a connection before it tries anew.
const PATIENCE: Duration = Duration::from_secs(2);
const RECORD: usize = 8;

/// A flow; ends when it goes.
#[derive(Debug)]
pub struct Flow {
    inner: Arc<Mutex<Inner>>,
    is_over: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Inner {
    receiver: Receiver,
    progress: Progress,
    /// The begin of a record whose rest has not come.
    rest: Vec<u8>,
}

#[derive(Debug)]
enum Receiver {
    Tcp { listener: TcpListener, stream: Option<TcpStream> },
    Udp(UdpSocket),
}

impl Flow {
    /// Listens in one place and sends from another.
    ///
    /// # Errors
    /// When the receiver cannot be opened.
    pub fn start(transport: Transport, from: &Place, to: &Place, address: SocketAddr) -> io::Result<Self> {
        let receiver = within(to, move || Receiver::open(transport, address))?;
        let inner = Inner { receiver, progress: Progress::default(), rest: Vec::new() };
        let flow = Self { inner: Arc::new(Mutex::new(inner)), is_over: Arc::default() };
        let (inner, is_over) = (Arc::clone(&flow.inner), Arc::clone(&flow.is_over));
        thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                lock(&inner).take_in();
                thread::sleep(PAUSE);
            }
        });
        let (inner, is_over, from) = (Arc::clone(&flow.inner), Arc::clone(&flow.is_over), from.clone());
        thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                let sender = within(&from, move || connect(transport, address));
                if let Ok(sender) = sender {
                    send(sender, &inner, &is_over);
                }
                lock(&inner).progress.breaks += 1;
                thread::sleep(PAUSE);
            }
        });
        Ok(flow)
    }

    /// Notes how far it is at the end of a call.
    pub fn note_call(&self) {
        let mut inner = lock(&self.inner);
        inner.progress.called = now();
        inner.take_in();
        inner.progress.received_at_call = inner.progress.received;
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let mut inner = lock(&self.inner);
        inner.take_in();
        inner.progress.clone()
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

impl Receiver {
    fn open(transport: Transport, address: SocketAddr) -> io::Result<Self> {
        match transport {
            Transport::Tcp => {
                let listener = TcpListener::bind(address)?;
                listener.set_nonblocking(true)?;
                Ok(Self::Tcp { listener, stream: None })
            }
            Transport::Udp => {
                let socket = UdpSocket::bind(address)?;
                socket.set_nonblocking(true)?;
                Ok(Self::Udp(socket))
            }
        }
    }

    /// Some bytes; none when there are none now.
    fn read(&mut self, buffer: &mut [u8]) -> usize {
        match self {
            Self::Udp(socket) => socket.recv(buffer).unwrap_or(0),
            Self::Tcp { listener, stream } => {
                if let Ok((newer, _)) = listener.accept() {
                    drop(newer.set_nonblocking(true));
                    *stream = Some(newer);
                }
                stream.as_mut().and_then(|stream| stream.read(buffer).ok()).unwrap_or(0)
            }
        }
    }
}

impl Inner {
    /// Reads everything that is there.
    fn take_in(&mut self) {
        let mut buffer = [0; 64 << 10];
        loop {
            let length = self.receiver.read(&mut buffer);
            if length == 0 {
                return;
            }
            self.progress.received += u64::try_from(length).unwrap_or_default();
            self.rest.extend_from_slice(buffer.get(..length).unwrap_or_default());
            let whole = self.rest.len() - self.rest.len() % RECORD;
            for record in self.rest.drain(..whole).collect::<Vec<_>>().chunks_exact(RECORD) {
                let sent = record.try_into().map_or(0, u64::from_le_bytes);
                self.progress.newest = self.progress.newest.max(sent);
            }
        }
    }
}

enum Sender {
    Tcp(TcpStream),
    Udp(UdpSocket),
}

fn connect(transport: Transport, address: SocketAddr) -> io::Result<Sender> {
    match transport {
        Transport::Tcp => {
            let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
            stream.set_nodelay(true)?;
            stream.set_write_timeout(Some(PATIENCE))?;
            Ok(Sender::Tcp(stream))
        }
        Transport::Udp => {
            let any: SocketAddr = if address.is_ipv4() { ([0; 4], 0).into() } else { ([0_u16; 8], 0).into() };
            let socket = UdpSocket::bind(any)?;
            socket.connect(address)?;
            Ok(Sender::Udp(socket))
        }
    }
}

/// Sends until it is over or the connection breaks; a connection that is merely stuck is held.
fn send(mut sender: Sender, inner: &Mutex<Inner>, is_over: &AtomicBool) {
    while !is_over.load(Ordering::Relaxed) {
        let record = now().to_le_bytes();
        let sent = match &mut sender {
            Sender::Tcp(stream) => stream.write(&record),
            Sender::Udp(socket) => socket.send(&record),
        };
        match sent {
            Ok(length) => lock(inner).progress.sent += u64::try_from(length).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // A filter may answer with an error; a socket of UDP stays good.
            Err(_) if matches!(sender, Sender::Udp(_)) => {}
            Err(_) => return,
        }
        thread::sleep(PAUSE);
    }
}

fn now() -> u64 {
    let time = rustix::time::clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or_default()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn what_is_sent_arrives_and_is_timed() {
        for transport in [Transport::Tcp, Transport::Udp] {
            let probe = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = probe.local_addr().unwrap();
            drop(probe);
            let flow = Flow::start(transport, &None, &None, address).unwrap();
            let deadline = Instant::now() + Duration::from_secs(60);
            let mut progress = flow.progress();
            while progress.received < 80 {
                assert!(Instant::now() < deadline, "nothing arrives: {progress:?}");
                thread::sleep(PAUSE);
                progress = flow.progress();
            }
            flow.note_call();
            let noted = flow.progress();
            assert!(progress.newest > 0 && progress.newest <= noted.called, "{progress:?} {noted:?}");
            assert!(noted.received_at_call >= progress.received);
        }
    }
}
