//! The system calls of apps: rules, and their text for other runtimes (`linux.seccomp` of the OCI specification).
//!
//! What is on no list is answered as by a kernel that does not know it (`ENOSYS`): libraries fall back to older calls then, where a refusal
//! would end them. What is known and refused is answered with `EPERM`. Other architectures of the processor, x32 too, are ended: libseccomp does
//! that for every architecture that it was not told of.

use serde_json::Value;
use serde_json::json;

/// What a call gets that no rule is about: `ENOSYS`.
pub(super) const UNKNOWN: i32 = 38;
const EPERM: i32 = 1;
const EPROTONOSUPPORT: i32 = 93;
const EAFNOSUPPORT: i32 = 97;

const AF_UNIX: u64 = 1;
const AF_INET: u64 = 2;
const AF_INET6: u64 = 10;
const AF_NETLINK: u64 = 16;

/// Flags of clone(2) that make a namespace: time, mount, cgroup, UTS, IPC, user, PID, network.
const NEW_NAMESPACES: [u64; 8] =
    [0x0000_0080, 0x0002_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000];

/// Personalities: Linux as it is, and the question which one it is.
const PERSONALITIES: [u64; 2] = [0, 0xffff_ffff];

/// What programs live by: what for, and the calls.
const ALLOWED: &[(&str, &str)] = &[
    (
        "files",
        "access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat \
        faccessat2 fadvise64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl \
        fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr fstat fstatfs fsync ftruncate \
        futimesat getcwd getdents getdents64 getxattr ioctl lchown lgetxattr link linkat listxattr \
        llistxattr lremovexattr lseek lsetxattr lstat mkdir mkdirat mknod mknodat newfstatat open \
        openat openat2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink \
        readlinkat readv removexattr rename renameat renameat2 rmdir sendfile setxattr splice stat \
        statfs statx symlink symlinkat sync sync_file_range syncfs tee truncate umask unlink \
        unlinkat utime utimensat utimes vmsplice write writev",
    ),
    (
        "waiting for files",
        "epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 \
        inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy \
        io_getevents io_pgetevents io_setup io_submit pipe pipe2 poll ppoll pselect6 select signalfd \
        signalfd4",
    ),
    (
        "memory",
        "brk cachestat get_mempolicy madvise membarrier memfd_create mincore mlock mlock2 mlockall \
        mmap mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free \
        pkey_mprotect remap_file_pages map_shadow_stack",
    ),
    (
        "processes and threads",
        "arch_prctl capget capset execve execveat exit exit_group fork futex futex_requeue futex_wait \
        futex_waitv futex_wake get_robust_list get_thread_area getcpu getegid geteuid getgid \
        getgroups getitimer getpgid getpgrp getpid getppid getpriority getresgid getresuid getrlimit \
        getrusage getsid gettid getuid ioprio_get ioprio_set kill pidfd_open pidfd_send_signal prctl \
        prlimit64 restart_syscall rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo \
        rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max \
        sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler \
        sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam sched_setscheduler \
        sched_yield seccomp set_robust_list set_thread_area set_tid_address setfsgid setfsuid setgid \
        setgroups setitimer setpgid setpriority setregid setresgid setresuid setreuid setrlimit \
        setsid setuid sigaltstack tgkill time times tkill uname vfork wait4 waitid",
    ),
    (
        "landlock: a program may confine itself further",
        "landlock_add_rule landlock_create_ruleset landlock_restrict_self",
    ),
    (
        "clocks",
        "alarm clock_getres clock_gettime clock_nanosleep gettimeofday nanosleep pause timer_create \
        timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create timerfd_gettime \
        timerfd_settime",
    ),
    (
        "between processes, in namespaces of their own",
        "mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink msgctl msgget msgrcv \
        msgsnd semctl semget semop semtimedop shmat shmctl shmdt shmget",
    ),
    (
        "network",
        "accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg \
        recvmsg sendmmsg sendmsg sendto setsockopt shutdown",
    ),
    ("the rest", "getrandom sysinfo"),
];

