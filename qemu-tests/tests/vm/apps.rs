//! Apps as their owner has them: brought, installed, updated, looked after, removed.

mod guestbook;
pub(crate) mod home;
mod locked;
mod trouble;

use crate::household::expect;
use crate::household::expect_usable;
use crate::household::log_in;
use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use home::PORT;
use home::app;
use home::bring;
use home::expect_visit;
use home::install;
use home::is_unreachable;
use home::manifest;
use home::tell;
use home::update;
use home::wait_for;
use qemu_tests::Artifacts;
use qemu_tests::Vm;
use qemu_tests::VmBuilder;
use qemu_tests::agent::Agent;
use qemu_tests::builder::Inside;
use qemu_tests::scenario::scenario;
use qemu_tests::web::Web;
use rustix::process::Signal;
use serde_json::json;

#[test]
fn an_app_is_installed_updated_with_a_way_back_and_removed() {
    scenario("apps-life", |folder| {
        let builder = VmBuilder::new(folder, &Artifacts::load()?).inside(Inside::Agent);
        let mut vm = builder.memory(768).forward(PORT).start()?;
        let mut web = vm.wait_web()?;
        ensure!(!expect_usable(&vm, &mut web)?, "a new box is set up");
        for version in 1..=3 {
            bring(folder, &web, version)?;
        }
        ensure!(is_unreachable(&mut vm)?, "the port is open before there is an app");
        let key = install(&mut web, &manifest(1))?;
        let installed = wait_for(&vm, &web, &key, "running")?;
        ensure!(installed["containers"][0]["usage"]["tasks"].as_u64() >= Some(2), "{installed}");
        expect_visit(&mut vm, "version=1 visits=1")?;

        tell(&mut web, &key, "restart")?;
        vm.wait_until("the app to have begun anew", || {
            let logs = web.get(&format!("/api/v1/apps/{key}/logs"))?;
            expect(&logs, 200)?;
            Ok((logs.text().matches("version 1 serves").count() == 2).then_some(()))
        })?;
        wait_for(&vm, &web, &key, "running")?;
        expect_visit(&mut vm, "version=1 visits=2")?;
        the_daemon_may_die(&mut vm, &web, &key)?;

        // What was acknowledged to a visitor outlives a cut, and nobody has to start the app.
        let mut vm = vm.power_cut().boot_again()?;
        let mut web = vm.wait_web()?;
        expect(&log_in(&mut web)?, 200)?;
        wait_for(&vm, &web, &key, "running")?;
        expect_visit(&mut vm, "version=1 visits=4")?;

        update(&mut web, &key, &manifest(2))?;
        wait_for(&vm, &web, &key, "running")?;
        expect_visit(&mut vm, "version=2 visits=5")?;
        // A version that spoils the data and ends: the version before comes back, with the data before.
        update(&mut web, &key, &manifest(3))?;
        let undone = wait_for(&vm, &web, &key, "running")?;
        let problem = undone["problem"].as_str().unwrap_or_default();
        ensure!(problem.contains("the new format cannot be read"), "{undone}");
        ensure!(undone["version"] == "2.0.0", "{undone}");
        expect_visit(&mut vm, "version=2 visits=6")?;

        tell(&mut web, &key, "stop")?;
        wait_for(&vm, &web, &key, "stopped")?;
        ensure!(is_unreachable(&mut vm)?, "somebody answers for an app that was stopped");
        nothing_is_left_after_its_removal(&vm, &web, &key)
    });
}

/// Nobody notices: the app goes on, and is found again.
fn the_daemon_may_die(vm: &mut Vm, web: &Web, key: &str) -> Result<()> {
    let before = app(web, key)?["containers"][0].clone();
    let mut agent = vm.agent()?;
    let daemon = agent.process("containerd-lite")?.pid;
    agent.kill(daemon, Signal::KILL)?;
    drop(agent);
    expect_visit(vm, "version=1 visits=3")?;
    let after = vm.wait_until("the app to be found again", || {
        let now = app(web, key)?;
        Ok((now["state"] == "running").then(|| now["containers"][0].clone()))
    })?;
    ensure!(after["restarts"] == before["restarts"], "it was started anew: {before} {after}");
    ensure!(after["seconds_up"].as_u64() >= before["seconds_up"].as_u64(), "{before} {after}");
    Ok(())
}

fn nothing_is_left_after_its_removal(vm: &Vm, web: &Web, key: &str) -> Result<()> {
    let mut agent = vm.agent()?;
    ensure!(traces(&mut agent, key)?.iter().any(|path| path.starts_with("/data/apps")), "no data was there");
    let removed = web.send("DELETE", &format!("/api/v1/apps/{key}?data=delete"), &[], None)?;
    ensure!((200..300).contains(&removed.status), "{} {}", removed.status, removed.text());
    vm.wait_until("the app to be gone", || {
        Ok((web.get(&format!("/api/v1/apps/{key}"))?.status == 404).then_some(()))
    })?;
    let left = traces(&mut agent, key)?;
    ensure!(left.is_empty(), "{left:?}");
    let processes = agent.processes()?;
    ensure!(!processes.iter().any(|process| process.name.starts_with("visits")), "{processes:?}");
    let list = web.get("/api/v1/apps")?.json()?;
    ensure!(list["apps"] == json!([]) && list["problem"].is_null(), "{list}");
    Ok(())
}

/// Names with the app's key in them, and mounts.
fn traces(agent: &mut Agent, key: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for top in ["/run/hearth", "/sys/fs/cgroup", "/data/apps", "/data/logs", "/data/state/containerd-lite"] {
        let entries = agent.walk(top).with_context(|| format!("look at {top}"))?;
        found.extend(entries.into_iter().map(|entry| entry.path.display().to_string()));
    }
    let mounts = agent.read("/proc/mounts")?;
    found.extend(mounts.lines().map(str::to_owned));
    found.retain(|name| name.contains(key));
    Ok(found)
}
