//! Updates of the whole system: looked for, fetched, handed to init's installer, tried, kept or given up.
//!
//! ```text
//! schedule, button ─▶ work: check ─ fetch (crate `update`) ─ install (init) ─▶ ready ─ window, button ─▶ restart
//! a file           ─▶ work: unpack ──────────────────────────┘
//! after a restart: trial ─ health ─▶ confirmed, or given up with the check's name (init) ─▶ history
//! ```
//!
//! hostd has no power over the boot partition: it fetches, and asks PID 1, whose installer checks all signatures anew. What is armed, what
//! runs on trial and what failed is read from the installer's report, never remembered here: nothing that hostd keeps can contradict the
//! disk. Only one step is under way at a time.
//!
//! Left to others: signatures and chunks (crate `update`), slots (crate `slots`, the installer), going back when hostd itself is broken (init).

pub mod error;
pub mod fetch;
pub mod health;
pub mod history;
pub mod schedule;
pub mod settings;
pub mod state;
mod stick;
mod trial;
pub mod trust;
mod work;

pub use work::Turns;
pub use work::When;

use crate::accounts::Storage;
use crate::app::App;
use crate::clock::Clock;
use crate::host::Host;
use crate::records::LoadError;
use crate::records::Records;
use crate::records::UpdatesRecord;
use error::StepError;
use error::UpdatesError;
use fetch::Servers;
use history::end_of;
use model::network::report::TimeReport;
use model::update::SlotStanding;
use model::update::SlotsReport;
use schedule::Facts;
use schedule::Step;
use settings::UpdateSettings;
use state::Event;
use state::State;
use std::error::Error;
use std::fmt;
use std::fs::File;
use std::fs::Metadata;
use std::os::fd::AsFd;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::watch;
use trust::Trusted;
use update::Offer;

/// How long a step that is stopped may take to see it.
const FAREWELL: Duration = Duration::from_secs(5);
/// After a restart was ordered the box is on its way down.
const GOING_DOWN: Duration = Duration::from_secs(60);

/// Where things lie.
#[derive(Clone, Debug)]
pub struct Places {
    /// Where new systems are put together, on the data partition.
    pub folder: PathBuf,
    /// What the image says of updates.
    pub trust: PathBuf,
    /// The file of the running system, where PID 1 gave it: the boot partition itself is closed to hostd.
    pub running_system: Option<Arc<File>>,
    /// The root of the running system, from whose programs new ones are made.
    pub root: PathBuf,
    /// Bytes of the disk that an update leaves for everything else.
    pub reserve: u64,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            folder: model::paths::UPDATES.into(),
            trust: model::paths::UPDATE_TRUST.into(),
            running_system: None,
            root: "/".into(),
            reserve: 256 << 20,
        }
    }
}

/// What PID 1 gives as standard input: the file of the running system. Anything else is none.
#[must_use]
pub fn running_system() -> Option<Arc<File>> {
    let file = File::from(std::io::stdin().as_fd().try_clone_to_owned().ok()?);
    file.metadata().ok().filter(Metadata::is_file)?;
    Some(Arc::new(file))
}

/// How long is waited for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Between two looks at what init does or at a system on trial.
    pub look_every: Duration,
    /// For a word of the installer.
    pub install_within: Duration,
    /// For a system on trial to be healthy.
    pub healthy_within: Duration,
    /// How many looks in a row must find it so.
    pub healthy_looks: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            look_every: Duration::from_secs(2),
            install_within: Duration::from_secs(10 * 60),
            healthy_within: health::HEALTHY_WITHIN,
            healthy_looks: 5,
        }
    }
}

/// What is known of updates.
#[derive(Clone, Debug)]
pub struct Standing {
    /// What is being done.
    pub state: State,
    /// What is kept.
    pub kept: UpdatesRecord,
    /// What the repository offers, the highest version first, since hostd started.
    pub offers: Vec<Offer>,
    /// How the slots are.
    pub slots: Option<SlotsReport>,
    /// Why updates cannot come, in plain words.
    pub problem: Option<String>,
    /// When the repository is asked next, in seconds since 1970; nothing where it is not, or the clock is not set.
    pub next_check: Option<u64>,
    /// When the box restarts by itself, likewise.
    pub restart_at: Option<u64>,
}

/// The updates of the box; clones share them.
#[derive(Clone)]
pub struct Updates(Arc<Inner>);

