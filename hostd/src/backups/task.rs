//! One task from its beginning to its end.

use super::Backups;
use super::Job;
use super::Task;
use super::Work;
use super::error::TaskError;
use super::error::chain;
use super::lock;
use super::private;
use super::private::Private;
use super::settings::Place;
use super::settings::on_disk;
use crate::records::BackupsRecord;
use crate::records::Ended;
use crate::records::Records;
use crate::vaults::Vaults;
use backup::Cancel;
use backup::Control;
use backup::Depth;
use backup::Drilling;
use backup::Keep;
use backup::Observer;
use backup::Owner;
use backup::Pick;
use backup::Progress;
use backup::Request;
use backup::Scratch;
use backup::Series;
use backup::Source;
use backup::Target;
use std::error::Error;
use std::fs;
use std::fs::DirBuilder;
use std::fs::File;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;

/// Every backup reads another one of so many parts of all data again.
const SLICES: u32 = 30;
/// A drill is held by itself after so many seconds without one.
const DRILL_AFTER: u64 = 30 * 24 * 60 * 60;
/// The one file that is saved, and the name of its folder in the backup.
pub(crate) const STORE_FILE: &str = "hostd.store";
pub(crate) const SOURCE: &str = "hostd";

/// What the blocking part works with.
pub(crate) struct Workplace {
    pub(crate) owner: Owner,
    pub(crate) target: Target,
    /// Private.
    pub(crate) folder: PathBuf,
    pub(crate) control: Control,
    pub(crate) now: u64,
}

struct Teller {
    task: watch::Sender<Option<Task>>,
}

impl Observer for Teller {
    fn progress(&self, progress: &Progress) {
        self.task.send_modify(|task| {
            if let Some(task) = task {
                task.progress = Some(progress.clone());
            }
        });
    }
}

impl Backups {
    /// Carries one out and keeps how it ended. The caller has the turn.
    pub(super) async fn carry_out(&self, job: Job, place: Place) {
        let cancel = Cancel::new();
        *lock(&self.0.cancel) = cancel.clone();
        match job {
            Job::Backup => self.make_backup(&place, &cancel).await,
            Job::PrivateFiles => self.save_private_files(&place, &cancel).await,
            Job::Drill => self.hold_drill(&place, &cancel).await,
        }
        self.0.task.send_replace(None);
    }

    async fn make_backup(&self, place: &Place, cancel: &Cancel) {
        let now = self.0.clock.wall_unix();
        *lock(&self.0.begun) = Some(self.0.clock.uptime().as_secs());
        self.note(place, |kept| kept.state.began(now)).await;
        let kept = self.kept();
        let (part, keep): (u32, Keep) = (kept.state.next_slice, kept.settings.keep.into());
        let vaults = Arc::clone(&self.0.vaults);
        let made = self
            .work(place, cancel, move |records, at| save((records, &vaults), at, part, keep, &kept.private))
            .await;
        let at = self.0.clock.wall_unix();
        match made {
            Ok(Saved { report, private, unsound }) => {
                tracing::info!(files = report.files, written = report.written, "a backup was made");
                let snapshot = report.snapshot.id.clone();
                let ended = Ended {
                    at,
                    problem: unsound.as_ref().map(|error| chain(error)),
                    shows_damage: unsound.as_ref().is_some_and(TaskError::shows_damage),
                    files: report.files,
                    bytes: report.bytes,
                    written_bytes: report.written,
                };
                self.note(place, |kept| {
                    kept.state.succeeded(now, &snapshot);
                    kept.state.next_slice = (part + 1) % SLICES;
                    kept.state.last_verification = Some(at);
                    kept.last_backup = Some(ended);
                    kept.private = private;
                })
                .await;
                let kept = self.kept();
                let last = kept.state.last_drill.or(kept.chosen).unwrap_or(0);
                if at.saturating_sub(last) >= DRILL_AFTER {
                    self.0.task.send_replace(Some(Task { work: Work::Drill, progress: None }));
                    self.hold_drill(place, cancel).await;
                }
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn Error, "a backup failed");
                self.note(place, |kept| kept.last_backup = Some(Ended::failed(at, &error))).await;
            }
        }
    }

    /// What could not be saved is tried again later, or with the next backup.
    async fn save_private_files(&self, place: &Place, cancel: &Cancel) {
        *lock(&self.0.private_begun) = Some(self.0.clock.uptime().as_secs());
        let kept = self.kept();
        let (vaults, keep, before) = (Arc::clone(&self.0.vaults), kept.settings.keep.into(), kept.private);
        let saved = self.work(place, cancel, move |records, at| {
            let scratch = open_scratch(&at.folder)?;
            Ok(private::save_all((records, &vaults), at, &scratch, keep, &before))
        });
        match saved.await {
            Ok(private) => self.note(place, |kept| kept.private = private).await,
            Err(error) => tracing::warn!(error = &error as &dyn Error, "private files were not saved"),
        }
    }

    async fn hold_drill(&self, place: &Place, cancel: &Cancel) {
        let (vaults, known) = (Arc::clone(&self.0.vaults), self.kept().private);
        let held = self.work(place, cancel, move |_records, at| drill(&vaults, at, &known)).await;
        let at = self.0.clock.wall_unix();
        let ended = match held {
            Ok(report) => {
                tracing::info!(files = report.files, "a backup drill went well");
                let (files, bytes) = (report.files, report.bytes);
                Ended { at, files, bytes, ..Ended::default() }
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn Error, "a backup drill failed");
                Ended::failed(at, &error)
            }
        };
        self.note(place, |kept| {
            if ended.problem.is_none() {
                kept.state.last_drill = Some(at);
            }
            kept.last_drill = Some(ended);
        })
        .await;
    }

    /// Reaches the place, works there on a thread that may block, and leaves it.
    async fn work<T: Send + 'static>(
        &self,
        place: &Place,
        cancel: &Cancel,
        act: impl FnOnce(&Records, &Workplace) -> Result<T, TaskError> + Send + 'static,
    ) -> Result<T, TaskError> {
        let records = self.records().map_err(|_unavailable| TaskError::NoStore)?.clone();
        let owner = self.owner().await?;
        let target = self.reach(place).await?;
        let observer: Arc<dyn Observer> = Arc::new(Teller { task: self.0.task.clone() });
        let workplace = Workplace {
            owner,
            target,
            folder: self.0.folder.clone(),
            control: Control { cancel: cancel.clone(), observer: Some(observer) },
            now: self.0.clock.wall_unix(),
        };
        let done = tokio::task::spawn_blocking(move || act(&records, &workplace)).await;
        self.leave(place).await;
        done.map_err(TaskError::Thread)?
    }

    /// Mounts the disk, where the place is one.
    pub(crate) async fn reach(&self, place: &Place) -> Result<Target, TaskError> {
        match place {
            Place::There(target) => Ok(target.clone()),
            Place::Disk(disk) => {
                let label = disk.label.clone().unwrap_or_default();
                let mounted = self.0.storaged.mount_backup_disk(label).await.map_err(TaskError::Disk)?;
                Ok(on_disk(mounted.folder.into(), mounted.mounted_at.map(PathBuf::from)))
            }
        }
    }

    /// A disk may be pulled out afterwards.
    pub(crate) async fn leave(&self, place: &Place) {
        if let Place::Disk(_) = place
            && let Err(error) = self.0.storaged.unmount_backup_disk().await
        {
            tracing::warn!(error = &error as &dyn Error, "the backup disk is still mounted");
        }
    }

    /// What cannot be written down is remembered for as long as hostd runs. What was learned of one place says nothing of another that
    /// was chosen meanwhile.
    async fn note(&self, place: &Place, change: impl FnOnce(&mut BackupsRecord)) {
        let _one_at_a_time = self.0.writing.lock().await;
        let mut kept = self.kept();
        let chosen = kept.settings.target.as_ref().and_then(|target| target.place().ok());
        if chosen.as_ref() != Some(place) {
            return;
        }
        change(&mut kept);
        if let Ok(records) = self.records()
            && let Err(error) = records.keep_backups(&kept).await
        {
            tracing::warn!(error = &error as &dyn Error, "how a backup went was not kept");
        }
        *lock(&self.0.kept) = kept;
    }
}

