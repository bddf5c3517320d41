//! What time it is for metadata, on a box whose clock may stand at 1970.
//!
//! The time that counts is the highest of the system's clock, the time at which the running system was built, and the latest time that
//! this box knew to be good. It can be too early, never too late unless a clock that was trusted ran ahead. So:
//!
//! * what has expired by it **has** expired, whoever asks: refused;
//! * what has not, and the clock is trusted: accepted;
//! * what has not, and the clock is not trusted: nobody can tell. The box takes nothing by itself and nothing from the network. An owner
//!   may apply a bundle by hand: who holds it in their hand knows how old it is.
//!
//! No update is ever forced, so refusing leaves the running system as it is.

/// Whether somebody vouches for the system's clock, such as a time server with authentication, or a clock chip that ran on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The clock was set by somebody who is trusted.
    Sure,
    /// Nobody knows.
    Unsure,
}

/// What is known about the time, in seconds since 1970 (UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// The system's clock.
    pub system: u64,
    /// It is not earlier: the later one of when the running system was built and the latest known good time.
    pub at_least: u64,
    /// Whether the system's clock is right.
    pub trust: Trust,
}

impl Clock {
    /// The time by which expiry is judged.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.system.max(self.at_least)
    }
}

/// Who wants the update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// The box, by its schedule.
    Box,
    /// An owner, now.
    Owner,
}

/// Where the metadata comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A server: somebody on the way may show old metadata for ever.
    Network,
    /// A file that an owner brought.
    Bundle,
}

/// On whose behalf metadata is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permit {
    /// Who wants it.
    pub asker: Asker,
    /// Where it comes from.
    pub origin: Origin,
}

impl Permit {
    /// Whether the answer holds although nobody knows the time.
    #[must_use]
    pub fn bears_doubt(self) -> bool {
        self.asker == Asker::Owner && self.origin == Origin::Bundle
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_time_counts() {
        let clock = |system, at_least| Clock { system, at_least, trust: Trust::Unsure }.now();
        assert_eq!(clock(0, 1_700_000_000), 1_700_000_000);
        assert_eq!(clock(1_800_000_000, 1_700_000_000), 1_800_000_000);
    }

    #[test]
    fn only_an_owner_with_a_bundle_may_go_without_a_clock() {
        let permits = [
            (Asker::Box, Origin::Network, false),
            (Asker::Box, Origin::Bundle, false),
            (Asker::Owner, Origin::Network, false),
            (Asker::Owner, Origin::Bundle, true),
        ];
        for (asker, origin, may) in permits {
            assert_eq!(Permit { asker, origin }.bears_doubt(), may, "{asker:?} {origin:?}");
        }
    }
}
