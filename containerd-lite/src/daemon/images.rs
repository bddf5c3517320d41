//! The store of images as the daemon uses it: pulls with their progress, and which layers are in use.

use super::Changes;
use crate::image::Digest;
use crate::image::Reference;
use crate::image::Refused;
use crate::image::Store;
use crate::image::gather::Event;
use crate::image::gather::GatherError;
use crate::image::import;
use crate::image::pull;
use crate::image::pull::Registries;
use crate::image::store::Record;
use crate::image::store::StoreError;
use crate::runtime::ContainerId;
use crate::words::chain;
use model::containers;
use model::containers::ImageChoice;
use model::containers::ImageReport;
use model::containers::PullReport;
use model::containers::PullState;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs::File;
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use tokio::sync::Notify;
use tokio::sync::Semaphore;

/// Most pulls that are under way or remembered.
const MAX_PULLS: usize = 64;
/// A change of progress is told when it is this share of the whole, and every so many bytes while that is not known.
const TOLD_SHARE: u64 = 100;

/// Images, pulls, and what is in use.
pub(crate) struct Images {
    store: Store,
    /// Layers under each container; none when they are not known.
    held: Mutex<BTreeMap<ContainerId, Option<Vec<Digest>>>>,
    pulls: Mutex<BTreeMap<Reference, Pull>>,
    /// The store makes one change at a time: those that wait do so without a thread.
    turn: Semaphore,
    changes: Changes,
}

#[derive(Debug)]
struct Pull {
    order: u64,
    state: PullState,
    stop: Arc<Stop>,
}

#[derive(Debug, Default)]
struct Stop {
    is_wanted: AtomicBool,
    wanted: Notify,
}

/// Why a container has no image to run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoImage {
    #[error("its image {0:?} has no name that is known")]
    Name(String),
    #[error("its image {0} is not in the store: pull it")]
    Missing(Reference),
    #[error("the store has another image by now under the name {0}: update the app, or pull the image again")]
    Another(Reference),
    #[error("its image cannot be read")]
    Store(#[from] StoreError),
}

/// What a container runs on; its layers are in use from now on.
pub(crate) struct Held {
    pub(crate) config: Vec<u8>,
    pub(crate) layers: Vec<PathBuf>,
    pub(crate) digests: Vec<Digest>,
}

impl std::fmt::Debug for Images {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Images").finish_non_exhaustive()
    }
}

impl Images {
    pub(crate) fn new(store: Store, changes: Changes) -> Self {
        Self { store, held: Mutex::default(), pulls: Mutex::default(), turn: Semaphore::new(1), changes }
    }

    /// Finds a container's image and keeps its layers from being collected. Blocks.
    pub(crate) fn hold(&self, id: &ContainerId, choice: &ImageChoice) -> Result<Held, NoImage> {
        let name: Reference = choice.name.parse().map_err(|_bad| NoImage::Name(choice.name.clone()))?;
        // A collection waits for this, or this for it.
        let mut held = lock(&self.held);
        let record = self.store.find(&name)?.ok_or_else(|| NoImage::Missing(name.clone()))?;
        if record.manifest.to_string() != choice.manifest {
            return Err(NoImage::Another(name));
        }
        let config = self.store.config(&record)?;
        held.insert(id.clone(), Some(record.layers.clone()));
        Ok(Held { config, layers: self.store.layers(&record), digests: record.layers })
    }

    /// Takes up what a container runs on that an earlier daemon started.
    pub(crate) fn hold_again(&self, id: &ContainerId, layers: Option<Vec<Digest>>) {
        lock(&self.held).insert(id.clone(), layers);
    }

    /// What a container runs on, as far as that is known.
    pub(crate) fn layers_of(&self, id: &ContainerId) -> Option<Vec<Digest>> {
        lock(&self.held).get(id).cloned().flatten()
    }

    /// A container runs no more.
    pub(crate) fn release(&self, id: &ContainerId) {
        lock(&self.held).remove(id);
    }

    /// Begins to pull an image, with what its owner says of registries.
    pub(crate) fn pull(
        self: &Arc<Self>,
        name: Reference,
        said: &containers::Registries,
    ) -> Result<(), String> {
        let registries = Registries::from(said);
        let stop = Arc::new(Stop::default());
        {
            let mut pulls = lock(&self.pulls);
            if pulls.get(&name).is_some_and(Pull::is_running) {
                return Ok(());
            }
            pulls.remove(&name);
            forget_oldest(&mut pulls)?;
            let order = pulls.values().map(|pull| pull.order).max().unwrap_or_default() + 1;
            let state = PullState::Running { done_bytes: 0, total_bytes: 0 };
            pulls.insert(name.clone(), Pull { order, state, stop: Arc::clone(&stop) });
        }
        self.changes.bump();
        let images = Arc::clone(self);
        drop(tokio::spawn(async move {
            let state = images.carry_out(&name, registries, stop).await;
            images.set(&name, state);
        }));
        Ok(())
    }

