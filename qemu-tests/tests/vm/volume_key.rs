//! Another volume key while the box is used: what was there is there, old headers are worth nothing, and the plug may be pulled.

use crate::chance::Random;
use crate::chance::cuts;
use crate::household::PASSWORD;
use crate::household::expect;
use crate::household::expect_usable;
use crate::household::log_in;
use crate::household::state;
use crate::household::status;
use crate::unlock::header;
use crate::unlock::open;
use crate::unlock::recovery_key;
use crate::unlock::storage;
use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use qemu_tests::Artifacts;
use qemu_tests::BOOT;
use qemu_tests::Boot;
use qemu_tests::Off;
use qemu_tests::Vm;
use qemu_tests::VmBuilder;
use qemu_tests::disk;
use qemu_tests::disk::data_partition;
use qemu_tests::plain::Plain;
use qemu_tests::scenario::scenario;
use qemu_tests::wait_until;
use qemu_tests::web::Response;
use qemu_tests::web::Web;
use serde_json::Value;
use serde_json::json;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;
use vault::RecoveryCode;

/// Some 200 MiB beside the image: a change of the key takes long enough to fall into, and not longer.
const DISK: u64 = 3 << 28;
/// Power cuts, unless more are asked for.
const CUTS: u32 = 2;
/// Until everything is encrypted anew, under emulation.
const ROTATION: Duration = Duration::from_secs(1200);

#[test]
fn the_volume_key_is_changed_while_the_box_is_used() {
    scenario("volume_key", |folder| {
        let artifacts = Artifacts::load()?;
        let vm =
            VmBuilder::new(&folder.join("own"), &artifacts).disk_size(DISK).boot(Boot::Uefi).tpm().start()?;
        let mut web = vm.wait_web()?;
        ensure!(!expect_usable(&vm, &mut web)?, "a new box is set up");
        let paper = recovery_key(&mut web)?;
        expect(&put(&web, "before", 0)?, 204)?;
        let off = vm.power_cut();
        let (old, before) = (header(off.disk())?, description(off.disk(), folder)?);
        let aside = folder.join("old.img");
        disk::copy_sparse(off.disk(), &aside, 0)?;

        let vm = off.boot_again()?;
        let mut web = vm.wait_web()?;
        expect(&log_in(&mut web)?, 200)?;
        expect(&rotate(&web, "0000")?, 403)?;
        let begun = Instant::now();
        expect(&rotate(&web, &paper)?, 202)?;
        let mut seen = Vec::new();
        // Files are written meanwhile, and no other key changes.
        let sealed = web.post("/api/v1/storage/seal", &json!({ "password": PASSWORD }))?;
        ensure!(
            rotation(&web)?.is_null() || sealed.status == 409,
            "another key was changed: {}",
            sealed.text()
        );
        wait_until(ROTATION, "the end of the change", || {
            let told = rotation(&web)?;
            ensure!(told["problem"].is_null(), "{told}");
            if let Some(percent) = told["percent"].as_u64() {
                expect(&put(&web, &format!("at-{}", seen.len()), percent)?, 204)?;
                seen.push(percent);
            }
            Ok(told.is_null().then_some(()))
        })?;
        println!("changed in {:.0} s; told on the way: {seen:?}", begun.elapsed().as_secs_f64());
        ensure!(seen.is_sorted() && seen.iter().any(|percent| (1..100).contains(percent)), "{seen:?}");
        let off = vm.power_cut();

        // Another volume key, other slots, the same two that open it.
        let after = description(off.disk(), folder)?;
        ensure!(after["digests"] != before["digests"], "the volume key is the old one: {after}");
        ensure!(
            slots(&after)?.iter().all(|slot| !slots(&before).unwrap_or_default().contains(slot)),
            "{after}"
        );
        ensure!(slots(&after)?.len() == 2, "{after}");
        ensure!(after["config"]["requirements"].is_null(), "it is under way still: {after}");
        let secret = RecoveryCode::parse(&paper)?.expose().to_vec();
        ensure!(is_file_system(off.disk(), &secret)?, "the recovery key does not decrypt the new disk");
        // Whoever kept the old header finds nothing with it any more; before, it did decrypt.
        ensure!(is_file_system(&aside, &secret)?, "the test's copy was never readable");
        disk::copy_sparse(off.disk(), &aside, 0)?;
        let place = data_partition(&aside)?.bytes.start;
        File::options().write(true).open(&aside)?.write_all_at(&old, place)?;
        ensure!(!is_file_system(&aside, &secret)?, "the old volume key decrypts what was encrypted anew");

        let vm = off.boot_again()?;
        let web = opened_by_itself(&vm)?;
        expect_content(&web, "before", 0)?;
        for (number, percent) in seen.iter().enumerate() {
            expect_content(&web, &format!("at-{number}"), *percent)?;
        }
        let off = vm.power_cut();
        moved(&off, folder, &paper, "before")
    });
}

