//! A backup on a USB disk and a sheet of paper make a new box the old household; a damaged backup makes it nothing.

use crate::household::OWNER;
use crate::household::expect;
use crate::household::expect_usable;
use crate::household::log_in;
use crate::household::state;
use crate::household::text;
use anyhow::Result;
use anyhow::ensure;
use qemu_tests::Artifacts;
use qemu_tests::Boot;
use qemu_tests::Guest;
use qemu_tests::VmBuilder;
use qemu_tests::builder::Inside;
use qemu_tests::scenario::scenario;
use qemu_tests::usb_disk::UsbDisk;
use qemu_tests::web::Web;
use serde_json::Value;
use serde_json::json;

const WHOLE: &str = "ATTIC";
const DAMAGED: &str = "CELLAR";
/// hostd's folder on the disk.
const DATA: &str = "hearth-backup/data";
pub(crate) const BACKUPS: &str = "/api/v1/backups";
const FILES: &str = "/api/v1/vault/files";
pub(crate) const RESTORE: &str = "/api/v1/setup/restore";

#[test]
fn a_new_box_with_the_disk_and_the_paper_is_the_old_household() {
    scenario("backups", |folder| {
        let artifacts = Artifacts::load()?;
        let disk = UsbDisk::make(&folder.join("usb.img"), WHOLE)?;
        let vm =
            VmBuilder::new(&folder.join("old"), &artifacts).usb_disk(&disk).inside(Inside::Agent).start()?;
        let mut web = vm.wait_web()?;
        ensure!(!expect_usable(&vm, &mut web)?, "a new box is set up");
        let authority = web.get("/ca.crt")?.text();
        let password = json!({ "password": crate::household::PASSWORD });
        let elsewhere = json!({ "target": { "type": "usb_disk", "label": "LOFT" } });
        expect(&put_settings(&web, &elsewhere)?, 200)?;
        let told = run(&vm, &mut web, "run", "last_backup")?;
        ensure!(told["problem"].to_string().contains("LOFT"), "{told}");
        // Without a name: the one that can be pulled out.
        expect(&put_settings(&web, &json!({ "target": { "type": "usb_disk" } }))?, 200)?;
        let told = run(&vm, &mut web, "run", "last_backup")?;
        ensure!(told["problem"].is_null() && told["files"] == 1, "{told}");
        let told = run(&vm, &mut web, "drill", "last_drill")?;
        ensure!(told["problem"].is_null() && told["files"] == 1, "{told}");
        let kit = web.post(&format!("{BACKUPS}/kit"), &password)?;
        expect(&kit, 200)?;
        let kit = text(&kit.json()?, "text")?;
        let letter = vec![0x5a; 300_000];
        for (name, content) in [("letter", letter.as_slice()), ("empty", b"")] {
            let octets = [("Content-Type", "application/octet-stream")];
            expect(&web.send("PUT", &format!("{FILES}/{name}"), &octets, Some(content))?, 204)?;
        }
        // A second one, with the first one's files to compare with.
        let told = run(&vm, &mut web, "run", "last_backup")?;
        ensure!(told["problem"].is_null(), "{told}");
        let saved = web.get(BACKUPS)?.json()?;
        let private = &saved["private_files"][0];
        ensure!(
            private["files"] == 2 && private["bytes"] == 300_000 && private["problem"].is_null(),
            "{saved}"
        );
        ensure!(saved["left_out"] == json!(["network_settings"]), "{saved}");
        let told = run(&vm, &mut web, "drill", "last_drill")?;
        ensure!(told["problem"].is_null(), "{told}");
        let listed = web.get(FILES)?.json()?;
        let mounts = vm.agent()?.read("/proc/self/mounts")?;
        ensure!(!mounts.contains("backup-disk"), "the disk is still mounted:\n{mounts}");
        drop(vm.power_cut());

        let damaged = disk.copy(&folder.join("damaged.img"), DAMAGED)?;
        ensure!(damaged.flip_below(DATA)? > 0, "there is no data on the disk");
        let vm = VmBuilder::new(&folder.join("new"), &artifacts).boot(Boot::Uefi).tpm();
        let vm = vm.usb_disk(&disk).usb_disk(&damaged).start()?;
        let mut web = vm.wait_web()?;
        ensure!(state(&web)? == "setup", "the new box is not new");
        ensure!(web.get("/ca.crt")?.text() != authority, "the new box has the certificate already");
        let code = vm.wait_claim_code(vm.mark())?;
        let ask = |label| json!({ "claim_code": code, "kit": kit, "target": { "type": "usb_disk", "label": label } });
        expect(&web.post(RESTORE, &ask(DAMAGED))?, 202)?;
        let refused = vm.wait_until("the damaged backup to be refused", || {
            let told = web.get(RESTORE)?.json()?;
            Ok((told["state"] != "running").then_some(told))
        })?;
        let problem = text(&refused, "problem")?;
        ensure!(refused["state"] == "refused" && !problem.contains("no disk"), "{refused}");
        ensure!(state(&web)? == "setup", "a damaged backup changed something");

        let mark = vm.serial().mark();
        expect(&web.post(RESTORE, &ask(WHOLE))?, 202)?;
        // hostd starts anew when it is done: then nobody answers, or the new one, which knows of no restore.
        vm.wait_until("the restore to end", || {
            let Ok(told) = web.get(RESTORE).and_then(|answer| answer.json()) else { return Ok(Some(())) };
            ensure!(told["state"] != "refused", "{told}");
            Ok((told["state"] != "running").then_some(()))
        })?;
        vm.wait_state(mark)?;
        let mut web = vm.wait_until("the old household on the new box", || {
            let Ok(web) = vm.web() else { return Ok(None) };
            let is_up = web.get("/ca.crt").is_ok_and(|found| found.text() == authority);
            Ok((is_up && state(&web).is_ok_and(|state| state == "ready")).then_some(web))
        })?;
        let logged_in = log_in(&mut web)?;
        expect(&logged_in, 200)?;
        ensure!(logged_in.text().contains(OWNER), "{}", logged_in.text());
        vm.wait_until("the private files to be opened", || {
            let vault = web.get("/api/v1/vault")?.json()?;
            ensure!(vault["problem"].is_null(), "{vault}");
            Ok((vault["state"] == "open").then_some(()))
        })?;
        ensure!(
            web.get(FILES)?.json()? == listed,
            "other names, lengths or times: {}",
            web.get(FILES)?.text()
        );
        ensure!(web.get(&format!("{FILES}/letter"))?.body == letter, "another content");
        ensure!(web.get(&format!("{FILES}/empty"))?.body.is_empty(), "another content");

        // It lasts, and its guard against older copies takes it for its own.
        let vm = vm.power_cut().boot_again()?;
        let mut web = vm.wait_web()?;
        ensure!(web.get("/ca.crt")?.text() == authority && state(&web)? == "ready", "it did not last");
        expect(&log_in(&mut web)?, 200)?;
        ensure!(web.get(FILES)?.json()? == listed, "private files did not last");
        ensure!(web.get(&format!("{FILES}/letter"))?.body == letter, "private files did not last");
        Ok(())
    });
}

pub(crate) fn put_settings(web: &Web, settings: &Value) -> Result<qemu_tests::web::Response> {
    let kind = [("Content-Type", "application/json")];
    web.send("PUT", &format!("{BACKUPS}/settings"), &kind, Some(settings.to_string().as_bytes()))
}

/// Runs a task to its end; how it ended.
pub(crate) fn run(guest: &Guest, web: &mut Web, what: &str, ended: &str) -> Result<Value> {
    // The schedule may have begun one by itself.
    guest.wait_until(&format!("the {what} to begin"), || {
        let begun = web.post(&format!("{BACKUPS}/{what}"), &json!({}))?;
        ensure!(matches!(begun.status, 202 | 409), "{}", begun.text());
        Ok((begun.status == 202).then_some(()))
    })?;
    guest.wait_until(&format!("the end of the {what}"), || {
        let answer = web.get(BACKUPS)?;
        expect(&answer, 200)?;
        let view = answer.json()?;
        Ok(view["running"].is_null().then(|| view[ended].clone()))
    })
}
