//! The kernel's list of flows: read it, and forget flows so that the rules judge them anew.
//!
//! Sources: include/uapi/linux/netfilter/nfnetlink_conntrack.h, net/netfilter/nf_conntrack_netlink.c.

mod entry;

pub use entry::Entry;
pub use entry::Transport;
pub use entry::Tuple;

use crate::message::Kind;
use crate::message::Said;
use crate::socket::Socket;
use crate::socket::SocketError;
use std::fmt;
use std::io::ErrorKind;

const NFNL_SUBSYS_CTNETLINK: u8 = 1;
const IPCTNL_MSG_CT_NEW: u8 = 0;
const IPCTNL_MSG_CT_GET: u8 = 1;
const IPCTNL_MSG_CT_DELETE: u8 = 2;
/// All families.
const AF_UNSPEC: u8 = 0;

/// The flows of the network namespace that it was opened in. Calls block, as those of [`crate::nft::Firewall`].
pub struct Conntrack {
    socket: Socket,
}

impl fmt::Debug for Conntrack {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("conntrack socket")
    }
}

fn kind(message: u8) -> Kind {
    Kind { subsystem: NFNL_SUBSYS_CTNETLINK, message }
}

impl Conntrack {
    /// Opens a socket in the network namespace of the calling thread.
    ///
    /// # Errors
    /// When the kernel has no netfilter.
    pub fn open() -> Result<Self, SocketError> {
        Ok(Self { socket: Socket::open()? })
    }

    /// All flows of IPv4 and IPv6.
    ///
    /// # Errors
    /// When the kernel has no connection tracking or cannot be asked.
    pub fn entries(&mut self) -> Result<Vec<Entry>, SocketError> {
        self.socket.list(
            kind(IPCTNL_MSG_CT_GET),
            AF_UNSPEC,
            |_writer| (),
            |entries: &mut Vec<Entry>, said| {
                if let Said::Data { kind: heard, attributes, .. } = said
                    && heard == kind(IPCTNL_MSG_CT_NEW)
                {
                    entries.push(Entry::read(attributes)?);
                }
                Ok(())
            },
        )
    }

    /// Forgets this very flow; `false` when it is not there any more.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn delete(&mut self, entry: &Entry) -> Result<bool, SocketError> {
        let outcome = self.socket.ask(
            kind(IPCTNL_MSG_CT_DELETE),
            entry.original.family(),
            |writer| entry.write_key(writer),
            |_message, _said| Ok(()),
        );
        match outcome {
            Ok(()) => Ok(true),
            Err(SocketError::Refused { source }) if source.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Forgets all flows that the filter picks, and tells how many they were.
    ///
    /// # Errors
    /// When the kernel cannot be asked; some may have been forgotten then.
    pub fn delete_where(&mut self, mut filter: impl FnMut(&Entry) -> bool) -> Result<usize, SocketError> {
        let mut deleted = 0;
        for entry in self.entries()?.iter().filter(|entry| filter(entry)) {
            deleted += usize::from(self.delete(entry)?);
        }
        Ok(deleted)
    }
}
