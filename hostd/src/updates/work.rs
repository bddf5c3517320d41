//! Steps of an update, one at a time: looking, fetching, having it written, restarting.

use super::StepError;
use super::Updates;
use super::error::UpdatesError;
use super::fetch;
use super::fetch::Inquiry;
use super::health::AppBefore;
use super::health::Before;
use super::health::LinkBefore;
use super::history::Attempt;
use super::is_on_trial;
use super::lock;
use super::settings::UpdateMode;
use super::state::Event;
use super::state::State;
use crate::app::App;
use model::containers::AppState;
use model::control::ControlAnswer;
use model::control::ControlRequest;
use model::release::RELEASED;
use model::update::InstallProgress;
use model::update::LastAction;
use model::update::SlotsReport;
use model::update::UpdateOrder;
use model::update::UpdateOrigin;
use std::error::Error;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;
use update::Asker;
use update::Clock;
use update::Flow;
use update::HttpSettings;
use update::Offer;
use update::Place;
use update::Release;
use update::Trust;
use update::Turn;

/// The loader's name before its version (`LoaderInfo`).
const LOADER: &str = "systemd-boot ";

/// When a new system is to be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// As soon as it is written.
    Now,
    /// In the window, or when somebody says so.
    Later,
}

/// The right to be the step that is under way.
#[derive(Debug)]
pub struct Turns(OwnedMutexGuard<()>);

impl Updates {
    /// Asks the repository; where updates come by themselves and it is this box's turn, goes on to fetch and write.
    ///
    /// # Errors
    ///
    /// When something is under way, or updates cannot come at all.
    pub fn begin_check(&self, app: &Arc<App>, asker: Asker) -> Result<(), UpdatesError> {
        let turn = self.take_turn()?;
        self.tell(Event::CheckBegan);
        let (updates, app) = (self.clone(), Arc::clone(app));
        drop(tokio::spawn(async move {
            let checked = updates.check(&app, asker).await;
            updates.finish(checked.map_err(|error| (None, error)), turn);
        }));
        Ok(())
    }

    /// Fetches a version that is offered, and has it written.
    ///
    /// # Errors
    ///
    /// When it is not offered, something is under way, or updates cannot come at all.
    pub fn begin_apply(&self, app: &Arc<App>, version: &str, when: When) -> Result<(), UpdatesError> {
        let turn = self.take_turn()?;
        let offers = lock(&self.0.offers).clone();
        let offer = offers.into_iter().find(|offer| offer.release.version.as_str() == version);
        let Some(Offer { release, turn: whose }) = offer else {
            return Err(UpdatesError::NotOffered { version: version.to_owned() });
        };
        if let Turn::Paused(why) = whose {
            return Err(UpdatesError::HeldBack { version: version.to_owned(), why: why.to_string() });
        }
        self.tell(fetched(&release, 0, 0));
        let (updates, app) = (self.clone(), Arc::clone(app));
        drop(tokio::spawn(async move {
            let applied = updates.take(&app, &release, Asker::Owner, when).await;
            updates.finish(applied.map_err(|error| (Some(release.version.to_string()), error)), turn);
        }));
        Ok(())
    }

    /// Begins to take a file that the owner brings: nothing else happens while it arrives.
    ///
    /// # Errors
    ///
    /// When something is under way, or updates cannot come at all.
    pub fn begin_bundle(&self) -> Result<Turns, UpdatesError> {
        Ok(Turns(self.take_turn()?))
    }

    /// Takes the system out of the file that arrived, and has it written; returns its version as soon as the file is known to be good.
    ///
    /// # Errors
    ///
    /// When it is no update for this box, or nobody signed it.
    pub async fn take_bundle(
        &self,
        app: &Arc<App>,
        (turn, file): (Turns, File),
        when: When,
    ) -> Result<String, UpdatesError> {
        let inquiry = self.inquiry(app, Asker::Owner).await?;
        let updates = self.clone();
        let work = move || {
            fetch::unpack(&inquiry, file, &mut |release, written| updates.tell(fetched(release, written, 0)))
        };
        let taken = tokio::task::spawn_blocking(work).await.map_err(StepError::Thread).flatten();
        let release = match taken {
            Ok(release) => release,
            Err(error) => {
                if matches!(*self.0.state.borrow(), State::Downloading { .. }) {
                    self.tell(Event::Broke { version: None, reason: error.words() });
                }
                return Err(error.into());
            }
        };
        let version = release.version.to_string();
        let (updates, app, told) = (self.clone(), Arc::clone(app), version.clone());
        drop(tokio::spawn(async move {
            let written =
                updates.install(&app, &version, UpdateOrder::Asked, UpdateOrigin::Bundle, when).await;
            updates.finish(written.map_err(|error| (Some(version), error)), turn.0);
        }));
        Ok(told)
    }

