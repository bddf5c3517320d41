//! The client's state machine (RFC 8415 section 18.2), pure: time and randomness come in with each event.
//!
//! ```text
//! Idle ─Begin(addresses)─> Soliciting ─Advertise─> Requesting ─Reply─> Bound ─T1─> Renewing ─T2─> Rebinding ─end─> Soliciting
//!   │                          ^                                        │ ^
//!   ├─Begin, lease left─> Confirming ─not on this link─┘  ─else─────────┘ └ Declining <─ Duplicate
//!   └─Begin(information)─> Informing ─Reply─> Informed ─refresh─> Informing
//! ```
//!
//! A lease stays configured while the link is down, until it ends or a server says that it does not belong here. Invariant: what was
//! last configured and not unconfigured is [`State::lease`].

mod exchange;
mod step;

pub use exchange::Exchange;

use crate::dhcp6::lease::Held;
use crate::dhcp6::lease::Information;
use crate::dhcp6::lease::Lease;
use crate::moment::Moment;
use std::net::Ipv6Addr;
use std::time::Duration;

/// What router advertisements offer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Nothing by DHCPv6.
    #[default]
    Off,
    /// Only information, such as name servers.
    Information,
    /// Addresses too.
    Addresses,
}

/// Where the client stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// No carrier, or nothing offered.
    Idle {
        /// Lease from before, still configured.
        lease: Option<Lease>,
    },
    /// Looking for servers.
    Soliciting {
        /// Messages so far.
        exchange: Exchange,
        /// The best offer so far.
        best: Option<Offer>,
    },
    /// Asking one server for what it offered.
    Requesting {
        /// Messages so far.
        exchange: Exchange,
        /// The offer.
        offer: Offer,
        /// Lease from before, still configured.
        kept: Option<Lease>,
    },
    /// Asking whether the lease belongs to this link, after the cable was out.
    Confirming {
        /// Messages so far.
        exchange: Exchange,
        /// The lease.
        lease: Lease,
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
    /// Telling a server that another device has an address of its.
    Declining {
        /// Messages so far.
        exchange: Exchange,
        /// Who granted it.
        server: Vec<u8>,
        /// The address.
        address: Ipv6Addr,
        /// The rest of the lease, still configured.
        kept: Option<Lease>,
    },
    /// Asking for information only.
    Informing {
        /// Messages so far.
        exchange: Exchange,
    },
    /// Knowing it.
    Informed {
        /// When to ask again.
        until: Moment,
    },
}

/// What one server offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its DUID.
    pub server: Vec<u8>,
    /// How much it wants to be chosen, 255 most.
    pub preference: u8,
    /// The addresses.
    pub addresses: Vec<Ipv6Addr>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The link has a carrier and advertisements offer this.
    Begin(Mode),
    /// The link lost its carrier.
    LinkDown,
    /// The moment of [`State::wake_at`] came.
    Timer,
    /// A server answered.
    Received(Reply),
    /// The kernel found that another device has this address.
    Duplicate(Ipv6Addr),
    /// The owner wants the lease renewed now.
    RenewNow,
    /// The owner wants other addresses.
    Release,
}

/// An answer of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Transaction id it answers to.
    pub xid: u32,
    /// Whether it only offers.
    pub is_advertise: bool,
    /// DUID of the server.
    pub server: Vec<u8>,
    /// How much it wants to be chosen.
    pub preference: u8,
    /// What it says of the question as a whole.
    pub status: Status,
    /// What it says of addresses, if anything.
    pub grant: Option<Grant>,
    /// What it tells besides.
    pub information: Information,
    /// How long that may be relied on.
    pub refresh: Option<Duration>,
    /// Longest wait between questions that it asks for: for addresses, for information.
    pub longest_waits: (Option<Duration>, Option<Duration>),
}

/// What a server says of addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Whether it grants any.
    pub status: Status,
    /// When to ask again; zero leaves it to the client, none means never.
    pub times: (Option<Duration>, Option<Duration>),
    /// The addresses; one without time is taken back.
    pub addresses: Vec<Held>,
}

/// A status code (RFC 8415 section 21.13).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// All is well.
    #[default]
    Success,
    /// There are no addresses left.
    NoAddresses,
    /// The server does not know the lease.
    NoBinding,
    /// The addresses do not belong to this link.
    NotOnLink,
    /// Another failure.
    Failure,
}

/// What must be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send a message.
    Send(Outgoing),
    /// Use this lease, and no other.
    Configure(Lease),
    /// Use no lease.
    Unconfigure,
    /// Show this information.
    Inform(Information),
}

/// A message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Transaction id, 24 bits.
    pub xid: u32,
    /// How long the client has been trying.
    pub trying_for: Duration,
    /// What it says.
    pub question: Question,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Who has addresses?
    Solicit,
    /// I take what you offered.
    Request {
        /// Who offered.
        server: Vec<u8>,
        /// The addresses.
        addresses: Vec<Ipv6Addr>,
    },
    /// Do these belong to this link?
    Confirm {
        /// The addresses.
        addresses: Vec<Ipv6Addr>,
    },
    /// More time, please.
    Renew {
        /// Who granted them.
        server: Vec<u8>,
        /// The addresses.
        addresses: Vec<Ipv6Addr>,
    },
    /// More time, please, from anybody.
    Rebind {
        /// The addresses.
        addresses: Vec<Ipv6Addr>,
    },
    /// Another device has this one.
    Decline {
        /// Who granted it.
        server: Vec<u8>,
        /// The address.
        address: Ipv6Addr,
    },
    /// I need these no more.
    Release {
        /// Who granted them.
        server: Vec<u8>,
        /// The addresses.
        addresses: Vec<Ipv6Addr>,
    },
    /// What else is there to know?
    Inform,
}

impl State {
    /// The state before anything is known of the link.
    pub const START: Self = Self::Idle { lease: None };

    /// The lease that is configured.
    #[must_use]
    pub const fn lease(&self) -> Option<&Lease> {
        match self {
            Self::Idle { lease: kept } | Self::Requesting { kept, .. } | Self::Declining { kept, .. } => {
                kept.as_ref()
            }
            Self::Confirming { lease, .. }
            | Self::Bound { lease }
            | Self::Renewing { lease, .. }
            | Self::Rebinding { lease, .. } => Some(lease),
            Self::Soliciting { .. } | Self::Informing { .. } | Self::Informed { .. } => None,
        }
    }

    /// Messages so far, while an answer is awaited.
    #[must_use]
    pub const fn exchange(&self) -> Option<&Exchange> {
        match self {
            Self::Soliciting { exchange, .. }
            | Self::Requesting { exchange, .. }
            | Self::Confirming { exchange, .. }
            | Self::Renewing { exchange, .. }
            | Self::Rebinding { exchange, .. }
            | Self::Declining { exchange, .. }
            | Self::Informing { exchange } => Some(exchange),
            Self::Idle { .. } | Self::Bound { .. } | Self::Informed { .. } => None,
        }
    }

    /// When [`Event::Timer`] is due.
    #[must_use]
    pub fn wake_at(&self) -> Option<Moment> {
        let own = match self {
            Self::Bound { lease } => lease.renew_at(),
            Self::Renewing { lease, .. } => lease.rebind_at(),
            Self::Informed { until } => Some(*until),
            Self::Idle { .. }
            | Self::Soliciting { .. }
            | Self::Requesting { .. }
            | Self::Confirming { .. }
            | Self::Rebinding { .. }
            | Self::Declining { .. }
            | Self::Informing { .. } => None,
        };
        let next = self.exchange().map(Exchange::next);
        [own, next, self.lease().and_then(Lease::ends_at)].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests;
