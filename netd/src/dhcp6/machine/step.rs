//! The transitions.

use super::exchange::CONFIRM;
use super::exchange::DECLINE;
use super::exchange::INFORM;
use super::exchange::REBIND;
use super::exchange::RENEW;
use super::exchange::REQUEST;
use super::exchange::SOLICIT;
use crate::dhcp::machine::Circumstances;
use crate::dhcp6::lease::Held;
use crate::dhcp6::lease::Lease;
use crate::dhcp6::machine::Effect;
use crate::dhcp6::machine::Event;
use crate::dhcp6::machine::Exchange;
use crate::dhcp6::machine::Grant;
use crate::dhcp6::machine::Mode;
use crate::dhcp6::machine::Offer;
use crate::dhcp6::machine::Question;
use crate::dhcp6::machine::Reply;
use crate::dhcp6::machine::State;
use crate::dhcp6::machine::Status;
use std::net::Ipv6Addr;
use std::time::Duration;

/// The first message goes out within this time (`SOL_MAX_DELAY` and its like).
const FIRST_WITHIN: Duration = Duration::from_secs(1);
/// Requests for an offer before another is sought (`REQ_MAX_RC`).
pub(super) const REQUEST_ATTEMPTS: u32 = 10;
/// Declines before it is left at that (`DEC_MAX_RC`).
pub(super) const DECLINE_ATTEMPTS: u32 = 4;
/// How long a server has to say that a lease does not belong to the link (`CNF_MAX_RD`).
const CONFIRM_WITHIN: Duration = Duration::from_secs(10);
/// Wait before another search where a server would otherwise be asked without end.
const AFTER_REFUSAL: Duration = Duration::from_secs(10);
/// How long information may be relied on, unless the server says (`IRT_DEFAULT`, `IRT_MINIMUM`).
const REFRESH: Duration = Duration::from_secs(86_400);
const SHORTEST_REFRESH: Duration = Duration::from_secs(600);
/// A server that wants to be chosen this much is not compared with others.
const CHOSEN_AT_ONCE: u8 = 255;

type Step = (State, Vec<Effect>);

impl State {
    /// The next state and what must be done on the way.
    #[must_use]
    pub fn step(self, event: Event, at: Circumstances) -> (Self, Vec<Effect>) {
        match event {
            Event::Begin(mode) => self.begin(mode, at),
            Event::LinkDown => (Self::Idle { lease: self.lease().cloned() }, Vec::new()),
            Event::Timer => self.wake(at),
            Event::Received(reply) => self.receive(reply, at),
            Event::Duplicate(address) => self.decline(address, at),
            Event::RenewNow => self.renew_now(at),
            Event::Release => self.release(at),
        }
    }

    fn begin(self, mode: Mode, at: Circumstances) -> Step {
        match (self, mode) {
            (Self::Idle { lease: Some(lease) }, _) if lease.has_ended(at.now) => {
                then(Effect::Unconfigure, fresh(mode, at))
            }
            (Self::Idle { lease: Some(lease) }, _) => {
                (Self::Confirming { exchange: Exchange::within(FIRST_WITHIN, at), lease }, Vec::new())
            }
            (
                Self::Idle { lease: None } | Self::Informing { .. } | Self::Informed { .. },
                Mode::Addresses,
            )
            | (Self::Idle { lease: None } | Self::Soliciting { .. }, Mode::Information)
            | (Self::Soliciting { .. } | Self::Informing { .. } | Self::Informed { .. }, Mode::Off) => {
                fresh(mode, at)
            }
            // What is going on is at least as good; a lease stays until it ends.
            (state, _) => (state, Vec::new()),
        }
    }

