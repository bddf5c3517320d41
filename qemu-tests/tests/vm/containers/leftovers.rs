//! Starting and stopping leaves nothing behind.

use super::world::APP;
use super::world::OTHER;
use super::world::World;
use super::world::start;
use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use qemu_tests::scenario::scenario;
use qemu_tests::wait::wait_until;
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;

/// How often, unless `HEARTH_CONTAINER_ROUNDS` says otherwise.
const ROUNDS: u32 = 50;

/// How long what has ended may be seen.
const PATIENCE: Duration = Duration::from_secs(60);

/// What containers could leave.
#[derive(Debug, PartialEq, Eq)]
struct Traces {
    mounts: BTreeSet<String>,
    files: BTreeSet<String>,
    groups: BTreeSet<String>,
    processes: Vec<String>,
}

impl Traces {
    fn of(world: &mut World) -> Result<Self> {
        let mounts = world.agent.read("/proc/self/mountinfo")?;
        let mut paths = |top: &str| -> Result<BTreeSet<String>> {
            Ok(world.agent.walk(top)?.into_iter().map(|entry| entry.path.display().to_string()).collect())
        };
        let (files, groups) = (paths("/run/hearth/containers")?, paths("/sys/fs/cgroup/apps")?);
        let processes = world.agent.processes()?;
        let ours = ["probe", "init", "containerd-lite", "youki"];
        let mut processes: Vec<String> = processes
            .into_iter()
            .filter(|process| process.pid != 1 && ours.iter().any(|name| process.name.starts_with(name)))
            .map(|process| process.name)
            .collect();
        processes.sort_unstable();
        // Counted, not named: each look has a descriptor of its own.
        let point = |line: &str| line.split(' ').nth(4).map(str::to_owned);
        Ok(Self { mounts: mounts.lines().filter_map(point).collect(), files, groups, processes })
    }
}

/// What there is once it is as it should be: PID 1 takes a moment to bury what has ended.
fn settled(world: &mut World, is_right: impl Fn(&Traces) -> bool) -> Result<Traces> {
    let mut last = None;
    let looked = wait_until(PATIENCE, "nothing to be left", || {
        let now = last.insert(Traces::of(world)?);
        Ok(is_right(now).then_some(()))
    });
    looked.with_context(|| format!("{last:#?}"))?;
    last.context("nobody looked")
}

#[test]
fn starting_and_stopping_leaves_nothing_behind() {
    scenario("containers-leftovers", |folder| {
        let rounds = match std::env::var("HEARTH_CONTAINER_ROUNDS") {
            Ok(rounds) => rounds.parse().context("HEARTH_CONTAINER_ROUNDS is no number")?,
            Err(_not_set) => ROUNDS,
        };
        let mut world = World::boot(folder)?;
        let clean = Traces::of(&mut world)?.processes;
        world.run(&start(&["exit", "0"], "web"))?;
        let before =
            settled(&mut world, |now| now.processes == clean).with_context(|| format!("{clean:?}"))?;
        for round in 0..rounds {
            let words = [&["exit", "0"][..], &["orphan"], &["die", "9"]][usize::try_from(round)? % 3];
            let heard = world.run(&start(words, ["web", ""][usize::try_from(round)? % 2]))?;
            ensure!(!heard.end.is_null(), "round {round}: {heard:?}");
        }
        settled(&mut world, |after| *after == before).with_context(|| format!("{before:#?}"))?;
        for app in [APP, OTHER] {
            world.tell(&json!({ "remove_network": app }))?;
        }
        let gone = Traces::of(&mut world)?;
        ensure!(gone.files.iter().all(|file| !file.contains(APP) && !file.contains(OTHER)), "{gone:#?}");
        ensure!(gone.groups.iter().all(|group| !group.contains(APP)), "{gone:#?}");
        ensure!(gone.mounts.iter().all(|mount| !mount.contains(APP)), "{gone:#?}");
        Ok(())
    });
}
