//! Data that did not open by itself is opened by the recovery key, while the box runs.

use crate::household::OWNER;
use crate::household::PASSWORD;
use crate::household::expect;
use crate::household::expect_usable;
use crate::household::log_in;
use crate::household::state;
use crate::household::status;
use crate::household::text;
use crate::sealed::locked_reasons;
use crate::secure_boot::LOADERS;
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
use qemu_tests::esp::Esp;
use qemu_tests::esp::SLOTS;
use qemu_tests::plain::BOOT_KEY;
use qemu_tests::scenario::scenario;
use qemu_tests::secure_boot::SecureBoot;
use qemu_tests::slots;
use qemu_tests::slots::shipped_name;
use qemu_tests::web::Response;
use qemu_tests::web::Web;
use serde_json::Value;
use serde_json::json;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The header of the encrypted partition, both copies and all slots.
const HEADER: usize = 16 << 20;
/// Well formed, and nobody's: its last group fits the others.
const FOREIGN: &str = "0000-0000-0000-0000-0000-0000-0000-0000-01MV";
const PASSPHRASE: &str = "nine warm stones";
/// Wrong keys that are answered at once.
const FREE: usize = 5;

#[test]
fn the_recovery_key_opens_the_data_in_another_box_which_then_opens_it_by_itself() {
    scenario("unlock", |folder| {
        let artifacts = Artifacts::load()?;
        let (own, boot) = sealable(folder, &folder.join("own"), &artifacts)?;
        let vm = own.start()?;
        let mut web = vm.wait_web()?;
        ensure!(!expect_usable(&vm, &mut web)?, "a new box is set up");
        ensure!(opened_by(&web)? == "tpm", "{}", storage(&web)?);
        let key = recovery_key(&mut web)?;
        let off = vm.power_cut();

        // The disk in another box.
        let disk = folder.join("moved.img");
        disk::copy_sparse(off.disk(), &disk, 0)?;
        let before = header(&disk)?;
        let moved = VmBuilder::new(&folder.join("moved"), &artifacts).disk(&disk).boot(boot).tpm();
        let vm = moved.start()?;
        let mut web = vm.wait_web()?;
        let reasons = locked_reasons(&status(&web)?)?;
        ensure!(reasons.contains("another TPM"), "{reasons}");
        for wrong in ["hearth", FOREIGN] {
            expect(&unlock(&mut web, wrong)?, 403)?;
        }
        ensure!(header(&disk)? == before, "a wrong key was written down");

        let mut web = open(&vm, &mut web, &key)?;
        // Another chip has counted nothing: nobody can say whether the disk is an older copy, which is told once.
        ensure!(state(&web)? == "degraded", "{}", status(&web)?);
        expect(&log_in(&mut web)?, 200)?;
        ensure!(opened_by(&web)? == "recovery", "{}", storage(&web)?);
        expect_services(&vm, &web)?;
        expect(&unlock(&mut web, &key)?, 409)?;
        expect(&web.post("/api/v1/storage/seal", &json!({ "password": PASSWORD }))?, 204)?;
        let off = vm.power_cut();

        let vm = off.boot_again()?;
        let mut web = vm.wait_web()?;
        ensure!(state(&web)? == "ready", "it does not open by itself: {}", status(&web)?);
        expect(&log_in(&mut web)?, 200)?;
        ensure!(opened_by(&web)? == "tpm", "{}", storage(&web)?);
        Ok(())
    });
}

#[test]
fn wrong_keys_make_everybody_wait_and_a_box_without_a_tpm_asks_at_each_start_where_its_owner_wants_it() {
    scenario("unlock-wait", |folder| {
        let vm = VmBuilder::new(folder, &Artifacts::load()?).start()?;
        let mut web = vm.wait_web()?;
        ensure!(!expect_usable(&vm, &mut web)?, "a new box is set up");
        let key = recovery_key(&mut web)?;
        let off = vm.power_cut();
        let esp = Esp::open(off.disk())?;
        let key_file = esp.read(BOOT_KEY)?;
        esp.remove(BOOT_KEY)?;
        esp.close()?;

        let vm = off.boot_again()?;
        let mut web = vm.wait_web()?;
        locked_reasons(&status(&web)?)?;
        for _ in 0..FREE {
            expect(&unlock(&mut web, "warm stones")?, 403)?;
        }
        // Whoever comes next waits, also with the right one.
        let late = unlock(&mut web, &key)?;
        expect(&late, 429)?;
        let seconds: u64 = late.header("retry-after").context("no Retry-After")?.parse()?;
        ensure!((1..=30).contains(&seconds), "wait {seconds} s");
        let mark = vm.serial().mark();
        vm.wait_until("the next try", || Ok((unlock(&mut web, &key)?.status == 202).then_some(())))?;
        let mut web = opened(&vm, mark)?;
        expect(&log_in(&mut web)?, 200)?;
        expect_services(&vm, &web)?;
        // There is nothing to seal to, and nothing is lost by asking.
        let sealed = web.post("/api/v1/storage/seal", &json!({ "password": PASSWORD }))?;
        expect(&sealed, 409)?;
        ensure!(opened_by(&web)? == "recovery", "{}", storage(&web)?);
        expect(&ask_for(&mut web, "short")?, 409)?;
        expect(&ask_for(&mut web, PASSPHRASE)?, 204)?;
        let off = vm.power_cut();
        let esp = Esp::open(off.disk())?;
        esp.write(BOOT_KEY, &key_file)?;
        esp.close()?;
        asks_at_each_start(off)
    });
}

