//! Factory reset: what was on the box is unreadable with every key that there was, and the box is new.

use crate::household::PASSWORD;
use crate::household::expect;
use crate::household::expect_usable;
use crate::household::log_in;
use crate::household::state;
use crate::unlock::header;
use crate::unlock::recovery_key;
use crate::unlock::storage;
use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use hearth_agent::protocol::Request;
use qemu_tests::Artifacts;
use qemu_tests::BOOT;
use qemu_tests::Boot;
use qemu_tests::Vm;
use qemu_tests::VmBuilder;
use qemu_tests::builder::Inside;
use qemu_tests::disk::data_partition;
use qemu_tests::esp::Esp;
use qemu_tests::plain::BOOT_KEY;
use qemu_tests::plain::Plain;
use qemu_tests::scenario::scenario;
use qemu_tests::web::Web;
use serde_json::json;
use std::fs;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;
use std::time::Duration;
use vault::RecoveryCode;

/// Asks for a reset on the boot partition.
const ASKED: &str = "factory-reset";
const BEGINS: &str = "hearth: factory reset: everything on the data partition is being erased";
const DONE: &str = "hearth: factory reset: done, the box is new";
/// In a file on the data partition.
const MARKER: &[u8] = b"the-diary-that-nobody-else-may-read";
/// From the reset's first word to a cut: into the erasing, behind it, and into making the partition anew.
const CUTS: [Duration; 4] = [
    Duration::from_millis(0),
    Duration::from_millis(300),
    Duration::from_millis(1200),
    Duration::from_millis(4000),
];

#[test]
fn the_owner_resets_the_box_and_neither_tpm_nor_recovery_key_open_it() {
    scenario("reset-tpm", |folder| {
        let vm = VmBuilder::new(folder, &Artifacts::load()?).boot(Boot::Uefi).tpm().start()?;
        let mut web = vm.wait_web()?;
        ensure!(!expect_usable(&vm, &mut web)?, "a new box is set up");
        let key = recovery_key(&mut web)?;
        let (slots, authority) = (storage(&web)?["keys"].clone(), web.get("/ca.crt")?.text());
        ensure!(slots.as_array().is_some_and(|slots| slots.len() == 2), "{slots}");
        let off = vm.power_cut();
        let old = header(off.disk())?;

        let vm = off.boot_again()?;
        let mut web = vm.wait_web()?;
        ensure!(state(&web)? == "ready", "it does not open by itself");
        expect(&log_in(&mut web)?, 200)?;
        let ask = |web: &mut Web, name: &str, password: &str| {
            web.post("/api/v1/system/factory-reset", &json!({ "hostname": name, "password": password }))
        };
        expect(&ask(&mut web, "another", PASSWORD)?, 422)?;
        expect(&ask(&mut web, "hearth", "not the password")?, 403)?;
        let mark = vm.serial().mark();
        expect(&ask(&mut web, "hearth", PASSWORD)?, 202)?;
        vm.serial().wait_line(mark, BEGINS, BOOT)?;
        vm.serial().wait_line(mark, DONE, BOOT)?;
        vm.wait_claim_code(mark)?;
        let off = vm.power_cut();
        ensure!(Esp::open(off.disk())?.read(ASKED).is_err(), "it is asked for still");
        let new = header(off.disk())?;
        ensure!(new != old, "the header is the same");
        expect_no_key_material(&old, &new)?;
        ensure!(!opens(&new, key.as_bytes(), folder)?, "the old recovery key as text");
        ensure!(!opens(&new, &secret(&key)?, folder)?, "the old recovery key opens the new header");
        // The old description with what lies in its slots' places now: neither the recovery key nor what the TPM sealed has a slot.
        let mut mixed = old.clone();
        mixed.splice(DESCRIPTION.., new.iter().skip(DESCRIPTION).copied());
        ensure!(opens(&old, &secret(&key)?, folder)?, "the test's own key does not even open the old header");
        ensure!(!opens(&mixed, &secret(&key)?, folder)?, "a slot of the old header is left");

        let vm = off.boot_again()?;
        let mut web = vm.wait_web()?;
        ensure!(state(&web)? == "setup", "it does not open by itself");
        ensure!(web.get("/ca.crt")?.text() != authority, "the household certificate is the old one");
        ensure!(!expect_usable(&vm, &mut web)?, "somebody's account is left");
        Ok(())
    });
}