    fn wake(self, at: Circumstances) -> Step {
        if self.wake_at().is_none_or(|due| at.now < due) {
            return (self, Vec::new());
        }
        if self.lease().is_some_and(|lease| lease.has_ended(at.now)) {
            return self.end_lease(at);
        }
        match self {
            Self::Idle { .. } => (self, Vec::new()),
            Self::Soliciting { best: Some(offer), .. } => request(offer, None, at),
            Self::Soliciting { exchange, best } => {
                let (exchange, send) = exchange.send(Question::Solicit, SOLICIT, at);
                (Self::Soliciting { exchange, best }, vec![send])
            }
            Self::Requesting { exchange, kept, .. } if exchange.sent() >= REQUEST_ATTEMPTS => {
                let unconfigure = kept.map(|_| Effect::Unconfigure);
                let (state, effects) = solicit(AFTER_REFUSAL, at);
                (state, unconfigure.into_iter().chain(effects).collect())
            }
            Self::Requesting { exchange, offer, kept } => {
                let question =
                    Question::Request { server: offer.server.clone(), addresses: offer.addresses.clone() };
                let (exchange, send) = exchange.send(question, REQUEST, at);
                (Self::Requesting { exchange, offer, kept }, vec![send])
            }
            // Nobody says otherwise: it goes on being used (RFC 8415 section 18.2.3).
            Self::Confirming { exchange, lease }
                if exchange.sent() > 0 && at.now.since(exchange.began()) >= CONFIRM_WITHIN =>
            {
                (Self::Bound { lease }, Vec::new())
            }
            Self::Confirming { exchange, lease } => {
                let (exchange, send) =
                    exchange.send(Question::Confirm { addresses: lease.plain() }, CONFIRM, at);
                (Self::Confirming { exchange, lease }, vec![send])
            }
            Self::Bound { lease } | Self::Renewing { lease, .. } if at.is_past(lease.rebind_at()) => {
                rebind(Exchange::after(Duration::ZERO, at), lease, at)
            }
            Self::Bound { lease } => renew(Exchange::after(Duration::ZERO, at), lease, at),
            Self::Renewing { exchange, lease } => renew(exchange, lease, at),
            Self::Rebinding { exchange, lease } => rebind(exchange, lease, at),
            Self::Declining { exchange, kept, .. } if exchange.sent() >= DECLINE_ATTEMPTS => {
                after_decline(kept, at)
            }
            Self::Declining { exchange, server, address, kept } => {
                let question = Question::Decline { server: server.clone(), address };
                let (exchange, send) = exchange.send(question, DECLINE, at);
                (Self::Declining { exchange, server, address, kept }, vec![send])
            }
            Self::Informing { exchange } => {
                let (exchange, send) = exchange.send(Question::Inform, INFORM, at);
                (Self::Informing { exchange }, vec![send])
            }
            Self::Informed { .. } => fresh(Mode::Information, at),
        }
    }

    fn end_lease(self, at: Circumstances) -> Step {
        match self {
            Self::Idle { .. } => (Self::START, vec![Effect::Unconfigure]),
            Self::Requesting { exchange, offer, .. } => {
                (Self::Requesting { exchange, offer, kept: None }, vec![Effect::Unconfigure])
            }
            Self::Declining { exchange, server, address, .. } => {
                (Self::Declining { exchange, server, address, kept: None }, vec![Effect::Unconfigure])
            }
            Self::Soliciting { .. }
            | Self::Confirming { .. }
            | Self::Bound { .. }
            | Self::Renewing { .. }
            | Self::Rebinding { .. }
            | Self::Informing { .. }
            | Self::Informed { .. } => then(Effect::Unconfigure, fresh(Mode::Addresses, at)),
        }
    }

    fn receive(self, reply: Reply, at: Circumstances) -> Step {
        let answers = |exchange: &Exchange| exchange.sent() > 0 && exchange.xid() == reply.xid;
        if !self.exchange().is_some_and(answers) {
            return (self, Vec::new());
        }
        let inform = Effect::Inform(reply.information.clone());
        match (self, reply.is_advertise) {
            (Self::Soliciting { exchange, best }, true) => compare(exchange, best, reply, at),
            (Self::Requesting { exchange, offer, kept }, false) => match usable(&reply) {
                _ if reply.server != offer.server => (Self::Requesting { exchange, offer, kept }, Vec::new()),
                Some(grant) => {
                    let held = merge(&grant.addresses, &[]);
                    let lease = Lease::new(reply.server.clone(), held, grant.times, exchange.asked());
                    (Self::Bound { lease: lease.clone() }, vec![Effect::Configure(lease), inform])
                }
                // A failure of the server passes; that it has nothing for this link does not.
                None if reply.status == Status::Failure => {
                    (Self::Requesting { exchange, offer, kept }, Vec::new())
                }
                None => {
                    let unconfigure = kept.map(|_| Effect::Unconfigure);
                    (solicit(AFTER_REFUSAL, at).0, unconfigure.into_iter().collect())
                }
            },
            (Self::Confirming { exchange, lease }, false) => match reply.status {
                Status::Success => (Self::Bound { lease }, Vec::new()),
                Status::NotOnLink => then(Effect::Unconfigure, fresh(Mode::Addresses, at)),
                Status::NoAddresses | Status::NoBinding | Status::Failure => {
                    (Self::Confirming { exchange, lease }, Vec::new())
                }
            },
            (state @ (Self::Renewing { .. } | Self::Rebinding { .. }), false) => {
                state.extend(reply, inform, at)
            }
            (Self::Declining { kept, .. }, false) => after_decline(kept, at),
            (Self::Informing { .. }, false) => {
                let refresh = reply.refresh.unwrap_or(REFRESH).max(SHORTEST_REFRESH);
                (Self::Informed { until: at.now + refresh }, vec![inform])
            }
            (state, _) => (state, Vec::new()),
        }
    }

