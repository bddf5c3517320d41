//! Backups in words.

use super::numbers::bytes;
use super::numbers::duration;
use super::table::table;
use crate::answers::BackupEnd;
use crate::answers::Backups;

/// How they are; `now` is the time here, in seconds since 1970.
#[must_use]
pub fn backups(backups: &Backups, now: u64) -> String {
    let Some(target) = &backups.settings.target else {
        return "No backups are made. To have them made to a disk that is plugged in:\n  hearthctl backup disk\n".to_owned();
    };
    let place = match target["type"].as_str() {
        Some("usb_disk") => match target["label"].as_str() {
            Some(label) => format!("the disk {label}"),
            None => "the disk that is plugged in".to_owned(),
        },
        Some("s3") => format!(
            "{} at {}",
            target["bucket"].as_str().unwrap_or_default(),
            target["endpoint"].as_str().unwrap_or_default()
        ),
        _ => target.to_string(),
    };
    let mut rows = vec![vec!["place".to_owned(), place]];
    let mut row = |name: &str, text: String| rows.push(vec![name.to_owned(), text]);
    row("newest", backups.last_success.map_or_else(|| "none yet".to_owned(), |at| ago(at, now)));
    for (name, ended) in [("last backup", &backups.last_backup), ("last drill", &backups.last_drill)] {
        if let Some(ended) = ended {
            row(name, how(ended, now));
        }
    }
    if let Some(next) = backups.next {
        let left = next.saturating_sub(now);
        row("next", if left == 0 { "any moment".to_owned() } else { format!("in {}", duration(left)) });
    }
    if let Some(task) = &backups.running {
        row("running", format!("{} ({})", task.work, task.phase));
    }
    for files in &backups.private_files {
        let when = files.at.map_or_else(
            || "in no backup yet".to_owned(),
            |at| format!("{}: {} in {} files", ago(at, now), bytes(files.bytes), files.files),
        );
        rows.push(vec![format!("files of {}", files.user), when]);
    }
    let mut text = table(&rows);
    for problem in &backups.problems {
        text.push_str(&format!("! {problem}\n"));
    }
    text
}

fn how(ended: &BackupEnd, now: u64) -> String {
    let when = ago(ended.at, now);
    match &ended.problem {
        Some(problem) => format!("{when}, failed: {problem}"),
        None => format!("{when}, went well: {} in {} files", bytes(ended.bytes), ended.files),
    }
}

/// Clocks that differ a little make nothing come out of the future.
fn ago(at: u64, now: u64) -> String {
    let passed = now.saturating_sub(at);
    if passed < 60 { "just now".to_owned() } else { format!("{} ago", duration(passed)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answers::BackupSettings;
    use crate::answers::BackupTask;
    use crate::answers::SavedPrivateFiles;
    use serde_json::json;

    const NOW: u64 = 1_800_000_000;

    #[test]
    fn what_is_and_what_is_not_well_is_told() {
        let end = |problem: Option<&str>| {
            let problem = problem.map(str::to_owned);
            Some(BackupEnd { at: NOW - 3600, problem, files: 1, bytes: 12_000 })
        };
        let private =
            |user: &str, at| SavedPrivateFiles { user: user.to_owned(), at, files: 3, bytes: 5_000_000 };
        let all = Backups {
            settings: BackupSettings { target: Some(json!({"type": "usb_disk", "label": "attic"})) },
            running: Some(BackupTask { work: "drill".to_owned(), phase: "restoring".to_owned() }),
            last_success: Some(NOW - 3600),
            last_backup: end(None),
            last_drill: end(Some("no disk")),
            next: Some(NOW + 7200),
            problems: vec!["nobody has a recovery kit".to_owned()],
            private_files: vec![private("anna", Some(NOW - 7200)), private("ben", None)],
        };
        let told = backups(&all, NOW);
        for part in [
            "the disk attic",
            "1 hour ago, went well: 12 kB in 1 files",
            "failed: no disk",
            "in 2 hours",
            "drill (restoring)",
            "! nobody has a recovery kit",
            "2 hours ago: 5.0 MB in 3 files",
            "in no backup yet",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
        let none = Backups { settings: BackupSettings { target: None }, ..all };
        assert!(backups(&none, NOW).contains("hearthctl backup disk"));
    }
}
