//! A household that installs an app, whose images are made here.

use crate::household::expect;
use crate::household::text;
use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use image::arch::Arch;
use qemu_tests::Artifacts;
use qemu_tests::BOOT;
use qemu_tests::Vm;
use qemu_tests::artifacts::compiler;
use qemu_tests::web;
use qemu_tests::web::Response;
use qemu_tests::web::Web;
use serde_json::Value;
use serde_json::json;
use sha2::Digest;
use sha2::Sha256;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use std::time::Instant;

/// Port of the box at which devices at home reach the app.
pub(crate) const PORT: u16 = 8090;
const APPS: &str = "/api/v1/apps";

/// The app's manifest, with this version of it, for the household.
pub(crate) fn manifest(version: u32) -> Value {
    manifest_for(version, "system")
}

/// The same for somebody else.
pub(crate) fn manifest_for(version: u32, scope: &str) -> Value {
    let text = json!({
        "format": 1, "id": "visits", "title": "Visits", "version": format!("{version}.0.0"), "scope": scope,
        "containers": { "web": {
            "image": format!("localhost/visits:{version}"),
            "volumes": [{ "name": "data", "target": "/data" }],
            "health": { "http": { "port": 80, "path": "/health" }, "interval_seconds": 2 },
            "stop": { "grace_seconds": 2 },
        } },
        "display": { "port": 80 },
        "permissions": { "inbound": [{ "port": format!("tcp/{PORT}"), "app_port": 80, "reason": "Guests" }] },
    });
    json!({ "manifest": text.to_string() })
}

/// Brings the image of a version to the box.
pub(crate) fn bring(folder: &Path, web: &Web, version: u32) -> Result<()> {
    bring_program(folder, web, "visits", &version.to_string())
}

/// Brings the image of a program of this folder to the box, compiled for this version.
pub(crate) fn bring_program(folder: &Path, web: &Web, name: &str, version: &str) -> Result<()> {
    let program = folder.join(format!("{name}-{version}"));
    let source = format!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vm/apps/{}.c"), name);
    let arch = Artifacts::load()?.arch;
    let made = Command::new(compiler(arch))
        .args(["-static", "-O1", "-Wall", "-Wextra", "-Werror", &format!("-DVERSION={version}"), "-o"])
        .arg(&program)
        .arg(&source)
        .output()
        .context("cannot run the C compiler")?;
    ensure!(made.status.success(), "{source} does not compile: {}", String::from_utf8_lossy(&made.stderr));
    let archive = archive(arch, name, &fs::read(&program)?)?;
    let headers = [("Content-Type", "application/octet-stream")];
    let path = format!("{APPS}/images?name={name}:{version}");
    expect(&web.send("POST", &path, &headers, Some(&archive))?, 201)
}

/// As `docker save` writes it: one layer with the program.
fn archive(arch: Arch, program_name: &str, program: &[u8]) -> Result<Vec<u8>> {
    let layer = tar(&[(program_name, program, 0o755)])?;
    let config = json!({
        "architecture": arch.name(), "os": "linux",
        "config": { "Entrypoint": [format!("/{program_name}")], "Volumes": { "/data": {} }, "ExposedPorts": { "80/tcp": {} } },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", hex(&layer))] },
    })
    .to_string();
    let name = format!("{}.json", hex(config.as_bytes()));
    let list =
        json!([{ "Config": name, "RepoTags": [format!("{program_name}:1")], "Layers": ["layer.tar"] }])
            .to_string();
    tar(&[
        (&name, config.as_bytes(), 0o644),
        ("layer.tar", &layer, 0o644),
        ("manifest.json", list.as_bytes(), 0o644),
    ])
}

fn tar(files: &[(&str, &[u8], u32)]) -> Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, bytes, mode) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(u64::try_from(bytes.len())?);
        header.set_mode(*mode);
        archive.append_data(&mut header, name, *bytes)?;
    }
    Ok(archive.into_inner()?)
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Begins to install an app; its key.
pub(crate) fn install(web: &mut Web, source: &Value) -> Result<String> {
    let shown = inspect(web, &json!({ "source": source }))?;
    let begun = web.post(APPS, &json!({ "source": source, "shown": shown }))?;
    expect(&begun, 202)?;
    text(&begun.json()?, "key")
}

