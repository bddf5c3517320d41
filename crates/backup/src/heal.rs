//! Takes out of the index what the place has lost, so that the next backup saves it anew.
//!
//! Without this a backup would leave out everything the index says is there. The index can always be made anew from
//! the packs; of packs that are gone, snapshots that need them stay damaged, which [`crate::verify`] says.

use crate::control::Control;
use crate::place::PlaceError;
use crate::repository::OpenError;
use crate::repository::Opened;
use crate::repository::Owner;
use crate::repository::Site;
use crate::snapshot::is_damage;
use crate::targets::Target;
use rustic_core::RepairIndexOptions;
use rustic_core::repofile::IndexFile;
use rustic_core::repofile::IndexId;
use std::collections::HashMap;

/// What was found and put right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Healed {
    /// Packs that are gone or cut short.
    pub packs: u64,
    /// Index files that were damaged and are made anew.
    pub indexes: u64,
}

/// Puts the index of a repository right, for example before a restore from a damaged disk.
///
/// # Errors
/// When the repository cannot be opened or written.
pub fn repair(owner: &Owner, target: &Target, control: &Control) -> Result<Healed, OpenError> {
    let site = Site::new(target, control.cancel.clone())?;
    let repository = site.open(owner)?;
    heal(&site, &repository)
}

/// Files of a folder, without those that a cut left empty, which are taken away: FAT writes a name first and the length later, and the library
/// does not survive a pack of length 0. A file is acknowledged when its length is on the disk; in one that lost it later nothing is left.
fn with_content(site: &Site, folder: &str) -> Result<HashMap<String, u64>, OpenError> {
    let mut found: HashMap<String, u64> =
        site.place.list(folder).map_err(OpenError::Place)?.into_iter().collect();
    for (name, _length) in found.extract_if(|_, length| *length == 0) {
        tracing::warn!(folder, name, "an empty file in the backup is removed");
        site.place.remove(&format!("{folder}/{name}")).map_err(OpenError::Place)?;
    }
    Ok(found)
}

pub(crate) fn heal(site: &Site, repository: &Opened) -> Result<Healed, OpenError> {
    let mut healed = Healed::default();
    with_content(site, "snapshots")?;
    let ids: Vec<IndexId> = site.engine(|| Ok(repository.list::<IndexId>()?.collect()))?;
    let mut wanted: HashMap<String, u64> = HashMap::new();
    for id in ids {
        match site.engine(|| repository.get_file::<IndexFile>(&id)) {
            Ok(index) => {
                let size = |pack: &rustic_core::repofile::IndexPack| u64::from(pack.pack_size());
                wanted.extend(
                    index.packs.iter().map(|pack| (pack.id.to_hex().as_str().to_owned(), size(pack))),
                );
            }
            Err(error) if is_damage(&error) => {
                healed.indexes += 1;
                let name = format!("index/{}", id.to_hex().as_str());
                site.place.remove(&name).map_err(OpenError::Place)?;
            }
            Err(error) => return Err(error),
        }
    }
    let there = with_content(site, "data")?;
    for (id, size) in wanted {
        match there.get(&id) {
            Some(found) if *found == size => {}
            Some(_) => {
                // Its table of contents is at its end: nothing in it can be found any more.
                healed.packs += 1;
                site.place.remove(&format!("data/{id}")).map_err(OpenError::Place)?;
            }
            // A list may be incomplete; what it lacks is asked for by name before it is given up.
            None => match site.place.read_part(&format!("data/{id}"), 0, 1) {
                Ok(_) => {}
                Err(PlaceError::Missing { .. }) => healed.packs += 1,
                Err(error) => return Err(OpenError::Place(error)),
            },
        }
    }
    if healed != Healed::default() {
        tracing::warn!(
            packs = healed.packs,
            indexes = healed.indexes,
            "the backup has lost files; its index is made anew"
        );
        site.engine(|| repository.repair_index(&RepairIndexOptions::default(), false))?;
    }
    Ok(healed)
}