/// What is known, and no app's business, likewise.
const REFUSED: &[(&str, &str)] = &[
    (
        "mounts and namespaces",
        "chroot fsconfig fsmount fsopen fspick mount mount_setattr move_mount open_tree pivot_root \
        setns umount umount2 unshare statmount listmount",
    ),
    ("handles of files lead past the folders above them", "name_to_handle_at open_by_handle_at"),
    (
        "programs, keys and tables of the kernel",
        "bpf add_key keyctl request_key create_module delete_module finit_module init_module \
        get_kernel_syms query_module kexec_file_load kexec_load lookup_dcookie perf_event_open \
        syslog",
    ),
    ("queues that work past this list", "io_uring_enter io_uring_register io_uring_setup userfaultfd"),
    (
        "other processes",
        "kcmp pidfd_getfd process_madvise process_mrelease process_vm_readv process_vm_writev ptrace",
    ),
    (
        "the box itself",
        "acct adjtimex clock_adjtime clock_settime fanotify_init fanotify_mark ioperm iopl mbind \
        migrate_pages move_pages nfsservctl quotactl quotactl_fd reboot set_mempolicy \
        set_mempolicy_home_node setdomainname sethostname settimeofday stime swapoff swapon sysfs \
        _sysctl uselib ustat vhangup vm86 vm86old",
    ),
];

/// What becomes of some calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    /// Their names; a processor has not all of them.
    pub(super) names: Vec<&'static str>,
    /// Refused with this number, or let through.
    pub(super) refused: Option<i32>,
    /// All of them must hold; each is about another argument.
    pub(super) conditions: Vec<Condition>,
}

/// A comparison of one argument of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    /// Number of the argument, from 0.
    pub(super) argument: u32,
    /// How it is compared.
    pub(super) comparison: Comparison,
}

/// What an argument must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    /// This.
    Equal(u64),
    /// More than this.
    Above(u64),
    /// The bits of the mask have this value.
    Masked { mask: u64, value: u64 },
}

/// The rules. A call that none of them is about gets [`UNKNOWN`].
pub(super) fn rules() -> Vec<Rule> {
    let mut rules = vec![allow(names(ALLOWED), &[]), refuse(names(REFUSED), EPERM, &[])];
    rules.extend(processes());
    rules.extend(sockets());
    rules.extend(PERSONALITIES.map(|which| allow(vec!["personality"], &[equal(0, which)])));
    rules
}

/// The object `linux.seccomp` of a specification.
pub(super) fn specification() -> Value {
    let rules: Vec<Value> = rules().iter().map(Rule::specification).collect();
    json!({ "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": UNKNOWN, "syscalls": rules })
}

impl Rule {
    fn specification(&self) -> Value {
        let args: Vec<Value> = self.conditions.iter().map(Condition::specification).collect();
        match self.refused {
            None => json!({ "names": self.names, "action": "SCMP_ACT_ALLOW", "args": args }),
            Some(errno) => {
                json!({ "names": self.names, "action": "SCMP_ACT_ERRNO", "errnoRet": errno, "args": args })
            }
        }
    }
}

impl Condition {
    fn specification(&self) -> Value {
        let index = self.argument;
        match self.comparison {
            Comparison::Equal(value) => json!({ "index": index, "value": value, "op": "SCMP_CMP_EQ" }),
            Comparison::Above(value) => json!({ "index": index, "value": value, "op": "SCMP_CMP_GT" }),
            Comparison::Masked { mask, value } => {
                json!({ "index": index, "value": mask, "valueTwo": value, "op": "SCMP_CMP_MASKED_EQ" })
            }
        }
    }
}

fn names(table: &[(&'static str, &'static str)]) -> Vec<&'static str> {
    table.iter().flat_map(|(_, names)| names.split_whitespace()).collect()
}

/// Processes without namespaces of their own: a user namespace would give every capability inside of it, and with it the parts of the kernel that
/// only root reaches elsewhere. What clone3(2) is asked for lies in memory, where no filter sees it; libraries then use clone(2).
fn processes() -> Vec<Rule> {
    let all = NEW_NAMESPACES.iter().fold(0, |all, flag| all | flag);
    let mut rules = vec![allow(vec!["clone"], &[masked(0, all, 0)])];
    rules.extend(NEW_NAMESPACES.map(|flag| refuse(vec!["clone"], EPERM, &[masked(0, flag, flag)])));
    rules
}

