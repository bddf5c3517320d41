//! Saves sources as a new snapshot.

use crate::archive::Archive;
use crate::control::Control;
use crate::control::Phase;
use crate::control::Progress;
use crate::heal::Healed;
use crate::heal::heal;
use crate::parent;
use crate::repository::OpenError;
use crate::repository::Owner;
use crate::repository::Site;
use crate::retention;
use crate::retention::Keep;
use crate::retention::Retention;
use crate::scratch::Scratch;
use crate::series::Series;
use crate::snapshot;
use crate::snapshot::Snapshot;
use crate::source;
use crate::source::Source;
use crate::source::SourceError;
use crate::tally::LeftOut;
use crate::tally::Tally;
use crate::tally::Totals;
use crate::targets::Target;
use crate::walk::Walk;
use crate::walk::What;
use rustic_core::BackupOptions;
use rustic_core::repofile::SnapshotFile;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

/// What to save.
#[derive(Clone, Debug)]
pub struct Request {
    /// What the snapshot is one of.
    pub series: Series,
    /// The folders.
    pub sources: Vec<Source>,
    /// Which snapshots of the series stay afterwards; without it all.
    pub keep: Option<Keep>,
    /// The time, in seconds since 1970.
    pub now: u64,
}

/// A backup that was made.
#[derive(Debug)]
pub struct Report {
    /// The new snapshot.
    pub snapshot: Snapshot,
    /// Files in it.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Files that were as in the snapshot before, and not read.
    pub unchanged: u64,
    /// Bytes written to the place.
    pub written: u64,
    /// What is not in it, counted.
    pub left_out: BTreeMap<LeftOut, u64>,
    /// The first of them by name.
    pub named: Vec<(LeftOut, String)>,
    /// What the place had lost.
    pub healed: Healed,
    /// What became of old snapshots.
    pub retention: Retention,
}

