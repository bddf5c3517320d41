//! What a program in a container sees, and which system calls it is refused.

use super::given;
use super::world::FIRST_ID;
use super::world::Heard;
use super::world::World;
use super::world::start;
use super::world::with;
use anyhow::Result;
use anyhow::ensure;
use qemu_tests::scenario::scenario;
use serde_json::json;

/// CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_KILL, CAP_SETGID, CAP_SETUID (capabilities(7)).
const OF_ROOT: &str = "00000000000000eb";
const NONE: &str = "0000000000000000";
/// Signals 32 and 33 are the C library's own: its `posix_spawn(3)` leaves them ignored, and who uses them sets them first.
pub(super) const OF_LIBRARY: &str = "0000000180000000";

/// Calls that are refused, whoever makes them.
const REFUSED: [&str; 28] = [
    "mount",
    "umount",
    "fsopen",
    "open_tree",
    "pivot_root",
    "chroot",
    "unshare_user",
    "setns",
    "clone_user",
    "clone_net",
    "bpf",
    "keyctl",
    "add_key",
    "ptrace",
    "process_vm_readv",
    "pidfd_getfd",
    "io_uring_setup",
    "userfaultfd",
    "perf_event_open",
    "open_by_handle_at",
    "init_module",
    "kexec_load",
    "reboot",
    "sethostname",
    "settimeofday",
    "syslog",
    "swapon",
    "socket_raw",
];

#[test]
fn a_container_has_what_it_needs_and_nothing_of_the_box() {
    scenario("containers-probe", |folder| {
        let mut world = World::boot(folder)?;
        let has_kcore = world.agent.has("/proc/kcore");
        let as_user = world.run(&start(&["facts"], "web"))?;
        check_facts(&as_user, has_kcore, "33", "34", NONE)?;
        ensure!(as_user.facts().get("Groups") == Some(&"40"), "{as_user:?}");
        given::check(&mut world)?;
        ensure!(as_user.facts().get("home") == Some(&"/home/web"), "{as_user:?}");
        expect(&as_user, "write_root", "EROFS")?;
        // Its volumes belong to root of the image.
        expect(&as_user, "write_volume", "EACCES")?;

        let as_root = world.run(&start(&["facts"], ""))?;
        check_facts(&as_root, has_kcore, "0", "0", OF_ROOT)?;
        ensure!(as_root.facts().get("Groups") == Some(&""), "{as_root:?}");
        expect(&as_root, "write_root", "EROFS")?;
        expect(&as_root, "write_volume", "done")?;
        let of_volume = world.agent.walk("/data/container-tests/volume")?;
        let new = of_volume.iter().find(|entry| entry.path.ends_with("new"));
        ensure!(new.is_some_and(|entry| entry.uid == super::world::IMAGE_IDS), "{of_volume:?}");

        let with_layer = world.run(&with(start(&["facts"], ""), "scratch_bytes", json!(1 << 20)))?;
        expect(&with_layer, "write_root", "done")?;
        let again = world.run(&with(start(&["facts"], ""), "scratch_bytes", json!(1 << 20)))?;
        ensure!(
            !again.facts().get("root").is_some_and(|root| root.contains("new")),
            "the layer stayed: {again:?}"
        );

        for user in ["", "web"] {
            let calls = world.run(&start(&["calls"], user))?;
            for call in REFUSED {
                expect(&calls, call, "EPERM")?;
            }
            for call in ["clone3", "unknown", "personality_no_random"] {
                expect(&calls, call, "ENOSYS")?;
            }
            for call in ["socket_packet", "socket_alg", "socket_vsock", "socket_ax25", "socketpair_inet"] {
                expect(&calls, call, "EAFNOSUPPORT")?;
            }
            expect(&calls, "socket_audit", "EPROTONOSUPPORT")?;
            for call in ["socket_route", "socket_ping", "personality_query"] {
                expect(&calls, call, "done")?;
            }
        }
        Ok(())
    });
}

fn check_facts(heard: &Heard, has_kcore: bool, uid: &str, gid: &str, capabilities: &str) -> Result<()> {
    ensure!(heard.end == json!({ "code": 0 }), "{heard:?}");
    let facts = heard.facts();
    let is = |name: &str, wanted: &str| {
        let found = facts.get(name).copied().unwrap_or("nothing");
        ensure!(found == wanted, "{name} is {found} and not {wanted}: {heard:?}");
        Ok(())
    };
    for (name, id) in [("Uid", uid), ("Gid", gid)] {
        is(name, &[id; 4].join(" "))?;
    }
    for (name, wanted) in [
        ("CapPrm", capabilities),
        ("CapEff", capabilities),
        ("CapBnd", capabilities),
        ("CapInh", NONE),
        ("CapAmb", NONE),
        ("NoNewPrivs", "1"),
        ("SigBlk", NONE),
        ("SigIgn", OF_LIBRARY),
        ("Seccomp", "2"),
        ("host", "probe-host"),
        ("write_tmp", "done"),
        ("write_volume_ro", "EROFS"),
        ("port_80", "done"),
        ("tmp_bytes", "1048576"),
        ("sys", "fs"),
    ] {
        is(name, wanted)?;
    }
    let words = |name: &str| -> Vec<&str> {
        facts.get(name).map_or(vec![], |text| text.split_whitespace().collect())
    };
    ensure!(words("uid_map") == ["0", &FIRST_ID.to_string(), "65536"], "{heard:?}");
    let pids: Vec<&str> = words("pids").into_iter().filter(|name| name.parse::<u32>().is_ok()).collect();
    ensure!(pids.len() == 2, "other processes than its own and the first: {pids:?}");
    let mut devices = words("dev");
    devices.sort_unstable();
    // Devices, links to the process's own files, and two links (`kcore`, `ptmx`) to what is not there: the first where the kernel has it.
    let mut wanted = vec![
        "fd", "full", "kcore", "mqueue", "null", "ptmx", "random", "shm", "stderr", "stdin", "stdout", "tty",
        "urandom", "zero",
    ];
    wanted.retain(|name| has_kcore || *name != "kcore");
    ensure!(devices == wanted, "{devices:?}");
    // Standard ones, and the folder that is being listed.
    ensure!(words("fds") == ["0", "1", "2", "3"], "{heard:?}");
    Ok(())
}

pub(super) fn expect(heard: &Heard, name: &str, wanted: &str) -> Result<()> {
    let facts = heard.facts();
    let found = facts.get(name).copied().unwrap_or("not tried");
    ensure!(found == wanted, "{name}: {found}, and not {wanted}: {heard:?}");
    Ok(())
}
