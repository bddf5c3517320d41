//! Life of one container.
//!
//! ```text
//!            start               started
//!  Resting ────────▶ Starting ──────────▶ Up ── stop ──▶ Stopping ── ended ──▶ Resting
//!     ▲ due time         │ not started     │ ended by itself
//!     └── BackingOff ◀───┴─────────────────┴──▶ Done, Failed
//! ```

use super::Action;
use super::Retry;
use super::retry::Ends;
use super::retry::UP_LONG_ENOUGH;
use super::words;
use model::containers::ContainerReport;
use model::containers::ContainerSpec;
use model::containers::ContainerState;
use model::containers::End;
use model::containers::PartName;
use model::containers::RestartPolicy;
use model::containers::StopSignal;
use model::containers::Until;
use std::time::Duration;

/// Time between the start and the first check of its health.
const FIRST_PROBE: Duration = Duration::from_secs(1);
/// Time between two tries to end what does not end.
const KILL_AGAIN: Duration = Duration::from_secs(5);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Resting,
    /// Asked for; there is no answer yet.
    Starting,
    Up {
        since: Duration,
        health: Health,
    },
    Stopping {
        since: Duration,
        kill_at: Duration,
        is_killed: bool,
    },
    BackingOff {
        until: Duration,
    },
    /// Ended with code 0, for good.
    Done,
    /// Not tried again by itself.
    Failed,
}

/// What its checks say.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Health {
    /// None until the first word that counts.
    verdict: Option<Result<(), String>>,
    /// Failures in a row.
    failures: u32,
    /// When to look next; none while somebody looks, or when there is no check.
    next: Option<Duration>,
}

/// A container of an app.
#[derive(Clone, Debug, Default)]
pub struct Part {
    state: State,
    /// Of its last start.
    spec: Option<ContainerSpec>,
    run: u32,
    is_asked_anew: bool,
    ends: Ends,
    restarts: u32,
    last_end: Option<End>,
    reason: Option<String>,
}

/// A container as an earlier run of the daemon left it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// How it was started; none when that is not known, and then it does not stay.
    pub spec: Option<ContainerSpec>,
    /// How often it was started anew.
    pub restarts: u32,
    /// How it ended last.
    pub last_end: Option<End>,
    /// Whether it is to be left as it ended.
    pub is_final: bool,
    /// Since when it runs, or ran when nobody has seen its end yet.
    pub up_since: Option<Duration>,
}

impl Part {
    pub(super) fn found(found: Found) -> Self {
        let state = match (found.up_since, found.is_final, found.last_end) {
            (Some(since), _, _) => State::Up { since, health: Health::at_start(found.spec.as_ref(), since) },
            (None, true, Some(End::Code(0))) => State::Done,
            (None, true, _) => State::Failed,
            (None, false, _) => State::Resting,
        };
        let reason = match &state {
            State::Failed => Some(found.last_end.map_or_else(
                || "it could not be started".to_owned(),
                |last| words::end(last, found.spec.as_ref()),
            )),
            State::Resting
            | State::Starting
            | State::Up { .. }
            | State::Stopping { .. }
            | State::BackingOff { .. }
            | State::Done => None,
        };
        let Found { spec, restarts, last_end, .. } = found;
        Self { state, spec, restarts, last_end, reason, ..Self::default() }
    }

    /// What the next run of the daemon is to find of it.
    #[must_use]
    pub fn to_find(&self) -> Found {
        let up_since = match self.state {
            State::Up { since, .. } | State::Stopping { since, .. } => Some(since),
            State::Resting | State::Starting | State::BackingOff { .. } | State::Done | State::Failed => None,
        };
        Found {
            spec: self.spec.clone(),
            restarts: self.restarts,
            last_end: self.last_end,
            is_final: matches!(self.state, State::Done | State::Failed),
            up_since,
        }
    }

