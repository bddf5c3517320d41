//! The client's state machine (RFC 2131 section 4.4), pure: time and randomness come in with each event.
//!
//! ```text
//! Down ─LinkUp─> Selecting ─Offer─> Requesting ─Ack─> Bound ─T1─> Renewing ─T2─> Rebinding ─end─> Selecting
//!   └─LinkUp, lease left─> Rebooting ─Ack─> Bound        └── Ack ──┴──── Ack ────┘
//! ```
//!
//! The INIT states of the RFC last no time here: Discover goes out in the step that enters Selecting. A lease stays configured
//! while the link is down and while a new one is sought, until it ends or a server denies it: a router that restarts does not
//! take the box off the network. Invariant: what was last configured and not unconfigured is [`State::lease`].

use crate::dhcp::lease::Lease;
use crate::dhcp::lease::Terms;
use crate::moment::Moment;
use std::net::Ipv4Addr;
use std::time::Duration;

/// First wait for an answer. The RFC suggests 4 s; a switch port or router that just came up drops the first message often.
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// Longest wait for an answer while there is no address (RFC 2131 section 4.1).
const LONGEST_WAIT: Duration = Duration::from_secs(64);
/// Shortest time between two attempts at renewing (RFC 2131 section 4.4.5).
const SHORTEST_RENEWAL_WAIT: Duration = Duration::from_secs(60);
/// Requests for an offered address before another is sought.
const REQUEST_ATTEMPTS: u32 = 4;
/// Requests for a remembered address before another is sought.
const REBOOT_ATTEMPTS: u32 = 3;

/// Where the client stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// No carrier.
    Down {
        /// Lease from before, still configured.
        lease: Option<Lease>,
    },
    /// Looking for servers.
    Selecting {
        /// Messages so far.
        exchange: Exchange,
        /// Lease from before, still configured.
        kept: Option<Lease>,
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
    /// Asking whether the lease still holds after the link was down (INIT-REBOOT).
    Rebooting {
        /// Messages so far.
        exchange: Exchange,
        /// The lease in question.
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
}

/// Messages sent under one transaction id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// Transaction id.
    pub xid: u32,
    /// When it began.
    pub began: Moment,
    /// Messages sent.
    pub sent: u32,
    /// When the newest was sent; a lease runs from there (RFC 2131 section 4.4.1).
    pub asked: Moment,
    /// When to send the next one.
    pub next: Moment,
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
    /// The owner wants the lease renewed now.
    RenewNow,
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
    /// Use this lease, and no other.
    Configure(Lease),
    /// Use no lease.
    Unconfigure,
}

/// A message to send (RFC 2131 table 5).
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
}

/// What the world adds to an event.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances {
    /// When it happened.
    pub now: Moment,
    /// Fresh random bits.
    pub random: u64,
}

type Step = (State, Vec<Effect>);

impl State {
    /// The state before anything is known of the link.
    pub const START: Self = Self::Down { lease: None };

    /// The lease that is configured.
    #[must_use]
    pub const fn lease(&self) -> Option<&Lease> {
        match self {
            Self::Down { lease: kept } | Self::Selecting { kept, .. } | Self::Requesting { kept, .. } => {
                kept.as_ref()
            }
            Self::Rebooting { lease, .. }
            | Self::Bound { lease }
            | Self::Renewing { lease, .. }
            | Self::Rebinding { lease, .. } => Some(lease),
        }
    }

    /// When [`Event::Timer`] is due.
    #[must_use]
    pub fn wake_at(&self) -> Option<Moment> {
        let end = self.lease().and_then(Lease::ends_at);
        match self {
            Self::Down { .. } => end,
            Self::Bound { lease } => lease.renew_at(),
            Self::Selecting { exchange, .. }
            | Self::Requesting { exchange, .. }
            | Self::Rebooting { exchange, .. } => earliest([Some(exchange.next), end]),
            Self::Renewing { exchange, lease } => earliest([Some(exchange.next), lease.rebind_at()]),
            Self::Rebinding { exchange, .. } => earliest([Some(exchange.next), end]),
        }
    }

    /// Whether answers can only be seen below IP, because the address is not configured or not sure.
    #[must_use]
    pub const fn needs_raw_socket(&self) -> bool {
        matches!(self, Self::Selecting { .. } | Self::Requesting { .. } | Self::Rebooting { .. })
    }

    /// The next state and what must be done on the way.
    #[must_use]
    pub fn step(self, event: Event, at: Circumstances) -> (Self, Vec<Effect>) {
        match event {
            Event::LinkDown => self.lose_link(),
            Event::LinkUp => self.gain_link(at),
            Event::Timer => self.wake(at),
            Event::RenewNow => self.renew_now(at),
            Event::Received(reply) => self.receive(reply, at),
        }
    }

    fn lose_link(self) -> Step {
        let lease = self.lease().cloned();
        (Self::Down { lease }, Vec::new())
    }

