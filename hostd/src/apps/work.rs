//! Carries out what [`flow`](super::flow) says, one task for each app under way.

use super::Apps;
use super::News;
use super::Progress;
use super::containerd::ContainerdError;
use super::containerd::LOCKED;
use super::containerd::World;
use super::convert;
use super::error::AppsError;
use super::flow::Action;
use super::flow::Data;
use super::flow::InstallStep;
use super::flow::Next;
use super::flow::Outcome;
use super::flow::Phase;
use super::flow::UpdateStep;
use super::image_name;
use super::is_absence;
use super::lock;
use super::record::AppRecord;
use super::record::Edition;
use hostapi::containers1::Containers1Error;
use model::containers::AppReport;
use model::containers::AppState;
use model::containers::ContainerState;
use model::containers::DataState;
use model::containers::ImageChoice;
use model::containers::ImageReport;
use model::containers::PartName;
use model::containers::PullState;
use model::containers::Wanted;
use model::network::names::AppKey;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Name of the snapshot that an update takes.
const SNAPSHOT: &str = "before-update";
/// What is waited for is looked at this often, should nobody tell that it changed.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How often a container may have to be started again before it has proved itself; the pauses between grow (docs/spec/daemon-containers.md).
const CRASHES: u32 = 4;
/// Lines of a log that tell why an app did not become healthy.
const TELLING_LINES: u32 = 5;
/// Why an operation came to nothing that nobody wanted any more.
const CALLED_OFF: &str = "it was called off";

/// Why a wait ended without what was waited for.
enum Vain {
    /// It will not come, in plain words.
    Never(String),
    /// Whoever was asked did not answer.
    Error(AppsError),
}

impl From<ContainerdError> for Vain {
    fn from(error: ContainerdError) -> Self {
        Self::Error(AppsError::Containerd(error))
    }
}

impl Apps {
    /// Carries on with everything that is under way.
    pub(super) fn resume(&self) {
        for record in self.all() {
            if record.phase.action().is_some() {
                tracing::info!(app = %record.id, "what was being done to an app is carried on");
                self.carry_on(record.key);
            }
        }
    }

