//! The OCI specification of a container (runtime-spec 1.2, `config.json`): what libcontainer is told.
//!
//! Everything that does not depend on the container is the same for all: namespaces, masked paths, capabilities. System calls are not in it:
//! `helper::executor` applies their list. The root, volumes and
//! `/.hearth/init` lie mounted in the stage, with their owners mapped, before this is read. There is no network namespace in it: whoever
//! reads it is in the app's already.

use super::user::User;
use crate::runtime::Start;
use model::containers::StopSignal;
use serde_json::Value;
use serde_json::json;
use std::path::Path;
use std::path::PathBuf;

/// Where the container's first process lies inside of it.
pub(crate) const INIT: &str = "/.hearth/init";
/// Ids of an app.
pub(crate) const IDS: u32 = 65_536;
/// What root of a container may do, to files and processes of its app only: it has these in its own user namespace.
pub(crate) const ROOT_CAPABILITIES: [&str; 6] =
    ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_KILL", "CAP_SETGID", "CAP_SETUID"];
/// When the box as a whole is out of memory, an app goes before a service.
pub(crate) const OOM_SCORE: i32 = 300;
/// Bytes of `/dev`, in which there are only nodes and links.
const DEV_BYTES: u64 = 64 << 10;
/// Bytes of `/dev/shm` when the app asks for none; they count as its memory.
const SHM_BYTES: u64 = 64 << 20;

/// Paths that say more of the box than an app needs.
const MASKED: [&str; 16] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/config.gz",
    "/proc/dynamic_debug",
    "/proc/interrupts",
    "/proc/iomem",
    "/proc/ioports",
    "/proc/kallsyms",
    "/proc/kcore",
    "/proc/keys",
    "/proc/key-users",
    "/proc/latency_stats",
    "/proc/modules",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/sched_debug",
];
/// Paths by which one changes the box.
const READ_ONLY: [&str; 6] =
    ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", "/sys"];

/// What lies ready for a container.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready<'a> {
    /// Its control group, as `linux.cgroupsPath`.
    pub(crate) cgroup: &'a str,
    /// Its root.
    pub(crate) root: &'a Path,
    /// The program of its first process.
    pub(crate) init: &'a Path,
    /// Its volumes, in the order of the start's.
    pub(crate) volumes: &'a [PathBuf],
}

/// The specification.
pub(crate) fn spec(start: &Start, user: &User, ready: &Ready<'_>) -> Value {
    let capabilities: &[&str] = if user.uid == 0 { &ROOT_CAPABILITIES } else { &[] };
    let ids = json!([{ "containerID": 0, "hostID": start.first_id, "size": IDS }]);
    let namespaces: Vec<Value> =
        ["user", "mount", "pid", "ipc", "uts", "cgroup"].map(|kind| json!({ "type": kind })).into();
    json!({
        "ociVersion": "1.2.0",
        "hostname": start.host_name,
        "root": { "path": ready.root, "readonly": start.scratch_bytes.is_none() },
        "process": {
            "terminal": false,
            "user": { "uid": user.uid, "gid": user.gid, "additionalGids": user.groups },
            "args": words(start),
            "env": environment(start, user),
            "cwd": start.working_folder,
            "capabilities": {
                "bounding": capabilities,
                "effective": capabilities,
                "permitted": capabilities,
                "inheritable": [],
                "ambient": [],
            },
            "noNewPrivileges": true,
            "oomScoreAdj": OOM_SCORE,
        },
        "mounts": mounts(start, ready),
        "linux": {
            "namespaces": namespaces,
            "uidMappings": ids,
            "gidMappings": ids,
            "cgroupsPath": ready.cgroup,
            "rootfsPropagation": "private",
            "maskedPaths": MASKED,
            "readonlyPaths": READ_ONLY,
        },
    })
}

/// Our first process, what it must know, and the app's words.
fn words(start: &Start) -> Vec<String> {
    let grace = start.stop_grace.as_millis().to_string();
    let ours = [INIT.to_owned(), number(start.stop_signal).to_string(), grace];
    ours.into_iter().chain(start.words.iter().cloned()).collect()
}

/// The start's variables; a home when there is none, as every login has one.
pub(crate) fn environment(start: &Start, user: &User) -> Vec<String> {
    let mut all = start.environment.clone();
    if !all.iter().any(|variable| variable.starts_with("HOME=")) {
        all.push(format!("HOME={}", user.home));
    }
    all
}

