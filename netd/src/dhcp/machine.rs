//! The client's state machine (RFC 2131 section 4.4), pure: time and randomness come in with each event.
//!
//! ```text
//! Down ─LinkUp─> Selecting ─Offer─> Requesting ─Ack─> Probing ─Claimed─> Bound ─T1─> Renewing ─T2─> Rebinding ─end─> Selecting
//!   │                 ^                                  │ ^               └── Ack ──┴──── Ack ────┘
//!   │                 └── Conflict: Decline, 10 s ───────┘ └─Ack─┐
//!   └─LinkUp, an address is remembered──────────────────────> Rebooting
//! ```
//!
//! The INIT states of the RFC last no time here: Discover goes out in the step that enters Selecting. A lease stays configured
//! while the link is down and while a new one is sought, until it ends, a server denies it or another device has its address: a
//! router that restarts does not take the box off the network. Invariant: what was last configured and not unconfigured is
//! [`State::lease`]. Whether an address is free is found out by others ([`crate::ipv4`]), on [`Effect::Claim`].

mod exchange;
mod step;

pub use exchange::Exchange;

use crate::dhcp::lease::Lease;
use crate::dhcp::lease::Terms;
use crate::moment::Moment;
use std::net::Ipv4Addr;
use std::time::Duration;

/// Where the client stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// No carrier.
    Down {
        /// Lease from before, still configured.
        lease: Option<Lease>,
        /// Address to ask for first, when there is no lease.
        remembered: Option<Ipv4Addr>,
    },
    /// Looking for servers.
    Selecting {
        /// Messages so far.
        exchange: Exchange,
        /// Lease from before, still configured.
        kept: Option<Lease>,
        /// The address the client would like.
        wish: Option<Ipv4Addr>,
    },
    /// Asking for the address one server offered.
    Requesting {
        /// Messages so far.
        exchange: Exchange,
        /// The address asked for.
        address: Ipv4Addr,
        /// Who offered it.
        server: Ipv4Addr,
        /// Lease from before, still configured.
        kept: Option<Lease>,
    },
    /// Asking whether an address from before still holds (INIT-REBOOT): the link was down, or the box.
    Rebooting {
        /// Messages so far.
        exchange: Exchange,
        /// The address in question.
        address: Ipv4Addr,
        /// Its lease, still configured; none after a start.
        kept: Option<Lease>,
    },
    /// Waiting for word that no other device has the address.
    Probing {
        /// The lease granted.
        lease: Lease,
        /// Lease from before, still configured.
        kept: Option<Lease>,
    },
    /// Using a lease.
    Bound {
        /// The lease.
        lease: Lease,
    },
    /// Asking its server for more time.
    Renewing {
        /// Messages so far.
        exchange: Exchange,
        /// The lease.
        lease: Lease,
    },
    /// Asking any server for more time.
    Rebinding {
        /// Messages so far.
        exchange: Exchange,
        /// The lease.
        lease: Lease,
    },
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The link has a carrier.
    LinkUp,
    /// The link lost its carrier.
    LinkDown,
    /// The moment of [`State::wake_at`] came.
    Timer,
    /// A server answered.
    Received(Reply),
    /// Nobody else has this address.
    Claimed(Ipv4Addr),
    /// Another device has this address.
    Conflict(Ipv4Addr),
    /// The owner wants the lease renewed now.
    RenewNow,
    /// The owner wants another kind of address.
    Release,
}

/// An answer of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Transaction id it answers to.
    pub xid: u32,
    /// Who it is, if it says so.
    pub server: Option<Ipv4Addr>,
    /// What it says.
    pub answer: Answer,
}

/// What a server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// DHCPOFFER.
    Offer(Terms),
    /// DHCPACK.
    Ack(Terms),
    /// DHCPNAK.
    Nak,
}

/// What must be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send a message.
    Send(Outgoing),
    /// Find out whether this address is free.
    Claim(Ipv4Addr),
    /// Use this lease, and no other.
    Configure(Lease),
    /// Use no lease.
    Unconfigure,
}