fn ask_for(web: &mut Web, passphrase: &str) -> Result<Response> {
    web.post("/api/v1/storage/passphrase", &json!({ "passphrase": passphrase, "password": PASSWORD }))
}

/// The key file that lies there opens nothing any more and goes; the passphrase opens, at this start and the next.
fn asks_at_each_start(mut off: Off) -> Result<()> {
    for _start in 0..2 {
        let vm = off.boot_again()?;
        let mut web = vm.wait_web()?;
        let reasons = locked_reasons(&status(&web)?)?;
        ensure!(reasons.contains("asks for its passphrase"), "{reasons}");
        expect(&unlock(&mut web, "nine cold stones")?, 403)?;
        let mut web = open(&vm, &mut web, PASSPHRASE)?;
        expect(&log_in(&mut web)?, 200)?;
        ensure!(opened_by(&web)? == "passphrase", "{}", storage(&web)?);
        off = vm.power_cut();
        let esp = Esp::open(off.disk())?;
        ensure!(esp.read(BOOT_KEY).is_err(), "the key file is still on the boot partition");
    }
    Ok(())
}

/// A machine that can seal its data anew, and how it boots. Without Secure Boot the harness adds words from outside, and to a system with
/// such words nothing is sealed.
pub(crate) fn sealable(keys: &Path, own: &Path, artifacts: &Artifacts) -> Result<(VmBuilder, Boot)> {
    let keys = SecureBoot::prepare(keys)?;
    let boot = Boot::SecureUefi(keys.clone());
    let mut builder = VmBuilder::new(own, artifacts).boot(boot.clone()).tpm();
    sign(&builder.prepare_disk()?, artifacts, &keys)?;
    Ok((builder, boot))
}

/// Puts a slot on a disk that says on the console what its services do, and signs all that the firmware looks at.
fn sign(disk: &Path, artifacts: &Artifacts, keys: &SecureBoot) -> Result<()> {
    let words = " no_timer_check hearth.log=console";
    let slot = slots::with_words(artifacts, words, &slots::development_key(artifacts)?)?;
    let esp = Esp::open(disk)?;
    for loader in LOADERS {
        esp.write(loader, &keys.trusted().sign(&esp.read(loader)?)?)?;
    }
    esp.write(&format!("{SLOTS}/{}.efi", shipped_name(artifacts)?), &keys.trusted().sign(&slot)?)?;
    esp.close()
}

/// Has a recovery key made, and shows that it is on paper.
pub(crate) fn recovery_key(web: &mut Web) -> Result<String> {
    let made = web.post("/api/v1/storage/recovery-key", &json!({ "password": PASSWORD }))?;
    expect(&made, 200)?;
    let key = text(&made.json()?, "recovery_key")?;
    ensure!(storage(web)?["is_waiting_for_confirmation"] == true, "{}", storage(web)?);
    let mut confirm = |end: &str| web.post("/api/v1/storage/recovery-key/confirm", &json!({ "end": end }));
    expect(&confirm("0000-0000")?, 403)?;
    let end = key.get(key.len().saturating_sub(9)..).context("a short key")?;
    expect(&confirm(end)?, 204)?;
    Ok(key)
}

pub(crate) fn unlock(web: &mut Web, key: &str) -> Result<Response> {
    web.post("/api/v1/storage/unlock", &json!({ "key": key }))
}

/// Opens the data with a key; returns a client of the box as it is then.
pub(crate) fn open(vm: &Vm, web: &mut Web, key: &str) -> Result<Web> {
    let mark = vm.serial().mark();
    expect(&unlock(web, key)?, 202)?;
    opened(vm, mark)
}

/// Waits until the box says how it is then, without a reboot.
pub(crate) fn opened(vm: &Vm, mark: usize) -> Result<Web> {
    vm.serial().wait_line(mark, "hearth: state=", BOOT)?;
    let boots = vm.serial().since(vm.mark()).iter().filter(|line| line.contains("hearth: version=")).count();
    ensure!(boots == 1, "the box was rebooted for it");
    vm.wait_until("the page of the opened box", || Ok(vm.web().ok()))
}

pub(crate) fn storage(web: &Web) -> Result<Value> {
    let answer = web.get("/api/v1/storage")?;
    expect(&answer, 200)?;
    answer.json()
}

fn opened_by(web: &Web) -> Result<String> {
    text(&storage(web)?["unlock"], "by")
}

/// Every service is up, and the data has the owner on it.
fn expect_services(vm: &Vm, web: &Web) -> Result<()> {
    let session = web.get("/api/v1/session")?.json()?;
    ensure!(session["user"]["name"] == OWNER, "{session}");
    vm.wait_until("all services", || {
        let system = web.get("/api/v1/system")?.json()?;
        let services = system["services"].as_array().context("no services")?;
        let names: Vec<&str> = services.iter().filter_map(|service| service["name"].as_str()).collect();
        ensure!(names == ["storaged", "netd", "hostd", "containerd-lite"], "{system}");
        Ok(services.iter().all(|service| service["state"] == "ready").then_some(()))
    })
}

pub(crate) fn header(path: &Path) -> Result<Vec<u8>> {
    let partition = data_partition(path)?;
    let mut bytes = vec![0; HEADER];
    File::open(path).context("the disk")?.read_exact_at(&mut bytes, partition.bytes.start)?;
    Ok(bytes)
}
