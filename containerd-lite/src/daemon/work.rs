//! What is done for one app outside of the keeper: one thing after another, on threads that may block.

use super::Shared;
use super::keeper::Outcome;
use super::moment;
use super::network;
use super::output;
use crate::apps::Retry;
use crate::apps::words;
use crate::container;
use crate::container::Place;
use crate::image::Digest;
use crate::runtime::ContainerId;
use crate::runtime::Running;
use crate::runtime::RuntimeError;
use crate::volumes::VolumeError;
use crate::words::chain;
use model::containers::ContainerSpec;
use model::containers::LogStream;
use model::containers::PartName;
use model::network::attachment::Attachment;
use model::network::names::AppKey;
use std::error::Error;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::sync::watch;
use vault::directory::DirectoryKey;

/// Jobs that may wait for an app: more than its containers can ask for at a time.
const QUEUE: usize = 64;

/// Something that is done for an app.
type Job = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// What a container is to be started with.
pub(super) struct Order {
    pub(super) spec: ContainerSpec,
    pub(super) names: Vec<PartName>,
    pub(super) first_id: u32,
    pub(super) attachment: Attachment,
}

/// Something to be done with the volumes of an app at rest.
pub(crate) enum VolumeWork {
    Snapshot(PartName),
    Restore(PartName),
    RemoveSnapshot(PartName),
}

/// Work on volumes, and where to say what came of it.
pub(crate) type VolumeJob = (VolumeWork, oneshot::Sender<Result<(), VolumeError>>);

/// The one that works for an app.
#[derive(Clone)]
pub(super) struct Worker {
    app: AppKey,
    shared: Arc<Shared>,
    jobs: mpsc::Sender<Job>,
    outcomes: mpsc::Sender<(AppKey, Outcome)>,
}

/// A container that is followed; dropping it ends what was begun for its output.
pub(super) struct Followed {
    over: watch::Sender<bool>,
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.over.send_replace(true);
    }
}

impl Worker {
    pub(super) fn start(app: AppKey, shared: Arc<Shared>, outcomes: mpsc::Sender<(AppKey, Outcome)>) -> Self {
        let (jobs, mut queue) = mpsc::channel::<Job>(QUEUE);
        drop(tokio::spawn(async move {
            while let Some(job) = queue.recv().await {
                job.await;
            }
        }));
        Self { app, shared, jobs, outcomes }
    }

    fn id(&self, part: &PartName) -> ContainerId {
        ContainerId { app: self.app.clone(), name: part.clone() }
    }

    /// Puts a job behind those that wait.
    fn then(&self, job: impl Future<Output = ()> + Send + 'static) {
        let (jobs, job): (_, Job) = (self.jobs.clone(), Box::pin(job));
        if let Err(error) = jobs.try_send(job) {
            tracing::error!(app = %self.app, error = &error as &dyn Error, "work for an app is left undone");
        }
    }

    /// Puts a job behind those that wait; what comes of it is told to the keeper.
    fn tell(&self, job: impl Future<Output = Outcome> + Send + 'static) {
        let (outcomes, app) = (self.outcomes.clone(), self.app.clone());
        self.then(async move {
            // The keeper is gone: the daemon is stopping.
            drop(outcomes.send((app, job.await)).await);
        });
    }

    pub(super) fn attach(&self) {
        let (shared, app) = (Arc::clone(&self.shared), self.app.clone());
        self.tell(async move { Outcome::Attached(network::attach(&shared, &app).await) });
    }

    pub(super) fn detach(&self) {
        let (shared, app) = (Arc::clone(&self.shared), self.app.clone());
        self.tell(async move {
            network::detach(&shared, &app).await;
            Outcome::Detached
        });
    }

    pub(super) fn launch(&self, part: PartName, order: Order) {
        let (shared, id) = (Arc::clone(&self.shared), self.id(&part));
        self.tell(async move {
            let (log, failed) = (shared.logs.of(&id, moment()), Arc::clone(&shared));
            let key = id.clone();
            let started = tokio::task::spawn_blocking(move || launch(&shared, &id, &order)).await;
            let started = started.unwrap_or_else(|_broke| {
                Err(("starting it broke off by a mistake in this program".to_owned(), Retry::MayHelp))
            });
            match started {
                Ok((running, layers)) => Outcome::Started { part, running, layers },
                Err((why, retry)) => {
                    failed.images.release(&key);
                    log.say(format!("it cannot be started: {why}"), moment());
                    Outcome::NotStarted { part, why, retry }
                }
            }
        });
    }

    pub(super) fn stop(&self, part: &PartName) {
        self.order(part, "it is told to stop", |shared, id| shared.runtime.stop(id));
    }

