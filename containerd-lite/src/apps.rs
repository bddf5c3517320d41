//! One app: which of its containers is to start, stop or be looked at. Pure, without clock, process or file.
//!
//! ```text
//!  events: wanted, specification, network, started, ended, probed, due ──▶ App ──▶ actions: attach, start, stop, kill, probe, detach
//! ```
//!
//! * The first process runs after the network is there, and the network goes after the last process has ended.
//! * A container starts when those that come first are as far as it wants them; it is stopped after those that come after it.
//! * Everything is decided anew after each event, from what is wanted and what is there: there is no list of steps that could break off.
//!
//! Times are durations since boot. [`App::due`] says when the next [`Event::Due`] is wanted.

mod data;
mod part;
mod retry;
#[cfg(test)]
mod tests;
pub mod words;

pub use part::Found;
pub use part::Part;
pub use retry::FAILURE_WINDOW;
pub use retry::FAILURES_TOLERATED;
pub use retry::LONGEST_PAUSE;
pub use retry::UP_LONG_ENOUGH;

use data::Data;
use model::containers::AppReport;
use model::containers::AppSpec;
use model::containers::AppState;
use model::containers::ContainerState;
use model::containers::End;
use model::containers::PartName;
use model::containers::Until;
use model::containers::Wanted;
use model::network::names::AppKey;
use retry::Pause;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

/// Longest pause between two tries to get a network.
const LONGEST_NETWORK_PAUSE: Duration = Duration::from_secs(30);

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It is to run like this from now on.
    Set(AppSpec),
    /// It is to run, or not; by somebody's wish, so that counts begin anew.
    Want(Wanted),
    /// Somebody wants it stopped and started again.
    Restart,
    /// It is to be no more.
    Remove,
    /// Its network is there, with its rules.
    Attached,
    /// It is not, for this reason.
    NotAttached(String),
    /// Its network is gone.
    Detached,
    /// A container runs.
    Started(PartName),
    /// It could not be started.
    NotStarted {
        /// Which.
        part: PartName,
        /// Why not.
        why: String,
        /// Whether trying again may help.
        retry: Retry,
    },
    /// A container is no more.
    Ended(PartName, End),
    /// A check of its health has ended.
    Probed {
        /// Whose.
        part: PartName,
        /// As in [`Action::Probe`].
        run: u32,
        /// Why it is not healthy, if it is not.
        found: Result<(), String>,
    },
    /// Somebody gives the key of its data; an answer follows.
    Unlocking,
    /// The answer: whether it is shown now.
    Unlocked(bool),
    /// Its data is to be hidden; what runs ends first.
    Lock,
    /// What came of [`Action::Lock`]: whether it is hidden now.
    Locked(bool),
    /// The time of [`App::due`] has come.
    Due,
}

/// Whether trying again may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It may.
    MayHelp,
    /// Not before something else changes.
    Useless,
}

/// What is to be done. Every action but [`Action::Stop`] and [`Action::Kill`] is answered by an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make its network and have it wired up.
    Attach,
    /// Take its network away.
    Detach,
    /// Start a container.
    Start(PartName),
    /// Ask a container to end.
    Stop(PartName),
    /// End it at once.
    Kill(PartName),
    /// Hide its data: nothing runs any more.
    Lock,
    /// See whether it is healthy.
    Probe {
        /// Which.
        part: PartName,
        /// Number of its run: answers about another one mean nothing.
        run: u32,
    },
}

/// Where its network stands.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Net {
    Down,
    Attaching,
    Up,
    /// Not to be had; tried again at that time.
    Refused {
        until: Duration,
    },
    /// There, but nobody knows its addresses any more: made anew when nothing runs in it.
    Lost,
    Detaching,
}

/// An app.
#[derive(Clone, Debug)]
pub struct App {
    spec: AppSpec,
    wanted: Wanted,
    is_removed: bool,
    data: Data,
    net: Net,
    net_pause: Pause,
    /// Why there was no network at the last try.
    net_trouble: Option<String>,
    /// Those of the specification, and others until they have ended.
    parts: BTreeMap<PartName, Part>,
}

