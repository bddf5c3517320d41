//! Whether a system on trial may go on: pure, without clock or file.
//!
//! A system is kept when hostd says so (`ControlRequest::ConfirmUpdate`), after addresses, the interface and apps were looked at. PID 1 sees to
//! what hostd cannot say when it is broken itself:
//!
//! | on trial, and | then |
//! |---|---|
//! | a service keeps failing (`degraded`) | back at once |
//! | the data is open for 10 minutes, and nobody confirmed | back |
//! | the data should have opened by itself, and did not within 2 minutes | back: under the other system it did |
//! | the data waits for its owner's passphrase | the trial waits, too |
//!
//! The last row: on such a box the data never opens by itself, and updates restart it at night, when its owner sleeps. With a limit no
//! update would ever be kept there. Waiting harms nobody: the page that takes the passphrase is there (else its service is degraded), the
//! hardware watchdog sees to a kernel that hangs, and whoever pulls the plug has the system from before. With the passphrase the 10 minutes
//! begin. A recovery key is none: it is typed once, after something broke.
//!
//! A system that is kept is never restarted by this.

use std::time::Duration;

use model::report::DataReport;
use model::storage::KeyKind;

/// How long health may take to show once the data is open: apps start, some slowly.
pub const CONFIRMED_WITHIN: Duration = Duration::from_secs(10 * 60);
/// How long data that opens by itself may take, from when services start. All that the TPM does was done before; these minutes are for
/// whoever stands beside the box with the recovery key in hand.
pub const OPEN_WITHIN: Duration = Duration::from_secs(2 * 60);

/// A trial, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    stage: Stage,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    /// The system is kept, or nobody knows which slot runs.
    Kept,
    /// The data is open.
    Open { since: Duration },
    /// The data should be open.
    Closed { since: Duration, why: String },
    /// The data waits for its owner.
    Asks,
    /// The data is being brought up; checking it may take an hour.
    Opening,
    /// It has failed.
    Over,
}

impl Trial {
    /// None: the system is kept.
    #[must_use]
    pub const fn none() -> Self {
        Self { stage: Stage::Kept }
    }

    /// A trial that begins with the data like this.
    #[must_use]
    pub fn begins(data: &DataReport, now: Duration) -> Self {
        Self { stage: stage(data, now) }
    }

    /// Whether it is under way.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !matches!(self.stage, Stage::Kept | Stage::Over)
    }

    /// Whether hostd's word is enough: a system that did not open the data has not shown that it can.
    #[must_use]
    pub fn may_be_confirmed(&self) -> bool {
        matches!(self.stage, Stage::Kept | Stage::Open { .. })
    }

    /// The system is kept from now on, also when its time ran out while that was being done.
    pub fn confirmed(&mut self) {
        self.stage = Stage::Kept;
    }

    /// It has failed; nothing that comes later changes that.
    pub fn failed(&mut self) {
        if self.is_on() {
            self.stage = Stage::Over;
        }
    }

    /// The data is being brought up.
    pub fn data_opens(&mut self) {
        if self.is_on() {
            self.stage = Stage::Opening;
        }
    }

    /// How the data is now.
    pub fn data_is(&mut self, data: &DataReport, now: Duration) {
        if self.is_on() {
            self.stage = stage(data, now);
        }
    }

    /// When [`verdict`](Self::verdict) is to be asked for at the latest.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        match &self.stage {
            Stage::Open { since } => Some(*since + CONFIRMED_WITHIN),
            Stage::Closed { since, .. } => Some(*since + OPEN_WITHIN),
            Stage::Kept | Stage::Asks | Stage::Opening | Stage::Over => None,
        }
    }

    /// Which check failed, if one did. `degraded` is a service that keeps failing.
    #[must_use]
    pub fn verdict(&self, degraded: Option<&str>, now: Duration) -> Option<String> {
        if !self.is_on() {
            return None;
        }
        if let Some(service) = degraded {
            return Some(format!("the service {service} keeps failing"));
        }
        let is_due = self.due().is_some_and(|due| now >= due);
        match &self.stage {
            Stage::Open { .. } if is_due => {
                Some(format!("it did not prove healthy within {} minutes", CONFIRMED_WITHIN.as_secs() / 60))
            }
            Stage::Closed { why, .. } if is_due => Some(format!("the data did not open: {why}")),
            Stage::Open { .. }
            | Stage::Closed { .. }
            | Stage::Kept
            | Stage::Asks
            | Stage::Opening
            | Stage::Over => None,
        }
    }
}

