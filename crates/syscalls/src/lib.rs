//! System calls that a service or a helper of PID 1 may make; all others fail with `EPERM`.
//!
//! The list is what a Rust daemon with tokio, rustls, sled and zbus needs, read from their sources and from traces. It
//! is one list for all services: what sets them apart is the families of sockets, a few calls that a row names, their
//! user, capabilities and Landlock. A service that starts strangers' programs has a list of its own, of calls that are refused: what it may not
//! do, they may not either, and what they may is decided where they are started.

use std::collections::BTreeMap;

use seccompiler::BpfProgram;
use seccompiler::SeccompAction;
use seccompiler::SeccompCmpArgLen;
use seccompiler::SeccompCmpOp;
use seccompiler::SeccompCondition;
use seccompiler::SeccompFilter;
use seccompiler::SeccompRule;

/// A filter that could not be built or installed.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// Building it.
    #[error("building the filter")]
    Build(#[from] seccompiler::BackendError),
    /// Installing it.
    #[error("installing the filter")]
    Install(#[from] seccompiler::Error),
}

/// Memory, threads and the process itself.
const PROCESS: &[i64] = &[
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_mincore,
    libc::SYS_msync,
    libc::SYS_membarrier,
    libc::SYS_mlock,
    libc::SYS_munlock,
    libc::SYS_futex,
    libc::SYS_rseq,
    libc::SYS_set_robust_list,
    libc::SYS_get_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler,
    libc::SYS_sched_get_priority_max,
    libc::SYS_sched_get_priority_min,
    libc::SYS_getpriority,
    libc::SYS_setpriority,
    libc::SYS_getcpu,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getpgid,
    libc::SYS_getsid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getgroups,
    libc::SYS_getresuid,
    libc::SYS_getresgid,
    libc::SYS_capget,
    libc::SYS_prctl,
    libc::SYS_prlimit64,
    libc::SYS_getrusage,
    libc::SYS_times,
    libc::SYS_sysinfo,
    libc::SYS_uname,
    libc::SYS_getrandom,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_wait4,
    libc::SYS_waitid,
    libc::SYS_restart_syscall,
    // The trampoline's last step; Landlock says which program.
    libc::SYS_execve,
];

/// Time and signals.
const SIGNALS: &[i64] = &[
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_nanosleep,
    libc::SYS_setitimer,
    libc::SYS_getitimer,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
    libc::SYS_timerfd_gettime,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigpending,
    libc::SYS_rt_sigsuspend,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_sigaltstack,
    libc::SYS_signalfd4,
    libc::SYS_kill,
    libc::SYS_tgkill,
];

/// Files and descriptors.
const FILES: &[i64] = &[
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_preadv,
    libc::SYS_pwritev,
    libc::SYS_preadv2,
    libc::SYS_pwritev2,
    libc::SYS_lseek,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getcwd,
    libc::SYS_getdents64,
    libc::SYS_mkdirat,
    libc::SYS_unlinkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_umask,
    libc::SYS_truncate,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_fadvise64,
    libc::SYS_readahead,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_sync_file_range,
    libc::SYS_syncfs,
    libc::SYS_flock,
    libc::SYS_fcntl,
    libc::SYS_ioctl,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_pipe2,
    libc::SYS_copy_file_range,
    libc::SYS_sendfile,
    libc::SYS_splice,
    libc::SYS_tee,
    libc::SYS_memfd_create,
    libc::SYS_eventfd2,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_inotify_init1,
    libc::SYS_inotify_add_watch,
    libc::SYS_inotify_rm_watch,
];

/// Sockets, except their making, which depends on the family.
const SOCKETS: &[i64] = &[
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_connect,
    libc::SYS_shutdown,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_sendto,
    libc::SYS_recvfrom,
    libc::SYS_sendmsg,
    libc::SYS_recvmsg,
    libc::SYS_sendmmsg,
    libc::SYS_recvmmsg,
    libc::SYS_socketpair,
];

/// Older forms of calls above that only this architecture has, and that libraries still use.
#[cfg(target_arch = "x86_64")]
const LEGACY: &[i64] = &[
    libc::SYS_arch_prctl,
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_getdents,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_unlink,
    libc::SYS_rename,
    libc::SYS_link,
    libc::SYS_symlink,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_dup2,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_select,
    libc::SYS_epoll_create,
    libc::SYS_epoll_wait,
    libc::SYS_eventfd,
    libc::SYS_getpgrp,
    libc::SYS_time,
    libc::SYS_pause,
];
#[cfg(not(target_arch = "x86_64"))]
const LEGACY: &[i64] = &[];

/// Installs the filters for this process and what it becomes.
///
/// # Errors
/// When the kernel refuses.
pub fn install(families: &[i32], calls_also: &[i64]) -> Result<(), FilterError> {
    // The list last: it does not let another filter be installed. Of two answers the stricter one counts.
    for program in [no_clone3()?, allow_list(families, calls_also)?] {
        seccompiler::apply_filter(&program)?;
    }
    Ok(())
}

/// Refuses these calls, for this process and what it becomes and starts; all others are let through.
///
/// # Errors
/// When the kernel refuses.
pub fn forbid(calls: &[i64]) -> Result<(), FilterError> {
    let rules = calls.iter().map(|call| (*call, Vec::new())).collect();
    let program = build(rules, SeccompAction::Allow, SeccompAction::Errno(libc::EPERM.unsigned_abs()))?;
    Ok(seccompiler::apply_filter(&program)?)
}

fn allow_list(families: &[i32], calls_also: &[i64]) -> Result<BpfProgram, FilterError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = [PROCESS, SIGNALS, FILES, SOCKETS, LEGACY, calls_also]
        .concat()
        .into_iter()
        .map(|call| (call, Vec::new()))
        .collect();
    let mut sockets = Vec::new();
    for &family in families {
        sockets.push(argument(0, SeccompCmpOp::Eq, u64::from(family.unsigned_abs()))?);
    }
    rules.insert(libc::SYS_socket, sockets);
    // Threads yes, namespaces no.
    let namespaces = libc::CLONE_NEWUSER
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWCGROUP;
    let mask = u64::from(namespaces.unsigned_abs());
    rules.insert(libc::SYS_clone, vec![argument(0, SeccompCmpOp::MaskedEq(mask), 0)?]);
    // Let through here; the other filter answers it.
    rules.insert(libc::SYS_clone3, Vec::new());
    build(rules, SeccompAction::Errno(libc::EPERM.unsigned_abs()), SeccompAction::Allow)
}

