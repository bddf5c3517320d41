//! Update slots: starts `installer`, one at a time, and sends a system that is not healthy on trial back.
//!
//! ```text
//! boot, data open → `installer booted`, and of a kept system `installer loader`        hostd asks → `installer install | restart | confirmed | failed`
//! a check of the trial fails → last lines of the log put aside → `installer failed WHY` → reboot, however that ended
//! ```
//! The loader has counted the trial's only try before it began: any reboot leads to the other system. That `installer` also notes the reason
//! is for whoever asks later, and never waited for longer than [`PATIENCE`].

use std::fs;
use std::fs::File;
use std::io;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use model::control::ControlAnswer;
use model::paths;
use model::report::BootReport;
use model::report::DataReport;
use model::report::ServiceState;
use model::update::MAX_LOG;
use model::update::MAX_WHY;
use model::update::STATUS_RESTART;
use model::update::STATUS_TRY_OTHER;
use model::update::SlotsReport;
use model::update::UpdateOrder;
use model::update::UpdateOrigin;
use rustix::process::Signal;
use slots::Standing;
use slots::Version;
use slots::Words;

use super::Supervisor;
use crate::console;
use crate::console::Level;
use crate::disk::bring_up::BOOT;
use crate::efi;
use crate::pi;
use crate::reaper;
use crate::reaper::Child;
use crate::reaper::Ending;
use crate::reaper::Exit;
use crate::report;
use crate::sequence::Sequence;
use crate::trial::Trial;

/// The program.
const INSTALLER: &str = "/usr/lib/hearth/installer";
/// How long a system that failed its trial waits for the reason to be noted.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the way down waits for it; what it does can be cut at any point.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(5);

/// What `installer` is started for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Look,
    Booted,
    Install { version: Version, order: UpdateOrder, origin: UpdateOrigin },
    Restart,
    Confirmed,
    Failed { why: Words },
    Loader,
}

/// The trial, and the installer that runs.
#[derive(Debug)]
pub(super) struct Updates {
    trial: Trial,
    running: Option<(Verb, Child)>,
    /// What comes when the running one has ended.
    next: Option<Verb>,
    /// The box goes back at this time, whatever the installer does.
    back_by: Option<Duration>,
    /// On the way down: until when the running one is waited for.
    end_by: Option<Duration>,
}

impl Verb {
    fn words(&self) -> Vec<&str> {
        match self {
            Self::Look => vec!["look"],
            Self::Booted => vec!["booted"],
            Self::Install { version, order, origin } => {
                vec!["install", version.as_str(), "--order", order.as_str(), "--from", origin.as_str()]
            }
            Self::Restart => vec!["restart"],
            Self::Confirmed => vec!["confirmed"],
            Self::Failed { why } => vec!["failed", why.as_str()],
            Self::Loader => vec!["loader"],
        }
    }
}

impl Updates {
    /// Looks whether this boot is a trial.
    pub(super) fn begin(now: Duration) -> Self {
        let data = data();
        let trial = if is_on_trial() { Trial::begins(&data, now) } else { Trial::none() };
        if trial.is_on() {
            console::note(Level::Info, "this system is on trial");
        }
        let next = Some(first_verb(&data));
        Self { trial, running: None, next, back_by: None, end_by: None }
    }

    pub(super) fn due(&self) -> Option<Duration> {
        [self.trial.due(), self.back_by, self.end_by].into_iter().flatten().min()
    }

    pub(super) fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.running.as_ref().map(|(_, child)| child.pidfd.as_fd())
    }

    /// The data is being brought up.
    pub(super) fn data_opens(&mut self) {
        self.trial.data_opens();
    }

    /// That has ended.
    pub(super) fn data_opened(&mut self, now: Duration) {
        let data = data();
        self.trial.data_is(&data, now);
        if matches!(data, DataReport::Ready { .. }) && self.next.is_none() {
            self.next = Some(Verb::Booted);
        }
    }

    /// The system is kept: if the time ran out while that was being done, it was in time.
    fn kept(&mut self) {
        self.trial.confirmed();
        self.back_by = None;
        self.next.take_if(|next| matches!(next, Verb::Failed { .. }));
    }

    /// On the way down: true when no installer runs any more. One that takes too long is killed; the plan after the next boot tidies up.
    pub(super) fn has_ended(&mut self, now: Duration) -> bool {
        self.next = None;
        let Some((_, child)) = &self.running else { return true };
        let end_by = *self.end_by.get_or_insert(now + SHUTDOWN_PATIENCE);
        if now >= end_by {
            let _ended_already = rustix::process::pidfd_send_signal(&child.pidfd, Signal::KILL);
            // It is buried like any orphan.
            self.running = None;
            self.end_by = None;
            return true;
        }
        false
    }
}

