//! Messages under one transaction id, and the waits between them (RFC 8415 section 15).

use crate::dhcp::machine::Circumstances;
use crate::dhcp6::machine::Effect;
use crate::dhcp6::machine::Outgoing;
use crate::dhcp6::machine::Question;
use crate::moment::Moment;
use std::time::Duration;

/// First and longest wait for an answer, in seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waits {
    first: u64,
    longest: u64,
}

/// RFC 8415 section 7.6.
pub(super) const SOLICIT: Waits = Waits { first: 1, longest: 3600 };
pub(super) const REQUEST: Waits = Waits { first: 1, longest: 30 };
pub(super) const CONFIRM: Waits = Waits { first: 1, longest: 4 };
pub(super) const RENEW: Waits = Waits { first: 10, longest: 600 };
pub(super) const REBIND: Waits = Waits { first: 10, longest: 600 };
pub(super) const INFORM: Waits = Waits { first: 1, longest: 3600 };
/// No upper bound; there are four messages at most.
pub(super) const DECLINE: Waits = Waits { first: 1, longest: 60 };

/// Messages sent under one transaction id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// Transaction id, 24 bits.
    xid: u32,
    /// When the first was sent.
    began: Moment,
    /// Messages sent.
    sent: u32,
    /// When the newest was sent; a lease runs from there.
    asked: Moment,
    /// The present wait.
    wait: Duration,
    /// When it ends.
    next: Moment,
    /// Longest wait that a server asked for.
    longest: Option<Duration>,
}

impl Exchange {
    /// An exchange whose first message goes out after a random part of this time, so that a house full of devices does not ask in
    /// step when the power returns.
    pub(super) fn within(time: Duration, at: Circumstances) -> Self {
        let milliseconds = u64::try_from(time.as_millis()).unwrap_or(0);
        Self::after(Duration::from_millis((at.random & 0xffff_ffff) % (milliseconds + 1)), at)
    }

    /// An exchange whose first message goes out after this time.
    pub(super) fn after(time: Duration, at: Circumstances) -> Self {
        let xid = u32::try_from(at.random >> 40).unwrap_or(0);
        let next = at.now + time;
        Self { xid, began: next, sent: 0, asked: next, wait: Duration::ZERO, next, longest: None }
    }

    /// Transaction id, 24 bits.
    #[must_use]
    pub const fn xid(&self) -> u32 {
        self.xid
    }

    /// When to send the next message.
    #[must_use]
    pub const fn next(&self) -> Moment {
        self.next
    }

    pub(super) const fn sent(&self) -> u32 {
        self.sent
    }

    pub(super) const fn began(&self) -> Moment {
        self.began
    }

    pub(super) const fn asked(&self) -> Moment {
        self.asked
    }

    /// A server asks for longer or shorter waits.
    pub(super) const fn limit(mut self, longest: Option<Duration>) -> Self {
        if longest.is_some() {
            self.longest = longest;
        }
        self
    }

    /// Sends a message and waits twice as long as before.
    pub(super) fn send(self, question: Question, waits: Waits, at: Circumstances) -> (Self, Effect) {
        let longest = self.longest.unwrap_or_else(|| Duration::from_secs(waits.longest));
        // Once the first message has really gone out, time runs from there.
        let began = if self.sent == 0 { at.now } else { self.began };
        let doubled = if self.sent == 0 {
            spread(Duration::from_secs(waits.first), at, matches!(question, Question::Solicit))
        } else {
            self.wait + spread(self.wait, at, false)
        };
        let wait = if doubled > longest { spread(longest, at, false) } else { doubled };
        let outgoing = Outgoing { xid: self.xid, trying_for: at.now.since(began), question };
        let next = Self {
            began,
            sent: self.sent.saturating_add(1),
            asked: at.now,
            wait,
            next: at.now + wait,
            ..self
        };
        (next, Effect::Send(outgoing))
    }
}

/// A time moved by up to a tenth either way; only longer where the standard wants that (a first Solicit).
fn spread(time: Duration, at: Circumstances, only_longer: bool) -> Duration {
    let share = u32::try_from((at.random & 0xffff) % 101).unwrap_or(0);
    let longer = if only_longer { 1000 + share } else { 900 + 2 * share };
    time * longer / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_a_server_can_change_that() {
        // 50 of 0..=100 is the middle: no spread.
        let mut now = Moment::from_secs(0);
        let random = 50;
        let mut exchange = Exchange::after(Duration::ZERO, Circumstances { now, random });
        let mut waits = Vec::new();
        for _ in 0..8 {
            exchange = exchange.send(Question::Inform, REQUEST, Circumstances { now, random }).0;
            waits.push(exchange.next().since(now).as_secs());
            now = exchange.next();
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30, 30]);
        let limited = exchange.limit(Some(Duration::from_secs(90))).limit(None);
        let (limited, _) = limited.send(Question::Inform, REQUEST, Circumstances { now, random });
        assert_eq!(limited.next().since(now).as_secs(), 60);
    }

    #[test]
    fn only_the_first_search_waits_never_shorter() {
        let at = Circumstances { now: Moment::default(), random: 0 };
        let first_wait = |question| {
            let exchange = Exchange::after(Duration::ZERO, at).send(question, SOLICIT, at).0;
            exchange.next().since(at.now).as_millis()
        };
        assert_eq!([Question::Solicit, Question::Inform].map(first_wait), [1000, 900]);
    }

    #[test]
    fn a_wait_is_moved_by_at_most_a_tenth() {
        for random in [0, 50, 100, 101, u64::MAX] {
            let at = Circumstances { now: Moment::default(), random };
            let moved = spread(Duration::from_secs(10), at, false).as_millis();
            assert!((9000..=11_000).contains(&moved), "{moved}");
            let longer = spread(Duration::from_secs(10), at, true).as_millis();
            assert!((10_000..=11_000).contains(&longer), "{longer}");
        }
    }
}