/// clone3 takes its flags by pointer, which no filter can follow. "Not implemented" makes the C library fall back to
/// clone; "not permitted" would make it fail.
fn no_clone3() -> Result<BpfProgram, FilterError> {
    let rules = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    build(rules, SeccompAction::Allow, SeccompAction::Errno(libc::ENOSYS.unsigned_abs()))
}

fn argument(index: u8, operator: SeccompCmpOp, value: u64) -> Result<SeccompRule, FilterError> {
    let condition = SeccompCondition::new(index, SeccompCmpArgLen::Dword, operator, value)?;
    Ok(SeccompRule::new(vec![condition])?)
}

fn build(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    otherwise: SeccompAction,
    matched: SeccompAction,
) -> Result<BpfProgram, FilterError> {
    let architecture = std::env::consts::ARCH.try_into()?;
    Ok(SeccompFilter::new(rules, otherwise, matched, architecture)?.try_into()?)
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;
    use rustix::net::AddressFamily;
    use rustix::net::SocketType;

    use super::*;

    /// A filter binds the thread that installs it and those it starts.
    fn confined<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
        confined_with(&[], work)
    }

    fn confined_with<T: Send + 'static>(
        calls_also: &'static [i64],
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        let thread = std::thread::spawn(|| {
            install(&[libc::AF_UNIX, libc::AF_INET], calls_also).unwrap();
            work()
        });
        thread.join().unwrap()
    }

    #[test]
    fn only_sockets_of_the_named_families_are_made() {
        let made = |family| confined(move || rustix::net::socket(family, SocketType::DGRAM, None).map(drop));
        assert_eq!(made(AddressFamily::UNIX), Ok(()));
        assert_eq!(made(AddressFamily::INET), Ok(()));
        assert_eq!(made(AddressFamily::INET6), Err(Errno::PERM));
        assert_eq!(made(AddressFamily::NETLINK), Err(Errno::PERM));
    }

    #[test]
    fn calls_that_no_service_needs_are_refused() {
        let (chroot, name, mount) = confined(|| {
            (
                rustix::process::chroot("/"),
                rustix::system::sethostname(b"x"),
                rustix::mount::mount_change("/", rustix::mount::MountPropagationFlags::PRIVATE),
            )
        });
        assert_eq!((chroot, name, mount), (Err(Errno::PERM), Err(Errno::PERM), Err(Errno::PERM)));
    }

    #[test]
    fn threads_files_and_clocks_work() {
        let sum = confined(|| {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), "21").unwrap();
            file.as_file().sync_all().unwrap();
            let other = std::thread::spawn(|| std::time::Instant::now().elapsed().as_secs());
            let twice: u64 = std::fs::read_to_string(file.path()).unwrap().parse().unwrap();
            twice * 2 + other.join().unwrap()
        });
        assert_eq!(sum, 42);
    }

    #[test]
    fn what_is_forbidden_is_refused_and_all_else_is_not() {
        let refused = rustix::time::Timespec { tv_sec: 0, tv_nsec: -1 };
        let thread = std::thread::spawn(move || {
            forbid(&[libc::SYS_clock_settime, libc::SYS_sethostname]).unwrap();
            let clock = rustix::time::clock_settime(rustix::time::ClockId::Realtime, refused);
            let socket = rustix::net::socket(AddressFamily::INET6, SocketType::DGRAM, None).map(drop);
            (clock, rustix::system::sethostname(b"x"), socket)
        });
        assert_eq!(thread.join().unwrap(), (Err(Errno::PERM), Err(Errno::PERM), Ok(())));
    }

    /// Asked with a time that no kernel takes, so that a test run as root changes nothing: the filter answers first.
    #[test]
    fn the_clock_is_set_only_by_who_is_named_for_it() {
        fn set() -> rustix::io::Result<()> {
            let refused = rustix::time::Timespec { tv_sec: 0, tv_nsec: -1 };
            rustix::time::clock_settime(rustix::time::ClockId::Realtime, refused)
        }
        assert_eq!(confined(set), Err(Errno::PERM));
        assert_eq!(confined_with(&[libc::SYS_clock_settime], set), Err(Errno::INVAL));
    }
}
