//! Directories that nothing needs any more: destroyed with everything in them, also when the power goes in between.

use super::Vaults;
use super::directories::Directories;
use super::error::VaultError;
use super::folders_in;
use super::restored;
use crate::records::Doomed;
use std::error::Error;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use vault::directory::DirectoryError;

impl Vaults {
    /// Destroys what a commit doomed, and forgets it.
    ///
    /// # Errors
    ///
    /// What the file system or the store says; it is tried again at the next start.
    pub(super) async fn destroy(&self, doomed: &Doomed) -> Result<(), VaultError> {
        let (directories, path) = (Arc::clone(&self.directories), self.folder.join(doomed.path()));
        // Files from a backup that their user never opened go with the whole vault.
        let sealed = doomed.is_whole().then(|| self.sealed.join(doomed.path()));
        tokio::task::spawn_blocking(move || {
            destroy_blocking(&*directories, &path)?;
            sealed.map_or(Ok(()), |sealed| restored::destroy(&sealed))?;
            Ok::<_, VaultError>(())
        })
        .await??;
        Ok(self.records()?.forget_doomed(doomed).await?)
    }

    /// Goes on where a run before was ended.
    pub(super) async fn destroy_doomed(&self) {
        let Ok(records) = self.records().cloned() else { return };
        let listed = tokio::task::spawn_blocking(move || records.doomed_blocking()).await;
        let listed = listed.map_err(VaultError::from).and_then(|listed| Ok(listed?));
        let doomed = listed.unwrap_or_else(|error| {
            tracing::error!(error = &error as &dyn Error, "what is to be destroyed cannot be read");
            Vec::new()
        });
        for each in doomed {
            match self.destroy(&each).await {
                Ok(()) => tracing::info!("what was left of a vault was destroyed"),
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn Error,
                        "what is left of a vault was not destroyed"
                    );
                }
            }
        }
    }
}

/// A vault's folder has directories, and only these have keys.
fn destroy_blocking(directories: &dyn Directories, path: &Path) -> Result<(), DirectoryError> {
    for directory in folders_in(path) {
        directories.destroy(&directory)?;
    }
    directories.destroy(path)
}

/// Removes the directories beside the one that counts: what a rotation left that was ended early.
///
/// # Errors
///
/// What the file system says.
pub(super) fn remove_others(directories: &dyn Directories, path: &Path) -> Result<(), DirectoryError> {
    let beside: Vec<PathBuf> = path.parent().map(folders_in).unwrap_or_default();
    beside.iter().filter(|other| *other != path).try_for_each(|other| directories.destroy(other))
}
