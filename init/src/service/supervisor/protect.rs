//! A disk that does not confirm what was written: `ControlRequest::ProtectData`.

use std::fs;

use model::control::ControlAnswer;

use crate::console;
use crate::console::Level;

/// The kernel's own keys (Documentation/admin-guide/sysrq.rst).
const KEYS: &str = "/proc/sysrq-trigger";
/// All file systems on disks become read-only. Unlike mount(2) the kernel does so whatever is open for writing and whatever fails on
/// the way (`fs/super.c`, `emergency_remount`). Besides the data only a disk for backups can be mounted, and a backup whose source
/// fails is not finished anyway.
const READ_ONLY: &str = "u";

/// Keeps further changes from the data partition.
pub(super) fn data() -> ControlAnswer {
    match fs::write(KEYS, READ_ONLY) {
        Ok(()) => {
            console::note(Level::Error, "the disk did not confirm a change: the data becomes read-only");
            ControlAnswer::Accepted
        }
        Err(error) => ControlAnswer::Refused { reason: format!("writing {KEYS}: {error}") },
    }
}