    pub(super) fn kill(&self, part: &PartName) {
        self.order(part, "it is ended at once", |shared, id| shared.runtime.kill(id));
    }

    fn order(
        &self,
        part: &PartName,
        said: &'static str,
        call: impl FnOnce(&Shared, &ContainerId) -> Result<(), RuntimeError> + Send + 'static,
    ) {
        let (shared, id) = (Arc::clone(&self.shared), self.id(part));
        shared.logs.of(&id, moment()).say(said.to_owned(), moment());
        self.then(async move {
            let work = tokio::task::spawn_blocking(move || {
                if let Err(error) = call(&shared, &id) {
                    tracing::warn!(container = %id, words = chain(&error), "a container was not told");
                }
            });
            if work.await.is_err() {
                tracing::error!("telling a container broke off");
            }
        });
    }

    /// Follows a container that runs; its end is told.
    pub(super) fn follow(&self, part: &PartName, spec: Option<ContainerSpec>, running: Running) -> Followed {
        let (worker, id, part) = (self.clone(), self.id(part), part.clone());
        let log = self.shared.logs.of(&id, moment());
        let (over, over_too) = watch::channel(false);
        let [stdout, stderr] = running.output;
        let readers = [(stdout, LogStream::Stdout), (stderr, LogStream::Stderr)].map(|(pipe, stream)| {
            let alive = self.shared.readers.subscribe();
            tokio::spawn(output::follow(pipe, stream, Arc::clone(&log), over_too.clone(), alive))
        });
        let over_at_end = over.clone();
        drop(tokio::spawn(async move {
            let is_seen = output::ended(running.ended).await;
            over_at_end.send_replace(true);
            for reader in readers {
                drop(reader.await);
            }
            worker.settle(id, part, spec, is_seen);
        }));
        Followed { over }
    }

    /// A container has ended: how, and nothing is left of it.
    fn settle(
        &self,
        id: ContainerId,
        part: PartName,
        spec: Option<ContainerSpec>,
        is_seen: std::io::Result<()>,
    ) {
        let shared = Arc::clone(&self.shared);
        self.tell(async move {
            let work = tokio::task::spawn_blocking(move || {
                let runtime = &shared.runtime;
                let failed = |error: &dyn Error, what: &str| {
                    tracing::warn!(container = %id, words = chain(error), what);
                };
                if let Err(error) = is_seen {
                    // Nobody would ever know.
                    failed(&error, "the end of a container cannot be waited for");
                    runtime.kill(&id).unwrap_or_else(|error| failed(&error, "a container was not ended"));
                }
                let end = runtime.end(&id);
                runtime
                    .remove(&id)
                    .unwrap_or_else(|error| failed(&error, "a container was not cleared away"));
                shared.images.release(&id);
                let log = shared.logs.of(&id, moment());
                log.say(words::end(end, spec.as_ref()), moment());
                log.finish(moment()).unwrap_or_else(|error| failed(&error, "a log was not written"));
                end
            });
            let end = work.await.unwrap_or(model::containers::End::Unknown);
            Outcome::Ended { part, end }
        });
    }

    pub(super) fn volumes(&self, (work, answer): VolumeJob) {
        let (shared, app) = (Arc::clone(&self.shared), self.app.clone());
        self.then(async move {
            let work = tokio::task::spawn_blocking(move || {
                let done = match work {
                    VolumeWork::Snapshot(name) => shared.volumes.snapshot(&app, &name),
                    VolumeWork::Restore(name) => shared.volumes.restore(&app, &name),
                    VolumeWork::RemoveSnapshot(name) => shared.volumes.remove_snapshot(&app, &name),
                };
                drop(answer.send(done));
            });
            if work.await.is_err() {
                tracing::error!("work on volumes broke off");
            }
        });
    }

    /// Shows the data of the app.
    pub(super) fn unlock(
        &self,
        key: DirectoryKey,
        number: u32,
        answer: oneshot::Sender<Result<(), VolumeError>>,
    ) {
        let (shared, app) = (Arc::clone(&self.shared), self.app.clone());
        self.tell(async move {
            let work = tokio::task::spawn_blocking(move || {
                let shown = shared.volumes.unlock(&app, &key, number);
                // One whose locking failed before may be open, whatever became of this.
                let is_open = shown.is_ok() || shared.volumes.is_open(&app).unwrap_or(false);
                drop(answer.send(shown));
                is_open
            });
            Outcome::Unlocked(work.await.unwrap_or(false))
        });
    }

