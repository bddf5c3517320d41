//! How a client reaches servers at present.

use crate::dhcp::frame;
use crate::dhcp::frame::Mac;
use crate::dhcp::machine::Question;
use crate::dhcp::message;
use crate::dhcp::socket;
use crate::dhcp::socket::ETHERTYPE_IPV4;
use crate::dhcp::socket::OpenError;
use crate::dhcp::socket::RawSocket;
use crate::ipv4::driver::Port;
use std::io;
use std::net::Ipv4Addr;
use std::net::SocketAddrV4;
use std::time::Duration;
use tokio::net::UdpSocket;

/// How long a send may wait for room in the link's queue.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// The socket that is open.
#[derive(Debug)]
pub enum Transport {
    /// None.
    Closed,
    /// Below IP.
    Raw(RawSocket),
    /// UDP from the address in use.
    Udp(UdpSocket),
}

/// Why a message was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The codec refuses it.
    #[error("write the message")]
    Build {
        /// What it says.
        #[source]
        source: message::BuildError,
    },
    /// There is no socket to send it by.
    #[error("open a socket")]
    Open {
        /// Why.
        #[source]
        source: OpenError,
    },
    /// The kernel refuses it.
    #[error("send the message")]
    Send {
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// It does not fit a frame.
    #[error("the message is too long")]
    TooLong,
}

impl Transport {
    /// Opens the socket that the question calls for, if it is not open.
    ///
    /// # Errors
    ///
    /// When the link is gone or the kernel refuses.
    pub fn fit(&mut self, question: Question, port: &Port) -> Result<(), SendError> {
        let opened = match (&*self, question.is_from_address()) {
            (Self::Raw(_), false) | (Self::Udp(_), true) => return Ok(()),
            (_, false) => RawSocket::open(&port.name, port.index, ETHERTYPE_IPV4).map(Self::Raw),
            (_, true) => socket::open_udp(&port.name).map(Self::Udp),
        };
        opened.map(|opened| *self = opened).map_err(|source| SendError::Open { source })
    }

    /// Sends a message.
    ///
    /// # Errors
    ///
    /// When the kernel refuses it or has no room for a while.
    pub async fn send(&self, bytes: &[u8], question: Question, from: Mac) -> Result<(), SendError> {
        let sending = async {
            match self {
                Self::Closed => Err(SendError::Send { source: io::ErrorKind::NotConnected.into() }),
                Self::Raw(socket) => {
                    let frame = frame::broadcast(from, bytes).ok_or(SendError::TooLong)?;
                    socket.send(&frame).await.map_err(|source| SendError::Send { source })
                }
                Self::Udp(socket) => {
                    let to = match question {
                        Question::Renew { server, .. } | Question::Release { server, .. } => server,
                        Question::Discover { .. }
                        | Question::Select { .. }
                        | Question::Reboot { .. }
                        | Question::Decline { .. }
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

    /// Receives what comes; never returns while closed. Cancel safe.
    ///
    /// # Errors
    ///
    /// What the kernel said; the link may have gone down.
    pub async fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Closed => std::future::pending().await,
            Self::Raw(socket) => socket.receive(buffer).await,
            Self::Udp(socket) => socket.recv_from(buffer).await.map(|(length, _from)| length),
        }
    }
}