    async fn carry_out(
        self: &Arc<Self>,
        name: &Reference,
        registries: Registries,
        stop: Arc<Stop>,
    ) -> PullState {
        // Cancel safe: a place in the queue is given up.
        let turn = tokio::select! {
            turn = self.turn.acquire() => turn,
            () = stop.wanted.notified() => return failed(&GatherError::CalledOff),
        };
        let Ok(_turn) = turn else { return failed(&GatherError::CalledOff) };
        let (images, name) = (Arc::clone(self), name.clone());
        let pulled = tokio::task::spawn_blocking(move || {
            let progress = Mutex::new(Progress::default());
            let watch = |event: &Event| {
                if stop.is_wanted.load(Ordering::Relaxed) {
                    return ControlFlow::Break(());
                }
                if let Some(state) = lock(&progress).take(event) {
                    images.set(&name, state);
                }
                ControlFlow::Continue(())
            };
            if name.is_brought() {
                return images.at_hand(&name);
            }
            match pull::pull(&images.store, &name, &registries, &watch) {
                Ok(record) => PullState::Done { manifest: record.manifest.to_string() },
                Err(error) => failed(&error),
            }
        });
        pulled.await.unwrap_or_else(|_broke| PullState::Failed {
            reason: "disk".to_owned(),
            words: "the pull broke off by a mistake in this program".to_owned(),
        })
    }

    /// An image that somebody brought to the box, by its name or by its digest. Blocks.
    fn at_hand(&self, name: &Reference) -> PullState {
        let found = self.store.find(name).and_then(|found| {
            let Some(digest) = name.digest().filter(|_| found.is_none()) else { return Ok(found) };
            let is_it = |image: &Record| {
                image.manifest == digest
                    && image.name.is_brought()
                    && image.name.repository() == name.repository()
            };
            let image = self.store.images()?.into_iter().find(is_it);
            image.map(|image| self.store.name_also(&image, name)).transpose()
        });
        match found {
            Ok(Some(image)) => PullState::Done { manifest: image.manifest.to_string() },
            Ok(None) => PullState::Failed {
                reason: "missing".to_owned(),
                words: format!("nobody has brought the image {name} to this box: send it its file"),
            },
            Err(error) => PullState::Failed { reason: "disk".to_owned(), words: chain(&error) },
        }
    }

    fn set(&self, name: &Reference, state: PullState) {
        if let Some(pull) = lock(&self.pulls).get_mut(name) {
            pull.state = state;
        }
        self.changes.bump();
    }

    /// Ends a pull.
    pub(crate) fn cancel(&self, name: &Reference) {
        if let Some(pull) = lock(&self.pulls).get(name) {
            pull.stop.want();
        }
    }

    /// Ends all.
    pub(crate) fn cancel_all(&self) {
        lock(&self.pulls).values().for_each(|pull| pull.stop.want());
    }

    /// All that are under way or ended not long ago, the oldest first.
    pub(crate) fn pulls(&self) -> Vec<PullReport> {
        let pulls = lock(&self.pulls);
        let mut all: Vec<(u64, PullReport)> = pulls
            .iter()
            .map(|(name, pull)| {
                (pull.order, PullReport { name: name.to_string(), state: pull.state.clone() })
            })
            .collect();
        all.sort_by_key(|(order, _)| *order);
        all.into_iter().map(|(_, report)| report).collect()
    }

    /// Takes an image out of an archive. Blocks.
    pub(crate) fn import(&self, name: &Reference, archive: OwnedFd) -> Result<ImageReport, String> {
        let go_on = |_: &Event| ControlFlow::Continue(());
        let record = import::import(&self.store, File::from(archive), None, name, &go_on)
            .map_err(|error| chain(&error))?;
        self.changes.bump();
        self.report(&record)
    }

    /// All images. Blocks.
    pub(crate) fn all(&self) -> Result<Vec<ImageReport>, String> {
        let records = self.store.images().map_err(|error| chain(&error))?;
        records.iter().map(|record| self.report(record)).collect()
    }

    fn report(&self, record: &Record) -> Result<ImageReport, String> {
        let config = self.store.config(record).map_err(|error| chain(&error))?;
        // An image that nothing can be started from is still one that can be removed.
        let config = crate::container::parse(&config).unwrap_or_default();
        Ok(ImageReport {
            name: record.name.to_string(),
            manifest: record.manifest.to_string(),
            ports: config.ports,
            volumes: config.volumes,
        })
    }

    /// Forgets an image; whether there was one. Blocks.
    pub(crate) fn remove(&self, name: &Reference) -> Result<bool, String> {
        let removed = self.store.remove(name).map_err(|error| chain(&error))?;
        self.changes.bump();
        Ok(removed)
    }

