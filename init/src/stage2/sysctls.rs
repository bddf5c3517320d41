//! Kernel settings that differ from the kernel's defaults, each with its reason.
//!
//! Per-link IPv6 settings (`accept_ra` and others) are netd's: it decides what a link is for.

use std::fs;
use std::io;
use std::path::Path;

use crate::console;
use crate::console::Level;

/// Path below `/proc/sys`, value, reason.
const SYSCTLS: &[(&str, &str, &str)] = &[
    ("kernel/printk_devkmsg", "on", "init's own messages must not be dropped by the rate limit"),
    (
        "kernel/modprobe",
        "",
        "a program cannot make the kernel load modules by opening odd sockets; init loads by table",
    ),
    ("kernel/kptr_restrict", "2", "no kernel addresses, not even for root"),
    ("kernel/dmesg_restrict", "1", "the kernel log tells addresses and devices; only init reads it"),
    (
        "kernel/unprivileged_bpf_disabled",
        "1",
        "no programs in the kernel from services; cannot be undone until reboot",
    ),
    ("kernel/perf_event_paranoid", "3", "performance counters are a side channel and a large interface"),
    (
        "kernel/yama/ptrace_scope",
        "2",
        "nobody looks into another process without CAP_SYS_PTRACE, which no service has",
    ),
    ("kernel/kexec_load_disabled", "1", "the only way to another kernel is the checked boot"),
    ("kernel/sysrq", "0", "a keyboard on the box gives no power over it"),
    ("kernel/core_pattern", "", "a core file of hostd would hold keys"),
    (
        "fs/file-max",
        "9223372036854775807",
        "open files count as memory of who opens them; one bound for all would hit services when an app is at it",
    ),
    ("fs/suid_dumpable", "0", "nor of a process that changed its user"),
    (
        "kernel/panic",
        "10",
        "a box without a screen reboots after a panic, so that the slot's counter can fall back",
    ),
    ("kernel/panic_on_oops", "1", "a kernel that lost a thread may hold locks for ever; a reboot is defined"),
    ("fs/protected_symlinks", "1", "no following of planted links in shared folders"),
    ("fs/protected_hardlinks", "1", "no links to files of others"),
    ("fs/protected_fifos", "2", "no writing into planted pipes in shared folders"),
    ("fs/protected_regular", "2", "no writing into planted files in shared folders"),
    ("dev/tty/ldisc_autoload", "0", "line disciplines are old code that nothing here needs"),
    ("vm/unprivileged_userfaultfd", "0", "it makes kernel races winnable"),
    ("net/core/bpf_jit_harden", "2", "constants in filters are blinded"),
    (
        "net/ipv4/conf/all/rp_filter",
        "2",
        "a source that no route leads back to is forged; loose, for boxes on two networks",
    ),
    ("net/ipv4/conf/default/rp_filter", "2", "the same for links that come later"),
    ("net/ipv4/conf/all/accept_redirects", "0", "a neighbour cannot redirect our traffic"),
    ("net/ipv4/conf/default/accept_redirects", "0", "the same for links that come later"),
    ("net/ipv4/conf/all/secure_redirects", "0", "nor can a gateway"),
    ("net/ipv4/conf/all/send_redirects", "0", "the box is no router for its neighbours"),
    ("net/ipv4/conf/default/send_redirects", "0", "the same for links that come later"),
    ("net/ipv4/conf/all/accept_source_route", "0", "the sender does not choose the route"),
    ("net/ipv6/conf/all/accept_redirects", "0", "a neighbour cannot redirect our traffic"),
    ("net/ipv6/conf/default/accept_redirects", "0", "the same for links that come later"),
    ("net/ipv4/tcp_rfc1337", "1", "a stray reset does not end a connection in TIME-WAIT"),
];

/// Sets all of them. A setting that this kernel does not have is noted, not an error.
pub fn set_all() {
    for (name, value, _reason) in SYSCTLS {
        match set(Path::new("/proc/sys"), name, value) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                console::note(Level::Warning, &format!("sysctl {name}: {error}"));
            }
            _ => {}
        }
    }
}

fn set(root: &Path, name: &str, value: &str) -> io::Result<()> {
    let path = root.join(name);
    // Writing nothing changes nothing: an empty value needs its line end.
    fs::OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|mut file| io::Write::write_all(&mut file, format!("{value}\n").as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_setting_is_there_once_and_has_a_reason() {
        let mut names = HashSet::new();
        for (name, _, reason) in SYSCTLS {
            assert!(names.insert(name), "{name} twice");
            assert!(!name.starts_with('/') && !name.contains('.'), "{name}");
            assert!(reason.len() > 10, "{name}");
        }
    }

    #[test]
    fn a_value_is_written_and_a_missing_setting_is_not_made() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("a"), "").unwrap();
        set(root.path(), "a", "1").unwrap();
        assert_eq!(fs::read_to_string(root.path().join("a")).unwrap(), "1\n");
        assert_eq!(set(root.path(), "b", "1").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(!root.path().join("b").exists());
    }
}
