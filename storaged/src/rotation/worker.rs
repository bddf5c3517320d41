//! The one run of `cryptsetup` that changes the volume key, on a thread of its own.

use crate::key::Key;
use crate::luks::Luks;
use crate::luks::LuksError;
use crate::luks::reencrypt::Reencryption;
use crate::luks::reencrypt::interrupt;
use crate::words::chain;
use model::storage::VolumeKeyRotation;
use rustix::process::Pid;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;

/// How long the end of the service waits for the piece at hand; init kills a service 10 s after it asked it to stop.
const PATIENCE: Duration = Duration::from_secs(9);

/// Where the change of the volume key is. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Worker(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    running: Option<Running>,
    /// Why the last run ended before its time.
    problem: Option<String>,
    is_stopping: bool,
}

#[derive(Debug)]
struct Running {
    process: Pid,
    percent: u8,
}

impl Worker {
    /// What to tell of it; nothing when no change is under way.
    #[must_use]
    pub fn report(&self) -> Option<VolumeKeyRotation> {
        let state = self.state();
        let percent = state.running.as_ref().map(|running| running.percent);
        let problem = state.problem.clone();
        (percent.is_some() || problem.is_some()).then_some(VolumeKeyRotation { percent, problem })
    }

    /// Goes on with what was begun. A fault is told, and tried again by the next run of storaged.
    pub fn start(&self, luks: &Luks, key: &Key) {
        let mut state = self.state();
        if state.is_stopping || state.running.is_some() {
            return;
        }
        let begun = luks.reencrypt_on(key).and_then(|reencryption| {
            let process = reencryption.process();
            let worker = self.clone();
            thread::Builder::new()
                .name("rotation".to_owned())
                .spawn(move || worker.follow(reencryption))
                .map_err(LuksError::Run)?;
            Ok(process)
        });
        match begun {
            Ok(process) => {
                state.problem = None;
                state.running = Some(Running { process, percent: 0 });
            }
            Err(error) => state.problem = Some(untold(&error)),
        }
    }

    /// Has the run finish its piece, and waits for that. None begins afterwards.
    pub fn stop(&self) {
        let mut state = self.state();
        state.is_stopping = true;
        let Some(running) = &state.running else { return };
        interrupt(running.process);
        let waited = self.0.ended.wait_timeout_while(state, PATIENCE, |state| state.running.is_some());
        if waited.unwrap_or_else(PoisonError::into_inner).1.timed_out() {
            tracing::warn!("cryptsetup has not ended; the next boot makes its piece whole");
        }
    }

    fn follow(&self, mut reencryption: Reencryption) {
        let followed = reencryption.follow(|percent| {
            if let Some(running) = &mut self.state().running {
                running.percent = percent;
            }
        });
        // Under the lock: nobody sends a signal to a number that may be another process' by then.
        let mut state = self.state();
        let ended = reencryption.wait().and_then(|()| followed.map_err(LuksError::Run));
        state.running = None;
        match ended {
            Ok(()) | Err(_) if state.is_stopping => tracing::info!("the change of the volume key rests"),
            Ok(()) => tracing::info!("the volume key was changed"),
            Err(error) => state.problem = Some(untold(&error)),
        }
        self.0.ended.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn untold(error: &LuksError) -> String {
    tracing::error!(error = error as &dyn std::error::Error, "the volume key is not changed to the end");
    chain(error)
}
