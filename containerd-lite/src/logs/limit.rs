//! How much a container may write to its log. Pure.

use std::time::Duration;

/// Bytes that a container may write at once.
pub const BURST: u64 = 512 << 10;
/// Bytes a second that it may write all the time: 700 MB a day at the very most, which flash memory bears.
pub const RATE: u64 = 8 << 10;
/// What a line costs beside its text.
const LINE_COST: u64 = 32;
/// When all was used up, so much must be there again before lines are taken: else there would be a word about what was left out between
/// any two lines.
const ENOUGH: u64 = BURST / 4;

/// A bucket that fills as time passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limiter {
    left: u64,
    seen: Duration,
    left_out: u64,
}

/// What becomes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is kept.
    Keep,
    /// It is kept, and so many before it were not.
    KeepAfter(u64),
    /// It is left out.
    LeaveOut,
}

impl Limiter {
    /// A full one.
    #[must_use]
    pub fn new(now: Duration) -> Self {
        Self { left: BURST, seen: now, left_out: 0 }
    }

    /// Whether a line of this length is taken.
    pub fn take(&mut self, length: usize, now: Duration) -> Verdict {
        let passed = now.saturating_sub(self.seen).as_millis();
        let filled = u64::try_from(passed.saturating_mul(RATE.into()) / 1000).unwrap_or(u64::MAX);
        if filled > 0 {
            self.left = BURST.min(self.left.saturating_add(filled));
            self.seen = now;
        }
        let cost = LINE_COST.saturating_add(length.try_into().unwrap_or(u64::MAX));
        let wanted = if self.left_out > 0 { cost.max(ENOUGH) } else { cost };
        if self.left < wanted {
            self.left_out = self.left_out.saturating_add(1);
            return Verdict::LeaveOut;
        }
        self.left -= cost;
        match std::mem::take(&mut self.left_out) {
            0 => Verdict::Keep,
            number => Verdict::KeepAfter(number),
        }
    }

    /// So many were left out and not told yet; they are now.
    pub fn told(&mut self) -> u64 {
        std::mem::take(&mut self.left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_flood_is_left_out_and_counted_and_what_comes_later_is_kept() {
        let start = Duration::from_secs(9);
        let mut limiter = Limiter::new(start);
        let verdicts: Vec<Verdict> = (0..10_000).map(|_| limiter.take(968, start)).collect();
        let kept = usize::try_from(BURST / 1000).unwrap();
        assert!(verdicts[..kept].iter().all(|verdict| *verdict == Verdict::Keep));
        assert!(verdicts[kept..].iter().all(|verdict| *verdict == Verdict::LeaveOut));
        // A little room is not enough.
        assert_eq!(limiter.take(1, start + Duration::from_secs(1)), Verdict::LeaveOut);
        let later = start + Duration::from_secs(ENOUGH / RATE + 1);
        assert_eq!(limiter.take(1, later), Verdict::KeepAfter(10_001 - u64::try_from(kept).unwrap()));
        assert_eq!((limiter.take(1, later), limiter.told()), (Verdict::Keep, 0));
    }

    proptest! {
        #[test]
        fn never_more_than_the_rate(
            lines in proptest::collection::vec((0_usize..4096, 0_u64..3_000), 1..400),
        ) {
            let mut now = Duration::ZERO;
            let mut limiter = Limiter::new(now);
            let mut kept = 0;
            let mut told = 0;
            let mut left_out = 0;
            for (length, pause) in lines {
                now += Duration::from_millis(pause);
                match limiter.take(length, now) {
                    Verdict::Keep => kept += u64::try_from(length).unwrap(),
                    Verdict::KeepAfter(number) => {
                        kept += u64::try_from(length).unwrap();
                        told += number;
                    }
                    Verdict::LeaveOut => left_out += 1,
                }
            }
            prop_assert_eq!(told + limiter.told(), left_out);
            let may = BURST + RATE * (now.as_secs() + 1);
            prop_assert!(kept <= may, "{} of {}", kept, may);
        }
    }
}
