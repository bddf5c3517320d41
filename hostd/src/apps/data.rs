//! Keys of the data of apps: who has them, and that containerd-lite has those that it may have.
//!
//! | whose | key made of | shown |
//! |---|---|---|
//! | the household's | a secret in the app's record, which the box opens by itself | always |
//! | one user's | a secret of their vault | from when they unlock it until they lock it, or the box or hostd starts anew |
//!
//! What should be is compared with what containerd-lite says at every change of either; there is no list of steps that could break off.

use super::Apps;
use super::News;
use super::containerd::World;
use super::error::AppsError;
use super::flow::Phase;
use super::lock;
use super::record::AppRecord;
use super::record::Owner;
use crate::accounts::credentials::UserName;
use model::containers::AppReport;
use model::containers::DataState;
use model::network::names::AppKey;
use serde::Deserialize;
use serde::Serialize;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use vault::directory::DirectoryKey;
use zeroize::Zeroizing;

/// Of which the key of a household app's data is made.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppSecret(Zeroizing<[u8; 32]>);

impl fmt::Debug for AppSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppSecret(…)")
    }
}

impl AppSecret {
    fn generate() -> Result<Self, AppsError> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *bytes).map_err(AppsError::Secret)?;
        Ok(Self(bytes))
    }
}

impl Apps {
    /// Has containerd-lite show and hide the data of apps as it should be, for as long as it runs.
    pub(super) async fn keep_data(&self) {
        let mut secrets = self.0.secrets.clone();
        let mut world = self.0.containerd.world();
        loop {
            let reports = world.borrow_and_update().as_ref().map(|world| world.apps.clone());
            secrets.mark_unchanged();
            let mut is_done = true;
            for report in reports.into_iter().flatten() {
                is_done &= self.settle_data(&report).await;
            }
            // All are cancel safe.
            tokio::select! {
                changed = secrets.changed() => if changed.is_err() { return },
                changed = world.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(self.0.patience.again_after), if !is_done => {}
            }
        }
    }

    /// Why the data of an app that should be shown is not, in plain words.
    #[must_use]
    pub fn data_problem(&self, key: &AppKey) -> Option<String> {
        lock(&self.0.data_problems).get(key).cloned()
    }

    /// Waits until the data of all of a user's apps is hidden, whose vault was locked.
    pub async fn until_hidden(&self, user: &UserName) {
        let owner = Owner::User(user.clone());
        let mut world = self.0.containerd.world();
        let is_hidden = |world: &Option<Arc<World>>| {
            let reports = world.iter().flat_map(|world| &world.apps);
            let mut theirs =
                reports.filter(|report| self.record(&report.app).is_some_and(|record| record.owner == owner));
            theirs.all(|report| report.data == DataState::Locked)
        };
        // The sender lives as long as `self`.
        drop(world.wait_for(is_hidden).await);
    }

    /// Whether the data of an app is as it should be, or will be by itself.
    async fn settle_data(&self, report: &AppReport) -> bool {
        let Some(record) = self.record(&report.app) else { return true };
        if matches!(record.phase, Phase::Removing { .. }) {
            // containerd-lite sees to that.
            return true;
        }
        let settled = match (self.data_key(&record).await, report.data) {
            (Ok(Some(key)), DataState::Locked) => {
                self.0.containerd.unlock_data(&record.key, key.expose()).await.map_err(AppsError::Containerd)
            }
            (Ok(None), DataState::Open) => {
                self.0.containerd.lock_data(&record.key).await.map_err(AppsError::Containerd)
            }
            (Ok(_), _) => Ok(()),
            (Err(error), _) => Err(error),
        };
        let words = settled.as_ref().err().map(AppsError::words);
        if let Err(error) = &settled {
            tracing::warn!(app = %record.id, error = error as &dyn Error, "the data of an app is not as it should be");
        }
        let mut problems = lock(&self.0.data_problems);
        let before = match &words {
            Some(words) => problems.insert(record.key.clone(), words.clone()),
            None => problems.remove(&record.key),
        };
        drop(problems);
        if before != words {
            self.tell(News::Changed(record.key));
        }
        settled.is_ok()
    }

    /// The key of an app's data, as long as it may be shown.
    async fn data_key(&self, record: &AppRecord) -> Result<Option<DirectoryKey>, AppsError> {
        let of = |secret: &[u8; 32]| DirectoryKey::of_app(secret, record.key.as_str());
        match &record.owner {
            Owner::User(user) => Ok(self.0.secrets.borrow().of(user).map(|secret| of(secret))),
            Owner::Household => self.household_secret(record).await.map(|secret| Some(of(&secret.0))),
        }
    }

    /// It is on the disk before anything is encrypted with it.
    async fn household_secret(&self, record: &AppRecord) -> Result<AppSecret, AppsError> {
        if let Some(secret) = &record.secret {
            return Ok(secret.clone());
        }
        let _writing = self.0.writing.lock().await;
        let now = self.record(&record.key).ok_or(AppsError::NoSuchApp)?;
        if let Some(secret) = now.secret {
            return Ok(secret);
        }
        let secret = AppSecret::generate()?;
        self.keep(AppRecord { secret: Some(secret.clone()), ..now }).await?;
        Ok(secret)
    }
}