    /// Restarts into what is armed.
    ///
    /// # Errors
    ///
    /// When nothing is, or init does not do it.
    pub async fn restart(&self, app: &App) -> Result<(), UpdatesError> {
        let _turn = self.take_turn()?;
        self.restart_in_turn(app).await
    }

    async fn restart_in_turn(&self, app: &App) -> Result<(), UpdatesError> {
        let armed = self.slots().and_then(|slots| slots.armed);
        let Some(version) = armed else { return Err(UpdatesError::NothingReady) };
        self.remember(app, &version).await;
        self.tell(Event::Armed { version });
        self.tell(Event::RestartBegan);
        let asked = self.order("restart", ControlRequest::RestartIntoUpdate).await;
        if asked.is_err() {
            self.tell(Event::Disarmed);
        }
        Ok(asked?)
    }

    fn take_turn(&self) -> Result<OwnedMutexGuard<()>, UpdatesError> {
        if is_on_trial(self.slots().as_ref()) {
            return Err(UpdatesError::OnTrial);
        }
        let turn = Arc::clone(&self.0.turn).try_lock_owned().map_err(|_held| UpdatesError::Busy)?;
        match (&self.0.trusted, self.problem()) {
            (Ok(None), _) => Err(UpdatesError::NotSetUp),
            (_, Some(reason)) => Err(UpdatesError::Unable { reason }),
            (_, None) => Ok(turn),
        }
    }

    /// Tells how a step ended, and lets the next one begin.
    fn finish(&self, ended: Result<(), (Option<String>, StepError)>, turn: OwnedMutexGuard<()>) {
        let failed = ended.is_err();
        let mut pulse = lock(&self.0.schedule);
        pulse.asked = Some(self.0.clock.uptime().as_secs());
        pulse.failures = if failed { pulse.failures.saturating_add(1) } else { 0 };
        drop(pulse);
        if let Err((version, error)) = ended
            && !self.0.stopping.load(Ordering::Relaxed)
        {
            tracing::warn!(error = &error as &dyn Error, "a step of an update failed");
            match (version, self.slots().and_then(|slots| slots.armed)) {
                // What is ready stays so, whatever the repository says meanwhile.
                (None, Some(version)) => self.tell(Event::Armed { version }),
                (version, _) => self.tell(Event::Broke { version, reason: error.words() }),
            }
        }
        self.note_armed(self.slots().as_ref());
        drop(turn);
        self.0.changed.notify_one();
    }

    async fn check(&self, app: &Arc<App>, asker: Asker) -> Result<(), StepError> {
        let inquiry = self.inquiry(app, asker).await?;
        let clock = inquiry.clock;
        let servers = Arc::clone(&self.0.servers);
        let asked = tokio::task::spawn_blocking(move || fetch::ask(servers.as_ref(), &inquiry)).await;
        let offers = asked.map_err(StepError::Thread)??;
        lock(&self.0.offers).clone_from(&offers);
        let now = self.0.clock.wall_unix();
        let noted = self.keep(|kept| {
            kept.checked = Some(now);
            if clock.trust == Trust::Sure {
                kept.good_time = kept.good_time.max(clock.now());
            }
        });
        if let Err(error) = noted.await {
            tracing::warn!(error = &error as &dyn Error, "that there was an answer was not kept");
        }
        let Some(newest) = offers.first() else {
            self.tell(Event::NothingNew);
            return Ok(());
        };
        self.tell(Event::Found { version: newest.release.version.to_string() });
        let slots = self.slots().unwrap_or_default();
        let is_due = |offer: &&Offer| {
            let is_armed = slots.armed.as_deref() == Some(offer.release.version.as_str());
            offer.turn == Turn::Now && !is_armed && !has_failed(&slots, offer)
        };
        let Some(due) = offers.iter().find(is_due) else { return Ok(()) };
        if self.kept().settings.mode == UpdateMode::Install {
            return self.take(app, &due.release, Asker::Box, When::Later).await;
        }
        Ok(())
    }

