//! Apps: what is installed, whose it is, what it was given, and what is being done to it.
//!
//! ```text
//! API ── wishes (inspect, install, update, …) ──> record, kept first ──> work: one task for each app under way
//!                                                                         ├─ flow (pure): which step comes next
//!                                                                         ├─ containerd ── containerd-lite (D-Bus)
//!                                                                         └─ policy (pure) ── netd: the whole policy, at every change
//! containerd::follow ── World ── view, news ──> API, events
//! ```
//!
//! hostd decides who may do what and what an app may reach; containerd-lite runs apps, netd opens nothing that is not in the policy. The
//! store has one record for each app. A record is kept before what it says is done: a cut is finished or undone at the next start.
//! Where containerd-lite is away, what is under way waits for it, and everything else of hostd works.

pub mod arriving;
pub mod containerd;
pub mod convert;
pub mod data;
pub mod error;
#[cfg(feature = "testing")]
pub mod fake;
pub mod flow;
pub mod image_name;
mod news;
pub mod permission;
pub mod policy;
pub mod record;
mod registries;
pub mod source;
pub mod view;
mod wishes;
mod work;

pub use news::News;
pub use wishes::Inspection;
pub use wishes::Run;
pub use wishes::Wish;

use crate::accounts::Storage;
use crate::accounts::credentials::UserName;
use crate::net::AskError;
use crate::net::Netd;
use crate::records::LoadError;
use crate::records::Records;
use crate::records::Role;
use crate::vaults::apps::AppsSecrets;
use containerd::Containerd;
use error::AppsError;
use flow::Phase;
use model::containers::Registries;
use model::network::names::AppKey;
use record::AppRecord;
use record::Owner;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::broadcast;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// News that wait for a slow reader; one that is further behind is told everything anew.
const NEWS: usize = 256;
/// Operations whose end is remembered until the next start.
const ENDINGS: usize = 32;

/// How long is waited for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For an app to become healthy, beyond what its own checks allow themselves.
    pub healthy_within: Duration,
    /// For how long it must stay so: what ends right after its start has not proved anything.
    pub settled_for: Duration,
    /// Before something that was refused, and has to be done, is tried again.
    pub again_after: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            healthy_within: Duration::from_secs(180),
            settled_for: Duration::from_secs(10),
            again_after: Duration::from_secs(60),
        }
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct Who<'a> {
    /// Their name.
    pub user: &'a UserName,
    /// What they may do.
    pub role: Role,
}

/// How an operation on an app that is not there any more ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// The app, as it was.
    pub record: AppRecord,
    /// Why it came to nothing, in plain words; nothing when it was removed as wished.
    pub problem: Option<String>,
}

/// How far a pull is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes done.
    pub done: u64,
    /// Bytes in all; 0 while that is not known.
    pub total: u64,
}

/// The apps of the box; clones share them.
#[derive(Clone)]
pub struct Apps(Arc<Inner>);

struct Inner {
    storage: Storage,
    containerd: Containerd,
    netd: Netd,
    /// Of users whose vaults were opened.
    secrets: watch::Receiver<AppsSecrets>,
    patience: Patience,
    records: Mutex<BTreeMap<AppKey, AppRecord>>,
    registries: Mutex<Registries>,
    /// What was kept cannot be read, in plain words.
    trouble: Mutex<Option<String>>,
    /// Held while records are being changed.
    writing: tokio::sync::Mutex<()>,
    /// netd has not taken the policy that there is.
    untold: Notify,
    /// Held while netd is told a policy: a later one must not be overtaken.
    sending: tokio::sync::Mutex<()>,
    progress: Mutex<BTreeMap<AppKey, Progress>>,
    /// Why data is not shown, or not hidden, that should be.
    data_problems: Mutex<BTreeMap<AppKey, String>>,
    /// Why something that has to be done cannot be done yet.
    blocked: Mutex<BTreeMap<AppKey, String>>,
    endings: Mutex<VecDeque<Ending>>,
    news: broadcast::Sender<News>,
    /// Installations that somebody called off.
    called_off: watch::Sender<BTreeSet<AppKey>>,
    tasks: Mutex<JoinSet<()>>,
}

impl fmt::Debug for Apps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Apps(…)")
    }
}

impl Who<'_> {
    /// Whether they see an app: their own, and the household's.
    #[must_use]
    pub fn sees(&self, record: &AppRecord) -> bool {
        match &record.owner {
            Owner::User(user) => user == self.user,
            Owner::Household => true,
        }
    }

    /// Whether they may change an app: their own; the household's is the owner's to change.
    #[must_use]
    pub fn manages(&self, record: &AppRecord) -> bool {
        match &record.owner {
            Owner::User(user) => user == self.user,
            Owner::Household => self.role == Role::Owner,
        }
    }
}