#[test]
fn a_file_resets_a_box_that_nobody_can_log_in_to_whenever_the_power_goes() {
    scenario("reset-file", |folder| {
        let vm = VmBuilder::new(folder, &Artifacts::load()?).inside(Inside::Agent).start()?;
        let mut web = vm.wait_web()?;
        ensure!(!expect_usable(&vm, &mut web)?, "a new box is set up");
        let mut agent = vm.agent()?;
        agent.ask(&Request::Fill { path: "/data/diary".into(), wholly: false })?;
        agent.write("/data/diary", std::str::from_utf8(MARKER)?)?;
        agent.ask(&Request::Sync)?;
        drop(agent);
        let mut off = vm.power_cut();
        let (old, key) = (header(off.disk())?, Esp::open(off.disk())?.read(BOOT_KEY)?);
        ensure!(opens(&old, &key, folder)?, "the key on the boot partition does not open the old header");
        let before = Plain::with_key(off.disk(), &key)?;
        ensure!(contains(before.file(), MARKER)?, "the marker is not even there");
        fs::remove_file(before.file())?;

        let esp = Esp::open(off.disk())?;
        esp.write(ASKED, b"")?;
        esp.close()?;
        for cut in CUTS {
            let vm = off.boot_again()?;
            wait_begun(&vm)?;
            // A moment, and no wait for anything.
            thread::sleep(cut);
            off = vm.power_cut();
        }
        let vm = off.boot_again()?;
        let mut web = vm.wait_web()?;
        ensure!(!expect_usable(&vm, &mut web)?, "somebody's account is left");
        let off = vm.power_cut();
        let esp = Esp::open(off.disk())?;
        ensure!(esp.read(ASKED).is_err(), "it is asked for still");
        ensure!(esp.read(BOOT_KEY)? != key, "the key on the boot partition is the old one");
        drop(esp);
        let new = header(off.disk())?;
        ensure!(!opens(&new, &key, folder)?, "the old key opens the new header");
        expect_no_key_material(&old, &new)?;

        // Whoever kept a copy of the old header has the old volume key: what it decrypts was given up to the disk.
        let kept = folder.join("kept.img");
        fs::copy(off.disk(), &kept)?;
        let place = data_partition(&kept)?.bytes.start;
        File::options().write(true).open(&kept)?.write_all_at(&old, place)?;
        let after = Plain::with_key(&kept, &key)?;
        ensure!(!contains(after.file(), MARKER)?, "the old volume key finds what was written under it");
        Ok(())
    });
}

/// A cut behind its end lets the next boot go by without one.
fn wait_begun(vm: &Vm) -> Result<()> {
    let is_new = |line: &str| line.contains("hearth: claim code: ");
    vm.serial()
        .wait_for(vm.mark(), "the reset or its end", BOOT, |line| line.contains(BEGINS) || is_new(line))?;
    Ok(())
}

/// Both copies of what a header says of itself; behind them lies the slots' key material (LUKS2 On-Disk Format Specification, section 2).
const DESCRIPTION: usize = 32 << 10;

/// No piece of the old slots is where it was.
fn expect_no_key_material(old: &[u8], new: &[u8]) -> Result<()> {
    let pieces = |header: &'_ [u8]| -> Vec<Vec<u8>> {
        header.get(DESCRIPTION..).unwrap_or_default().chunks(4096).map(<[u8]>::to_vec).collect()
    };
    let is_used = |piece: &[u8]| piece.iter().any(|byte| *byte != 0);
    let mut used = 0;
    for (before, after) in pieces(old).iter().zip(pieces(new)) {
        if is_used(before) {
            used += 1;
            ensure!(*before != after, "key material of an old slot is left");
        }
    }
    ensure!(used > 0, "the old header had no slots");
    Ok(())
}

fn opens(header: &[u8], key: &[u8], folder: &Path) -> Result<bool> {
    let (file, key_file) = (folder.join("tried.header"), folder.join("tried.key"));
    fs::write(&file, header)?;
    fs::write(&key_file, key)?;
    let ended = std::process::Command::new("/usr/sbin/cryptsetup")
        .args([
            "open",
            "--test-passphrase",
            "--disable-locks",
            "--batch-mode",
            "--type",
            "luks2",
            "--key-file",
        ])
        .args([&key_file, &file])
        .output()
        .context("start cryptsetup")?;
    match ended.status.code() {
        Some(0) => Ok(true),
        // "No permission (bad passphrase)": the header was understood.
        Some(2) => Ok(false),
        _ => anyhow::bail!("cryptsetup: {}", String::from_utf8_lossy(&ended.stderr)),
    }
}

/// What stands behind a recovery key's text.
fn secret(text: &str) -> Result<Vec<u8>> {
    Ok(RecoveryCode::parse(text)?.expose().to_vec())
}

fn contains(path: &Path, what: &[u8]) -> Result<bool> {
    let mut file = File::open(path)?;
    let (mut buffer, mut kept) = (vec![0; 1 << 20], Vec::new());
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(false);
        }
        kept.extend_from_slice(buffer.get(..read).unwrap_or_default());
        if kept.windows(what.len()).any(|window| window == what) {
            return Ok(true);
        }
        kept.drain(..kept.len().saturating_sub(what.len()));
    }
}
