//! What a container is given, as the kernel tells it: the cases of the OCI validation suite that apply (docs/spec/runtime-validation.md).

use super::probe::expect;
use super::world::APP;
use super::world::DATA;
use super::world::FIRST_ID;
use super::world::Heard;
use super::world::IMAGE_IDS;
use super::world::World;
use super::world::id;
use super::world::start;
use super::world::with;
use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use serde_json::json;
use std::collections::BTreeSet;

/// Most open files of a process; the daemon's own limit where that is lower.
const FILES: u64 = 65_536;
const NAMESPACES: [&str; 7] = ["user", "mnt", "pid", "ipc", "uts", "cgroup", "net"];

pub(super) fn check(world: &mut World) -> Result<()> {
    for step in [json!({ "make": format!("{DATA}/volume/x") }), json!({ "own": [DATA, IMAGE_IDS] })] {
        world.tell(&json!({ "prepare": step }))?;
    }
    let temporary = json!([
        { "target": "/data/x", "size_bytes": 1 << 20 },
        { "target": "/tmp", "size_bytes": 1 << 20 },
    ]);
    let order = with(with(start(&["given"], ""), "temporary", temporary), "working_folder", json!("/data"));
    let order = with(order, "environment", json!(["PATH=/", "ODD=a b=c"]));
    let heard = world.run(&order)?;
    ensure!(heard.end == json!({ "code": 0 }), "{heard:?}");
    inherited(&heard)?;
    for (name, wanted) in [
        ("cwd", "/data"),
        ("ODD", "a b=c"),
        ("memory.max", "33554432"),
        ("memory.swap.max", "0"),
        ("memory.oom.group", "1"),
        ("cpu.max", "80000 100000"),
        ("pids.max", "32"),
        ("sys_new", "EROFS"),
    ] {
        expect(&heard, name, wanted)?;
    }
    let facts = heard.facts();
    let map: Vec<&str> = facts.get("gid_map").map_or(vec![], |text| text.split_whitespace().collect());
    ensure!(map == ["0", &FIRST_ID.to_string(), "65536"], "{heard:?}");
    let unlimited = world.run(&with(
        order,
        "limits",
        json!({ "memory_bytes": 32 << 20, "cpu_millis": null, "tasks": 32 }),
    ))?;
    expect(&unlimited, "cpu.max", "max 100000")?;
    devices(&heard)?;
    mounts(&heard)?;
    paths(world, &heard)?;
    namespaces(world, &heard)?;
    one_inside(world)
}

/// What a process has from its first moment on.
fn inherited(heard: &Heard) -> Result<()> {
    for (name, wanted) in [("oom", "300"), ("umask", "022"), ("core", "0 0")] {
        expect(heard, name, wanted)?;
    }
    let facts = heard.facts();
    let files = facts.get("files").and_then(|text| text.split_once(' ')).context("no limit of files")?;
    let most: u64 = files.1.parse()?;
    ensure!(files.0 == files.1 && (1024..=FILES).contains(&most), "{files:?}");
    Ok(())
}

fn devices(heard: &Heard) -> Result<()> {
    for (name, number) in [
        ("null", "1:3"),
        ("zero", "1:5"),
        ("full", "1:7"),
        ("random", "1:8"),
        ("urandom", "1:9"),
        ("tty", "5:0"),
    ] {
        expect(heard, &format!("node:{name}"), &format!("c {number}"))?;
    }
    for (name, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("ptmx", "pts/ptmx"),
    ] {
        expect(heard, &format!("link:{name}"), target)?;
    }
    Ok(())
}

