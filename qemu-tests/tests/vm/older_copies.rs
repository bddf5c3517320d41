//! A disk that is put back to an older copy of itself: every byte of it is genuine, and the security chip still opens it.

use crate::household::PASSWORD;
use crate::household::expect;
use crate::household::expect_usable;
use crate::household::log_in;
use crate::household::state;
use crate::household::status;
use crate::unlock::recovery_key;
use anyhow::Result;
use anyhow::ensure;
use qemu_tests::Artifacts;
use qemu_tests::BOOT;
use qemu_tests::Boot;
use qemu_tests::VmBuilder;
use qemu_tests::disk;
use qemu_tests::scenario::scenario;
use qemu_tests::web::Web;
use serde_json::Value;
use serde_json::json;

/// Well formed, and nobody's.
const FOREIGN: &str = "0000-0000-0000-0000-0000-0000-0000-0000-01MV";

#[test]
fn an_older_copy_of_the_disk_is_told_and_nothing_of_it_is_served() {
    scenario("older_copies", |folder| {
        let artifacts = Artifacts::load()?;
        let (old, new) = (folder.join("old.img"), folder.join("new.img"));
        let vm = VmBuilder::new(folder, &artifacts).boot(Boot::Uefi).tpm().start()?;
        let mut web = vm.wait_web()?;
        ensure!(!expect_usable(&vm, &mut web)?, "a new box is set up");
        let key = recovery_key(&mut web)?;
        let session = web.get("/api/v1/storage")?.json()?;
        ensure!(session["older_copies"]["state"] == "noticed", "{session}");
        expect_no_rollback(&web)?;
        let off = vm.power_cut();
        disk::copy_sparse(off.disk(), &old, 0)?;

        // The honest box goes on, also with another system key.
        let vm = off.boot_again()?;
        let mut web = vm.wait_web()?;
        ensure!(state(&web)? == "ready", "{}", status(&web)?);
        expect(&log_in(&mut web)?, 200)?;
        let rotate = json!({ "what": "system", "password": PASSWORD });
        expect(&web.post("/api/v1/storage/rotate", &rotate)?, 204)?;
        let off = vm.power_cut();
        let vm = off.boot_again()?;
        let mut web = vm.wait_web()?;
        ensure!(state(&web)? == "ready", "{}", status(&web)?);
        expect(&log_in(&mut web)?, 200)?;
        let off = vm.power_cut();
        disk::copy_sparse(off.disk(), &new, 0)?;

        // Somebody puts the disk back to what it was.
        disk::copy_sparse(&old, off.disk(), 0)?;
        let vm = off.boot_again()?;
        let mut web = vm.wait_web()?;
        let rollback = expect_older_copy(&mut web)?;
        let mut confirm = |key: &str, rollback: &Value| {
            web.post("/api/v1/storage/rollback/confirm", &json!({ "key": key, "rollback": rollback }))
        };
        expect(&confirm(&key, &json!({ "store": null, "last": 1 }))?, 409)?;
        expect(&confirm(FOREIGN, &rollback)?, 403)?;
        let off = vm.power_cut();

        // Put right, it is as if nothing had been.
        disk::copy_sparse(&new, off.disk(), 0)?;
        let vm = off.boot_again()?;
        let mut web = vm.wait_web()?;
        ensure!(state(&web)? == "ready", "{}", status(&web)?);
        expect(&log_in(&mut web)?, 200)?;
        let off = vm.power_cut();

        // There is nothing newer than the old copy: whoever has the paper accepts it.
        disk::copy_sparse(&old, off.disk(), 0)?;
        let vm = off.boot_again()?;
        let mut web = vm.wait_web()?;
        let rollback = expect_older_copy(&mut web)?;
        let mark = vm.serial().mark();
        let accept = json!({ "key": key, "rollback": rollback });
        expect(&web.post("/api/v1/storage/rollback/confirm", &accept)?, 202)?;
        vm.serial().wait_line(mark, "hearth: state=", BOOT)?;
        let mut web = vm.wait_until("the page of the accepted copy", || Ok(vm.web().ok()))?;
        ensure!(state(&web)? == "degraded", "nobody is told: {}", status(&web)?);
        expect(&log_in(&mut web)?, 200)?;
        expect_no_rollback(&web)
    });
}

/// Nobody gets in, nobody can take the box over, and everybody is told why. Returns what is told.
fn expect_older_copy(web: &mut Web) -> Result<Value> {
    let told = status(web)?;
    let reasons = told["reasons"].to_string();
    ensure!(told["state"] == "degraded" && reasons.contains("an older copy"), "{told}");
    ensure!(told["rollback"]["store"].as_u64() < told["rollback"]["last"].as_u64(), "{told}");
    expect(&log_in(web)?, 503)?;
    expect(&web.get("/api/v1/session")?, 401)?;
    expect(&web.post("/api/v1/setup", &crate::household::set_up_body("0000-0000-0000"))?, 503)?;
    Ok(told["rollback"].clone())
}

fn expect_no_rollback(web: &Web) -> Result<()> {
    let told = status(web)?;
    ensure!(told["rollback"].is_null(), "{told}");
    Ok(())
}
