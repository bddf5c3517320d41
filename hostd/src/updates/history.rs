//! What became of updates: pure.

use super::health::Before;
use model::update::SlotStanding;
use model::update::SlotsReport;
use serde::Deserialize;
use serde::Serialize;

/// How many are remembered.
pub const MAX_HISTORY: usize = 30;
/// Of how many the last log lines are kept: each has up to 32 KiB.
pub const MAX_LOGS: usize = 5;

/// A restart into an update, of which nobody knows yet how it went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// What ran.
    pub from: String,
    /// What was to run.
    pub to: String,
    /// When, in seconds since 1970 by the box's clock.
    pub at: u64,
    /// How the box was.
    #[serde(default)]
    pub before: Before,
}

/// An update that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PastUpdate {
    /// Number of the entry; grows.
    pub number: u32,
    /// When the box restarted for it, in seconds since 1970 by its clock.
    pub at: u64,
    /// What ran before.
    pub from: String,
    /// What was to run.
    pub to: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Which check failed, in plain words; nothing when none did.
    pub reason: Option<String>,
    /// Whether the last log lines of the failed system are kept.
    pub has_log: bool,
}

/// How an update ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = UpdateOutcome)]
pub enum Outcome {
    /// The new system runs and is kept.
    Installed,
    /// The box is back on the system from before.
    FellBack,
}

/// An end, and what the failed system logged last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// How it ended.
    pub outcome: Outcome,
    /// Which check failed.
    pub reason: Option<String>,
    /// The last log lines.
    pub log: Option<String>,
}

/// What became of an attempt, as the slots are now; nothing while it is open.
#[must_use]
pub fn end_of(attempt: &Attempt, report: &SlotsReport) -> Option<End> {
    let running = report.running.as_ref()?;
    if running.version == attempt.to {
        return match running.standing {
            SlotStanding::OnTrial => None,
            SlotStanding::Kept => Some(End { outcome: Outcome::Installed, reason: None, log: None }),
        };
    }
    // Still armed: the box came up in the old system for another reason, and the next restart tries it.
    if report.armed.as_deref() == Some(attempt.to.as_str()) {
        return None;
    }
    let noted = report.failed.iter().rev().find(|failed| failed.version == attempt.to);
    let failure = report.failure.as_ref().filter(|failure| failure.version == attempt.to);
    let said = noted.map(|failed| failed.reason.clone());
    let reason = said.or_else(|| failure.map(|failure| failure.why.clone()));
    Some(End {
        outcome: Outcome::FellBack,
        reason: Some(reason.unwrap_or_else(|| "the new system did not come up".to_owned())),
        log: failure.map(|failure| failure.text.clone()).filter(|text| !text.is_empty()),
    })
}

/// Puts an end in front of the others, within bounds; whose logs are no longer kept is told.
pub fn record(history: &mut Vec<PastUpdate>, attempt: &Attempt, end: &End) -> Vec<u32> {
    let number = history.first().map_or(1, |newest| newest.number.saturating_add(1));
    history.insert(
        0,
        PastUpdate {
            number,
            at: attempt.at,
            from: attempt.from.clone(),
            to: attempt.to.clone(),
            outcome: end.outcome,
            reason: end.reason.clone(),
            has_log: end.log.is_some(),
        },
    );
    let mut gone = Vec::new();
    for (index, past) in history.iter_mut().filter(|past| past.has_log).enumerate() {
        if index >= MAX_LOGS {
            past.has_log = false;
            gone.push(past.number);
        }
    }
    let dropped = history.iter().skip(MAX_HISTORY).filter(|past| past.has_log).map(|past| past.number);
    gone.extend(dropped.collect::<Vec<_>>());
    history.truncate(MAX_HISTORY);
    gone
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::update::FailedSlot;
    use model::update::FailureLog;
    use model::update::RunningSlot;

    fn attempt() -> Attempt {
        Attempt { from: "1".to_owned(), to: "2".to_owned(), at: 7, before: Before::default() }
    }

    fn report(version: &str, standing: SlotStanding) -> SlotsReport {
        let running = RunningSlot { version: version.to_owned(), standing };
        SlotsReport { running: Some(running), ..SlotsReport::default() }
    }

    #[test]
    fn an_attempt_ends_kept_or_fallen_back_with_its_reason() {
        assert_eq!(end_of(&attempt(), &SlotsReport::default()), None);
        assert_eq!(end_of(&attempt(), &report("2", SlotStanding::OnTrial)), None);
        let kept = end_of(&attempt(), &report("2", SlotStanding::Kept)).unwrap();
        assert_eq!((kept.outcome, kept.reason), (Outcome::Installed, None));

        let mut back = report("1", SlotStanding::Kept);
        let silent = end_of(&attempt(), &back).unwrap();
        assert_eq!(silent.outcome, Outcome::FellBack);
        assert_eq!(silent.reason.as_deref(), Some("the new system did not come up"));
        let log = |version: &str| FailureLog {
            version: version.to_owned(),
            why: "a panic".to_owned(),
            text: "1.0 init: bye".to_owned(),
        };
        back.failure = Some(log("3"));
        assert_eq!(end_of(&attempt(), &back).unwrap().log, None);
        back.failure = Some(log("2"));
        let told = end_of(&attempt(), &back).unwrap();
        assert_eq!((told.reason.as_deref(), told.log.as_deref()), (Some("a panic"), Some("1.0 init: bye")));
        back.failed.push(FailedSlot { version: "2".to_owned(), reason: "netd did not start".to_owned() });
        assert_eq!(end_of(&attempt(), &back).unwrap().reason.as_deref(), Some("netd did not start"));
        back.armed = Some("2".to_owned());
        assert_eq!(end_of(&attempt(), &back), None);
    }

    #[test]
    fn history_and_its_logs_are_bounded() {
        let mut history = Vec::new();
        let end = End { outcome: Outcome::FellBack, reason: Some("x".to_owned()), log: Some("y".to_owned()) };
        let mut forgotten = Vec::new();
        for _update in 0..MAX_HISTORY + 10 {
            forgotten.extend(record(&mut history, &attempt(), &end));
        }
        assert_eq!(history.len(), MAX_HISTORY);
        assert_eq!(history.iter().filter(|past| past.has_log).count(), MAX_LOGS);
        assert_eq!(history.first().unwrap().number, 40);
        assert_eq!(forgotten, (1..=35).collect::<Vec<u32>>());
    }
}