/// Begins to update an app.
pub(crate) fn update(web: &mut Web, key: &str, source: &Value) -> Result<()> {
    let shown = inspect(web, &json!({ "source": source, "update": key }))?;
    let begun = web.post(&format!("{APPS}/{key}/update"), &json!({ "source": source, "shown": shown }))?;
    expect(&begun, 202)
}

fn inspect(web: &mut Web, wish: &Value) -> Result<String> {
    let inspected = web.post(&format!("{APPS}/inspect"), wish)?;
    expect(&inspected, 200)?;
    let inspected = inspected.json()?;
    ensure!(inspected["refusals"] == json!([]), "{inspected}");
    text(&inspected, "shown")
}

/// Has something done to the app.
pub(crate) fn tell(web: &mut Web, key: &str, what: &str) -> Result<()> {
    let told = web.post(&format!("{APPS}/{key}/{what}"), &json!({}))?;
    ensure!((200..300).contains(&told.status), "{what}: {} {}", told.status, told.text());
    Ok(())
}

/// Has the app restarted, and waits until it runs again.
pub(crate) fn restart(patience: Duration, vm: &Vm, web: &mut Web, key: &str) -> Result<()> {
    let told = Instant::now();
    tell(web, key, "restart")?;
    // Until then the app is still what it was.
    vm.wait_until("the restart to have begun", || {
        let up = app(web, key)?["containers"][0]["seconds_up"].as_u64();
        Ok(up.is_none_or(|up| up < told.elapsed().as_secs()).then_some(()))
    })?;
    wait_within(patience, vm, web, key, "running").map(drop)
}

/// How the app is.
pub(crate) fn app(web: &Web, key: &str) -> Result<Value> {
    let answer = web.get(&format!("{APPS}/{key}"))?;
    expect(&answer, 200)?;
    answer.json()
}

/// Waits until nothing is being done to the app and it is so.
pub(crate) fn wait_for(vm: &Vm, web: &Web, key: &str, state: &str) -> Result<Value> {
    wait_within(BOOT, vm, web, key, state)
}

/// The same with another patience.
pub(crate) fn wait_within(patience: Duration, vm: &Vm, web: &Web, key: &str, state: &str) -> Result<Value> {
    let mut last = Value::Null;
    let waited = vm.wait_within(patience, &format!("the app to be {state}"), || {
        let answer = web.get(&format!("{APPS}/{key}"))?;
        if answer.status == 404 {
            anyhow::bail!("it is gone: {}", web.get(APPS)?.text());
        }
        last = answer.json()?;
        Ok((last["operation"].is_null() && last["state"] == state).then(|| last.clone()))
    });
    waited.with_context(|| format!("the app: {last}"))
}

/// What the app says to a visitor at its port of the box; none while nobody answers there.
pub(crate) fn visit(vm: &mut Vm, path: &str) -> Result<Option<String>> {
    visit_at(vm, PORT, path)
}

/// The same at another port.
pub(crate) fn visit_at(vm: &mut Vm, port: u16, path: &str) -> Result<Option<String>> {
    let port = vm.forwarded(port)?;
    let Ok(mut stream) = web::connect(port) else { return Ok(None) };
    let asked = format!("GET {path} HTTP/1.1\r\nHost: hearth.local\r\nConnection: close\r\n\r\n");
    if stream.write_all(asked.as_bytes()).is_err() {
        return Ok(None);
    }
    Ok(web::read_response(&mut stream).ok().map(|answer: Response| answer.text()))
}

/// Visits it until it answers this.
pub(crate) fn expect_visit(vm: &mut Vm, wanted: &str) -> Result<()> {
    let mut said = None;
    for _ in 0..TRIES {
        said = visit(vm, "/health")?;
        if said.is_some() {
            break;
        }
        std::thread::sleep(PAUSE);
    }
    ensure!(said.is_some(), "nobody answers at the app's port");
    let said = visit(vm, "/")?;
    ensure!(said.as_deref() == Some(wanted), "{said:?}, and not {wanted:?}");
    Ok(())
}

/// Whether nobody answers at the app's port.
pub(crate) fn is_unreachable(vm: &mut Vm) -> Result<bool> {
    Ok(visit(vm, "/health")?.is_none())
}

const TRIES: u32 = 120;
const PAUSE: Duration = Duration::from_secs(1);