/// With data that is not there nothing is tidied up: there would be no notes of it.
fn first_verb(data: &DataReport) -> Verb {
    match data {
        DataReport::Ready { .. } => Verb::Booted,
        DataReport::Locked { .. } | DataReport::Failed { .. } => Verb::Look,
    }
}

fn data() -> DataReport {
    report::read::<BootReport>(paths::BOOT_REPORT).unwrap_or_default().data
}

fn is_on_trial() -> bool {
    if let Some(standing) = pi::standing(Path::new(paths::PI_BOOTLOADER), Path::new(BOOT)) {
        return standing == Ok(Standing::OnTrial);
    }
    let running = efi::slots(Path::new(efi::EFIVARS), Path::new(BOOT)).running();
    running.is_ok_and(|running| running.standing == Standing::OnTrial)
}

/// What hostd may have done.
pub(super) fn install(
    version: &str,
    order: UpdateOrder,
    origin: UpdateOrigin,
) -> Result<Verb, ControlAnswer> {
    let version = version.parse().map_err(|error: slots::VersionError| refused(&error.to_string()))?;
    Ok(Verb::Install { version, order, origin })
}

fn refused(reason: &str) -> ControlAnswer {
    ControlAnswer::Refused { reason: reason.to_owned() }
}

impl Supervisor {
    /// Starts the installer for somebody who asks.
    pub(super) fn ask_installer(&mut self, verb: Verb, now: Duration) -> ControlAnswer {
        if self.sequence.goes_down() {
            return refused("the box is going down");
        }
        if self.updates.back_by.is_some() {
            return refused("the system failed its trial and goes back");
        }
        if let Some((running, _)) = &self.updates.running {
            return refused(&format!("the installer is busy ({})", running.words().join(" ")));
        }
        if self.updates.next.is_some() {
            return refused("the installer has not looked at the slots yet");
        }
        match self.start_installer(verb) {
            Ok(()) => ControlAnswer::Accepted,
            Err(reason) => {
                self.ring.push(now, "init", reason.clone());
                refused(&reason)
            }
        }
    }

    /// hostd found that the system is healthy.
    pub(super) fn confirm_update(&mut self, now: Duration) -> ControlAnswer {
        if self.updates.trial.may_be_confirmed() {
            self.ask_installer(Verb::Confirmed, now)
        } else {
            refused("the data is not open, so nobody knows whether this system can keep it")
        }
    }

    /// hostd found that the system is not healthy.
    pub(super) fn fail_update(&mut self, why: &str, now: Duration) -> ControlAnswer {
        if why.len() > MAX_WHY {
            return refused(&format!("a reason has at most {MAX_WHY} bytes"));
        }
        if !self.updates.trial.is_on() {
            return refused("this system is not on trial");
        }
        self.go_back(why, now);
        ControlAnswer::Accepted
    }

    /// Judges the trial, and starts what waits.
    pub(super) fn see_to_updates(&mut self, now: Duration) {
        if self.sequence.goes_down() {
            return;
        }
        let degraded = self.units.iter().find(|unit| unit.machine.report_state() == ServiceState::Degraded);
        if let Some(why) = self.updates.trial.verdict(degraded.map(|unit| unit.service.name), now) {
            self.go_back(&why, now);
        }
        if self.updates.running.is_none()
            && let Some(verb) = self.updates.next.take()
            && let Err(reason) = self.start_installer(verb)
        {
            self.ring.push(now, "init", reason);
        }
        if self.updates.back_by.is_some_and(|back_by| {
            let is_busy = self.updates.running.is_some() || self.updates.next.is_some();
            now >= back_by || !is_busy
        }) {
            let _already_going_down = self.go_down(Sequence::Reboot);
        }
    }

    /// The trial is over. The reason is noted, and the box restarts.
    fn go_back(&mut self, why: &str, now: Duration) {
        let why = Words::new(why);
        console::proclaim(&format!("hearth: this system failed its trial and goes back: {why}"));
        self.ring.push(now, "init", format!("the trial of this system failed: {why}"));
        self.updates.trial.failed();
        self.updates.back_by = Some(now + PATIENCE);
        self.updates.next = Some(Verb::Failed { why });
        if let Err(error) = self.put_log_aside() {
            console::note(Level::Warning, &format!("{}: {error}", paths::LOG_TAIL));
        }
    }

    /// The installer keeps these lines; root's, because services may print what concerns nobody else.
    fn put_log_aside(&self) -> io::Result<()> {
        let mut text = String::new();
        // Each line gets a line end.
        for line in self.ring.newest(None, super::MOST_LINES, MAX_LOG / 2) {
            if text.len() + line.len() < MAX_LOG {
                text.push_str(&line);
                text.push('\n');
            }
        }
        match fs::remove_file(paths::LOG_TAIL) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(paths::LOG_TAIL)?;
        file.write_all(text.as_bytes())
    }

