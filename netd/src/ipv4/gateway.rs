//! Watches whether the router of a link answers, pure. The kernel keeps sending to a router that died as long as its route is the
//! best one; on a box with two ways out, the other one should be taken.

use crate::ipv4::arp::Arp;
use crate::moment::Moment;
use std::net::Ipv4Addr;
use std::time::Duration;

/// Time between questions while it answers.
const CALM: Duration = Duration::from_secs(30);
/// Time between questions while an answer is missing.
const DOUBTFUL: Duration = Duration::from_secs(2);
/// Time between questions once it counts as gone.
const GONE: Duration = Duration::from_secs(15);
/// Questions without answer until it counts as gone.
const PATIENCE: u8 = 3;

/// The watch over one router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    own: Ipv4Addr,
    router: Ipv4Addr,
    /// Questions since the last answer.
    unanswered: u8,
    next: Moment,
}

impl Watch {
    /// Watches a router as seen from this address.
    #[must_use]
    pub const fn begin(own: Ipv4Addr, router: Ipv4Addr, now: Moment) -> Self {
        Self { own, router, unanswered: 0, next: now }
    }

    /// Whether this watch is over that router, seen from that address.
    #[must_use]
    pub fn is_over(&self, own: Ipv4Addr, router: Ipv4Addr) -> bool {
        (self.own, self.router) == (own, router)
    }

    /// The router.
    #[must_use]
    pub const fn router(&self) -> Ipv4Addr {
        self.router
    }

    /// Whether it counts as there.
    #[must_use]
    pub const fn answers(&self) -> bool {
        self.unanswered <= PATIENCE
    }

    /// When to ask again.
    #[must_use]
    pub const fn wake_at(&self) -> Moment {
        self.next
    }

    /// Time has passed; returns the own address and the router when it is to be asked.
    #[must_use]
    pub fn wake(self, now: Moment) -> (Self, Option<(Ipv4Addr, Ipv4Addr)>) {
        if now < self.next {
            return (self, None);
        }
        let unanswered = self.unanswered.saturating_add(1);
        let wait = if unanswered <= PATIENCE { DOUBTFUL } else { GONE };
        (Self { unanswered, next: now + wait, ..self }, Some((self.own, self.router)))
    }

    /// A packet came by on the link.
    #[must_use]
    pub fn hear(self, arp: &Arp, now: Moment) -> Self {
        if arp.sender == self.router { Self { unanswered: 0, next: now + CALM, ..self } } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 7);
    const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

    #[test]
    fn a_router_is_gone_after_three_questions_and_back_with_one_answer() {
        let mut watch = Watch::begin(OWN, ROUTER, Moment::from_secs(0));
        let mut asked = Vec::new();
        for now in 0..30 {
            let (next, question) = watch.wake(Moment::from_secs(now));
            watch = next;
            if let Some(question) = question {
                assert_eq!(question, (OWN, ROUTER));
                asked.push((now, watch.answers()));
            }
        }
        assert_eq!(asked, [(0, true), (2, true), (4, true), (6, false), (21, false)]);
        let now = Moment::from_secs(30);
        let stranger = watch.hear(&Arp::announcement([4; 6], Ipv4Addr::new(10, 0, 0, 9)), now);
        assert!(!stranger.answers());
        let back = watch.hear(&Arp::announcement([4; 6], ROUTER), now);
        assert!(back.answers());
        assert_eq!(back.wake_at(), Moment::from_secs(60));
        assert_eq!(back.wake(Moment::from_secs(59)).1, None);
    }
}
