//! The control of the power-cut tests: a box on which nothing ever asks the disk to keep what was written.
//!
//! A power-cut test that never fails proves nothing. So the control boots the same image with the agent in the place of
//! `/init`: it makes the kernel answer every request to reach the disk with success and do nothing, then becomes the real
//! `/init`. Filters are inherited, so this holds for all processes of the box (seccomp(2)). What the box acknowledges is then
//! still in memory when the power goes, and the same test must see it lost.

use crate::REAL_INIT;
use seccompiler::BpfProgram;
use seccompiler::SeccompAction;
use seccompiler::SeccompFilter;
use std::collections::BTreeMap;
use std::env;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// System calls that ask for durability: msync, fsync, fdatasync, sync, sync_file_range, syncfs
/// (arch/x86/entry/syscalls/syscall_64.tbl).
const DURABILITY_CALLS: [i64; 6] = [26, 74, 75, 162, 277, 306];

/// Why the control could not begin.
#[derive(Debug, thiserror::Error)]
pub enum UnsyncedError {
    /// The filter could not be compiled.
    #[error("cannot compile the filter that makes syncs do nothing")]
    Compile(#[source] seccompiler::BackendError),
    /// The kernel refused the filter.
    #[error("cannot install the filter that makes syncs do nothing")]
    Install(#[source] seccompiler::Error),
    /// The real program did not start.
    #[error("cannot start {REAL_INIT}")]
    Start(#[source] io::Error),
}

/// Makes all durability calls of this process and its children do nothing, and becomes [`REAL_INIT`].
#[must_use]
pub fn become_init() -> UnsyncedError {
    let program = match filter() {
        Ok(program) => program,
        Err(error) => return UnsyncedError::Compile(error),
    };
    if let Err(error) = seccompiler::apply_filter(&program) {
        return UnsyncedError::Install(error);
    }
    UnsyncedError::Start(Command::new(REAL_INIT).arg0("/init").args(env::args_os().skip(1)).exec())
}

/// Success without doing: an error of 0 skips the call and returns 0 (seccomp(2), `SECCOMP_RET_ERRNO`).
fn filter() -> Result<BpfProgram, seccompiler::BackendError> {
    let calls: BTreeMap<i64, Vec<_>> = DURABILITY_CALLS.iter().map(|call| (*call, Vec::new())).collect();
    SeccompFilter::new(calls, SeccompAction::Allow, SeccompAction::Errno(0), env::consts::ARCH.try_into()?)?
        .try_into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn syncs_succeed_without_being_carried_out() {
        // A pipe cannot be synced (EINVAL), so success shows that the kernel never tried.
        let thread = std::thread::spawn(|| {
            let (reader, _writer) = io::pipe().unwrap();
            let pipe = File::from(std::os::fd::OwnedFd::from(reader));
            let before = pipe.sync_all().map_err(|error| error.kind());
            seccompiler::apply_filter(&filter().unwrap()).unwrap();
            (before, pipe.sync_all().is_ok(), pipe.sync_data().is_ok())
        });
        assert_eq!(thread.join().unwrap(), (Err(io::ErrorKind::InvalidInput), true, true));
    }
}