    fn gain_link(self, at: Circumstances) -> Step {
        match self {
            Self::Down { lease: Some(lease) } if lease.has_ended(at.now) => abandon(at),
            Self::Down { lease: Some(lease) } => reboot(lease, at),
            Self::Down { lease: None } => discover(None, at),
            Self::Selecting { .. }
            | Self::Requesting { .. }
            | Self::Rebooting { .. }
            | Self::Bound { .. }
            | Self::Renewing { .. }
            | Self::Rebinding { .. } => (self, Vec::new()),
        }
    }

    fn renew_now(self, at: Circumstances) -> Step {
        match self {
            Self::Down { .. } => (self, Vec::new()),
            Self::Bound { lease } | Self::Renewing { lease, .. } => renew(lease, at),
            Self::Rebinding { lease, .. } => rebind(lease, at),
            Self::Rebooting { lease, .. } => reboot(lease, at),
            Self::Selecting { kept, .. } | Self::Requesting { kept, .. } => discover(kept, at),
        }
    }

    fn wake(self, at: Circumstances) -> Step {
        if self.wake_at().is_none_or(|due| at.now < due) {
            return (self, Vec::new());
        }
        match self {
            Self::Down { .. } => (Self::Down { lease: None }, vec![Effect::Unconfigure]),
            Self::Selecting { exchange, kept } => select_again(exchange, kept, at),
            Self::Requesting { exchange, address, server, kept } => match kept {
                Some(lease) if lease.has_ended(at.now) => {
                    (Self::Requesting { exchange, address, server, kept: None }, vec![Effect::Unconfigure])
                }
                kept if exchange.sent >= REQUEST_ATTEMPTS => discover(kept, at),
                kept => {
                    let (exchange, send) = exchange.repeat(Question::Select { address, server }, at);
                    (Self::Requesting { exchange, address, server, kept }, vec![send])
                }
            },
            Self::Rebooting { lease, .. } if lease.has_ended(at.now) => abandon(at),
            Self::Rebooting { exchange, lease } if exchange.sent >= REBOOT_ATTEMPTS => {
                discover(Some(lease), at)
            }
            Self::Rebooting { exchange, lease } => {
                let (exchange, send) = exchange.repeat(Question::Reboot { address: lease.terms.address }, at);
                (Self::Rebooting { exchange, lease }, vec![send])
            }
            Self::Bound { lease } if lease.has_ended(at.now) => abandon(at),
            Self::Bound { lease } if is_past(lease.rebind_at(), at) => rebind(lease, at),
            Self::Bound { lease } => renew(lease, at),
            Self::Renewing { lease, .. } | Self::Rebinding { lease, .. } if lease.has_ended(at.now) => {
                abandon(at)
            }
            Self::Renewing { lease, .. } if is_past(lease.rebind_at(), at) => rebind(lease, at),
            Self::Renewing { exchange, lease } => renew_again(exchange, lease, at),
            Self::Rebinding { exchange, lease } => rebind_again(exchange, lease, at),
        }
    }

    fn receive(self, reply: Reply, at: Circumstances) -> Step {
        match (self, reply) {
            (
                Self::Selecting { exchange, kept },
                Reply { xid, server: Some(server), answer: Answer::Offer(terms) },
            ) if xid == exchange.xid => request(terms.address, server, kept, &exchange, at),
            (Self::Requesting { exchange, server, kept, .. }, reply)
                if reply.xid == exchange.xid && reply.server.is_none_or(|from| from == server) =>
            {
                match reply.answer {
                    Answer::Ack(terms) => bind(terms, server, &exchange),
                    Answer::Nak => discover_later(kept, at),
                    // The same offer may arrive twice; the request for it is on its way.
                    Answer::Offer(terms) => {
                        (Self::Requesting { exchange, address: terms.address, server, kept }, Vec::new())
                    }
                }
            }
            (
                Self::Rebooting { exchange, lease }
                | Self::Renewing { exchange, lease }
                | Self::Rebinding { exchange, lease },
                Reply { xid, server, answer: Answer::Ack(terms) },
            ) if xid == exchange.xid => bind(terms, server.unwrap_or(lease.server), &exchange),
            (
                Self::Rebooting { exchange, .. }
                | Self::Renewing { exchange, .. }
                | Self::Rebinding { exchange, .. },
                Reply { xid, answer: Answer::Nak, .. },
            ) if xid == exchange.xid => abandon(at),
            (state, _) => (state, Vec::new()),
        }
    }
}

impl Exchange {
    fn begin(question: Question, wait: Duration, at: Circumstances) -> (Self, Effect) {
        // The upper half names the exchange, the lower half is the jitter.
        let xid = u32::try_from(at.random >> 32).unwrap_or(0);
        let fresh = Self { xid, began: at.now, sent: 0, asked: at.now, next: at.now };
        fresh.send(question, wait, at)
    }

    /// Sends again after a wait that doubles with each message.
    fn repeat(self, question: Question, at: Circumstances) -> (Self, Effect) {
        let wait = FIRST_WAIT.saturating_mul(1 << self.sent.min(5)).min(LONGEST_WAIT);
        self.send(question, wait, at)
    }

