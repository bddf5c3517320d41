//! The last measurements of one server, and what they say together (after the clock filter, RFC 5905 section 10).
//!
//! Packets wait in queues, mostly one way only, and each wait moves the offset by half of it. The measurement with the
//! shortest way is thus the best one, until it is too old: the clock drifts on meanwhile. Only those measurements count that
//! the newest one confirms: after a jump, of the server's clock or of ours, the older ones are void at once, and a single
//! wild answer is void with the next one.

use std::collections::VecDeque;
use std::time::Duration;

use crate::reply::Sample;
use crate::time::Moment;
use crate::time::Span;

/// Measurements kept (RFC 5905 appendix A.1.1, NSTAGE).
const KEPT: usize = 8;
/// How fast an undisciplined clock may become wrong (RFC 5905 appendix A.1.1, PHI).
const DRIFT: f64 = 15e-6;
/// The least that an offset is unsure by: a program on a busy machine reads the clock late.
const LEAST_DISTANCE: Span = Span::from_millis(1);

/// Measurements, newest last. Offsets are those of now: [`Filter::shift`] follows what is done to the clock.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    samples: VecDeque<Taken>,
}

#[derive(Clone, Copy, Debug)]
struct Taken {
    at: Moment,
    sample: Sample,
}

/// What a server says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// How far its clock is ahead of ours.
    pub offset: Span,
    /// Way there and back.
    pub delay: Span,
    /// How far the offset may be from the truth, if the server is honest.
    pub distance: Span,
    /// How far the measurements lie from the best one.
    pub jitter: Span,
    /// Distance of the server from a reference clock, in servers.
    pub stratum: u8,
    /// Measurements it stands on: the newest and those that agree with it.
    pub samples: usize,
}

impl Filter {
    /// Takes a measurement.
    pub fn push(&mut self, at: Moment, sample: Sample) {
        if self.samples.len() == KEPT {
            self.samples.pop_front();
        }
        self.samples.push_back(Taken { at, sample });
    }

    /// Follows the clock, which was moved ahead by `by`.
    pub fn shift(&mut self, by: Span) {
        for taken in &mut self.samples {
            taken.sample.offset = taken.sample.offset.minus(by);
        }
    }

    /// Forgets everything: what comes next is another server.
    pub fn clear(&mut self) {
        self.samples.clear();
    }

    /// What the measurements say; none without any.
    #[must_use]
    pub fn estimate(&self, now: Moment) -> Option<Estimate> {
        let unsure = |taken: &Taken| taken.sample.delay.half().plus(drift(now.since(taken.at)));
        let newest = self.samples.back()?;
        let agrees = |taken: &&Taken| {
            let apart = taken.sample.offset.minus(newest.sample.offset).abs();
            apart <= unsure(taken).plus(unsure(newest)).plus(LEAST_DISTANCE)
        };
        let best = self.samples.iter().filter(agrees).min_by_key(|taken| unsure(taken))?;
        let apart = |taken: &Taken| taken.sample.offset.minus(best.sample.offset).as_secs_f64();
        let squares: f64 = self.samples.iter().filter(agrees).map(|taken| apart(taken).powi(2)).sum();
        let samples = self.samples.iter().filter(agrees).count();
        let others = u32::try_from(samples - 1).unwrap_or(u32::MAX).max(1);
        let jitter = Span::from_secs_f64((squares / f64::from(others)).sqrt());
        let distance = unsure(best).plus(best.sample.root_distance).plus(LEAST_DISTANCE);
        Some(Estimate {
            offset: best.sample.offset,
            delay: best.sample.delay,
            distance,
            jitter,
            stratum: best.sample.stratum,
            samples,
        })
    }
}

fn drift(age: Duration) -> Span {
    Span::from_secs_f64(age.as_secs_f64() * DRIFT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(offset: i64, delay: i64) -> Sample {
        Sample {
            offset: Span::from_millis(offset),
            delay: Span::from_millis(delay),
            root_distance: Span::from_millis(5),
            stratum: 2,
        }
    }

    fn at(seconds: u64) -> Moment {
        Moment::after_start(Duration::from_secs(seconds))
    }

    #[test]
    fn nothing_is_said_before_the_first_measurement() {
        assert_eq!(Filter::default().estimate(at(0)), None);
    }

    #[test]
    fn the_shortest_way_wins_until_it_is_too_old() {
        let mut filter = Filter::default();
        filter.push(at(0), sample(1, 10));
        filter.push(at(64), sample(30, 60));
        let estimate = filter.estimate(at(64)).unwrap();
        assert_eq!((estimate.offset, estimate.samples), (Span::from_millis(1), 2));
        // 10 ms / 2 + 5 ms + 1 ms + 64 s × 15 ppm
        assert_eq!(estimate.distance, Span::from_nanos(11_960_000));
        assert_eq!(estimate.jitter, Span::from_millis(29));
        // 25 ms less of half the way are worth 1,667 s.
        filter.push(at(1_600), sample(30, 60));
        assert_eq!(filter.estimate(at(1_600)).unwrap().offset, Span::from_millis(1));
        filter.push(at(1_700), sample(30, 60));
        assert_eq!(filter.estimate(at(1_700)).unwrap().offset, Span::from_millis(30));
    }

    #[test]
    fn only_what_the_newest_confirms_counts() {
        let mut filter = Filter::default();
        for second in 0..4 {
            filter.push(at(second), sample(0, 10));
        }
        filter.push(at(4), sample(5_000, 10));
        let wild = filter.estimate(at(4)).unwrap();
        assert_eq!((wild.offset, wild.samples, wild.jitter), (Span::from_millis(5_000), 1, Span::ZERO));
        let mut jumped = filter.clone();
        jumped.push(at(5), sample(5_000, 10));
        let estimate = jumped.estimate(at(5)).unwrap();
        assert_eq!((estimate.offset, estimate.samples), (Span::from_millis(5_000), 2));
        filter.push(at(5), sample(0, 10));
        let estimate = filter.estimate(at(5)).unwrap();
        assert_eq!((estimate.offset, estimate.samples, estimate.jitter), (Span::ZERO, 5, Span::ZERO));
    }

    #[test]
    fn eight_are_kept_and_all_follow_the_clock() {
        let mut filter = Filter::default();
        for second in 0..20 {
            filter.push(at(second), sample(500, 10));
        }
        filter.shift(Span::from_millis(500));
        let estimate = filter.estimate(at(20)).unwrap();
        assert_eq!((estimate.offset, estimate.jitter, estimate.samples), (Span::ZERO, Span::ZERO, KEPT));
        filter.clear();
        assert_eq!(filter.estimate(at(20)), None);
    }
}
