//! A vault gets another key on a real box, and the power goes in the middle of that.

use crate::household::PASSWORD;
use crate::household::expect;
use crate::household::expect_usable;
use crate::household::log_in;
use crate::vault::file;
use crate::vault::put;
use crate::vault::recovery_code;
use crate::vault::state;
use crate::vault::unlock;
use crate::vault::vault;
use anyhow::Result;
use anyhow::ensure;
use qemu_tests::Artifacts;
use qemu_tests::BOOT;
use qemu_tests::VmBuilder;
use qemu_tests::builder::Inside;
use qemu_tests::scenario::scenario;
use qemu_tests::wait_until;
use qemu_tests::web::Web;
use serde_json::json;

const MARKER: &str = "marker 90cc4e17 under whichever key";
/// So long that there is a middle to cut.
const LENGTH: usize = 8 << 20;
const FILES: [&str; 3] = ["first-2b7e", "second-2b7e", "third-2b7e"];

#[test]
fn a_vault_with_another_key_has_the_same_files_also_after_a_power_cut() {
    scenario("vault_key", |folder| {
        let vm = VmBuilder::new(folder, &Artifacts::load()?).inside(Inside::Agent).start()?;
        let mut web = vm.wait_web()?;
        ensure!(!expect_usable(&vm, &mut web)?, "a new box is set up");
        let code = recovery_code(&mut web, PASSWORD)?;
        for name in FILES {
            put(&mut web, name, &content(name))?;
        }
        expect(&web.post("/api/v1/vault/rotate", &json!({ "password": "cold stones do not" }))?, 403)?;
        rotate(&mut web)?;
        all_there(&web)?;

        begin(&mut web)?;
        wait_until(BOOT, "the middle of the change", || {
            let rotation = vault(&web)?["rotation"].clone();
            Ok(rotation["percent"].as_u64().is_none_or(|percent| percent >= 30).then_some(()))
        })?;
        let vm = vm.power_cut().boot_again()?;
        let mut web = vm.wait_web()?;
        expect(&log_in(&mut web)?, 200)?;
        ensure!(state(&web)? == "open", "{}", vault(&web)?);
        all_there(&web)?;

        // One directory is left, and it shows nothing while the vault is locked.
        let mut agent = vm.agent()?;
        ensure!(agent.find("/data", MARKER)?.0.len() == FILES.len(), "there is a second copy");
        expect(&web.post("/api/v1/vault/lock", &json!({}))?, 200)?;
        let locked = agent.find("/data", MARKER)?;
        ensure!(locked == (vec![], u32::try_from(FILES.len())?), "root sees in a locked vault: {locked:?}");
        expect(&unlock(&mut web, &json!({ "recovery_code": code }))?, 200)?;
        rotate(&mut web)?;
        all_there(&web)
    });
}

/// Has the key of the vault changed, to its end.
pub(crate) fn rotate(web: &mut Web) -> Result<()> {
    begin(web)?;
    wait_until(BOOT, "another vault key", || Ok(vault(web)?["rotation"].is_null().then_some(())))?;
    let after = vault(web)?;
    ensure!(after["state"] == "open" && after["problem"].is_null(), "{after}");
    Ok(())
}

fn begin(web: &mut Web) -> Result<()> {
    expect(&web.post("/api/v1/vault/rotate", &json!({ "password": PASSWORD }))?, 202)
}

fn all_there(web: &Web) -> Result<()> {
    for name in FILES {
        ensure!(web.get(&file(name))?.body == content(name), "{name} has another content");
    }
    let listed = web.get("/api/v1/vault/files")?.json()?;
    ensure!(listed["files"].as_array().is_some_and(|files| files.len() == FILES.len()), "{listed}");
    Ok(())
}

/// The marker once, then what depends on name and place.
fn content(name: &str) -> Vec<u8> {
    let numbers =
        (0..LENGTH).map(|place| name.as_bytes()[place % name.len()].wrapping_add(place.to_le_bytes()[1]));
    MARKER.bytes().chain(numbers).collect()
}
