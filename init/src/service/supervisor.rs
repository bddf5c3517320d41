//! The one loop of PID 1.
//!
//! Each turn waits for descriptors or the next due time, takes what is there without blocking, lets the machines
//! decide, and pets the watchdog at the end. Nothing in it waits for a service or a disk.

mod protect;
mod reopen;
mod rows;
mod updates;

use std::fs;
use std::io::ErrorKind;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::time::Duration;

use model::control::ControlAnswer;
use model::control::ControlRequest;
use model::control::MAX_LINE;
use model::paths;
use model::report::ServiceReport;
use model::report::ServicesReport;
use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::Timespec;
use rustix::process::Pid;
use rustix::process::Signal;

use super::apps;
use super::apps::Effect as AppEffect;
use super::apps::Ending;
use super::cgroup;
use super::control::Control;
use super::control::Wants;
use super::logs::Assembler;
use super::logs::Ring;
use super::machine::Effect;
use super::machine::Event;
use super::machine::Machine;
use super::machine::Rules;
use super::machine::State;
use super::machine::Then;
use super::notify::Message;
use super::notify::Notify;
use super::sockets;
use super::spawn;
use super::spawn::Process;
use super::table::CONTAINERD_LITE;
use super::table::Readiness;
use super::table::Service;
use crate::backup_disk;
use crate::console;
use crate::console::Level;
use crate::devices::loader::Loader;
use crate::devices::uevent;
use crate::disk::bring_up::reset;
use crate::power_button::PowerButtons;
use crate::reaper::Reaper;
use crate::report;
use crate::sequence::Sequence;
use crate::shutdown;
use crate::watchdog::Watchdog;
use reopen::Reopening;
use updates::Updates;
use updates::Verb;

/// Longest sleep: orphans that end wake nobody, and are reaped at the next turn.
const LONGEST_SLEEP: Duration = Duration::from_secs(10);
/// Output taken from one service in one turn, so that a flood holds up nobody else.
const OUTPUT_PER_TURN: usize = 64 * 1024;
/// How long drivers that are not urgent wait for services that do not get ready.
const DRIVERS_WAIT: Duration = Duration::from_secs(20);
/// Most lines in one answer.
const MOST_LINES: usize = 10_000;

/// What the loop needs from the boot.
#[derive(Debug)]
pub struct Parts {
    /// Drivers.
    pub loader: Loader,
    /// Device events.
    pub uevents: uevent::Socket,
    /// The one reaper.
    pub reaper: Reaper,
    /// The hardware watchdog.
    pub watchdog: Watchdog,
    /// Whether service logs go to the console too (`hearth.log=console`).
    pub log_to_console: bool,
}

/// The supervisor.
#[derive(Debug)]
pub struct Supervisor {
    parts: Parts,
    units: Vec<Unit>,
    notify: Option<Notify>,
    control: Option<Control>,
    buttons: PowerButtons,
    ring: Ring,
    sequence: Sequence,
    began: Duration,
    apps: Ending,
    stop_by: Option<Duration>,
    reopening: Option<Reopening>,
    updates: Updates,
    reported: Vec<u8>,
}

#[derive(Debug)]
struct Unit {
    service: &'static Service,
    machine: Machine,
    sockets: Vec<OwnedFd>,
    process: Option<Process>,
    assembler: Assembler,
    status: Option<String>,
}