impl Apps {
    /// None yet.
    #[must_use]
    pub fn new(
        storage: Storage,
        netd: Netd,
        secrets: watch::Receiver<AppsSecrets>,
        patience: Patience,
    ) -> Self {
        Self(Arc::new(Inner {
            storage,
            containerd: Containerd::default(),
            netd,
            secrets,
            patience,
            data_problems: Mutex::default(),
            records: Mutex::default(),
            registries: Mutex::default(),
            trouble: Mutex::default(),
            writing: tokio::sync::Mutex::default(),
            untold: Notify::new(),
            sending: tokio::sync::Mutex::default(),
            progress: Mutex::default(),
            blocked: Mutex::default(),
            endings: Mutex::default(),
            news: broadcast::Sender::new(NEWS),
            called_off: watch::Sender::default(),
            tasks: Mutex::default(),
        }))
    }

    /// Takes up what was kept.
    pub async fn load(&self) {
        let Ok(records) = self.store().cloned() else { return };
        let read = move || Ok((records.apps_blocking()?, records.registries_blocking()?));
        match tokio::task::spawn_blocking(read).await {
            Ok(Ok((kept, registries))) => {
                *lock(&self.0.registries) = registries;
                *lock(&self.0.records) =
                    kept.into_iter().map(|record| (record.key.clone(), record)).collect();
            }
            Ok(Err::<_, LoadError>(error)) => self.cannot_load(&error),
            Err(error) => self.cannot_load(&error),
        }
    }