/// Each has its type and options, what lies in another one comes after it, and none is shared with the box.
fn mounts(heard: &Heard) -> Result<()> {
    let facts = heard.facts();
    let of = |point: &str| -> Result<(u32, &str, BTreeSet<&str>)> {
        let text =
            facts.get(format!("mount:{point}").as_str()).with_context(|| format!("no mount at {point}"))?;
        let words: Vec<&str> = text.split(' ').collect();
        let [number, kind, options, _] = words.as_slice() else { anyhow::bail!("{text}") };
        Ok((number.parse()?, *kind, options.split(',').collect()))
    };
    for (point, kind, options) in [
        ("/", "overlay", &["ro"][..]),
        ("/proc", "proc", &["nosuid", "nodev", "noexec"]),
        ("/dev", "tmpfs", &["nosuid", "noexec"]),
        ("/dev/shm", "tmpfs", &["nosuid", "nodev", "noexec"]),
        ("/dev/mqueue", "mqueue", &["nosuid", "nodev", "noexec"]),
        ("/sys", "tmpfs", &["nosuid", "nodev", "noexec", "ro"]),
        ("/sys/fs/cgroup", "cgroup2", &["nosuid", "nodev", "noexec", "ro"]),
        ("/tmp", "tmpfs", &["nosuid", "nodev", "rw"]),
        ("/data", "ext4", &["nosuid", "nodev", "rw"]),
        ("/data/x", "tmpfs", &["nosuid", "nodev", "rw"]),
        ("/fixed", "ext4", &["nosuid", "nodev", "ro"]),
    ] {
        let (_, found, has) = of(point)?;
        ensure!(
            found == kind && options.iter().all(|option| has.contains(option)),
            "{point}: {found} {has:?}"
        );
    }
    ensure!(of("/data")?.0 < of("/data/x")?.0, "{heard:?}");
    let shared: Vec<_> =
        facts.iter().filter(|(name, text)| name.starts_with("mount:") && !text.ends_with(" -")).collect();
    ensure!(shared.is_empty(), "{shared:?}");
    Ok(())
}

/// Nothing can be read from what is masked, as far as the kernel has it, nor written to what is read-only.
fn paths(world: &mut World, heard: &Heard) -> Result<()> {
    let facts = heard.facts();
    let starting = |kind: &str| -> Vec<(String, String)> {
        let found = facts.iter().filter_map(|(name, text)| Some((name.strip_prefix(kind)?, text)));
        found.map(|(name, text)| (name.to_owned(), (*text).to_owned())).collect()
    };
    let masked = starting("masked:");
    ensure!(masked.len() == 16 && masked.iter().all(|(_, found)| found != "open"), "{masked:?}");
    let there = ["interrupts", "iomem", "ioports", "kallsyms", "modules"];
    for name in there {
        ensure!(
            world.agent.read(&format!("/proc/{name}")).is_ok(),
            "the box has no /proc/{name}: test another one"
        );
        expect(heard, &format!("masked:{name}"), "null")?;
    }
    let read_only = starting("read_only:");
    ensure!(read_only.len() == 6 && read_only.iter().all(|(_, found)| found != "no"), "{read_only:?}");
    for path in ["/proc/sys", "/proc/irq", "/sys"] {
        expect(heard, &format!("read_only:{path}"), "yes")?;
    }
    Ok(())
}

/// Every one is another one than the box's.
fn namespaces(world: &mut World, heard: &Heard) -> Result<()> {
    let facts = heard.facts();
    let of_box = world.agent.walk("/proc/1/ns")?;
    for kind in NAMESPACES {
        let entry = of_box
            .iter()
            .find(|entry| entry.path.ends_with(kind))
            .context("the box has no such namespace")?;
        let of_box = entry.target.as_ref().context("no link")?.display().to_string();
        let own = facts.get(format!("ns:{kind}").as_str()).context("not told")?;
        ensure!(own.starts_with(kind) && **own != of_box, "{kind}: {own} is the box's");
    }
    Ok(())
}

/// A program that is run in a container has what the container's own have.
fn one_inside(world: &mut World) -> Result<()> {
    world.start(APP, &start(&["wait"], ""), "waiting")?;
    let inside = json!({ "inside": { "id": id(APP), "words": ["/probe", "given"], "seconds": 200 } });
    let answer = world.tell(&inside)?;
    let heard = Heard {
        end: answer["end"].clone(),
        stdout: answer["output"].as_str().unwrap_or_default().to_owned(),
        stderr: String::new(),
    };
    ensure!(heard.end == json!({ "code": 0 }), "{answer}");
    inherited(&heard)?;
    let root = heard.facts().get("mount:/").map(|root| (*root).to_owned()).context("no root")?;
    ensure!(root.contains(" overlay ro,"), "{root}");
    namespaces(world, &heard)?;
    world.tell(&json!({ "kill": id(APP) }))?;
    world.wait(APP)?;
    world.tell(&json!({ "remove": id(APP) }))?;
    Ok(())
}
