//! A watch made from another one.

use tokio::sync::watch;

/// Puts a new value in place and says whether it differs, for [`watch::Sender::send_if_modified`].
pub fn replace<T: PartialEq>(now: &mut T, new: T) -> bool {
    let differs = *now != new;
    *now = new;
    differs
}

/// Keeps `to` what `map` makes of `from`, until the sender of `from` is gone.
pub async fn follow<A, B: PartialEq>(
    mut from: watch::Receiver<A>,
    to: watch::Sender<B>,
    map: impl Fn(&A) -> B,
) {
    loop {
        let latest = map(&from.borrow_and_update());
        to.send_if_modified(|now| replace(now, latest));
        if from.changed().await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn changes_that_make_no_difference_are_not_passed_on() {
        let from = watch::Sender::new(1);
        let to = watch::Sender::new(0);
        let mut seen = to.subscribe();
        let task = tokio::spawn(follow(from.subscribe(), to, |n| n / 10));
        from.send_replace(5);
        from.send_replace(20);
        seen.changed().await.unwrap();
        assert_eq!(*seen.borrow_and_update(), 2);
        drop(from);
        task.await.unwrap();
        assert!(seen.changed().await.is_err());
    }
}