    /// Takes away what neither an image nor a running container needs. Blocks.
    pub(crate) fn collect(&self) -> Result<u64, String> {
        let held = lock(&self.held);
        let mut in_use = BTreeSet::new();
        for (id, layers) in held.iter() {
            let layers = layers.as_ref();
            in_use.extend(
                layers.ok_or_else(|| format!("it is not known what {id} runs on: restart that app"))?,
            );
        }
        let taken = self.store.collect_but(&in_use).map_err(|error| chain(&error))?;
        Ok(u64::try_from(taken.layers + taken.documents).unwrap_or(u64::MAX))
    }
}

impl Pull {
    fn is_running(&self) -> bool {
        matches!(self.state, PullState::Running { .. })
    }
}

impl Stop {
    fn want(&self) {
        self.is_wanted.store(true, Ordering::Relaxed);
        self.wanted.notify_one();
    }
}

fn forget_oldest(pulls: &mut BTreeMap<Reference, Pull>) -> Result<(), String> {
    while pulls.len() >= MAX_PULLS {
        let ended = pulls.iter().filter(|(_, pull)| !pull.is_running()).min_by_key(|(_, pull)| pull.order);
        let oldest = ended.map(|(name, _)| name.clone());
        let oldest =
            oldest.ok_or_else(|| format!("{MAX_PULLS} images are being pulled: wait for some of them"))?;
        pulls.remove(&oldest);
    }
    Ok(())
}

/// How far a pull is.
#[derive(Debug, Default)]
struct Progress {
    layers: BTreeMap<Digest, u64>,
    total: u64,
    told: u64,
}

impl Progress {
    /// What is worth telling.
    fn take(&mut self, event: &Event) -> Option<PullState> {
        match event {
            Event::Found { bytes, .. } => {
                self.total = *bytes;
                Some(self.state())
            }
            Event::Fetched { layer, bytes, .. } => {
                self.layers.insert(*layer, *bytes);
                let done = self.done();
                if done.saturating_sub(self.told) < self.total / TOLD_SHARE && done < self.total {
                    return None;
                }
                self.told = done;
                Some(self.state())
            }
            Event::Unpacking { .. } => None,
        }
    }

    fn done(&self) -> u64 {
        self.layers.values().fold(0, |sum, bytes| sum.saturating_add(*bytes))
    }

    fn state(&self) -> PullState {
        PullState::Running { done_bytes: self.done(), total_bytes: self.total }
    }
}

fn failed(error: &GatherError) -> PullState {
    let reason = match error {
        GatherError::Refused(refused) => name_of(refused),
        GatherError::Registry(_) | GatherError::Stalled { .. } | GatherError::BrokeOff { .. } => {
            "registry".to_owned()
        }
        GatherError::CalledOff => "called-off".to_owned(),
        GatherError::File { .. } | GatherError::Unpack(_) | GatherError::Store(_) => "disk".to_owned(),
    };
    PullState::Failed { reason, words: chain(error) }
}

/// The name that programs know a refusal by.
fn name_of(refused: &Refused) -> String {
    let value = serde_json::to_value(refused).ok();
    let name = value.as_ref().and_then(|value| value.get("reason")?.as_str());
    name.unwrap_or("refused").to_owned()
}

/// What is under these locks is whole at every moment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(number: u8) -> Digest {
        Digest::of(&[number])
    }

    #[test]
    fn progress_adds_up_and_is_told_in_steps() {
        let mut progress = Progress::default();
        let found = progress.take(&Event::Found { layers: 2, bytes: 1000 });
        assert_eq!(found, Some(PullState::Running { done_bytes: 0, total_bytes: 1000 }));
        let fetched = |layer, bytes| Event::Fetched { layer, bytes, of: 500 };
        assert_eq!(progress.take(&fetched(layer(1), 9)), None);
        let told = progress.take(&fetched(layer(2), 4));
        assert_eq!(told, Some(PullState::Running { done_bytes: 13, total_bytes: 1000 }));
        progress.take(&fetched(layer(2), 500));
        let whole = progress.take(&fetched(layer(1), 500));
        assert_eq!(whole, Some(PullState::Running { done_bytes: 1000, total_bytes: 1000 }));
    }

    #[test]
    fn failures_have_names_for_programs() {
        let name = |error: GatherError| match failed(&error) {
            PullState::Failed { reason, words } => {
                assert!(!words.is_empty());
                reason
            }
            PullState::Running { .. } | PullState::Done { .. } => panic!("{error}"),
        };
        assert_eq!(name(Refused::Schema1.into()), "schema1");
        assert_eq!(name(Refused::NoRoom { free: 1, reserve: 2 }.into()), "no-room");
        assert_eq!(name(GatherError::CalledOff), "called-off");
        assert_eq!(name(pull::RegistryError::TooOften { host: "x".to_owned() }.into()), "registry");
    }
}