    /// Whether there is a process of it, or will be before anything can be done about it.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        match self.state {
            State::Starting | State::Up { .. } | State::Stopping { .. } => true,
            State::Resting | State::BackingOff { .. } | State::Done | State::Failed => false,
        }
    }

    /// Whether it runs, or is on its way down.
    #[must_use]
    pub fn has_process(&self) -> bool {
        self.is_alive() && self.state != State::Starting
    }

    /// Whether it ends again and again.
    #[must_use]
    pub fn is_looping(&self) -> bool {
        self.ends.is_looping()
    }

    /// How it was started last.
    #[must_use]
    pub fn spec(&self) -> Option<&ContainerSpec> {
        self.spec.as_ref()
    }

    pub(super) fn is_asked_anew(&self) -> bool {
        self.is_asked_anew
    }

    /// Whether its last start was as this says.
    pub(super) fn runs_as(&self, spec: &ContainerSpec) -> bool {
        self.spec.as_ref() == Some(spec)
    }

    /// Whether it may start when all that comes first is there.
    pub(super) fn is_startable(&self) -> bool {
        self.state == State::Resting
    }

    /// Whether it is as far as another one wants it.
    pub(super) fn has_come(&self, until: Until) -> bool {
        match (until, &self.state) {
            (Until::Started, State::Up { .. } | State::Done) | (Until::Completed, State::Done) => true,
            (Until::Healthy, State::Up { health, .. }) => health.verdict == Some(Ok(())),
            (
                Until::Started | Until::Healthy | Until::Completed,
                State::Resting
                | State::Starting
                | State::Up { .. }
                | State::Stopping { .. }
                | State::BackingOff { .. }
                | State::Done
                | State::Failed,
            ) => false,
        }
    }

    pub(super) fn due(&self) -> Option<Duration> {
        match &self.state {
            State::Up { since, health } => {
                let proven = self.ends_count().then_some(*since + UP_LONG_ENOUGH);
                health.next.into_iter().chain(proven).min()
            }
            State::Stopping { kill_at, .. } => Some(*kill_at),
            State::BackingOff { until } => Some(*until),
            State::Resting | State::Starting | State::Done | State::Failed => None,
        }
    }

    fn ends_count(&self) -> bool {
        self.ends.in_a_row() > 0
    }

    /// Somebody said what is wanted of the app.
    pub(super) fn wished(&mut self, is_change: bool) {
        match self.state {
            State::Done if !is_change => return,
            State::Done | State::Failed | State::BackingOff { .. } => self.state = State::Resting,
            State::Resting | State::Starting | State::Up { .. } | State::Stopping { .. } => {}
        }
        self.ends = Ends::default();
        self.restarts = 0;
        self.reason = None;
    }

    /// It is stopped, when it runs, and started again.
    pub(super) fn begin_anew(&mut self) {
        self.wished(true);
        self.is_asked_anew = self.is_alive();
    }

    /// What it was is no guide to what it will be.
    pub(super) fn forget_past(&mut self) {
        self.wished(true);
    }

    pub(super) fn start(&mut self, spec: ContainerSpec) {
        self.state = State::Starting;
        self.spec = Some(spec);
        self.run = self.run.wrapping_add(1);
    }

    pub(super) fn started(&mut self, now: Duration) {
        if self.state == State::Starting {
            self.state = State::Up { since: now, health: Health::at_start(self.spec.as_ref(), now) };
        }
    }

    /// `is_leaving`: what was tried is not wanted any more.
    pub(super) fn not_started(&mut self, why: &str, retry: Retry, is_leaving: bool, now: Duration) {
        if self.state != State::Starting {
            return;
        }
        self.is_asked_anew = false;
        if is_leaving {
            self.state = State::Resting;
            return;
        }
        self.state = match retry {
            Retry::MayHelp => State::BackingOff { until: self.ends.count(now) },
            Retry::Useless => State::Failed,
        };
        self.reason = Some(self.in_words(format!("it cannot be started: {why}")));
    }

    /// `is_leaving`: it was to stop, or would have been told to.
    pub(super) fn ended(&mut self, end: End, is_leaving: bool, now: Duration) {
        let since = match self.state {
            State::Up { since, .. } => since,
            State::Stopping { .. } => {
                return self.rest(end);
            }
            State::Resting | State::Starting | State::BackingOff { .. } | State::Done | State::Failed => {
                return;
            }
        };
        if is_leaving {
            return self.rest(end);
        }
        self.last_end = Some(end);
        if now.saturating_sub(since) >= UP_LONG_ENOUGH {
            self.ends = Ends::default();
        }
        let policy = self.spec.as_ref().map_or(RestartPolicy::Always, |spec| spec.restart);
        let is_success = end == End::Code(0);
        self.state = match policy {
            RestartPolicy::OnFailure | RestartPolicy::Never if is_success => State::Done,
            RestartPolicy::Never => State::Failed,
            RestartPolicy::Always | RestartPolicy::OnFailure => {
                State::BackingOff { until: self.ends.count(now) }
            }
        };
        let words = words::end(end, self.spec.as_ref());
        self.reason = if self.state == State::Done { None } else { Some(self.in_words(words)) };
    }

    fn rest(&mut self, end: End) {
        self.last_end = Some(end);
        self.is_asked_anew = false;
        self.reason = None;
        self.state = State::Resting;
    }

    fn in_words(&self, last: String) -> String {
        if self.is_looping() { words::looping(self.ends.in_a_row(), &last) } else { last }
    }

    /// Has it stopped, once.
    pub(super) fn stop(&mut self, name: &PartName, now: Duration) -> Option<Action> {
        let State::Up { since, .. } = self.state else { return None };
        let rule = self.spec.as_ref().map(|spec| spec.stop).unwrap_or_default();
        let is_killed = rule.signal == Some(StopSignal::Kill);
        let patience = if is_killed { KILL_AGAIN } else { Duration::from_secs(rule.seconds.into()) };
        self.state = State::Stopping { since, kill_at: now + patience, is_killed };
        let name = name.clone();
        Some(if is_killed { Action::Kill(name) } else { Action::Stop(name) })
    }

    /// Checks that are due, kills that are due, ends that are forgiven.
    pub(super) fn look_after(&mut self, name: &PartName, now: Duration) -> Option<Action> {
        match &mut self.state {
            State::Up { since, health } => {
                if now.saturating_sub(*since) >= UP_LONG_ENOUGH && self.ends.in_a_row() > 0 {
                    self.ends = Ends::default();
                    self.reason = None;
                }
                if health.next.is_none_or(|next| now < next) {
                    return None;
                }
                health.next = None;
                Some(Action::Probe { part: name.clone(), run: self.run })
            }
            State::BackingOff { until } if now >= *until => {
                self.state = State::Resting;
                self.restarts = self.restarts.saturating_add(1);
                if !self.is_looping() {
                    self.reason = None;
                }
                None
            }
            State::Stopping { kill_at, is_killed, .. } if now >= *kill_at => {
                *kill_at = now + KILL_AGAIN;
                *is_killed = true;
                Some(Action::Kill(name.clone()))
            }
            State::Stopping { .. }
            | State::Resting
            | State::Starting
            | State::BackingOff { .. }
            | State::Done
            | State::Failed => None,
        }
    }

    pub(super) fn probed(&mut self, run: u32, found: Result<(), String>, now: Duration) {
        let Some(check) = self.spec.as_ref().and_then(|spec| spec.health.as_ref()) else { return };
        let State::Up { since, health } = &mut self.state else { return };
        if run != self.run {
            return;
        }
        health.next = Some(now + Duration::from_secs(check.interval_seconds.into()));
        let grace_ends = *since + Duration::from_secs(check.start_seconds.into());
        match found {
            Ok(()) => {
                health.failures = 0;
                health.verdict = Some(Ok(()));
            }
            // It may still be on its way up.
            Err(_) if health.verdict.is_none() && now < grace_ends => {}
            Err(why) => {
                health.failures = health.failures.saturating_add(1);
                if health.failures >= check.retries {
                    health.verdict = Some(Err(why));
                }
            }
        }
    }

    pub(super) fn state(&self, is_wanted: bool) -> ContainerState {
        match &self.state {
            State::Resting if is_wanted => ContainerState::Waiting,
            State::Resting => ContainerState::Stopped,
            State::Starting => ContainerState::Starting,
            State::Up { health, .. } => match &health.verdict {
                None => ContainerState::Starting,
                Some(Ok(())) => ContainerState::Running,
                Some(Err(_)) => ContainerState::Unhealthy,
            },
            State::Stopping { .. } => ContainerState::Stopping,
            State::BackingOff { .. } if !is_wanted => ContainerState::Stopped,
            State::BackingOff { .. } => ContainerState::BackingOff,
            State::Done => ContainerState::Completed,
            State::Failed => ContainerState::Failed,
        }
    }

    pub(super) fn report(&self, is_wanted: bool, now: Duration) -> ContainerReport {
        let unhealthy = match &self.state {
            State::Up { health: Health { verdict: Some(Err(why)), .. }, .. } => {
                Some(format!("its check fails: {why}"))
            }
            State::Up { .. } if !self.is_looping() => None,
            State::Up { .. }
            | State::Resting
            | State::Starting
            | State::Stopping { .. }
            | State::BackingOff { .. }
            | State::Done
            | State::Failed => self.reason.clone(),
        };
        ContainerReport {
            state: self.state(is_wanted),
            reason: unhealthy,
            restarts: self.restarts,
            last_end: self.last_end,
            seconds_up: match self.state {
                State::Up { since, .. } | State::Stopping { since, .. } => {
                    Some(now.saturating_sub(since).as_secs())
                }
                State::Resting | State::Starting | State::BackingOff { .. } | State::Done | State::Failed => {
                    None
                }
            },
            usage: None,
        }
    }
}

impl Health {
    fn at_start(spec: Option<&ContainerSpec>, since: Duration) -> Self {
        let is_checked = spec.is_some_and(|spec| spec.health.is_some());
        if is_checked {
            Self { verdict: None, failures: 0, next: Some(since + FIRST_PROBE) }
        } else {
            Self { verdict: Some(Ok(())), failures: 0, next: None }
        }
    }
}
