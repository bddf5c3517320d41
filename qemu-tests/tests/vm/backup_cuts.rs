//! The plug is pulled while a household is saved to a USB disk, and while a new box takes it over.

use crate::backups::BACKUPS;
use crate::backups::RESTORE;
use crate::backups::put_settings;
use crate::backups::run;
use crate::chance::Random;
use crate::chance::cuts;
use crate::household::PASSWORD;
use crate::household::expect;
use crate::household::expect_usable;
use crate::household::log_in;
use crate::household::state;
use crate::household::status;
use crate::household::text;
use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use qemu_tests::Artifacts;
use qemu_tests::BOOT;
use qemu_tests::Off;
use qemu_tests::Vm;
use qemu_tests::VmBuilder;
use qemu_tests::scenario::scenario;
use qemu_tests::usb_disk::UsbDisk;
use qemu_tests::wait_until;
use qemu_tests::web::Web;
use serde_json::Value;
use serde_json::json;

/// Power cuts of each kind, unless more are asked for.
const CUTS: u32 = 1;
const DISK: &str = "ATTIC";

#[test]
fn backups_and_restores_survive_power_cuts_at_random_moments() {
    scenario("backup_cuts", |folder| {
        let mut random = Random::from_environment()?;
        let cuts = cuts(CUTS)?;
        let artifacts = Artifacts::load()?;
        let disk = UsbDisk::make(&folder.join("usb.img"), DISK)?;
        let mut vm = VmBuilder::new(&folder.join("old"), &artifacts).usb_disk(&disk).start()?;
        let mut web = vm.wait_web()?;
        ensure!(!expect_usable(&vm, &mut web)?, "a new box is set up");
        let authority = web.get("/ca.crt")?.text();
        expect(&put_settings(&web, &settings(3))?, 200)?;
        // How long it takes, in CPU seconds: a busy computer stretches time.
        let begun = vm.cpu_seconds()?;
        expect_good(&run(&vm, &mut web, "run", "last_backup")?)?;
        let span = vm.cpu_seconds()? - begun;
        let kit = web.post(&format!("{BACKUPS}/kit"), &json!({ "password": PASSWORD }))?;
        expect(&kit, 200)?;
        let kit = text(&kit.json()?, "text")?;

        for round in 0..cuts {
            let moment = span * random.next_fraction();
            let kept = 4 + round % 40;
            expect(&put_settings(&web, &settings(kept))?, 200)?;
            let off = cut(vm, &mut web, (&format!("{BACKUPS}/run"), BACKUPS), &json!({}), moment)?;
            vm = off.boot_again()?;
            web = saved(&vm, kept).with_context(|| format!("backup {round}, cut after {moment:.2} s"))?;
            println!("cut {} of {cuts} of a backup, after {moment:.2} s", round + 1);
        }
        drop(vm.power_cut());

        for round in 0..cuts {
            let own = folder.join(format!("new-{round}"));
            let vm = VmBuilder::new(&own, &artifacts).usb_disk(&disk).start()?;
            let mut web = vm.wait_web()?;
            let ask = restore(&vm, &kit)?;
            // Longer than a backup: the box also starts anew with what came back.
            let moment = 2.0 * span * random.next_fraction();
            let off = cut(vm, &mut web, (RESTORE, RESTORE), &ask, moment)?;
            let was_done = restored(off, &kit, &authority)
                .with_context(|| format!("restore {round}, cut after {moment:.2} s"))?;
            println!("cut {} of {cuts} of a restore, after {moment:.2} s; done: {was_done}", round + 1);
            std::fs::remove_dir_all(&own).with_context(|| format!("cannot remove {}", own.display()))?;
        }
        Ok(())
    });
}

/// Saves to the disk once a week; how many snapshots are kept is what is told apart.
fn settings(kept: u32) -> Value {
    json!({
        "target": { "type": "usb_disk", "label": DISK },
        "schedule": { "every_hours": 168, "at_minute": 0, "jitter_minutes": 0 },
        "keep": { "last": kept, "daily": 0, "weekly": 0, "monthly": 0 },
    })
}

fn expect_good(ended: &Value) -> Result<()> {
    ensure!(ended["problem"].is_null() && ended["files"] == 1, "{ended}");
    Ok(())
}

/// Asks for something that takes its time, and cuts the power on the way, or when it is through. The paths: where it is asked for, and
/// where it is told how far it is.
fn cut(vm: Vm, web: &mut Web, (asked, told): (&str, &str), body: &Value, moment: f64) -> Result<Off> {
    let begun = vm.cpu_seconds()?;
    vm.wait_until("the task to begin", || {
        let begun = web.post(asked, body)?;
        // The schedule may have begun one by itself.
        ensure!(matches!(begun.status, 202 | 409), "{}", begun.text());
        Ok((begun.status == 202).then_some(()))
    })?;
    wait_until(BOOT, "the moment of the cut", || {
        let is_time = vm.cpu_seconds()? - begun >= moment;
        Ok((is_time || is_through(web, told)).then_some(()))
    })?;
    Ok(vm.power_cut())
}

/// A box that starts anew with what came back answers nobody for a moment.
fn is_through(web: &Web, told: &str) -> bool {
    let Ok(told) = web.get(told).and_then(|answer| answer.json()) else { return false };
    told["running"].is_null() && told["state"] != "running"
}

/// What was set is set, and what lies on the disk is sound and goes on being used.
fn saved(vm: &Vm, kept: u32) -> Result<Web> {
    let mut web = vm.wait_web()?;
    ensure!(state(&web)? == "ready", "{}", status(&web)?);
    expect(&log_in(&mut web)?, 200)?;
    let told = web.get(BACKUPS)?.json()?;
    ensure!(told["settings"]["keep"]["last"] == kept, "an acknowledged change is gone: {told}");
    expect_good(&run(vm, &mut web, "run", "last_backup")?)?;
    expect_good(&run(vm, &mut web, "drill", "last_drill")?)?;
    Ok(web)
}

fn restore(vm: &Vm, kit: &str) -> Result<Value> {
    let code = vm.wait_claim_code(vm.mark())?;
    Ok(json!({ "claim_code": code, "kit": kit, "target": { "type": "usb_disk", "label": DISK } }))
}

/// The box is new or the old household, nothing between; where it is new, it can be asked again. Says whether it was done.
fn restored(off: Off, kit: &str, authority: &str) -> Result<bool> {
    let vm = off.boot_again()?;
    let mut web = vm.wait_web()?;
    let was_done = match state(&web)?.as_str() {
        "ready" => true,
        "setup" => {
            ensure!(web.get("/ca.crt")?.text() != authority, "it has the authority, and no owner");
            let ask = restore(&vm, kit)?;
            expect(&web.post(RESTORE, &ask)?, 202)?;
            web = vm.wait_until("the old household on the new box", || {
                let Ok(web) = vm.web() else { return Ok(None) };
                if let Ok(told) = web.get(RESTORE).and_then(|told| told.json()) {
                    ensure!(told["state"] != "refused", "{told}");
                }
                Ok(state(&web).is_ok_and(|state| state == "ready").then_some(web))
            })?;
            false
        }
        other => bail!("the box is {other}: {}", status(&web)?),
    };
    ensure!(web.get("/ca.crt")?.text() == authority, "it is another household");
    expect(&log_in(&mut web)?, 200)?;
    Ok(was_done)
}