/// What an earlier run of the daemon left of an app's network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoundNetwork {
    /// Nothing.
    None,
    /// All of it.
    Whole,
    /// Something runs in it, and it is not known any more how it was wired up.
    Lost,
}

impl App {
    /// An app of which nothing is there.
    #[must_use]
    pub fn new(spec: AppSpec, wanted: Wanted) -> Self {
        Self::found(spec, wanted, FoundNetwork::None, BTreeMap::new())
    }

    /// An app as an earlier run of the daemon left it.
    #[must_use]
    pub fn found(
        spec: AppSpec,
        wanted: Wanted,
        network: FoundNetwork,
        parts: BTreeMap<PartName, Found>,
    ) -> Self {
        let net = match network {
            FoundNetwork::None => Net::Down,
            FoundNetwork::Whole => Net::Up,
            FoundNetwork::Lost => Net::Lost,
        };
        let parts = parts.into_iter().map(|(name, found)| (name, Part::found(found))).collect();
        let net_pause = Pause::up_to(LONGEST_NETWORK_PAUSE);
        let data = Data::new(true);
        Self { spec, wanted, is_removed: false, data, net, net_pause, net_trouble: None, parts }
    }

    /// The same, with data that is shown or not.
    #[must_use]
    pub fn with_data(mut self, is_open: bool) -> Self {
        self.data = Data::new(is_open);
        self
    }

    /// How it is to run.
    #[must_use]
    pub fn spec(&self) -> &AppSpec {
        &self.spec
    }

    /// What is wanted of it.
    #[must_use]
    pub fn wanted(&self) -> Wanted {
        self.wanted
    }

    /// Its containers.
    pub fn parts(&self) -> impl Iterator<Item = (&PartName, &Part)> {
        self.parts.iter()
    }

    /// Whether its data is shown.
    #[must_use]
    pub fn has_open_data(&self) -> bool {
        self.data.is_open()
    }

    /// Whether it is to run now.
    fn is_to_be_up(&self) -> bool {
        self.wanted == Wanted::Running && self.data.is_open()
    }