struct Inner {
    storage: Storage,
    host: Arc<dyn crate::app::HostDebug>,
    servers: Arc<dyn Servers>,
    clock: Arc<dyn Clock>,
    places: Places,
    patience: Patience,
    /// What the image says, or why that is of no use.
    trusted: Result<Option<Trusted>, String>,
    kept: Mutex<UpdatesRecord>,
    /// What was kept cannot be read, in plain words.
    trouble: Mutex<Option<String>>,
    /// Held while what is kept is being changed.
    writing: tokio::sync::Mutex<()>,
    /// Held by the step that is under way.
    turn: Arc<tokio::sync::Mutex<()>>,
    state: watch::Sender<State>,
    offers: Mutex<Vec<Offer>>,
    schedule: Mutex<Pulse>,
    trial: Mutex<trial::Progress>,
    stopping: AtomicBool,
    changed: Notify,
}

/// What the schedule remembers.
#[derive(Clone, Copy, Debug, Default)]
struct Pulse {
    /// When the repository was last asked, in seconds since the kernel started.
    asked: Option<u64>,
    /// How often in a row that failed.
    failures: u32,
    /// Whether the clock was right when it was looked at last.
    clock_is_set: bool,
}

impl fmt::Debug for Updates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Updates(…)")
    }
}

impl Updates {
    /// Nothing kept, nothing known.
    #[must_use]
    pub fn new(
        storage: Storage,
        host: Arc<dyn crate::app::HostDebug>,
        servers: Arc<dyn Servers>,
        clock: Arc<dyn Clock>,
        (places, patience): (Places, Patience),
    ) -> Self {
        let trusted = trust::load(&places.trust).map_err(|error| {
            tracing::error!(error = &error as &dyn Error, "what the image says of updates is of no use");
            StepError::from(error).words()
        });
        Self(Arc::new(Inner {
            storage,
            host,
            servers,
            clock,
            places,
            patience,
            trusted,
            kept: Mutex::default(),
            trouble: Mutex::default(),
            writing: tokio::sync::Mutex::default(),
            turn: Arc::default(),
            state: watch::Sender::default(),
            offers: Mutex::default(),
            schedule: Mutex::default(),
            trial: Mutex::default(),
            stopping: AtomicBool::new(false),
            changed: Notify::new(),
        }))
    }

    /// Takes up what was kept.
    pub async fn load(&self) {
        let Ok(records) = self.records().cloned() else { return };
        match tokio::task::spawn_blocking(move || records.updates_blocking()).await {
            Ok(Ok(kept)) => *lock(&self.0.kept) = kept.unwrap_or_default(),
            Ok(Err(error)) => self.cannot_load(&error),
            Err(error) => self.cannot_load(&error),
        }
        let mut kept = lock(&self.0.kept);
        if kept.identity.is_empty() {
            kept.identity = new_identity();
        }
    }

    fn cannot_load(&self, error: &(dyn Error + 'static)) {
        tracing::error!(error, "what was chosen for updates cannot be read");
        *lock(&self.0.trouble) =
            Some("what was chosen for updates cannot be read, so none are looked for".to_owned());
    }

    /// Where new systems are put together.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.0.places.folder
    }

