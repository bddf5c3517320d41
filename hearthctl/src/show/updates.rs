//! Updates of the box's system in words.

use super::numbers::bytes;
use super::numbers::duration;
use super::table::table;
use crate::answers::PastUpdate;
use crate::answers::UpdateProgress;
use crate::answers::UpdateSettings;
use crate::answers::Updates;

/// How they are; `now` is the time here, in seconds since 1970.
#[must_use]
pub fn updates(updates: &Updates, now: u64) -> String {
    let mut rows = vec![vec!["system".to_owned(), updates.version.clone()]];
    let mut row = |name: &str, text: String| rows.push(vec![name.to_owned(), text]);
    let news = match (&updates.problem, updates.progress.phase.as_str()) {
        (Some(problem), "idle") => problem.clone(),
        (_, _) => update_progress(&updates.progress),
    };
    row("update", news);
    for offer in &updates.offers {
        let reason = offer.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        row("there is", format!("{}{reason}", offer.version));
        for line in offer.notes.lines() {
            row("", line.to_owned());
        }
    }
    for waiting in &updates.progress.waiting {
        row("waits for", waiting.clone());
    }
    if let Some(at) = updates.restart_at {
        row("restart", format!("by itself in {}", duration(at.saturating_sub(now))));
    }
    row("checked", updates.checked.map_or_else(|| "never".to_owned(), |at| ago(at, now)));
    row("by itself", mode(&updates.settings));
    let mut text = table(&rows);
    if updates.progress.phase == "ready" {
        text.push_str("To restart into it now:\n  hearthctl update restart\n");
    } else if updates.progress.phase == "available" {
        text.push_str("To have it written:\n  hearthctl update apply\n");
    }
    text
}

/// What is being done, in one line.
#[must_use]
pub fn update_progress(progress: &UpdateProgress) -> String {
    let version = progress.version.as_deref().unwrap_or("the new system");
    let part = || {
        let percent = progress.done_bytes.saturating_mul(100) / progress.total_bytes.max(1);
        format!("{percent} % of {}", bytes(progress.total_bytes))
    };
    match progress.phase.as_str() {
        "idle" => "nothing under way".to_owned(),
        "checking" => "looking for updates".to_owned(),
        "up_to_date" => "this is the newest system for this box".to_owned(),
        "available" => format!("{version} is there"),
        "downloading" => format!("{version} is fetched: {}", part()),
        "verifying" => format!("{version} is checked: {}", part()),
        "writing" => format!("{version} is written beside the running system: {}", part()),
        "reading_back" => format!("{version} is read back from the disk: {}", part()),
        "ready" => format!("{version} is ready; the next restart tries it"),
        "restarting" => format!("the box restarts into {version}"),
        "trying" => match progress.seconds_left {
            Some(left) => format!("{version} proves itself, for {} more at most", duration(left)),
            None => format!("{version} proves itself as soon as the data is unlocked"),
        },
        "failed" => format!("failed: {}", progress.reason.as_deref().unwrap_or("nobody said why")),
        other => other.to_owned(),
    }
}

/// What became of updates.
#[must_use]
pub fn update_history(history: &[PastUpdate], now: u64) -> String {
    if history.is_empty() {
        return "This box was not updated yet.\n".to_owned();
    }
    let words = |past: &PastUpdate| match (past.outcome.as_str(), &past.reason) {
        ("installed", _) => "went well".to_owned(),
        (_, Some(reason)) => format!("back to {}: {reason}", past.from),
        (_, None) => format!("back to {}", past.from),
    };
    let row = |past: &PastUpdate| {
        vec![past.number.to_string(), ago(past.at, now), format!("{} → {}", past.from, past.to), words(past)]
    };
    let mut text = table(&history.iter().map(row).collect::<Vec<_>>());
    if let Some(failed) = history.iter().find(|past| past.has_log) {
        text.push_str(&format!("What it logged last:\n  hearthctl update history --log {}\n", failed.number));
    }
    text
}

fn mode(settings: &UpdateSettings) -> String {
    let time = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    let window = &settings.window;
    let zone = window.zone.as_deref().unwrap_or("UTC");
    match settings.mode.as_str() {
        "install" => {
            let (from, to) = (time(window.from_minute), time(window.to_minute));
            format!("installed, restart between {from} and {to} ({zone})")
        }
        "ask" => "looked for; you decide".to_owned(),
        _ => "nothing".to_owned(),
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
    use serde_json::json;

    const NOW: u64 = 1_800_000_000;

    fn example() -> Updates {
        serde_json::from_value(json!({
            "version": "1.2", "problem": null,
            "progress": {"phase": "ready", "version": "1.3", "done_bytes": 0, "total_bytes": 0, "waiting": [],
                         "seconds_left": null, "reason": null},
            "offers": [{"version": "1.3", "notes": "Faster.", "turn": "later", "reason": "others come first"}],
            "settings": {"mode": "install", "window": {"from_minute": 180, "to_minute": 305, "zone": "Europe/Berlin"}},
            "history": [], "checked": NOW - 3600, "restart_at": NOW + 7200,
        }))
        .unwrap()
    }

    #[test]
    fn what_there_is_and_what_comes_is_told() {
        let told = updates(&example(), NOW);
        for part in [
            "1.3 is ready; the next restart tries it",
            "1.3 (others come first)",
            "Faster.",
            "by itself in 2 hours",
            "1 hour ago",
            "restart between 03:00 and 05:05 (Europe/Berlin)",
            "hearthctl update restart",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
        let problem = Some("updates are not set up in this image".to_owned());
        let progress = UpdateProgress { phase: "idle".to_owned(), ..UpdateProgress::default() };
        let none = Updates { problem, progress, offers: vec![], ..example() };
        assert!(updates(&none, NOW).contains("not set up in this image"));
    }

    #[test]
    fn every_phase_has_words() {
        let phase = |phase: &str| UpdateProgress {
            phase: phase.to_owned(),
            version: Some("2".to_owned()),
            done_bytes: 25,
            total_bytes: 50,
            reason: Some("no room".to_owned()),
            ..UpdateProgress::default()
        };
        assert_eq!(update_progress(&phase("downloading")), "2 is fetched: 50 % of 50 bytes");
        assert_eq!(update_progress(&phase("failed")), "failed: no room");
        assert_eq!(update_progress(&phase("trying")), "2 proves itself as soon as the data is unlocked");
        let left = UpdateProgress { seconds_left: Some(60), ..phase("trying") };
        assert_eq!(update_progress(&left), "2 proves itself, for 1 minute more at most");
    }

    #[test]
    fn history_names_the_check() {
        assert!(update_history(&[], NOW).contains("not updated yet"));
        let past = PastUpdate {
            number: 4,
            at: NOW - 7200,
            from: "1".to_owned(),
            to: "2".to_owned(),
            outcome: "fell_back".to_owned(),
            reason: Some("eth0 has no router any more".to_owned()),
            has_log: true,
        };
        let told = update_history(&[past], NOW);
        assert!(told.contains("1 → 2") && told.contains("back to 1: eth0 has no router any more"), "{told}");
        assert!(told.contains("hearthctl update history --log 4"), "{told}");
    }
}
