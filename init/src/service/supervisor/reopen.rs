//! The data partition was locked at boot and is open now: `ControlRequest::OpenData`.
//!
//! ```text
//! services with state on it are held → `init open-data` mounts it and writes the boot report → they start again
//! ```
//! They start in any case: what went wrong stands in the boot report. Their sandboxes are made at their start and name folders on the
//! partition, which is why they cannot go on. Mounting may check the file system for an hour, so a helper does it and PID 1 goes on with
//! its loop.

use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use model::control::ControlAnswer;
use model::paths;
use model::report::BootReport;
use model::report::DataReport;

use super::Supervisor;
use crate::console;
use crate::console::Level;
use crate::reaper;
use crate::reaper::Child;
use crate::reaper::Exit;
use crate::report;
use crate::sequence::Sequence;
use crate::service::machine::Event;
use crate::service::machine::State;
use crate::service::spawn::SELF;
use crate::shutdown::SERVICES_LIMIT;

/// How far it is.
#[derive(Debug)]
pub(super) enum Reopening {
    /// Services stop; those that do not in time are not waited for any longer.
    Holding { until: Duration },
    /// The helper works.
    Mounting { helper: Child },
}

impl Reopening {
    pub(super) fn due(&self) -> Option<Duration> {
        match self {
            Self::Holding { until } => Some(*until),
            Self::Mounting { .. } => None,
        }
    }

    pub(super) fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Holding { .. } => None,
            Self::Mounting { helper } => Some(helper.pidfd.as_fd()),
        }
    }
}

/// Whether the helper may start: everybody who was held has stopped, or had the time to.
fn may_mount(held: &[State], now: Duration, until: Duration) -> bool {
    now >= until || held.iter().all(|state| matches!(state, State::Waiting | State::Stopped))
}

/// Why the partition is not brought up now, if it is not.
fn refusal(sequence: Sequence) -> Option<&'static str> {
    if Sequence::OpenData.can_take_over(sequence) {
        return None;
    }
    Some(if sequence.goes_down() { "the box is going down" } else { "it is being brought up already" })
}

impl Supervisor {
    /// Begins it. When the partition is up there is nothing to do.
    pub(super) fn open_data(&mut self, now: Duration) -> ControlAnswer {
        if let Some(reason) = refusal(self.sequence) {
            return ControlAnswer::Refused { reason: reason.to_owned() };
        }
        let boot: Option<BootReport> = report::read(paths::BOOT_REPORT);
        if boot.is_some_and(|boot| matches!(boot.data, DataReport::Ready { .. })) {
            return ControlAnswer::Accepted;
        }
        console::note(Level::Info, "the data partition was opened and is brought up");
        self.sequence = Sequence::OpenData;
        self.reopening = Some(Reopening::Holding { until: now + SERVICES_LIMIT });
        self.updates.data_opens();
        for index in self.held() {
            self.step(index, Event::Hold, now);
        }
        ControlAnswer::Accepted
    }

    /// Starts the helper when it may.
    pub(super) fn bring_up_data(&mut self, now: Duration) {
        let Some(Reopening::Holding { until }) = self.reopening else { return };
        let states: Vec<State> =
            self.held().filter_map(|index| self.units.get(index)).map(|unit| unit.machine.state()).collect();
        if self.sequence != Sequence::OpenData || !may_mount(&states, now, until) {
            return;
        }
        let mut command = Command::new(SELF);
        command.arg("open-data").env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        match reaper::start(&mut command) {
            Ok(helper) => self.reopening = Some(Reopening::Mounting { helper }),
            Err(error) => self.end_bringing_up(&console::chain(&error)),
        }
    }

    /// Services start again when the helper has ended, however it did.
    pub(super) fn take_end_of_bringing_up(&mut self, exit: &Exit) {
        if matches!(&self.reopening, Some(Reopening::Mounting { helper }) if helper.pid == exit.pid) {
            self.end_bringing_up(&exit.ending.to_string());
        }
    }

    fn end_bringing_up(&mut self, how: &str) {
        self.ring.push(report::uptime(), "init", format!("bringing up the data partition {how}"));
        self.reopening = None;
        self.updates.data_opened(report::uptime());
        if Sequence::Run.can_take_over(self.sequence) {
            self.sequence = Sequence::Run;
        }
    }

    /// Places of the services that keep state on the partition.
    fn held(&self) -> impl Iterator<Item = usize> + use<> {
        let held: Vec<usize> = self
            .units
            .iter()
            .enumerate()
            .filter(|(_, unit)| unit.service.keeps_state)
            .map(|(index, _)| index)
            .collect();
        held.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::machine::Then;

    const NOW: Duration = Duration::from_secs(100);
    const LATER: Duration = Duration::from_secs(120);

    #[test]
    fn it_is_mounted_when_nobody_with_state_on_it_runs_or_patience_ends() {
        let stopping = State::Stopping { until: NOW, killed: true, then: Then::Wait };
        assert!(may_mount(&[State::Waiting, State::Stopped], NOW, LATER));
        for busy in [stopping, State::Starting { since: NOW }, State::Backoff { until: NOW }] {
            assert!(!may_mount(&[State::Waiting, busy], NOW, LATER), "{busy:?}");
            assert!(may_mount(&[State::Waiting, busy], LATER, LATER), "{busy:?}");
        }
    }

    #[test]
    fn it_is_refused_while_it_is_under_way_and_on_the_way_down() {
        let refused: Vec<Option<&str>> = Sequence::ALL.into_iter().map(refusal).collect();
        let (under_way, down) = (Some("it is being brought up already"), Some("the box is going down"));
        assert_eq!(refused, [under_way, None, under_way, down, down, down, down, down]);
    }
}
