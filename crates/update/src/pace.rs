//! A bound on how fast is fetched, so that an update does not take a home's line.

use std::time::Duration;
use std::time::Instant;

/// How much may come at once after a silence, in milliseconds' worth.
const BURST: u64 = 200;

/// Waits so that bytes come no faster than a rate.
#[derive(Debug)]
pub struct Pace {
    rate: u64,
    /// Until when what came so far is paid for.
    paid: Option<Instant>,
}

impl Pace {
    /// Bytes in a second; 0 is no bound.
    #[must_use]
    pub fn new(bytes_per_second: u64) -> Self {
        Self { rate: bytes_per_second, paid: None }
    }

    /// Waits for bytes that came just now.
    pub fn take(&mut self, bytes: u64) {
        std::thread::sleep(self.wait(bytes, Instant::now()));
    }

    /// How long to wait at `now`.
    fn wait(&mut self, bytes: u64, now: Instant) -> Duration {
        let Some(micros) = bytes.saturating_mul(1_000_000).checked_div(self.rate) else {
            return Duration::ZERO;
        };
        let earliest = now.checked_sub(Duration::from_millis(BURST)).unwrap_or(now);
        let paid = self.paid.map_or(earliest, |paid| paid.max(earliest))
            + Duration::from_micros(micros.min(60_000_000));
        self.paid = Some(paid);
        paid.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_holds_over_time() {
        let mut pace = Pace::new(1_000_000);
        let start = Instant::now();
        let mut now = start;
        for _part in 0..100 {
            now += pace.wait(100_000, now);
        }
        let taken = now - start;
        assert!(taken >= Duration::from_millis(9_700) && taken <= Duration::from_secs(10), "{taken:?}");
    }

    #[test]
    fn a_silence_is_not_saved_up() {
        let mut pace = Pace::new(1_000_000);
        let start = Instant::now();
        pace.wait(1, start);
        let later = start + Duration::from_secs(3600);
        assert!(pace.wait(1_000_000, later) >= Duration::from_millis(750));
    }

    #[test]
    fn no_bound_never_waits() {
        assert_eq!(Pace::new(0).wait(u64::MAX, Instant::now()), Duration::ZERO);
    }
}
