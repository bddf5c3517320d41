//! The one way to wait.

use anyhow::Result;
use anyhow::bail;
use std::thread;
use std::time::Duration;
use std::time::Instant;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// Looks again and again until there is something to see. Looks at least once, and once more when the time is over.
///
/// # Errors
/// When the look itself fails, or when there is nothing after the deadline; the text names what was waited for.
pub fn wait_until<T>(
    deadline: Duration,
    what: &str,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        let is_last = start.elapsed() >= deadline;
        if let Some(seen) = look()? {
            return Ok(seen);
        }
        if is_last {
            bail!("waited {} s in vain for {what}", deadline.as_secs());
        }
        thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_looks_until_there_is_something() {
        let mut looks = 0;
        let seen = wait_until(Duration::from_secs(60), "the third look", || {
            looks += 1;
            Ok((looks == 3).then_some("seen"))
        });
        assert_eq!(seen.unwrap(), "seen");
        assert_eq!(looks, 3);
    }

    #[test]
    fn a_deadline_of_nothing_still_looks_once() {
        assert_eq!(wait_until(Duration::ZERO, "now", || Ok(Some(1))).unwrap(), 1);
    }

    #[test]
    fn waiting_in_vain_names_what_was_waited_for() {
        let mut looks = 0;
        let error = wait_until::<()>(Duration::from_millis(120), "a comet", || {
            looks += 1;
            Ok(None)
        })
        .unwrap_err();
        assert!(error.to_string().contains("a comet"));
        assert!(looks >= 2, "{looks}");
    }

    #[test]
    fn a_look_that_fails_ends_the_wait() {
        let error = wait_until::<()>(Duration::from_secs(60), "x", || bail!("broken")).unwrap_err();
        assert_eq!(error.to_string(), "broken");
    }
}
