//! The clock at the start, before anything has asked a server.
//!
//! A box without a battery starts in 1970. With the later of the image's build time and the last known time nothing ever
//! runs there: certificates of the box itself count, logs are in order, no file is older than it is.

use std::error::Error;
use std::path::Path;

use tracing::info;
use tracing::warn;

use crate::clock::ClockError;
use crate::clock::SystemClock;
use crate::last_known;
use crate::last_known::LastKnown;
use crate::steps::END;
use crate::steps::Standing;
use crate::time::Timestamp;

/// What the start found out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Started {
    /// When the image was built.
    pub built: Timestamp,
    /// From the last run.
    pub last_known: Option<LastKnown>,
    /// Whether the clock had a possible time.
    pub standing: Standing,
}

/// Moves the clock to the earliest time that it can be, if it shows an earlier one or none that is possible.
///
/// # Errors
/// When the clock cannot be read or set.
pub fn start(clock: &impl SystemClock, built: Timestamp, file: &Path) -> Result<Started, ClockError> {
    let last_known = last_known::load(file).unwrap_or_else(|error| {
        warn!(error = &error as &dyn Error, path = %file.display(), "ignoring the last known time");
        None
    });
    let earliest = last_known.map_or(built, |known| known.time.max(built));
    let shown = clock.read()?;
    let standing = if shown < earliest || shown >= END { Standing::Implausible } else { Standing::Plausible };
    if standing == Standing::Implausible {
        clock.step(earliest.since(shown))?;
        info!(shown = shown.secs(), now = earliest.secs(), "the clock showed an impossible time");
    }
    Ok(Started { built, last_known, standing })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::fake::FakeClock;
    use crate::last_known::save_blocking;
    use crate::time::Span;

    const BUILT: Timestamp = Timestamp::from_secs(1_767_225_600);

    fn started(shown: Timestamp, known: Option<Timestamp>) -> (i64, Standing) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("time");
        if let Some(time) = known {
            save_blocking(&file, &LastKnown { time, proved: None, frequency_ppm: 0.0 }).unwrap();
        }
        let clock = FakeClock::new(shown);
        let started = start(&clock, BUILT, &file).unwrap();
        assert_eq!(started.last_known.map(|known| known.time), known);
        (clock.read().unwrap().since(BUILT).nanos() / 1_000_000_000, started.standing)
    }

    #[test]
    fn the_latest_of_the_three_wins() {
        let later = |seconds| BUILT + Span::from_secs(seconds);
        let epoch = Timestamp::from_secs(0);
        let cases = [
            (epoch, None, (0, Standing::Implausible)),
            (epoch, Some(later(5_000)), (5_000, Standing::Implausible)),
            (later(9_000), Some(later(5_000)), (9_000, Standing::Plausible)),
            (later(3_000), Some(later(5_000)), (5_000, Standing::Implausible)),
            (later(3_000), None, (3_000, Standing::Plausible)),
            // A file from before an update.
            (epoch, Some(later(-5_000)), (0, Standing::Implausible)),
            // A battery-backed clock gone mad.
            (END, Some(later(5_000)), (5_000, Standing::Implausible)),
        ];
        for (shown, known, expected) in cases {
            assert_eq!(started(shown, known), expected, "{shown:?} {known:?}");
        }
    }

    #[test]
    fn a_damaged_file_counts_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("time");
        std::fs::write(&file, "time=9999999999999999999999").unwrap();
        let clock = FakeClock::new(Timestamp::from_secs(0));
        let started = start(&clock, BUILT, &file).unwrap();
        assert_eq!((started.last_known, started.standing), (None, Standing::Implausible));
        assert!(clock.read().unwrap() >= BUILT);
    }

    #[test]
    fn a_clock_that_cannot_be_set_is_an_error() {
        let clock = FakeClock::new(Timestamp::from_secs(0));
        clock.refuse();
        let error = start(&clock, BUILT, Path::new("/nonexistent/time")).unwrap_err();
        assert_eq!(error.to_string(), "stepping the clock");
    }
}
