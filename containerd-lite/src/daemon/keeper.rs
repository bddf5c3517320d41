//! The one owner of all apps: takes what is asked and what has happened, has the machines decide, and has done what they want.
//!
//! ```text
//!  bus ── Ask ──▶ keeper ── step ──▶ App ── actions ──▶ worker of the app ── Outcome ──▶ keeper
//! ```
//!
//! What somebody asks for is on the disk before it is begun; what is begun is noted in `/run` before.

mod ask;
mod recover;

use super::Changes;
use super::Shared;
use super::notes::Note;
use super::notes::Notes;
use super::notes::PartNote;
use super::probe;
use super::uptime;
use super::work::Followed;
use super::work::Order;
use super::work::Worker;
use crate::apps::Action;
use crate::apps::App;
use crate::apps::Event;
use crate::apps::Retry;
use crate::image::Digest;
use crate::runtime::ContainerId;
use crate::runtime::Running;
use crate::state::Record;
use crate::state::Removal;
use crate::state::State;
use crate::state::StateError;
use crate::words::chain;
pub(crate) use ask::Ask;
use model::containers::AppReport;
use model::containers::End;
use model::containers::PartName;
use model::network::attachment::Attachment;
use model::network::names::AppKey;
use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Time between two tries to remove the data of an app.
const CLEAR_AGAIN: Duration = Duration::from_secs(30);

/// What has come of some work.
pub(super) enum Outcome {
    Attached(Result<Attachment, String>),
    Detached,
    Started { part: PartName, running: Running, layers: Vec<Digest> },
    NotStarted { part: PartName, why: String, retry: Retry },
    Ended { part: PartName, end: End },
    Probed { part: PartName, run: u32, found: Result<(), String> },
    Unlocked(bool),
    Locked(bool),
    Cleared(Result<(), String>),
}

/// All apps.
pub(super) struct Keeper {
    shared: Arc<Shared>,
    state: State,
    notes: Notes,
    changes: Changes,
    outcomes: mpsc::Sender<(AppKey, Outcome)>,
    apps: BTreeMap<AppKey, Managed>,
    /// Apps that were removed and whose data is left.
    dormant: BTreeMap<AppKey, Record>,
    /// Those whose record cannot be read.
    damaged: BTreeMap<AppKey, StateError>,
}

/// One app.
struct Managed {
    record: Record,
    /// Nothing is kept of it when it is removed: its range of ids was not known.
    is_damaged: bool,
    app: App,
    worker: Worker,
    attachment: Option<Attachment>,
    followed: BTreeMap<PartName, Followed>,
    layers: BTreeMap<PartName, Vec<Digest>>,
    noted: Option<Note>,
    shown: Option<AppReport>,
    clearing: Clearing,
}

/// Whether its data is being removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clearing {
    No,
    UnderWay,
    Again(Duration),
}

impl Keeper {
    /// When something is to be looked at by itself.
    pub(super) fn due(&self) -> Option<Duration> {
        let due = |managed: &Managed| match managed.clearing {
            Clearing::Again(at) => Some(at),
            Clearing::No => managed.app.due(),
            Clearing::UnderWay => None,
        };
        self.apps.values().filter_map(due).min()
    }

    /// The time of [`Self::due`] has come.
    pub(super) async fn look(&mut self) {
        let now = uptime();
        let keys: Vec<AppKey> = self.apps.keys().cloned().collect();
        for key in keys {
            let Some(managed) = self.apps.get_mut(&key) else { continue };
            match managed.clearing {
                Clearing::Again(at) if at <= now => {
                    managed.clearing = Clearing::No;
                    self.clear_if_gone(&key).await;
                }
                Clearing::No if managed.app.due().is_some_and(|due| due <= now) => {
                    self.step(&key, Event::Due);
                }
                Clearing::Again(_) | Clearing::No | Clearing::UnderWay => {}
            }
        }
    }

    /// Takes what has come of some work.
    pub(super) async fn take(&mut self, app: AppKey, outcome: Outcome) {
        let Some(managed) = self.apps.get_mut(&app) else { return };
        let event = match outcome {
            Outcome::Attached(Ok(attachment)) => {
                managed.attachment = Some(attachment);
                Event::Attached
            }
            Outcome::Attached(Err(why)) => Event::NotAttached(why),
            Outcome::Detached => {
                managed.attachment = None;
                Event::Detached
            }
            Outcome::Started { part, running, layers } => {
                managed.layers.insert(part.clone(), layers);
                managed.follow(&part, running);
                Event::Started(part)
            }
            Outcome::NotStarted { part, why, retry } => Event::NotStarted { part, why, retry },
            Outcome::Ended { part, end } => {
                managed.followed.remove(&part);
                managed.layers.remove(&part);
                Event::Ended(part, end)
            }
            Outcome::Probed { part, run, found } => Event::Probed { part, run, found },
            Outcome::Unlocked(is_open) => Event::Unlocked(is_open),
            Outcome::Locked(is_locked) => Event::Locked(is_locked),
            Outcome::Cleared(cleared) => return self.cleared(&app, cleared).await,
        };
        self.step(&app, event);
        self.clear_if_gone(&app).await;
    }

