//! Address conflict detection (RFC 5227) for one address on one link, pure: ask before using it, announce it, defend it.
//!
//! ```text
//! Probing ─3 probes, nobody has it─> Guarding ─a rival─> defends once; a second time within 10 s ─> lost
//!    └─ somebody has it, or asks for it too ─> lost
//! ```

use crate::dhcp::frame::Mac;
use crate::dhcp::machine::Circumstances;
use crate::ipv4::arp::Arp;
use crate::moment::Moment;
use std::net::Ipv4Addr;
use std::time::Duration;

/// Probes before an address is used (`PROBE_NUM`).
const PROBES: u8 = 3;
/// Announcements of a new address (`ANNOUNCE_NUM`).
const ANNOUNCEMENTS: u8 = 2;
/// Time between these (`ANNOUNCE_INTERVAL`).
const ANNOUNCE_INTERVAL: Duration = Duration::from_secs(2);
/// A second conflict within this time ends the defence (`DEFEND_INTERVAL`).
const DEFEND_INTERVAL: Duration = Duration::from_secs(10);

/// Waits of the probing, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Longest wait before the first probe (`PROBE_WAIT`).
    first: u64,
    /// Shortest and longest time between two (`PROBE_MIN`, `PROBE_MAX`).
    between: (u64, u64),
    /// From the last one to the use of the address (`ANNOUNCE_WAIT`).
    after: u64,
}

impl Pace {
    /// The waits of RFC 5227 section 1.1, for addresses that nobody else checked.
    pub const STANDARD: Self = Self { first: 1000, between: (1000, 2000), after: 2000 };
    /// For addresses that a server or the owner is responsible for. The standard's waits would keep a box off the network for
    /// seven seconds at every start; on a switched network an answer takes less than a millisecond, on a busy Wi-Fi tens of them.
    pub const BRISK: Self = Self { first: 0, between: (200, 300), after: 500 };
}

/// Where the detection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acd {
    /// Asking whether the address is free.
    Probing {
        /// Waits.
        pace: Pace,
        /// Probes sent.
        sent: u8,
        /// When the next step is due.
        next: Moment,
    },
    /// The address is used.
    Guarding {
        /// Announcements sent.
        announced: u8,
        /// When the next one is due; meaningless when all are sent.
        next: Moment,
        /// When it was last defended.
        defended: Option<Moment>,
    },
}

/// What must be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send a probe.
    Probe,
    /// Send an announcement.
    Announce,
    /// The address may be used from now on.
    Usable,
    /// The address must not be used any more; the machine is done.
    Lost {
        /// Who has it.
        rival: Mac,
    },
}

impl Acd {
    /// Begins to ask for an address.
    #[must_use]
    pub fn begin(pace: Pace, at: Circumstances) -> Self {
        Self::Probing { pace, sent: 0, next: at.now + between(0, pace.first, at) }
    }

    /// When [`Acd::wake`] has something to do.
    #[must_use]
    pub fn wake_at(&self) -> Option<Moment> {
        match self {
            Self::Probing { next, .. } => Some(*next),
            Self::Guarding { announced, next, .. } => (*announced < ANNOUNCEMENTS).then_some(*next),
        }
    }

    /// Time has passed.
    #[must_use]
    pub fn wake(self, at: Circumstances) -> (Self, Vec<Effect>) {
        if self.wake_at().is_none_or(|due| at.now < due) {
            return (self, Vec::new());
        }
        match self {
            Self::Probing { pace, sent, .. } if sent < PROBES => {
                let sent = sent + 1;
                let wait = if sent < PROBES {
                    between(pace.between.0, pace.between.1, at)
                } else {
                    Duration::from_millis(pace.after)
                };
                (Self::Probing { pace, sent, next: at.now + wait }, vec![Effect::Probe])
            }
            Self::Probing { .. } => {
                let guarding =
                    Self::Guarding { announced: 1, next: at.now + ANNOUNCE_INTERVAL, defended: None };
                (guarding, vec![Effect::Usable, Effect::Announce])
            }
            Self::Guarding { announced, defended, .. } => {
                let next = at.now + ANNOUNCE_INTERVAL;
                (Self::Guarding { announced: announced + 1, next, defended }, vec![Effect::Announce])
            }
        }
    }

    /// A packet came by on the link.
    #[must_use]
    pub fn hear(self, arp: &Arp, address: Ipv4Addr, own: Mac, at: Circumstances) -> (Self, Vec<Effect>) {
        if arp.sender_mac == own {
            return (self, Vec::new());
        }
        let lost = vec![Effect::Lost { rival: arp.sender_mac }];
        let has_it = arp.sender == address;
        let asks_for_it = arp.sender.is_unspecified() && arp.target == address;
        match self {
            Self::Probing { .. } if has_it || asks_for_it => (self, lost),
            Self::Guarding { defended: Some(last), .. } if has_it && at.now.since(last) < DEFEND_INTERVAL => {
                (self, lost)
            }
            Self::Guarding { announced, next, .. } if has_it => {
                (Self::Guarding { announced, next, defended: Some(at.now) }, vec![Effect::Announce])
            }
            Self::Probing { .. } | Self::Guarding { .. } => (self, Vec::new()),
        }
    }
}

