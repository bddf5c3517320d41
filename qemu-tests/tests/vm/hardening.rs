//! What the running box is made of, and what each process may do, as the kernel tells.

use crate::household::expect_page;
use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use hearth_agent::protocol::Entry;
use hearth_agent::protocol::Kind;
use hearth_agent::protocol::Process;
use model::paths::HOSTD_UID;
use model::paths::NETD_UID;
use qemu_tests::Artifacts;
use qemu_tests::VmBuilder;
use qemu_tests::builder::Inside;
use qemu_tests::cpio;
use qemu_tests::esp::Esp;
use qemu_tests::esp::SLOTS;
use qemu_tests::scenario::scenario;
use qemu_tests::uki::Uki;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// First bytes of a program or library (ELF) and of a script.
const ELF: &str = "7f454c46";
const SCRIPT: &str = "2321";

/// The only programs there are, beside those for Wi-Fi.
const PROGRAMS: [&str; 13] = [
    "/usr/lib/hearth/app-init",
    "/usr/lib/hearth/containerd-lite",
    "/usr/lib/hearth/containerd-lite-run",
    "/usr/lib/hearth/containerd-lite-unpack",
    "/usr/lib/hearth/hostd",
    "/usr/lib/hearth/init",
    "/usr/lib/hearth/installer",
    "/usr/lib/hearth/netd",
    "/usr/lib/hearth/storaged",
    "/usr/sbin/cryptsetup",
    "/usr/sbin/e2fsck",
    "/usr/sbin/mke2fs",
    "/usr/sbin/resize2fs",
];

/// In images with parts for Wi-Fi.
const WIRELESS: [&str; 2] = ["/usr/bin/dbus-daemon", "/usr/libexec/iwd"];

/// CAP_NET_BIND_SERVICE, CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_TIME (capabilities(7)).
const NETWORK_CAPABILITIES: u64 = 1 << 10 | 1 << 12 | 1 << 13 | 1 << 25;

/// CAP_CHOWN, CAP_SYS_RAWIO, CAP_SYS_ADMIN, CAP_MKNOD.
const DEVICE_CAPABILITIES: u64 = 1 | 1 << 17 | 1 << 21 | 1 << 27;

/// CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_KILL, CAP_SETGID, CAP_SETUID, CAP_SETPCAP, CAP_NET_ADMIN, CAP_SYS_CHROOT,
/// CAP_SYS_PTRACE, CAP_SYS_ADMIN.
const CONTAINER_CAPABILITIES: u64 =
    1 | 1 << 1 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 12 | 1 << 18 | 1 << 19 | 1 << 21;

#[test]
fn the_running_box_is_closed() {
    scenario("hardening", |folder| {
        let artifacts = Artifacts::load()?;
        let vm = VmBuilder::new(folder, &artifacts).inside(Inside::Agent).start()?;
        expect_page(&vm.wait_web()?)?;
        let mut agent = vm.agent()?;
        let mut programs = PROGRAMS.to_vec();
        for program in WIRELESS {
            if artifacts.ships(program)? {
                programs.push(program);
            }
        }
        check_files(&agent.walk("/")?, &programs)?;
        check_mounts(&agent.read("/proc/1/mountinfo")?)?;
        check_processes(&agent.processes()?)
    });
}

fn check_files(entries: &[Entry], programs: &[&str]) -> Result<()> {
    ensure!(entries.len() > 50, "only {} files in the root", entries.len());
    let programs: BTreeSet<&Path> = programs.iter().map(Path::new).collect();
    for entry in entries.iter().filter(|entry| entry.kind != Kind::Link) {
        let path = entry.path.display();
        ensure!(entry.mode & 0o6000 == 0 || entry.kind == Kind::Folder, "{path} is setuid or setgid");
        ensure!(entry.mode & 0o002 == 0 || is_mount_point(&entry.path), "{path} may be written by everyone");
        ensure!(!entry.head.starts_with(SCRIPT), "{path} is a script");
        if entry.kind == Kind::File && entry.mode & 0o111 != 0 {
            let is_library = entry.head == ELF && is_library(&entry.path);
            ensure!(programs.contains(entry.path.as_path()) || is_library, "{path} is one program too many");
        }
    }
    for program in programs {
        ensure!(
            entries.iter().any(|entry| entry.path == program && entry.head == ELF),
            "{program:?} is missing"
        );
    }
    Ok(())
}