    /// Fetches a system, and has it written.
    async fn take(
        &self,
        app: &Arc<App>,
        release: &Release,
        asker: Asker,
        when: When,
    ) -> Result<(), StepError> {
        let inquiry = self.inquiry(app, asker).await?;
        let (updates, wanted) = (self.clone(), release.clone());
        let rate = match asker {
            Asker::Box => self.kept().settings.rate,
            Asker::Owner => 0,
        };
        let work = move || {
            fetch::fetch(updates.0.servers.as_ref(), &inquiry, &wanted, rate, &mut |progress| {
                let here = progress.present.saturating_add(progress.remade).saturating_add(progress.seeded);
                let done = here.saturating_add(progress.received);
                updates.tell(fetched(&wanted, done, progress.fetched));
                if updates.0.stopping.load(Ordering::Relaxed) { Flow::Stop } else { Flow::Go }
            })
        };
        tokio::task::spawn_blocking(work).await.map_err(StepError::Thread)??;
        let order = match asker {
            Asker::Box => UpdateOrder::Automatic,
            Asker::Owner => UpdateOrder::Asked,
        };
        self.install(app, release.version.as_str(), order, UpdateOrigin::Network, when).await
    }

    /// Has init's installer write what lies in the folder, and waits for its word.
    async fn install(
        &self,
        app: &Arc<App>,
        version: &str,
        order: UpdateOrder,
        origin: UpdateOrigin,
        when: When,
    ) -> Result<(), StepError> {
        let before = self.slots().and_then(|slots| slots.last);
        let version = version.to_owned();
        let ask = ControlRequest::InstallUpdate { version: version.clone(), order, origin };
        self.order("write the new system", ask).await?;
        self.watch_installer(&version, before.as_ref()).await?;
        self.remember(app, &version).await;
        self.tell(Event::Armed { version });
        if when == When::Now {
            self.restart_in_turn(app).await.map_err(|error| StepError::Refused {
                what: "restart",
                reason: crate::backups::error::chain(&error),
            })?;
        }
        Ok(())
    }

    /// Ends when the version is armed, or the installer says why not.
    async fn watch_installer(&self, version: &str, before: Option<&LastAction>) -> Result<(), StepError> {
        let patience = self.0.patience.install_within;
        let (mut seen, mut heard) = (None::<InstallProgress>, Instant::now());
        loop {
            let slots = self.slots().unwrap_or_default();
            if slots.armed.as_deref() == Some(version) && slots.progress.is_none() {
                return Ok(());
            }
            if slots.progress != seen {
                heard = Instant::now();
                seen.clone_from(&slots.progress);
            }
            if let Some(InstallProgress { version, step, done, total }) = slots.progress {
                self.tell(Event::Wrote { version, step, done, total });
            } else if let Some(problem) = problem_of(slots.last.as_ref(), version)
                // One from before says nothing, unless nothing else came for long.
                && (slots.last.as_ref() != before || heard.elapsed() >= patience / 10)
            {
                return Err(StepError::Install { problem });
            }
            if heard.elapsed() >= patience {
                return Err(StepError::Silent { minutes: patience.as_secs() / 60 });
            }
            tokio::time::sleep(self.0.patience.look_every.min(Duration::from_millis(500))).await;
        }
    }