    fn start_installer(&mut self, verb: Verb) -> Result<(), String> {
        let mut command = Command::new(INSTALLER);
        command.args(verb.words()).env_clear();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = reaper::start(&mut command).map_err(|error| console::chain(&error))?;
        self.updates.running = Some((verb, child));
        Ok(())
    }

    /// The installer has ended.
    pub(super) fn take_end_of_installer(&mut self, exit: &Exit, now: Duration) {
        let Some((verb, _)) = self.updates.running.take_if(|(_, child)| child.pid == exit.pid) else {
            return;
        };
        self.updates.end_by = None;
        let restarts = Ending::Code(STATUS_RESTART.into());
        let tries = Ending::Code(STATUS_TRY_OTHER.into());
        if ![Ending::Code(0), restarts, tries].contains(&exit.ending) {
            let last = report::read::<SlotsReport>(paths::SLOTS_REPORT).and_then(|slots| slots.last);
            // One that did not get as far as its report left that of another.
            let own = last.filter(|last| verb.words().first() == Some(&last.verb.as_str()));
            let told = own.and_then(|last| last.problem);
            let why = told.unwrap_or_else(|| exit.ending.to_string());
            self.ring.push(now, "init", format!("installer {} was not done: {why}", verb.words().join(" ")));
        }
        match verb {
            Verb::Restart if exit.ending == restarts => {
                let _already_going_down = self.go_down(Sequence::Reboot);
            }
            Verb::Restart if exit.ending == tries => {
                let _already_going_down = self.go_down(Sequence::TryOther);
            }
            Verb::Confirmed if !is_on_trial() => self.updates.kept(),
            // The system proved itself in a boot before this one, and hostd has begun nothing yet.
            Verb::Booted if exit.ending == Ending::Code(0) && self.updates.trial == Trial::none() => {
                self.updates.next.get_or_insert(Verb::Loader);
            }
            // How it goes back is seen to in each turn.
            Verb::Look
            | Verb::Booted
            | Verb::Install { .. }
            | Verb::Restart
            | Verb::Confirmed
            | Verb::Loader
            | Verb::Failed { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_installer() {
        let install = install("1.2", UpdateOrder::AskedLower, UpdateOrigin::Bundle).unwrap();
        assert_eq!(install.words(), ["install", "1.2", "--order", "asked-lower", "--from", "bundle"]);
        assert_eq!(Verb::Failed { why: Words::new("a\nb") }.words(), ["failed", "a b"]);
        for bad in ["", "../1", "1 2", &"1".repeat(49)] {
            super::install(bad, UpdateOrder::Asked, UpdateOrigin::Network).unwrap_err();
        }
    }

    #[test]
    fn nothing_is_tidied_up_without_notes() {
        assert_eq!(first_verb(&DataReport::default()), Verb::Look);
        let ready = DataReport::Ready { device: "/dev/vda2".to_owned(), created: false };
        assert_eq!(first_verb(&ready), Verb::Booted);
    }

    #[test]
    fn what_is_kept_in_the_last_moment_does_not_go_back() {
        let data = DataReport::Ready { device: "/dev/vda2".to_owned(), created: false };
        let now = Duration::from_secs(1);
        let next = Some(Verb::Failed { why: Words::new("late") });
        let mut updates = Updates {
            trial: Trial::begins(&data, now),
            running: None,
            next,
            back_by: Some(now),
            end_by: None,
        };
        updates.kept();
        assert_eq!((updates.due(), updates.next, updates.trial), (None, None, Trial::none()));
    }

    #[test]
    fn on_the_way_down_a_slow_installer_is_killed() {
        let child = reaper::start(Command::new("sleep").arg("600")).unwrap();
        let pidfd = child.pidfd.try_clone().unwrap();
        let running = Some((Verb::Look, child));
        let mut updates =
            Updates { trial: Trial::none(), running, next: Some(Verb::Booted), back_by: None, end_by: None };
        let now = Duration::from_secs(1);
        assert!(!updates.has_ended(now));
        assert_eq!((updates.due(), &updates.next), (Some(now + SHUTDOWN_PATIENCE), &None));
        assert!(updates.has_ended(now + SHUTDOWN_PATIENCE) && updates.due().is_none());
        let fd = rustix::event::PollFd::new(&pidfd, rustix::event::PollFlags::IN);
        assert_eq!(rustix::event::poll(&mut [fd], None), Ok(1));
    }
}
