//! Backups of the household: when they are made, how they went, and drills that prove them.
//!
//! ```text
//! settings, run, drill ──> Backups ── one task at a time ──> disk mounted (storaged) → store exported → crate `backup`
//! schedule (follow) ────────┘                                 └─ progress, end ──> who asks, status, store
//! ```
//! What is saved is hostd's whole store: the household authority, accounts, settings, the sealed keys of vaults; and the files in vaults,
//! sealed so that the recovery kit alone does not open them ([`private`]). What netd and storaged keep is not saved.

pub mod error;
mod private;
pub mod restore;
pub mod settings;
mod task;
pub mod verdict;

use crate::accounts::Storage;
use crate::accounts::credentials::UserName;
use crate::clock::Clock;
use crate::household::authority::Authority;
use crate::records::BackupKeyRecord;
use crate::records::BackupsRecord;
use crate::records::Records;
use crate::storaged::Storaged;
use crate::vaults::Vaults;
use backup::BackupKey;
use backup::Cancel;
use backup::HouseholdId;
use backup::KitError;
use backup::RecoveryKit;
use backup::schedule;
use backup::schedule::Next;
use backup::schedule::Now;
use error::BackupsError;
use error::TaskError;
use error::chain;
use settings::BackupSettings;
use sha2::Digest;
use sha2::Sha256;
use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::watch;
use zeroize::Zeroizing;

/// The clock may be set meanwhile, so the schedule is asked at least this often.
const LOOK_EVERY: Duration = Duration::from_secs(5 * 60);
/// Private files that were due and not saved are not tried again by themselves for so many seconds.
const RETRY: u64 = 15 * 60;
/// How long a task that is stopped may take to see it.
const FAREWELL: Duration = Duration::from_secs(5);

/// What a task is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// Making a backup.
    Backup,
    /// Restoring the newest one to a private folder, to prove it.
    Drill,
}

/// What a task does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Job {
    /// Saves everything.
    Backup,
    /// Saves the files of open vaults only: their users were not there when everything was saved.
    PrivateFiles,
    Drill,
}

impl Job {
    const fn work(self) -> Work {
        match self {
            Self::Backup | Self::PrivateFiles => Work::Backup,
            Self::Drill => Work::Drill,
        }
    }
}

/// A task that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// What for.
    pub work: Work,
    /// How far it is; nothing before it has reached the place.
    pub progress: Option<backup::Progress>,
}

/// What is known of backups.
#[derive(Clone, Debug)]
pub struct Standing {
    /// What is kept.
    pub kept: BackupsRecord,
    /// The task that runs.
    pub task: Option<Task>,
    /// When the next backup begins, in seconds since 1970; nothing where none is to be made, or the clock is not set.
    pub next: Option<u64>,
}

/// A recovery kit, to be printed; told once.
pub struct Kit {
    /// As text, with numbered lines to type.
    pub text: Zeroizing<String>,
    /// As a page with a QR code.
    pub html: Zeroizing<String>,
    /// What the QR code holds.
    pub code: Zeroizing<String>,
}

/// The backups of the household; clones share them.
#[derive(Clone)]
pub struct Backups(Arc<Inner>);

struct Inner {
    storage: Storage,
    storaged: Storaged,
    vaults: Arc<Vaults>,
    clock: Arc<dyn Clock>,
    household: Result<HouseholdId, backup::NotAHouseholdId>,
    /// Private, on the data partition.
    folder: PathBuf,
    kept: Mutex<BackupsRecord>,
    /// What the owner chose cannot be read, in plain words.
    trouble: Mutex<Option<String>>,
    /// Held while what is kept is being changed.
    writing: tokio::sync::Mutex<()>,
    /// Held by the task that runs.
    turn: Arc<tokio::sync::Mutex<()>>,
    task: watch::Sender<Option<Task>>,
    /// How a restore into this box is.
    restored: watch::Sender<restore::Restored>,
    cancel: Mutex<Cancel>,
    /// When a backup was last begun, in seconds since boot.
    begun: Mutex<Option<u64>>,
    /// When private files were last to be saved by themselves, likewise.
    private_begun: Mutex<Option<u64>>,
    changed: Notify,
}

impl fmt::Debug for Backups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Backups(…)")
    }
}

impl fmt::Debug for Kit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kit(…)")
    }
}

/// Name of a household in its backups: the beginning of its certificate's SHA-256.
///
/// # Errors
///
/// Never; the name is checked by type.
pub fn household_of(authority: &Authority) -> Result<HouseholdId, backup::NotAHouseholdId> {
    let digest = Sha256::digest(authority.certificate());
    HouseholdId::new(digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>())
}

