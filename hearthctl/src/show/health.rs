//! The disk in words.

use super::numbers::bytes;
use super::numbers::count;
use super::numbers::duration;
use super::reasons;
use super::table::table;
use crate::answers::Disk;
use crate::answers::FileSystem;
use crate::answers::Health;
use crate::answers::Trim;

/// How the disk is and how much room is left.
#[must_use]
pub fn health(health: &Health) -> String {
    let mut text = if health.findings.is_empty() {
        "All is well with the disk, as far as it tells.\n".to_owned()
    } else {
        reasons(&health.findings.iter().map(|finding| finding.words.clone()).collect::<Vec<_>>())
    };
    text.push('\n');
    let mut rows = Vec::new();
    rows.extend(health.disk.iter().flat_map(of_disk));
    rows.push(row("room", health.file_system.map_or_else(|| "the data is not mounted".to_owned(), room)));
    rows.extend(trim(&health.trim).map(|words| row("trims", words)));
    text + &table(&rows)
}

fn of_disk(disk: &Disk) -> Vec<Vec<String>> {
    let name = if disk.model.is_empty() { &disk.name } else { &disk.model };
    let mut rows = vec![row("disk", format!("{name}, {}", bytes(disk.size_bytes)))];
    let verdict = match (disk.is_failing, &disk.silent) {
        (Some(true), _) => Some("it is failing".to_owned()),
        (Some(false), _) => Some("it works as it should".to_owned()),
        (None, Some(why)) => Some(why.clone()),
        (None, None) => None,
    };
    let temperature = disk.temperature_celsius.map(|degrees| format!("{degrees} °C"));
    let hours = disk.power_on_hours.map(|hours| format!("{} hours", count(hours)));
    let bad = |number: Option<u64>| number.map(count);
    for (name, words) in [
        ("says", verdict),
        ("life used", disk.life_used_percent.map(|percent| format!("{percent} %"))),
        ("temperature", temperature),
        ("switched on", hours),
        ("sectors replaced", bad(disk.replaced_sectors)),
        ("unreadable", bad(disk.unreadable)),
        ("written", Some(written(disk))),
    ] {
        rows.extend(words.map(|words| row(name, words)));
    }
    rows
}

fn written(disk: &Disk) -> String {
    let written = &disk.written;
    let mut words = format!("{} since the start", bytes(written.since_boot_bytes));
    if let Some(per_day) = written.per_day_bytes {
        let budget = bytes(written.budget_per_day_bytes);
        words.push_str(&format!(", {} a day of {budget} that it bears", bytes(per_day)));
    }
    if let Some(ever) = written.ever_bytes {
        words.push_str(&format!(", {} in its life", bytes(ever)));
    }
    words
}

fn room(room: FileSystem) -> String {
    let (left, all) = (bytes(room.available_bytes), bytes(room.total_bytes));
    format!("{left} of {all} left, {} % used", room.used_percent)
}

fn trim(trim: &Trim) -> Option<String> {
    match (&trim.last, &trim.problem) {
        (_, Some(problem)) => Some(problem.clone()),
        (Some(last), None) => {
            Some(format!("{} ago, {} given back", duration(last.seconds_ago), bytes(last.bytes)))
        }
        (None, None) => None,
    }
}

fn row(name: &str, words: String) -> Vec<String> {
    vec![name.to_owned(), words]
}
