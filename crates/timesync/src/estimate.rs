//! Offset and frequency of the clock from noisy offsets: a Kalman filter with two states.
//!
//! The offset grows by the frequency error, both wander by themselves, and only the offset is measured. Weights follow from
//! how unsure everything is, so that short intervals right after the start and long ones later need no separate rules.

use crate::time::Span;

/// Variance of an offset of which nothing is known: steps begin at half of its root.
const FIRST_OFFSET: f64 = 1.0;
/// How far the frequency of a clock may be off at first: crystals without compensation, 50 ppm.
const FIRST_FREQUENCY: f64 = 50e-6;
/// The same when the frequency of the last run is known; the box may have cooled down meanwhile.
const KNOWN_FREQUENCY: f64 = 5e-6;
/// How the offset wanders by itself, in s² for each second: 1 µs in a second.
const OFFSET_WANDER: f64 = 1e-12;
/// How the frequency wanders, in 1/s² for each second: 0.1 ppm in 1,000 s, as crystals do with the temperature of a room.
const FREQUENCY_WANDER: f64 = 1e-17;
/// No measurement is surer than this: a program reads the clock late now and then. In seconds.
const LEAST_NOISE: f64 = 20e-6;
/// How much of a way's length the two directions differ by, as a guess: asymmetry does not show in jitter.
const ASYMMETRY: f64 = 0.02;

/// What is known of the clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimator {
    /// Seconds by which the clock is behind.
    offset: f64,
    /// Seconds by which it falls further behind each second.
    frequency: f64,
    /// Variance of the offset.
    p_oo: f64,
    /// Covariance of both.
    p_of: f64,
    /// Variance of the frequency.
    p_ff: f64,
}

impl Estimator {
    /// Nothing known but, maybe, that the frequency is set to what it was in the last run.
    #[must_use]
    pub fn new(frequency_is_known: bool) -> Self {
        let deviation = if frequency_is_known { KNOWN_FREQUENCY } else { FIRST_FREQUENCY };
        Self { offset: 0.0, frequency: 0.0, p_oo: FIRST_OFFSET, p_of: 0.0, p_ff: deviation.powi(2) }
    }

    /// That many seconds pass.
    pub fn pass(&mut self, seconds: f64) {
        self.offset += self.frequency * seconds;
        self.p_oo += seconds * (2.0 * self.p_of + seconds * self.p_ff) + OFFSET_WANDER * seconds;
        self.p_of += seconds * self.p_ff;
        self.p_ff += FREQUENCY_WANDER * seconds;
    }

    /// An offset was measured.
    pub fn measure(&mut self, offset: Span, jitter: Span, delay: Span) {
        let noise = jitter.as_secs_f64().max(LEAST_NOISE).powi(2) + (delay.as_secs_f64() * ASYMMETRY).powi(2);
        let innovation = offset.as_secs_f64() - self.offset;
        let variance = self.p_oo + noise;
        let (gain_offset, gain_frequency) = (self.p_oo / variance, self.p_of / variance);
        self.offset += gain_offset * innovation;
        self.frequency += gain_frequency * innovation;
        // In this order: each line needs what the next one changes. No differences of near numbers.
        self.p_ff -= gain_frequency * self.p_of;
        self.p_of *= noise / variance;
        self.p_oo *= noise / variance;
    }

    /// The clock was moved ahead.
    pub fn moved(&mut self, by: Span) {
        self.offset -= by.as_secs_f64();
    }

    /// The clock was stepped: what was believed of the offset is void, and a measurement from before the step tells nothing
    /// of the frequency.
    pub fn stepped(&mut self) {
        self.offset = 0.0;
        self.p_oo = FIRST_OFFSET;
        self.p_of = 0.0;
    }

    /// The clock runs faster by that much from now on.
    pub fn sped_up(&mut self, by: f64) {
        self.frequency -= by;
    }

    /// By how much the clock is behind.
    #[must_use]
    pub fn offset(&self) -> Span {
        Span::from_secs_f64(self.offset)
    }

    /// By how much it should run faster, as a ratio.
    #[must_use]
    pub fn frequency(&self) -> f64 {
        self.frequency
    }

    /// Standard deviation of the offset.
    #[must_use]
    pub fn deviation(&self) -> Span {
        Span::from_secs_f64(self.p_oo.max(0.0).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_measurement_is_believed() {
        let mut estimator = Estimator::new(false);
        estimator.measure(Span::from_millis(300), Span::from_millis(1), Span::from_millis(20));
        assert!(estimator.offset().minus(Span::from_millis(300)).abs() < Span::from_nanos(1_000));
        assert!(estimator.frequency().abs() < 1e-9);
    }

    #[test]
    fn a_drift_is_found_from_the_offsets_alone() {
        let mut estimator = Estimator::new(false);
        for minute in 0..30 {
            let offset = Span::from_nanos(40_000 * 64 * minute);
            estimator.measure(offset, Span::from_nanos(200_000), Span::from_millis(10));
            estimator.pass(64.0);
        }
        assert!((estimator.frequency() - 40e-6).abs() < 1e-6, "{}", estimator.frequency());
        estimator.sped_up(40e-6);
        assert!(estimator.frequency().abs() < 1e-6);
    }

    #[test]
    fn it_stays_finite_over_a_year_of_silence() {
        let mut estimator = Estimator::new(true);
        estimator.measure(Span::ZERO, Span::ZERO, Span::ZERO);
        for _ in 0..366 {
            estimator.pass(86_400.0);
        }
        estimator.measure(Span::from_secs(1), Span::ZERO, Span::ZERO);
        assert!(estimator.offset().minus(Span::from_secs(1)).abs() < Span::from_millis(1));
        assert!(estimator.deviation() < Span::from_millis(1));
        assert!(estimator.frequency().is_finite());
    }
}
