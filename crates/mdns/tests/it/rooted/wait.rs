//! Waiting for something to become true.

use std::time::Duration;
use std::time::Instant;

/// Generous: the tests run beside compilers on two cores.
const DEADLINE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(100);

/// Asks again and again until there is an answer; fails, with what was waited for, after [`DEADLINE`].
pub(crate) fn wait_until<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    wait(what, DEADLINE, ask)
}

fn wait<T>(what: &str, longest: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + longest;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(PAUSE);
    }
}

#[test]
fn the_answer_is_returned_once_it_is_there() {
    let mut asked = 0;
    let answer = wait_until("two", || {
        asked += 1;
        (asked == 2).then_some(asked)
    });
    assert_eq!(answer, 2);
}

#[test]
#[should_panic(expected = "waited in vain: the moon")]
fn waiting_in_vain_fails() {
    wait("the moon", Duration::ZERO, || None::<()>);
}
