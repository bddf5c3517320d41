//! What of the backups' standing the owner has to know: a pure function of what is kept.

use crate::records::BackupsRecord;
use crate::records::PrivateRecord;
use backup::schedule;

const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;

/// Something to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// In plain words.
    pub words: String,
    /// Whether the box is degraded by it.
    pub is_grave: bool,
}

/// Judges it at a time of the clock, in seconds since 1970.
#[must_use]
pub fn judge(kept: &BackupsRecord, now: u64) -> Vec<Finding> {
    if kept.settings.target.is_none() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let mut tell = |is_grave, words: String| findings.push(Finding { words, is_grave });
    if let Some(problem) = kept.last_drill.as_ref().and_then(|ended| ended.problem.as_ref()) {
        let is_damaged = kept.last_drill.as_ref().is_some_and(|ended| ended.shows_damage);
        tell(is_damaged, format!("the last backup drill failed: {problem}"));
    }
    if let Some(ended) = &kept.last_backup
        && let Some(problem) = &ended.problem
    {
        tell(ended.shows_damage, format!("the last backup failed: {problem}"));
    }
    if let Some(late) = overdue(kept, now) {
        tell(late.is_grave, format!("there was no backup for {} days; is its place reachable?", late.days));
    }
    for (user, known) in &kept.private {
        if let Some(words) = private_words(user, known, kept, now) {
            tell(false, words);
        }
    }
    if kept.state.last_success.is_some() && kept.kit_told.is_none() {
        let words =
            "nobody has a recovery kit: without it, nobody can restore the backups when this box breaks";
        tell(false, words.to_owned());
    }
    // What degrades the box comes first.
    findings.sort_by_key(|finding| !finding.is_grave);
    findings
}

/// Private files are saved only while their user is there, so nothing about them is grave: others cannot mend it.
fn private_words(user: &str, known: &PrivateRecord, kept: &BackupsRecord, now: u64) -> Option<String> {
    let advice = format!("they are saved while {user} is logged in");
    if let Some(problem) = &known.problem {
        return Some(format!("the private files of {user} were not saved: {problem}"));
    }
    let Some(at) = known.at else {
        return Some(format!("the private files of {user} are in no backup yet; {advice}"));
    };
    let days = late_days(kept, at, now)?;
    Some(format!("the private files of {user} were last saved {days} days ago; {advice}"))
}

struct Late {
    days: u64,
    is_grave: bool,
}

/// A box that was off for a holiday catches up first, so a missed turn alone is nothing to tell.
fn overdue(kept: &BackupsRecord, now: u64) -> Option<Late> {
    let since = kept.state.last_success.or(kept.chosen).filter(|since| *since >= schedule::EARLIEST)?;
    let days = late_days(kept, since, now)?;
    let passed = now.saturating_sub(since);
    Some(Late { days, is_grave: passed > 3 * period(kept) + 7 * DAY })
}

/// How many days something is old that is too old.
fn late_days(kept: &BackupsRecord, since: u64, now: u64) -> Option<u64> {
    let passed = now.checked_sub(since).filter(|passed| *passed > 2 * period(kept) + DAY)?;
    Some(passed / DAY)
}

fn period(kept: &BackupsRecord) -> u64 {
    u64::from(kept.settings.schedule.every_hours) * HOUR
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backups::settings::BackupSettings;
    use crate::backups::settings::BackupTarget;
    use crate::backups::settings::UsbDisk;
    use crate::records::Ended;

    const NOW: u64 = schedule::EARLIEST + 100 * DAY;

    fn kept(success: Option<u64>) -> BackupsRecord {
        let target = Some(BackupTarget::UsbDisk(UsbDisk::default()));
        let mut kept = BackupsRecord {
            settings: BackupSettings { target, ..BackupSettings::default() },
            chosen: Some(NOW - 50 * DAY),
            kit_told: Some(NOW),
            ..BackupsRecord::default()
        };
        kept.state.last_success = success;
        kept
    }

    fn gravity(kept: &BackupsRecord) -> Vec<bool> {
        judge(kept, NOW).iter().map(|finding| finding.is_grave).collect()
    }

    #[test]
    fn late_is_told_and_very_late_is_grave() {
        for (success, expected) in [
            (Some(NOW - 2 * DAY), vec![]),
            (Some(NOW - 4 * DAY), vec![false]),
            (Some(NOW - 11 * DAY), vec![true]),
            (None, vec![true]),
            // A clock that was wrong then says nothing.
            (Some(5), vec![]),
            (Some(NOW + DAY), vec![]),
        ] {
            assert_eq!(gravity(&kept(success)), expected, "{success:?}");
        }
    }

    #[test]
    fn private_files_are_told_when_they_are_missing_late_or_failed() {
        let mut kept = kept(Some(NOW));
        let known = |at: Option<u64>, problem: Option<&str>| PrivateRecord {
            at,
            problem: problem.map(str::to_owned),
            ..PrivateRecord::default()
        };
        for (record, expected) in [
            (known(Some(NOW - 2 * DAY), None), None),
            (known(Some(NOW - 4 * DAY), None), Some("the private files of anna were last saved 4 days ago")),
            (
                known(None, None),
                Some("the private files of anna are in no backup yet; they are saved while anna"),
            ),
            (known(Some(NOW), Some("why")), Some("the private files of anna were not saved: why")),
        ] {
            kept.private.insert("anna".to_owned(), record.clone());
            let told = judge(&kept, NOW);
            assert_eq!(told.len(), usize::from(expected.is_some()), "{record:?}");
            let words = told.first().map(|finding| (finding.words.as_str(), finding.is_grave));
            assert!(
                words
                    .zip(expected)
                    .is_none_or(|((words, is_grave), part)| words.starts_with(part) && !is_grave)
            );
        }
    }

    #[test]
    fn damage_is_grave_and_a_disk_that_is_away_is_not() {
        let ended =
            |shows_damage| Ended { at: NOW, problem: Some("x".to_owned()), shows_damage, ..Ended::default() };
        let mut kept = kept(Some(NOW));
        kept.last_backup = Some(ended(false));
        kept.last_drill = Some(ended(true));
        assert_eq!(gravity(&kept), [true, false]);
        kept.kit_told = None;
        assert_eq!(gravity(&kept), [true, false, false]);
        kept.settings.target = None;
        assert_eq!(judge(&kept, NOW), []);
    }
}
