//! The transitions.

use super::exchange::FIRST_WAIT;
use super::exchange::renewal_wait;
use super::exchange::tell;
use crate::dhcp::lease::Lease;
use crate::dhcp::lease::Terms;
use crate::dhcp::machine::Answer;
use crate::dhcp::machine::Circumstances;
use crate::dhcp::machine::Effect;
use crate::dhcp::machine::Event;
use crate::dhcp::machine::Exchange;
use crate::dhcp::machine::Question;
use crate::dhcp::machine::Reply;
use crate::dhcp::machine::State;
use std::net::Ipv4Addr;
use std::time::Duration;

/// Requests for an offered address before another is sought.
pub(super) const REQUEST_ATTEMPTS: u32 = 4;
/// Requests for a remembered address before another is sought.
pub(super) const REBOOT_ATTEMPTS: u32 = 3;
/// Wait after a refused address: at least 10 s (RFC 2131 section 3.1), with the jitter of a second.
const DECLINE_WAIT: Duration = Duration::from_secs(11);

type Step = (State, Vec<Effect>);

impl State {
    /// The next state and what must be done on the way.
    #[must_use]
    pub fn step(self, event: Event, at: Circumstances) -> (Self, Vec<Effect>) {
        match event {
            Event::LinkDown => self.lose_link(),
            Event::LinkUp => self.gain_link(at),
            Event::Timer => self.wake(at),
            Event::RenewNow => self.renew_now(at),
            Event::Received(reply) => self.receive(reply, at),
            Event::Claimed(address) => self.claimed(address),
            Event::Conflict(address) => self.conflict(address, at),
            Event::Release => self.release(at),
        }
    }

    fn lose_link(self) -> Step {
        let remembered = match &self {
            Self::Down { remembered, .. } => *remembered,
            Self::Rebooting { address, .. } => Some(*address),
            Self::Probing { lease, .. } => Some(lease.terms.address),
            Self::Selecting { wish, .. } => *wish,
            Self::Requesting { .. } | Self::Bound { .. } | Self::Renewing { .. } | Self::Rebinding { .. } => {
                None
            }
        };
        (Self::Down { lease: self.lease().cloned(), remembered }, Vec::new())
    }

    fn gain_link(self, at: Circumstances) -> Step {
        match self {
            Self::Down { lease: Some(lease), .. } if lease.has_ended(at.now) => abandon(Some(lease), at),
            Self::Down { lease: Some(lease), .. } => reboot(lease.terms.address, Some(lease), at),
            Self::Down { lease: None, remembered: Some(address) } => reboot(address, None, at),
            Self::Down { lease: None, remembered: None } => discover(None, None, at),
            Self::Selecting { .. }
            | Self::Requesting { .. }
            | Self::Rebooting { .. }
            | Self::Probing { .. }
            | Self::Bound { .. }
            | Self::Renewing { .. }
            | Self::Rebinding { .. } => (self, Vec::new()),
        }
    }

    fn renew_now(self, at: Circumstances) -> Step {
        match self {
            Self::Down { .. } | Self::Probing { .. } => (self, Vec::new()),
            Self::Bound { lease } | Self::Renewing { lease, .. } => renew(lease, at),
            Self::Rebinding { lease, .. } => rebind(lease, at),
            Self::Rebooting { address, kept, .. } => reboot(address, kept, at),
            Self::Selecting { kept, wish, .. } => discover(kept, wish, at),
            Self::Requesting { kept, .. } => discover(kept, None, at),
        }
    }