impl Supervisor {
    /// Opens all sockets and takes over from the boot. Without the notify socket every service would look late, and
    /// without the control socket nobody could reboot the box; both are said and the box runs on.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let units = Vec::new();
        let said =
            |what: &str, error: std::io::Error| console::note(Level::Error, &format!("{what}: {error}"));
        let mut buttons = PowerButtons::default();
        buttons.refresh();
        let mut supervisor = Self {
            parts,
            units,
            notify: Notify::open(paths::NOTIFY_SOCKET).map_err(|error| said("notify socket", error)).ok(),
            control: Control::open(paths::CONTROL_SOCKET).map_err(|error| said("control socket", error)).ok(),
            buttons,
            ring: Ring::default(),
            sequence: Sequence::Run,
            began: report::uptime(),
            apps: Ending::default(),
            stop_by: None,
            reopening: None,
            updates: Updates::begin(report::uptime()),
            reported: Vec::new(),
        };
        supervisor.take_in();
        supervisor
    }

    /// Runs until the box goes down; returns how, and the parts that the way down needs.
    #[must_use]
    pub fn run(mut self) -> (Sequence, Parts) {
        loop {
            let now = report::uptime();
            self.bring_up_data(now);
            self.start_what_may_start(now);
            self.load_what_waited(now);
            self.see_to_updates(now);
            if self.sequence.goes_down() && self.stop_in_order(now) {
                return (self.sequence, self.parts);
            }
            self.write_report();
            self.parts.watchdog.pet(now);
            self.wait(now);
            // Datagrams before exits: what a service said last still counts as said by it.
            self.take_notifications();
            self.take_outputs();
            self.take_exits();
            self.take_requests();
            self.take_device_events();
            self.take_due();
        }
    }

    fn wait(&self, now: Duration) {
        let mut due: Vec<Duration> = self.units.iter().filter_map(|unit| unit.machine.due()).collect();
        due.extend(self.parts.watchdog.due());
        due.extend(self.control.as_ref().and_then(Control::due));
        due.extend(self.stop_by);
        due.extend(self.apps.due());
        due.extend(self.reopening.as_ref().and_then(Reopening::due));
        due.extend(self.updates.due());
        due.extend(self.may_load(now).then_some(now));
        let next = due.into_iter().min().map_or(LONGEST_SLEEP, |due| due.saturating_sub(now));
        let Ok(timeout) = Timespec::try_from(next.min(LONGEST_SLEEP)) else { return };
        let mut waited = vec![PollFd::new(&self.parts.uevents, PollFlags::IN)];
        waited.extend(self.notify.iter().map(|notify| PollFd::new(notify, PollFlags::IN)));
        for (fd, wants) in self.control.iter().flat_map(Control::descriptors) {
            let flags = if wants == Wants::Write { PollFlags::OUT } else { PollFlags::IN };
            waited.push(PollFd::from_borrowed_fd(fd, flags));
        }
        waited.extend(self.buttons.descriptors().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        for process in self.units.iter().filter_map(|unit| unit.process.as_ref()) {
            waited.push(PollFd::new(&process.child.pidfd, PollFlags::IN));
            waited.extend(process.output.iter().map(|output| PollFd::new(output, PollFlags::IN)));
        }
        waited.extend(
            self.reopening
                .iter()
                .filter_map(Reopening::pidfd)
                .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)),
        );
        waited.extend(self.updates.pidfd().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        // Everything is looked at after each wake: with a dozen descriptors that is cheaper than bookkeeping.
        let _woken_or_interrupted = rustix::event::poll(&mut waited, Some(&timeout));
    }

    fn start_what_may_start(&mut self, now: Duration) {
        if self.sequence != Sequence::Run {
            return;
        }
        for index in 0..self.units.len() {
            let Some(unit) = self.units.get(index) else { continue };
            let had_its_chance = |name: &str| {
                self.units
                    .iter()
                    .find(|other| other.service.name == name)
                    .is_none_or(|u| u.machine.had_its_chance())
            };
            if unit.machine.state() == State::Waiting
                && unit.service.after.iter().all(|name| had_its_chance(name))
            {
                self.step(index, Event::Go, now);
            }
        }
    }

    /// Whether drivers that are not urgent may take time now.
    fn may_load(&self, now: Duration) -> bool {
        let settled = self.units.iter().all(|unit| unit.machine.had_its_chance());
        !self.parts.loader.is_done() && (settled || now >= self.began + DRIVERS_WAIT)
    }

    /// One device a turn, so that the loop stays lively. At the end of the queue it is known whether the box has a
    /// watchdog of its own.
    fn load_what_waited(&mut self, now: Duration) {
        if !self.may_load(now) || self.parts.loader.work_off_one() {
            return;
        }
        if !Watchdog::present() {
            // A timer in the kernel: no help against a kernel that hangs, but against an init that does.
            self.parts.loader.load("softdog");
        }
        self.parts.watchdog.arm(now);
        self.buttons.refresh();
    }

    /// The installer, the container daemon, then apps, then all other services. True when nothing runs any more, or time is up.
    fn stop_in_order(&mut self, now: Duration) -> bool {
        // It has mounts of its own, which would keep the disks busy.
        if !self.updates.has_ended(now) {
            return false;
        }
        if self.apps != Ending::Over {
            let is_daemon = |service: &Service| service.name == CONTAINERD_LITE;
            if !self.stop_rows(is_daemon, now) {
                return false;
            }
            self.end_apps(now);
            if self.apps != Ending::Over {
                return false;
            }
            self.stop_by = Some(now + shutdown::SERVICES_LIMIT);
        }
        self.stop_services(now)
    }

    fn end_apps(&mut self, now: Duration) {
        match self.apps.step(apps::are_running(), now) {
            Some(AppEffect::Tell) => {
                let told = apps::tell_all();
                self.ring.push(now, "init", format!("{told} containers of apps are told to end"));
            }
            Some(AppEffect::Kill) => {
                self.ring.push(now, "init", "apps did not end in time, and are killed".to_owned());
                if let Err(error) = apps::kill_all() {
                    console::note(Level::Warning, &format!("killing apps: {error}"));
                }
            }
            None => {}
        }
    }

    fn stop_services(&mut self, now: Duration) -> bool {
        if self.stop_by.is_some_and(|stop_by| now >= stop_by) {
            for unit in self.units.iter().filter(|unit| unit.machine.state() != State::Stopped) {
                self.ring.push(now, "init", format!("{} did not stop in time", unit.service.name));
                let _nothing_to_kill = cgroup::kill(unit.service.name);
            }
            return true;
        }
        self.stop_rows(|_| true, now)
    }

    /// Stops the last row first, each when those after it have stopped. True when all have. Each has its own patience.
    fn stop_rows(&mut self, is_meant: impl Fn(&Service) -> bool, now: Duration) -> bool {
        for index in (0..self.units.len()).rev() {
            let unit = self.units.get(index).filter(|unit| is_meant(unit.service));
            match unit.map(|unit| unit.machine.state()) {
                None | Some(State::Stopped) => {}
                Some(State::Stopping { then: Then::Stay, .. }) => return false,
                Some(_) => {
                    self.step(index, Event::Stop, now);
                    return false;
                }
            }
        }
        true
    }

    /// Feeds a machine and does what it wants done.
    fn step(&mut self, index: usize, event: Event, now: Duration) {
        let Some(unit) = self.units.get_mut(index) else { return };
        let before = unit.machine.report_state();
        if let Event::Ended { how } = &event {
            self.ring.push(now, "init", format!("{} {how}", unit.service.name));
        }
        let effects = unit.machine.step(event, now);
        let mut failed = None;
        for effect in effects {
            match effect {
                Effect::Start => failed = unit.start().err(),
                Effect::Terminate => unit.signal(Signal::TERM),
                Effect::Kill => unit.kill(),
            }
        }
        let is_up = unit.process.is_some() && matches!(unit.machine.state(), State::Starting { .. });
        if is_up && failed.is_none() && unit.service.readiness == Readiness::Running {
            unit.machine.step(Event::Ready, now);
        }
        let after = unit.machine.report_state();
        if before != after {
            let reason = unit.machine.reason().map(|reason| format!(" ({reason})")).unwrap_or_default();
            self.ring.push(now, "init", format!("{} is {after:?}{reason}", unit.service.name).to_lowercase());
        }
        if let Some(error) = failed {
            let how = format!("could not be started: {}", console::chain(&error));
            console::note(Level::Error, &format!("{} {how}", unit.service.name));
            self.step(index, Event::Ended { how }, now);
        }
    }

    fn take_notifications(&mut self) {
        let now = report::uptime();
        loop {
            let Some(Ok(Some((sender, messages)))) = self.notify.as_ref().map(Notify::next) else { return };
            let Some(index) = self.units.iter().position(|unit| unit.pid() == Some(sender)) else { continue };
            for message in messages {
                self.take_message(index, message, now);
            }
        }
    }

    fn take_message(&mut self, index: usize, message: Message, now: Duration) {
        let Some(unit) = self.units.get_mut(index) else { return };
        match message {
            Message::Ready => self.step(index, Event::Ready, now),
            Message::Alive => self.step(index, Event::Alive, now),
            // A service that stops by itself ends, and its end is what counts.
            Message::Stopping => unit.status = Some("stopping".to_owned()),
            Message::Status(text) => unit.status = Some(text).filter(|text| !text.is_empty()),
            Message::Announce(text) if unit.service.may_announce => {
                console::announce(&format!("hearth: {text}"));
            }
            Message::Announce(_) => {
                let text = format!("{} may not announce anything", unit.service.name);
                self.ring.push(now, "init", text);
            }
        }
    }

    fn take_outputs(&mut self) {
        let now = report::uptime();
        for unit in &mut self.units {
            for line in unit.read_output() {
                keep(&mut self.ring, self.parts.log_to_console, now, unit.service.name, line);
            }
        }
    }

    fn take_exits(&mut self) {
        let now = report::uptime();
        for exit in self.parts.reaper.collect() {
            self.take_end_of_bringing_up(&exit);
            self.take_end_of_installer(&exit, now);
            // Everybody else is an orphan that PID 1 inherited.
            let Some(index) = self.units.iter().position(|unit| unit.pid() == Some(exit.pid)) else {
                continue;
            };
            if let Some(unit) = self.units.get_mut(index) {
                let mut rest = unit.read_output();
                rest.extend(unit.assembler.finish());
                for line in rest {
                    keep(&mut self.ring, self.parts.log_to_console, now, unit.service.name, line);
                }
                unit.process = None;
                unit.status = None;
            }
            self.step(index, Event::Ended { how: exit.ending.to_string() }, now);
        }
    }

    fn take_requests(&mut self) {
        let Some(mut control) = self.control.take() else { return };
        let now = report::uptime();
        control.work(now, &mut |request| self.answer(request, now));
        self.control = Some(control);
    }

    fn answer(&mut self, request: ControlRequest, now: Duration) -> ControlAnswer {
        match request {
            ControlRequest::Reboot => self.go_down(Sequence::Reboot),
            ControlRequest::PowerOff => self.go_down(Sequence::PowerOff),
            ControlRequest::FactoryReset if !reset::can_be_asked() => {
                ControlAnswer::Refused { reason: "the boot partition is not there to remember it".to_owned() }
            }
            ControlRequest::FactoryReset => self.go_down(Sequence::FactoryReset),
            ControlRequest::Logs { unit, lines } => {
                let count = usize::try_from(lines).unwrap_or(MOST_LINES).min(MOST_LINES);
                // Quotes and backslashes double in JSON.
                let lines = self.ring.newest(unit.as_deref(), count, MAX_LINE / 3);
                ControlAnswer::Logs { lines }
            }
            ControlRequest::OpenData => self.open_data(now),
            ControlRequest::ProtectData => protect::data(),
            ControlRequest::MountBackupDisk { .. } | ControlRequest::UnmountBackupDisk { .. }
                if self.sequence.goes_down() =>
            {
                ControlAnswer::Refused { reason: "the box is going down".to_owned() }
            }
            ControlRequest::MountBackupDisk { order, device, file_system } => {
                backup_disk::start(&backup_disk::Order::Mount { order, device, file_system })
            }
            ControlRequest::UnmountBackupDisk { order } => {
                backup_disk::start(&backup_disk::Order::Unmount { order })
            }
            ControlRequest::InstallUpdate { version, order, origin } => {
                match updates::install(&version, order, origin) {
                    Ok(verb) => self.ask_installer(verb, now),
                    Err(refused) => refused,
                }
            }
            ControlRequest::RestartIntoUpdate => self.ask_installer(Verb::Restart, now),
            ControlRequest::ConfirmUpdate => self.confirm_update(now),
            ControlRequest::FailUpdate { why } => self.fail_update(&why, now),
            ControlRequest::Restart { .. } if self.sequence != Sequence::Run => {
                ControlAnswer::Refused { reason: "services are being stopped".to_owned() }
            }
            ControlRequest::Restart { unit } => {
                match self.units.iter().position(|known| known.service.name == unit) {
                    Some(index) => {
                        self.step(index, Event::Restart, now);
                        ControlAnswer::Accepted
                    }
                    None => ControlAnswer::Refused { reason: format!("there is no service {unit:?}") },
                }
            }
        }
    }

    fn go_down(&mut self, sequence: Sequence) -> ControlAnswer {
        if !sequence.can_take_over(self.sequence) {
            return ControlAnswer::Refused { reason: "the box is going down already".to_owned() };
        }
        console::note(Level::Info, &format!("{sequence:?} was asked for"));
        self.sequence = sequence;
        ControlAnswer::Accepted
    }

    fn take_device_events(&mut self) {
        let news = self.parts.loader.take_events(&self.parts.uevents);
        let now = report::uptime();
        if news.input {
            self.buttons.refresh();
        }
        if news.watchdog {
            self.parts.watchdog.arm(now);
        }
        if news.wireless && self.sequence == Sequence::Run {
            self.take_in();
        }
        if self.buttons.pressed() {
            let _already_going_down = self.go_down(Sequence::PowerOff);
        }
    }

    fn take_due(&mut self) {
        let now = report::uptime();
        for index in 0..self.units.len() {
            let due = self.units.get(index).and_then(|unit| unit.machine.due());
            if due.is_some_and(|due| due <= now) {
                self.step(index, Event::Due, now);
            }
        }
    }

    fn write_report(&mut self) {
        let report = ServicesReport { services: self.units.iter().map(Unit::report).collect() };
        let Ok(bytes) = serde_json::to_vec(&report) else { return };
        if bytes == self.reported {
            return;
        }
        match report::write_bytes(paths::SERVICES_REPORT, &bytes) {
            Ok(()) => self.reported = bytes,
            Err(error) => console::note(Level::Error, &format!("{}: {error}", paths::SERVICES_REPORT)),
        }
    }
}