    /// Begins the task of an app that is under way.
    pub(super) fn carry_on(&self, key: AppKey) {
        let apps = self.clone();
        let mut tasks = lock(&self.0.tasks);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move { apps.work(&key).await });
    }

    async fn work(&self, key: &AppKey) {
        while let Some(record) = self.record(key) {
            let Some(action) = record.phase.action() else { break };
            self.tell(News::Changed(key.clone()));
            let outcome = self.carry_out(&record, action).await;
            if let Outcome::Failed(why) = &outcome {
                tracing::warn!(app = %record.id, ?action, why, "a step of an app's operation failed");
            }
            lock(&self.0.progress).remove(key);
            let kept = self.settle(&record, outcome).await;
            match kept {
                Ok(()) => drop(lock(&self.0.blocked).remove(key)),
                // What was not kept is done again: every step may be.
                Err(why) => {
                    lock(&self.0.blocked).insert(key.clone(), why);
                    self.tell(News::Changed(key.clone()));
                    tokio::time::sleep(self.0.patience.again_after).await;
                }
            }
        }
        self.0.called_off.send_modify(|keys| {
            keys.remove(key);
        });
    }

    /// Keeps what follows. While this has its turn nobody else changes the app.
    async fn settle(&self, record: &AppRecord, outcome: Outcome) -> Result<(), String> {
        let _writing = self.0.writing.lock().await;
        // Somebody may have wanted otherwise meanwhile; that has been kept, and comes next.
        let Some(now) = self.record(&record.key).filter(|now| now.phase == record.phase) else {
            return Ok(());
        };
        let outcome = if self.is_called_off(record) { called_off() } else { outcome };
        match now.phase.clone().after(outcome) {
            Next::Phase(phase, problem) => {
                let rests = phase.action().is_none();
                self.keep(AppRecord { phase: *phase, problem, ..now })
                    .await
                    .map_err(|error| error.words())?;
                if rests {
                    self.tidy(record);
                }
            }
            Next::Gone(problem) => {
                self.forget(now, problem).await.map_err(|error| error.words())?;
                self.tidy(record);
            }
            Next::Again(why) => return Err(why),
        }
        Ok(())
    }

    /// Has the image store forget what no app needs any more; where that fails, it takes room and no more.
    fn tidy(&self, before: &AppRecord) {
        let needed: BTreeSet<String> =
            self.all().iter().flat_map(|record| images_of(&record.phase)).collect();
        let unneeded: Vec<String> =
            images_of(&before.phase).into_iter().filter(|name| !needed.contains(name)).collect();
        let containerd = self.0.containerd.clone();
        lock(&self.0.tasks).spawn(async move {
            for name in unneeded {
                if let Err(error) = containerd.forget_image(&name).await {
                    tracing::debug!(error = &error as &dyn Error, name, "an image stays in the store");
                }
            }
        });
    }

    /// One step. Where the other side is away, it is waited for.
    async fn carry_out(&self, record: &AppRecord, action: Action) -> Outcome {
        loop {
            if self.is_called_off(record) {
                return called_off();
            }
            let error = match self.try_to(record, action).await {
                Ok(outcome) => return outcome,
                Err(Vain::Never(why)) => return Outcome::Failed(why),
                Err(Vain::Error(error)) => error,
            };
            if action == Action::Shut {
                self.0.untold.notify_one();
                tracing::info!(error = &error as &dyn Error, "netd was not told that an app is gone");
                return Outcome::Done;
            }
            if !is_absence(&error) {
                tracing::warn!(error = &error as &dyn Error, app = %record.id, "a step failed");
                return Outcome::Failed(error.words());
            }
            lock(&self.0.blocked).insert(record.key.clone(), error.words());
            self.tell(News::Changed(record.key.clone()));
            self.wait_for_others().await;
        }
    }

    /// Until something has changed about whoever is away.
    async fn wait_for_others(&self) {
        let (mut world, mut netd) = (self.0.containerd.world(), self.0.netd.connection());
        let mut called_off = self.0.called_off.subscribe();
        // All are cancel safe, and a change that is missed is noticed at the next look.
        tokio::select! {
            _ = world.changed() => {}
            _ = netd.changed() => {}
            _ = called_off.changed() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }

    async fn try_to(&self, record: &AppRecord, action: Action) -> Result<Outcome, Vain> {
        let (containerd, key) = (&self.0.containerd, &record.key);
        let snapshot = || SNAPSHOT.parse::<PartName>().map_err(|error| Vain::Never(error.to_string()));
        match action {
            Action::Pull => return self.pull(record).await.map(|edition| Outcome::Pulled(Box::new(edition))),
            Action::Admit | Action::Shut => self.send_policy().await.map_err(Vain::Error)?,
            Action::Place => {
                let spec = convert::spec(record.phase.subject());
                let spec = spec.map_err(|error| Vain::Never(error.to_string()))?;
                containerd.set_app(key, &spec).await?;
            }
            Action::Start => containerd.start(key).await?,
            Action::Prove => self.prove(record).await?,
            Action::Stop => {
                unless_unknown(containerd.stop(key).await)?;
                self.until(key, |app| app.is_none_or(|app| app.state == AppState::Stopped)).await?;
            }
            // One that is not known has nothing to save: it came back from a backup, without its data.
            Action::Save => unless_unknown(containerd.snapshot(key, &snapshot()?).await)?,
            Action::Restore => unless_unknown(containerd.restore(key, &snapshot()?).await)?,
            Action::Forget => unless_unknown(containerd.forget_snapshot(key, &snapshot()?).await)?,
            Action::Remove(data) => {
                self.remove_from_containerd(record, data).await?;
                self.until(key, |app| app.is_none()).await?;
            }
        }
        Ok(Outcome::Done)
    }

    async fn remove_from_containerd(&self, record: &AppRecord, data: Data) -> Result<(), Vain> {
        let (containerd, key) = (&self.0.containerd, &record.key);
        let delete = data == Data::Delete;
        match containerd.remove(key, delete).await {
            Err(error) if is_unknown(&error) && delete => {}
            other => return unless_unknown(other),
        }
        // Of an app that was removed before, only its data may be left: it is placed once more, to go with that.
        let Ok(spec) = convert::spec(record.phase.subject()) else { return Ok(()) };
        match containerd.set_app(key, &spec).await {
            Err(error) if error.is_absence() => Err(error.into()),
            Err(_refused) => Ok(()),
            Ok(()) => unless_unknown(containerd.remove(key, true).await),
        }
    }

    /// Waits until a report on the app is as it should be.
    async fn until(&self, key: &AppKey, holds: impl Fn(Option<&AppReport>) -> bool) -> Result<(), Vain> {
        let mut world = self.0.containerd.world();
        loop {
            if holds(self.0.containerd.look().await?.app(key)) {
                return Ok(());
            }
            tokio::select! {
                _ = world.changed() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Waits until the app has been healthy for a while.
    async fn prove(&self, record: &AppRecord) -> Result<(), Vain> {
        let (patience, edition) = (self.0.patience, record.phase.subject());
        let window = patience.healthy_within.saturating_add(own_time(edition));
        let mut end = Instant::now() + window;
        let mut world = self.0.containerd.world();
        let mut called_off = self.0.called_off.subscribe();
        let mut healthy: Option<(Instant, u32)> = None;
        loop {
            if self.is_called_off(record) {
                return Err(Vain::Never(CALLED_OFF.to_owned()));
            }
            let seen = self.0.containerd.look().await?;
            let app = seen.app(&record.key);
            let now = Instant::now();
            let is_locked = app.is_some_and(|app| app.data != DataState::Open);
            self.is_blocked(&record.key, is_locked.then_some(LOCKED));
            if is_locked {
                // That is not its fault, and may take until somebody is back.
                end = now + window;
            }
            healthy = match app {
                Some(app) if app.state == AppState::Running => {
                    // One that ended and was started again in between has to prove itself anew.
                    let restarts: u32 = app.containers.values().map(|container| container.restarts).sum();
                    Some(healthy.filter(|(_, before)| *before == restarts).unwrap_or((now, restarts)))
                }
                Some(_) | None => None,
            };
            let ends_again = |app: &AppReport| app.containers.values().any(|one| one.restarts >= CRASHES);
            let has_failed = app.is_none_or(|app| {
                let is_over = app.state == AppState::Failed || app.wanted == Wanted::Stopped;
                is_over || (healthy.is_none() && ends_again(app))
            });
            if healthy.is_some_and(|(since, _)| now >= since + patience.settled_for) {
                return Ok(());
            }
            if has_failed || (healthy.is_none() && now >= end) {
                let why = if app.is_some_and(ends_again) {
                    "it ends again and again".to_owned()
                } else if has_failed {
                    "it does not run".to_owned()
                } else {
                    format!("it was not healthy within {} seconds", window.as_secs())
                };
                return Err(Vain::Never(format!("{why}{}", self.telling(record, app).await)));
            }
            let settled = healthy.map_or(end, |(since, _)| since + patience.settled_for);
            let next = settled.min(now + LOOK_EVERY);
            // All are cancel safe.
            tokio::select! {
                _ = world.changed() => {}
                _ = called_off.changed() => {}
                () = tokio::time::sleep_until(next) => {}
            }
        }
    }

    /// Says what an operation waits for, if anything.
    fn is_blocked(&self, key: &AppKey, words: Option<&str>) {
        let mut blocked = lock(&self.0.blocked);
        let before = match words {
            Some(words) => blocked.insert(key.clone(), words.to_owned()),
            None => blocked.remove(key),
        };
        drop(blocked);
        if before.as_deref() != words {
            self.tell(News::Changed(key.clone()));
        }
    }

    /// Reasons, and what the container said last that is to blame: after an installation that is undone nobody can look.
    async fn telling(&self, record: &AppRecord, app: Option<&AppReport>) -> String {
        let Some(app) = app else { return ": the box's app service does not know it".to_owned() };
        let mut words = reasons(app).iter().map(|reason| format!(": {reason}")).collect::<String>();
        let is_to_blame = |state| {
            !matches!(state, ContainerState::Running | ContainerState::Completed | ContainerState::Waiting)
        };
        let blamed = app.containers.iter().find(|(_, container)| is_to_blame(container.state));
        if let Some((name, _)) = blamed
            && let Ok(page) = self.0.containerd.logs(&record.key, name, 0, TELLING_LINES).await
            && !page.lines.is_empty()
        {
            let lines: Vec<_> = page.lines.iter().map(|line| line.text.trim_end()).collect();
            words.push_str(&format!(". The last that {name} said: {}", lines.join(" / ")));
        }
        words
    }

    /// Pulls all images; what runs with them.
    async fn pull(&self, record: &AppRecord) -> Result<Edition, Vain> {
        let mut edition = record.phase.subject().clone();
        let mut images = BTreeMap::new();
        for (name, container) in &edition.manifest.containers {
            let complete = image_name::complete(container.image.as_str());
            let image = self.pull_one(record, &complete).await?;
            // By its digest it stays what it is, whoever pulls the tag again: an update, to which this one is the way back, or
            // another app.
            let fixed = image_name::fixed(&complete, &image.manifest);
            let kept = match self.pull_one(record, &fixed).await {
                Ok(again) if again.manifest == image.manifest => fixed,
                Ok(_) | Err(Vain::Never(_)) => complete,
                Err(error) => return Err(error),
            };
            images
                .insert(name.clone(), (ImageChoice { name: kept, manifest: image.manifest.clone() }, image));
        }
        if edition.is_bare
            && let Some((_, image)) = images.values().next()
        {
            edition.manifest = convert::completed(edition.manifest, image);
        }
        Ok(edition.with_images(images.into_iter().map(|(name, (choice, _))| (name, choice)).collect()))
    }

    async fn pull_one(&self, record: &AppRecord, name: &str) -> Result<ImageReport, Vain> {
        let containerd = &self.0.containerd;
        let mut world = containerd.world();
        let mut called_off = self.0.called_off.subscribe();
        containerd.pull(name, &self.registries_for(name)).await?;
        loop {
            if self.is_called_off(record) {
                containerd.cancel_pull(name).await?;
                return Err(Vain::Never(CALLED_OFF.to_owned()));
            }
            let seen: Arc<World> = containerd.look().await?;
            match seen.pull(name).map(|pull| &pull.state) {
                Some(PullState::Running { done_bytes, total_bytes }) => {
                    self.progressed(&record.key, Progress { done: *done_bytes, total: *total_bytes });
                }
                Some(PullState::Failed { words, .. }) => {
                    return Err(Vain::Never(format!("the image {name} cannot be had: {words}")));
                }
                Some(PullState::Done { .. }) | None => {
                    let image = containerd.image(name).await?;
                    let lost = || Vain::Never(format!("the image {name} was pulled and is not there"));
                    return image.ok_or_else(lost);
                }
            }
            // All are cancel safe.
            tokio::select! {
                _ = world.changed() => {}
                _ = called_off.changed() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    fn progressed(&self, key: &AppKey, progress: Progress) {
        if lock(&self.0.progress).insert(key.clone(), progress) != Some(progress) {
            self.tell(News::Changed(key.clone()));
        }
    }

    /// Whether an installation is to come to nothing, or an update that has not touched anything.
    fn is_called_off(&self, record: &AppRecord) -> bool {
        let can_be = match &record.phase {
            Phase::Installing { step, .. } => {
                !matches!(step, InstallStep::Undo { .. } | InstallStep::Shut { .. })
            }
            Phase::Updating { step, .. } => *step == UpdateStep::Pull,
            Phase::Installed { .. } | Phase::Removing { .. } | Phase::Removed { .. } => false,
        };
        can_be && self.0.called_off.borrow().contains(&record.key)
    }
}

fn called_off() -> Outcome {
    Outcome::Failed(CALLED_OFF.to_owned())
}

/// What containerd-lite says is wrong with an app, of all of it and of each container.
pub(super) fn reasons(app: &AppReport) -> Vec<String> {
    let of_container = |(name, container): (&PartName, &model::containers::ContainerReport)| {
        container.reason.as_ref().map(|reason| format!("{name}: {reason}"))
    };
    if app.reasons.is_empty() {
        return app.containers.iter().filter_map(of_container).collect();
    }
    app.reasons.clone()
}

/// How long its own checks allow the app until it is healthy.
fn own_time(edition: &Edition) -> Duration {
    let checks = edition.manifest.containers.values().filter_map(|container| container.health.as_ref());
    let seconds = checks.map(|health| {
        let round = u64::from(health.interval_seconds) + u64::from(health.timeout_seconds);
        u64::from(health.start_seconds) + round
    });
    Duration::from_secs(seconds.sum())
}

/// The images of all versions of an app: as they are kept, and by the names that they were pulled by.
fn images_of(phase: &Phase) -> BTreeSet<String> {
    let editions = match phase {
        Phase::Updating { old, new, .. } => vec![old, new],
        Phase::Installing { edition, .. }
        | Phase::Installed { edition }
        | Phase::Removing { edition, .. } => {
            vec![edition]
        }
        Phase::Removed { .. } => vec![],
    };
    let names = |edition: &&Edition| {
        let kept: Vec<_> = edition.images.values().map(|image| image.name.clone()).collect();
        let written = edition.manifest.containers.values().map(|c| image_name::complete(c.image.as_str()));
        kept.into_iter().chain(written).collect::<Vec<_>>()
    };
    editions.iter().flat_map(names).collect()
}

fn is_unknown(error: &ContainerdError) -> bool {
    matches!(
        error,
        ContainerdError::Refused {
            source: Containers1Error::UnknownApp(_) | Containers1Error::UnknownSnapshot(_),
            ..
        }
    )
}

/// What is not there needs not be taken away.
fn unless_unknown(result: Result<(), ContainerdError>) -> Result<(), Vain> {
    match result {
        Err(error) if is_unknown(&error) => Ok(()),
        other => Ok(other?),
    }
}