/// What other file systems are mounted on: seen with the modes of those.
fn is_mount_point(path: &Path) -> bool {
    ["/proc", "/sys", "/dev", "/run", "/tmp", "/data", "/boot"].iter().any(|point| path == Path::new(point))
}

fn is_library(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".so") || name.contains(".so.")
}

fn check_mounts(mountinfo: &str) -> Result<()> {
    let mut points = BTreeSet::new();
    for line in mountinfo.lines() {
        let mount = Mount::parse(line).with_context(|| format!("no mount: {line}"))?;
        points.insert(mount.point);
        if mount.has("ro") {
            continue;
        }
        ensure!(mount.has("nosuid") && mount.has("noexec"), "writable without nosuid, noexec: {line}");
        // Devices belong in /dev and nowhere else.
        ensure!(
            mount.has("nodev") || mount.kind == "devtmpfs" || mount.kind == "devpts",
            "writable without nodev: {line}"
        );
    }
    for point in ["/", "/proc", "/sys", "/dev", "/run", "/data"] {
        ensure!(points.contains(point), "nothing is mounted on {point}:\n{mountinfo}");
    }
    ensure!(
        mountinfo.lines().filter_map(Mount::parse).any(|mount| mount.point == "/" && mount.kind == "erofs"),
        "no erofs"
    );
    Ok(())
}

/// A line of mountinfo (proc(5)).
struct Mount<'a> {
    point: &'a str,
    options: &'a str,
    kind: &'a str,
}

impl<'a> Mount<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.split(' ');
        let point = fields.nth(4)?;
        let options = fields.next()?;
        let kind = line.split_once(" - ")?.1.split(' ').next()?;
        Some(Self { point, options, kind })
    }

    fn has(&self, option: &str) -> bool {
        self.options.split(',').any(|found| found == option)
    }
}

fn check_processes(processes: &[Process]) -> Result<()> {
    // This machine has no radio.
    for wireless in WIRELESS {
        let is_there = processes.iter().any(|one| one.program.as_deref() == Some(Path::new(wireless)));
        ensure!(!is_there, "{wireless} runs without a radio");
    }
    for process in processes {
        let Some(program) = &process.program else { continue };
        let place = program.display().to_string();
        let is_ours =
            PROGRAMS.contains(&place.as_str()) || place == model::paths::AGENT || place.ends_with("/agent");
        ensure!(is_ours, "an unexpected program runs: {process:?}");
    }
    check_daemon(processes, "hostd", HOSTD_UID, 0)?;
    check_daemon(processes, "storaged", 0, DEVICE_CAPABILITIES)?;
    check_daemon(processes, "containerd-lite", 0, CONTAINER_CAPABILITIES)?;
    check_daemon(processes, "netd", NETD_UID, NETWORK_CAPABILITIES)
}

fn check_daemon(processes: &[Process], name: &str, user: u32, allowed: u64) -> Result<()> {
    let mut running = processes
        .iter()
        .filter(|process| process.program.as_deref().is_some_and(|program| program.ends_with(name)));
    let daemon = running.next().with_context(|| format!("{name} does not run"))?;
    ensure!(running.next().is_none(), "more than one {name}");
    ensure!(daemon.uids == [user; 4] && daemon.gids == [user; 4], "wrong user: {daemon:?}");
    ensure!(daemon.capabilities.len() == 5, "not all capability sets: {daemon:?}");
    ensure!(daemon.capabilities.iter().all(|set| set & !allowed == 0), "too many capabilities: {daemon:?}");
    ensure!(daemon.no_new_privs, "no_new_privs is not set: {daemon:?}");
    ensure!(daemon.seccomp == 2, "no seccomp filter: {daemon:?}");
    Ok(())
}

