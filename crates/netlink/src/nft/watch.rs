//! News of every change of any ruleset in the network namespace.

use crate::attribute::Malformed;
use crate::message::Kind;
use crate::message::Messages;
use crate::message::Said;
use crate::nft::decode;
use crate::nft::decode::Generation;
use crate::nft::kernel::NFNL_SUBSYS_NFTABLES;
use crate::nft::kernel::NFT_MSG_NEWGEN;
use crate::socket;
use crate::socket::SocketError;
use netlink_sys::AsyncSocket;
use netlink_sys::AsyncSocketExt;
use netlink_sys::SocketAddr;
use netlink_sys::TokioSocket;
use netlink_sys::protocols::NETLINK_NETFILTER;
use std::collections::VecDeque;
use std::fmt;

/// `NFNLGRP_NFTABLES` is group 7; groups are bits, counted from one.
const GROUP_MASK: u32 = 1 << 6;
/// Longer than any news of the kernel but a rule of the greatest length.
const DATAGRAM: usize = 128 * 1024;

/// Something changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A batch was carried out; [`Generation::port`] tells whose it was.
    Changed(Generation),
    /// There was more news than the socket holds: something changed, by whom is unknown.
    Lost,
}

/// Hears of changes, within a tokio runtime.
pub struct Watch {
    socket: TokioSocket,
    buffer: Vec<u8>,
    heard: VecDeque<Generation>,
}

impl fmt::Debug for Watch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "watch with {} generations to tell", self.heard.len())
    }
}

impl Watch {
    /// Starts to listen, in the network namespace of the calling thread.
    ///
    /// # Errors
    /// When the kernel has no netfilter, or without `CAP_NET_ADMIN`.
    pub fn open() -> Result<Self, SocketError> {
        let open = || {
            let mut socket = TokioSocket::new(NETLINK_NETFILTER)?;
            socket.socket_mut().bind(&SocketAddr::new(0, GROUP_MASK))?;
            Ok(socket)
        };
        let socket = open().map_err(|source| SocketError::Open { source })?;
        socket::enlarge_receive_buffer(socket.socket_ref());
        Ok(Self { socket, buffer: Vec::with_capacity(DATAGRAM), heard: VecDeque::new() })
    }

    /// Waits for the next change. May be dropped at any time without losing one.
    ///
    /// # Errors
    /// When the socket fails, or the kernel says what cannot be read; then, too, something has changed.
    pub async fn next(&mut self) -> Result<News, SocketError> {
        loop {
            if let Some(generation) = self.heard.pop_front() {
                return Ok(News::Changed(generation));
            }
            self.buffer.clear();
            match self.socket.recv_from(&mut self.buffer).await {
                Ok(sender) if sender.port_number() == 0 => self.heard = generations(&self.buffer)?,
                Ok(_not_the_kernel) => (),
                Err(error) if socket::is_overrun(&error) => return Ok(News::Lost),
                Err(source) => return Err(SocketError::Receive { source }),
            }
        }
    }
}

/// The generations that a datagram tells of.
pub(crate) fn generations(datagram: &[u8]) -> Result<VecDeque<Generation>, Malformed> {
    let mut found = VecDeque::new();
    for message in Messages::of(datagram) {
        let message = message?;
        if let Said::Data { kind, attributes, .. } = message.said()?
            && kind == (Kind { subsystem: NFNL_SUBSYS_NFTABLES, message: NFT_MSG_NEWGEN })
        {
            found.push_back(decode::generation(attributes, message.port)?);
        }
    }
    Ok(found)
}