    /// Whether nothing of it runs, nor is about to.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.wanted == Wanted::Stopped && !self.parts.values().any(Part::is_alive)
    }

    /// Whether it was removed and nothing of it is left.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.is_removed && self.is_at_rest() && self.net == Net::Down
    }

    /// When an [`Event::Due`] is wanted.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        let net = match &self.net {
            Net::Refused { until } => Some(*until),
            Net::Down | Net::Attaching | Net::Up | Net::Lost | Net::Detaching => None,
        };
        self.parts.values().filter_map(Part::due).chain(net).chain(self.data.due()).min()
    }

    /// Takes an event at a time and says what is to be done. Events that mean nothing now change nothing: an answer may well come after
    /// the wish has changed.
    pub fn step(&mut self, event: Event, now: Duration) -> Vec<Action> {
        match event {
            Event::Set(spec) => self.set(spec),
            Event::Want(wanted) => self.want(wanted),
            Event::Restart => {
                self.want(Wanted::Running);
                self.parts.values_mut().for_each(Part::begin_anew);
            }
            Event::Remove => {
                self.want(Wanted::Stopped);
                self.is_removed = true;
            }
            Event::Attached if self.net == Net::Attaching => {
                self.net = Net::Up;
                self.net_pause.reset();
                self.net_trouble = None;
            }
            Event::NotAttached(why) if self.net == Net::Attaching => {
                self.net = Net::Refused { until: now + self.net_pause.next() };
                self.net_trouble = Some(why);
            }
            Event::Detached if self.net == Net::Detaching => self.net = Net::Down,
            Event::Attached | Event::NotAttached(_) | Event::Detached => {}
            Event::Started(name) => {
                self.with(&name, |part| part.started(now));
            }
            Event::NotStarted { part: name, why, retry } => {
                let is_leaving = !self.is_to_run(&name);
                self.with(&name, |part| part.not_started(&why, retry, is_leaving, now));
            }
            Event::Ended(name, end) => {
                let is_leaving = !self.is_to_run(&name);
                self.with(&name, |part| part.ended(end, is_leaving, now));
            }
            Event::Probed { part: name, run, found } => {
                self.with(&name, |part| part.probed(run, found, now));
            }
            Event::Unlocking => self.data.begin_to_unlock(),
            Event::Unlocked(is_open) => self.data.has_been_unlocked(is_open),
            Event::Lock => self.data.begin_to_lock(),
            Event::Locked(is_locked) => self.data.has_been_locked(is_locked, now),
            Event::Due => {}
        }
        self.decide(now)
    }

    fn with(&mut self, name: &PartName, change: impl FnOnce(&mut Part)) {
        if let Some(part) = self.parts.get_mut(name) {
            change(part);
        }
    }

    fn set(&mut self, spec: AppSpec) {
        self.spec = spec;
        for (name, part) in &mut self.parts {
            if self.spec.containers.get(name).is_none_or(|spec| !part.runs_as(spec)) {
                part.forget_past();
            }
        }
    }

    fn want(&mut self, wanted: Wanted) {
        // Whoever starts what is started already wants that it is tried again, not that finished work is done once more.
        let is_change = self.wanted != wanted;
        self.wanted = wanted;
        for part in self.parts.values_mut() {
            part.wished(is_change);
        }
        self.net_pause.reset();
        self.net_trouble = None;
        if matches!(self.net, Net::Refused { .. }) {
            self.net = Net::Down;
        }
    }

    /// Whether a container is to run as it does, or would if it were started.
    fn is_to_run(&self, name: &PartName) -> bool {
        let (Some(spec), Some(part)) = (self.spec.containers.get(name), self.parts.get(name)) else {
            return false;
        };
        let may_stay =
            !part.is_alive() || (part.runs_as(spec) && !part.is_asked_anew() && self.net != Net::Lost);
        self.is_to_be_up() && may_stay
    }

    /// What is to be done now.
    fn decide(&mut self, now: Duration) -> Vec<Action> {
        let spec = &self.spec;
        self.parts.retain(|name, part| part.is_alive() || spec.containers.contains_key(name));
        for name in spec.containers.keys() {
            self.parts.entry(name.clone()).or_default();
        }
        let mut actions = Vec::new();
        self.stop_what_must_not_run(now, &mut actions);
        self.look_after(now, &mut actions);
        self.move_network(now, &mut actions);
        self.start_what_may_run(&mut actions);
        if !self.parts.values().any(Part::is_alive) && self.data.asks_to_lock(now) {
            actions.push(Action::Lock);
        }
        actions
    }

    fn stop_what_must_not_run(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let leaving: Vec<PartName> = self
            .parts
            .iter()
            .filter(|(name, part)| part.is_alive() && !self.is_to_run(name))
            .map(|(name, _)| name.clone())
            .collect();
        for name in &leaving {
            // The order is that of the specification of now, which has no rings.
            let must_wait = leaving.iter().any(|other| self.before(other).contains(name));
            if let Some(part) = self.parts.get_mut(name)
                && !must_wait
            {
                actions.extend(part.stop(name, now));
            }
        }
    }

    /// All that come before a container, at whatever remove.
    fn before<'a>(&'a self, name: &'a PartName) -> BTreeSet<&'a PartName> {
        let mut before = BTreeSet::new();
        let mut unseen = vec![name];
        while let Some(spec) = unseen.pop().and_then(|name| self.spec.containers.get(name)) {
            let first = spec.after.iter().map(|after| &after.container);
            unseen.extend(first.filter(|first| before.insert(*first)));
        }
        before
    }

    fn look_after(&mut self, now: Duration, actions: &mut Vec<Action>) {
        for (name, part) in &mut self.parts {
            actions.extend(part.look_after(name, now));
        }
    }

    fn move_network(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let is_needed = self.is_to_be_up() && !self.spec.containers.is_empty();
        let is_used = self.parts.values().any(Part::is_alive);
        match &self.net {
            Net::Down if is_needed => {
                self.net = Net::Attaching;
                actions.push(Action::Attach);
            }
            Net::Refused { until } if is_needed && now >= *until => {
                self.net = Net::Attaching;
                actions.push(Action::Attach);
            }
            Net::Refused { .. } if !is_needed => self.net = Net::Down,
            Net::Up if !is_needed && !is_used => {
                self.net = Net::Detaching;
                actions.push(Action::Detach);
            }
            Net::Lost if !is_used => {
                self.net = Net::Detaching;
                actions.push(Action::Detach);
            }
            Net::Down | Net::Attaching | Net::Up | Net::Refused { .. } | Net::Lost | Net::Detaching => {}
        }
    }

    fn start_what_may_run(&mut self, actions: &mut Vec<Action>) {
        if self.net != Net::Up || !self.is_to_be_up() {
            return;
        }
        let ready: Vec<PartName> = self
            .parts
            .iter()
            .filter(|(name, part)| part.is_startable() && self.waits_for(name).is_none())
            .map(|(name, _)| name.clone())
            .collect();
        for name in ready {
            if let (Some(part), Some(spec)) = (self.parts.get_mut(&name), self.spec.containers.get(&name)) {
                part.start(spec.clone());
                actions.push(Action::Start(name));
            }
        }
    }

    /// The first of those that come first and are not there yet, and how far it must come.
    fn waits_for(&self, name: &PartName) -> Option<(&PartName, Until)> {
        let spec = self.spec.containers.get(name)?;
        spec.after
            .iter()
            .find(|after| {
                let first = self.parts.get(&after.container);
                // One that is about to be stopped is not counted on.
                let is_there = first.is_some_and(|first| {
                    (self.is_to_run(&after.container) || !first.is_alive()) && first.has_come(after.until)
                });
                !is_there
            })
            .map(|after| (&after.container, after.until))
    }

    /// How it is; usage is for others to add.
    #[must_use]
    pub fn report(&self, app: &AppKey, now: Duration) -> AppReport {
        let mut reasons = Vec::new();
        if let (Net::Refused { .. } | Net::Attaching, Some(why)) = (&self.net, &self.net_trouble) {
            reasons.push(format!("it waits for the network: {why}"));
        }
        let mut containers = BTreeMap::new();
        for (name, part) in &self.parts {
            let mut report = part.report(self.is_to_be_up(), now);
            if report.state == ContainerState::Waiting && report.reason.is_none() {
                report.reason = Some(self.waits_for(name).map_or_else(
                    || "for the network".to_owned(),
                    |(first, until)| words::wait(first, until),
                ));
            } else if let Some(reason) = &report.reason
                && !matches!(report.state, ContainerState::Stopped | ContainerState::Stopping)
            {
                reasons.push(format!("{name}: {reason}"));
            }
            containers.insert(name.clone(), report);
        }
        let state = self.state();
        let data = self.data.report();
        AppReport {
            app: app.clone(),
            wanted: self.wanted,
            state,
            data,
            reasons,
            traffic: None,
            storage: None,
            containers,
        }
    }

    fn state(&self) -> AppState {
        let parts = || self.parts.values();
        if self.wanted == Wanted::Stopped {
            let is_leaving = self.is_removed && self.net != Net::Down;
            let is_down = !is_leaving && !parts().any(Part::is_alive);
            return if is_down { AppState::Stopped } else { AppState::Stopping };
        }
        if !self.data.is_open() {
            return if parts().any(Part::is_alive) { AppState::Stopping } else { AppState::Locked };
        }
        let any = |state: ContainerState| parts().any(|part| part.state(true) == state);
        if any(ContainerState::Failed) {
            AppState::Failed
        } else if any(ContainerState::Unhealthy) || parts().any(Part::is_looping) {
            AppState::Unhealthy
        } else if parts()
            .all(|part| matches!(part.state(true), ContainerState::Running | ContainerState::Completed))
        {
            AppState::Running
        } else {
            AppState::Starting
        }
    }
}
