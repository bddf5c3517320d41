//! Opening what is kept, in a way that always leaves a box that can say what is wrong.

use crate::accounts::Loaded;
use crate::accounts::Storage;
use crate::household::authority::Authority;
use crate::household::authority::AuthorityError;
use crate::household::leaf::Leaf;
use crate::records;
use crate::records::KeepError;
use crate::records::Kept;
use crate::records::LoadError;
use crate::records::Records;
use std::error::Error;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use store::Loss;
use store::OpenOptions;
use store::Recovery;
use store::Store;
use store::StoreKey;

/// The key that seals the store, beside it until the TPM wraps it.
const KEY_FILE: &str = "store.key";
/// The store's folder.
const STORE_FOLDER: &str = "store";

/// What hostd starts with.
#[derive(Debug)]
pub struct Opened {
    /// Where accounts are kept.
    pub storage: Storage,
    /// What was kept of accounts.
    pub loaded: Loaded,
    /// The household authority.
    pub authority: Authority,
    /// The box's certificate, when one was kept with this authority.
    pub leaf: Option<Leaf>,
    /// What was lost or repaired, in plain words.
    pub recovered: Option<String>,
}

/// Why what is kept cannot be used.
#[derive(Debug, thiserror::Error)]
enum StorageError {
    #[error("make the folder {}", path.display())]
    Folder {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("load the key of the store")]
    Key {
        #[source]
        source: store::KeyError,
    },
    #[error("open the store in {}", path.display())]
    Open {
        path: PathBuf,
        #[source]
        source: store::OpenError,
    },
    #[error("load the records")]
    Load {
        #[source]
        source: LoadError,
    },
    #[error("read the household authority")]
    Authority {
        #[source]
        source: AuthorityError,
    },
    #[error("keep a new household authority")]
    Keep {
        #[source]
        source: KeepError,
    },
    /// An owner's account may be among what is gone: the box must not offer itself to the next visitor.
    #[error("tell whether this box has an owner: {recovery}")]
    OwnerUnknown { recovery: Recovery },
    #[error("wait for the store")]
    Thread {
        #[source]
        source: tokio::task::JoinError,
    },
}

/// Opens the store below `folder`. When that fails, the result has an authority that lives in memory only: the page still
/// answers over HTTPS and says why nothing can be set up.
///
/// # Errors
///
/// When not even an authority in memory can be made.
pub async fn open(folder: &Path) -> Result<Opened, AuthorityError> {
    match open_kept(folder).await {
        Ok(opened) => Ok(opened),
        Err(error) => {
            tracing::error!(error = &error as &dyn Error, "nothing can be kept");
            let (authority, _not_kept) = Authority::generate()?;
            let storage = Storage::Unavailable { reason: explain(&error) };
            Ok(Opened { storage, loaded: Loaded::default(), authority, leaf: None, recovered: None })
        }
    }
}

/// Opens records that are there already, as [`open`] does below a folder.
async fn open_kept(folder: &Path) -> Result<Opened, StorageError> {
    let folder = folder.to_owned();
    let (records, kept, recovered) = tokio::task::spawn_blocking(move || open_blocking(&folder))
        .await
        .map_err(|source| StorageError::Thread { source })??;
    let (authority, leaf) = match &kept.authority {
        Some(stored) => {
            let authority =
                Authority::from_stored(stored).map_err(|source| StorageError::Authority { source })?;
            (authority, kept.leaf)
        }
        None => {
            let (authority, stored) =
                Authority::generate().map_err(|source| StorageError::Authority { source })?;
            // On the disk before anybody sees its fingerprint: what people compare or install must not change.
            records.keep_authority(&stored).await.map_err(|source| StorageError::Keep { source })?;
            (authority, None)
        }
    };
    let loaded =
        Loaded { owner: kept.owner, host_name: kept.host_name, sessions: kept.sessions, ledger: kept.ledger };
    Ok(Opened { storage: Storage::Usable(records), loaded, authority, leaf, recovered })
}

fn open_blocking(folder: &Path) -> Result<(Records, Kept, Option<String>), StorageError> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => {}
        // In the image init makes it, and hostd may not write beside it: which error comes first is the kernel's business.
        Err(_there_already) if folder.is_dir() => {}
        Err(source) => return Err(StorageError::Folder { path: folder.to_owned(), source }),
    }
    let key =
        StoreKey::load_or_create(&folder.join(KEY_FILE)).map_err(|source| StorageError::Key { source })?;
    let path = folder.join(STORE_FOLDER);
    let (store, opened) = OpenOptions::new(&key)
        .migrations(&records::migrations())
        .open(&path)
        .map_err(|source| StorageError::Open { path, source })?;
    let records = Records::new(Arc::new(store) as Arc<dyn Store>);
    let kept = records.load_blocking().map_err(|source| StorageError::Load { source })?;
    let recovered = match opened.recovered {
        Some(recovery) if recovery.loss != Loss::None && kept.owner.is_none() => {
            return Err(StorageError::OwnerUnknown { recovery });
        }
        recovered => recovered.map(|recovery| {
            tracing::warn!(findings = ?recovery.findings, "the store was damaged and recovered");
            format!("what the box had saved was damaged: {recovery}")
        }),
    };
    Ok((records, kept, recovered))
}

/// The whole chain in one line, for the owner.
fn explain(error: &StorageError) -> String {
    let mut text = format!("could not {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_authority_is_kept_over_restarts() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("hostd");
        let first = open(&state).await.unwrap();
        assert!(matches!(first.storage, Storage::Usable(_)));
        let fingerprint = first.authority.fingerprint();
        drop(first);
        assert_eq!(open(&state).await.unwrap().authority.fingerprint(), fingerprint);
    }

    #[tokio::test]
    async fn a_loss_that_may_be_the_owner_is_no_set_up() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("hostd");
        drop(open(&state).await.unwrap());
        let store = state.join(STORE_FOLDER);
        // As after a pulled plug: sled's copy is not believed. The first commit's frame begins behind the header of 112 bytes.
        std::fs::remove_file(store.join("sled.seal")).unwrap();
        let journal = store.join("journal-0000000000000000");
        let mut bytes = std::fs::read(&journal).unwrap();
        bytes[150] ^= 1;
        std::fs::write(&journal, bytes).unwrap();
        let opened = open(&state).await.unwrap();
        let Storage::Unavailable { reason } = opened.storage else { panic!("the box offers itself") };
        assert!(reason.contains("owner"), "{reason}");
    }

    #[tokio::test]
    async fn records_of_a_newer_hostd_are_left_alone_with_a_reason() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("hostd");
        drop(open(&state).await.unwrap());
        let key = StoreKey::load_or_create(&state.join(KEY_FILE)).unwrap();
        let newer = records::migrations().then(|_| Ok(store::Batch::new()));
        drop(OpenOptions::new(&key).migrations(&newer).open(&state.join(STORE_FOLDER)).unwrap());
        let Storage::Unavailable { reason } = open(&state).await.unwrap().storage else {
            panic!("an older hostd takes them for its own");
        };
        assert!(reason.contains("newer program") && reason.contains("schema 2"), "{reason}");
    }

    #[tokio::test]
    async fn without_a_folder_there_is_an_authority_in_memory_and_a_reason() {
        let opened = open(Path::new("/nonexistent/state/hostd")).await.unwrap();
        let Storage::Unavailable { reason } = opened.storage else { panic!("storage is usable") };
        assert!(reason.contains("/nonexistent/state/hostd") && reason.contains("No such file"), "{reason}");
        assert!(!opened.authority.fingerprint().is_empty());
    }
}