    /// Asks init.
    pub(super) async fn order(&self, what: &'static str, request: ControlRequest) -> Result<(), StepError> {
        match self.0.host.ask(request).await {
            Ok(ControlAnswer::Accepted) => Ok(()),
            Ok(ControlAnswer::Refused { reason }) => Err(StepError::Refused { what, reason }),
            Ok(ControlAnswer::Logs { .. }) => {
                Err(StepError::Refused { what, reason: "init gave another answer".to_owned() })
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn Error, "init cannot be asked");
                Err(StepError::Refused { what, reason: "init does not answer".to_owned() })
            }
        }
    }

    /// Keeps how the box is, for the system that is tried next: any restart tries what is armed, also one by a power cut.
    async fn remember(&self, app: &App, version: &str) {
        let slots = self.slots().unwrap_or_default();
        let from = slots.running.map(|running| running.version).unwrap_or_default();
        let links = match app.netd.report().await {
            Ok(report) => report.links.iter().filter_map(LinkBefore::of).collect(),
            Err(error) => {
                tracing::warn!(error = &error as &dyn Error, "which addresses there were is not remembered");
                Vec::new()
            }
        };
        let before = Before { links, apps: running_apps(app) };
        let attempt = Attempt { from, to: version.to_owned(), at: self.0.clock.wall_unix(), before };
        if let Err(error) = self.keep(|kept| kept.attempt = Some(attempt)).await {
            tracing::warn!(
                error = &error as &dyn Error,
                "how the box was before an update is not remembered"
            );
        }
    }

    async fn inquiry(&self, app: &App, asker: Asker) -> Result<Inquiry, StepError> {
        let trusted = self.0.trusted.as_ref().ok().and_then(Option::as_ref).ok_or(StepError::NotSetUp)?;
        let kept = self.kept();
        let image = trusted.source.as_ref();
        let url = kept.settings.url.clone().or_else(|| image.and_then(|source| source.url.clone()));
        let chosen = kept.settings.channel.as_deref().and_then(|channel| channel.parse().ok());
        let channel = chosen.or_else(|| image.map(|source| source.channel.clone()));
        let unknown = |what| StepError::Unknown { what };
        let boot = app.boot.as_ref().ok_or_else(|| unknown("board"))?;
        let slots = self.slots().unwrap_or_default();
        let running = slots.running.as_ref().ok_or_else(|| unknown("version"))?.version.parse();
        let loader = slots.loader.as_deref().and_then(|loader| loader.strip_prefix(LOADER)?.parse().ok());
        let trust = if self.clock_is_set(app).await { Trust::Sure } else { Trust::Unsure };
        let proxy = kept.settings.proxy.clone();
        Ok(Inquiry {
            server: url.map(|url| HttpSettings { proxy, ..HttpSettings::new(url) }),
            root: trusted.root.clone(),
            folder: self.0.places.folder.clone(),
            running_system: self.0.places.running_system.clone(),
            programs: self.0.places.root.clone(),
            reserve: self.0.places.reserve,
            clock: Clock { system: self.0.clock.wall_unix(), at_least: kept.good_time.max(RELEASED), trust },
            asker,
            place: Place {
                board: boot.board.parse().map_err(|_bad| unknown("board"))?,
                channel: channel.ok_or(StepError::NoSource)?,
            },
            running: running.map_err(|_bad| unknown("version"))?,
            loader,
            identity: kept.identity.into_bytes(),
        })
    }
}

/// Whether a version was tried, and failed: it is not tried again by itself.
pub(super) fn has_failed(slots: &SlotsReport, offer: &Offer) -> bool {
    slots.failed.iter().any(|failed| failed.version == offer.release.version.as_str())
}

fn fetched(release: &Release, done: u64, fetched: u64) -> Event {
    let total = release.length;
    Event::Fetched { version: release.version.to_string(), done: done.min(total), total, fetched }
}

fn problem_of(last: Option<&LastAction>, version: &str) -> Option<String> {
    let last = last.filter(|last| last.verb == "install")?;
    let is_ours = last.version.as_deref().is_none_or(|named| named == version);
    last.problem.clone().filter(|_| is_ours)
}

fn running_apps(app: &App) -> Vec<AppBefore> {
    let Some(world) = app.apps.containerd().now() else { return Vec::new() };
    let ids = app.apps.ids();
    let runs = |state: AppState| match state {
        AppState::Running => true,
        AppState::Stopped
        | AppState::Starting
        | AppState::Unhealthy
        | AppState::Failed
        | AppState::Stopping
        | AppState::Locked => false,
    };
    let running = world.apps.iter().filter(|report| runs(report.state));
    running
        .filter_map(|report| {
            let id = ids.get(&report.app)?;
            Some(AppBefore { key: report.app.to_string(), id: id.clone() })
        })
        .collect()
}

impl State {
    /// Whether the box is about to go down, or proves a new system.
    #[must_use]
    pub const fn is_restarting(&self) -> bool {
        matches!(self, Self::Restarting { .. } | Self::Trying { .. })
    }
}