impl Unit {
    fn new(service: &'static Service) -> Self {
        let sockets = service.sockets.iter().filter_map(|socket| {
            sockets::open(socket).map_err(|error| console::note(Level::Error, &console::chain(&error))).ok()
        });
        Self {
            service,
            machine: Machine::new(Rules { ready_within: service.ready_within, watchdog: service.watchdog }),
            sockets: sockets.collect(),
            process: None,
            assembler: Assembler::default(),
            status: None,
        }
    }

    fn pid(&self) -> Option<Pid> {
        self.process.as_ref().map(|process| process.child.pid)
    }

    fn start(&mut self) -> Result<(), spawn::SpawnError> {
        self.process = Some(spawn::spawn(self.service, &self.sockets)?);
        Ok(())
    }

    fn signal(&self, signal: Signal) {
        if let Some(process) = &self.process {
            let _ended_already = rustix::process::pidfd_send_signal(&process.child.pidfd, signal);
        }
    }

    fn kill(&self) {
        // The main process also by its descriptor: it may not have reached its group yet.
        self.signal(Signal::KILL);
        if let Err(error) = cgroup::kill(self.service.name)
            && fs::exists(cgroup::folder(self.service.name)).unwrap_or(true)
        {
            console::note(Level::Warning, &console::chain(&error));
        }
    }