    /// Hides the data of the app; its logs are part of it.
    pub(super) fn lock(&self) {
        let (shared, app) = (Arc::clone(&self.shared), self.app.clone());
        self.tell(async move {
            let work = tokio::task::spawn_blocking(move || {
                hide(&shared, &app).inspect_err(|error| {
                    tracing::warn!(%app, words = chain(error), "data is not hidden yet; it is tried again");
                })
            });
            Outcome::Locked(matches!(work.await, Ok(Ok(()))))
        });
    }

    /// Hides the data of an app that was removed and leaves it.
    pub(super) fn put_away(&self) {
        let (shared, app) = (Arc::clone(&self.shared), self.app.clone());
        self.tell(async move {
            let work = tokio::task::spawn_blocking(move || hide(&shared, &app));
            let hidden = work.await.map_or_else(
                |_broke| Err("hiding it broke off".to_owned()),
                |hidden| hidden.map_err(|error| chain(&error)),
            );
            Outcome::Cleared(hidden)
        });
    }

    /// Removes all data of an app.
    pub(super) fn clear(&self) {
        let (shared, app) = (Arc::clone(&self.shared), self.app.clone());
        self.tell(async move {
            let work = tokio::task::spawn_blocking(move || {
                shared.logs.forget(&app, moment());
                shared.volumes.remove(&app).map_err(|error| chain(&error))
            });
            let cleared = work.await.unwrap_or_else(|_broke| Err("removing it broke off".to_owned()));
            Outcome::Cleared(cleared)
        });
    }

    /// Ends containers that belong to no app, and takes their network away.
    pub(super) fn end_strays(&self, parts: Vec<PartName>) {
        for part in parts {
            let (shared, id) = (Arc::clone(&self.shared), self.id(&part));
            self.then(async move {
                tracing::warn!(container = %id, "a container of no app is ended");
                if let Err(words) = end_stray(&shared, id.clone()).await {
                    tracing::warn!(container = %id, words, "a container of no app stays");
                }
            });
        }
        let (shared, app) = (Arc::clone(&self.shared), self.app.clone());
        self.then(async move { network::detach(&shared, &app).await });
    }
}

async fn end_stray(shared: &Arc<Shared>, id: ContainerId) -> Result<(), String> {
    let broke = |_broke| "it broke off".to_owned();
    let (runtime, key) = (Arc::clone(&shared.runtime), id.clone());
    let killed = tokio::task::spawn_blocking(move || {
        runtime.kill(&key).map_err(|error| chain(&error))?;
        runtime.find(&key).map_err(|error| chain(&error))
    });
    let ended: Option<OwnedFd> = killed.await.map_err(broke)??.map(|running| running.ended);
    if let Some(ended) = ended {
        let waited = tokio::time::timeout(super::STRAY_PATIENCE, output::ended(ended)).await;
        waited.map_err(|_elapsed| "it does not end".to_owned())?.map_err(|error| chain(&error))?;
    }
    let runtime = Arc::clone(&shared.runtime);
    let removed = tokio::task::spawn_blocking(move || runtime.remove(&id).map_err(|error| chain(&error)));
    removed.await.map_err(broke)?
}

/// Logs first: their files are open. Blocks.
fn hide(shared: &Shared, app: &AppKey) -> Result<(), VolumeError> {
    shared.logs.forget(app, moment());
    shared.volumes.lock(app)
}

/// From a specification to a running container. Blocks.
fn launch(
    shared: &Shared,
    id: &ContainerId,
    order: &Order,
) -> Result<(Running, Vec<Digest>), (String, Retry)> {
    let may_help = |error: &dyn Error| (chain(error), Retry::MayHelp);
    let useless = |error: &dyn Error| (chain(error), Retry::Useless);
    let held = shared.images.hold(id, &order.spec.image).map_err(|error| may_help(&error))?;
    let config = container::parse(&held.config).map_err(|error| useless(&error))?;
    let folder = shared.volumes.folder(&id.app);
    let place = Place {
        name: &id.name,
        names: &order.names,
        volumes: &folder,
        first_id: order.first_id,
        attachment: &order.attachment,
    };
    let start =
        container::start(&order.spec, &config, held.layers, &place).map_err(|error| useless(&error))?;
    let volumes = order.spec.volumes.iter().map(|volume| (&volume.name, &*volume.target));
    shared.volumes.ensure(&id.app, &start.layers, volumes).map_err(|error| may_help(&error))?;
    shared.logs.of(id, moment()).say("it is started".to_owned(), moment());
    match shared.runtime.start(id, &start) {
        Ok(running) => Ok((running, held.digests)),
        Err(error @ RuntimeError::Impossible(_)) => Err(useless(&error)),
        Err(error @ RuntimeError::Failed { .. }) => Err(may_help(&error)),
    }
}