fn stage(data: &DataReport, now: Duration) -> Stage {
    match data {
        DataReport::Ready { .. } => Stage::Open { since: now },
        DataReport::Locked { takes, .. } if takes.contains(&KeyKind::Passphrase) => Stage::Asks,
        DataReport::Locked { reasons, .. } => Stage::Closed { since: now, why: reasons.join("; ") },
        DataReport::Failed { reason } => Stage::Closed { since: now, why: reason.clone() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(30);
    const YEAR: Duration = Duration::from_secs(365 * 86_400);

    fn ready() -> DataReport {
        DataReport::Ready { device: "/dev/vda2".to_owned(), created: false }
    }

    fn locked(takes: &[KeyKind]) -> DataReport {
        let reasons = vec!["the TPM refuses".to_owned(), "there is no key".to_owned()];
        DataReport::Locked { device: "/dev/vda2".to_owned(), reasons, takes: takes.to_vec() }
    }

    #[test]
    fn what_is_kept_is_never_restarted() {
        let mut kept = Trial::none();
        kept.data_is(&locked(&[]), NOW);
        kept.data_opens();
        kept.failed();
        assert_eq!((kept.verdict(Some("hostd"), YEAR), kept.due()), (None, None));
        let mut confirmed = Trial::begins(&ready(), NOW);
        confirmed.confirmed();
        assert_eq!((confirmed, kept), (Trial::none(), Trial::none()));
    }

    #[test]
    fn health_has_ten_minutes_with_open_data() {
        let trial = Trial::begins(&ready(), NOW);
        let due = trial.due().unwrap();
        assert_eq!(due, NOW + CONFIRMED_WITHIN);
        assert_eq!(trial.verdict(None, due - Duration::from_millis(1)), None);
        assert_eq!(trial.verdict(None, due).unwrap(), "it did not prove healthy within 10 minutes");
    }

    #[test]
    fn data_that_should_have_opened_has_two_minutes() {
        for (data, why) in [
            (locked(&[KeyKind::Recovery]), "the data did not open: the TPM refuses; there is no key"),
            (DataReport::Failed { reason: "no disk".to_owned() }, "the data did not open: no disk"),
        ] {
            let trial = Trial::begins(&data, NOW);
            assert_eq!(trial.verdict(None, NOW + OPEN_WITHIN - Duration::from_millis(1)), None);
            assert_eq!(trial.verdict(None, NOW + OPEN_WITHIN).as_deref(), Some(why));
        }
    }

    #[test]
    fn a_box_that_asks_at_each_start_waits_for_its_owner() {
        let mut trial = Trial::begins(&locked(&[KeyKind::Passphrase, KeyKind::Recovery]), NOW);
        assert_eq!((trial.verdict(None, YEAR), trial.due(), trial.may_be_confirmed()), (None, None, false));
        assert_eq!(trial.verdict(Some("hostd"), NOW).unwrap(), "the service hostd keeps failing");
        trial.data_opens();
        assert_eq!((trial.verdict(None, YEAR), trial.is_on()), (None, true));
        trial.data_is(&ready(), YEAR);
        assert_eq!((trial.due(), trial.may_be_confirmed()), (Some(YEAR + CONFIRMED_WITHIN), true));
    }

    #[test]
    fn it_fails_once() {
        let mut trial = Trial::begins(&ready(), NOW);
        trial.failed();
        trial.data_is(&ready(), NOW);
        assert!(!trial.is_on() && trial != Trial::none());
        assert_eq!(trial.verdict(Some("hostd"), YEAR), None);
    }
}