    /// Without its records hostd must not tell netd a policy, nor install anything beside them.
    fn cannot_load(&self, error: &(dyn Error + 'static)) {
        tracing::error!(error, "the records of apps cannot be read");
        let words = format!("the box cannot read which apps are installed: {error}");
        *lock(&self.0.trouble) = Some(words);
    }

    /// The way to containerd-lite.
    #[must_use]
    pub fn containerd(&self) -> &Containerd {
        &self.0.containerd
    }

    /// Why apps can be neither shown nor changed, in plain words.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        if let Some(words) = lock(&self.0.trouble).clone() {
            return Some(words);
        }
        let away = "the box's app service does not answer just now; it is started again by itself. Apps that run go on";
        self.0.containerd.now().is_none().then(|| away.to_owned())
    }

    /// The apps that somebody sees, by their IDs.
    #[must_use]
    pub fn seen_by(&self, who: Who<'_>) -> Vec<AppRecord> {
        let mut seen: Vec<_> = self.all().into_iter().filter(|record| who.sees(record)).collect();
        seen.sort_by(|one, other| one.id.cmp(&other.id));
        seen
    }

    /// What people call each app.
    #[must_use]
    pub fn ids(&self) -> BTreeMap<AppKey, String> {
        self.all().into_iter().map(|record| (record.key, record.id.to_string())).collect()
    }

    /// An app that somebody sees.
    ///
    /// # Errors
    ///
    /// [`AppsError::NoSuchApp`], also for one that they do not see.
    pub fn one(&self, who: Who<'_>, key: &AppKey) -> Result<AppRecord, AppsError> {
        self.record(key).filter(|record| who.sees(record)).ok_or(AppsError::NoSuchApp)
    }

    /// An app that somebody may change.
    ///
    /// # Errors
    ///
    /// [`AppsError::NoSuchApp`], and [`AppsError::OwnerOnly`] for the household's.
    pub fn managed(&self, who: Who<'_>, key: &AppKey) -> Result<AppRecord, AppsError> {
        let record = self.one(who, key)?;
        if who.manages(&record) { Ok(record) } else { Err(AppsError::OwnerOnly) }
    }

    /// How operations ended of whose app nothing is left, the newest first.
    #[must_use]
    pub fn endings(&self, who: Who<'_>) -> Vec<Ending> {
        let endings = lock(&self.0.endings);
        endings.iter().filter(|ending| who.sees(&ending.record)).rev().cloned().collect()
    }

    /// How far the pull for an app is.
    #[must_use]
    pub fn progress(&self, key: &AppKey) -> Option<Progress> {
        lock(&self.0.progress).get(key).copied()
    }

    /// Why what is being done to an app waits.
    #[must_use]
    pub fn blocked(&self, key: &AppKey) -> Option<String> {
        lock(&self.0.blocked).get(key).cloned()
    }

    /// Waits until nothing of this runs any more; what is under way is carried on at the next start.
    pub async fn stop(&self) {
        let mut tasks = std::mem::take(&mut *lock(&self.0.tasks));
        tasks.shutdown().await;
    }

    fn record(&self, key: &AppKey) -> Option<AppRecord> {
        lock(&self.0.records).get(key).cloned()
    }

    fn all(&self) -> Vec<AppRecord> {
        lock(&self.0.records).values().cloned().collect()
    }

    fn store(&self) -> Result<&Records, AppsError> {
        match &self.0.storage {
            Storage::Usable(records) => Ok(records),
            Storage::Unavailable { reason } => Err(AppsError::NoStore { reason: reason.clone() }),
        }
    }

    /// Keeps a changed record, in the store first; the caller holds `writing`.
    async fn keep(&self, record: AppRecord) -> Result<(), AppsError> {
        self.store()?.keep_app(&record).await.map_err(AppsError::Keep)?;
        let key = record.key.clone();
        lock(&self.0.records).insert(key.clone(), record);
        self.tell(News::Changed(key));
        Ok(())
    }

    /// Forgets an app, and what led to it; the caller holds `writing`.
    async fn forget(&self, record: AppRecord, problem: Option<String>) -> Result<(), AppsError> {
        let unlinked = self.unlinked(&record.key);
        self.store()?.forget_app(&record.key, &unlinked).await.map_err(AppsError::Keep)?;
        let mut records = lock(&self.0.records);
        records.remove(&record.key);
        for other in unlinked {
            records.insert(other.key.clone(), other);
        }
        drop(records);
        let ending = Ending { record, problem };
        let mut endings = lock(&self.0.endings);
        endings.push_back(ending.clone());
        if endings.len() > ENDINGS {
            endings.pop_front();
        }
        drop(endings);
        self.tell(News::Gone(Box::new(ending)));
        Ok(())
    }

    /// The records of apps that led to one, without that: whatever comes in its place is another app.
    fn unlinked(&self, gone: &AppKey) -> Vec<AppRecord> {
        let mut changed = Vec::new();
        for mut record in self.all() {
            let before = record.clone();
            for edition in record.phase.editions_mut() {
                edition.links.retain(|_, key| key != gone);
            }
            if record != before && record.key != *gone {
                changed.push(record);
            }
        }
        changed
    }

    /// Tells netd the policy of all apps.
    async fn send_policy(&self) -> Result<(), AppsError> {
        let _in_turn = self.0.sending.lock().await;
        if let Some(words) = lock(&self.0.trouble).clone() {
            return Err(AppsError::NoStore { reason: words });
        }
        let policy = policy::policy(self.all().iter()).map_err(AppsError::Policy)?;
        policy.check().map_err(AppsError::InvalidPolicy)?;
        self.0.netd.set_app_policy(&policy).await.map_err(AppsError::Netd)
    }

    /// Tells netd the policy whenever it comes back, for as long as it runs. As long as there was no app there is nothing to tell: netd opens
    /// nothing by itself.
    async fn keep_policy(&self) {
        let mut connection = self.0.netd.connection();
        let mut is_owed = false;
        loop {
            is_owed |= !lock(&self.0.records).is_empty();
            let is_there = connection.borrow_and_update().is_some();
            let told = if is_there && is_owed { self.send_policy().await } else { Ok(()) };
            if let Err(error) = &told {
                tracing::error!(error = error as &dyn Error, "netd did not take the policy of apps");
            }
            // All are cancel safe. Where netd is there and did not take it, it is told again; else when it comes back.
            tokio::select! {
                changed = connection.changed() => if changed.is_err() { return },
                () = self.0.untold.notified(), if told.is_ok() => is_owed = true,
                () = tokio::time::sleep(self.0.patience.again_after), if told.is_err() => {}
            }
        }
    }
}

impl Phase {
    fn editions_mut(&mut self) -> Vec<&mut record::Edition> {
        match self {
            Self::Installing { edition, .. }
            | Self::Installed { edition }
            | Self::Removing { edition, .. }
            | Self::Removed { edition } => vec![edition],
            Self::Updating { old, new, .. } => vec![old, new],
        }
    }
}

/// Whether netd is away rather than unwilling.
fn is_absence(error: &AppsError) -> bool {
    match error {
        AppsError::Netd(error) => AskError::is_absence(error),
        AppsError::Containerd(error) => error.is_absence(),
        AppsError::NoSuchApp
        | AppsError::OwnerOnly
        | AppsError::Busy
        | AppsError::Leftover
        | AppsError::IdTaken
        | AppsError::NotWhatWasShown
        | AppsError::Refused(_)
        | AppsError::NotAsked(_)
        | AppsError::NoStore { .. }
        | AppsError::Keep(_)
        | AppsError::Key(_)
        | AppsError::Secret(_)
        | AppsError::Id(_)
        | AppsError::InvalidRegistries(_)
        | AppsError::Policy(_)
        | AppsError::InvalidPolicy(_) => false,
    }
}

/// Nothing that is locked here is left half changed by a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
