//! One app uses up what it can: the others and the box go on, and the box says which it is.

use super::home::PORT;
use super::home::app;
use super::home::bring;
use super::home::bring_program;
use super::home::install;
use super::home::manifest;
use super::home::restart;
use super::home::visit;
use super::home::visit_at;
use super::home::wait_for;
use crate::household::expect;
use crate::household::expect_usable;
use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use qemu_tests::Artifacts;
use qemu_tests::BOOT;
use qemu_tests::Vm;
use qemu_tests::VmBuilder;
use qemu_tests::scenario::scenario;
use qemu_tests::web::Web;
use serde_json::Value;
use serde_json::json;

/// Where the troublemaker is asked to begin.
const TROUBLE: u16 = 8091;
/// The same of its brother.
const BROTHER: u16 = 8092;
const TASKS: u64 = 48;
/// Of a disk that is full, in bytes, and what the app that filled it wrote at least.
const NEARLY_NOTHING: u64 = 1 << 20;
const MUCH: u64 = 256 << 20;
/// How often the others are looked at in the middle of it.
const LOOKS: u32 = 3;

#[test]
fn trouble_in_one_app_stays_its_own() {
    scenario("apps-trouble", |folder| {
        let builder = VmBuilder::new(folder, &Artifacts::load()?).memory(768);
        let mut vm = builder.forward(PORT).forward(TROUBLE).forward(BROTHER).start()?;
        let mut web = vm.wait_web()?;
        ensure!(!expect_usable(&vm, &mut web)?, "a new box is set up");
        bring(folder, &web, 1)?;
        bring_program(folder, &web, "trouble", "1")?;
        let neighbour = install(&mut web, &manifest(1))?;
        let culprit = install(&mut web, &troublemaker("trouble", TROUBLE))?;
        wait_for(&vm, &web, &neighbour, "running")?;
        wait_for(&vm, &web, &culprit, "running")?;
        let before = app(&web, &neighbour)?["containers"][0].clone();

        for (trouble, told) in [
            ("breed", &is_at_its_limit as &dyn Fn(&Value) -> bool),
            ("eat", &|of: &Value| {
                of["containers"][0]["restarts"].as_u64() > Some(0)
                    && of.to_string().contains("more memory than it may have")
            }),
            ("hold", &|of: &Value| said(of, "files: Too many open files")),
            ("talk", &|of: &Value| said(of, "lines were left out")),
            ("fill", &|of: &Value| {
                of["reasons"].to_string().contains("filled the room it may have")
                    && of["containers"][0]["usage"]["written_bytes"].as_u64() > Some(MUCH)
            }),
        ] {
            begin(&mut vm, TROUBLE, trouble)?;
            vm.wait_until(&format!("the box to tell of {trouble}"), || {
                let mut all = app(&web, &culprit)?;
                let log = web.get(&format!("/api/v1/apps/{culprit}/logs"))?;
                expect(&log, 200)?;
                all["log"] = log.json()?;
                Ok(told(&all).then_some(()))
            })?;
            the_others_go_on(&mut vm, &mut web, trouble)?;
            restart(BOOT, &vm, &mut web, &culprit)?;
        }
        let after = app(&web, &neighbour)?["containers"][0].clone();
        ensure!(after["restarts"] == before["restarts"], "the neighbour was hit: {before} {after}");

        // One app does not get all of the disk: others still save.
        let said = visit(&mut vm, "/")?;
        ensure!(said.as_deref() == Some("version=1 visits=1"), "{said:?}");
        // Two together do. Then apps save nothing, but all are looked after, and their owner makes room.
        let brother = install(&mut web, &troublemaker("brother", BROTHER))?;
        wait_for(&vm, &web, &brother, "running")?;
        begin(&mut vm, BROTHER, "fill")?;
        vm.wait_until("the disk to be full", || {
            let disk = web.get("/api/v1/system")?.json()?["disk"].take();
            Ok(disk["available_bytes"].as_u64().is_some_and(|bytes| bytes < NEARLY_NOTHING).then_some(()))
        })?;
        the_others_go_on(&mut vm, &mut web, "full")?;
        for app in [&culprit, &brother] {
            restart(BOOT, &vm, &mut web, app)?;
            let removed = web.send("DELETE", &format!("/api/v1/apps/{app}?data=delete"), &[], None)?;
            ensure!((200..300).contains(&removed.status), "{} {}", removed.status, removed.text());
            vm.wait_until("the troublemaker to be gone", || {
                Ok((web.get(&format!("/api/v1/apps/{app}"))?.status == 404).then_some(()))
            })?;
        }
        let said = visit(&mut vm, "/")?;
        ensure!(said.as_deref() == Some("version=1 visits=2"), "{said:?}");
        Ok(())
    });
}

fn troublemaker(id: &str, port: u16) -> Value {
    let text = json!({
        "format": 1, "id": id, "title": "Trouble", "version": "1.0.0", "scope": "system",
        "containers": { "web": {
            "image": "localhost/trouble:1",
            "volumes": [{ "name": "data", "target": "/data" }],
            "limits": { "memory_bytes": 64 << 20, "cpu_millis": 500, "tasks": TASKS },
            "stop": { "grace_seconds": 1 },
        } },
        "permissions": { "inbound": [{ "port": format!("tcp/{port}"), "app_port": 80, "reason": "Guests" }] },
    });
    json!({ "manifest": text.to_string() })
}

/// Asks for it, once the app serves.
fn begin(vm: &mut Vm, port: u16, trouble: &str) -> Result<()> {
    for _ in 0..120 {
        if visit_at(vm, port, &format!("/{trouble}"))?.as_deref() == Some("well") {
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
    anyhow::bail!("the troublemaker does not serve")
}

fn is_at_its_limit(of: &Value) -> bool {
    let usage = &of["containers"][0]["usage"];
    usage["tasks_refused"].as_u64() > Some(0)
        && usage["tasks"].as_u64().is_some_and(|tasks| tasks <= TASKS + 1)
}

fn said(of: &Value, words: &str) -> bool {
    of["log"].to_string().contains(words)
}

/// The neighbour answers, and the box is looked after as ever: also settings are kept.
fn the_others_go_on(vm: &mut Vm, web: &mut Web, trouble: &str) -> Result<()> {
    for look in 0..LOOKS {
        let answer = visit(vm, "/health")?;
        ensure!(
            answer.is_some_and(|text| text.starts_with("version=1")),
            "{trouble}: no answer of the neighbour"
        );
        let status = web.get("/api/v1/status")?;
        expect(&status, 200)?;
        ensure!(status.json()?["state"] != "locked", "{trouble}");
        let place = format!("/api/v1/registries/{trouble}-{look}.example.net");
        let headers = [("Content-Type", "application/json")];
        let kept = web.send("PUT", &place, &headers, Some(br#"{"plain_http": true}"#))?;
        expect(&kept, 200).with_context(|| format!("{trouble}: a setting is not kept"))?;
    }
    Ok(())
}