    fn send(self, question: Question, wait: Duration, at: Circumstances) -> (Self, Effect) {
        let trying_for = at.now.since(self.began);
        let effect = Effect::Send(Outgoing { xid: self.xid, trying_for, question });
        let sent = self.sent.saturating_add(1);
        (Self { sent, asked: at.now, next: at.now + jitter(wait, at.random), ..self }, effect)
    }
}

/// A wait moved by up to one second either way (RFC 2131 section 4.1), so that a house full of devices that all start when
/// the power returns does not answer in step.
fn jitter(wait: Duration, random: u64) -> Duration {
    let milliseconds = (random & 0xffff_ffff) % 2001;
    (wait + Duration::from_millis(milliseconds)).saturating_sub(Duration::from_secs(1))
}

fn earliest<const N: usize>(moments: [Option<Moment>; N]) -> Option<Moment> {
    moments.into_iter().flatten().min()
}

fn is_past(moment: Option<Moment>, at: Circumstances) -> bool {
    moment.is_some_and(|moment| at.now >= moment)
}

fn discover(kept: Option<Lease>, at: Circumstances) -> Step {
    let wish = kept.as_ref().map(|lease| lease.terms.address);
    let (exchange, send) = Exchange::begin(Question::Discover { wish }, FIRST_WAIT, at);
    (State::Selecting { exchange, kept }, vec![send])
}

/// Starts anew, but only after a wait: a server that offers and then denies would otherwise be asked without end.
fn discover_later(kept: Option<Lease>, at: Circumstances) -> Step {
    let (State::Selecting { exchange, kept }, _unsent) = discover(kept, at) else {
        return discover(None, at);
    };
    (State::Selecting { exchange: Exchange { sent: 0, ..exchange }, kept }, Vec::new())
}

/// Gives the lease up and looks for another.
fn abandon(at: Circumstances) -> Step {
    let (state, sends) = discover(None, at);
    (state, std::iter::once(Effect::Unconfigure).chain(sends).collect())
}

fn select_again(exchange: Exchange, kept: Option<Lease>, at: Circumstances) -> Step {
    match kept {
        Some(lease) if lease.has_ended(at.now) => {
            (State::Selecting { exchange, kept: None }, vec![Effect::Unconfigure])
        }
        kept => {
            let wish = kept.as_ref().map(|lease| lease.terms.address);
            let (exchange, send) = exchange.repeat(Question::Discover { wish }, at);
            (State::Selecting { exchange, kept }, vec![send])
        }
    }
}

/// Keeps the transaction id of the offer (RFC 2131 section 4.4.1).
fn request(
    address: Ipv4Addr,
    server: Ipv4Addr,
    kept: Option<Lease>,
    offer: &Exchange,
    at: Circumstances,
) -> Step {
    let fresh = Exchange { xid: offer.xid, began: offer.began, sent: 0, asked: at.now, next: at.now };
    let (exchange, send) = fresh.send(Question::Select { address, server }, FIRST_WAIT, at);
    (State::Requesting { exchange, address, server, kept }, vec![send])
}

fn reboot(lease: Lease, at: Circumstances) -> Step {
    let question = Question::Reboot { address: lease.terms.address };
    let (exchange, send) = Exchange::begin(question, FIRST_WAIT, at);
    (State::Rebooting { exchange, lease }, vec![send])
}

fn bind(terms: Terms, server: Ipv4Addr, exchange: &Exchange) -> Step {
    let lease = Lease { terms, server, since: exchange.asked };
    (State::Bound { lease: lease.clone() }, vec![Effect::Configure(lease)])
}

fn renew(lease: Lease, at: Circumstances) -> Step {
    let question = Question::Renew { address: lease.terms.address, server: lease.server };
    let (exchange, send) = Exchange::begin(question, renewal_wait(lease.rebind_at(), at), at);
    (State::Renewing { exchange, lease }, vec![send])
}

fn renew_again(exchange: Exchange, lease: Lease, at: Circumstances) -> Step {
    let question = Question::Renew { address: lease.terms.address, server: lease.server };
    let (exchange, send) = exchange.send(question, renewal_wait(lease.rebind_at(), at), at);
    (State::Renewing { exchange, lease }, vec![send])
}

fn rebind(lease: Lease, at: Circumstances) -> Step {
    let question = Question::Rebind { address: lease.terms.address };
    let (exchange, send) = Exchange::begin(question, renewal_wait(lease.ends_at(), at), at);
    (State::Rebinding { exchange, lease }, vec![send])
}

fn rebind_again(exchange: Exchange, lease: Lease, at: Circumstances) -> Step {
    let question = Question::Rebind { address: lease.terms.address };
    let (exchange, send) = exchange.send(question, renewal_wait(lease.ends_at(), at), at);
    (State::Rebinding { exchange, lease }, vec![send])
}

/// Half of the time that is left, but no less than a minute (RFC 2131 section 4.4.5).
fn renewal_wait(until: Option<Moment>, at: Circumstances) -> Duration {
    until.map_or(SHORTEST_RENEWAL_WAIT, |until| (until.since(at.now) / 2).max(SHORTEST_RENEWAL_WAIT))
}

#[cfg(test)]
mod tests;