    fn wake(self, at: Circumstances) -> Step {
        if self.wake_at().is_none_or(|due| at.now < due) {
            return (self, Vec::new());
        }
        match self {
            Self::Down { remembered, .. } => {
                (Self::Down { lease: None, remembered }, vec![Effect::Unconfigure])
            }
            Self::Probing { lease, kept } if lease.has_ended(at.now) => abandon(kept, at),
            Self::Probing { lease, .. } => (Self::Probing { lease, kept: None }, vec![Effect::Unconfigure]),
            Self::Selecting { exchange, kept: Some(lease), wish } if lease.has_ended(at.now) => {
                (Self::Selecting { exchange, kept: None, wish }, vec![Effect::Unconfigure])
            }
            Self::Selecting { exchange, kept, wish } => {
                let (exchange, send) = exchange.repeat(Question::Discover { wish }, at);
                (Self::Selecting { exchange, kept, wish }, vec![send])
            }
            Self::Requesting { exchange, address, server, kept: Some(lease) } if lease.has_ended(at.now) => {
                (Self::Requesting { exchange, address, server, kept: None }, vec![Effect::Unconfigure])
            }
            Self::Requesting { exchange, kept, .. } if exchange.sent >= REQUEST_ATTEMPTS => {
                let wish = kept.as_ref().map(|lease| lease.terms.address);
                discover(kept, wish, at)
            }
            Self::Requesting { exchange, address, server, kept } => {
                let (exchange, send) = exchange.repeat(Question::Select { address, server }, at);
                (Self::Requesting { exchange, address, server, kept }, vec![send])
            }
            Self::Rebooting { kept: Some(lease), .. } if lease.has_ended(at.now) => abandon(Some(lease), at),
            Self::Rebooting { exchange, address, kept } if exchange.sent >= REBOOT_ATTEMPTS => {
                discover(kept, Some(address), at)
            }
            Self::Rebooting { exchange, address, kept } => {
                let (exchange, send) = exchange.repeat(Question::Reboot { address }, at);
                (Self::Rebooting { exchange, address, kept }, vec![send])
            }
            Self::Bound { lease } | Self::Renewing { lease, .. } | Self::Rebinding { lease, .. }
                if lease.has_ended(at.now) =>
            {
                abandon(Some(lease), at)
            }
            Self::Bound { lease } | Self::Renewing { lease, .. } if at.is_past(lease.rebind_at()) => {
                rebind(lease, at)
            }
            Self::Bound { lease } => renew(lease, at),
            Self::Renewing { exchange, lease } => renew_again(exchange, lease, at),
            Self::Rebinding { exchange, lease } => rebind_again(exchange, lease, at),
        }
    }

    fn receive(self, reply: Reply, at: Circumstances) -> Step {
        match (self, reply) {
            (
                Self::Selecting { exchange, kept, .. },
                Reply { xid, server: Some(server), answer: Answer::Offer(terms) },
            ) if xid == exchange.xid && exchange.sent > 0 => {
                request(terms.address, server, kept, &exchange, at)
            }
            (Self::Requesting { exchange, server, kept, .. }, reply)
                if reply.xid == exchange.xid && reply.server.is_none_or(|from| from == server) =>
            {
                match reply.answer {
                    Answer::Ack(terms) => claim(Lease { terms, server, since: exchange.asked }, kept),
                    // Only after a wait: a server that offers and then denies would otherwise be asked without end.
                    Answer::Nak => discover_later(kept, FIRST_WAIT, at),
                    // The same offer may arrive twice; the request for it is on its way.
                    Answer::Offer(terms) => {
                        (Self::Requesting { exchange, address: terms.address, server, kept }, Vec::new())
                    }
                }
            }
            (
                Self::Rebooting { exchange, kept, address },
                Reply { xid, server, answer: Answer::Ack(terms) },
            ) if xid == exchange.xid => match server.or_else(|| kept.as_ref().map(|lease| lease.server)) {
                Some(server) => claim(Lease { terms, server, since: exchange.asked }, kept),
                None => (Self::Rebooting { exchange, kept, address }, Vec::new()),
            },
            (
                Self::Renewing { exchange, lease } | Self::Rebinding { exchange, lease },
                Reply { xid, server, answer: Answer::Ack(terms) },
            ) if xid == exchange.xid => extend(terms, server.unwrap_or(lease.server), lease, &exchange),
            (
                Self::Renewing { exchange, lease } | Self::Rebinding { exchange, lease },
                Reply { xid, answer: Answer::Nak, .. },
            ) if xid == exchange.xid => abandon(Some(lease), at),
            (Self::Rebooting { exchange, kept, .. }, Reply { xid, answer: Answer::Nak, .. })
                if xid == exchange.xid =>
            {
                abandon(kept, at)
            }
            (state, _) => (state, Vec::new()),
        }
    }