fn between(shortest: u64, longest: u64, at: Circumstances) -> Duration {
    let span = longest.saturating_sub(shortest) + 1;
    Duration::from_millis(shortest + (at.random >> 7) % span)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::any;
    use proptest::prelude::prop;
    use proptest::proptest;

    const OWN: Mac = [2; 6];
    const RIVAL: Mac = [4; 6];
    const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 7);
    const OTHER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 8);

    fn at(seconds: u64) -> Circumstances {
        Circumstances { now: Moment::from_secs(seconds), random: 0 }
    }

    fn guarding(announced: u8, defended: Option<u64>) -> Acd {
        Acd::Guarding { announced, next: Moment::from_secs(10), defended: defended.map(Moment::from_secs) }
    }

    #[test]
    fn three_probes_then_use_then_two_announcements() {
        for (pace, shortest, longest) in [(Pace::STANDARD, 4000, 7000), (Pace::BRISK, 900, 1100)] {
            for random in [0, 77_777, u64::MAX] {
                let mut now = Moment::from_secs(5);
                let mut acd = Acd::begin(pace, Circumstances { now, random });
                let mut effects = Vec::new();
                let mut usable_at = None;
                while let Some(due) = acd.wake_at() {
                    now = due;
                    let (next, done) = acd.wake(Circumstances { now, random });
                    acd = next;
                    if done.contains(&Effect::Usable) {
                        usable_at = Some(now);
                    }
                    effects.extend(done);
                }
                use Effect::Announce;
                use Effect::Probe;
                assert_eq!(effects, [Probe, Probe, Probe, Effect::Usable, Announce, Announce]);
                let waited = usable_at.unwrap().since(Moment::from_secs(5)).as_millis();
                assert!((shortest..=longest).contains(&waited), "{pace:?}: {waited}");
            }
        }
    }

    /// One row per state, one column per kind of packet.
    #[test]
    fn every_pair_of_state_and_packet() {
        let packets = [
            Arp::announcement(RIVAL, ADDRESS),
            Arp::request(RIVAL, ADDRESS, OTHER),
            Arp::probe(RIVAL, ADDRESS),
            Arp::request(RIVAL, OTHER, ADDRESS),
            Arp::announcement(RIVAL, OTHER),
            Arp::announcement(OWN, ADDRESS),
        ];
        let probing = Acd::Probing { pace: Pace::BRISK, sent: 1, next: Moment::from_secs(10) };
        let (lost, defend, nothing) = ("lost", "announce", "");
        for (state, cells) in [
            (probing, [lost, lost, lost, nothing, nothing, nothing]),
            (guarding(1, None), [defend, defend, nothing, nothing, nothing, nothing]),
            (guarding(2, None), [defend, defend, nothing, nothing, nothing, nothing]),
            (guarding(2, Some(1)), [lost, lost, nothing, nothing, nothing, nothing]),
        ] {
            for (packet, cell) in packets.iter().zip(cells) {
                let (next, effects) = state.hear(packet, ADDRESS, OWN, at(5));
                let words: Vec<&str> = effects
                    .iter()
                    .map(|effect| match effect {
                        Effect::Lost { rival } if *rival == RIVAL => "lost",
                        Effect::Announce => "announce",
                        Effect::Lost { .. } | Effect::Probe | Effect::Usable => "?",
                    })
                    .collect();
                assert_eq!(words.join(" "), cell, "{state:?} × {packet:?}");
                assert_eq!(next == state, cell != defend, "{state:?} × {packet:?}");
            }
            assert_eq!(state.wake(at(5)), (state, vec![]), "early");
        }
        let later = guarding(2, Some(1)).hear(&packets[0], ADDRESS, OWN, at(11));
        assert_eq!(later.1, [Effect::Announce], "after ten quiet seconds it is defended again");
    }

    proptest! {
        /// Whatever is heard, an address is used only after three probes.
        #[test]
        fn no_use_without_probes(steps in prop::collection::vec((any::<bool>(), 0_u64..3, any::<u64>()), 1..20)) {
            let mut now = Moment::from_secs(0);
            let mut acd = Acd::begin(Pace::STANDARD, at(0));
            let mut probes = 0;
            for (hears, passed, random) in steps {
                now = now + Duration::from_secs(passed);
                let at = Circumstances { now, random };
                let (next, effects) =
                    if hears { acd.hear(&Arp::request(RIVAL, OTHER, ADDRESS), ADDRESS, OWN, at) } else { acd.wake(at) };
                acd = next;
                probes += effects.iter().filter(|effect| **effect == Effect::Probe).count();
                assert!(!effects.contains(&Effect::Usable) || probes == 3);
            }
        }
    }
}