impl Backups {
    /// Nothing chosen, nothing made; `folder` is private and on the data partition.
    #[must_use]
    pub fn new(
        storage: Storage,
        storaged: Storaged,
        vaults: Arc<Vaults>,
        clock: Arc<dyn Clock>,
        authority: &Authority,
        folder: PathBuf,
    ) -> Self {
        Self(Arc::new(Inner {
            storage,
            storaged,
            vaults,
            clock,
            household: household_of(authority),
            folder,
            kept: Mutex::default(),
            trouble: Mutex::default(),
            writing: tokio::sync::Mutex::default(),
            turn: Arc::default(),
            task: watch::Sender::new(None),
            restored: watch::Sender::default(),
            cancel: Mutex::default(),
            begun: Mutex::default(),
            private_begun: Mutex::default(),
            changed: Notify::new(),
        }))
    }

    /// Takes up what was kept.
    pub async fn load(&self) {
        let Ok(records) = self.records().cloned() else { return };
        let loaded = tokio::task::spawn_blocking(move || records.backups_blocking()).await;
        match loaded {
            Ok(Ok(kept)) => *lock(&self.0.kept) = kept.unwrap_or_default(),
            Ok(Err(error)) => self.cannot_load(&error),
            Err(error) => self.cannot_load(&error),
        }
    }

    fn cannot_load(&self, error: &(dyn Error + 'static)) {
        tracing::error!(error, "what was chosen for backups cannot be read");
        let words = format!("what was chosen for backups cannot be read, so none are made: {}", chain(error));
        *lock(&self.0.trouble) = Some(words);
    }

    /// What is known now.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let now = self.0.clock.wall_unix();
        let next = match self.next() {
            Some(Next::Now(_)) => Some(now),
            Some(Next::At(at)) => Some(at),
            Some(Next::After(seconds)) if now >= schedule::EARLIEST => Some(now.saturating_add(seconds)),
            Some(Next::After(_)) | None => None,
        };
        Standing { kept: self.kept(), task: self.0.task.borrow().clone(), next }
    }

    /// What of it matters to the owner.
    #[must_use]
    pub fn findings(&self) -> Vec<verdict::Finding> {
        let mut findings = verdict::judge(&self.kept(), self.0.clock.wall_unix());
        if let Some(words) = lock(&self.0.trouble).clone() {
            findings.push(verdict::Finding { words, is_grave: true });
        }
        findings
    }

    /// Keeps other settings.
    ///
    /// # Errors
    ///
    /// When one cannot work, or the store does not take them.
    pub async fn choose(&self, settings: BackupSettings) -> Result<(), BackupsError> {
        let before = self.kept();
        let settings = settings.checked(&before.settings)?;
        if settings.target.is_some() {
            self.owner().await.map_err(BackupsError::Key)?;
        }
        let now = self.0.clock.wall_unix();
        self.keep(|kept| {
            if kept.settings.target != settings.target {
                // What is known is known of another place.
                let kit_told = kept.kit_told;
                *kept = BackupsRecord { chosen: Some(now), kit_told, ..BackupsRecord::default() };
            }
            kept.settings = settings;
        })
        .await?;
        *lock(&self.0.trouble) = None;
        self.0.changed.notify_one();
        Ok(())
    }

    /// Begins a task; it goes on by itself.
    ///
    /// # Errors
    ///
    /// When one runs already, or nobody has said where backups go.
    pub fn begin(&self, work: Work) -> Result<(), BackupsError> {
        self.begin_job(match work {
            Work::Backup => Job::Backup,
            Work::Drill => Job::Drill,
        })
    }

    fn begin_job(&self, job: Job) -> Result<(), BackupsError> {
        let Ok(turn) = Arc::clone(&self.0.turn).try_lock_owned() else { return Err(BackupsError::Busy) };
        self.records()?;
        let Some(target) = self.kept().settings.target else { return Err(BackupsError::NoTarget) };
        let place = target.place()?;
        // Whoever asks right after the answer must find that it runs.
        self.0.task.send_replace(Some(Task { work: job.work(), progress: None }));
        let backups = self.clone();
        drop(tokio::spawn(async move {
            backups.carry_out(job, place).await;
            drop(turn);
            backups.0.changed.notify_one();
        }));
        Ok(())
    }

    /// Makes the recovery kit anew; it is always the same key.
    ///
    /// # Errors
    ///
    /// When there is no key and none can be kept, or the kit is too long.
    pub async fn kit(&self, box_name: &str, with_access: bool) -> Result<Kit, BackupsError> {
        let owner = self.owner().await.map_err(BackupsError::Key)?;
        let target = self.kept().settings.target.and_then(|target| target.for_kit());
        let now = self.0.clock.wall_unix();
        let kit = RecoveryKit {
            household: owner.household,
            box_name: box_name.to_owned(),
            target: target.map(|target| if with_access { target } else { target.redacted() }),
            key: owner.key,
            made: now,
        };
        let page = || Ok(Kit { text: kit.to_text()?, html: kit.to_html()?, code: kit.scan_text()? });
        let page = page().map_err(|source: KitError| BackupsError::Kit(source))?;
        self.keep(|kept| kept.kit_told = Some(now)).await?;
        Ok(page)
    }