    /// Has a machine decide, and has done what it wants.
    fn step(&mut self, key: &AppKey, event: Event) {
        let Some(managed) = self.apps.get_mut(key) else { return };
        let now = uptime();
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let actions = managed.app.step(event, now);
            managed.note(key, &self.notes);
            for action in actions {
                events.extend(managed.act(key, action, &self.shared, &self.outcomes));
            }
        }
        let mut report = managed.app.report(key, now);
        for container in report.containers.values_mut() {
            container.seconds_up = None;
        }
        if managed.shown.as_ref() != Some(&report) {
            managed.shown = Some(report);
            self.changes.bump();
        }
    }

    /// An app that was removed is gone when its data is, or is hidden.
    async fn clear_if_gone(&mut self, key: &AppKey) {
        let Some(managed) = self.apps.get_mut(key) else { return };
        if !managed.app.is_gone() || managed.clearing != Clearing::No {
            return;
        }
        managed.clearing = Clearing::UnderWay;
        match managed.record.removal {
            Some(Removal::DeleteData) => managed.worker.clear(),
            Some(Removal::KeepData) | None => managed.worker.put_away(),
        }
    }

    async fn cleared(&mut self, key: &AppKey, cleared: Result<(), String>) {
        let Some(managed) = self.apps.get_mut(key) else { return };
        let keeps_data = managed.record.removal != Some(Removal::DeleteData) && !managed.is_damaged;
        let record = Record { spec: None, removal: None, ..managed.record.clone() };
        let (state, app, kept) = (self.state.clone(), key.clone(), record.clone());
        let forgotten = match cleared {
            Ok(()) => tokio::task::spawn_blocking(move || {
                if keeps_data { state.keep(&app, &kept) } else { state.forget(&app) }
            })
            .await
            .map_or_else(|_broke| Err("it broke off".to_owned()), |done| done.map_err(|error| chain(&error))),
            Err(words) => Err(words),
        };
        if let Err(words) = forgotten {
            tracing::warn!(app = %key, words, "what an app leaves behind is not removed; it is tried again");
            managed.clearing = Clearing::Again(uptime() + CLEAR_AGAIN);
            return;
        }
        if let Err(error) = self.notes.remove(key) {
            tracing::warn!(app = %key, error = &error as &dyn Error, "the note of an app stays");
        }
        self.apps.remove(key);
        if keeps_data {
            self.dormant.insert(key.clone(), record);
        }
        self.changes.bump();
    }

    /// Takes charge of an app.
    fn manage(&mut self, key: &AppKey, record: Record, app: App) -> &mut Managed {
        let worker = Worker::start(key.clone(), Arc::clone(&self.shared), self.outcomes.clone());
        let managed = Managed {
            record,
            is_damaged: false,
            app,
            worker,
            attachment: None,
            followed: BTreeMap::new(),
            layers: BTreeMap::new(),
            noted: None,
            shown: None,
            clearing: Clearing::No,
        };
        match self.apps.entry(key.clone()) {
            std::collections::btree_map::Entry::Vacant(place) => place.insert(managed),
            std::collections::btree_map::Entry::Occupied(place) => {
                let place = place.into_mut();
                *place = managed;
                place
            }
        }
    }
}

impl Managed {
    fn follow(&mut self, part: &PartName, running: Running) {
        let spec =
            self.app.parts().find(|(name, _)| *name == part).and_then(|(_, part)| part.spec().cloned());
        let followed = self.worker.follow(part, spec, running);
        self.followed.insert(part.clone(), followed);
    }

    /// Notes for the next run what is about to be done.
    fn note(&mut self, key: &AppKey, notes: &Notes) {
        let parts = self.app.parts().map(|(name, part)| {
            (name.clone(), PartNote::new(part.to_find(), self.layers.get(name).cloned()))
        });
        let note = Note { ids: self.record.ids, attachment: self.attachment.clone(), parts: parts.collect() };
        if self.noted.as_ref() == Some(&note) {
            return;
        }
        match notes.write(key, &note) {
            Ok(()) => self.noted = Some(note),
            // The next run would start anew what runs: worse than now, and no reason to run nothing.
            Err(error) => tracing::error!(app = %key, error = &error as &dyn Error, "an app was not noted"),
        }
    }

    /// Has something done; an event when it is known already what comes of it.
    fn act(
        &mut self,
        key: &AppKey,
        action: Action,
        shared: &Arc<Shared>,
        outcomes: &mpsc::Sender<(AppKey, Outcome)>,
    ) -> Option<Event> {
        match action {
            Action::Attach => self.worker.attach(),
            Action::Detach => self.worker.detach(),
            Action::Start(part) => {
                let spec = self.app.spec().containers.get(&part).cloned();
                let (Some(spec), Some(attachment)) = (spec, self.attachment.clone()) else {
                    let why = "it has no network".to_owned();
                    return Some(Event::NotStarted { part, why, retry: Retry::MayHelp });
                };
                let names = self.app.spec().containers.keys().cloned().collect();
                let first_id = self.record.first_id();
                self.worker.launch(part, Order { spec, names, first_id, attachment });
            }
            Action::Stop(part) => self.worker.stop(&part),
            Action::Kill(part) => self.worker.kill(&part),
            Action::Lock => self.worker.lock(),
            Action::Probe { part, run } => {
                let spec = self.app.spec().containers.get(&part);
                let check = spec.and_then(|spec| spec.health.clone())?;
                let id = ContainerId { app: key.clone(), name: part.clone() };
                let address = self.attachment.as_ref().map(|attachment| IpAddr::V4(attachment.ipv4));
                let (shared, outcomes, key) = (Arc::clone(shared), outcomes.clone(), key.clone());
                drop(tokio::spawn(async move {
                    let found = probe::check(shared, id, check, address).await;
                    drop(outcomes.send((key, Outcome::Probed { part, run, found })).await);
                }));
            }
        }
        None
    }
}
