//! How often somebody may type a key: a few at once, then ever more slowly. Pure.
//!
//! A recovery key has 160 bits and is guessed by nobody; a passphrase may be. Each wrong one also costs the box a second of work.

use std::time::Duration;

/// Wrong ones without a wait.
const FREE: u32 = 5;
/// The first wait, doubled with each further one.
const FIRST_WAIT: Duration = Duration::from_secs(30);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);

/// Wrong keys since the start or the last right one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tries {
    wrong: u32,
    until: Duration,
}

impl Tries {
    /// Whether one may be tried now; else how long to wait.
    ///
    /// # Errors
    /// The time left.
    pub fn check(&self, now: Duration) -> Result<(), Duration> {
        let left = self.until.saturating_sub(now);
        if left.is_zero() { Ok(()) } else { Err(left) }
    }

    /// Notes what came of one.
    pub fn note(&mut self, is_right: bool, now: Duration) {
        if is_right {
            *self = Self::default();
            return;
        }
        self.wrong = self.wrong.saturating_add(1);
        if let Some(beyond) = self.wrong.checked_sub(FREE) {
            let wait = FIRST_WAIT.saturating_mul(1_u32.checked_shl(beyond).unwrap_or(u32::MAX));
            self.until = now.saturating_add(wait.min(LONGEST_WAIT));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_are_free_and_the_wait_grows_to_a_quarter_of_an_hour() {
        let (mut tries, mut now) = (Tries::default(), Duration::from_secs(100));
        let mut waits = Vec::new();
        for _ in 0..13 {
            tries.check(now).unwrap();
            tries.note(false, now);
            let wait = tries.check(now).err().unwrap_or_default();
            waits.push(wait.as_secs());
            now += wait;
        }
        assert_eq!(waits, [0, 0, 0, 0, 30, 60, 120, 240, 480, 900, 900, 900, 900]);
    }

    #[test]
    fn a_right_one_begins_anew() {
        let (mut tries, now) = (Tries::default(), Duration::ZERO);
        (0..9).for_each(|_| tries.note(false, now));
        tries.check(now).unwrap_err();
        tries.note(true, now);
        assert_eq!(tries, Tries::default());
        tries.check(now).unwrap();
    }
}
