//! Finds again what an earlier run of the daemon left.

use super::Keeper;
use super::Outcome;
use crate::apps::App;
use crate::apps::Event;
use crate::apps::Found;
use crate::apps::FoundNetwork;
use crate::daemon::Changes;
use crate::daemon::Shared;
use crate::daemon::notes::Notes;
use crate::daemon::work::Worker;
use crate::runtime::ContainerId;
use crate::runtime::Running;
use crate::state::Loaded;
use crate::state::Record;
use crate::state::State;
use crate::words::chain;
use model::containers::PartName;
use model::network::names::AppKey;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::error::Error;
use std::sync::Arc;
use tokio::sync::mpsc;

impl Keeper {
    /// Takes up all apps, runs those that are to run, and ends what belongs to none.
    pub(in crate::daemon) async fn begin(
        shared: Arc<Shared>,
        (state, notes): (State, Notes),
        loaded: Loaded,
        changes: Changes,
        outcomes: mpsc::Sender<(AppKey, Outcome)>,
    ) -> Self {
        let Loaded { records, damaged } = loaded;
        for error in damaged.values() {
            tracing::error!(error = error as &dyn Error, "an app is not known");
        }
        let mut keeper = Self {
            shared,
            state,
            notes,
            changes,
            outcomes,
            apps: BTreeMap::new(),
            dormant: BTreeMap::new(),
            damaged,
        };
        let mut keys = Vec::new();
        for (key, record) in records {
            if record.spec.is_none() && record.removal.is_none() {
                keeper.dormant.insert(key, record);
                continue;
            }
            let removal = record.removal;
            keeper.take_up(&key, record).await;
            keys.push((key, removal));
        }
        keeper.end_strays().await;
        for (key, removal) in keys {
            keeper.step(&key, if removal.is_some() { Event::Remove } else { Event::Due });
            keeper.clear_if_gone(&key).await;
        }
        keeper
    }

    /// Takes charge of an app, with all that runs of it.
    pub(super) async fn take_up(&mut self, key: &AppKey, record: Record) {
        let note = self.notes.read(key).unwrap_or_default();
        let mut running = self.find(key).await;
        // Whoever has other ids by now is not what was noted.
        let is_same = note.ids == record.ids;
        let mut notes = note.parts;
        let names: BTreeSet<PartName> = notes.keys().chain(running.keys()).cloned().collect();
        let mut parts = BTreeMap::new();
        for name in names {
            let noted = notes.remove(&name).unwrap_or_default();
            let id = ContainerId { app: key.clone(), name: name.clone() };
            let since = running.get(&name).map(|running| running.since_boot);
            let layers = noted.layers.clone();
            let mut found: Found = noted.found(since);
            if !is_same {
                found.spec = None;
            }
            if since.is_some() {
                self.hold(&id, &found, layers).await;
            }
            parts.insert(name, found);
        }
        let network = match (&note.attachment, running.is_empty()) {
            (Some(_), _) => FoundNetwork::Whole,
            (None, true) => FoundNetwork::None,
            (None, false) => FoundNetwork::Lost,
        };
        let app = App::found(record.spec.clone().unwrap_or_default(), record.wanted, network, parts)
            .with_data(self.is_open(key).await);
        let (shared, wanted) = (Arc::clone(&self.shared), record.wanted);
        let managed = self.manage(key, record, app);
        managed.attachment = note.attachment;
        for (name, running) in std::mem::take(&mut running) {
            tracing::info!(app = %key, container = %name, ?wanted, "a container was found");
            let id = ContainerId { app: key.clone(), name: name.clone() };
            managed.layers.extend(shared.images.layers_of(&id).map(|layers| (name.clone(), layers)));
            managed.follow(&name, running);
        }
    }

    /// What was noted of its layers, or what its image has now, if it is the same.
    async fn hold(&self, id: &ContainerId, found: &Found, layers: Option<Vec<crate::image::Digest>>) {
        let images = Arc::clone(&self.shared.images);
        let (id, image) = (id.clone(), found.spec.as_ref().map(|spec| spec.image.clone()));
        let held = tokio::task::spawn_blocking(move || match (layers, image) {
            (None, Some(image)) if images.hold(&id, &image).is_ok() => {}
            (layers, _) => images.hold_again(&id, layers),
        });
        if held.await.is_err() {
            tracing::error!("finding the layers of a container broke off");
        }
    }

    /// Whether the data of an app is shown. What is not known is taken for hidden: then somebody has to give the key.
    pub(super) async fn is_open(&self, key: &AppKey) -> bool {
        let (shared, key) = (Arc::clone(&self.shared), key.clone());
        let asked = tokio::task::spawn_blocking(move || {
            shared.volumes.is_open(&key).unwrap_or_else(|error| {
                tracing::error!(app = %key, words = chain(&error), "it is not known whether data is shown");
                false
            })
        });
        asked.await.unwrap_or(false)
    }

    /// Containers of an app of which there is something.
    async fn find(&self, key: &AppKey) -> BTreeMap<PartName, Running> {
        let (runtime, key) = (Arc::clone(&self.shared.runtime), key.clone());
        let found = tokio::task::spawn_blocking(move || {
            let mut found = BTreeMap::new();
            for id in runtime.list().map_err(|error| chain(&error))?.into_iter().filter(|id| id.app == key) {
                if let Some(running) =
                    runtime.find(&id).map_err(|error| format!("{id}: {}", chain(&error)))?
                {
                    found.insert(id.name, running);
                }
            }
            Ok::<_, String>(found)
        });
        found.await.unwrap_or_else(|_broke| Err("it broke off".to_owned())).unwrap_or_else(|words| {
            tracing::error!(words, "what runs of an app is not known");
            BTreeMap::new()
        })
    }

    /// Ends containers whose app was forgotten; those of an app whose record is damaged are left alone.
    async fn end_strays(&self) {
        let runtime = Arc::clone(&self.shared.runtime);
        let listed = tokio::task::spawn_blocking(move || runtime.list().map_err(|error| chain(&error))).await;
        let listed = listed.unwrap_or_else(|_broke| Err("it broke off".to_owned())).unwrap_or_else(|words| {
            tracing::error!(words, "what runs is not known");
            Vec::new()
        });
        let mut strays: BTreeMap<AppKey, Vec<PartName>> = BTreeMap::new();
        let is_stray = |app: &AppKey| !self.apps.contains_key(app) && !self.damaged.contains_key(app);
        for id in listed.into_iter().filter(|id| is_stray(&id.app)) {
            strays.entry(id.app).or_default().push(id.name);
        }
        let noted = self.notes.apps().unwrap_or_default();
        for app in noted.into_iter().filter(|app| is_stray(app)) {
            strays.entry(app.clone()).or_default();
            if let Err(error) = self.notes.remove(&app) {
                tracing::warn!(%app, error = &error as &dyn Error, "the note of an app stays");
            }
        }
        for (app, parts) in strays {
            Worker::start(app, Arc::clone(&self.shared), self.outcomes.clone()).end_strays(parts);
        }
    }
}