fn mounts(start: &Start, ready: &Ready<'_>) -> Vec<Value> {
    let mut mounts = vec![
        mount("/proc", "proc", "proc", &["nosuid", "nodev", "noexec"]),
        tmpfs("/dev", DEV_BYTES, "mode=755", &["nosuid", "noexec"]),
        mount("/dev/mqueue", "mqueue", "mqueue", &["nosuid", "nodev", "noexec"]),
        // Of the box's devices and drivers an app sees nothing; a sysfs could not be mounted anyway, as it shows the network, which is not the
        // container's own.
        tmpfs("/sys", 4096, "mode=755", &["nosuid", "nodev", "noexec"]),
        mount("/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "nodev", "noexec", "ro"]),
    ];
    if !start.temporary.iter().any(|folder| folder.target == "/dev/shm") {
        mounts.push(tmpfs("/dev/shm", SHM_BYTES, "mode=1777", &["nosuid", "nodev", "noexec"]));
    }
    mounts.push(mount(INIT, "bind", &ready.init.to_string_lossy(), &["bind", "nosuid", "nodev", "ro"]));
    let mut folders: Vec<(&str, Value)> = Vec::new();
    for folder in &start.temporary {
        let folder_mount = tmpfs(&folder.target, folder.size_bytes, "mode=1777", &["nosuid", "nodev"]);
        folders.push((&folder.target, folder_mount));
    }
    for (volume, source) in start.volumes.iter().zip(ready.volumes) {
        let access = if volume.read_only { "ro" } else { "rw" };
        let source = source.to_string_lossy();
        let options = ["bind", "nosuid", "nodev", access];
        folders.push((&volume.target, mount(&volume.target, "bind", &source, &options)));
    }
    // What lies in another one comes after it.
    folders.sort_by_key(|(target, _)| target.matches('/').count());
    mounts.extend(folders.into_iter().map(|(_, folder)| folder));
    mounts
}

fn tmpfs(target: &str, bytes: u64, mode: &str, options: &[&str]) -> Value {
    let size = format!("size={bytes}");
    let all: Vec<&str> = options.iter().copied().chain([mode, size.as_str()]).collect();
    mount(target, "tmpfs", "tmpfs", &all)
}

fn mount(target: &str, kind: &str, source: &str, options: &[&str]) -> Value {
    json!({ "destination": target, "type": kind, "source": source, "options": options })
}

/// The number of a signal, the same on all processors that Hearth runs on.
pub(crate) fn number(signal: StopSignal) -> u8 {
    match signal {
        StopSignal::Hup => 1,
        StopSignal::Int => 2,
        StopSignal::Quit => 3,
        StopSignal::Kill => 9,
        StopSignal::Usr1 => 10,
        StopSignal::Usr2 => 12,
        StopSignal::Term => 15,
        StopSignal::Winch => 28,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::runtime::APP_IDS;
    use crate::runtime::Volume;
    use libcontainer::oci_spec::runtime::Spec;
    use model::containers::ContainerLimits;
    use model::containers::TemporaryFolder;
    use std::time::Duration;

    /// A start with something of everything.
    pub(crate) fn start() -> Start {
        Start {
            layers: vec!["/data/images/layers/a".into()],
            words: vec!["web".to_owned(), "-v".to_owned()],
            environment: vec!["PATH=/bin".to_owned()],
            user: "1000".to_owned(),
            working_folder: "/".to_owned(),
            volumes: vec![
                Volume {
                    source: "/data/apps/a/volumes/x".into(),
                    target: "/data/x".to_owned(),
                    read_only: true,
                },
                Volume {
                    source: "/data/apps/a/volumes/d".into(),
                    target: "/data".to_owned(),
                    read_only: false,
                },
            ],
            temporary: vec![TemporaryFolder { target: "/tmp".to_owned(), size_bytes: 1 << 20 }],
            scratch_bytes: None,
            limits: ContainerLimits { memory_bytes: 64 << 20, cpu_millis: None, tasks: 32 },
            stop_signal: StopSignal::Quit,
            stop_grace: Duration::from_secs(3),
            first_id: APP_IDS + 65_536,
            host_name: "app".to_owned(),
            resolv_conf: String::new(),
            hosts: String::new(),
        }
    }

    fn user(uid: u32) -> User {
        User { uid, gid: uid, groups: vec![4], home: "/home".to_owned() }
    }

    fn of(start: &Start, uid: u32) -> Value {
        let volumes = ["/stage/volumes/0", "/stage/volumes/1"].map(PathBuf::from);
        let (root, init) = (Path::new("/stage/root"), Path::new("/usr/lib/hearth/app-init"));
        spec(start, &user(uid), &Ready { cgroup: "/apps/a/b", root, init, volumes: &volumes })
    }

    #[test]
    fn libcontainer_reads_all_of_it() {
        let written = of(&start(), 1000);
        let read: Spec = serde_json::from_value(written.clone()).unwrap();
        let again = serde_json::to_value(&read).unwrap();
        for part in ["root", "mounts", "hostname"] {
            assert_eq!(again[part], written[part], "{part}");
        }
        for part in
            ["namespaces", "uidMappings", "gidMappings", "cgroupsPath", "maskedPaths", "readonlyPaths"]
        {
            assert_eq!(again["linux"][part], written["linux"][part], "{part}");
        }
        for part in ["args", "env", "user", "noNewPrivileges", "oomScoreAdj"] {
            assert_eq!(again["process"][part], written["process"][part], "{part}");
        }
    }

    #[test]
    fn a_user_has_no_capability_and_root_the_six() {
        for set in ["bounding", "effective", "permitted"] {
            assert_eq!(of(&start(), 1000)["process"]["capabilities"][set], json!([]));
            assert_eq!(of(&start(), 0)["process"]["capabilities"][set].as_array().unwrap().len(), 6);
        }
        for set in ["inheritable", "ambient"] {
            assert_eq!(of(&start(), 0)["process"]["capabilities"][set], json!([]));
        }
    }

    #[test]
    fn the_root_is_read_only_unless_there_is_a_layer_to_throw_away() {
        assert_eq!(of(&start(), 0)["root"]["readonly"], true);
        assert_eq!(of(&Start { scratch_bytes: Some(1), ..start() }, 0)["root"]["readonly"], false);
    }

    #[test]
    fn a_folder_in_a_folder_is_mounted_after_it() {
        let spec = of(&start(), 0);
        let targets: Vec<&str> =
            spec["mounts"].as_array().unwrap().iter().map(|m| m["destination"].as_str().unwrap()).collect();
        let place = |target: &str| targets.iter().position(|found| *found == target).unwrap();
        assert!(place("/data") < place("/data/x"));
        let mount = &spec["mounts"][place("/data/x")];
        assert_eq!(mount["source"], "/stage/volumes/0");
        assert_eq!(mount["options"], json!(["bind", "nosuid", "nodev", "ro"]));
    }

    #[test]
    fn no_mount_allows_devices_but_the_folder_of_devices() {
        let spec = of(&start(), 0);
        for mount in spec["mounts"].as_array().unwrap() {
            let options = mount["options"].as_array().unwrap();
            assert!(options.contains(&json!("nosuid")), "{mount}");
            assert!(mount["destination"] == "/dev" || options.contains(&json!("nodev")), "{mount}");
        }
    }

    #[test]
    fn the_first_process_is_ours_and_knows_how_to_stop_the_app() {
        assert_eq!(of(&start(), 0)["process"]["args"], json!([INIT, "3", "3000", "web", "-v"]));
        assert_eq!(of(&start(), 0)["process"]["env"], json!(["PATH=/bin", "HOME=/home"]));
        let own = Start { environment: vec!["HOME=/x".to_owned()], ..start() };
        assert_eq!(of(&own, 0)["process"]["env"], json!(["HOME=/x"]));
    }

    #[test]
    fn shared_memory_is_the_apps_own_when_it_asks() {
        let wanted = TemporaryFolder { target: "/dev/shm".to_owned(), size_bytes: 4096 };
        let spec = of(&Start { temporary: vec![wanted], ..start() }, 0);
        let found: Vec<&Value> =
            spec["mounts"].as_array().unwrap().iter().filter(|m| m["destination"] == "/dev/shm").collect();
        assert_eq!(found.len(), 1);
        assert!(found[0]["options"].as_array().unwrap().contains(&json!("size=4096")));
    }
}
