//! What was decided before the box's first start: claim code and name. init puts it beside the store (docs/flashing.md).
//!
//! It counts only while the box has no owner, and is removed as soon as it has one: whoever could put a file on the boot partition of a box
//! that is in use changes nothing of it. Time zone and language are read and not used yet.

use crate::accounts::Ownership;
use model::preset::MAX_BYTES;
use model::preset::Preset;
use model::preset::PresetError;
use std::error::Error;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use tokio::sync::watch;

/// Name of the file in hostd's folder.
const FILE: &str = "preset.json";

/// Where it is.
#[must_use]
pub fn path(state: &Path) -> PathBuf {
    state.join(FILE)
}

/// Reads the file; one that is not there, or of no use, decides nothing.
#[must_use]
pub fn load(state: &Path) -> Preset {
    let path = path(state);
    read(&path).unwrap_or_else(|error| {
        tracing::error!(error = &error as &dyn Error, "what was decided before the first start is not used");
        Preset::default()
    })
}

#[derive(Debug, thiserror::Error)]
enum LoadError {
    #[error("read {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Only the place of a mistake: a log is no place for a claim code.
    #[error("{}", source.place())]
    Content { source: PresetError },
}

fn read(path: &Path) -> Result<Preset, LoadError> {
    let at = |source| LoadError::Read { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Preset::default()),
        Err(source) => return Err(at(source)),
    };
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = zeroize::Zeroizing::new(Vec::new());
    file.take(limit).read_to_end(&mut bytes).map_err(at)?;
    Preset::parse(&bytes).map_err(|source| LoadError::Content { source })
}

/// Removes the file once the box has an owner.
pub async fn forget_when_owned(state: PathBuf, mut ownership: watch::Receiver<Ownership>) {
    if ownership.wait_for(|owned| owned.set_up).await.is_err() {
        return;
    }
    match fs::remove_file(path(&state)) {
        Ok(()) => tracing::info!("what was decided before the first start has served"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn Error,
                "what was decided before the first start stays on the disk"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_good_file_decides() {
        let folder = tempfile::tempdir().unwrap();
        assert!(load(folder.path()).is_empty());
        fs::write(path(folder.path()), "{\"version\":1,\"claim_code\":\"01AB-2CDE-3FGH\"}").unwrap();
        assert_eq!(*load(folder.path()).claim_code.unwrap().shown(), "01AB-2CDE-3FGH");
        for bad in ["", "{\"version\":1,\"claim_code\":\"SECRET\"}", &" ".repeat(MAX_BYTES + 1)] {
            fs::write(path(folder.path()), bad).unwrap();
            assert!(load(folder.path()).is_empty());
            assert!(!read(&path(folder.path())).unwrap_err().to_string().contains("SECRET"));
        }
    }

    #[tokio::test]
    async fn the_file_goes_with_the_first_owner() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(path(folder.path()), "{\"version\":1}").unwrap();
        let owned = |set_up| Ownership { set_up, host_name: None, claim_code: None };
        let (sender, receiver) = watch::channel(owned(false));
        let task = tokio::spawn(forget_when_owned(folder.path().to_owned(), receiver));
        tokio::task::yield_now().await;
        assert!(path(folder.path()).exists());
        sender.send_replace(owned(true));
        task.await.unwrap();
        assert!(!path(folder.path()).exists());
    }
}
