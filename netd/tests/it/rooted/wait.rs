//! Waiting for something to become true.

use std::time::Duration;
use tokio::time::Instant;

/// Generous: the tests run beside compilers on two cores.
pub(crate) const DEADLINE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(100);

/// Asks again and again until there is an answer; fails, with what was waited for, after [`DEADLINE`].
pub(crate) async fn wait_until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {} s in vain: {what}", DEADLINE.as_secs());
        tokio::time::sleep(PAUSE).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_answer_is_returned_once_it_is_there() {
    let mut asked = 0;
    let answer = wait_until("three", || {
        asked += 1;
        let answer = (asked == 3).then_some(asked);
        async move { answer }
    });
    assert_eq!(answer.await, 3);
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "waited 120 s in vain: the moon")]
async fn waiting_in_vain_fails() {
    wait_until("the moon", || async { None::<()> }).await;
}
