//! How the disk is, as the box tells it, and a disk without room.

use crate::household::expect;
use crate::household::expect_usable;
use crate::household::log_in;
use crate::household::state;
use crate::household::status;
use anyhow::Result;
use anyhow::ensure;
use hearth_agent::protocol::Request;
use qemu_tests::Artifacts;
use qemu_tests::Vm;
use qemu_tests::VmBuilder;
use qemu_tests::builder::Inside;
use qemu_tests::failing_disk::FailingDisk;
use qemu_tests::machine::DiskBus;
use qemu_tests::scenario::scenario;
use qemu_tests::web::Response;
use qemu_tests::web::Web;
use serde_json::Value;

/// What takes all the room.
const LARGE: &str = "/data/large";

#[test]
fn an_nvme_disk_tells_how_it_is_and_a_full_one_harms_nothing() {
    scenario("health-nvme", |folder| {
        let builder = VmBuilder::new(folder, &Artifacts::load()?).bus(DiskBus::Nvme).inside(Inside::Agent);
        let vm = builder.start()?;
        let mut web = vm.wait_web()?;
        ensure!(!expect_usable(&vm, &mut web)?, "a new box is set up");
        let told = health(&web)?;
        let disk = &told["disk"];
        ensure!(disk["kind"] == "nvme" && disk["name"] == "nvme0n1", "{told}");
        // The log of QEMU's disk (hw/nvme/ctrl.c, `nvme_smart_info`): 323 K, and what was written since it began.
        ensure!(disk["silent"].is_null() && disk["temperature_celsius"] == 50, "{told}");
        ensure!(disk["is_failing"] == false && disk["life_used_percent"] == 0, "{told}");
        ensure!(disk["written"]["since_boot_bytes"].as_u64() > Some(1 << 20), "{told}");
        ensure!(disk["written"]["ever_bytes"].as_u64() > Some(0), "{told}");
        let room = &told["file_system"];
        ensure!(room["is_read_only"] == false && room["errors"] == 0, "{told}");
        ensure!(room["used_percent"].as_u64() < Some(50), "{told}");
        wait_trimmed(&vm, &web)?;

        let mut agent = vm.agent()?;
        agent.ask(&Request::Fill { path: LARGE.into(), wholly: true })?;
        vm.wait_until("the box to say that it is full", || {
            Ok((state(&web)? == "degraded" && has_reason(&web, "the disk is full")?).then_some(()))
        })?;
        ensure!(health(&web)?["findings"][0]["kind"] == "full", "{}", health(&web)?);
        // Each login is written down; sooner or later there is not even room for that.
        let refused = vm.wait_until("a login that has no room", || {
            let answer = log_in(&mut web)?;
            Ok((answer.status != 200).then_some(answer))
        })?;
        expect(&refused, 507)?;
        ensure!(refused.text().contains("disk is full"), "{}", refused.text());

        agent.ask(&Request::RemoveFile { path: LARGE.into() })?;
        expect(&log_in(&mut web)?, 200)?;
        vm.wait_until("the box to be well again", || Ok((state(&web)? == "ready").then_some(())))?;

        // Whatever fills the disk leaves what is set aside for accounts and sessions.
        agent.ask(&Request::Fill { path: LARGE.into(), wholly: false })?;
        agent.ask(&Request::Sync)?;
        drop(agent);
        let vm = vm.power_cut().boot_again()?;
        let mut web = vm.wait_web()?;
        expect(&log_in(&mut web)?, 200)?;
        vm.wait_until("the box to say that it is full", || {
            Ok(has_reason(&web, "the disk is full")?.then_some(()))
        })?;
        vm.agent()?.ask(&Request::RemoveFile { path: LARGE.into() })?;
        vm.wait_until("the box to be well again", || Ok((state(&web)? == "ready").then_some(())))?;
        let reasons = status(&web)?["reasons"].to_string();
        ensure!(!reasons.contains("damaged"), "{reasons}");
        Ok(())
    });
}