impl Ended {
    fn failed(at: u64, error: &TaskError) -> Self {
        Self { at, problem: Some(chain(error)), shows_damage: error.shows_damage(), ..Self::default() }
    }
}

struct Saved {
    report: backup::Report,
    private: Private,
    /// The new snapshot is there, and something is wrong all the same.
    unsound: Option<TaskError>,
}

fn save(
    (records, vaults): (&Records, &Vaults),
    at: &Workplace,
    part: u32,
    keep: Keep,
    before: &Private,
) -> Result<Saved, TaskError> {
    let scratch = open_scratch(&at.folder)?;
    let source = at.folder.join("source");
    let exported = export(records, &at.owner, &source);
    let saved = exported.and_then(|()| {
        let source = Source { name: SOURCE.to_owned(), path: source.clone(), exclude: vec![], key: None };
        let request =
            Request { series: Series::Household, sources: vec![source], keep: Some(keep), now: at.now };
        backup::back_up(&at.owner, &at.target, &request, &scratch, &at.control).map_err(TaskError::BackUp)
    });
    if let Err(error) = fs::remove_dir_all(&source) {
        tracing::debug!(error = &error as &dyn Error, "the exported store stays until the next backup");
    }
    let report = saved?;
    let private = private::save_all((records, vaults), at, &scratch, keep, before);
    let checked = backup::verify(&at.owner, &at.target, Depth::Slice { part, of: SLICES }, &at.control);
    let unsound = match checked {
        Ok(verification) if verification.is_sound() => None,
        Ok(verification) => Some(TaskError::Unsound {
            count: verification.problem_count,
            first: verification.problems.into_iter().next().unwrap_or_default(),
        }),
        Err(error) => Some(TaskError::Verify(error)),
    };
    Ok(Saved { report, private, unsound })
}

fn drill(vaults: &Vaults, at: &Workplace, known: &Private) -> Result<backup::DrillReport, TaskError> {
    let scratch = open_scratch(&at.folder)?;
    let household = Drilling { series: Series::Household, snapshot: Pick::Newest, key: None };
    let report = backup::drill(&at.owner, &at.target, &household, &scratch, at.now, &at.control)
        .map_err(TaskError::Drill)?;
    private::drill(vaults, at, &scratch, known)?;
    Ok(report)
}

pub(crate) fn open_scratch(folder: &Path) -> Result<Scratch, TaskError> {
    make_folder(folder)?;
    Scratch::open(&folder.join("scratch")).map_err(TaskError::Scratch)
}

fn export(records: &Records, owner: &Owner, folder: &Path) -> Result<(), TaskError> {
    make_folder(folder)?;
    let path = folder.join(STORE_FILE);
    let failed = |doing| move |source| TaskError::Folder { doing, path: folder.join(STORE_FILE), source };
    let mut file = File::create(&path).map_err(failed("write"))?;
    records.export_blocking(&owner.key, &mut file).map_err(TaskError::Export)
}

/// For hostd alone.
pub(crate) fn make_folder(path: &Path) -> Result<(), TaskError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| TaskError::Folder { doing: "make", path: path.to_owned(), source })
}