/// Sockets of the families that apps have a use for. Each other one is a part of the kernel that nobody looked after for long; of netlink only
/// routing, which libraries ask for the addresses of the links.
fn sockets() -> Vec<Rule> {
    let used = [AF_UNIX, AF_INET, AF_INET6, AF_NETLINK];
    let socket = || vec!["socket"];
    let pair = || vec!["socketpair"];
    let mut rules: Vec<Rule> = [AF_UNIX, AF_INET, AF_INET6]
        .map(|family| allow(socket(), &[equal(0, family)]))
        .into_iter()
        .chain([
            allow(socket(), &[equal(0, AF_NETLINK), equal(2, 0)]),
            refuse(socket(), EPROTONOSUPPORT, &[equal(0, AF_NETLINK), above(2, 0)]),
            refuse(socket(), EAFNOSUPPORT, &[above(0, AF_NETLINK)]),
            allow(pair(), &[equal(0, AF_UNIX)]),
            refuse(pair(), EAFNOSUPPORT, &[above(0, AF_UNIX)]),
        ])
        .collect();
    let unused = (0..AF_NETLINK).filter(|family| !used.contains(family));
    rules.extend(unused.map(|family| refuse(socket(), EAFNOSUPPORT, &[equal(0, family)])));
    rules
}

fn allow(names: Vec<&'static str>, conditions: &[Condition]) -> Rule {
    Rule { names, refused: None, conditions: conditions.to_vec() }
}

fn refuse(names: Vec<&'static str>, errno: i32, conditions: &[Condition]) -> Rule {
    Rule { names, refused: Some(errno), conditions: conditions.to_vec() }
}

fn equal(argument: u32, value: u64) -> Condition {
    Condition { argument, comparison: Comparison::Equal(value) }
}

fn above(argument: u32, value: u64) -> Condition {
    Condition { argument, comparison: Comparison::Above(value) }
}

fn masked(argument: u32, mask: u64, value: u64) -> Condition {
    Condition { argument, comparison: Comparison::Masked { mask, value } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use libcontainer::oci_spec::runtime::LinuxSeccomp;
    use std::collections::BTreeSet;

    #[test]
    fn no_call_stands_twice_and_none_on_both_lists() {
        let mut seen = BTreeSet::new();
        for name in names(ALLOWED).into_iter().chain(names(REFUSED)) {
            assert!(seen.insert(name), "{name} twice");
        }
        for name in ["clone", "clone3", "socket", "socketpair", "personality"] {
            assert!(!seen.contains(name), "{name} has rules of its own");
        }
    }

    #[test]
    fn ways_out_are_refused() {
        for name in
            ["mount", "bpf", "keyctl", "ptrace", "unshare", "setns", "io_uring_setup", "open_by_handle_at"]
        {
            assert!(names(REFUSED).contains(&name), "{name}");
        }
    }

    #[test]
    fn its_text_is_what_runtimes_read() {
        let read: LinuxSeccomp = serde_json::from_value(specification()).unwrap();
        assert_eq!(read.default_errno_ret(), u32::try_from(UNKNOWN).ok());
        let read = read.syscalls().as_ref().unwrap();
        assert_eq!(read.len(), rules().len());
        let clone = read.iter().find(|rule| rule.names()[0] == "clone").unwrap();
        let argument = clone.args().as_ref().unwrap()[0];
        // runtime-spec, config-linux.md: the mask, then what the bits must be.
        assert_eq!((argument.value(), argument.value_two()), (0x7e02_0080, Some(0)));
    }

    #[test]
    fn every_family_of_sockets_has_an_answer() {
        let has = |condition: Condition| {
            rules().iter().any(|rule| rule.names == ["socket"] && rule.conditions.first() == Some(&condition))
        };
        assert!((0..=AF_NETLINK).all(|family| has(equal(0, family))));
        assert!(has(above(0, AF_NETLINK)));
    }

    #[test]
    fn no_rule_compares_an_argument_twice() {
        // libseccomp refuses that (seccomp_rule_add(3)).
        for rule in rules() {
            let arguments: BTreeSet<u32> = rule.conditions.iter().map(|one| one.argument).collect();
            assert_eq!(arguments.len(), rule.conditions.len(), "{rule:?}");
        }
    }
}