/// Why no snapshot was made. What was there before is as it was.
#[derive(Debug, thiserror::Error)]
pub enum BackUpError {
    /// A source cannot be saved.
    #[error("the backup was not begun")]
    Source(#[source] SourceError),
    /// The repository fails.
    #[error("the backup was not made")]
    Repository(#[source] OpenError),
    /// The scratch folder fails.
    #[error("cannot write the manifest into the scratch folder")]
    Scratch(#[source] io::Error),
    /// Not everything that was found was saved.
    #[error("{missing} files were found but not saved")]
    Incomplete {
        /// How many.
        missing: u64,
    },
    /// Files that are sealed were changed, or could not be read: the list of them would not be true.
    #[error("files were changed while they were saved, or cannot be read")]
    Changed,
    /// The task was stopped.
    #[error("the backup was cancelled")]
    Cancelled,
}

/// Saves the sources as a new snapshot and removes old ones.
///
/// Files that are as in the last snapshot are not read. Memory grows with the index, which holds every chunk of the
/// repository.
///
/// # Errors
/// When no snapshot was made. What was uploaded until then is used by the next backup.
pub fn back_up(
    owner: &Owner,
    target: &Target,
    request: &Request,
    scratch: &Scratch,
    control: &Control,
) -> Result<Report, BackUpError> {
    let result = attempt(owner, target, request, scratch, control);
    if control.cancel.is_cancelled() && result.is_err() {
        return Err(BackUpError::Cancelled);
    }
    result
}

fn attempt(
    owner: &Owner,
    target: &Target,
    request: &Request,
    scratch: &Scratch,
    control: &Control,
) -> Result<Report, BackUpError> {
    let sources = source::checked(&request.sources).map_err(BackUpError::Source)?;
    let total = count(&sources, control)?;
    let site = Site::new(target, control.cancel.clone()).map_err(BackUpError::Repository)?;
    let repository = site.open_or_create(owner).map_err(BackUpError::Repository)?;
    let healed = heal(&site, &repository).map_err(BackUpError::Repository)?;
    let found =
        snapshot::find(&site, &repository, owner, &request.series).map_err(BackUpError::Repository)?;
    let newest = found.files.last();
    let repository = site.engine(|| repository.to_indexed()).map_err(BackUpError::Repository)?;

    let draft = SnapshotFile {
        time: retention::taken(request.now, newest),
        label: request.series.label(owner),
        hostname: "hearth".to_owned(),
        ..SnapshotFile::default()
    };
    let seconds = snapshot::taken(&draft);

    let mut parent = newest;
    let (saved, totals) = loop {
        let known = parent.and_then(|snapshot| parent::known(&site, &repository, snapshot, owner, scratch));
        let mut options = BackupOptions::default().no_scan(true);
        match (parent, &known) {
            (Some(snapshot), Some(_)) => {
                options.parent_opts.parents = vec![snapshot.id.to_hex().as_str().to_owned()];
            }
            (Some(_) | None, _) => options.parent_opts.force = true,
        }
        let spool = scratch.at("manifest");
        let file = File::create(&spool).map_err(BackUpError::Scratch)?;
        let tally = Tally::new(file, total.clone(), control.clone());
        tally.push(crate::manifest::Line::Manifest {
            version: crate::manifest::VERSION,
            household: owner.household.clone(),
            taken: seconds,
        });
        site.watch.snapshot_allowed.store(false, Ordering::SeqCst);
        let archive = Archive {
            sources: sources.clone(),
            tally: Arc::clone(&tally),
            spool,
            watch: Arc::clone(&site.watch),
            cancel: control.cancel.clone(),
            known: Mutex::new(known),
        };
        let saved =
            site.engine(|| repository.archive(&options, &archive, draft.clone(), &[Path::new("/").into()]));
        site.watch.snapshot_allowed.store(false, Ordering::SeqCst);
        match saved {
            Ok(saved) => break (saved, tally.totals()),
            Err(_) if tally.changed() => return Err(BackUpError::Changed),
            // The last manifest does not fit the last tree: everything is read once.
            Err(_) if tally.lost() && parent.is_some() && !control.cancel.is_cancelled() => parent = None,
            Err(error) => {
                return Err(tally.take_error().map_or(BackUpError::Repository(error), BackUpError::Scratch));
            }
        }
    };
    let repository = repository.drop_index();
    check_whole(&site, &repository, &saved, &totals)?;
    let unreadable = totals.left_out.contains_key(&LeftOut::Unreadable);
    let retention = match request.keep {
        None => Retention::NotAskedFor,
        Some(_) if unreadable => Retention::Postponed,
        Some(keep) => {
            control.tell(&Progress::begin(Phase::Pruning));
            match retention::apply(&site, &repository, owner, &request.series, keep) {
                Ok(removed) => Retention::Removed(removed),
                Err(error) => Retention::Failed(error),
            }
        }
    };
    Ok(Report {
        snapshot: Snapshot::of(&saved),
        files: totals.files,
        bytes: totals.bytes,
        unchanged: totals.unchanged,
        written: site.watch.written.load(Ordering::Relaxed),
        left_out: totals.left_out,
        named: totals.named,
        healed,
        retention,
    })
}

/// rustic leaves out, with a line in its log, what it fails to save. Everything that ends so is seen by the tally or
/// the guard; this is for what neither thought of.
fn check_whole(
    site: &Site,
    repository: &crate::repository::Opened,
    saved: &SnapshotFile,
    totals: &Totals,
) -> Result<(), BackUpError> {
    let expected = totals.files + totals.links + 1;
    let found = saved.summary.as_ref().map_or(0, |summary| summary.total_files_processed);
    if found == expected {
        return Ok(());
    }
    site.engine(|| repository.delete_snapshots(&[saved.id])).map_err(BackUpError::Repository)?;
    Err(BackUpError::Incomplete { missing: expected.abs_diff(found) })
}

/// Walks once without reading, so that progress has totals and sources that fail are known before anything is sent.
fn count(sources: &[Source], control: &Control) -> Result<Progress, BackUpError> {
    control.tell(&Progress::begin(Phase::Counting));
    let mut total = Progress::begin(Phase::Saving);
    for found in Walk::new(sources).map_err(BackUpError::Source)? {
        if control.cancel.is_cancelled() {
            return Err(BackUpError::Cancelled);
        }
        let length = match found.what {
            What::File { stat, .. } => u64::try_from(stat.st_size).unwrap_or(0),
            What::Sealed(sealed) => sealed.length,
            What::Folder(_) | What::Link { .. } | What::LeftOut(_) => continue,
        };
        total.files_total += 1;
        total.bytes_total += length;
    }
    Ok(total)
}
