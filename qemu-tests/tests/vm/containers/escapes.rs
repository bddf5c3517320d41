//! Known ways out of a container, each down to the step that must fail.

use super::probe::expect;
use super::world::World;
use super::world::start;
use super::world::with;
use anyhow::Result;
use anyhow::ensure;
use qemu_tests::scenario::scenario;
use serde_json::json;

/// The way, and how it fails for root of a container.
const WAYS: [(&str, &str); 30] = [
    ("core_pattern", "EACCES"),
    ("modprobe", "EACCES"),
    ("sysrq", "EACCES"),
    ("uevent_helper", "ENOENT"),
    ("release_agent", "ENOENT"),
    ("cgroup_procs", "EACCES"),
    ("cgroup_memory", "EACCES"),
    ("cgroup_pids", "EACCES"),
    ("cgroup_child", "EROFS"),
    ("init_program", "EROFS"),
    ("init_replace", "EBUSY"),
    ("init_exe", "ETXTBSY"),
    ("pid1_exe", "EACCES"),
    ("pid1_memory", "EACCES"),
    ("pid1_end_file", "EACCES"),
    ("pid1_root", "EACCES"),
    ("mknod_disk", "EPERM"),
    ("mknod_mem", "EPERM"),
    ("mknod_dev", "EPERM"),
    ("mknod_volume", "EPERM"),
    ("kcore", "empty"),
    ("kmsg", "ENOENT"),
    ("box_data", "ENOENT"),
    ("link_in_volume", "done"),
    ("through_link", "ENOENT"),
    ("planted_link", "ENOENT"),
    ("chown_beyond", "EINVAL"),
    ("setuid_beyond", "EINVAL"),
    ("kill_box", "ESRCH"),
    ("cwd_outside", "ENOENT"),
];

/// Ways by files that not every kernel has, and how they fail there.
const FILES: [(&str, &str, &str); 4] = [
    ("core_pattern", "/proc/sys/kernel/core_pattern", "ENOENT"),
    ("modprobe", "/proc/sys/kernel/modprobe", "ENOENT"),
    ("sysrq", "/proc/sysrq-trigger", "ENOENT"),
    // It reads what it did not open.
    ("kcore", "/proc/kcore", "EBADF"),
];

#[test]
fn no_known_way_leads_out_of_a_container() {
    scenario("containers-escapes", |folder| {
        let mut world = World::boot(folder)?;
        let absent: Vec<(&str, &str)> = FILES
            .into_iter()
            .filter(|(_, path, _)| !world.agent.has(path))
            .map(|(way, _, failure)| (way, failure))
            .collect();
        let wanted_of = |way: &str, wanted: &'static str| {
            absent.iter().find(|(name, _)| *name == way).map_or(wanted, |(_, failure)| failure)
        };
        let setting = |world: &mut World| world.agent.read("/proc/sys/kernel/core_pattern").ok();
        let before = setting(&mut world);
        let heard = world.run(&with(start(&["escapes"], ""), "scratch_bytes", json!(1 << 20)))?;
        let wrong: Vec<String> = WAYS
            .iter()
            .filter_map(|(way, wanted)| expect(&heard, way, wanted_of(way, wanted)).err())
            .map(|error| format!("{error:#}").split(": Heard").next().unwrap_or_default().to_owned())
            .collect();
        ensure!(wrong.is_empty(), "{wrong:#?}\n{heard:?}");
        ensure!(setting(&mut world) == before, "the box's setting was changed");

        // Where a volume is to be mounted, the image has a link that leads out: it is followed inside.
        let volume =
            json!([{ "source": "/data/container-tests/volume", "target": "/planted/x", "read_only": false }]);
        let planted = with(with(start(&["facts"], ""), "volumes", volume), "scratch_bytes", json!(1 << 20));
        drop(world.ask(
            &json!({ "run": { "id": super::world::id(super::world::APP), "start": planted, "seconds": 60 } }),
        )?);
        let in_the_box = world.agent.walk("/run/hearth")?;
        ensure!(!in_the_box.iter().any(|entry| entry.path.ends_with("x")), "it was made in the box");
        the_source_of_a_volume_is_followed_through_no_link(&mut world)
    });
}

/// A volume that its app replaced by a link, were it able to.
fn the_source_of_a_volume_is_followed_through_no_link(world: &mut World) -> Result<()> {
    world.tell(&json!({ "prepare": { "link": ["/data/state", "/data/container-tests/linked"] } }))?;
    let volume = json!([{ "source": "/data/container-tests/linked", "target": "/data", "read_only": false }]);
    let start = with(start(&["facts"], ""), "volumes", volume);
    let id = super::world::id(super::world::APP);
    let answer = world.ask(&json!({ "run": { "id": id, "start": start, "seconds": 60 } }))?;
    let error = answer["error"].as_str().unwrap_or_default();
    ensure!(error.contains("/data/container-tests/linked"), "{answer}");
    Ok(())
}
