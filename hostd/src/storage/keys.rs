//! What storaged gives the store before it can be opened: its key, and the number that tells it from an older copy of itself.
//!
//! ```text
//! store.key beside the store (boxes from before) ── adopted by storaged, removed ──┐
//! storaged: key of the store "hostd" ◄─────────────────────────────────────────────┘
//!           counter of the TPM       ◄── Anchor
//! ```

use hostapi::peer::ConnectError;
use hostapi::storage1;
use hostapi::storage1::HOSTD_STORE;
use hostapi::storage1::STORE_KEY;
use hostapi::storage1::Storage1Error;
use hostapi::storage1::Storage1Proxy;
use std::error::Error;
use std::fs;
use std::fs::File;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use store::Anchor;
use store::AnchorAction;
use store::AnchorError;
use store::KeyError;
use store::StoreKey;
use tokio::runtime::Handle;
use tokio::time::Instant;
use zeroize::Zeroizing;

/// Where a box of an earlier version has the key.
pub(super) const KEY_FILE: &str = "store.key";
/// Wait between two tries to reach storaged; it doubles from the first to the second.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Steps of the counter in one order to storaged.
const STEPS: u64 = 256;

/// Why the store has no key.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeysError {
    #[error("reach storaged")]
    Away {
        #[source]
        source: ConnectError,
    },
    #[error("have storaged {what}")]
    Refused {
        what: &'static str,
        #[source]
        source: Storage1Error,
    },
    #[error("load the key that lies beside the store")]
    File {
        #[source]
        source: KeyError,
    },
    #[error("remove {}", path.display())]
    Remove {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("wait for the keys")]
    Thread {
        #[source]
        source: tokio::task::JoinError,
    },
}

/// Opens the store.
pub(super) struct StoreKeys {
    /// Its key.
    pub(super) key: StoreKey,
    /// Tells it from older copies, where the box can.
    pub(super) anchor: Option<ChipCounter>,
}

/// The TPM's counter, by way of storaged. For threads that may block.
pub(super) struct ChipCounter {
    storaged: Storage1Proxy<'static>,
    runtime: Handle,
}

/// Asks storaged for them. It starts beside hostd, so it is waited for, at most this long.
pub(super) async fn fetch(folder: &Path, socket: &Path, patience: Duration) -> Result<StoreKeys, KeysError> {
    let own = load_own(folder.join(KEY_FILE)).await?;
    let begun = Instant::now();
    let (mut wait, mut told) = (FIRST_WAIT, false);
    let keys = loop {
        match ask(own.as_ref(), socket).await {
            Err(error) if error.may_pass() && begun.elapsed() + wait <= patience => {
                if wait >= LONGEST_WAIT && !told {
                    tracing::warn!(error = &error as &dyn Error, "still waiting for storaged");
                    told = true;
                }
            }
            answered => break answered?,
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    };
    if own.is_some() {
        remove(&folder.join(KEY_FILE))?;
        tracing::info!("storaged keeps the key of the store from now on");
    }
    Ok(keys)
}

async fn load_own(path: PathBuf) -> Result<Option<StoreKey>, KeysError> {
    tokio::task::spawn_blocking(move || StoreKey::load(&path))
        .await
        .map_err(|source| KeysError::Thread { source })?
        .map_err(|source| KeysError::File { source })
}

async fn ask(own: Option<&StoreKey>, socket: &Path) -> Result<StoreKeys, KeysError> {
    let refused = |what| move |source| KeysError::Refused { what, source };
    let storaged = storage1::connect(socket).await.map_err(|source| KeysError::Away { source })?;
    if let Some(own) = own {
        let adopted = storaged.adopt_store_key(HOSTD_STORE.to_owned(), own.expose().to_vec()).await;
        adopted.map_err(refused("keep the key of the store"))?;
    }
    let key = storaged.store_key(HOSTD_STORE.to_owned()).await;
    let key = key.and_then(storage1::StoreKey::read).map_err(refused("give the key of the store"))?;
    let bytes: Zeroizing<[u8; STORE_KEY]> = Zeroizing::new(*key.expose());
    let anchor = match storaged.read_anchor().await {
        Ok(_number) => Some(ChipCounter { storaged, runtime: Handle::current() }),
        Err(Storage1Error::NoCounter(reason)) => {
            tracing::info!(reason, "older copies of the store are not noticed");
            None
        }
        Err(source) => return Err(refused("read its counter")(source)),
    };
    Ok(StoreKeys { key: StoreKey::from_bytes(*bytes), anchor })
}

fn remove(path: &Path) -> Result<(), KeysError> {
    let folder = path.parent().unwrap_or(path);
    let removed = fs::remove_file(path).and_then(|()| File::open(folder)?.sync_all());
    removed.map_err(|source| KeysError::Remove { path: path.to_owned(), source })
}

impl KeysError {
    /// Whether it may go well in a moment: storaged starts, or is started anew.
    fn may_pass(&self) -> bool {
        match self {
            Self::Away { .. } => true,
            Self::Refused { source, .. } => {
                matches!(source, Storage1Error::ZBus(_) | Storage1Error::Stopping(_))
            }
            Self::File { .. } | Self::Remove { .. } | Self::Thread { .. } => false,
        }
    }
}

impl ChipCounter {
    fn number(&self, action: AnchorAction) -> Result<Option<u64>, AnchorError> {
        let read = self.runtime.block_on(self.storaged.read_anchor());
        let (is_set, number) = read.map_err(|source| AnchorError { action, source: source.into() })?;
        Ok(is_set.then_some(number))
    }
}

impl Anchor for ChipCounter {
    fn read(&self) -> Result<Option<u64>, AnchorError> {
        self.number(AnchorAction::Read)
    }

    fn advance_to(&self, number: u64) -> Result<(), AnchorError> {
        let action = AnchorAction::Raise;
        loop {
            let at = self.number(action)?;
            if at.is_some_and(|at| at >= number) {
                return Ok(());
            }
            let next = number.min(at.unwrap_or_default().saturating_add(STEPS));
            let raised = self.runtime.block_on(self.storaged.advance_anchor(next));
            raised.map_err(|source| AnchorError { action, source: source.into() })?;
        }
    }
}
