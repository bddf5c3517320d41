//! rtnetlink(7) with one question and one answer at a time.
//!
//! The reconciler's socket is asynchronous and belongs to this network namespace. An app's namespace is set up through a socket
//! that was opened inside of it and handed over; the kernel answers within microseconds, so waiting for it is no loss.

use netlink_packet_route::RouteNetlinkMessage;
use rtnetlink::packet_core::NLM_F_ACK;
use rtnetlink::packet_core::NLM_F_REQUEST;
use rtnetlink::packet_core::NetlinkMessage;
use rtnetlink::packet_core::NetlinkPayload;
use rustix::net::AddressFamily;
use rustix::net::Protocol;
use rustix::net::RecvFlags;
use rustix::net::SendFlags;
use rustix::net::SocketFlags;
use rustix::net::SocketType;
use rustix::net::sockopt;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// `NETLINK_ROUTE` of linux/netlink.h is protocol 0.
const ROUTE: Option<Protocol> = None;
/// The kernel answers at once; this only keeps a foreign descriptor from stopping netd.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// Messages that may come before the answer to a question: leftovers of whoever opened the socket.
const MOST_STRAY: usize = 64;
/// One answer; a link with all its attributes has about 2 KiB.
const BUFFER: usize = 32 << 10;

/// A socket for questions to rtnetlink.
#[derive(Debug)]
pub struct RouteSocket {
    socket: OwnedFd,
    sequence: u32,
}

/// Why the kernel did not do it.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// The descriptor is no rtnetlink socket.
    #[error("the descriptor is not an rtnetlink socket")]
    NotRoute,
    /// Sending or receiving failed.
    #[error("ask rtnetlink")]
    Socket(#[source] io::Error),
    /// The kernel refused.
    #[error("the kernel refuses")]
    Refused(#[source] io::Error),
    /// The answer is none.
    #[error("the answer of rtnetlink is not understood")]
    Answer,
}

impl RouteSocket {
    /// A socket of this network namespace.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn open() -> Result<Self, RouteError> {
        let flags = SocketFlags::CLOEXEC;
        let opened = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, ROUTE);
        Self::over(opened.map_err(|errno| RouteError::Socket(errno.into()))?)
    }

    /// A socket that somebody else opened.
    ///
    /// # Errors
    /// When it is not an rtnetlink socket.
    pub fn over(socket: OwnedFd) -> Result<Self, RouteError> {
        let is_route = sockopt::socket_domain(&socket).is_ok_and(|family| family == AddressFamily::NETLINK)
            && sockopt::socket_protocol(&socket).is_ok_and(|protocol| protocol == ROUTE);
        if !is_route {
            return Err(RouteError::NotRoute);
        }
        for which in [sockopt::Timeout::Recv, sockopt::Timeout::Send] {
            sockopt::set_socket_timeout(&socket, which, Some(ANSWER_TIMEOUT))
                .map_err(|errno| RouteError::Socket(errno.into()))?;
        }
        // Whoever opened it may have made it non-blocking.
        rustix::io::ioctl_fionbio(&socket, false).map_err(|errno| RouteError::Socket(errno.into()))?;
        Ok(Self { socket, sequence: 0 })
    }

    /// Has the kernel do something.
    ///
    /// # Errors
    /// When it refuses or does not answer.
    pub fn change(&mut self, message: RouteNetlinkMessage, flags: u16) -> Result<(), RouteError> {
        self.ask(message, NLM_F_ACK | flags, |_answer| ())
    }

    /// Asks for one thing.
    ///
    /// # Errors
    /// When the kernel refuses, does not answer, or answers with something else.
    pub fn get<T>(
        &mut self,
        message: RouteNetlinkMessage,
        read: impl Fn(RouteNetlinkMessage) -> Option<T>,
    ) -> Result<T, RouteError> {
        self.ask(message, 0, read)?.ok_or(RouteError::Answer)
    }

    /// Sends and waits for the acknowledgement, or for the answer when there is one.
    fn ask<T: Default>(
        &mut self,
        message: RouteNetlinkMessage,
        flags: u16,
        read: impl Fn(RouteNetlinkMessage) -> T,
    ) -> Result<T, RouteError> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut packet = NetlinkMessage::from(message);
        packet.header.flags = NLM_F_REQUEST | flags;
        packet.header.sequence_number = self.sequence;
        packet.finalize();
        let mut bytes = vec![0; packet.buffer_len()];
        packet.serialize(&mut bytes);
        let socket = |errno: rustix::io::Errno| RouteError::Socket(errno.into());
        rustix::net::send(&self.socket, &bytes, SendFlags::empty()).map_err(socket)?;
        let mut buffer = vec![0; BUFFER];
        for _ in 0..MOST_STRAY {
            let (length, _) =
                rustix::net::recv(&self.socket, &mut buffer[..], RecvFlags::empty()).map_err(socket)?;
            let answer = buffer.get(..length).ok_or(RouteError::Answer)?;
            match self.read(answer, &read)? {
                Some(done) => return Ok(done),
                None => continue,
            }
        }
        Err(RouteError::Answer)
    }

    fn read<T: Default>(
        &self,
        bytes: &[u8],
        read: impl Fn(RouteNetlinkMessage) -> T,
    ) -> Result<Option<T>, RouteError> {
        let answer =
            NetlinkMessage::<RouteNetlinkMessage>::deserialize(bytes).map_err(|_what| RouteError::Answer)?;
        if answer.header.sequence_number != self.sequence {
            return Ok(None);
        }
        if let NetlinkPayload::InnerMessage(message) = answer.payload {
            return Ok(Some(read(message)));
        }
        let NetlinkPayload::Error(error) = answer.payload else { return Err(RouteError::Answer) };
        match error.code {
            Some(code) => Err(RouteError::Refused(io::Error::from_raw_os_error(code.get().saturating_abs()))),
            None => Ok(Some(T::default())),
        }
    }
}

impl RouteError {
    /// Whether the kernel said that the thing is not there.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        match self {
            Self::Refused(error) => {
                let errno = error.raw_os_error().map(rustix::io::Errno::from_raw_os_error);
                matches!(
                    errno,
                    Some(rustix::io::Errno::NODEV | rustix::io::Errno::NOENT | rustix::io::Errno::SRCH)
                )
            }
            Self::NotRoute | Self::Socket(_) | Self::Answer => false,
        }
    }
}