    /// What is being done, and whenever that changes.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<State> {
        self.0.state.subscribe()
    }

    /// What is known now.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let facts = self.facts();
        let slots = self.slots();
        let now = self.0.clock.wall_unix();
        let is_idle = !is_on_trial(slots.as_ref()) && self.problem().is_none();
        let at = |uptime: u64| now.saturating_add(uptime.saturating_sub(facts.uptime));
        let next_check = schedule::next_check(&facts).filter(|_| is_idle && facts.clock_is_set).map(at);
        Standing {
            state: self.0.state.borrow().clone(),
            kept: self.kept(),
            offers: lock(&self.0.offers).clone(),
            problem: self.problem(),
            next_check,
            restart_at: schedule::restart_at(&facts).filter(|_| is_idle),
            slots,
        }
    }

    /// The last log lines of an update that failed.
    ///
    /// # Errors
    ///
    /// When there is no store.
    pub async fn log(&self, number: u32) -> Result<Option<String>, UpdatesError> {
        let records = self.records()?.clone();
        match tokio::task::spawn_blocking(move || records.update_log_blocking(number)).await {
            Ok(Ok(log)) => Ok(log),
            Ok(Err(error)) => Err(unreadable(&error)),
            Err(error) => Err(UpdatesError::Step(StepError::Thread(error))),
        }
    }

    /// Keeps other settings.
    ///
    /// # Errors
    ///
    /// When one cannot work, or the store does not take them.
    pub async fn choose(&self, settings: UpdateSettings) -> Result<(), UpdatesError> {
        let settings = settings.checked()?;
        let before = self.kept().settings;
        self.keep(|kept| kept.settings = settings.clone()).await?;
        if (&before.url, &before.channel) != (&settings.url, &settings.channel) {
            // What is known is known of another place.
            lock(&self.0.offers).clear();
            lock(&self.0.schedule).failures = 0;
        }
        *lock(&self.0.trouble) = None;
        self.0.changed.notify_one();
        Ok(())
    }

    /// Looks for updates, installs them and proves them, for as long as it runs.
    pub async fn follow(self, app: Arc<App>) {
        loop {
            let wait = self.look(&app).await;
            // Cancel safe: a notification that was not taken stays.
            tokio::select! {
                () = self.0.changed.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Does what is due; returns how long nothing else is. What [`Self::follow`] calls again and again.
    pub async fn look(&self, app: &Arc<App>) -> Duration {
        let slots = self.slots();
        if let Some(slots) = &slots {
            self.settle(slots).await;
            if is_on_trial(Some(slots)) {
                return self.prove(app, slots).await;
            }
        }
        self.note_armed(slots.as_ref());
        if self.problem().is_some() || self.0.turn.try_lock().is_err() {
            return self.0.patience.look_every.max(Duration::from_secs(1));
        }
        let is_set = self.clock_is_set(app).await;
        lock(&self.0.schedule).clock_is_set = is_set;
        match schedule::next(&self.facts()) {
            Step::Check => {
                if let Err(error) = self.begin_check(app, update::Asker::Box) {
                    tracing::debug!(error = &error as &dyn Error, "a check is due and does not begin");
                }
                Duration::from_secs(1)
            }
            Step::Restart => {
                if let Err(error) = self.restart(app).await {
                    tracing::warn!(error = &error as &dyn Error, "the box does not restart into the update");
                }
                GOING_DOWN
            }
            Step::Wait(wait) => wait,
        }
    }

    /// Stops the step that is under way, and waits until it has ended. What was fetched stays.
    pub async fn stop(&self) {
        self.0.stopping.store(true, Ordering::Relaxed);
        if tokio::time::timeout(FAREWELL, self.0.turn.lock()).await.is_err() {
            tracing::warn!("a step of an update did not end in time");
        }
    }

    /// Writes down what became of the update that was tried last.
    async fn settle(&self, slots: &SlotsReport) {
        let kept = self.kept();
        let Some(attempt) = &kept.attempt else { return };
        let Some(end) = end_of(attempt, slots) else { return };
        tracing::info!(from = attempt.from, to = attempt.to, outcome = ?end.outcome, "an update is over");
        let _one_at_a_time = self.0.writing.lock().await;
        let mut kept = self.kept();
        kept.attempt = None;
        let forgotten = history::record(&mut kept.history, attempt, &end);
        let log = kept.history.first().map(|newest| newest.number).zip(end.log.as_deref());
        if let Ok(records) = self.records()
            && let Err(error) = records.keep_update_end(&kept, log, &forgotten).await
        {
            tracing::warn!(error = &error as &dyn Error, "how an update went was not kept");
        }
        *lock(&self.0.kept) = kept;
        self.tell(Event::Kept);
    }

    /// What is armed is told by the slots, not remembered.
    pub(in crate::updates) fn note_armed(&self, slots: Option<&SlotsReport>) {
        let armed = slots.and_then(|slots| slots.armed.clone());
        let state = self.0.state.borrow().clone();
        match (armed, &state) {
            (Some(version), State::Idle | State::UpToDate | State::Available { .. }) => {
                self.tell(Event::Armed { version });
            }
            (None, State::Ready { .. }) => self.tell(Event::Disarmed),
            (_, State::Trying { .. }) => self.tell(Event::Kept),
            (Some(_) | None, _) => {}
        }
    }

    fn facts(&self) -> Facts {
        let Pulse { asked, failures, clock_is_set } = *lock(&self.0.schedule);
        let armed = self.slots().and_then(|slots| slots.armed);
        let kept = lock(&self.0.kept);
        let wall = self.0.clock.wall_unix();
        Facts {
            mode: kept.settings.mode,
            window: kept.settings.window.hours_at(wall),
            uptime: self.0.clock.uptime().as_secs(),
            wall,
            clock_is_set,
            asked,
            failures,
            is_ready: armed.is_some(),
            seed: u64::from_str_radix(kept.identity.get(..16).unwrap_or_default(), 16).unwrap_or_default(),
        }
    }

    /// Why updates cannot come at all, in plain words.
    fn problem(&self) -> Option<String> {
        if let Some(words) = lock(&self.0.trouble).clone() {
            return Some(words);
        }
        match &self.0.trusted {
            Err(words) => return Some(words.clone()),
            Ok(None) => return Some("updates are not set up in this image".to_owned()),
            Ok(Some(_)) => {}
        }
        match self.slots() {
            Some(SlotsReport { running: Some(_), .. }) => None,
            Some(_) => Some("this system was not started from a slot, so it cannot be updated".to_owned()),
            None => Some("the box does not know its slots yet".to_owned()),
        }
    }

    fn slots(&self) -> Option<SlotsReport> {
        self.0.host.slots().unwrap_or_else(|error| {
            tracing::warn!(error = &error as &dyn Error, "the state of the slots cannot be read");
            None
        })
    }

    /// Whether somebody vouches for the clock.
    async fn clock_is_set(&self, app: &App) -> bool {
        match app.netd.report().await {
            Ok(report) => is_right(&report.time),
            Err(error) => {
                tracing::debug!(error = &error as &dyn Error, "nobody knows whether the clock is right");
                false
            }
        }
    }

    fn tell(&self, event: Event) {
        let told = event.clone();
        self.0.state.send_if_modified(|state| match state.after(event) {
            Some(next) => {
                let changed = *state != next;
                *state = next;
                changed
            }
            None => {
                tracing::debug!(?state, event = ?told, "something about updates came out of turn");
                false
            }
        });
    }

    fn kept(&self) -> UpdatesRecord {
        lock(&self.0.kept).clone()
    }

    /// Changes what is kept, in the store first.
    async fn keep(&self, change: impl FnOnce(&mut UpdatesRecord)) -> Result<(), UpdatesError> {
        let _one_at_a_time = self.0.writing.lock().await;
        let mut kept = self.kept();
        change(&mut kept);
        self.records()?.keep_updates(&kept).await.map_err(UpdatesError::Keep)?;
        *lock(&self.0.kept) = kept;
        Ok(())
    }

    fn records(&self) -> Result<&Records, UpdatesError> {
        match &self.0.storage {
            Storage::Usable(records) => Ok(records),
            Storage::Unavailable { reason } => Err(UpdatesError::NoStore { reason: reason.clone() }),
        }
    }
}

/// The time is believed where it was set or confirmed from the network; an attacker on the way could make the box take expired metadata
/// at most, and never metadata that was not signed.
fn is_right(time: &TimeReport) -> bool {
    time.synchronised
}

/// Whether the system from before may have to come back and read what this one writes: on trial, and as long as nobody knows.
#[must_use]
pub fn keeps_way_back(host: &dyn Host) -> bool {
    match (host.slots(), host.boot_report()) {
        (Ok(Some(slots)), _) => is_on_trial(Some(&slots)),
        // Not under Hearth's init.
        (Ok(None), Ok(None)) => false,
        (Ok(None), _) | (Err(_), _) => true,
    }
}

fn is_on_trial(slots: Option<&SlotsReport>) -> bool {
    let running = slots.and_then(|slots| slots.running.as_ref());
    running.is_some_and(|running| running.standing == SlotStanding::OnTrial)
}

fn unreadable(error: &LoadError) -> UpdatesError {
    tracing::error!(error = error as &dyn Error, "the log of an update cannot be read");
    UpdatesError::NoStore { reason: "the log of this update cannot be read".to_owned() }
}

/// Without randomness all boxes are alike: then they update at the same time, which is no reason to fail.
fn new_identity() -> String {
    let mut bytes = [0_u8; 16];
    if let Err(error) = getrandom::fill(&mut bytes) {
        tracing::warn!(error = &error as &dyn Error, "the box has no number of its own for updates");
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change is a single assignment, so a panic leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
