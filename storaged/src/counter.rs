//! A number that only grows and that no copy of the disk reaches: seen from here, what a TPM's counter does for hostd's store
//! (docs/adr/0019).

use crate::sealer::SealError;

/// Most steps that one order counts: each is a write to the chip's memory, of tens of milliseconds. Who needs more, asks again.
pub const MOST_STEPS: u64 = 256;

/// A TPM with a counter, or a fake of one.
pub trait Counter {
    /// The number; none where nothing was counted yet, or it was cleared.
    ///
    /// # Errors
    /// [`SealError::Absent`] where the box has no such thing.
    fn count(&mut self) -> Result<Option<u64>, SealError>;

    /// Raises the number to at least this, at most [`MOST_STEPS`] at once. One that was cleared begins where the chip likes.
    ///
    /// # Errors
    /// When it refuses; the number may have been raised on the way.
    fn raise_to(&mut self, number: u64) -> Result<(), SealError>;

    /// Forgets the number: the data that it guards is gone.
    ///
    /// # Errors
    /// When it refuses.
    fn clear(&mut self) -> Result<(), SealError>;
}

/// How many steps there are to go, when they are not too many.
///
/// # Errors
/// When they are.
pub fn steps(from: u64, to: u64) -> Result<u64, SealError> {
    let steps = to.saturating_sub(from);
    if steps <= MOST_STEPS {
        return Ok(steps);
    }
    Err(SealError::Refused(format!("the counter takes {MOST_STEPS} steps at once, not {steps}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_reached_takes_no_step_and_one_far_away_is_refused() {
        assert_eq!(steps(7, 9), Ok(2));
        assert_eq!(steps(9, 7), Ok(0));
        assert_eq!(steps(0, MOST_STEPS), Ok(MOST_STEPS));
        assert_eq!(
            steps(0, MOST_STEPS + 1).unwrap_err().to_string(),
            "the counter takes 256 steps at once, not 257"
        );
    }
}
