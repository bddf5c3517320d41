//! A netlink socket of netfilter: requests, answers, lists. Blocking, with deadlines.

use crate::attribute::Malformed;
use crate::attribute::Writer;
use crate::message;
use crate::message::Kind;
use crate::message::Message;
use crate::message::Messages;
use crate::message::Said;
use netlink_sys::SocketAddr;
use netlink_sys::protocols::NETLINK_NETFILTER;
use rustix::net::sockopt;
use std::io;
use std::io::ErrorKind;
use std::time::Duration;
use std::time::Instant;

/// How long the kernel may be silent. It answers within the call that asks, unless it is out of memory.
const SILENCE: Duration = Duration::from_secs(5);
/// How long a list may take altogether.
pub(crate) const LIST_TIME: Duration = Duration::from_secs(30);
/// The kernel makes its datagrams as long as the longest read so far, 32 KiB at most, unless one message is longer.
const DATAGRAM: usize = 256 * 1024;
/// Room for answers: a batch of 10,000 mistakes has as many.
const RECEIVE_BUFFER: usize = 8 * 1024 * 1024;
/// How often a list is asked for that changes while it is read.
const ATTEMPTS: usize = 16;

const MSG_TRUNC: i32 = 0x20;
const MSG_DONTWAIT: i32 = 0x40;

