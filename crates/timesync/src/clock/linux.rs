//! The real clock.

use std::io;
use std::time::Duration;

use clock_steering::Clock;
use clock_steering::LeapIndicator;
use clock_steering::TimeOffset;
use clock_steering::unix::UnixClock;
use rustix::time::ClockId;

use crate::clock::Certainty;
use crate::clock::ClockError;
use crate::clock::SystemClock;
use crate::time::Span;
use crate::time::Timestamp;

/// `CLOCK_REALTIME`. Setting it takes `CAP_SYS_TIME`.
#[derive(Clone, Copy, Debug, Default)]
pub struct LinuxClock;

const REALTIME: UnixClock = UnixClock::CLOCK_REALTIME;

impl SystemClock for LinuxClock {
    fn read(&self) -> Result<Timestamp, ClockError> {
        let now = rustix::time::clock_gettime(ClockId::Realtime);
        Ok(Timestamp::from_secs(now.tv_sec) + Span::from_nanos(now.tv_nsec))
    }

    fn step(&self, by: Span) -> Result<(), ClockError> {
        // The kernel adds it by itself: nothing is lost between reading and setting.
        REALTIME.step_clock(offset(by)).map(drop).map_err(failed("stepping the clock"))
    }

    fn slew(&self, ppm: f64) -> Result<(), ClockError> {
        // The kernel's own control loop would fight ours.
        REALTIME.disable_kernel_ntp_algorithm().map_err(failed("taking over the control of the clock"))?;
        REALTIME.set_frequency(ppm).map(drop).map_err(failed("changing the speed of the clock"))
    }

    fn mark_synchronised(&self, certainty: Certainty) -> Result<(), ClockError> {
        let doing = "marking the clock as synchronised";
        let (error, largest) = (duration(certainty.error), duration(certainty.largest_error));
        REALTIME.error_estimate_update(error, largest).map_err(failed(doing))?;
        // Clears STA_UNSYNC.
        REALTIME.set_leap_seconds(LeapIndicator::NoWarning).map_err(failed(doing))
    }
}

/// Seconds with a sign, nanoseconds without (adjtimex(2), `ADJ_SETOFFSET`).
fn offset(by: Span) -> TimeOffset {
    let nanos = by.nanos().rem_euclid(1_000_000_000);
    TimeOffset {
        seconds: by.nanos().div_euclid(1_000_000_000),
        nanos: u32::try_from(nanos).unwrap_or_default(),
    }
}

fn duration(span: Span) -> Duration {
    Duration::from_nanos(u64::try_from(span.nanos()).unwrap_or_default())
}

fn failed(doing: &'static str) -> impl Fn(clock_steering::unix::Error) -> ClockError {
    move |error| ClockError { doing, source: io::Error::from(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_negative_step_has_positive_nanoseconds() {
        let cases = [
            (Span::from_millis(1_250), (1, 250_000_000)),
            (Span::from_millis(-250), (-1, 750_000_000)),
            (Span::from_secs(-3), (-3, 0)),
            (Span::ZERO, (0, 0)),
        ];
        for (span, (seconds, nanos)) in cases {
            assert_eq!(offset(span), TimeOffset { seconds, nanos });
        }
    }

    #[test]
    fn the_clock_is_read() {
        assert!(LinuxClock.read().unwrap() > Timestamp::from_secs(1_000_000_000));
    }
}
