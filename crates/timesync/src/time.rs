//! Points in time and the distances between them.
//!
//! A [`Timestamp`] is what a clock shows, a [`Moment`] is how long the program has run. Rules that decide by when something
//! happened use moments: the clock is the very thing that may be wrong.

use std::fmt;
use std::ops::Add;
use std::time::Duration;

const NANOS: i64 = 1_000_000_000;

/// What a clock shows: nanoseconds since 1970 without leap seconds. Reaches from 1677 to 2262 and stops at the ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// That many seconds after the start of 1970.
    #[must_use]
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(NANOS))
    }

    /// That many nanoseconds after the start of 1970.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Whole seconds since the start of 1970, rounded down.
    #[must_use]
    pub const fn secs(self) -> i64 {
        self.0.div_euclid(NANOS)
    }

    /// Nanoseconds after [`Timestamp::secs`].
    #[must_use]
    pub const fn subsec_nanos(self) -> i64 {
        self.0.rem_euclid(NANOS)
    }

    /// How much later this is than `earlier`; negative when it is the earlier one.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Span> for Timestamp {
    type Output = Self;

    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

/// A distance in time with a sign, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(i64);

impl Span {
    /// No distance.
    pub const ZERO: Self = Self(0);

    /// That many nanoseconds.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// That many milliseconds.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// That many seconds.
    #[must_use]
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(NANOS))
    }

    /// The nearest span to that many seconds; the ends of the range for what lies beyond them, zero for what is no number.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, which is what is wanted")]
    pub fn from_secs_f64(seconds: f64) -> Self {
        Self((seconds * 1e9).round() as i64)
    }

    /// In seconds.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "spans that are calculated with are small; big ones are only compared"
    )]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// In whole nanoseconds.
    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// In whole microseconds.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0 / 1_000
    }

    /// Without the sign.
    #[must_use]
    pub const fn abs(self) -> Self {
        Self(self.0.saturating_abs())
    }

    /// This one and another.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// This one without another.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Half of it.
    #[must_use]
    pub const fn half(self) -> Self {
        Self(self.0 / 2)
    }
}

impl From<Duration> for Span {
    fn from(duration: Duration) -> Self {
        Self(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for Span {
    /// In the unit that a person would use, such as `-1.5 ms` or `3.2 days`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.as_secs_f64();
        match seconds.abs() {
            size if size < 1e-3 => write!(f, "{:.0} µs", seconds * 1e6),
            size if size < 1.0 => write!(f, "{:.1} ms", seconds * 1e3),
            size if size < 120.0 => write!(f, "{seconds:.1} s"),
            size if size < 172_800.0 => write!(f, "{:.1} minutes", seconds / 60.0),
            size if size < 63_072_000.0 => write!(f, "{:.1} days", seconds / 86_400.0),
            _ => write!(f, "{:.1} years", seconds / 31_556_952.0),
        }
    }
}

/// Time since the program started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(Duration);

impl Moment {
    /// That long after the start.
    #[must_use]
    pub const fn after_start(duration: Duration) -> Self {
        Self(duration)
    }

    /// How long after the start.
    #[must_use]
    pub const fn since_start(self) -> Duration {
        self.0
    }

    /// Time from `earlier` to this moment; zero when `earlier` is the later one.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_1970_have_positive_nanoseconds() {
        let time = Timestamp::from_nanos(-1);
        assert_eq!((time.secs(), time.subsec_nanos()), (-1, 999_999_999));
    }

    #[test]
    fn nothing_overflows() {
        let last = Timestamp::from_nanos(i64::MAX);
        assert_eq!(last + Span::from_secs(1), last);
        assert_eq!(Timestamp::from_nanos(i64::MIN).since(last), Span::from_nanos(i64::MIN));
        assert_eq!(Span::from_nanos(i64::MIN).abs(), Span::from_nanos(i64::MAX));
        assert_eq!(Span::from_secs_f64(f64::INFINITY), Span::from_nanos(i64::MAX));
        assert_eq!(Span::from_secs_f64(f64::NAN), Span::ZERO);
    }

    #[test]
    fn spans_are_written_as_people_say_them() {
        let cases = [
            (Span::from_nanos(-1_500_000), "-1.5 ms"),
            (Span::from_nanos(42_000), "42 µs"),
            (Span::from_secs(90), "90.0 s"),
            (Span::from_secs(-3_600), "-60.0 minutes"),
            (Span::from_secs(86_400 * 3), "3.0 days"),
            (Span::from_secs(31_556_952 * 5), "5.0 years"),
        ];
        for (span, text) in cases {
            assert_eq!(span.to_string(), text);
        }
    }
}