#[test]
fn the_shipped_slot_holds_no_agent() {
    scenario("hardening-shipped", |_folder| {
        let artifacts = Artifacts::load()?;
        let uki = Uki::parse(fs::read(&artifacts.slot)?)?;
        let files = cpio::read(uki.section(".initrd")?)?;
        let mut seen = BTreeSet::new();
        for file in &files {
            let top = file.name.trim_start_matches("./").split('/').next().unwrap_or_default();
            ensure!(
                ["", ".", "init", "modules", "root.erofs", "dev"].contains(&top),
                "{} is in the initrd",
                file.name
            );
            seen.insert(top);
        }
        ensure!(seen.contains("init") && seen.contains("root.erofs"), "not an initrd of ours: {seen:?}");

        let esp = Esp::open(&artifacts.image)?;
        let slots = esp.names(SLOTS)?;
        let [slot] = slots.as_slice() else { anyhow::bail!("not one slot but {slots:?}") };
        ensure!(esp.read(&format!("{SLOTS}/{slot}"))? == uki.bytes(), "{slot} on the disk is another file");
        Ok(())
    });
}

#[test]
fn the_judges_of_this_file_find_what_is_wrong() {
    let entry = |path: &str, mode, head: &str| Entry {
        path: path.into(),
        kind: Kind::File,
        mode,
        uid: 0,
        gid: 0,
        size: 1,
        head: head.to_owned(),
        target: None,
    };
    let mut good: Vec<Entry> = PROGRAMS.iter().map(|program| entry(program, 0o755, ELF)).collect();
    good.extend((0..60).map(|number| entry(&format!("/usr/lib/lib{number}.so.1"), 0o755, ELF)));
    check_files(&good, &PROGRAMS).unwrap();
    for bad in [
        entry("/usr/sbin/mke2fs", 0o4755, ELF),
        entry("/usr/share/a", 0o644, "23212f62"),
        entry("/bin/sh", 0o755, ELF),
        entry("/usr/lib/liba.so", 0o755, "7f000000"),
        entry("/etc/passwd", 0o646, "726f6f74"),
    ] {
        let with_bad: Vec<Entry> = good.iter().cloned().chain([bad]).collect();
        check_files(&with_bad, &PROGRAMS).unwrap_err();
    }
    check_files(&good[1..], &PROGRAMS).unwrap_err();

    let line =
        |point: &str, options: &str, kind: &str| format!("1 2 0:3 / {point} {options} - {kind} none rw\n");
    let mut mounts = line("/", "ro,nosuid,nodev", "erofs") + &line("/dev", "rw,nosuid,noexec", "devtmpfs");
    mounts += &["/proc", "/sys", "/run", "/data"]
        .map(|point| line(point, "rw,nosuid,nodev,noexec", "tmpfs"))
        .concat();
    check_mounts(&mounts).unwrap();
    for bad in ["rw,nosuid,nodev", "rw,nosuid,noexec", "rw,nodev,noexec"] {
        check_mounts(&(mounts.clone() + &line("/tmp", bad, "tmpfs"))).unwrap_err();
    }

    let daemon = Process {
        program: Some("/usr/lib/hearth/hostd".into()),
        uids: vec![HOSTD_UID; 4],
        gids: vec![HOSTD_UID; 4],
        capabilities: vec![0; 5],
        no_new_privs: true,
        seccomp: 2,
        ..Process::default()
    };
    let check = |daemon: Process| check_daemon(&[daemon], "hostd", HOSTD_UID, 0);
    check(daemon.clone()).unwrap();
    check(Process { uids: vec![0; 4], ..daemon.clone() }).unwrap_err();
    check(Process { capabilities: vec![0, 0, 0, 1, 0], ..daemon.clone() }).unwrap_err();
    check(Process { capabilities: Vec::new(), ..daemon.clone() }).unwrap_err();
    check(Process { no_new_privs: false, ..daemon.clone() }).unwrap_err();
    check(Process { seccomp: 0, ..daemon }).unwrap_err();
}
