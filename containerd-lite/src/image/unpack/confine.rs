//! What the unpacking program gives up before it reads the first byte of a layer: everything but one folder and its descriptors.

use crate::image::Limits;
use landlock::ABI;
use landlock::Access as _;
use landlock::AccessFs;
use landlock::AccessNet;
use landlock::PathBeneath;
use landlock::Ruleset;
use landlock::RulesetAttr as _;
use landlock::RulesetCreatedAttr as _;
use landlock::RulesetError;
use landlock::Scope;
use rustix::process::Resource;
use rustix::process::Rlimit;
use rustix::process::setrlimit;
use seccompiler::BpfProgram;
use seccompiler::SeccompAction;
use seccompiler::SeccompFilter;
use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;

/// Landlock of Linux 6.12; an older kernel gives what it has.
const WRITTEN_FOR: ABI = ABI::V6;
/// Bytes of memory: zstd's largest window, twice, and the names that are kept.
const MEMORY: u64 = 512 << 20;
/// Seconds of the processor: an hour for 16 GiB on a slow board.
const PROCESSOR: u64 = 3600;
const DESCRIPTORS: u64 = 32;

/// Why the program is not confined.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConfineError {
    #[error("set the limits of the program")]
    Limits(#[source] rustix::io::Errno),
    #[error("close the file system")]
    Landlock(#[source] RulesetError),
    #[error("build the filter of system calls")]
    Filter(#[source] seccompiler::BackendError),
    #[error("install the filter of system calls")]
    Install(#[source] seccompiler::Error),
}

/// Reading, placing, memory, the end.
const CALLS: &[i64] = &[
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pwrite64,
    libc::SYS_lseek,
    libc::SYS_close,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_openat2,
    libc::SYS_mkdirat,
    libc::SYS_mknodat,
    libc::SYS_symlinkat,
    libc::SYS_linkat,
    libc::SYS_unlinkat,
    libc::SYS_ftruncate,
    libc::SYS_fchmod,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_fsetxattr,
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_futex,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_tgkill,
    libc::SYS_sigaltstack,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_restart_syscall,
    libc::SYS_clock_gettime,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Confines this process, for good.
pub(super) fn confine(folder: BorrowedFd<'_>, limits: &Limits) -> Result<(), ConfineError> {
    for (resource, most) in [
        (Resource::As, MEMORY),
        (Resource::Cpu, PROCESSOR),
        (Resource::Nofile, DESCRIPTORS),
        (Resource::Fsize, limits.layer_bytes),
        (Resource::Nproc, 1),
        (Resource::Core, 0),
    ] {
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        setrlimit(resource, limit).map_err(ConfineError::Limits)?;
    }
    close_files(folder).map_err(ConfineError::Landlock)?;
    let filter = filter().map_err(ConfineError::Filter)?;
    seccompiler::apply_filter(&filter).map_err(ConfineError::Install)
}

/// Nodes of devices are made as whiteouts; that they are no others the kernel sees to, outside of its first user namespace.
fn close_files(folder: BorrowedFd<'_>) -> Result<(), RulesetError> {
    let place =
        AccessFs::from_all(WRITTEN_FOR) & !(AccessFs::Execute | AccessFs::IoctlDev | AccessFs::MakeBlock);
    Ruleset::default()
        .handle_access(AccessFs::from_all(WRITTEN_FOR))?
        .handle_access(AccessNet::from_all(WRITTEN_FOR))?
        .scope(Scope::from_all(WRITTEN_FOR))?
        .create()?
        .add_rule(PathBeneath::new(folder, place))?
        .restrict_self()
        .map(|_status| ())
}

/// A call that is not on the list ends the program: nothing it does needs one, so somebody else speaks.
fn filter() -> Result<BpfProgram, seccompiler::BackendError> {
    let rules: BTreeMap<i64, Vec<seccompiler::SeccompRule>> =
        CALLS.iter().map(|call| (*call, Vec::new())).collect();
    let architecture = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, SeccompAction::KillProcess, SeccompAction::Allow, architecture)?.try_into()
}