    fn extend(self, reply: Reply, inform: Effect, at: Circumstances) -> Step {
        let (exchange, lease, rebinds) = match self {
            Self::Renewing { exchange, lease } => (exchange, lease, false),
            Self::Rebinding { exchange, lease } => (exchange, lease, true),
            other @ (Self::Idle { .. }
            | Self::Soliciting { .. }
            | Self::Requesting { .. }
            | Self::Confirming { .. }
            | Self::Bound { .. }
            | Self::Declining { .. }
            | Self::Informing { .. }
            | Self::Informed { .. }) => return (other, Vec::new()),
        };
        let status = reply.grant.as_ref().map(|grant| grant.status);
        match (reply.status, status, usable(&reply)) {
            (_, Some(Status::NoBinding), _) => {
                let offer = Offer { server: reply.server, preference: 0, addresses: lease.plain() };
                request(offer, Some(lease), at)
            }
            (Status::Success, Some(Status::Success), grant) => {
                let said = reply.grant.as_ref().map_or(&[][..], |grant| &grant.addresses);
                let held = merge(said, &lease.left_at(exchange.asked()));
                if held.is_empty() {
                    return then(Effect::Unconfigure, fresh(Mode::Addresses, at));
                }
                let times = grant.map_or((lease.t1, lease.t2), |grant| grant.times);
                let lease = Lease::new(reply.server, held, times, exchange.asked());
                (Self::Bound { lease: lease.clone() }, vec![Effect::Configure(lease), inform])
            }
            // Asked again when it is due.
            _ if rebinds || at.is_past(lease.rebind_at()) => {
                (Self::Rebinding { exchange, lease }, Vec::new())
            }
            _ => (Self::Renewing { exchange, lease }, Vec::new()),
        }
    }

    fn decline(self, address: Ipv6Addr, at: Circumstances) -> Step {
        let Some(lease) = self.lease().filter(|lease| lease.plain().contains(&address)).cloned() else {
            return (self, Vec::new());
        };
        if matches!(self, Self::Idle { .. }) {
            return (self, Vec::new());
        }
        let server = lease.server.clone();
        let rest: Vec<Held> =
            lease.addresses.iter().filter(|held| held.address != address).copied().collect();
        let kept = (!rest.is_empty()).then_some(Lease { addresses: rest, ..lease });
        let effect = kept.clone().map_or(Effect::Unconfigure, Effect::Configure);
        let question = Question::Decline { server: server.clone(), address };
        let (exchange, send) = Exchange::after(Duration::ZERO, at).send(question, DECLINE, at);
        (Self::Declining { exchange, server, address, kept }, vec![effect, send])
    }

    fn renew_now(self, at: Circumstances) -> Step {
        match self {
            Self::Bound { lease } | Self::Renewing { lease, .. } => {
                renew(Exchange::after(Duration::ZERO, at), lease, at)
            }
            Self::Rebinding { lease, .. } => rebind(Exchange::after(Duration::ZERO, at), lease, at),
            Self::Soliciting { .. } => fresh(Mode::Addresses, at),
            Self::Informing { .. } | Self::Informed { .. } => fresh(Mode::Information, at),
            Self::Idle { .. }
            | Self::Requesting { .. }
            | Self::Confirming { .. }
            | Self::Declining { .. } => (self, Vec::new()),
        }
    }

