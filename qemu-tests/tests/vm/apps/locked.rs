//! What an app keeps for its user is read by nobody else: not from the disk, not by root while their vault is locked.

use super::home::PORT;
use super::home::app;
use super::home::bring;
use super::home::expect_visit;
use super::home::install;
use super::home::is_unreachable;
use super::home::manifest_for;
use super::home::visit;
use super::home::wait_for;
use crate::household::PASSWORD;
use crate::household::expect;
use crate::household::expect_usable;
use crate::household::log_in;
use crate::vault::holds;
use anyhow::Result;
use anyhow::ensure;
use qemu_tests::Artifacts;
use qemu_tests::Vm;
use qemu_tests::VmBuilder;
use qemu_tests::agent::Agent;
use qemu_tests::builder::Inside;
use qemu_tests::plain::Plain;
use qemu_tests::scenario::scenario;
use rustix::process::Signal;
use serde_json::json;

/// Name and content of a file, and a line of the log.
const MARKER: &str = "note-7d1f0c3e-that-nobody-else-may-read";

#[test]
fn an_app_of_one_user_shows_nothing_while_their_vault_is_locked() {
    scenario("apps-locked", |folder| {
        let builder = VmBuilder::new(folder, &Artifacts::load()?).inside(Inside::Agent);
        let mut vm = builder.memory(768).forward(PORT).start()?;
        let mut web = vm.wait_web()?;
        ensure!(!expect_usable(&vm, &mut web)?, "a new box is set up");
        bring(folder, &web, 1)?;
        let key = install(&mut web, &manifest_for(1, "user"))?;
        wait_for(&vm, &web, &key, "running")?;
        expect_visit(&mut vm, "version=1 visits=1")?;
        visit(&mut vm, &format!("/keep/{MARKER}"))?;
        vm.wait_until("the app to have said it", || {
            let logs = web.get(&format!("/api/v1/apps/{key}/logs"))?;
            expect(&logs, 200)?;
            Ok(logs.text().contains(MARKER).then_some(()))
        })?;

        // While it is open root sees it, as was to be expected: this is what the rest is compared with.
        let mut agent = vm.agent()?;
        let seen = agent.find("/data", MARKER)?.0;
        ensure!(seen.iter().any(|path| path.to_string_lossy().contains("volumes")), "not the data: {seen:?}");
        ensure!(seen.iter().any(|path| path.to_string_lossy().contains("logs")), "not the log: {seen:?}");
        expect(&web.post("/api/v1/vault/lock", &json!({}))?, 200)?;
        sees_nothing(&mut agent)?;
        ensure!(app(&web, &key)?["state"] == "locked", "{}", app(&web, &key)?);
        ensure!(is_unreachable(&mut vm)?, "the app runs on without its data");
        expect(&web.get(&format!("/api/v1/apps/{key}/logs"))?, 409)?;
        let processes = agent.processes()?;
        ensure!(!processes.iter().any(|process| process.name.starts_with("visits")), "{processes:?}");

        let password = json!({ "password": PASSWORD });
        expect(&web.post("/api/v1/vault/unlock", &password)?, 200)?;
        wait_for(&vm, &web, &key, "running")?;
        expect_visit(&mut vm, "version=1 visits=2")?;
        // A daemon that dies takes no key with it.
        let daemon = agent.process("containerd-lite")?.pid;
        agent.kill(daemon, Signal::KILL)?;
        wait_for(&vm, &web, &key, "running")?;
        expect_visit(&mut vm, "version=1 visits=3")?;

        // The power goes with everything open.
        drop(agent);
        let off = vm.power_cut();
        let plain = Plain::of(off.disk())?;
        ensure!(holds(plain.file(), key.as_bytes())?, "the decrypted partition is looked at wrongly");
        for path in [off.disk(), plain.file()] {
            ensure!(!holds(path, MARKER.as_bytes())?, "it stands in {}", path.display());
        }
        let mut vm = off.boot_again()?;
        let mut web = vm.wait_web()?;
        let mut agent = vm.agent()?;
        sees_nothing(&mut agent)?;
        ensure!(is_unreachable(&mut vm)?, "the app runs before its user is there");
        expect(&log_in(&mut web)?, 200)?;
        wait_for(&vm, &web, &key, "running")?;
        expect_visit(&mut vm, "version=1 visits=4")?;
        goes_on_without_its_user(&mut vm, &key)?;
        Ok(())
    });
}

/// Names, contents and the log.
fn sees_nothing(agent: &mut Agent) -> Result<()> {
    let (seen, _locked) = agent.find("/data", MARKER)?;
    ensure!(seen.is_empty(), "root sees {seen:?}");
    Ok(())
}

/// Whoever logs out locks their files, and leaves their apps running.
fn goes_on_without_its_user(vm: &mut Vm, key: &str) -> Result<()> {
    let mut web = vm.wait_web()?;
    expect(&log_in(&mut web)?, 200)?;
    let out = web.send("DELETE", "/api/v1/session", &[], None)?;
    expect(&out, 204)?;
    expect_visit(vm, "version=1 visits=5")?;
    expect(&log_in(&mut web)?, 200)?;
    ensure!(app(&web, key)?["state"] == "running", "{}", app(&web, key)?);
    Ok(())
}