#[test]
fn a_change_of_the_volume_key_survives_power_cuts_at_random_moments() {
    scenario("volume_key-cuts", |folder| {
        let mut random = Random::from_environment()?;
        let builder = VmBuilder::new(&folder.join("own"), &Artifacts::load()?);
        let mut vm = builder.disk_size(DISK).boot(Boot::Uefi).tpm().start()?;
        let mut web = vm.wait_web()?;
        ensure!(!expect_usable(&vm, &mut web)?, "a new box is set up");
        let paper = recovery_key(&mut web)?;
        let (mut amid, all) = (0, cuts(CUTS)?);
        for round in 0..all {
            // Every other cut falls into the beginning, in which the header alone is written.
            let moment =
                if round % 2 == 1 { Moment::Beginning } else { Moment::AtPercent(random.next_below(50)) };
            let name = format!("round-{round}");
            let off = cut(vm, &web, &paper, &moment, random.next_fraction(), &name)
                .with_context(|| format!("round {round}, {moment:?}"))?;
            let is_amid = !description(off.disk(), folder)?["config"]["requirements"].is_null();
            amid += u32::from(is_amid);
            vm = off.boot_again()?;
            web = opened_by_itself(&vm).with_context(|| format!("after round {round}, {moment:?}"))?;
            for earlier in 0..=round {
                expect_content(&web, &format!("round-{earlier}"), u64::from(earlier))?;
            }
            println!("cut {} of {all}: {moment:?}, in the middle: {is_amid}", round + 1);
        }
        println!("{amid} of {all} cuts fell into a change");
        ensure!(amid * 2 >= all, "only {amid} of {all} cuts fell into a change");
        wait_until(ROTATION, "the end of the last change", || {
            let told = rotation(&web)?;
            ensure!(told["problem"].is_null(), "{told}");
            Ok(told.is_null().then_some(()))
        })?;
        let off = vm.power_cut();
        ensure!(
            is_file_system(off.disk(), RecoveryCode::parse(&paper)?.expose())?,
            "the file system is damaged, or the recovery key is not its key"
        );
        moved(&off, folder, &paper, "round-0")
    });
}

/// When the power goes.
#[derive(Debug)]
enum Moment {
    /// Within the first CPU seconds after it was asked for.
    Beginning,
    /// Soon after so much was told to be done.
    AtPercent(usize),
}

/// CPU seconds in which a change begins.
const BEGINNING: f64 = 4.0;

/// Has the key changed, a file written, and the power cut.
fn cut(vm: Vm, web: &Web, paper: &str, moment: &Moment, fraction: f64, name: &str) -> Result<Off> {
    let round: u64 = name.trim_start_matches("round-").parse()?;
    expect(&put(web, name, round)?, 204)?;
    // One that the cut before left is gone on with.
    if rotation(web)?.is_null() {
        let begun = vm.cpu_seconds()?;
        let asked = match moment {
            Moment::Beginning => {
                let (web, paper) = (web.clone(), paper.to_owned());
                Some(std::thread::spawn(move || rotate(&web, &paper)))
            }
            Moment::AtPercent(_) => {
                expect(&rotate(web, paper)?, 202)?;
                None
            }
        };
        if let Some(asked) = asked {
            wait_until(BOOT, "the moment of the cut", || {
                Ok((vm.cpu_seconds()? - begun >= BEGINNING * fraction).then_some(()))
            })?;
            let off = vm.power_cut();
            // The cut may have come before the answer.
            drop(asked.join());
            return Ok(off);
        }
    }
    if let Moment::AtPercent(percent) = moment {
        let percent = u64::try_from(*percent)?;
        wait_until(ROTATION, "the moment of the cut", || {
            let told = rotation(web)?;
            let done = told["percent"].as_u64().is_none_or(|done| done >= percent);
            Ok((done || told.is_null()).then_some(()))
        })?;
    }
    // The pieces are a fraction of a second: somewhere into one.
    let seen = vm.cpu_seconds()?;
    wait_until(BOOT, "the moment of the cut", || {
        Ok((vm.cpu_seconds()? - seen >= fraction / 2.0).then_some(()))
    })?;
    Ok(vm.power_cut())
}