/// A message to send (RFC 2131 tables 4 and 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Transaction id.
    pub xid: u32,
    /// How long the client has been trying.
    pub trying_for: Duration,
    /// What it says.
    pub question: Question,
}

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// DHCPDISCOVER, broadcast.
    Discover {
        /// The address the client would like.
        wish: Option<Ipv4Addr>,
    },
    /// DHCPREQUEST after an offer, broadcast.
    Select {
        /// The address offered.
        address: Ipv4Addr,
        /// Who offered it.
        server: Ipv4Addr,
    },
    /// DHCPREQUEST for a remembered address, broadcast.
    Reboot {
        /// The address remembered.
        address: Ipv4Addr,
    },
    /// DHCPREQUEST for more time, to the server.
    Renew {
        /// The address in use.
        address: Ipv4Addr,
        /// Who granted it.
        server: Ipv4Addr,
    },
    /// DHCPREQUEST for more time, broadcast.
    Rebind {
        /// The address in use.
        address: Ipv4Addr,
    },
    /// DHCPDECLINE, broadcast.
    Decline {
        /// The address that another device has.
        address: Ipv4Addr,
        /// Who granted it.
        server: Ipv4Addr,
    },
    /// DHCPRELEASE, to the server.
    Release {
        /// The address given back.
        address: Ipv4Addr,
        /// Who granted it.
        server: Ipv4Addr,
    },
}

impl Question {
    /// Whether it is sent from the address in use; all others are sent without any.
    #[must_use]
    pub const fn is_from_address(&self) -> bool {
        matches!(self, Self::Renew { .. } | Self::Rebind { .. } | Self::Release { .. })
    }
}

/// What the world adds to an event.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances {
    /// When it happened.
    pub now: Moment,
    /// Fresh random bits.
    pub random: u64,
}

impl Circumstances {
    /// Whether a moment has come, if there is one.
    pub(crate) fn is_past(&self, moment: Option<Moment>) -> bool {
        moment.is_some_and(|moment| self.now >= moment)
    }
}

impl State {
    /// The state before anything is known of the link, with the address it had before the start.
    #[must_use]
    pub const fn start(remembered: Option<Ipv4Addr>) -> Self {
        Self::Down { lease: None, remembered }
    }

    /// The lease that is configured.
    #[must_use]
    pub const fn lease(&self) -> Option<&Lease> {
        match self {
            Self::Down { lease: kept, .. }
            | Self::Selecting { kept, .. }
            | Self::Requesting { kept, .. }
            | Self::Rebooting { kept, .. }
            | Self::Probing { kept, .. } => kept.as_ref(),
            Self::Bound { lease } | Self::Renewing { lease, .. } | Self::Rebinding { lease, .. } => {
                Some(lease)
            }
        }
    }

    /// The address that is being probed.
    #[must_use]
    pub const fn probed(&self) -> Option<Ipv4Addr> {
        match self {
            Self::Probing { lease, .. } => Some(lease.terms.address),
            Self::Down { .. }
            | Self::Selecting { .. }
            | Self::Requesting { .. }
            | Self::Rebooting { .. }
            | Self::Bound { .. }
            | Self::Renewing { .. }
            | Self::Rebinding { .. } => None,
        }
    }

    /// Whether no answer is awaited.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        matches!(self, Self::Down { .. } | Self::Probing { .. } | Self::Bound { .. })
    }

    /// When [`Event::Timer`] is due.
    #[must_use]
    pub fn wake_at(&self) -> Option<Moment> {
        let end = self.lease().and_then(Lease::ends_at);
        match self {
            Self::Down { .. } => end,
            Self::Probing { lease, .. } => earliest([lease.ends_at(), end]),
            Self::Bound { lease } => lease.renew_at(),
            Self::Selecting { exchange, .. }
            | Self::Requesting { exchange, .. }
            | Self::Rebooting { exchange, .. }
            | Self::Rebinding { exchange, .. } => earliest([Some(exchange.next), end]),
            Self::Renewing { exchange, lease } => earliest([Some(exchange.next), lease.rebind_at()]),
        }
    }
}

fn earliest<const N: usize>(moments: [Option<Moment>; N]) -> Option<Moment> {
    moments.into_iter().flatten().min()
}

#[cfg(test)]
mod tests;
