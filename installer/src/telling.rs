//! The report for hostd.

use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use model::update::FailedSlot;
use model::update::FailureLog;
use model::update::InstallProgress;
use model::update::InstallStep;
use model::update::LastAction;
use model::update::RunningSlot;
use model::update::SlotReport;
use model::update::SlotReportState;
use model::update::SlotStanding;
use model::update::SlotsReport;
use slots::Notes;
use slots::SlotState;
use slots::Standing;

use crate::durable;
use crate::durable::Lasting;
use crate::look::Looked;
use crate::seen::Seen;
use crate::verb::Verb;

/// Least time between two reports of progress.
const PAUSE: Duration = Duration::from_millis(500);

/// The report, and when it was written last.
#[derive(Debug)]
pub struct Telling {
    path: PathBuf,
    report: SlotsReport,
    told: Option<Instant>,
}

impl Telling {
    /// A report that begins with what was seen.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, report: SlotsReport::default(), told: None }
    }

    /// Adds what went wrong beside the work itself.
    pub fn reason(&mut self, reason: Option<String>) {
        self.report.reasons.extend(reason);
    }

    /// Takes in how the slots stand now.
    pub fn seen(&mut self, looked: Looked, notes: &Notes) {
        self.report.loader.clone_from(&looked.loader);
        let seen = looked.seen(notes);
        let SlotsReport { running, slots, armed, failed, .. } = stand(&seen);
        self.report.running = running;
        self.report.slots = slots;
        self.report.armed = armed;
        self.report.failed = failed;
    }

    /// Takes in what is known of the last boot that failed.
    pub fn failure(&mut self, failure: Option<FailureLog>) {
        self.report.failure = failure;
    }

    /// Says how far an installation is; not more often than each half second.
    pub fn progress(&mut self, progress: InstallProgress) {
        let is_new_step = self.report.progress.as_ref().is_none_or(|before| before.step != progress.step);
        self.report.progress = Some(progress);
        if is_new_step || self.told.is_none_or(|told| told.elapsed() >= PAUSE) {
            self.write();
        }
    }

    /// Says how it ended.
    pub fn ended(&mut self, verb: &Verb, problem: Option<String>) {
        self.report.progress = None;
        let version = verb.version().map(ToString::to_string);
        self.report.last = Some(LastAction { verb: verb.name().to_owned(), version, problem });
        self.write();
    }

    /// The report is for reading only: what cannot be told stops no work.
    fn write(&mut self) {
        self.told = Some(Instant::now());
        if let Ok(text) = serde_json::to_vec(&self.report) {
            let _told_next_time = durable::replace(&self.path, &text, 0o644, Lasting::No);
        }
    }
}

/// Progress of a step.
#[must_use]
pub fn progress(version: &slots::Version, step: InstallStep, done: u64, total: u64) -> InstallProgress {
    InstallProgress { version: version.to_string(), step, done, total }
}

/// How the slots stand, in the report's words.
fn stand(seen: &Seen) -> SlotsReport {
    let running = seen.running().ok();
    SlotsReport {
        armed: seen.armed().map(ToString::to_string),
        slots: seen.slots().into_iter().map(slot).collect(),
        failed: seen.notes().failures().iter().map(failed).collect(),
        running: running.map(|running| RunningSlot {
            version: running.version.to_string(),
            standing: match running.standing {
                Standing::Kept => SlotStanding::Kept,
                Standing::OnTrial => SlotStanding::OnTrial,
            },
        }),
        ..SlotsReport::default()
    }
}

fn slot(slot: slots::Slot) -> SlotReport {
    let state = match slot.state {
        SlotState::Good => SlotReportState::Good,
        SlotState::Trying { left } => SlotReportState::Trying { left },
        SlotState::Bad { reason } => SlotReportState::Bad { reason: reason.to_string() },
    };
    SlotReport { version: slot.version.to_string(), state }
}

fn failed(failure: &slots::Failure) -> FailedSlot {
    FailedSlot { version: failure.version.to_string(), reason: failure.reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(selected: &str, names: &[&str]) -> Looked {
        let boot = slots::uefi::Boot { selected: selected.parse().ok(), counted: None };
        Looked { names: names.iter().map(|name| name.parse().unwrap()).collect(), boot, ..Looked::default() }
    }

    #[test]
    fn the_report_says_what_runs_and_what_is_armed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("slots.json");
        let mut telling = Telling::new(path.clone());
        telling.seen(seen("hearth_1.efi", &["hearth_1.efi", "hearth_2+1-0.efi"]), &Notes::default());
        telling.ended(&Verb::Look, None);
        let told: SlotsReport = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let running = told.running.unwrap();
        assert_eq!((running.version.as_str(), running.standing), ("1", SlotStanding::Kept));
        assert_eq!((told.armed.as_deref(), told.slots.len()), (Some("2"), 2));
        telling.seen(seen("hearth_2+1-0.efi", &["hearth_1.efi", "hearth_2+0-1.efi"]), &Notes::default());
        assert_eq!(telling.report.running.clone().unwrap().standing, SlotStanding::OnTrial);
        assert_eq!(telling.report.armed, None);
    }

    #[test]
    fn progress_is_told_at_each_step_and_not_at_each_byte() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("slots.json");
        let mut telling = Telling::new(path.clone());
        let version = "2".parse().unwrap();
        let told = || serde_json::from_slice::<SlotsReport>(&std::fs::read(&path).unwrap()).unwrap().progress;
        telling.progress(progress(&version, InstallStep::Checking, 1, 10));
        telling.progress(progress(&version, InstallStep::Checking, 2, 10));
        assert_eq!(told().unwrap().done, 1);
        telling.progress(progress(&version, InstallStep::Writing, 3, 10));
        assert_eq!(told().unwrap().done, 3);
        telling.told = Instant::now().checked_sub(PAUSE);
        telling.progress(progress(&version, InstallStep::Writing, 4, 10));
        assert_eq!(told().unwrap().done, 4);
    }
}
