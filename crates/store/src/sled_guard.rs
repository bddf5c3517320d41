//! Lets code that may panic or hang do so without taking the daemon along.
//!
//! sled 0.34 panics on files that it does not understand, in the caller's thread or in one of its own, and then may
//! wait for ever for an answer. Whatever opens, fills or closes it runs in a thread that can be given up.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Far beyond what the largest store takes on the slowest card; only a thread that hangs gets there.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// How sled failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SledFault {
    #[error("sled panicked: {message}")]
    Panicked { message: String },
    #[error("sled hangs")]
    Hangs,
    #[error("no thread could be started for sled")]
    NoThread {
        #[source]
        source: std::io::Error,
    },
    #[error("sled failed")]
    Failed {
        #[source]
        source: sled::Error,
    },
    #[error("sled's folder could not be read or changed")]
    Folder {
        #[source]
        source: std::io::Error,
    },
    #[error("sled holds other records than were committed")]
    Differs,
    #[error("sled's files have changed since they were closed")]
    Changed,
}

impl SledFault {
    /// Says whether sled was merely told by the kernel that it cannot write or read, most often for want of room.
    pub(crate) fn is_of_the_disk(&self) -> bool {
        matches!(self, Self::Failed { source: sled::Error::Io(_) })
    }

    /// Returns the fault and its causes in one line, for the owner.
    pub(crate) fn in_words(&self) -> String {
        let mut words = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            words.push_str(": ");
            words.push_str(&error.to_string());
            cause = error.source();
        }
        words
    }
}

impl From<sled::Error> for SledFault {
    fn from(source: sled::Error) -> Self {
        Self::Failed { source }
    }
}

/// Runs something in a thread of its own; gives the thread up when it takes longer than `patience`.
pub(crate) fn survive_apart<T: Send + 'static>(
    patience: Duration,
    run: impl FnOnce() -> Result<T, SledFault> + Send + 'static,
) -> Result<T, SledFault> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let spawned = thread::Builder::new().name("sled".to_owned()).spawn(move || {
        // Nobody listens any more when this took too long; then the answer is dropped here.
        drop(sender.send(survive(run)));
    });
    match spawned {
        Ok(_) => receiver.recv_timeout(patience).unwrap_or(Err(SledFault::Hangs)),
        Err(source) => Err(SledFault::NoThread { source }),
    }
}

/// Runs something in a thread of its own that nobody waits for.
pub(crate) fn survive_detached(run: impl FnOnce() + Send + 'static) {
    let spawned = thread::Builder::new().name("sled".to_owned()).spawn(move || {
        survive(|| {
            run();
            Ok(())
        })
    });
    if let Err(error) = spawned {
        tracing::debug!(error = &error as &dyn std::error::Error, "no thread to clear sled away");
    }
}

/// Runs something that does not wait for other threads, right here.
pub(crate) fn survive<T>(run: impl FnOnce() -> Result<T, SledFault>) -> Result<T, SledFault> {
    // After a panic the caller throws away whatever `run` may have left half done.
    catch_unwind(AssertUnwindSafe(run))
        .unwrap_or_else(|payload| Err(SledFault::Panicked { message: first_line(&*payload) }))
}

fn first_line(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    text.lines().next().unwrap_or_default().chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_a_panic_into_a_fault_with_its_message() {
        let fault = survive::<()>(|| panic!("first {}\nsecond", 1)).unwrap_err();
        assert_eq!(fault.in_words(), "sled panicked: first 1");
        let fault = survive_apart::<()>(PATIENCE, || panic!("static")).unwrap_err();
        assert_eq!(fault.in_words(), "sled panicked: static");
    }

    #[test]
    fn gives_up_a_thread_that_hangs() {
        let (_keep, never) = mpsc::channel::<()>();
        let hang = move || {
            never.recv().ok();
            Ok(())
        };
        assert!(matches!(survive_apart(Duration::from_millis(20), hang), Err(SledFault::Hangs)));
    }

    #[test]
    fn hands_back_what_went_well() {
        assert_eq!(survive_apart(PATIENCE, || Ok(7)).unwrap(), 7);
    }
}
