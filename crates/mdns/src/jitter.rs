//! Random delays, so that not everybody speaks at once.

use std::time::Duration;

/// Random numbers from a seed; good enough to spread packets, and not for secrets.
#[derive(Clone, Debug)]
pub(crate) struct Jitter(u64);

impl Jitter {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// SplitMix64 (Steele, Lea, Flood 2014).
    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A delay in milliseconds, both ends included.
    pub(crate) const fn millis(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_millis(low + self.next() % (high - low + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_fill_their_range() {
        let mut jitter = Jitter::new(7);
        let delays: Vec<u64> = (0..1000)
            .map(|_| jitter.millis(20, 24))
            .map(|delay| u64::try_from(delay.as_millis()).unwrap())
            .collect();
        for delay in 20..=24 {
            assert!(delays.contains(&delay), "{delay}");
        }
        assert!(delays.iter().all(|delay| (20..=24).contains(delay)));
    }
}