    fn read_output(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        let Some(process) = &mut self.process else { return lines };
        let mut buffer = [0; 4096];
        let mut taken = 0;
        while let Some(output) = &mut process.output
            && taken < OUTPUT_PER_TURN
        {
            match output.read(&mut buffer) {
                // A closed pipe stays readable for ever; the loop would spin on it.
                Ok(0) => process.output = None,
                Ok(length) => {
                    taken += length;
                    lines.extend(self.assembler.push(buffer.get(..length).unwrap_or_default()));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        lines
    }

    fn report(&self) -> ServiceReport {
        ServiceReport {
            name: self.service.name.to_owned(),
            state: self.machine.report_state(),
            pid: self.pid().and_then(|pid| pid.as_raw_nonzero().get().try_into().ok()),
            restarts: self.machine.restarts(),
            reason: self.machine.reason().map(str::to_owned),
            status: self.status.clone(),
        }
    }
}

/// Keeps a line without its control characters, which would grow in JSON and could steer a terminal.
fn keep(ring: &mut Ring, to_console: bool, now: Duration, unit: &'static str, line: String) {
    let line = if line.contains(char::is_control) { line.replace(char::is_control, " ") } else { line };
    if to_console {
        console::announce(&format!("{unit}: {line}"));
    }
    ring.push(now, unit, line);
}