#[test]
fn a_sata_disk_tells_how_it_is_and_one_that_fails_takes_nothing_with_it() {
    scenario("health-sata", |folder| {
        let mut builder =
            VmBuilder::new(folder, &Artifacts::load()?).bus(DiskBus::Ahci).inside(Inside::Agent);
        let sockets = tempfile::tempdir()?;
        let failing = FailingDisk::serve(&builder.prepare_disk()?, sockets.path())?;
        let vm = builder.disk_server(failing.socket()).start()?;
        let mut web = vm.wait_web()?;
        ensure!(!expect_usable(&vm, &mut web)?, "a new box is set up");
        let told = health(&web)?;
        let disk = &told["disk"];
        ensure!(disk["kind"] == "ata" && disk["silent"].is_null(), "{told}");
        // What QEMU's disk says (hw/ide/core.c, `smart_attributes`).
        ensure!(disk["is_failing"] == false && disk["replaced_sectors"] == 0, "{told}");
        ensure!(disk["power_on_hours"].is_u64(), "{told}");

        expect(&put_file(&web, "diary", b"day one")?, 204)?;
        // The journal's changes get to their places on the disk. What is in the journal alone may not show until the next boot: the kernel
        // forgets blocks that it failed to write (fs/buffer.c, `end_buffer_async_write`) and reads the older ones.
        vm.agent()?.ask(&Request::Sync)?;
        expect(&put_file(&web, "last-word", b"kept")?, 204)?;
        failing.fail()?;
        // Whatever wants to write is told so, and what only reads goes on. One write that fails is enough.
        let refused = put_file(&web, "diary", b"day two")?;
        ensure!(refused.status == 503, "{} {}", refused.status, refused.text());
        vm.wait_until("the box to say that its disk fails", || {
            let is_told = has_reason(&web, "nothing can be saved")? && has_reason(&web, "replace the disk")?;
            Ok((state(&web)? == "degraded" && is_told).then_some(()))
        })?;
        vm.wait_until("the data to be read-only", || {
            Ok((health(&web)?["file_system"]["is_read_only"] == true).then_some(()))
        })?;
        for refused in [put_file(&web, "diary", b"day two")?, log_in(&mut web.clone())?] {
            ensure!(refused.status == 503, "{} {}", refused.status, refused.text());
        }
        expect_file(&web, "diary", b"day one")?;
        drop(vm.power_cut());

        // Another cable, so to speak: nothing that was acknowledged is gone.
        let vm = VmBuilder::new(folder, &Artifacts::load()?)
            .disk(&folder.join("disk.img"))
            .inside(Inside::Agent)
            .start()?;
        let mut web = vm.wait_web()?;
        ensure!(state(&web)? == "ready", "{}", status(&web)?);
        expect(&log_in(&mut web)?, 200)?;
        expect_file(&web, "diary", b"day one")?;
        expect_file(&web, "last-word", b"kept")
    });
}

/// What the kernel needs for it is seen here alone: the right to open the folder of the partition, and that trims get through.
fn wait_trimmed(vm: &Vm, web: &Web) -> Result<()> {
    vm.wait_until("free blocks to be given back", || {
        let trim = &health(web)?["trim"];
        ensure!(trim["problem"].is_null(), "{trim}");
        Ok(trim["last"]["bytes"].as_u64().filter(|bytes| *bytes > 1 << 20))
    })
    .map(|_bytes| ())
}

fn put_file(web: &Web, name: &str, content: &[u8]) -> Result<Response> {
    let kind = [("Content-Type", "application/octet-stream")];
    web.send("PUT", &format!("/api/v1/vault/files/{name}"), &kind, Some(content))
}

fn expect_file(web: &Web, name: &str, content: &[u8]) -> Result<()> {
    let answer = web.get(&format!("/api/v1/vault/files/{name}"))?;
    expect(&answer, 200)?;
    ensure!(answer.body == content, "{name} has another content");
    Ok(())
}

fn has_reason(web: &Web, part: &str) -> Result<bool> {
    Ok(status(web)?["reasons"].to_string().contains(part))
}

fn health(web: &Web) -> Result<Value> {
    let answer = web.get("/api/v1/storage/health")?;
    expect(&answer, 200)?;
    answer.json()
}
