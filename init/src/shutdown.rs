//! The way down after the services: file systems, then the kernel.
//!
//! ```text
//! container daemon ≤ 15 s → apps ≤ 35 s → services ≤ 20 s (supervisor) → `init finish` ≤ 8 s → reboot(2)
//! ```
//! sync(2) and umount(2) can hang for ever on a dead disk, and a process that hangs in the kernel cannot be interrupted.
//! They therefore run in a helper process; PID 1 waits for it for a while and then calls reboot(2) without it. What
//! hangs inside reboot(2) itself is ended by the hardware watchdog, which stays armed.

use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use rustix::mount::MountFlags;
use rustix::mount::UnmountFlags;

use crate::console;
use crate::console::Level;
use crate::disk::bring_up::BOOT;
use crate::disk::bring_up::DATA;
use crate::disk::bring_up::reset;
use crate::mounts;
use crate::reaper::Ending;
use crate::reaper::Reaper;
use crate::sequence::Sequence;
use crate::service::spawn::SELF;

/// How long all services together may take to stop, once apps have ended.
pub const SERVICES_LIMIT: Duration = Duration::from_secs(20);
/// How long syncing and unmounting may take. Together with the container daemon, apps, [`SERVICES_LIMIT`] and the reaper's last wait of 2 s
/// this stays within the 85 s of docs/spec/boot.md; within 30 s when no app runs and the container daemon does not hang.
const FINISH_LIMIT: Duration = Duration::from_secs(7);

/// What `init finish` is told when the next boot is to begin as a new box.
pub const FACTORY_RESET: &str = "factory-reset";

/// Ends the system; returns only when the kernel refuses.
pub fn finish(sequence: Sequence, reaper: &mut Reaper, pet: &mut dyn FnMut()) {
    let mut helper = Command::new(SELF);
    helper.arg("finish");
    if sequence == Sequence::FactoryReset {
        helper.arg(FACTORY_RESET);
    }
    helper.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match reaper.run(&mut helper, FINISH_LIMIT, pet) {
        Ok(Ending::Code(0)) => {}
        Ok(ending) => console::note(Level::Warning, &format!("unmounting {ending}")),
        Err(error) => console::note(Level::Warning, &console::chain(&error)),
    }
    if let Some(word) = sequence.word() {
        let error = ioctls::restart::with_word(word);
        console::note(Level::Error, &format!("{sequence:?}: {error}"));
    }
    if let Err(error) = rustix::system::reboot(sequence.command()) {
        console::note(Level::Error, &format!("{sequence:?}: {error}"));
    }
}

/// The helper's work: leaves nothing unwritten. True when everything is unmounted.
#[must_use]
pub fn sync_and_unmount(asks_for_reset: bool) -> bool {
    if asks_for_reset && let Err(error) = reset::ask() {
        console::proclaim(&format!("hearth: factory reset: could not be asked for: {error}"));
    }
    rustix::fs::sync();
    let mut clean = true;
    for target in [DATA, BOOT] {
        clean &= unmount(target);
    }
    clean
}

fn unmount(target: &str) -> bool {
    match rustix::mount::unmount(target, UnmountFlags::NOFOLLOW) {
        // Nothing is mounted there.
        Ok(()) | Err(rustix::io::Errno::INVAL) => true,
        Err(error) => {
            console::note(
                Level::Warning,
                &format!("unmounting {target}: {error}; making it read-only instead"),
            );
            rustix::mount::mount_remount(target, MountFlags::RDONLY | mounts::STRICT, "").is_ok()
        }
    }
}

/// Last words of a PID 1 that found a bug in itself. Nothing of its state is trusted any more, and the loader's counter
/// has to see a reboot.
pub fn emergency(reason: &str) {
    console::proclaim(&format!("hearth: init failed: {reason}"));
    std::thread::sleep(Duration::from_secs(2));
    rustix::fs::sync();
    let _nothing_left_to_try = rustix::system::reboot(Sequence::Emergency.command());
}
