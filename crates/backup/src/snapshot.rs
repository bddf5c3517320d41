//! Snapshots of a repository.

use crate::engine::EngineError;
use crate::place::PlaceError;
use crate::repository::OpenError;
use crate::repository::Opened;
use crate::repository::Owner;
use crate::repository::Site;
use crate::series;
use crate::series::Series;
use rustic_core::jiff::Timestamp;
use rustic_core::repofile::SnapshotFile;
use rustic_core::repofile::SnapshotId;

/// A snapshot, as it is listed. It is there only when all of it was saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Names it; 64 hexadecimal digits.
    pub id: String,
    /// When it was taken, in seconds since 1970.
    pub taken: u64,
    /// Files and links in it.
    pub files: u64,
    /// Bytes in them and in the manifest.
    pub bytes: u64,
}

/// What lies in a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Oldest first.
    pub snapshots: Vec<Snapshot>,
    /// Snapshot files that are damaged.
    pub damaged: Vec<String>,
}

pub(crate) struct Found {
    pub(crate) files: Vec<SnapshotFile>,
    pub(crate) damaged: Vec<String>,
}

impl Snapshot {
    pub(crate) fn of(file: &SnapshotFile) -> Self {
        let (files, bytes) = file.summary.as_ref().map_or((0, 0), |summary| {
            (summary.total_files_processed.saturating_sub(1), summary.total_bytes_processed)
        });
        Self { id: file.id.to_hex().as_str().to_owned(), taken: taken(file), files, bytes }
    }
}

pub(crate) fn taken(file: &SnapshotFile) -> u64 {
    u64::try_from(file.time.timestamp().as_second()).unwrap_or(0)
}

pub(crate) fn time(seconds: u64) -> Timestamp {
    i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok()).unwrap_or_default()
}

/// The snapshots of a series, oldest first. They are read one by one, so that one damaged file hides no other.
pub(crate) fn find(
    site: &Site,
    repository: &Opened,
    owner: &Owner,
    series: &Series,
) -> Result<Found, OpenError> {
    let label = series.label(owner);
    find_labelled(site, repository, |found| found == label)
}

/// The snapshots of all series of a household, oldest first.
pub(crate) fn find_all(site: &Site, repository: &Opened, owner: &Owner) -> Result<Found, OpenError> {
    find_labelled(site, repository, |found| series::is_ours(found, owner))
}

fn find_labelled(
    site: &Site,
    repository: &Opened,
    is_wanted: impl Fn(&str) -> bool,
) -> Result<Found, OpenError> {
    let ids: Vec<SnapshotId> = site.engine(|| Ok(repository.list::<SnapshotId>()?.collect()))?;
    let mut found = Found { files: Vec::new(), damaged: Vec::new() };
    for id in ids {
        match site.engine(|| repository.get_file::<SnapshotFile>(&id)) {
            // What another program put there is not ours to restore or to remove.
            Ok(file) if !is_wanted(&file.label) => {}
            Ok(mut file) => {
                file.id = id;
                found.files.push(file);
            }
            Err(error) if is_damage(&error) => {
                found.damaged.push(format!("snapshots/{}", id.to_hex().as_str()));
            }
            Err(error) => return Err(error),
        }
    }
    found.files.sort_by(|left, right| left.time.cmp(&right.time).then_with(|| left.id.cmp(&right.id)));
    Ok(found)
}

/// Whether a file is damaged, other than the place failing.
pub(crate) fn is_damage(error: &OpenError) -> bool {
    match error {
        OpenError::Engine { source: EngineError::Place(error), .. } => {
            matches!(
                error,
                PlaceError::Damaged { .. } | PlaceError::TooLarge { .. } | PlaceError::Missing { .. }
            )
        }
        OpenError::Engine { source: EngineError::Refused { .. } | EngineError::Panicked, .. } => true,
        OpenError::Target(_)
        | OpenError::Place(_)
        | OpenError::Nothing { .. }
        | OpenError::OtherHousehold { .. }
        | OpenError::NotOurs { .. }
        | OpenError::WrongKey { .. }
        | OpenError::Damaged { .. } => false,
    }
}
