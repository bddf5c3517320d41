//! What is mounted beside the root and the data partition.

use std::ffi::CStr;
use std::path::Path;

use rustix::mount::MountFlags;

use crate::console;
use crate::mounts;
use crate::mounts::STRICT;

/// One mount.
#[derive(Debug)]
pub struct Row {
    what: &'static str,
    target: &'static str,
    kind: &'static str,
    flags: MountFlags,
    options: Option<&'static CStr>,
    /// Only when this is there.
    when: Option<&'static str>,
    /// Module of the file system, where distributions build it as one.
    module: Option<&'static str>,
}

/// What is mounted first. Stage 1 left `/dev`, `/proc`, `/sys` and `/run`.
pub const EARLY: &[Row] = &[
    // Scratch space for libraries that insist on it; bounded, because it is memory.
    Row {
        what: "tmpfs",
        target: "/tmp",
        kind: "tmpfs",
        flags: STRICT,
        options: Some(c"mode=1777,size=32m"),
        when: None,
        module: None,
    },
    // Limits and clean ends of services. nsdelegate: a container cannot leave its own subtree. memory_recursiveprot:
    // protection of a group covers its children without repeating it there.
    Row {
        what: "cgroup2",
        target: "/sys/fs/cgroup",
        kind: "cgroup2",
        flags: STRICT,
        options: Some(c"nsdelegate,memory_recursiveprot"),
        when: None,
        module: None,
    },
];

/// What is mounted when modules can be loaded.
pub const WITH_MODULES: &[Row] = &[
    // The loader's variables. Read-only: a variable deleted by accident can brick firmware.
    Row {
        what: "efivarfs",
        target: "/sys/firmware/efi/efivars",
        kind: "efivarfs",
        flags: STRICT.union(MountFlags::RDONLY),
        options: None,
        when: Some("/sys/firmware/efi/efivars"),
        module: Some("efivarfs"),
    },
    // What the kernel said last before it stopped, kept in EFI variables. Read-only: `installer` takes it away when it is kept elsewhere.
    Row {
        what: "pstore",
        target: "/sys/fs/pstore",
        kind: "pstore",
        flags: STRICT.union(MountFlags::RDONLY),
        options: None,
        when: Some("/sys/fs/pstore"),
        module: Some("efi_pstore"),
    },
];

/// Mounts a table; returns what went wrong.
#[must_use]
pub fn mount_all(rows: &[Row], load: &mut dyn FnMut(&str)) -> Vec<String> {
    let mut reasons = Vec::new();
    for row in rows.iter().filter(|row| row.when.is_none_or(|path| Path::new(path).exists())) {
        if let Some(module) = row.module {
            load(module);
        }
        if let Err(error) = mounts::mount(row.what, row.target, row.kind, row.flags, row.options) {
            reasons.push(console::chain(&error));
        }
    }
    reasons
}

/// Lets a user see its own processes only (Documentation/filesystems/proc.rst, section 4).
///
/// # Errors
/// When the kernel refuses.
pub fn hide_processes() -> rustix::io::Result<()> {
    rustix::mount::mount_remount("/proc", STRICT, "hidepid=invisible")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mount_is_nosuid_nodev_noexec() {
        for row in EARLY.iter().chain(WITH_MODULES) {
            assert!(row.flags.contains(STRICT), "{}", row.target);
        }
    }

    #[test]
    fn memory_file_systems_are_bounded() {
        for row in EARLY.iter().filter(|row| row.kind == "tmpfs") {
            assert!(
                row.options.is_some_and(|options| options.to_str().unwrap().contains("size=")),
                "{}",
                row.target
            );
        }
    }
}
