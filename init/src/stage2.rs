//! Stage 2: from the root to running services, and down again.
//!
//! ```text
//! mounts → sysctls → drivers → efivars, slot → watchdog → disk, ESP, data → preset → folders, cgroups → boot.json → supervisor
//! ```
//! Nothing here stops the boot: what fails becomes a reason in the report, and the box comes up to say so.

pub mod mounts;
pub mod sysctls;

use std::fs;
use std::io;
use std::os::unix::fs::chown;
use std::path::Path;

use model::paths;
use model::report::BootReport;
use model::report::DataReport;
use slots::uefi::variable;

use crate::cmdline::CommandLine;
use crate::console;
use crate::console::Level;
use crate::devices::loader::Loader;
use crate::devices::uevent;
use crate::disk::bring_up;
use crate::disk::bring_up::DataError;
use crate::disk::bring_up::Mounted;
use crate::disk::bring_up::reset;
use crate::disk::tools::Tools;
use crate::efi;
use crate::preset;
use crate::reaper::Reaper;
use crate::report;
use crate::sequence::Sequence;
use crate::service::cgroup;
use crate::service::supervisor::Parts;
use crate::service::supervisor::Supervisor;
use crate::shutdown;
use crate::watchdog::Watchdog;

/// Name of the box until somebody gives it one.
const HOST_NAME: &[u8] = b"hearth";

/// Runs stage 2; returns only when the kernel refuses to reboot.
///
/// # Errors
/// When there is no kernel to talk to: no command line, no device events.
pub fn run() -> io::Result<()> {
    let mut boot = BootReport::default();
    boot.reasons.extend(mounts::mount_all(mounts::EARLY, &mut |_| {}));
    if let Err(error) = mounts::hide_processes() {
        boot.reasons.push(format!("hiding processes of other users: {error}"));
    }
    sysctls::set_all();
    let line = CommandLine::load()?;
    let uevents = uevent::Socket::open()?;
    let mut loader = Loader::open();
    loader.coldplug();
    boot.reasons.extend(mounts::mount_all(mounts::WITH_MODULES, &mut |module| loader.load(module)));
    identify(&mut boot, &line);
    let mut watchdog = Watchdog::default();
    watchdog.arm(report::uptime());

    let mut reaper = Reaper::default();
    let mounted = bring_up_data(&mut boot.reasons, &mut loader, &uevents, &mut reaper, &mut watchdog);
    boot.data = told(mounted, &mut boot.reasons);
    if matches!(boot.data, DataReport::Ready { .. }) {
        boot.reasons.extend(preset::take_up(
            Path::new(bring_up::BOOT),
            &preset::Places::of_box(),
            &reset::writable,
        ));
    }
    boot.reasons.extend(prepare_services());
    if let Err(error) = report::write(paths::BOOT_REPORT, &boot) {
        console::note(Level::Error, &format!("{}: {error}", paths::BOOT_REPORT));
    }
    for reason in &boot.reasons {
        console::note(Level::Warning, reason);
    }
    let log_to_console = line.value("hearth.log") == Some("console");
    let (sequence, mut parts) =
        Supervisor::new(Parts { loader, uevents, reaper, watchdog, log_to_console }).run();
    go_down(sequence, &mut parts);
    Ok(())
}

/// Version, board and slot: into the report and on the consoles.
fn identify(boot: &mut BootReport, line: &CommandLine) {
    let word = |name: &str| console::printable(line.value(name).unwrap_or("unknown"));
    let entry = efi::loader_variable(Path::new(efi::EFIVARS), variable::SELECTED);
    boot.version = word("hearth.version");
    boot.board = word("hearth.board");
    boot.slot = efi::slot_name(entry.as_deref(), line.value("hearth.slot"));
    console::proclaim(&format!("hearth: version={} board={} slot={}", boot.version, boot.board, boot.slot));
    if let Err(error) = rustix::system::sethostname(HOST_NAME) {
        console::note(Level::Warning, &format!("host name: {error}"));
    }
}

/// The helper's life when the data partition was locked at boot and is open now: mounts it and writes the boot report anew.
///
/// # Errors
/// When there are no device events, or the report cannot be written.
pub fn open_data() -> io::Result<()> {
    let uevents = uevent::Socket::open()?;
    let (mut loader, mut reaper) = (Loader::open(), Reaper::default());
    let mut boot: BootReport = report::read(paths::BOOT_REPORT).unwrap_or_default();
    // The box's watchdog is petted by PID 1, which does not wait for this.
    let mut pet = || {};
    let mounted = bring_up::find(booted_from(), &mut loader, &uevents, &mut pet)
        .and_then(|mut disk| disk.mount_data(&mut Tools { reaper: &mut reaper, while_waiting: &mut pet }));
    boot.data = told(mounted, &mut boot.reasons);
    report::write(paths::BOOT_REPORT, &boot)
}

/// What came of it, for the report and the kernel's log.
fn told(mounted: Result<Mounted, DataError>, reasons: &mut Vec<String>) -> DataReport {
    match mounted {
        Ok(mounted) => {
            reasons.extend(mounted.reasons);
            DataReport::Ready { device: mounted.device, created: mounted.created }
        }
        Err(DataError::Locked { device, reasons, takes }) => {
            console::note(Level::Warning, &format!("{device} is locked: {}", reasons.join("; ")));
            DataReport::Locked { device, reasons, takes }
        }
        Err(error) => {
            let reason = console::chain(&error);
            console::note(Level::Error, &format!("data partition: {reason}"));
            DataReport::Failed { reason }
        }
    }
}

fn booted_from() -> Option<[u8; 16]> {
    let text = efi::loader_variable(Path::new(efi::EFIVARS), "LoaderDevicePartUUID");
    text.and_then(|text| efi::guid(&text))
}

fn bring_up_data(
    reasons: &mut Vec<String>,
    loader: &mut Loader,
    uevents: &uevent::Socket,
    reaper: &mut Reaper,
    watchdog: &mut Watchdog,
) -> Result<Mounted, DataError> {
    let mut pet = || watchdog.pet(report::uptime());
    let mut disk = bring_up::find(booted_from(), loader, uevents, &mut pet)?;
    // First: the key of the data partition may lie there.
    if let Err(error) = disk.mount_esp() {
        reasons.push(format!("the boot partition is not mounted: {}", console::chain(&error)));
    }
    let mut tools = Tools { reaper, while_waiting: &mut pet };
    disk.reset_if_asked(&mut tools)?;
    disk.mount_data(&mut tools)
}

/// Folders and control groups; what is missing shows when a service needs it.
fn prepare_services() -> Vec<String> {
    let mut reasons = Vec::new();
    let folders = [
        ("/run/hearth/net", paths::NETD_UID),
        (paths::HOSTD_RUN, paths::HOSTD_UID),
        (paths::WIFI_RUN, paths::WIFI_BUS_UID),
        (paths::STORAGE_RUN, 0),
        (paths::CONTAINERS_RUN, 0),
        (paths::UPDATE_RUN, 0),
    ];
    for (path, owner) in folders {
        let made = fs::create_dir_all(path).and_then(|()| chown(path, Some(owner), Some(owner)));
        if let Err(error) = made {
            reasons.push(format!("making {path}: {error}"));
        }
    }
    if let Err(error) = cgroup::prepare() {
        reasons.push(console::chain(&error));
    }
    reasons
}

fn go_down(sequence: Sequence, parts: &mut Parts) {
    let watchdog = &mut parts.watchdog;
    shutdown::finish(sequence, &mut parts.reaper, &mut || watchdog.pet(report::uptime()));
}