    /// Said once: an answer would change nothing.
    fn release(self, at: Circumstances) -> Step {
        let Some(lease) = self.lease().cloned() else {
            return (Self::START, Vec::new());
        };
        if matches!(self, Self::Idle { .. }) {
            return (Self::START, vec![Effect::Unconfigure]);
        }
        let question = Question::Release { addresses: lease.plain(), server: lease.server };
        let (_, send) = Exchange::after(Duration::ZERO, at).send(question, REQUEST, at);
        (Self::START, vec![send, Effect::Unconfigure])
    }
}

/// The addresses that a server really grants; none when there are no usable ones.
fn usable(reply: &Reply) -> Option<&Grant> {
    let grant = reply.grant.as_ref()?;
    let is_granted = reply.status == Status::Success && grant.status == Status::Success;
    let has_time = grant.addresses.iter().any(|held| held.valid != Some(Duration::ZERO));
    (is_granted && has_time).then_some(grant)
}

/// What an answer says, and what it leaves as it was.
fn merge(said: &[Held], left: &[Held]) -> Vec<Held> {
    let is_new = |old: &&Held| said.iter().all(|held| held.address != old.address);
    let granted = said.iter().filter(|held| held.valid != Some(Duration::ZERO));
    granted.chain(left.iter().filter(is_new)).copied().collect()
}

/// The first wait is for all servers; after it the first good offer is taken (RFC 8415 section 18.2.1).
fn compare(exchange: Exchange, best: Option<Offer>, reply: Reply, at: Circumstances) -> Step {
    let exchange = exchange.limit(reply.longest_waits.0);
    let Some(grant) = usable(&reply) else {
        return (State::Soliciting { exchange, best }, Vec::new());
    };
    let addresses = grant.addresses.iter().map(|held| held.address).collect();
    let offer = Offer { server: reply.server, preference: reply.preference, addresses };
    if offer.preference == CHOSEN_AT_ONCE || exchange.sent() > 1 {
        return request(offer, None, at);
    }
    let best = match best {
        Some(best) if best.preference >= offer.preference => best,
        _ => offer,
    };
    (State::Soliciting { exchange, best: Some(best) }, Vec::new())
}

fn fresh(mode: Mode, at: Circumstances) -> Step {
    match mode {
        Mode::Off => (State::START, Vec::new()),
        Mode::Information => (State::Informing { exchange: Exchange::within(FIRST_WITHIN, at) }, Vec::new()),
        Mode::Addresses => {
            (State::Soliciting { exchange: Exchange::within(FIRST_WITHIN, at), best: None }, Vec::new())
        }
    }
}

fn solicit(after: Duration, at: Circumstances) -> Step {
    (State::Soliciting { exchange: Exchange::after(after, at), best: None }, Vec::new())
}

fn then(first: Effect, (state, effects): Step) -> Step {
    (state, std::iter::once(first).chain(effects).collect())
}

fn request(offer: Offer, kept: Option<Lease>, at: Circumstances) -> Step {
    let question = Question::Request { server: offer.server.clone(), addresses: offer.addresses.clone() };
    let (exchange, send) = Exchange::after(Duration::ZERO, at).send(question, REQUEST, at);
    (State::Requesting { exchange, offer, kept }, vec![send])
}

fn renew(exchange: Exchange, lease: Lease, at: Circumstances) -> Step {
    let question = Question::Renew { server: lease.server.clone(), addresses: lease.plain() };
    let (exchange, send) = exchange.send(question, RENEW, at);
    (State::Renewing { exchange, lease }, vec![send])
}

fn rebind(exchange: Exchange, lease: Lease, at: Circumstances) -> Step {
    let (exchange, send) = exchange.send(Question::Rebind { addresses: lease.plain() }, REBIND, at);
    (State::Rebinding { exchange, lease }, vec![send])
}

fn after_decline(kept: Option<Lease>, at: Circumstances) -> Step {
    match kept {
        Some(lease) => (State::Bound { lease }, Vec::new()),
        None => solicit(AFTER_REFUSAL, at),
    }
}
