//! Apps, as they are kept.

use super::KeepError;
use super::LoadError;
use super::Records;
use super::json;
use super::parse;
use crate::apps::record::AppRecord;
use model::network::names::AppKey;
use store::Batch;

const APPS: &str = "apps";

impl Records {
    /// Reads all apps; blocks on the disk.
    ///
    /// # Errors
    ///
    /// When the store cannot read one, or one is not what it should be.
    pub fn apps_blocking(&self) -> Result<Vec<AppRecord>, LoadError> {
        let records = self.store.scan(APPS).map_err(|source| LoadError::Read { source })?;
        records.iter().map(|(key, value)| parse(APPS, key, value)).collect()
    }

    /// Keeps an app, in the place of what was kept of it.
    ///
    /// # Errors
    ///
    /// When the store does not commit.
    pub async fn keep_app(&self, app: &AppRecord) -> Result<(), KeepError> {
        self.commit(Batch::new().put(APPS, app.key.as_str().as_bytes(), json(app)?)).await
    }

    /// Forgets an app and keeps those that its going changes, all at once.
    ///
    /// # Errors
    ///
    /// When the store does not commit.
    pub async fn forget_app(&self, key: &AppKey, changed: &[AppRecord]) -> Result<(), KeepError> {
        let mut batch = Batch::new().delete(APPS, key.as_str().as_bytes());
        for app in changed {
            batch = batch.put(APPS, app.key.as_str().as_bytes(), json(app)?);
        }
        self.commit(batch).await
    }
}