    /// Makes backups when they are due, for as long as it runs.
    pub async fn follow(self) {
        let opened = self.0.vaults.opened();
        loop {
            let next = self.next();
            let due = match next {
                Some(Next::Now(_)) => Some(Job::Backup),
                Some(Next::At(_) | Next::After(_)) if self.is_private_due() => Some(Job::PrivateFiles),
                Some(Next::At(_) | Next::After(_)) | None => None,
            };
            if let Some(job) = due {
                match self.begin_job(job) {
                    Ok(()) => tracing::info!(?job, ?next, "a backup begins"),
                    Err(error) => {
                        tracing::debug!(error = &error as &dyn Error, "a backup is due and does not begin");
                    }
                }
            }
            let wait = match next {
                Some(Next::Now(_)) => LOOK_EVERY,
                Some(Next::At(at)) => Duration::from_secs(at.saturating_sub(self.0.clock.wall_unix())),
                Some(Next::After(seconds)) => Duration::from_secs(seconds),
                None => LOOK_EVERY,
            };
            tokio::select! {
                () = self.0.changed.notified() => {}
                () = opened.notified() => {}
                () = tokio::time::sleep(wait.clamp(Duration::from_secs(1), LOOK_EVERY)) => {}
            }
        }
    }

    /// Stops the task that runs, and waits until it has ended.
    pub async fn stop(&self) {
        lock(&self.0.cancel).cancel();
        if tokio::time::timeout(FAREWELL, self.0.turn.lock()).await.is_err() {
            tracing::warn!("a backup task did not end in time");
        }
    }

    /// Keeps everybody else from beginning a task, for as long as the result lives.
    pub(crate) fn take_turn(&self) -> Result<tokio::sync::OwnedMutexGuard<()>, BackupsError> {
        Arc::clone(&self.0.turn).try_lock_owned().map_err(|_held| BackupsError::Busy)
    }

    fn next(&self) -> Option<Next> {
        let kept = self.kept();
        kept.settings.target.as_ref()?;
        let clock = self.0.clock.wall_unix();
        let clock_is_set = clock >= schedule::EARLIEST;
        let now = Now { clock, clock_is_set, since_boot: self.0.clock.uptime().as_secs() };
        let last = kept.state.last(*lock(&self.0.begun));
        Some(schedule::next_run(kept.settings.schedule.into(), last, now, self.seed()))
    }

    /// Whether a vault is open whose files were saved longer ago than backups are made. Everything is saved first, once.
    fn is_private_due(&self) -> bool {
        let (kept, clock, uptime) = (self.kept(), self.0.clock.wall_unix(), self.0.clock.uptime().as_secs());
        let is_again = lock(&self.0.private_begun).is_some_and(|begun| uptime.saturating_sub(begun) < RETRY);
        if kept.state.last_success.is_none() || clock < schedule::EARLIEST || is_again {
            return false;
        }
        let period = u64::from(kept.settings.schedule.every_hours) * 60 * 60;
        let is_old = |user: &UserName| {
            let at = kept.private.get(user.as_str()).and_then(|known| known.at);
            at.is_none_or(|at| clock.abs_diff(at) >= period)
        };
        self.0.vaults.open_users().iter().any(is_old)
    }

    /// The household's own number, which spreads the boxes over time.
    fn seed(&self) -> u64 {
        let name = self.0.household.as_ref().map(|household| household.as_str()).unwrap_or_default();
        u64::from_str_radix(name, 16).unwrap_or_default()
    }

    fn kept(&self) -> BackupsRecord {
        lock(&self.0.kept).clone()
    }

    /// Changes what is kept, in the store first.
    async fn keep(&self, change: impl FnOnce(&mut BackupsRecord)) -> Result<(), BackupsError> {
        let _one_at_a_time = self.0.writing.lock().await;
        let mut kept = self.kept();
        change(&mut kept);
        self.records()?.keep_backups(&kept).await.map_err(BackupsError::Keep)?;
        *lock(&self.0.kept) = kept;
        Ok(())
    }

    /// The household and its key; made when there is none.
    async fn owner(&self) -> Result<backup::Owner, TaskError> {
        let records = self.records().map_err(|_unavailable| TaskError::NoStore)?.clone();
        let reader = records.clone();
        let known = tokio::task::spawn_blocking(move || reader.backup_key_blocking()).await;
        let known = known.map_err(TaskError::Thread)?.map_err(TaskError::LoadKey)?;
        if let Some(known) = known {
            return Ok(known.owner());
        }
        let household = self.0.household.as_ref().map_err(|_bad| TaskError::NoStore)?.clone();
        let key = BackupKey::generate().map_err(TaskError::MakeKey)?;
        let record = BackupKeyRecord::new(household, &key);
        records.keep_backup_key(&record).await.map_err(TaskError::KeepKey)?;
        Ok(record.owner())
    }

    fn records(&self) -> Result<&Records, BackupsError> {
        match &self.0.storage {
            Storage::Usable(records) => Ok(records),
            Storage::Unavailable { reason } => Err(BackupsError::NoStore { reason: reason.clone() }),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change is a single assignment, so a panic leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
