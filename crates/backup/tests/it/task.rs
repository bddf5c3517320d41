//! What the tests and the program they kill agree on: whose backup it is, of what and to where.

use backup::BackupKey;
use backup::FolderTarget;
use backup::HouseholdId;
use backup::Keep;
use backup::NotAHouseholdId;
use backup::Owner;
use backup::Request;
use backup::Series;
use backup::Source;
use backup::Target;
use std::path::Path;

pub(crate) fn owner() -> Result<Owner, NotAHouseholdId> {
    Ok(Owner { household: HouseholdId::new("maple")?, key: BackupKey::from_bytes([3; 32]) })
}

pub(crate) fn target(folder: &Path) -> Target {
    Target::Folder(FolderTarget { path: folder.join("repository"), mounted_at: None })
}

pub(crate) fn request(folder: &Path, now: u64, keep: Option<Keep>) -> Request {
    let source =
        |name: &str| Source { name: name.into(), path: folder.join(name), exclude: Vec::new(), key: None };
    Request { series: Series::Household, sources: vec![source("stores"), source("home")], keep, now }
}
