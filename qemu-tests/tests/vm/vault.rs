//! What a user keeps in their vault is read by nobody else: not from the disk, not by root while it is locked.

use crate::household::PASSWORD;
use crate::household::expect;
use crate::household::expect_usable;
use crate::household::log_in;
use crate::household::text;
use anyhow::Result;
use anyhow::ensure;
use qemu_tests::Artifacts;
use qemu_tests::VmBuilder;
use qemu_tests::builder::Inside;
use qemu_tests::plain::Plain;
use qemu_tests::scenario::scenario;
use qemu_tests::web::Response;
use qemu_tests::web::Web;
use rustix::fs::SeekFrom;
use serde_json::Value;
use serde_json::json;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

const NAME: &str = "letter-5f1c9e7a";
const MARKER: &str = "marker d27b60c4 that nobody else may read";
/// Well formed, and nobody's: its last group fits the others.
const FOREIGN: &str = "0000-0000-0000-0000-0000-0000-0000-0000-01MV";
const CHUNK: usize = 1 << 20;

#[test]
fn a_private_file_is_seen_by_its_user_only() {
    scenario("vault", |folder| {
        let vm = VmBuilder::new(folder, &Artifacts::load()?).inside(Inside::Agent).start()?;
        let mut web = vm.wait_web()?;
        ensure!(!expect_usable(&vm, &mut web)?, "a new box is set up");
        ensure!(state(&web)? == "open", "{}", vault(&web)?);
        let code = recovery_code(&mut web, PASSWORD)?;
        put(&mut web, NAME, MARKER.as_bytes())?;

        // While it is open root sees it, as was to be expected: this is what the rest is compared with.
        let mut agent = vm.agent()?;
        ensure!(agent.find("/data", MARKER)?.0.len() == 1, "root does not see what is open");
        ensure!(agent.find("/data", NAME)?.0.len() == 1, "root does not see what is open");
        expect(&web.post("/api/v1/vault/lock", &json!({}))?, 200)?;
        ensure!(state(&web)? == "locked", "{}", vault(&web)?);
        let by_content = agent.find("/data", MARKER)?;
        ensure!(by_content == (vec![], 1), "root sees in a locked vault: {by_content:?}");
        ensure!(agent.find("/data", NAME)?.0.is_empty(), "root sees the name");
        expect(&web.get(&file(NAME))?, 409)?;

        expect(&unlock(&mut web, &json!({ "password": "cold stones do not" }))?, 403)?;
        expect(&unlock(&mut web, &json!({ "recovery_code": FOREIGN }))?, 403)?;
        ensure!(state(&web)? == "locked", "{}", vault(&web)?);
        expect(&unlock(&mut web, &json!({ "recovery_code": code }))?, 200)?;
        ensure!(web.get(&file(NAME))?.body == MARKER.as_bytes(), "another content");

        // The power goes right after the answer, with the vault open.
        put(&mut web, "second", MARKER.as_bytes())?;
        drop(agent);
        let off = vm.power_cut();
        let plain = Plain::of(off.disk())?;
        ensure!(holds(plain.file(), b"hostd")?, "the decrypted partition is looked at wrongly");
        for path in [off.disk(), plain.file()] {
            for wanted in [MARKER, NAME] {
                ensure!(!holds(path, wanted.as_bytes())?, "{wanted} stands in {}", path.display());
            }
        }

        let vm = off.boot_again()?;
        let mut web = vm.wait_web()?;
        let mut agent = vm.agent()?;
        ensure!(agent.find("/data", MARKER)?.0.is_empty(), "root sees it before anybody has logged in");
        expect(&log_in(&mut web)?, 200)?;
        ensure!(state(&web)? == "open", "{}", vault(&web)?);
        for name in [NAME, "second"] {
            ensure!(web.get(&file(name))?.body == MARKER.as_bytes(), "{name} was lost");
        }

        // hostd gives its key back when it is stopped by init, and when it could not, its next run does.
        let hostd = agent.process("hostd")?;
        agent.kill(hostd.pid, rustix::process::Signal::KILL)?;
        vm.wait_until("hostd's next run", || {
            let is_next = agent.process("hostd").is_ok_and(|next| next.pid != hostd.pid);
            let answers = is_next && web.get("/api/v1/status").is_ok_and(|answer| answer.status == 200);
            Ok(answers.then_some(()))
        })?;
        let found = agent.find("/data", MARKER)?;
        ensure!(found == (vec![], 2), "root sees what hostd left open: {found:?}");
        ensure!(state(&web)? == "locked", "the session lives on, the vault does not: {}", vault(&web)?);
        expect(&unlock(&mut web, &json!({ "password": PASSWORD }))?, 200)?;
        ensure!(web.get(&file(NAME))?.body == MARKER.as_bytes(), "another content");
        Ok(())
    });
}

/// Has a recovery code made and confirmed.
pub(crate) fn recovery_code(web: &mut Web, password: &str) -> Result<String> {
    let made = web.post("/api/v1/vault/recovery-code", &json!({ "password": password }))?;
    expect(&made, 200)?;
    let code = text(&made.json()?, "recovery_code")?;
    let end = code.get(code.len().saturating_sub(9)..).unwrap_or_default();
    expect(&web.post("/api/v1/vault/recovery-code/confirm", &json!({ "end": end }))?, 204)?;
    Ok(code)
}

pub(crate) fn unlock(web: &mut Web, body: &Value) -> Result<Response> {
    web.post("/api/v1/vault/unlock", body)
}

/// Puts a file into the vault; it is on the disk then.
pub(crate) fn put(web: &mut Web, name: &str, bytes: &[u8]) -> Result<()> {
    let octets = [("Content-Type", "application/octet-stream")];
    expect(&web.send("PUT", &file(name), &octets, Some(bytes))?, 204)
}

/// Where a private file is.
pub(crate) fn file(name: &str) -> String {
    format!("/api/v1/vault/files/{name}")
}

/// What the box says of the vault of whoever is logged in.
pub(crate) fn vault(web: &Web) -> Result<Value> {
    let answer = web.get("/api/v1/vault")?;
    expect(&answer, 200)?;
    answer.json()
}

pub(crate) fn state(web: &Web) -> Result<String> {
    text(&vault(web)?, "state")
}

/// Whether bytes stand anywhere in a file; holes are passed over.
pub(crate) fn holds(path: &Path, wanted: &[u8]) -> Result<bool> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut buffer = vec![0; CHUNK + wanted.len()];
    let mut place = 0;
    while place < length {
        let Ok(data) = rustix::fs::seek(&file, SeekFrom::Data(place)) else { return Ok(false) };
        let most = usize::try_from(length - data)?.min(buffer.len());
        let chunk = buffer.get_mut(..most).unwrap_or_default();
        file.read_exact_at(chunk, data)?;
        if chunk.windows(wanted.len()).any(|window| window == wanted) {
            return Ok(true);
        }
        // Chunks overlap by what is looked for.
        place = data + CHUNK as u64;
    }
    Ok(false)
}