/// Why the kernel could not be asked, or not be understood.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// No socket.
    #[error("open a netlink socket")]
    Open {
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The request did not go out.
    #[error("send {length} bytes to the kernel")]
    Send {
        /// How much it was.
        length: usize,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The answer did not come in.
    #[error("receive from the kernel")]
    Receive {
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// No answer.
    #[error("the kernel did not answer in time")]
    Silent,
    /// More answers than the socket holds; what they would have said is unknown.
    #[error("answers of the kernel were lost")]
    Overrun,
    /// An answer that is none.
    #[error("read the kernel's answer")]
    Malformed {
        /// What was wrong with it.
        #[source]
        source: Malformed,
    },
    /// A list that goes on and on.
    #[error("a list of the kernel did not end in time")]
    Endless,
    /// A list that changed every time it was read.
    #[error("a list of the kernel changed each time it was read")]
    Restless,
    /// The kernel does not do it.
    #[error("the kernel refused the request")]
    Refused {
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

impl From<Malformed> for SocketError {
    fn from(source: Malformed) -> Self {
        Self::Malformed { source }
    }
}

/// A socket of its own port.
pub(crate) struct Socket {
    inner: netlink_sys::Socket,
    sequence: u32,
    buffer: Vec<u8>,
}

/// What to do after a message of a list.
type Step = Result<(), SocketError>;

impl Socket {
    /// Opens one in the network namespace of the calling thread.
    pub(crate) fn open() -> Result<Self, SocketError> {
        let open = || -> io::Result<netlink_sys::Socket> {
            let mut inner = netlink_sys::Socket::new(NETLINK_NETFILTER)?;
            inner.set_ext_ack(true)?;
            inner.set_cap_ack(true)?;
            sockopt::set_socket_timeout(&inner, sockopt::Timeout::Recv, Some(SILENCE))?;
            sockopt::set_socket_timeout(&inner, sockopt::Timeout::Send, Some(SILENCE))?;
            inner.bind_auto()?;
            Ok(inner)
        };
        let inner = open().map_err(|source| SocketError::Open { source })?;
        enlarge_receive_buffer(&inner);
        Ok(Self { inner, sequence: 0, buffer: Vec::with_capacity(DATAGRAM) })
    }

    /// Sends one datagram, after whatever was left over of earlier requests is thrown away.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), SocketError> {
        self.forget()?;
        // A datagram must fit the send buffer; the kernel doubles what it is told. Without the power to force it, the limit of
        // the system holds and the sending below says so.
        if sockopt::socket_send_buffer_size(&self.inner).is_ok_and(|size| size < bytes.len() + 1024) {
            sockopt::set_socket_send_buffer_size_force(&self.inner, bytes.len() + 1024).unwrap_or_default();
        }
        let error = |source| SocketError::Send { length: bytes.len(), source };
        let sent = self.inner.send_to(bytes, &SocketAddr::new(0, 0), 0).map_err(error)?;
        if sent == bytes.len() { Ok(()) } else { Err(error(ErrorKind::WriteZero.into())) }
    }

    /// Throws away what is left of earlier requests. A list that was given up goes on being made while it is read.
    fn forget(&mut self) -> Result<(), SocketError> {
        let deadline = Instant::now() + LIST_TIME;
        while Instant::now() < deadline {
            match self.receive_with(MSG_DONTWAIT) {
                Ok(()) | Err(SocketError::Overrun | SocketError::Malformed { .. }) => (),
                Err(SocketError::Silent) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Err(SocketError::Endless)
    }

    /// Receives the next datagram of the kernel.
    pub(crate) fn receive(&mut self) -> Result<Messages<'_>, SocketError> {
        self.receive_with(0)?;
        Ok(Messages::of(&self.buffer))
    }

    fn receive_with(&mut self, flags: i32) -> Result<(), SocketError> {
        loop {
            self.buffer.clear();
            match self.inner.recv_from(&mut self.buffer, flags | MSG_TRUNC) {
                // Only the kernel has port zero.
                Ok((_, sender)) if sender.port_number() != 0 => (),
                Ok((length, _)) if length > self.buffer.len() => {
                    return Err(Malformed { what: "a datagram longer than the buffer" }.into());
                }
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => (),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(SocketError::Silent),
                Err(error) if is_overrun(&error) => return Err(SocketError::Overrun),
                Err(source) => return Err(SocketError::Receive { source }),
            }
        }
    }

    /// Makes a request that is answered by data or by an acknowledgement alone.
    pub(crate) fn ask(
        &mut self,
        kind: Kind,
        family: u8,
        fill: impl FnOnce(&mut Writer),
        read: impl FnMut(&Message<'_>, Said<'_>) -> Step,
    ) -> Result<(), SocketError> {
        let sequence = self.next_sequence();
        self.send(&message::request(kind, message::ACK, sequence, family, fill))?;
        self.answers(sequence, read).map(|_is_interrupted| ())
    }

    /// Reads a list from its start until it was read without a change in between.
    pub(crate) fn list<T: Default>(
        &mut self,
        kind: Kind,
        family: u8,
        fill: impl Fn(&mut Writer),
        read: impl Fn(&mut T, Said<'_>) -> Result<(), Malformed>,
    ) -> Result<T, SocketError> {
        for _attempt in 0..ATTEMPTS {
            let sequence = self.next_sequence();
            self.send(&message::request(kind, message::DUMP, sequence, family, &fill))?;
            let mut found = T::default();
            let is_interrupted = self.answers(sequence, |_message, said| Ok(read(&mut found, said)?))?;
            if !is_interrupted {
                return Ok(found);
            }
        }
        Err(SocketError::Restless)
    }

    /// Reads answers until the one that says that there are no more; whether the list changed meanwhile.
    fn answers(
        &mut self,
        sequence: u32,
        mut read: impl FnMut(&Message<'_>, Said<'_>) -> Step,
    ) -> Result<bool, SocketError> {
        let deadline = Instant::now() + LIST_TIME;
        let mut is_interrupted = false;
        while Instant::now() < deadline {
            for message in self.receive()? {
                let message = message?;
                if message.sequence != sequence {
                    continue;
                }
                is_interrupted |= message.is_interrupted();
                match message.said()? {
                    Said::Done | Said::Acknowledged => return Ok(is_interrupted),
                    Said::Refused { errno: INTERRUPTED, .. } => return Ok(true),
                    Said::Refused { errno, .. } => {
                        return Err(SocketError::Refused { source: io::Error::from_raw_os_error(errno) });
                    }
                    Said::Nothing => (),
                    said @ Said::Data { .. } => read(&message, said)?,
                }
            }
        }
        Err(SocketError::Endless)
    }

    fn next_sequence(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1).max(1);
        self.sequence
    }
}

/// `EINTR`: a list that changed while it was read.
const INTERRUPTED: i32 = 4;

/// `ENOBUFS`
fn is_overrun(error: &io::Error) -> bool {
    error.raw_os_error() == Some(105)
}

/// Makes room for many answers; without the power to do so, the limit of the system holds and an overrun is told when it comes.
fn enlarge_receive_buffer(socket: &netlink_sys::Socket) {
    sockopt::set_socket_recv_buffer_size_force(socket, RECEIVE_BUFFER).unwrap_or_default();
}
