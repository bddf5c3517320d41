//! Moments at random, that repeat with their seed, and how many of them.

use anyhow::Context;
use anyhow::Result;
use std::env;
use std::hash::BuildHasher;
use std::hash::RandomState;

/// Repeats the moments of an earlier run.
const SEED: &str = "HEARTH_POWER_CUT_SEED";
/// Asks for more cuts than the few that each run of all tests has time for: every one costs a boot or two.
const CUTS: &str = "HEARTH_POWER_CUTS";

/// How often the power goes.
pub(crate) fn cuts(few: u32) -> Result<u32> {
    match env::var(CUTS) {
        Ok(text) => text.parse().with_context(|| format!("{CUTS} is no number")),
        Err(_unset) => Ok(few),
    }
}

/// Numbers that repeat with their seed (xorshift64, Marsaglia 2003).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn from_environment() -> Result<Self> {
        let seed = match env::var(SEED) {
            Ok(text) => text.parse().with_context(|| format!("{SEED} is no number"))?,
            Err(_unset) => RandomState::new().hash_one(SEED) >> 32,
        };
        println!("{SEED}={seed}");
        // The generator stands still at 0.
        Ok(Self(seed | 1 << 63))
    }

    /// A place in a list of this length.
    pub(crate) fn next_below(&mut self, length: usize) -> usize {
        usize::try_from(self.next() >> 32).unwrap_or_default() % length
    }

    /// From 0 to 1.
    pub(crate) fn next_fraction(&mut self) -> f64 {
        let bits = u32::try_from(self.next() >> 32).unwrap_or_default();
        f64::from(bits) / f64::from(u32::MAX)
    }

    fn next(&mut self) -> u64 {
        for (left, distance) in [(true, 13), (false, 7), (true, 17)] {
            self.0 ^= if left { self.0 << distance } else { self.0 >> distance };
        }
        self.0
    }
}
