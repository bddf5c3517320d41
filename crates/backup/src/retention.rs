//! Which snapshots stay.

use crate::repository::OpenError;
use crate::repository::Opened;
use crate::repository::Owner;
use crate::repository::Site;
use crate::series::Series;
use crate::snapshot;
use crate::snapshot::time;
use rustic_core::KeepOptions;
use rustic_core::PruneOptions;
use rustic_core::jiff::tz::TimeZone;
use rustic_core::repofile::SnapshotFile;
use rustic_core::repofile::SnapshotId;
use serde::Deserialize;
use serde::Serialize;

/// How many snapshots stay: the newest, and the newest of each of the last days, weeks and months that have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keep {
    /// The newest ones, at least one.
    pub last: u16,
    /// Days.
    pub daily: u16,
    /// Weeks.
    pub weekly: u16,
    /// Months.
    pub monthly: u16,
}

impl Default for Keep {
    fn default() -> Self {
        Self { last: 3, daily: 7, weekly: 5, monthly: 12 }
    }
}

/// What retention did.
#[derive(Debug)]
pub enum Retention {
    /// It removed this many snapshots, and the data only they needed.
    Removed(u64),
    /// Not asked for.
    NotAskedFor,
    /// Files could not be read this time: older snapshots may hold their last good copy.
    Postponed,
    /// It failed; the new snapshot is not touched by that.
    Failed(RetentionError),
}

/// Why nothing was removed.
#[derive(Debug, thiserror::Error)]
pub enum RetentionError {
    /// The repository fails.
    #[error("snapshots that are no longer kept cannot be removed")]
    Repository(#[source] OpenError),
    /// A snapshot cannot be read: what it needs is not known, so nothing may be removed.
    #[error("{name} is damaged, so nothing is removed")]
    Damaged {
        /// Which one.
        name: String,
    },
}

/// Snapshots to remove. Days, weeks and months are those of UTC. The newest always stays.
pub(crate) fn superfluous(snapshots: &[SnapshotFile], keep: Keep) -> Result<Vec<SnapshotId>, OpenErrorText> {
    let Some(newest) = snapshots.iter().max_by(|left, right| left.time.cmp(&right.time)) else {
        return Ok(Vec::new());
    };
    let mut options = KeepOptions::default();
    options.keep_last = Some(i32::from(keep.last.max(1)));
    options.keep_daily = Some(keep.daily.into());
    options.keep_weekly = Some(keep.weekly.into());
    options.keep_monthly = Some(keep.monthly.into());
    let utc = |snapshot: &SnapshotFile| {
        let mut snapshot = snapshot.clone();
        snapshot.time = snapshot.time.with_time_zone(TimeZone::UTC);
        snapshot
    };
    let judged = options.apply(snapshots.iter().map(utc).collect(), &newest.time);
    let judged = judged.map_err(|error| OpenErrorText(error.display_log()))?;
    Ok(judged.into_iter().filter(|judged| !judged.keep).map(|judged| judged.snapshot.id).collect())
}

/// rustic refused a rule.
#[derive(Debug)]
pub(crate) struct OpenErrorText(pub(crate) String);

/// Removes what is no longer kept of a series, then what nothing needs any more.
pub(crate) fn apply(
    site: &Site,
    repository: &Opened,
    owner: &Owner,
    series: &Series,
    keep: Keep,
) -> Result<u64, RetentionError> {
    let found = snapshot::find(site, repository, owner, series).map_err(RetentionError::Repository)?;
    if let Some(name) = found.damaged.into_iter().next() {
        return Err(RetentionError::Damaged { name });
    }
    let removed = superfluous(&found.files, keep).map_err(|error| {
        let source = crate::engine::EngineError::Refused { message: error.0 };
        RetentionError::Repository(OpenError::Engine { place: site.place.describe(), source })
    })?;
    if removed.is_empty() {
        return Ok(0);
    }
    let prune = || {
        repository.delete_snapshots(&removed)?;
        // Packs are only marked at first and removed a day later: a reader elsewhere may still need them.
        let options = PruneOptions::default();
        let plan = repository.prune_plan(&options)?;
        repository.prune(&options, plan)
    };
    site.engine(prune).map_err(RetentionError::Repository)?;
    Ok(removed.len() as u64)
}

/// When a snapshot says it was taken. Its clock may not be set: then it comes just behind the newest one, so that it
/// is neither the first to be removed nor hides that it is the newest.
pub(crate) fn taken(now: u64, newest: Option<&SnapshotFile>) -> rustic_core::jiff::Zoned {
    let newest = newest.map_or(0, snapshot::taken);
    let seconds =
        if now >= crate::schedule::EARLIEST { now } else { newest.max(crate::schedule::EARLIEST) + 1 };
    time(seconds).to_zoned(TimeZone::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;

    fn at(seconds: u64) -> SnapshotFile {
        let id = format!("{seconds:064x}").parse().unwrap();
        SnapshotFile { time: time(seconds).to_zoned(TimeZone::UTC), id, ..SnapshotFile::default() }
    }

    fn left(times: &[u64], keep: Keep) -> Vec<u64> {
        let files: Vec<SnapshotFile> = times.iter().copied().map(at).collect();
        let gone = superfluous(&files, keep).unwrap();
        files.iter().filter(|file| !gone.contains(&file.id)).map(snapshot::taken).collect()
    }

    #[test]
    fn days_weeks_and_months_keep_their_newest() {
        // Monday, 2026-06-01, and the hundred days before, two a day.
        let monday = 1_780_272_000;
        let times: Vec<u64> = (0..200).rev().map(|half| monday + 43_200 - half * (DAY / 2)).collect();
        let kept = left(&times, Keep { last: 2, daily: 3, weekly: 2, monthly: 2 });
        // Newest two; 3 days; 2 weeks (this one, and last Sunday); 2 months (June, and the last of May).
        let noon = monday + 43_200;
        assert_eq!(kept, [noon - 2 * DAY, noon - DAY, noon - DAY / 2, noon]);
    }

    #[test]
    fn the_newest_stays_whatever_is_asked() {
        let keep = Keep { last: 0, daily: 0, weekly: 0, monthly: 0 };
        assert_eq!(left(&[DAY, 5 * DAY, 3 * DAY], keep), [5 * DAY]);
        assert!(left(&[], keep).is_empty());
    }

    #[test]
    fn a_clock_at_1970_makes_no_oldest_snapshot() {
        let newest = at(1_800_000_000);
        assert_eq!(taken(30, Some(&newest)).timestamp().as_second(), 1_800_000_001);
        assert_eq!(taken(1_790_000_000, Some(&newest)).timestamp().as_second(), 1_790_000_000);
        assert!(taken(30, None).timestamp().as_second() > 1_700_000_000);
    }
}
