//! What a signed repository says: `crates/update`, with the root of trust in the root image.
//!
//! Metadata that was accepted once is remembered beside the notes, apart from what hostd remembers: nobody but this program can make it
//! forget that something newer was there.

use std::error::Error;

use model::update::UpdateOrder;
use model::update::UpdateOrigin;
use rustix::time::ClockId;
use update::Asker;
use update::Catalog;
use update::Clock;
use update::Folder;
use update::Origin;
use update::Permit;
use update::Release;
use update::Store;
use update::Trust;

use crate::approve::Approve;
use crate::approve::Approved;
use crate::approve::Hash;
use crate::approve::NotApproved;
use crate::approve::Wanted;
use crate::durable;
use crate::places::Places;
use model::release::RELEASED;

/// The first root of the repository, in the root image.
const ROOT: &str = "root.json";
/// What was accepted, below the installer's own folder.
const ACCEPTED: &str = "metadata";

/// The repository's word.
#[derive(Clone, Copy, Debug)]
pub struct Signed {
    /// What the clock shows, and whether it is right.
    pub clock: Clock,
}

/// Why nothing is approved.
#[derive(Debug, thiserror::Error)]
pub enum SignedError {
    /// The system has no keys.
    #[error("this system has no keys to check updates with")]
    NoKeys(#[source] std::io::Error),
    /// The list has no such version.
    #[error("the signed list has no version {version} for {board}")]
    Unknown {
        /// The version.
        version: slots::Version,
        /// This board.
        board: String,
    },
}

impl Signed {
    /// With the system's clock. It is right when the kernel was told so: by netd, which has it from servers that prove who they are.
    #[must_use]
    pub fn new(is_synchronised: bool) -> Self {
        let now = rustix::time::clock_gettime(ClockId::Realtime);
        let trust = if is_synchronised { Trust::Sure } else { Trust::Unsure };
        Self { clock: Clock { system: now.tv_sec.try_into().unwrap_or_default(), at_least: RELEASED, trust } }
    }
}

impl Approve for Signed {
    fn approve(&self, places: &Places, wanted: &Wanted<'_>) -> Result<Approved, NotApproved> {
        let most = usize::try_from(update::MAX_ROOT)?;
        let root = durable::read(&places.trust.join(ROOT), most).map_err(SignedError::NoKeys)?;
        let store = Store::open(places.state.join(ACCEPTED))?;
        let (folder, origin) = match wanted.origin {
            UpdateOrigin::Network => (places.updates.clone(), Origin::Network),
            UpdateOrigin::Bundle => (places.updates.join("bundle"), Origin::Bundle),
        };
        let asker = match wanted.order {
            UpdateOrder::Automatic => Asker::Box,
            UpdateOrder::Asked | UpdateOrder::AskedLower => Asker::Owner,
        };
        let permit = Permit { asker, origin };
        let catalog = Catalog::load(&Folder::new(folder), &root, &store, &self.clock, permit)?;
        Ok(approved(find(&catalog, wanted)?))
    }
}

/// Which channel is followed is the owner's wish, and hostd's business; that it is signed for this board is what counts here.
fn find<'a>(catalog: &'a Catalog, wanted: &Wanted<'_>) -> Result<&'a Release, Box<dyn Error + Send + Sync>> {
    let is_meant = |release: &&Release| {
        release.version == *wanted.version && release.place.board.to_string() == wanted.board
    };
    let place = catalog.releases().iter().find(is_meant).map(|release| release.place.clone());
    let place = place.ok_or_else(|| SignedError::Unknown {
        version: wanted.version.clone(),
        board: wanted.board.to_owned(),
    })?;
    let above = match wanted.order {
        UpdateOrder::Automatic | UpdateOrder::Asked => Some(wanted.running),
        UpdateOrder::AskedLower => None,
    };
    Ok(catalog.find(&place, wanted.version, above)?)
}

fn approved(release: &Release) -> Approved {
    Approved {
        version: release.version.clone(),
        board: release.place.board.to_string(),
        length: release.length,
        sha256: Hash(release.sha256.0),
        loader: Some(release.loader.to_string()),
    }
}

#[cfg(test)]
mod tests;
