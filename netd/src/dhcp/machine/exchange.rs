//! Messages under one transaction id, and the waits between them.

use crate::dhcp::machine::Circumstances;
use crate::dhcp::machine::Effect;
use crate::dhcp::machine::Outgoing;
use crate::dhcp::machine::Question;
use crate::moment::Moment;
use std::time::Duration;

/// First wait for an answer. The RFC suggests 4 s; a switch port or router that just came up drops the first message often.
pub(super) const FIRST_WAIT: Duration = Duration::from_secs(2);
/// Longest wait for an answer while there is no address (RFC 2131 section 4.1).
const LONGEST_WAIT: Duration = Duration::from_secs(64);
/// Shortest time between two attempts at renewing (RFC 2131 section 4.4.5).
const SHORTEST_RENEWAL_WAIT: Duration = Duration::from_secs(60);

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

impl Exchange {
    pub(super) fn begin(question: Question, wait: Duration, at: Circumstances) -> (Self, Effect) {
        Self::later(Duration::ZERO, at).send(question, wait, at)
    }

    /// An exchange whose first message goes out after a wait.
    pub(super) fn later(wait: Duration, at: Circumstances) -> Self {
        // The upper half names the exchange, the lower half is the jitter.
        let xid = u32::try_from(at.random >> 32).unwrap_or(0);
        let next = at.now + if wait.is_zero() { wait } else { jitter(wait, at.random) };
        Self { xid, began: at.now, sent: 0, asked: at.now, next }
    }

    /// Sends again after a wait that doubles with each message.
    pub(super) fn repeat(self, question: Question, at: Circumstances) -> (Self, Effect) {
        let wait = FIRST_WAIT.saturating_mul(1 << self.sent.min(5)).min(LONGEST_WAIT);
        self.send(question, wait, at)
    }

    pub(super) fn send(self, question: Question, wait: Duration, at: Circumstances) -> (Self, Effect) {
        let trying_for = at.now.since(self.began);
        let effect = Effect::Send(Outgoing { xid: self.xid, trying_for, question });
        let sent = self.sent.saturating_add(1);
        (Self { sent, asked: at.now, next: at.now + jitter(wait, at.random), ..self }, effect)
    }
}

/// A message that nobody answers.
pub(super) fn tell(question: Question, at: Circumstances) -> Effect {
    let xid = u32::try_from(at.random >> 32).unwrap_or(0);
    Effect::Send(Outgoing { xid, trying_for: Duration::ZERO, question })
}

/// A wait moved by up to one second either way (RFC 2131 section 4.1), so that a house full of devices that all start when
/// the power returns does not answer in step.
pub(super) fn jitter(wait: Duration, random: u64) -> Duration {
    let milliseconds = (random & 0xffff_ffff) % 2001;
    (wait + Duration::from_millis(milliseconds)).saturating_sub(Duration::from_secs(1))
}

/// Half of the time that is left, but no less than a minute (RFC 2131 section 4.4.5).
pub(super) fn renewal_wait(until: Option<Moment>, at: Circumstances) -> Duration {
    until.map_or(SHORTEST_RENEWAL_WAIT, |until| (until.since(at.now) / 2).max(SHORTEST_RENEWAL_WAIT))
}
