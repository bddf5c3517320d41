//! What a flood from the network may cost.
//!
//! Each link has a budget of packets, and each device on it a smaller one, so that one device cannot use up what is there for all.
//! A packet of more than 1,500 bytes counts as several. What is over the budget is dropped before it is decoded.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;
use std::time::Instant;

/// Packets a second that a link may cost, and how many at once.
const LINK: Rate = Rate { every: Duration::from_micros(2500), burst: 800 };
/// The same for one device.
const SOURCE: Rate = Rate { every: Duration::from_millis(10), burst: 300 };
/// Devices counted one by one; more share a budget.
const SOURCES: usize = 256;
const PACKET: usize = 1500;

/// How often something may happen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// Time between two when it goes on for long.
    pub(crate) every: Duration,
    /// How many may come at once after a rest.
    pub(crate) burst: u32,
}

/// A leaky bucket kept as one moment: when it will be empty.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    rate: Rate,
    empty_at: Option<Instant>,
}

impl Bucket {
    pub(crate) const fn new(rate: Rate) -> Self {
        Self { rate, empty_at: None }
    }

    /// Takes so many if they are there.
    pub(crate) fn take(&mut self, count: u32, now: Instant) -> bool {
        let after = self.empty_at.map_or(now, |at| at.max(now)) + self.rate.every * count;
        let is_there = after.saturating_duration_since(now) <= self.rate.every * self.rate.burst;
        if is_there {
            self.empty_at = Some(after);
        }
        is_there
    }

    /// How long until one can be taken.
    pub(crate) fn wait(&self, now: Instant) -> Duration {
        let level = self.empty_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        (level + self.rate.every).saturating_sub(self.rate.every * self.rate.burst)
    }

    fn is_rested(&self, now: Instant) -> bool {
        self.empty_at.is_none_or(|at| at <= now)
    }
}

/// The budget of one link.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    link: Bucket,
    sources: HashMap<IpAddr, Bucket>,
    others: Bucket,
}

impl Budget {
    pub(crate) fn new() -> Self {
        Self { link: Bucket::new(LINK), sources: HashMap::new(), others: Bucket::new(SOURCE) }
    }

    /// Whether a packet may be looked at.
    pub(crate) fn admits(&mut self, source: IpAddr, length: usize, now: Instant) -> bool {
        let count = u32::try_from(length.div_ceil(PACKET)).unwrap_or(u32::MAX).clamp(1, SOURCE.burst);
        if !self.sources.contains_key(&source) && self.sources.len() >= SOURCES {
            self.sources.retain(|_, bucket| !bucket.is_rested(now));
        }
        let has_room = self.sources.len() < SOURCES;
        let bucket = match self.sources.get_mut(&source) {
            Some(bucket) => bucket,
            None if has_room => self.sources.entry(source).or_insert(Bucket::new(SOURCE)),
            None => &mut self.others,
        };
        bucket.take(count, now) && self.link.take(count, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(number: u32) -> IpAddr {
        IpAddr::from(number.to_be_bytes())
    }

    #[test]
    fn one_device_cannot_use_up_the_budget_of_all() {
        let (mut budget, now) = (Budget::new(), Instant::now());
        let admitted = (0..10_000).filter(|_| budget.admits(source(1), 100, now)).count();
        assert_eq!(admitted, 300);
        assert!(budget.admits(source(2), 100, now));
        let later = now + Duration::from_secs(1);
        let admitted = (0..10_000).filter(|_| budget.admits(source(1), 100, later)).count();
        assert_eq!(admitted, 100, "the budget comes back slowly");
    }

    #[test]
    fn long_packets_count_as_several() {
        let (mut budget, now) = (Budget::new(), Instant::now());
        assert_eq!((0..10_000).filter(|_| budget.admits(source(1), 9000, now)).count(), 50);
    }

    #[test]
    fn made_up_sources_cost_neither_memory_nor_more_than_the_link_may() {
        let (mut budget, now) = (Budget::new(), Instant::now());
        let admitted = (0..100_000).filter(|number| budget.admits(source(*number), 100, now)).count();
        assert_eq!((admitted, budget.sources.len()), (556, SOURCES), "256 devices, and 300 from all others");
        let later = now + Duration::from_secs(60);
        assert!(budget.admits(source(1_000_000), 100, later), "the rested are forgotten");
        assert_eq!(budget.sources.len(), 1);
    }

    #[test]
    fn the_wait_is_as_long_as_it_takes() {
        let (mut bucket, now) = (Bucket::new(SOURCE), Instant::now());
        assert_eq!(bucket.wait(now), Duration::ZERO);
        assert!(bucket.take(300, now));
        assert_eq!(bucket.wait(now), Duration::from_millis(10));
        assert!(!bucket.take(1, now));
        assert!(bucket.take(1, now + Duration::from_millis(10)));
    }
}