fn opened_by_itself(vm: &Vm) -> Result<Web> {
    let mut web = vm.wait_web()?;
    ensure!(state(&web)? == "ready", "it does not open by itself: {}", status(&web)?);
    expect(&log_in(&mut web)?, 200)?;
    let told = storage(&web)?;
    ensure!(told["unlock"]["by"] == "tpm", "{told}");
    let kinds: Vec<&str> =
        told["keys"].as_array().context("no keys")?.iter().filter_map(|key| key["kind"].as_str()).collect();
    ensure!(kinds == ["tpm", "recovery"], "{told}");
    Ok(web)
}

/// In another box the recovery key opens it.
fn moved(off: &Off, folder: &Path, paper: &str, name: &str) -> Result<()> {
    let builder = VmBuilder::new(&folder.join("moved"), &Artifacts::load()?).disk(off.disk());
    let vm = builder.boot(Boot::Uefi).tpm().start()?;
    let mut web = vm.wait_web()?;
    ensure!(state(&web)? == "locked", "{}", status(&web)?);
    let mut web = open(&vm, &mut web, paper)?;
    expect(&log_in(&mut web)?, 200)?;
    expect_content(&web, name, 0)
}

fn rotate(web: &Web, key: &str) -> Result<Response> {
    web.clone()
        .post("/api/v1/storage/rotate", &json!({ "what": "data", "password": PASSWORD, "recovery_key": key }))
}

fn rotation(web: &Web) -> Result<Value> {
    Ok(storage(web)?["rotation"].clone())
}

fn file(name: &str) -> String {
    format!("/api/v1/vault/files/{name}")
}

/// Several sectors that tell the number.
fn content(number: u64) -> Vec<u8> {
    format!("the diary of day {number}\n").into_bytes().repeat(2000)
}

fn put(web: &Web, name: &str, number: u64) -> Result<Response> {
    web.send("PUT", &file(name), &[("Content-Type", "application/octet-stream")], Some(&content(number)))
}

fn expect_content(web: &Web, name: &str, number: u64) -> Result<()> {
    let answer = web.get(&file(name))?;
    expect(&answer, 200)?;
    ensure!(answer.body == content(number), "{name} has another content");
    Ok(())
}

/// What the header says of itself.
fn description(disk: &Path, folder: &Path) -> Result<Value> {
    let copy = folder.join("header");
    std::fs::write(&copy, header(disk)?)?;
    let output = std::process::Command::new("/usr/sbin/cryptsetup")
        .args(["luksDump", "--batch-mode", "--disable-locks", "--dump-json-metadata"])
        .arg(&copy)
        .output()
        .context("start cryptsetup")?;
    ensure!(output.status.success(), "cryptsetup: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("the header's description")
}

fn slots(description: &Value) -> Result<Vec<String>> {
    Ok(description["keyslots"].as_object().context("no slots")?.keys().cloned().collect())
}

/// Whether what the key decrypts is a file system that e2fsck finds no fault with, but for a journal that a cut left.
fn is_file_system(disk: &Path, key: &[u8]) -> Result<bool> {
    let plain = Plain::with_key(disk, key)?;
    let replayed = plain.e2fsprogs("e2fsck", &["-p"])?;
    let judged = plain.e2fsprogs("e2fsck", &["-f", "-n"])?;
    std::fs::remove_file(plain.file())?;
    Ok(matches!(replayed.status, Some(0 | 1)) && judged.status == Some(0))
}
