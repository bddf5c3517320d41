//! Watching and stopping a task.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

/// What a task is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Counting what there is to save.
    Counting,
    /// Saving.
    Saving,
    /// Removing what retention no longer keeps.
    Pruning,
    /// Checking the repository.
    Verifying,
    /// Writing into the scratch folder.
    Restoring,
    /// Comparing what was written with the manifest.
    Comparing,
}

/// How far a task is. Totals are 0 while unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub phase: Phase,
    /// Files done.
    pub files: u64,
    /// Files in all.
    pub files_total: u64,
    /// Bytes done.
    pub bytes: u64,
    /// Bytes in all.
    pub bytes_total: u64,
    /// The file at hand.
    pub current: Option<String>,
}

impl Progress {
    pub(crate) const fn begin(phase: Phase) -> Self {
        Self { phase, files: 0, files_total: 0, bytes: 0, bytes_total: 0, current: None }
    }
}

/// Hears how far a task is; called after each file and each further MiB, from any thread.
pub trait Observer: Send + Sync {
    /// The state now.
    fn progress(&self, progress: &Progress);
}

/// Stops a task; clones stop the same one.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    own: Arc<AtomicBool>,
    above: Option<Arc<AtomicBool>>,
}

impl Cancel {
    /// A task that may go on.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops a part of what this one stops whole.
    #[must_use]
    pub fn of_a_part(&self) -> Self {
        Self { own: Arc::default(), above: Some(Arc::clone(&self.own)) }
    }

    /// Asks the task to stop. What it saved so far is used by the next backup; no snapshot is made of it.
    pub fn cancel(&self) {
        self.own.store(true, Ordering::Relaxed);
    }

    /// Whether the task was asked to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        let is_set = |flag: &Arc<AtomicBool>| flag.load(Ordering::Relaxed);
        is_set(&self.own) || self.above.as_ref().is_some_and(is_set)
    }
}

/// How a task is watched and stopped.
#[derive(Clone, Default)]
pub struct Control {
    /// Stops it.
    pub cancel: Cancel,
    /// Hears of it.
    pub observer: Option<Arc<dyn Observer>>,
}

impl Control {
    pub(crate) fn tell(&self, progress: &Progress) {
        if let Some(observer) = &self.observer {
            observer.progress(progress);
        }
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").field("cancel", &self.cancel).finish_non_exhaustive()
    }
}
