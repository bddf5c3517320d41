//! Opening what is kept, in a way that always leaves a box that can say what is wrong.

pub mod acceptance;
mod keys;
pub mod protect;
pub mod restored;

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
use keys::KeysError;
use keys::StoreKeys;
use std::error::Error;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use store::Anchor;
use store::Finding;
use store::Loss;
use store::OpenError;
use store::OpenOptions;
use store::Recovery;
use store::Rollback;

/// What can be done about an older copy (docs/adr/0019).
const WAY_OUT: &str =
    ". Put the disk back as it was; or have the recovery key accept that everything since is lost";
/// The store's folder.
const STORE_FOLDER: &str = "store";

/// What opening needs besides the folder.
#[derive(Clone, Debug)]
pub struct Needs<'a> {
    /// storaged's socket.
    pub storaged: &'a Path,
    /// How long storaged is waited for.
    pub patience: Duration,
    /// The rollback that somebody has seen and accepted.
    pub accepted: Option<Rollback>,
    /// What the anchor will call a store that was restored; nobody needs to be told of it.
    pub restored: Option<Rollback>,
    /// Whether the system from before may have to come back and read what this one writes.
    pub keeps_way_back: bool,
}

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
    /// That an older copy stands in the place of the store, which was therefore not opened.
    pub rollback: Option<Rollback>,
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
    #[error("get the key of the store")]
    Keys {
        #[source]
        source: KeysError,
    },
    #[error("open the store in {}", path.display())]
    Open {
        path: PathBuf,
        #[source]
        source: OpenError,
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
pub async fn open(folder: &Path, needs: &Needs<'_>) -> Result<Opened, AuthorityError> {
    match open_kept(folder, needs).await {
        Ok(opened) => Ok(opened),
        Err(error) => {
            tracing::error!(error = &error as &dyn Error, "nothing can be kept");
            let (authority, _not_kept) = Authority::generate()?;
            let rollback = error.rollback();
            let mut reason = explain(&error);
            if rollback.is_some() {
                reason.push_str(WAY_OUT);
            }
            let storage = Storage::Unavailable { reason };
            let (loaded, leaf, recovered) = (Loaded::default(), None, None);
            Ok(Opened { storage, loaded, authority, leaf, recovered, rollback })
        }
    }
}

/// Opens records that are there already, as [`open`] does below a folder.
async fn open_kept(folder: &Path, needs: &Needs<'_>) -> Result<Opened, StorageError> {
    ensure_folder(folder)?;
    let keys = keys::fetch(folder, needs.storaged, needs.patience)
        .await
        .map_err(|source| StorageError::Keys { source })?;
    let (folder, accepted) = (folder.to_owned(), (needs.accepted, needs.restored));
    let keeps_way_back = needs.keeps_way_back;
    let (records, kept, recovered) =
        tokio::task::spawn_blocking(move || open_blocking(&folder, &keys, accepted, keeps_way_back))
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
    let loaded = Loaded {
        owner: kept.owner,
        members: kept.members,
        host_name: kept.host_name,
        sessions: kept.sessions,
        ledger: kept.ledger,
        claim_code: None,
    };
    let storage = Storage::Usable(records);
    Ok(Opened { storage, loaded, authority, leaf, recovered, rollback: None })
}

fn ensure_folder(folder: &Path) -> Result<(), StorageError> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => Ok(()),
        // In the image init makes it, and hostd may not write beside it: which error comes first is the kernel's business.
        Err(_there_already) if folder.is_dir() => Ok(()),
        Err(source) => Err(StorageError::Folder { path: folder.to_owned(), source }),
    }
}

fn open_blocking(
    folder: &Path,
    keys: &StoreKeys,
    (accepted, restored): (Option<Rollback>, Option<Rollback>),
    keeps_way_back: bool,
) -> Result<(Records, Kept, Option<String>), StorageError> {
    let path = folder.join(STORE_FOLDER);
    let known = records::migrations();
    let mut options = OpenOptions::new(&keys.key).migrations(&known).keep_way_back(keeps_way_back);
    if let Some(anchor) = &keys.anchor {
        options = options.anchor(anchor as &dyn Anchor);
    }
    if let Some(seen) = accepted.or(restored) {
        options = options.accept_rollback(seen);
    }
    let (store, opened) = options.open(&path).map_err(|source| StorageError::Open { path, source })?;
    let records = Records::in_sled(Arc::new(store));
    let kept = records.load_blocking().map_err(|source| StorageError::Load { source })?;
    if let Err(error) = restored::settle(folder) {
        tracing::warn!(error = &error as &dyn Error, "what a restore has left is still there");
    }
    let recovered = match opened.recovered.filter(|recovery| !is_restore(recovery, restored)) {
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

/// A store that was restored is new here, which is nothing to tell.
fn is_restore(recovery: &Recovery, restored: Option<Rollback>) -> bool {
    let mut findings = recovery.findings.iter();
    restored.is_some()
        && findings.all(|finding| matches!(finding, Finding::RollbackAccepted { rollback } if Some(*rollback) == restored))
}

impl StorageError {
    /// What it says of an older copy, when that is what it is about.
    fn rollback(&self) -> Option<Rollback> {
        match self {
            Self::Open { source: OpenError::RolledBack { rollback }, .. } => Some(*rollback),
            Self::Open { .. }
            | Self::Folder { .. }
            | Self::Keys { .. }
            | Self::Load { .. }
            | Self::Authority { .. }
            | Self::Keep { .. }
            | Self::OwnerUnknown { .. }
            | Self::Thread { .. } => None,
        }
    }
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
mod tests;