    fn claimed(self, address: Ipv4Addr) -> Step {
        if let Self::Probing { lease, .. } = &self
            && lease.terms.address == address
        {
            let lease = lease.clone();
            return (Self::Bound { lease: lease.clone() }, vec![Effect::Configure(lease)]);
        }
        (self, Vec::new())
    }

    /// A refused address is told to its server (RFC 2131 section 3.1), and the search begins anew after a wait.
    fn conflict(self, address: Ipv4Addr, at: Circumstances) -> Step {
        let kept = self.lease().filter(|lease| lease.terms.address != address).cloned();
        let had = self.lease().filter(|lease| lease.terms.address == address).cloned();
        let probed = match &self {
            Self::Probing { lease, .. } if lease.terms.address == address => Some(lease.clone()),
            Self::Down { .. } => None,
            Self::Selecting { .. }
            | Self::Requesting { .. }
            | Self::Rebooting { .. }
            | Self::Probing { .. }
            | Self::Bound { .. }
            | Self::Renewing { .. }
            | Self::Rebinding { .. } => had.clone(),
        };
        let Some(refused) = probed else {
            return (self, Vec::new());
        };
        let (state, _) = discover_later(kept, DECLINE_WAIT, at);
        let decline = tell(Question::Decline { address, server: refused.server }, at);
        (state, had.map(|_| Effect::Unconfigure).into_iter().chain([decline]).collect())
    }

    /// The message goes out first: the address it comes from must still be there.
    fn release(self, at: Circumstances) -> Step {
        let lease = self.lease().cloned();
        let has_link = !matches!(self, Self::Down { .. });
        let effects = lease.map(|Lease { terms, server, .. }| {
            let tell = has_link.then(|| tell(Question::Release { address: terms.address, server }, at));
            tell.into_iter().chain([Effect::Unconfigure]).collect()
        });
        (Self::start(None), effects.unwrap_or_default())
    }
}

fn discover(kept: Option<Lease>, wish: Option<Ipv4Addr>, at: Circumstances) -> Step {
    let (exchange, send) = Exchange::begin(Question::Discover { wish }, FIRST_WAIT, at);
    (State::Selecting { exchange, kept, wish }, vec![send])
}

fn discover_later(kept: Option<Lease>, wait: Duration, at: Circumstances) -> Step {
    (State::Selecting { exchange: Exchange::later(wait, at), kept, wish: None }, Vec::new())
}

/// Gives the lease up and looks for another.
fn abandon(lease: Option<Lease>, at: Circumstances) -> Step {
    let (state, sends) = discover(None, None, at);
    (state, lease.map(|_| Effect::Unconfigure).into_iter().chain(sends).collect())
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

fn reboot(address: Ipv4Addr, kept: Option<Lease>, at: Circumstances) -> Step {
    let (exchange, send) = Exchange::begin(Question::Reboot { address }, FIRST_WAIT, at);
    (State::Rebooting { exchange, address, kept }, vec![send])
}

fn claim(lease: Lease, kept: Option<Lease>) -> Step {
    let address = lease.terms.address;
    (State::Probing { lease, kept }, vec![Effect::Claim(address)])
}

/// More time for the address in use needs no probe; another address does.
fn extend(terms: Terms, server: Ipv4Addr, old: Lease, exchange: &Exchange) -> Step {
    let lease = Lease { terms, server, since: exchange.asked };
    if lease.terms.address == old.terms.address {
        (State::Bound { lease: lease.clone() }, vec![Effect::Configure(lease)])
    } else {
        claim(lease, Some(old))
    }
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
