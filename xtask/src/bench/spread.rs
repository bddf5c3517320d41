//! What several rounds of one measurement say.

use serde::Deserialize;
use serde::Serialize;
use std::fmt;

/// The middle one, the ends, and all rounds in their order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<f64>")]
pub(crate) struct Spread {
    /// The middle one.
    pub(crate) median: f64,
    lowest: f64,
    highest: f64,
    rounds: Vec<f64>,
}

/// Nothing was measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoRounds;

impl fmt::Display for NoRounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no round was measured")
    }
}

impl std::error::Error for NoRounds {}

impl TryFrom<Vec<f64>> for Spread {
    type Error = NoRounds;

    fn try_from(rounds: Vec<f64>) -> Result<Self, Self::Error> {
        let mut sorted = rounds.clone();
        sorted.sort_by(f64::total_cmp);
        let (Some(lowest), Some(highest)) = (sorted.first(), sorted.last()) else { return Err(NoRounds) };
        let median = sorted.get(sorted.len() / 2).ok_or(NoRounds)?;
        Ok(Self { median: *median, lowest: *lowest, highest: *highest, rounds })
    }
}

impl Spread {
    /// `2.50 (2.10–3.00)` with so many digits.
    pub(crate) fn shown(&self, digits: usize) -> String {
        format!("{:.digits$} ({:.digits$}–{:.digits$})", self.median, self.lowest, self.highest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_of_the_sorted_rounds() {
        let spread = Spread::try_from(vec![3.0, 1.0, 2.5]).unwrap();
        assert_eq!(spread.median, 2.5);
        assert_eq!(spread.rounds, [3.0, 1.0, 2.5], "in the order they were measured");
        assert_eq!(spread.shown(1), "2.5 (1.0–3.0)");
        Spread::try_from(vec![]).unwrap_err();
    }
}
