//! What the resolver counts since it was started.

use crate::upstream::UpstreamStatus;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;

/// Everything that is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Questions of clients, with those turned down.
    pub queries: u64,
    /// Answers from the cache.
    pub cache_hits: u64,
    /// Turned down: clients without a view, names that are not allowed, too many questions at once.
    pub refused: u64,
    /// Public names that had an address inside the home.
    pub rebinding_blocked: u64,
    /// Answers of upstreams that DNSSEC showed to be false, or that could not be proved; many clients may have asked for one.
    pub bogus: u64,
    /// Questions of clients that were answered with "server failure": nobody could say, it could not be proved, or the observer refused.
    pub failed: u64,
    /// Answers in the cache, and the bytes they take.
    pub cached: (usize, usize),
    /// Questions and refusals by view.
    pub views: BTreeMap<String, ViewStats>,
    /// Whom the box asks, best first.
    pub upstreams: Vec<UpstreamStatus>,
}

/// What is counted for a view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ViewStats {
    /// Questions.
    pub queries: u64,
    /// Questions for names that the view may not resolve.
    pub refused: u64,
}

/// The counts behind [`Stats`].
#[derive(Debug, Default)]
pub(crate) struct Counters(Mutex<Stats>);

impl Counters {
    pub(crate) fn count(&self, add: impl FnOnce(&mut Stats)) {
        add(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn count_view(&self, view: &str, add: impl FnOnce(&mut ViewStats)) {
        self.count(|stats| match stats.views.get_mut(view) {
            Some(counts) => add(counts),
            None => add(stats.views.entry(view.to_owned()).or_default()),
        });
    }

    /// Forgets views that no longer exist.
    pub(crate) fn keep_views(&self, keep: impl Fn(&str) -> bool) {
        self.count(|stats| stats.views.retain(|name, _| keep(name)));
    }

    pub(crate) fn snapshot(&self) -> Stats {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
